//! The status: what everybody is told about a room, the same bytes for all, signed and chained so that nobody
//! is told otherwise.
//!
//! It is serialised by RFC 8785 (JCS). `sig` is Ed25519 (RFC 8032) over the document without `sig`; `prev` is
//! the SHA-256 of the bytes of the one before, as they were served; keys, signatures and hashes are base64url
//! without padding. Figures that were not measured are `null`, and the verdict says so until there is one.

use bytes::Bytes;
use ed25519_dalek::{Signer, SigningKey};
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::door::draw::Source;
use crate::door::eta::Rate;
use crate::door::snapshot::{DrawSaid, Snapshot};
use crate::guard::Verdict;
use crate::guard::report::Head;
use crate::room::{Facts, State};
use crate::time::WallTime;

#[cfg(test)]
mod tests;

/// What is said of the cap of a room that is given no seats.
const NO_CAP: &str = "No seats are given out.";

/// What is not the room's own: the program and the audience, as they were counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// When the hold sound can be heard first, while that is still to come.
    pub opens_at: Option<WallTime>,
    /// Seats taken now by connections.
    pub seats_taken: u64,
    /// Seats' worth of the program that players of HLS take, estimated.
    pub seats_hls: u64,
    /// Connections that acknowledged bytes of the program within the last 5 s.
    pub listening: u64,
    /// Most that ever listened at once.
    pub peak: u64,
    /// Replays begun.
    pub replays: u64,
    /// Requests refused because every seat was taken: until there are tickets, who asks again counts again.
    pub turned_away: u64,
    /// What has been sealed.
    pub program: Sealed,
    /// Where the replay is, once it can be fetched.
    pub replay: Option<ReplayLinks>,
    /// Where the report of the evening is, once it is published.
    pub report: Option<String>,
    /// SHA-256 of the key by which the guard's audit is drawn, told before anybody is.
    pub audit: Option<[u8; 32]>,
    /// The end of the guard's ledger; `None` before its first line.
    pub ledger: Option<Head>,
    /// What the guard says; `None` in the first second.
    pub verdict: Option<Verdict>,
    /// The delayed tier, while there is a program.
    pub late: Option<LateSaid>,
    /// The door: tickets, the line, the draw.
    pub door: Snapshot,
}

/// How far the recording's chain has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sealed {
    /// The chain's head, as the seal writes it; `None` before the first segment is sealed.
    pub head: Option<String>,
    /// Parts under it.
    pub parts: u64,
}

/// Where a recording is heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ReplayLinks {
    /// Ogg Opus.
    pub opus: String,
    /// M4A.
    pub m4a: String,
    /// HLS.
    pub hls: String,
    /// The chain: part hashes and signatures.
    pub seal: String,
    /// Passages that were taken out since, each marked in the seal.
    pub redactions: u64,
}

/// The delayed tier: what everybody may hear without a seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LateSaid {
    /// Its playlist.
    pub hls: String,
    /// How far behind live who begins is, in seconds: at least, at most.
    pub behind_s: [u64; 2],
    /// Whether somebody can begin now.
    pub state: LateState,
    /// The reason, as a sentence.
    pub why: String,
}

/// Whether somebody can begin to hear the delayed tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LateState {
    /// Too little of the program is there.
    Soon,
    /// They can.
    Open,
    /// It takes all that live listeners leave.
    Full,
}

/// One status as it is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its number.
    pub seq: u64,
    /// JSON in its canonical form.
    pub bytes: Bytes,
}

/// Lines of the ledger after which the status of a live room names its head anew: a minute of them.
const LEDGER_LINES: u64 = 60;

/// Numbers set aside on the disk at a time, before one of them is used. While the disk takes no status, those
/// that are set aside can still be given out: after a restart none of them is used again. At one status a
/// second they last eighteen hours.
pub const SET_ASIDE: u64 = 65_536;

/// What the disk knows of a room's chain of statuses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The last status it took, as it was to be served.
    pub last: Option<Bytes>,
    /// Every number up to this one may have been given out; `None` before the first.
    pub used: Option<u64>,
}

/// A status that is not shown yet: first it goes to the disk.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The status.
    pub status: Status,
    /// The numbers up to this one are set aside with it.
    pub set_aside: u64,
    said: Map<String, Value>,
}

/// Whether the disk took something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is durable.
    Yes,
    /// It may or may not be there.
    No,
}

/// The end of a room's chain of statuses.
///
/// One number never stands for two documents. A draft is written down before it is shown; when the disk does
/// not take it, it is shown all the same if its number was set aside before, because a restart begins after
/// the numbers set aside. Else it is not shown, and nobody has seen its number.
#[derive(Debug, Default)]
pub struct Chain {
    next: u64,
    set_aside: Option<u64>,
    prev: Option<String>,
    said: Option<Map<String, Value>>,
}

impl Chain {
    /// Goes on after what the disk knows.
    pub fn after(kept: &Kept) -> Self {
        Self {
            next: kept.used.map_or(0, |used| used.saturating_add(1)),
            set_aside: kept.used,
            prev: kept.last.as_deref().map(digest),
            said: None,
        }
    }

    /// The next status, to be written down; `None` when nothing has changed since the last but the time.
    pub fn draft(&self, now: WallTime, facts: &Facts, figures: &Figures, key: &SigningKey) -> Option<Draft> {
        let said = say(facts, figures);
        if self.said.as_ref() == Some(&said) {
            return None;
        }
        let mut document = said.clone();
        document.insert("now".into(), json!(now.rfc3339()));
        document["guard"]["ledger"] = json!(figures.ledger);
        document.insert("seq".into(), json!(self.next));
        document.insert("prev".into(), json!(self.prev));
        document.insert("key".into(), json!(URL_SAFE_NO_PAD.encode(key.verifying_key())));
        let signature = key.sign(&canonical(&document));
        document.insert("sig".into(), json!(URL_SAFE_NO_PAD.encode(signature.to_bytes())));
        let status = Status { seq: self.next, bytes: canonical(&document).into() };
        Some(Draft { status, set_aside: self.to_set_aside(), said })
    }

    /// The status to show, if it may be shown.
    pub fn show(&mut self, draft: Draft, taken: Taken) -> Option<Status> {
        match taken {
            Taken::Yes => self.set_aside = Some(draft.set_aside),
            Taken::No if self.set_aside.is_some_and(|last| draft.status.seq <= last) => {}
            Taken::No => return None,
        }
        self.next = draft.status.seq + 1;
        self.prev = Some(digest(&draft.status.bytes));
        self.said = Some(draft.said);
        Some(draft.status)
    }

    /// The last number given out, for a node that stops: the next start goes on right after it.
    pub fn last_used(&self) -> Option<u64> {
        self.next.checked_sub(1)
    }

    /// Half a block is always left.
    fn to_set_aside(&self) -> u64 {
        match self.set_aside {
            Some(last) if last >= self.next + SET_ASIDE / 2 => last,
            Some(_) | None => self.next + SET_ASIDE,
        }
    }
}

/// Everything but the time, the chain and the signature.
fn say(facts: &Facts, figures: &Figures) -> Map<String, Value> {
    let at = |time: Option<WallTime>| time.map(WallTime::rfc3339);
    let door = &figures.door;
    let notices: Vec<Value> =
        facts.notices.iter().map(|notice| json!({"at": notice.at.rfc3339(), "text": notice.text})).collect();
    let document = json!({
        "room": facts.name,
        "title": facts.title,
        "state": facts.state,
        "starts_at": at(facts.starts_at),
        "opens_at": at(figures.opens_at),
        "started_at": at(facts.started_at),
        "ended_at": at(facts.ended_at),
        "tickets": door.tickets,
        "now_serving": door.now_serving,
        "seats": seats(figures),
        "waiting": door.waiting,
        "turned_away": figures.turned_away,
        "listening": figures.listening,
        "peak": figures.peak,
        "replays": figures.replays,
        "claim_ratio": door.claim_ratio.map(rounded),
        "rate": rate(door),
        "draw": door.draw.as_ref().map(draw),
        "program": figures.program,
        "verdict": figures.verdict.as_ref().map_or_else(no_verdict, |verdict| json!(verdict)),
        "guard": {
            "audit": figures.audit.map(|hash| URL_SAFE_NO_PAD.encode(hash)),
            "ledger": minutes(facts, figures.ledger.as_ref()),
        },
        "ladder": ladder(door),
        "late": figures.late,
        "notices": notices,
        "replay": figures.replay,
        "report": figures.report,
    });
    match document {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

fn seats(figures: &Figures) -> Value {
    let said = figures.door.cap.as_ref();
    let (cap, why) = said.map_or((0, NO_CAP), |said| (said.seats, said.why.as_str()));
    let measured = said.and_then(|said| said.measured);
    json!({
        "cap": cap,
        "cap_why": why,
        "measured": measured,
        "taken": figures.seats_taken,
        "hls_estimate": figures.seats_hls,
    })
}

/// The ledger grows with every second in which anybody asks for anything. That alone is no new status, but
/// once a minute in a room that is live, so that a quiet evening has witnesses too. What is served instead of
/// this number is the ledger's head.
fn minutes(facts: &Facts, ledger: Option<&Head>) -> Option<u64> {
    ledger.filter(|_| facts.state == State::Live).map(|head| head.lines / LEDGER_LINES)
}

/// People a second. The share of past ranges that held is beside it once there are any.
fn rate(door: &Snapshot) -> Value {
    let rate = |of: fn(&Rate) -> f64| door.rate.as_ref().map(|rate| rounded(of(rate)));
    let mut said = json!({"p20": rate(|it| it.p20), "p50": rate(|it| it.p50), "p80": rate(|it| it.p80)});
    if let Some(share) = door.eta_hit_rate {
        said["eta_hit_rate"] = json!(rounded(share));
    }
    said
}

/// All that is needed to draw again: `docs/draw.md`.
fn draw(said: &DrawSaid) -> Value {
    let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    let held = said.held.as_ref();
    let lot = held.map(|held| text(&held.lot));
    let (round, reveal, randomness) = match said.source {
        Source::Operator => (None, lot, None),
        Source::Beacon { round } => (Some(round), None, lot),
    };
    json!({
        "at": said.at.rfc3339(),
        "source": said.source.word(),
        "commitment": said.commitment.map(|hash| text(&hash)),
        "round": round,
        "count": held.map(|held| held.count),
        "root": held.map(|held| text(&held.root)),
        "reveal": reveal,
        "randomness": randomness,
        "seed": held.map(|held| text(&held.seed)),
    })
}

fn ladder(door: &Snapshot) -> Value {
    let none = (0, "Everybody is served the full bit rate.");
    let (step, why) = door.ladder.as_ref().map_or(none, |said| (said.step, said.why.as_str()));
    json!({"step": step, "why": why})
}

/// To three digits: more would say more than was measured, and make a new status of every flicker.
fn rounded(number: f64) -> f64 {
    if number == 0.0 || !number.is_finite() {
        return 0.0;
    }
    let unit = 10_f64.powi(2 - number.abs().log10().floor() as i32);
    (number * unit).round() / unit
}

/// The whole range is open: nothing has been measured, so nothing is claimed.
fn no_verdict() -> Value {
    json!({
        "kind": "unknown",
        "self_inflicted": false,
        "confidence": 0,
        "attack_share": {"requests": [0, 1], "newcomers": [0, 1], "connection_seconds": [0, 1]},
        "since": null,
        "because": ["Nobody has looked yet: this node has only just begun."],
    })
}

fn canonical(document: &Map<String, Value>) -> Vec<u8> {
    serde_jcs::to_vec(document).expect("a map of JSON values has a canonical form")
}

fn digest(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(bytes))
}
