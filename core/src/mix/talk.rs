//! Who is speaking: known at the third frame of a word, and not taken back between two words.

use super::TICKS_PER_S;
use super::loudest::SPEAKING_LUFS;

/// A speaker who is heard no more for so long has ended.
pub const ENDED_TICKS_MIN: u32 = TICKS_PER_S / 2;

/// Speech stands out from the background by at least this, in LU.
const ABOVE_LU: f64 = 12.0;
/// So many of the last [`RECENT_FRAMES`] must be speech: a knock on the table is in one or two.
const FRAMES_MIN: u32 = 3;
const RECENT_FRAMES: u32 = 4;

/// Whether somebody speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaking {
    /// They have begun.
    Began,
    /// They have ended.
    Ended,
}

/// Listens to one speaker.
#[derive(Clone, Debug)]
pub(crate) struct Talk {
    recent: u32,
    quiet_ticks: u32,
    speaking: Speaking,
}

impl Talk {
    /// Nobody speaks.
    pub const fn new() -> Self {
        Self { recent: 0, quiet_ticks: 0, speaking: Speaking::Ended }
    }

    /// Whether they are speaking, pauses between words included.
    pub fn speaks(&self) -> bool {
        self.speaking == Speaking::Began
    }

    /// A frame was as loud as `lufs`, and after levelling as `levelled_lufs`; says what that changes.
    pub fn hear(&mut self, lufs: f64, levelled_lufs: f64, background: Option<f64>) -> Option<Speaking> {
        let stands_out = background.is_none_or(|background| lufs >= background + ABOVE_LU);
        let speech = u32::from(stands_out && levelled_lufs >= SPEAKING_LUFS);
        self.recent = (self.recent << 1 | speech) & ((1 << RECENT_FRAMES) - 1);
        self.quiet_ticks = if speech == 1 { 0 } else { self.quiet_ticks.saturating_add(1) };
        let speaking = match self.speaking {
            Speaking::Ended if self.recent.count_ones() >= FRAMES_MIN => Speaking::Began,
            Speaking::Began if self.quiet_ticks >= ENDED_TICKS_MIN => Speaking::Ended,
            Speaking::Began | Speaking::Ended => return None,
        };
        self.speaking = speaking;
        Some(speaking)
    }
}
