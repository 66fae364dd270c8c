//! A microphone turned up so far that its peaks are cut off.

use super::TICKS_PER_S;
use crate::time::FRAME_SAMPLES;

/// A sample this loud was probably cut off, as a share of full scale: coding rounds the corners.
pub const CUT_OFF: f32 = 0.97;

/// A frame with so many such samples is cut off.
const SAMPLES_MIN: usize = 4;
/// So many frames of the last seconds make it worth saying; after the other number without one it is over.
const FRAMES_MIN: u32 = 8;
const RECENT_TICKS: u32 = 4 * TICKS_PER_S;
const CLEAN_TICKS_MIN: u32 = 8 * TICKS_PER_S;

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// It is cut off.
    Clips,
    /// It is no more.
    Gone,
}

/// Looks at one speaker's peaks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Clipping {
    /// Falls by one in every [`RECENT_TICKS`] / [`FRAMES_MIN`] ticks.
    frames: u32,
    ticks: u32,
    clean_ticks: u32,
    clips: bool,
}

impl Clipping {
    /// A frame as it came from the speaker.
    pub fn hear(&mut self, frame: &[f32; FRAME_SAMPLES]) -> Option<Finding> {
        let cut_off = frame.iter().filter(|sample| sample.abs() >= CUT_OFF).count() >= SAMPLES_MIN;
        self.clean_ticks = if cut_off { 0 } else { self.clean_ticks.saturating_add(1) };
        self.frames += u32::from(cut_off);
        self.ticks += 1;
        if self.ticks >= RECENT_TICKS / FRAMES_MIN {
            (self.ticks, self.frames) = (0, self.frames.saturating_sub(1));
        }
        let (clips, finding) = match self.clips {
            false if self.frames >= FRAMES_MIN => (true, Finding::Clips),
            true if self.clean_ticks >= CLEAN_TICKS_MIN => (false, Finding::Gone),
            true | false => return None,
        };
        (self.clips, self.frames) = (clips, 0);
        Some(finding)
    }
}
