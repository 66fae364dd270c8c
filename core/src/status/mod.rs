//! The status: what everybody is told about a room, the same bytes for all, signed and chained so that nobody
//! is told otherwise.
//!
//! It is serialised by RFC 8785 (JCS). `sig` is Ed25519 (RFC 8032) over the document without `sig`; `prev` is
//! the SHA-256 of the bytes of the one before, as they were served; keys, signatures and hashes are base64url
//! without padding. Figures that need the door (tickets, line, draw, verdict) say so until it exists.

use bytes::Bytes;
use ed25519_dalek::{Signer, SigningKey};
use serde::Serialize;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::room::Facts;
use crate::time::WallTime;

#[cfg(test)]
mod tests;

/// What is not the room's own: the program and the audience, as they were counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Most seats this node gives to one room.
    pub node_cap: u32,
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
    /// Connections refused because every seat was taken.
    pub turned_away: u64,
    /// What has been sealed.
    pub program: Sealed,
    /// Where the replay is, once it can be fetched.
    pub replay: Option<ReplayLinks>,
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
}

/// One status as it is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Its number.
    pub seq: u64,
    /// JSON in its canonical form.
    pub bytes: Bytes,
}

/// A kept status that cannot be continued.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the last status that was kept is damaged; the chain of statuses cannot be continued from it")]
pub struct Damaged;

/// The end of a room's chain of statuses.
#[derive(Debug, Default)]
pub struct Chain {
    next: u64,
    prev: Option<String>,
    said: Option<Map<String, Value>>,
}

impl Chain {
    /// Goes on after `last`, a status as it was served.
    ///
    /// # Errors
    /// When `last` is no status.
    pub fn after(last: &[u8]) -> Result<Self, Damaged> {
        let document: Value = serde_json::from_slice(last).map_err(|_| Damaged)?;
        let seq = document.get("seq").and_then(Value::as_u64).ok_or(Damaged)?;
        Ok(Self { next: seq.checked_add(1).ok_or(Damaged)?, prev: Some(digest(last)), said: None })
    }

    /// The next status, or `None` when nothing has changed since the last but the time.
    pub fn next(
        &mut self,
        now: WallTime,
        facts: &Facts,
        figures: &Figures,
        key: &SigningKey,
    ) -> Option<Status> {
        let said = say(facts, figures);
        if self.said.as_ref() == Some(&said) {
            return None;
        }
        let mut document = said.clone();
        document.insert("now".into(), json!(now.rfc3339()));
        document.insert("seq".into(), json!(self.next));
        document.insert("prev".into(), json!(self.prev));
        document.insert("key".into(), json!(URL_SAFE_NO_PAD.encode(key.verifying_key())));
        let signature = key.sign(&canonical(&document));
        document.insert("sig".into(), json!(URL_SAFE_NO_PAD.encode(signature.to_bytes())));
        let bytes = canonical(&document);
        let status = Status { seq: self.next, bytes: bytes.into() };
        self.prev = Some(digest(&status.bytes));
        self.next += 1;
        self.said = Some(said);
        Some(status)
    }
}

/// Everything but the time, the chain and the signature.
fn say(facts: &Facts, figures: &Figures) -> Map<String, Value> {
    let at = |time: Option<WallTime>| time.map(WallTime::rfc3339);
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
        "tickets": 0,
        "now_serving": 0,
        "seats": seats(facts, figures),
        "waiting": 0,
        "turned_away": figures.turned_away,
        "listening": figures.listening,
        "peak": figures.peak,
        "replays": figures.replays,
        "claim_ratio": null,
        "rate": {"p20": null, "p50": null, "p80": null},
        "draw": null,
        "program": figures.program,
        "verdict": no_verdict(),
        "ladder": {"step": 0, "why": "Everybody is served the full bit rate."},
        "notices": notices,
        "replay": figures.replay,
    });
    match document {
        Value::Object(map) => map,
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => Map::new(),
    }
}

fn seats(facts: &Facts, figures: &Figures) -> Value {
    let (cap, why) = match facts.cap {
        Some(cap) if cap <= figures.node_cap => (cap, "Set by the host."),
        Some(_) | None => (figures.node_cap, "The limit configured for this node."),
    };
    json!({"cap": cap, "cap_why": why, "taken": figures.seats_taken, "hls_estimate": figures.seats_hls})
}

/// The whole range is open: nothing has been measured, so nothing is claimed.
fn no_verdict() -> Value {
    json!({
        "kind": "unknown",
        "self_inflicted": false,
        "confidence": 0,
        "attack_share": {"requests": [0, 1], "newcomers": [0, 1], "connection_seconds": [0, 1]},
        "since": null,
        "because": ["This version does not tell a crowd from an attack."],
    })
}

fn canonical(document: &Map<String, Value>) -> Vec<u8> {
    serde_jcs::to_vec(document).expect("a map of JSON values has a canonical form")
}

fn digest(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(bytes))
}
