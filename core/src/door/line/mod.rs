//! The line: a number that everybody sees, below which tickets are called.
//!
//! Many who drew a ticket never come back. So as many are called as it takes for the free seats to fill, by
//! the measured share of called tickets that somebody comes with. Who comes late keeps the right to the next
//! free seat, before anybody new is called. The number never goes back. It never seats anybody itself: the
//! seats have their own cap, and what is wrong here costs time, not order.

mod cohort;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use cohort::{ClaimRatio, Cohorts};

use super::draw::Rank;
use crate::time::Time;

/// A called ticket counts as coming for this long, in seconds.
pub const CALL_WINDOW_S: u64 = 15;
/// Boarding begins this long before the start, in seconds.
pub const BOARDING_FROM_S: u64 = 55;
/// By this long before the start every seat has been called for, in seconds.
pub const BOARDING_TO_S: u64 = 5;
/// How often the number moves, in milliseconds.
pub const TICK_MS: u64 = 1_000;
/// Somebody who found no seat and has not asked again for this long has gone, in seconds.
pub const AT_DOOR_S_MAX: u64 = 20;
/// Most people at the door who are known one by one; who comes beyond that is let in all the same, but not
/// reckoned with.
pub const AT_DOOR_MAX: usize = 16_384;
/// After a restart the seats of those who were inside are kept for them this long, in seconds.
pub const RESUME_S: u64 = 20;

/// What happens to the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Time has passed; what is seen now.
    Tick(Seen),
    /// A called ticket took a seat.
    Claimed {
        /// Its rank.
        rank: Rank,
    },
    /// A called ticket came and found no free seat.
    Turned {
        /// Its rank.
        rank: Rank,
    },
    /// The start is at another time; `None` when there is no schedule, or it has begun.
    Start(Option<Time>),
}

/// What the line is told at each tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Tickets that have a rank; `None` before the draw.
    pub ranked: Option<u64>,
    /// Most seats.
    pub cap: u64,
    /// Seats taken, by whomever.
    pub taken: u64,
}

/// What the line says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Tickets with a rank below this are called.
    NowServing(u64),
}

/// The controller of one room.
#[derive(Debug)]
pub struct Line {
    claims_per_s_max: u32,
    now_serving: u64,
    cohorts: Cohorts,
    ratio: ClaimRatio,
    at_door: BTreeMap<Rank, Time>,
    start: Option<Time>,
    quiet_until: Time,
    ticked: Option<Time>,
    room_left: f64,
    outputs: VecDeque<Output>,
}

impl Line {
    /// A new line. `claims_per_s_max`: as many new connections a second as the node can take.
    pub fn new(claims_per_s_max: u32) -> Self {
        Self {
            claims_per_s_max: claims_per_s_max.max(1),
            now_serving: 0,
            cohorts: Cohorts::default(),
            ratio: ClaimRatio::default(),
            at_door: BTreeMap::new(),
            start: None,
            quiet_until: Time::ZERO,
            ticked: None,
            room_left: 0.0,
            outputs: VecDeque::new(),
        }
    }

    /// The line as it was last published. Nobody is called for `RESUME_S`, so that those who were inside find
    /// their seats.
    pub fn restored(now: Time, claims_per_s_max: u32, now_serving: u64) -> Self {
        let mut line = Self::new(claims_per_s_max);
        line.now_serving = now_serving;
        line.cohorts.skip_to(now_serving);
        line.quiet_until = now + Duration::from_secs(RESUME_S);
        line
    }

    /// One mutation; then drain `poll_output`.
    pub fn handle_input(&mut self, now: Time, input: Input) {
        match input {
            Input::Tick(seen) => self.tick(now, seen),
            Input::Claimed { rank } => {
                if self.at_door.remove(&rank).is_none() {
                    self.cohorts.came(rank);
                }
            }
            Input::Turned { rank } => self.turn(now, rank),
            Input::Start(at) => self.start = at,
        }
    }

    /// What to say; `None` when there is nothing more.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to come back with `Input::Tick`.
    pub fn poll_timeout(&self) -> Option<Time> {
        Some(self.ticked.map_or(Time::ZERO, |at| at + Duration::from_millis(TICK_MS)))
    }

    /// Tickets with a rank below this are called.
    pub fn now_serving(&self) -> u64 {
        self.now_serving
    }

    /// The share of called tickets that somebody comes with; `None` before any was measured.
    pub fn claim_ratio(&self) -> Option<f64> {
        self.ratio.measured()
    }

    /// The share that is reckoned with.
    pub fn claim_share(&self) -> f64 {
        self.ratio.share()
    }

    /// Called tickets that may still come within the window, and those who stand at the door.
    pub fn owed(&self) -> u64 {
        self.cohorts.outstanding() + self.at_door.len() as u64
    }

    /// People who are called and may be expected: on their way, by the share that comes, or at the door.
    pub fn expected(&self) -> f64 {
        self.cohorts.expected(self.ratio.share()) + self.at_door.len() as f64
    }

    /// Called people who found no seat and ask again.
    pub fn at_door(&self) -> u64 {
        self.at_door.len() as u64
    }

    /// Seats that were free at the last tick and for which nobody had been called: of all seats, boarding or
    /// not.
    pub fn room_left(&self) -> f64 {
        self.room_left
    }

    /// When the last seat is to be called for, while the room boards.
    pub fn boarded_at(&self) -> Option<Time> {
        self.start.map(|start| before(start, BOARDING_TO_S))
    }

    fn turn(&mut self, now: Time, rank: Rank) {
        if let Some(seen) = self.at_door.get_mut(&rank) {
            *seen = now;
        } else if self.at_door.len() < AT_DOOR_MAX {
            self.at_door.insert(rank, now);
            self.cohorts.came(rank);
        }
    }

    fn tick(&mut self, now: Time, seen: Seen) {
        let passed_s = self.ticked.map_or(1.0, |at| now.since(at).as_secs_f64()).clamp(0.0, 2.0);
        self.ticked = Some(now);
        self.at_door.retain(|_, at| now.since(*at) < Duration::from_secs(AT_DOOR_S_MAX));
        self.cohorts.settle(now, &mut self.ratio);
        let Some(ranked) = seen.ranked else { return };
        self.cohorts.call(now, self.now_serving.min(ranked));
        let expected = self.expected();
        let room = |seats: u64| (seats.saturating_sub(seen.taken) as f64 - expected).max(0.0);
        self.room_left = room(seen.cap);
        if now < self.quiet_until {
            return;
        }
        let room = room(self.seats_open(now, seen.cap)).min(f64::from(self.claims_per_s_max) * passed_s);
        let next = self.after_calling(room, ranked);
        if next > self.now_serving {
            self.now_serving = next;
            self.outputs.push_back(Output::NowServing(next));
        }
        self.cohorts.call(now, self.now_serving.min(ranked));
    }

    /// The number that fills so much room. When there are fewer tickets than that, it goes ahead of them by
    /// the seats that are left, so that who comes to an open house is called at once.
    fn after_calling(&self, room: f64, ranked: u64) -> u64 {
        let share = self.ratio.share();
        let waiting = ranked.saturating_sub(self.now_serving);
        let calls = (room / share).floor() as u64;
        if calls <= waiting {
            return self.now_serving + calls;
        }
        let left = (room - waiting as f64 * share).floor() as u64;
        self.now_serving.max(ranked + left)
    }

    /// Seats that may be filled by now: all, or while boarding as many as the time since it began makes up.
    fn seats_open(&self, now: Time, cap: u64) -> u64 {
        let Some(start) = self.start else { return cap };
        let passed = now.since(before(start, BOARDING_FROM_S)).as_secs_f64();
        let share = passed / (BOARDING_FROM_S - BOARDING_TO_S) as f64;
        (cap as f64 * share.min(1.0)).ceil() as u64
    }
}

fn before(start: Time, seconds: u64) -> Time {
    Time::from_nanos(start.nanos().saturating_sub(seconds * 1_000_000_000))
}
