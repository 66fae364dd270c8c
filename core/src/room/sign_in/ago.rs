//! How long ago something was, by a clock that nobody sets.

use std::time::Duration;

use crate::time::Time;

/// Something lay `before` before `at`; it may have been before the process began. The wall clock is asked
/// once, when the node starts, so that its jumps sign nobody out in the middle of an evening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ago {
    before: Duration,
    at: Time,
}

impl Ago {
    /// This very moment.
    pub const fn now(now: Time) -> Self {
        Self::long(now, Duration::ZERO)
    }

    /// `before` ago.
    pub const fn long(now: Time, before: Duration) -> Self {
        Self { before, at: now }
    }

    /// How long ago it is by now.
    pub const fn since(self, now: Time) -> Duration {
        self.before.saturating_add(now.since(self.at))
    }
}
