//! Somebody who wants in, in few bytes: there are a million of them.

use tribune_core::door::arrivals::Issued;
use tribune_core::door::eta::Range;

/// What somebody is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nature {
    /// Takes a ticket and is never seen again.
    Ghost,
    /// Asks when the protocol says so.
    Awake,
    /// Has a phone that sleeps: asks when it wakes.
    Sleeper,
}

/// What somebody does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// Has no ticket yet.
    Coming,
    /// Waits with a ticket.
    Waiting,
    /// Has a pass.
    Inside,
    /// Has gone, or given up.
    Gone,
}

/// A range that somebody was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// When, in milliseconds.
    pub at_ms: u64,
    /// What.
    pub range: Range,
}

impl Told {
    /// Whether it held for somebody who was seated now.
    pub fn held(&self, now_ms: u64) -> bool {
        let waited_ms = now_ms - self.at_ms;
        // The range is in whole seconds; somebody seated within the second that it ends with is inside.
        (self.range.low_s * 1_000..=self.range.high_s * 1_000 + 999).contains(&waited_ms)
    }
}

/// Somebody.
#[derive(Clone, Copy, Debug)]
pub struct Person {
    /// What they are like.
    pub nature: Nature,
    /// What they do.
    pub doing: Doing,
    /// Their ticket.
    pub ticket: Option<Issued>,
    /// The generation of their pass.
    pub generation: u32,
    /// How often they ask, from 0.8 to 1.2.
    pub jitter: f32,
    /// How far their clock is off, in milliseconds.
    pub skew_ms: i32,
    /// They give up at this time, in milliseconds.
    pub patient_until_ms: u64,
    /// They go at this time, in milliseconds, once they are inside.
    pub stays_until_ms: u64,
    /// The first range they were told.
    pub first_told: Option<Told>,
    /// One of the ranges they were told, each as likely.
    pub any_told: Option<Told>,
    /// How many they were told.
    pub tellings: u32,
    /// Whether they were seated before: what they wait for then no range spoke of.
    pub seated_once: bool,
}
