//! Crowd or attack? Not by how many come, how sudden, or from where, but by what becomes of them.
//!
//! Who comes to hear a conversation hears it: asks for the page, then for the sound, at the pace at which
//! sound passes. A crowd is many who do. An attack is requests, newcomers or connections that no listener
//! explains. So everything is put to an account: explained by a listener, by somebody who is just coming,
//! by our own refusals; or by nothing. What cannot be told apart stays in the range that is published. A
//! machine that listens in real time is a listener here, and we say so.
//!
//! Volume, entropy of addresses and novelty separate nothing: `docs/guard.md` has them beside the rules, on
//! the same cases.

/// Different things, as far as they are told apart.
mod few;
/// The same rules over the access log of any web server.
pub mod inspect;
/// A running node's guard: the ledger, and a verdict every second.
pub mod live;
/// One line of an access log.
pub mod log;
/// What was found, drawn and written for people: one HTML file.
pub mod page;
/// The report of an evening: the ledger on the disk, and what follows from it.
pub mod report;
/// How sure a share is that was seen in some of many.
pub mod share;
/// How many are usual, and when more come than that.
pub mod surge;
/// How many listen behind one address.
mod together;
/// What one source asked for, and what explains it.
pub mod visit;

use serde::{Deserialize, Serialize};

pub use share::Range;

/// What is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// As usual.
    Calm,
    /// More people than usual, and they become listeners.
    Crowd,
    /// What no listener explains.
    Attack,
    /// Both at once.
    Both,
    /// It cannot be told.
    Unknown,
}

impl Kind {
    /// The word in documents and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Crowd => "crowd",
            Self::Attack => "attack",
            Self::Both => "both",
            Self::Unknown => "unknown",
        }
    }

    /// Whether somebody attacks.
    pub const fn is_attack(self) -> bool {
        matches!(self, Self::Attack | Self::Both)
    }
}

/// How much of each resource an attack takes, each with the range in which it lies (95 %).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AttackShare {
    /// Of the requests.
    pub requests: Range,
    /// Of those who came for the first time.
    pub newcomers: Range,
    /// Of the time that answers took; the whole range where nobody wrote it down.
    pub connection_seconds: Range,
}

/// A verdict, as `status` shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// What is going on.
    pub kind: Kind,
    /// Whether our own errors are at fault for what is asked again.
    pub self_inflicted: bool,
    /// How often a verdict of this kind, as clear as this, is right.
    pub confidence: f64,
    /// What an attack takes.
    pub attack_share: AttackShare,
    /// Since when, RFC 3339.
    pub since: String,
    /// Why, the heaviest first.
    pub because: Vec<String>,
}
