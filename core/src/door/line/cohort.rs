//! Who was called together, and what share of them came: tickets called in the last seconds one group for
//! each tick, those before only as a share.

use std::collections::VecDeque;
use std::time::Duration;

use super::CALL_WINDOW_S;
use crate::door::draw::Rank;
use crate::time::Time;

/// The least share that is reckoned with: at most fifty are called for a seat.
const SHARE_MIN: f64 = 0.02;
/// How many called tickets the share remembers; older ones fade.
const MEMORY_TICKETS: f64 = 600.0;
/// Before anything is measured everybody is expected; that counts for so many tickets.
const PRIOR_TICKETS: f64 = 2.0;
/// So many tickets must have been called and waited for before the share is shown to anybody.
const SHOWN_TICKETS_MIN: f64 = 8.0;

/// Tickets called at one moment: the ranks from `first` to the next cohort's.
#[derive(Clone, Copy, Debug)]
struct Cohort {
    at: Time,
    first: u64,
    end: u64,
    came: u64,
}

impl Cohort {
    fn size(&self) -> u64 {
        self.end - self.first
    }
}

/// The cohorts of the call window, oldest first.
#[derive(Debug, Default)]
pub(super) struct Cohorts {
    window: VecDeque<Cohort>,
    called: u64,
}

impl Cohorts {
    /// What was called before is nobody's cohort.
    pub(super) fn skip_to(&mut self, called: u64) {
        self.called = called;
    }

    /// All tickets with a rank below `called` are called from now.
    pub(super) fn call(&mut self, now: Time, called: u64) {
        if called > self.called {
            self.window.push_back(Cohort { at: now, first: self.called, end: called, came: 0 });
            self.called = called;
        }
    }

    /// Somebody came with a ticket of this rank, seated or not.
    pub(super) fn came(&mut self, rank: Rank) {
        let place = self.window.partition_point(|cohort| cohort.end <= rank.0);
        if let Some(cohort) = self.window.get_mut(place).filter(|cohort| cohort.first <= rank.0) {
            cohort.came = (cohort.came + 1).min(cohort.size());
        }
    }

    /// The cohorts whose time is over teach the share.
    pub(super) fn settle(&mut self, now: Time, ratio: &mut ClaimRatio) {
        let window = Duration::from_secs(CALL_WINDOW_S);
        while let Some(cohort) = self.window.pop_front_if(|cohort| now.since(cohort.at) >= window) {
            ratio.learn(cohort.size() as f64, cohort.came as f64);
        }
    }

    /// People who are still to come of those called, at this share.
    pub(super) fn expected(&self, share: f64) -> f64 {
        self.window.iter().map(|cohort| (cohort.size() as f64 * share - cohort.came as f64).max(0.0)).sum()
    }

    /// Called tickets of the window with which nobody came yet.
    pub(super) fn outstanding(&self) -> u64 {
        self.window.iter().map(|cohort| cohort.size() - cohort.came).sum()
    }
}

/// The share of called tickets with which somebody comes in time.
#[derive(Clone, Copy, Debug)]
pub(super) struct ClaimRatio {
    called: f64,
    came: f64,
    ever: f64,
}

impl Default for ClaimRatio {
    fn default() -> Self {
        Self { called: PRIOR_TICKETS, came: PRIOR_TICKETS, ever: 0.0 }
    }
}

impl ClaimRatio {
    fn learn(&mut self, called: f64, came: f64) {
        let fades = (-called / MEMORY_TICKETS).exp();
        self.called = self.called * fades + called;
        self.came = self.came * fades + came;
        self.ever += called;
    }

    pub(super) fn share(&self) -> f64 {
        (self.came / self.called).clamp(SHARE_MIN, 1.0)
    }

    pub(super) fn measured(&self) -> Option<f64> {
        (self.ever >= SHOWN_TICKETS_MIN).then(|| self.came / self.called)
    }
}
