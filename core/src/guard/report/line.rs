//! One line of the ledger: a second of a node, as canonical JSON.
//!
//! There are only sums in it, and whom something was done to as a pseudonym. Nobody's address is.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::guard::live::{Account, Audit, Onset, Said, Sums, Unit};
use crate::guard::{Kind, Range, Verdict};
use crate::hmac::Hmac;
use crate::time::WallTime;

/// Bytes of a line, at most: as many rooms as a node has at once.
pub const LINE_BYTES_MAX: usize = 1 << 20;
/// Nothing that is counted in a second is more than this; sums over an evening then stay whole.
const COUNT_MAX: u64 = 1 << 40;
/// Numbers beyond this are not exact in every reader of JSON.
pub(super) const SEQ_MAX: u64 = 1 << 53;
/// Shares are told to four digits.
const SHARE_PARTS: f64 = 10_000.0;
/// Fewer people than this are not told apart.
pub(super) const FEW: u64 = 10;

/// Why something is no line of a ledger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// It is longer than a line can be.
    #[error("a line of the ledger is longer than {} bytes", LINE_BYTES_MAX)]
    TooLong,
    /// It is something else.
    #[error("there is a line in the ledger that is none: {0}")]
    NotALine(String),
    /// What it counts cannot be.
    #[error("line {seq} of the ledger counts what cannot be: {what}")]
    Impossible {
        /// Its number.
        seq: u64,
        /// What.
        what: &'static str,
    },
    /// It does not follow the one before it.
    #[error("line {seq} of the ledger does not follow the one before it: something was changed or taken out")]
    Chain {
        /// Its number.
        seq: u64,
    },
    /// There is nothing of this room.
    #[error("there is no second in the ledger in which this room was open")]
    NoRoom,
}

/// A room in a second, as its status said it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoomSaid {
    /// Connections that took bytes of the program.
    pub listening: u64,
    /// People who hold a ticket and no seat.
    pub waiting: u64,
    /// Refused for want of a seat, since the room was made.
    pub turned_away: u64,
    /// Tickets issued.
    pub tickets: u64,
    /// Seats there were.
    pub cap: u64,
    /// Seats the node was measured to carry.
    pub measured: Option<u64>,
    /// Seats that were taken.
    pub taken: u64,
}

/// Something that was done by itself in this second.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Done {
    /// Its number since the node began.
    pub number: u64,
    /// To whom: a pseudonym.
    pub source: String,
}

/// What is written down of a verdict: its reasons follow from the sums.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Judged {
    pub kind: Kind,
    pub self_inflicted: bool,
    pub confidence: f64,
    pub attack_share: Shares,
}

/// From, to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shares {
    pub requests: [f64; 2],
    pub newcomers: [f64; 2],
    pub connection_seconds: [f64; 2],
}

/// A second of the node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    pub(super) seq: u64,
    pub(super) at: String,
    pub(super) prev: Option<String>,
    pub(super) sums: BTreeMap<String, BTreeMap<String, u64>>,
    /// SHA-256 of the audit's key that was in force, in base64url. Lines of earlier versions have none.
    pub(super) audit: Option<String>,
    /// That key itself, in the last line in which it was.
    pub(super) revealed: Option<String>,
    /// Nine stands for one to nine, here and in what is usual.
    pub(super) people: u64,
    pub(super) usual: Option<u64>,
    /// Nothing where fewer than ten came.
    pub(super) newcomers: [u64; 2],
    pub(super) verdict: Judged,
    pub(super) onset_ms: Onset,
    pub(super) acts: Vec<Done>,
    pub(super) rooms: BTreeMap<String, RoomSaid>,
}

/// The audit's key, in a second.
#[derive(Clone, Copy, Debug)]
pub enum AuditKey<'a> {
    /// It is in force: its hash is told.
    InForce(&'a Audit),
    /// Its term ends with the second: it is told itself.
    Over(&'a Audit),
}

/// A second that is to be written down.
#[derive(Clone, Debug)]
pub struct Happening<'a> {
    /// When it was over, on the wall and in milliseconds of the node's clock.
    pub at: (WallTime, u64),
    /// What the guard said.
    pub said: &'a Said,
    /// Who was always answered.
    pub audit: AuditKey<'a>,
    /// What was done in it.
    pub acts: Vec<Done>,
    /// The rooms that were open.
    pub rooms: BTreeMap<String, RoomSaid>,
}

impl Happening<'_> {
    /// Whether there is anything to write down. Of a node where nobody is, nothing is.
    pub fn is_anything(&self) -> bool {
        let kind = self.said.verdict.kind;
        Unit::ALL.into_iter().any(|unit| self.said.sums.total(unit) > 0)
            || !self.rooms.is_empty()
            || matches!(self.audit, AuditKey::Over(_))
            || !matches!(kind, Kind::Calm | Kind::Unknown)
    }

    /// The line, which has no place in the chain yet. What began is told in milliseconds before its end: the
    /// node's clock means nothing to who reads it.
    pub fn line(self) -> Line {
        let Self { at: (wall, now_ms), said, audit, acts, rooms } = self;
        let before = |at_ms: Option<u64>| at_ms.map(|at_ms| now_ms.saturating_sub(at_ms));
        let Onset { surge_ms, error_ms, violation_ms, unexplained_ms } = said.onset;
        Line {
            seq: 0,
            at: wall.rfc3339(),
            prev: None,
            sums: written(&said.sums),
            audit: Some(audit.commitment()),
            revealed: audit.revealed(),
            people: coarse(said.people),
            usual: said.usual.map(coarse),
            newcomers: if said.newcomers.1 < FEW { [0; 2] } else { said.newcomers.into() },
            verdict: Judged::of(&said.verdict),
            onset_ms: Onset {
                surge_ms: before(surge_ms),
                error_ms: before(error_ms),
                violation_ms: before(violation_ms),
                unexplained_ms: before(unexplained_ms),
            },
            acts,
            rooms,
        }
    }
}

impl AuditKey<'_> {
    fn commitment(self) -> String {
        let (Self::InForce(audit) | Self::Over(audit)) = self;
        URL_SAFE_NO_PAD.encode(audit.commitment())
    }

    fn revealed(self) -> Option<String> {
        match self {
            Self::InForce(_) => None,
            Self::Over(audit) => Some(URL_SAFE_NO_PAD.encode(audit.key())),
        }
    }
}

impl Judged {
    fn of(verdict: &Verdict) -> Self {
        let share = verdict.attack_share;
        let both = |range: Range| [rounded(range.low), rounded(range.high)];
        Self {
            kind: verdict.kind,
            self_inflicted: verdict.self_inflicted,
            confidence: rounded(verdict.confidence),
            attack_share: Shares {
                requests: both(share.requests),
                newcomers: both(share.newcomers),
                connection_seconds: both(share.connection_seconds),
            },
        }
    }
}

impl Line {
    /// Reads a line.
    ///
    /// # Errors
    /// It is none, or counts what cannot be.
    pub fn read(bytes: &[u8]) -> Result<Self, Broken> {
        if bytes.len() > LINE_BYTES_MAX {
            return Err(Broken::TooLong);
        }
        let line: Self =
            serde_json::from_slice(bytes).map_err(|error| Broken::NotALine(error.to_string()))?;
        match line.impossible() {
            Some(what) => Err(Broken::Impossible { seq: line.seq, what }),
            None => Ok(line),
        }
    }

    /// Whether this audit was in force when the node wrote the line, and still is.
    pub fn goes_on_with(&self, audit: &Audit) -> bool {
        self.revealed.is_none() && self.audit == Some(AuditKey::InForce(audit).commitment())
    }

    /// The rooms that were open.
    pub fn open_rooms(&self) -> BTreeSet<String> {
        self.rooms.keys().cloned().collect()
    }

    /// SHA-256 of the audit's key, and the key where it is told.
    pub(super) fn audit(&self) -> Option<([u8; 32], Option<[u8; 32]>)> {
        let revealed = self.revealed.as_deref().and_then(bytes_of);
        self.audit.as_deref().and_then(bytes_of).map(|hash| (hash, revealed))
    }

    fn is_audit(&self) -> bool {
        let Some(hash) = &self.audit else { return self.revealed.is_none() };
        let follows = |key: &String| {
            bytes_of(key).is_some_and(|key| AuditKey::Over(&Audit::new(key)).commitment() == *hash)
        };
        bytes_of(hash).is_some() && self.revealed.as_ref().is_none_or(follows)
    }

    /// When it was over.
    pub(super) fn at_ms(&self) -> i64 {
        WallTime::parse(&self.at).map_or(0, |at| at.0)
    }

    /// The sums as they were.
    pub(super) fn sums(&self) -> Sums {
        let mut sums = Sums::default();
        for unit in Unit::ALL {
            let of = self.sums.get(unit.word());
            for account in Account::ALL {
                let count = of.and_then(|of| of.get(account.word()));
                sums.add(unit, account, count.copied().unwrap_or(0));
            }
        }
        sums
    }

    fn impossible(&self) -> Option<&'static str> {
        let units = || Unit::ALL.map(Unit::word);
        let accounts = || Account::ALL.map(Account::word);
        let known = |(unit, of): (&String, &BTreeMap<String, u64>)| {
            units().contains(&unit.as_str()) && of.keys().all(|name| accounts().contains(&name.as_str()))
        };
        let share = &self.verdict.attack_share;
        let shares = [share.requests, share.newcomers, share.connection_seconds];
        let of_rooms = self.rooms.values().flat_map(|room| {
            let RoomSaid { listening, waiting, turned_away, tickets, cap, measured, taken } = *room;
            [listening, waiting, turned_away, tickets, cap, measured.unwrap_or(0), taken]
        });
        let own = [self.people, self.usual.unwrap_or(0), self.newcomers[0], self.newcomers[1]];
        let Onset { surge_ms, error_ms, violation_ms, unexplained_ms } = self.onset_ms;
        let onset = [surge_ms, error_ms, violation_ms, unexplained_ms].into_iter().flatten();
        let acts = self.acts.iter().map(|act| act.number);
        let sums = self.sums.values().flat_map(|of| of.values().copied());
        let mut counts = sums.chain(of_rooms).chain(own).chain(onset).chain(acts);
        // The years that a clock can show with four digits.
        let is_time = WallTime::parse(&self.at).is_some_and(|at| at.rfc3339() == self.at);
        if !is_time {
            Some("its time")
        } else if self.seq > SEQ_MAX {
            Some("its number")
        } else if !self.sums.iter().all(known) {
            Some("an account that is not known")
        } else if counts.any(|count| count > COUNT_MAX) {
            Some("more than a second can hold")
        } else if shares.iter().any(|[low, high]| !(0.0 <= *low && low <= high && *high <= 1.0))
            || !(0.0..=1.0).contains(&self.verdict.confidence)
        {
            Some("a share that is none")
        } else if !self.is_audit() {
            Some("a key of the audit that is not the one it was told to be")
        } else {
            None
        }
    }
}

/// The address of whom something was done to, as nobody without the key can tell it. The key is made when
/// the node starts and is never written down.
pub fn pseudonym(key: &Hmac, source: IpAddr) -> String {
    let code: [u8; 8] = key.first(source.to_string().as_bytes());
    code.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One to nine people are all nine: who reads the ledger need not know of so few how many there were.
pub(super) const fn coarse(people: u64) -> u64 {
    if people > 0 && people < FEW { FEW - 1 } else { people }
}

fn bytes_of(text: &str) -> Option<[u8; 32]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// Only what is not nothing.
fn written(sums: &Sums) -> BTreeMap<String, BTreeMap<String, u64>> {
    let mut units = BTreeMap::new();
    for unit in Unit::ALL {
        let counts = Account::ALL.into_iter().map(|account| (account.word(), sums.get(unit, account)));
        let there: BTreeMap<_, _> =
            counts.filter(|(_, count)| *count > 0).map(|(word, count)| (word.to_owned(), count)).collect();
        if !there.is_empty() {
            units.insert(unit.word().to_owned(), there);
        }
    }
    units
}

fn rounded(share: f64) -> f64 {
    if share.is_finite() { (share * SHARE_PARTS).round() / SHARE_PARTS } else { 0.0 }
}

/// A share of four digits in whole parts of ten thousand.
pub(super) fn parts(share: f64) -> u64 {
    (share * SHARE_PARTS + 0.5).floor() as u64
}
