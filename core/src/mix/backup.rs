//! A backup source is silent while the source it stands in for is alive, takes over when that dies, and gives back once it has
//! been steady again.

use super::TICKS_PER_S;

/// A source that has given no sound for so long is dead.
pub const DEAD_TICKS_MIN: u32 = TICKS_PER_S;
/// A source that came back must play so long without a break before it is trusted again.
pub const STEADY_TICKS_MIN: u32 = 3 * TICKS_PER_S;

/// How a source is doing, from the ticks in which it gave sound.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pulse {
    silent_ticks: u32,
    steady_ticks: u32,
    sounded: bool,
}

impl Pulse {
    /// A source that has just opened: it has as long to give its first sound as it may later pause.
    pub const fn new() -> Self {
        Self { silent_ticks: 0, steady_ticks: 0, sounded: false }
    }

    /// A tick in which the source gave sound from beginning to end.
    pub fn beat(&mut self) {
        self.silent_ticks = 0;
        self.steady_ticks = self.steady_ticks.saturating_add(1);
        self.sounded = true;
    }

    /// A tick in which it did not.
    pub fn miss(&mut self) {
        self.silent_ticks = self.silent_ticks.saturating_add(1);
        self.steady_ticks = 0;
    }

    /// It gave sound lately, or has only just opened.
    pub fn is_alive(self) -> bool {
        self.silent_ticks < DEAD_TICKS_MIN
    }

    /// It gives sound, and has for a while.
    pub fn is_steady(self) -> bool {
        self.steady_ticks >= STEADY_TICKS_MIN
    }

    /// It has given sound lately.
    pub fn is_sounding(self) -> bool {
        self.sounded && self.is_alive()
    }
}

/// Whether a backup is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Duty {
    /// It waits.
    Standby,
    /// It is heard instead of its primary.
    OnDuty,
}

/// The sources a backup stands in for, all of one name, taken together.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Primary {
    /// One of them is alive.
    pub alive: bool,
    /// One of them is steady.
    pub steady: bool,
}

impl Primary {
    /// Takes one more source of the name into account.
    #[must_use]
    pub fn with(self, pulse: Pulse) -> Self {
        Self { alive: self.alive || pulse.is_alive(), steady: self.steady || pulse.is_steady() }
    }
}

impl Duty {
    /// What a backup does next. `free` says that no other backup is on duty for the same primary.
    #[must_use]
    pub fn next(self, primary: Primary, own: Pulse, free: Free) -> Self {
        match (self, free) {
            (Self::Standby, Free::Yes) if !primary.alive && own.is_sounding() => Self::OnDuty,
            (Self::OnDuty, Free::Yes | Free::No) if primary.steady || !own.is_alive() => Self::Standby,
            (Self::Standby | Self::OnDuty, Free::Yes | Free::No) => self,
        }
    }
}

/// Whether the duty is free to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Free {
    /// No other backup has it.
    Yes,
    /// Another has it.
    No,
}
