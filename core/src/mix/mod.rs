//! 4. Sounds of one instant become one frame of the program.
//!
//! [`Mixer`] is the machine. A source's sound passes `inlet` (its bursts, by `pace` and `resample`,
//! become 20 ms of the program's clock), `level` (its loudness), `loudest` and `backup` (whether it is
//! heard), then the sum passes `limiter`. A speaker's packets pass `speaker` instead of `inlet`; what
//! they hear is made by `minus`.

mod backup;
mod clipping;
mod echo;
mod event;
mod frame;
mod hold;
mod inlet;
mod kernel;
mod level;
mod limiter;
mod loudest;
mod minus;
mod mixer;
mod noise;
mod pace;
mod quality;
mod resample;
mod speaker;
mod talk;
mod voice;

#[cfg(test)]
mod tests;

pub use event::{Counters, Event};
pub use frame::{Frame, InletId, Kind};
pub use hold::{HOLD_SOUND_S_MAX, HoldSound};
pub use limiter::{FRAME_PEAK_DBTP_MAX, LIMITER_DELAY_SAMPLES, TRUE_PEAK_DBTP_MAX};
pub use minus::MINUS_BITS_PER_S;
pub use mixer::{CLOSING_INLETS_MAX, InletLevel, Input, Mixer, OPEN_INLETS_MAX, OnAir, Output, Spec, Why};
pub use pace::BACKLOG_MS_MAX;
pub use quality::{Health, Quality};
pub use resample::{SOURCE_RATE_HZ_MAX, SOURCE_RATE_HZ_MIN};
pub use speaker::{Hears, Muted, SpeakerSpec};
pub use talk::Speaking;

/// Ticks of the mixer in a second.
const TICKS_PER_S: u32 = (1_000 / crate::time::FRAME_MS) as u32;

/// Whether an input's loudness is led towards the program's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Levelling {
    /// Towards −19 LUFS; the input competes for a place among the loudest.
    On,
    /// A finished mix: its loudness is its own, and it is always heard.
    Off,
}
