//! Who comes when, and what they are like: drawn from a scenario and a seed, one after another.

use std::num::NonZeroU32;

use super::scenario::{Crowd, Scenario};
use crate::dice::Dice;

/// How long a phone sleeps, on average, in seconds.
pub(super) const SLEEP_S: f64 = 300.0;

/// What somebody does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    /// Has no ticket yet.
    Coming,
    /// Waits with a ticket.
    Waiting,
    /// Has a seat, and no sound yet.
    Seated,
    /// Hears.
    Hearing,
    /// Has lost the connection, and comes again.
    Cut,
    /// Has gone.
    Gone,
}

/// Somebody, in few bytes: there are millions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Person {
    /// When they came, in milliseconds from when the door opened.
    pub came_ms: u32,
    /// When they asked for the program, or lost it.
    pub since_ms: u32,
    /// When what they asked for is there.
    pub sound_ms: u32,
    /// They wait until then; 0 for who has gone with their ticket.
    pub patient_until_ms: u32,
    /// They stay for so long once they have heard something; to the end when it is the most there is.
    pub stay_ms: u32,
    /// They leave at this time; not known before they have heard something.
    pub leaves_ms: Option<NonZeroU32>,
    /// Their ticket's number, its second and its rank; the largest number there is where there is none.
    pub serial: u32,
    pub rank: u32,
    pub second: u32,
    /// Their pass's generation.
    pub generation: u32,
    /// They look at their place for the first time after the draw at this time.
    pub looks_ms: u32,
    /// The node that has a place for them, and by which of their connections.
    pub node: Option<u16>,
    pub connection: u8,
    pub doing: Doing,
    pub is_sleeper: bool,
    /// Whether they have ever had a seat.
    pub was_in: bool,
}

impl Person {
    /// Whether they had gone with their ticket when they had it.
    pub const fn is_ghost(&self) -> bool {
        self.patient_until_ms == 0
    }

    /// Whether they have left by now, or would have.
    pub fn is_to_leave(&self, now_ms: u32) -> bool {
        self.leaves_ms.is_some_and(|at_ms| at_ms.get() <= now_ms)
    }
}

/// Makes people, in the order in which they come.
#[derive(Debug)]
pub(super) struct Arrivals<'a> {
    crowd: &'a Crowd,
    start_s: f64,
    dice: Dice,
    next: u32,
    next_ms: u32,
    /// The stretch of the curve that is under way.
    stretch: usize,
}

impl<'a> Arrivals<'a> {
    pub fn new(scenario: &'a Scenario, dice: Dice) -> Self {
        let start_s = f64::from(scenario.evening.door_opens_before_s);
        let mut arrivals = Self { crowd: &scenario.crowd, start_s, dice, next: 0, next_ms: 0, stretch: 0 };
        arrivals.next_ms = arrivals.at_ms();
        arrivals
    }

    /// Whoever comes before `until_ms`, if somebody does.
    pub fn before(&mut self, until_ms: u32) -> Option<Person> {
        if self.next >= self.crowd.people || self.next_ms >= until_ms {
            return None;
        }
        let person = self.person(self.next_ms);
        self.next += 1;
        if self.next < self.crowd.people {
            self.next_ms = self.at_ms();
        }
        Some(person)
    }

    /// When the next one comes: each has a share of all, and comes at some moment of it.
    fn at_ms(&mut self) -> u32 {
        let percent = (f64::from(self.next) + self.dice.even()) / f64::from(self.crowd.people) * 100.0;
        let curve = &self.crowd.arrivals;
        while self.stretch + 2 < curve.len() && curve[self.stretch + 1][1] < percent {
            self.stretch += 1;
        }
        let ([from_s, from], [to_s, to]) = (curve[self.stretch], curve[self.stretch + 1]);
        let passed = if to > from { ((percent - from) / (to - from)).clamp(0.0, 1.0) } else { 1.0 };
        ((self.start_s + from_s + (to_s - from_s) * passed) * 1_000.0) as u32
    }

    fn person(&mut self, came_ms: u32) -> Person {
        let Crowd { ghosts_percent, sleepers_percent, to_the_end_percent, patience_s, stay_s, .. } =
            *self.crowd;
        let dice = &mut self.dice;
        let is_ghost = dice.chance(ghosts_percent.into());
        let is_sleeper = dice.chance(sleepers_percent.into());
        let waits_ms = dice.exponential_ms(patience_s.into()) as u32;
        let stays = dice.chance(to_the_end_percent.into());
        let stay_ms = dice.exponential_ms(stay_s.into()) as u32;
        let waits_from_ms = came_ms.max((self.start_s * 1_000.0) as u32);
        Person {
            came_ms,
            since_ms: came_ms,
            // A ghost has gone with its ticket.
            patient_until_ms: if is_ghost { 0 } else { waits_from_ms.saturating_add(waits_ms) },
            sound_ms: 0,
            stay_ms: if stays { u32::MAX } else { stay_ms },
            leaves_ms: None,
            serial: u32::MAX,
            rank: u32::MAX,
            second: 0,
            generation: 0,
            looks_ms: 0,
            node: None,
            connection: 0,
            doing: Doing::Coming,
            is_sleeper,
            was_in: false,
        }
    }
}
