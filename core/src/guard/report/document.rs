//! A report as a document, and the files of a bundle.

use std::collections::BTreeMap;
use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::evening::{Evening, KeySaid, Peak};
use super::line::FEW;
use super::sentences::{self, FEWER};
use super::{VERIFY, page};
use crate::guard::Kind;
use crate::guard::live::{Account, Unit};
use crate::time::WallTime;

/// What stands beside the other files.
const README: &str = include_str!("bundle.txt");
const KINDS: [Kind; 5] = [Kind::Calm, Kind::Crowd, Kind::Attack, Kind::Both, Kind::Unknown];

/// How many people; fewer than ten are not told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Few(u64);

impl Serialize for Few {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if (1..FEW).contains(&self.0) { to.serialize_str(FEWER) } else { to.serialize_u64(self.0) }
    }
}

/// The report of an evening: every number in it is whole, so that it has one form.
#[derive(Clone, Debug, Serialize)]
pub struct Document {
    room: String,
    headline: String,
    from: String,
    to: String,
    seconds: u64,
    verdicts: BTreeMap<&'static str, u64>,
    own_fault_seconds: u64,
    totals: BTreeMap<&'static str, BTreeMap<&'static str, u64>>,
    attack_share: ShareSaid,
    peaks: BTreeMap<&'static str, PeakSaid>,
    before_peak: Option<SeatsSaid>,
    turned_away: u64,
    tickets: Few,
    newcomers: NewcomersSaid,
    events: Vec<EventSaid>,
    acts: u64,
    audit: Vec<AuditSaid>,
    would_change: Vec<&'static str>,
    unknown: [&'static str; 5],
    ledger: LedgerSaid,
    page_sha256: String,
}

#[derive(Clone, Debug, Serialize)]
struct ShareSaid {
    requests_per_10000: [u64; 2],
    how: &'static str,
}

#[derive(Clone, Debug, Serialize)]
struct PeakSaid {
    value: Few,
    at: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct SeatsSaid {
    at: String,
    cap: u64,
    measured: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
struct NewcomersSaid {
    became_listeners: Few,
    known: Few,
    steps: u64,
}

#[derive(Clone, Debug, Serialize)]
struct EventSaid {
    at: String,
    what: &'static str,
}

#[derive(Clone, Debug, Serialize)]
struct AuditSaid {
    sha256: String,
    key: Option<String>,
    seconds: u64,
}

#[derive(Clone, Debug, Serialize)]
struct LedgerSaid {
    first_seq: u64,
    last_seq: u64,
    prev: Option<String>,
    head: String,
    bytes: u64,
    sha256: String,
}

/// How the share of an evening is computed.
const HOW: &str = "Each second's range, weighted by its requests; low and high ends apart, so the range is \
                   no narrower than 95 %.";

/// The files of a bundle, by name.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// One sentence.
    pub headline: String,
    /// The report for people, HTML.
    pub page: String,
    /// The report for programs, canonical JSON.
    pub json: Vec<u8>,
    /// The lines it is computed from.
    pub ledger: Vec<u8>,
    /// The program that checks it.
    pub verify: &'static str,
    /// How.
    pub readme: String,
}

impl Evening {
    /// The report, as this version of the program writes it.
    pub fn bundle(&self, version: &str) -> Bundle {
        let mut document = self.document();
        let page = page::of(self, version);
        document.page_sha256 = hex(&Sha256::digest(&page));
        Bundle {
            headline: document.headline.clone(),
            json: serde_jcs::to_vec(&document).expect("texts and numbers have a canonical form"),
            page,
            ledger: self.bytes.clone(),
            verify: VERIFY,
            readme: README.replace("ROOM", &self.room),
        }
    }

    /// Everything but what the page is.
    pub(super) fn document(&self) -> Document {
        let (from_ms, to_ms) = self.span_ms();
        let totals = self.totals();
        let of = |unit| Account::ALL.map(|account| (account.word(), totals.get(unit, account))).into();
        let (turned_away, tickets) = self.turned_away_and_tickets();
        let (became, came, steps) = self.newcomers();
        let peaks = [("people", self.people()), ("listening", self.listening()), ("waiting", self.waiting())];
        Document {
            room: self.room.clone(),
            headline: sentences::headline(self),
            from: at(from_ms),
            to: at(to_ms),
            seconds: self.seconds.len() as u64,
            verdicts: KINDS.map(|kind| (kind.word(), self.of_kind(kind))).into(),
            own_fault_seconds: self.own_fault(),
            totals: Unit::ALL.map(|unit| (unit.word(), of(unit))).into(),
            attack_share: ShareSaid { requests_per_10000: self.share(), how: HOW },
            peaks: peaks.map(|(what, peak)| (what, PeakSaid::of(peak))).into(),
            before_peak: self.before_peak().map(|(at_ms, room)| SeatsSaid {
                at: at(at_ms),
                cap: room.cap,
                measured: room.measured,
            }),
            turned_away,
            tickets: Few(tickets),
            newcomers: NewcomersSaid { became_listeners: Few(became), known: Few(came), steps },
            events: self
                .events()
                .into_iter()
                .map(|event| EventSaid { at: at(event.at_ms), what: event.what })
                .collect(),
            acts: self.acts(),
            audit: self.keys().into_iter().map(AuditSaid::of).collect(),
            would_change: sentences::would_change(self),
            unknown: sentences::unknown(),
            ledger: LedgerSaid {
                first_seq: self.seconds.first().map_or(0, |second| second.seq),
                last_seq: self.last_seq,
                prev: self.prev.clone(),
                head: self.head.clone(),
                bytes: self.bytes.len() as u64,
                sha256: self.sha256(),
            },
            page_sha256: String::new(),
        }
    }

    /// Of the lines.
    pub(super) fn sha256(&self) -> String {
        hex(&Sha256::digest(&self.bytes))
    }
}

impl AuditSaid {
    fn of(said: KeySaid) -> Self {
        let text = |bytes: [u8; 32]| URL_SAFE_NO_PAD.encode(bytes);
        Self { sha256: text(said.hash), key: said.key.map(text), seconds: said.seconds }
    }
}

impl PeakSaid {
    fn of(peak: Peak) -> Self {
        Self { value: Few(peak.value), at: peak.at_ms.map(at) }
    }
}

fn at(ms: i64) -> String {
    WallTime(ms).rfc3339()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
