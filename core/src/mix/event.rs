//! What the mix reports besides sound: for logs, metrics and the stage page.

use super::InletId;
use super::talk::Speaking;
use crate::reason::Refusal;

/// Something a person may want to know. Each is counted in [`Counters`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// The inlet was not opened.
    Refused {
        /// Which.
        inlet: InletId,
        /// Why.
        refusal: Refusal,
    },
    /// Sound came at a rate outside 8 to 96 kHz and was not taken.
    RateOutside {
        /// Which.
        inlet: InletId,
        /// The rate it came at.
        rate_hz: u32,
    },
    /// The inlet's sound ran short; it goes on once the margin is there again.
    Underrun {
        /// Which.
        inlet: InletId,
    },
    /// Waiting sound was left out: after a stall more had piled up than can be caught up with.
    Skipped {
        /// Which.
        inlet: InletId,
        /// How much.
        ms: u64,
    },
    /// The inlet has given sound without anything in it for a while: a muted microphone, or a cable pulled.
    Silent {
        /// Which.
        inlet: InletId,
    },
    /// The inlet has given no sound for a second.
    Dead {
        /// Which.
        inlet: InletId,
    },
    /// The inlet gives sound again after it was dead or silent.
    Returned {
        /// Which.
        inlet: InletId,
    },
    /// A speaker began or ended to speak: told within 200 ms of the first sound, and at most twice a second.
    Speaking {
        /// Which.
        inlet: InletId,
        /// What changed.
        speaking: Speaking,
    },
    /// What is sent to a speaker comes back through their microphone.
    Echo {
        /// Which.
        inlet: InletId,
    },
    /// It does no more.
    EchoGone {
        /// Which.
        inlet: InletId,
    },
    /// A speaker's peaks are cut off: their microphone is turned up too far.
    Clipping {
        /// Which.
        inlet: InletId,
    },
    /// They are whole again.
    ClippingGone {
        /// Which.
        inlet: InletId,
    },
    /// A closed inlet has been played to its end and is gone.
    Over {
        /// Which.
        inlet: InletId,
    },
    /// A backup is heard instead of its primary.
    TookOver {
        /// The backup.
        inlet: InletId,
    },
    /// A backup waits again.
    GaveBack {
        /// The backup.
        inlet: InletId,
    },
    /// The clock was called so late that the time in between was given up.
    ClockLate {
        /// How much of the program is missing.
        ms: u64,
    },
}

/// Totals since the mixer was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames of conversation.
    pub frames_conversation: u64,
    /// Frames of the hold sound.
    pub frames_hold: u64,
    /// Times an inlet's sound ran short.
    pub underruns: u64,
    /// Times sound was left out.
    pub skips: u64,
    /// Sound left out, in milliseconds.
    pub skipped_ms: u64,
    /// Inlets refused.
    pub refused: u64,
    /// Times a backup took over.
    pub takeovers: u64,
    /// Runs of samples refused for their rate.
    pub rate_outside: u64,
    /// Times the clock was late beyond its limit.
    pub clock_late: u64,
}

impl Counters {
    pub(crate) fn count(&mut self, event: Event) {
        match event {
            Event::Refused { .. } => self.refused += 1,
            Event::RateOutside { .. } => self.rate_outside += 1,
            Event::Underrun { .. } => self.underruns += 1,
            Event::Skipped { ms, .. } => {
                self.skips += 1;
                self.skipped_ms += ms;
            }
            Event::TookOver { .. } => self.takeovers += 1,
            Event::ClockLate { .. } => self.clock_late += 1,
            Event::Silent { .. }
            | Event::Dead { .. }
            | Event::Returned { .. }
            | Event::Speaking { .. }
            | Event::Echo { .. }
            | Event::EchoGone { .. }
            | Event::Clipping { .. }
            | Event::ClippingGone { .. }
            | Event::Over { .. }
            | Event::GaveBack { .. } => {}
        }
    }
}
