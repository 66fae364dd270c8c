//! How fast the line has moved while only those who left made it move: the time in which free seats were
//! being filled says nothing about how long others wait.

use std::collections::VecDeque;

use crate::time::Time;

/// Longest time that is remembered, in seconds.
const REMEMBERED_S: usize = 900;
/// Shortest time over which a rate is measured, in seconds.
const WINDOW_S_MIN: f64 = 90.0;
/// A rate needs at least so much time, in seconds.
const MEASURED_S_MIN: usize = 30;
/// A rate needs at least so many tickets that were called.
const MEASURED_TICKETS_MIN: u64 = 4;

/// What moves the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moving {
    /// Free seats, or nobody waits: as fast as it can.
    Freely,
    /// Nothing but people who leave.
    ByExits,
}

/// A rate, and what it was counted from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Counted {
    pub(super) per_s: f64,
    pub(super) tickets: f64,
}

/// Tickets called in each second in which the line moved by exits: four bytes a second, 15 minutes.
#[derive(Debug, Default)]
pub(super) struct Pace {
    called: VecDeque<u32>,
    last: Option<(Time, u64)>,
}

impl Pace {
    pub(super) fn tick(&mut self, now: Time, now_serving: u64, moving: Moving) {
        let before = self.last.replace((now, now_serving));
        let Some((at, served)) = before else { return };
        match moving {
            Moving::Freely => {}
            Moving::ByExits => {
                let seconds = now.since(at).as_secs_f64().round().clamp(1.0, 60.0) as u32;
                let called = u32::try_from(now_serving - served).unwrap_or(u32::MAX);
                self.called.extend((0..seconds).map(|_| called / seconds));
                if let Some(last) = self.called.back_mut() {
                    *last += called % seconds;
                }
                let surplus = self.called.len().saturating_sub(REMEMBERED_S);
                self.called.drain(..surplus);
            }
        }
    }

    /// For how long the line was watched, in seconds, at most as long as is remembered.
    pub(super) fn known_s(&self) -> f64 {
        self.called.len() as f64
    }

    /// The rate to look `horizon_s` ahead with: the farther, the longer it looks back.
    pub(super) fn rate(&self, horizon_s: f64) -> Option<Counted> {
        let mut window = horizon_s.clamp(WINDOW_S_MIN, REMEMBERED_S as f64) as usize;
        loop {
            let seconds = window.min(self.called.len());
            let tickets: u64 = self.called.iter().rev().take(seconds).map(|called| u64::from(*called)).sum();
            if seconds >= MEASURED_S_MIN && tickets >= MEASURED_TICKETS_MIN {
                let tickets = tickets as f64;
                return Some(Counted { per_s: tickets / seconds as f64, tickets });
            }
            if seconds < window || window >= REMEMBERED_S {
                return None;
            }
            window = (window * 2).min(REMEMBERED_S);
        }
    }
}
