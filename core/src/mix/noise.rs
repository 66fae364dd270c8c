//! A speaker's background: how loud it is, and kept down while they do not speak.
//!
//! The expander sees a whole frame before it is heard, so it opens before the first sound of a word and
//! has no beginning to cut. It closes slowly, and never entirely: a room that goes dead between words is
//! worse than its noise.

use super::TICKS_PER_S;
use super::level::{from_db, ramp};
use crate::time::FRAME_SAMPLES;

/// How far the background is lowered, in decibels.
pub const BACKGROUND_DB: f64 = -12.0;
/// What is louder than this all the time is music or a machine somebody wants heard, in LUFS.
pub const BACKGROUND_LUFS_MAX: f64 = -42.0;

/// A frame so much above the background is not background, in LU.
const ABOVE_LU: f64 = 8.0;
/// Ticks that stay open after the last such frame.
const OPEN_TICKS: u32 = TICKS_PER_S * 2 / 5;
/// How fast it closes.
const CLOSE_DB_PER_TICK: f64 = -0.6;
/// How fast it opens: 2.5 ms.
const OPEN_SAMPLES: usize = 120;
/// The background is the least of so many pieces of half a second.
const PIECES: usize = 12;
const PIECE_TICKS: u32 = TICKS_PER_S / 2;
/// Nothing is known of the background before so many.
const PIECES_MIN: usize = 2;
/// Frames over which the least is taken; a single quiet one says little.
const MEAN_FRAMES: f64 = 4.0;

/// How loud a speaker's background is.
#[derive(Clone, Debug)]
pub(crate) struct Background {
    pieces: [f64; PIECES],
    known: usize,
    at: usize,
    ticks: u32,
    mean: f64,
}

impl Background {
    /// Nothing is known.
    pub const fn new() -> Self {
        Self { pieces: [0.0; PIECES], known: 0, at: 0, ticks: 0, mean: -120.0 }
    }

    /// A frame was as loud as this.
    pub fn hear(&mut self, lufs: f64) {
        self.mean += (lufs - self.mean) / MEAN_FRAMES;
        if self.ticks == 0 {
            self.pieces[self.at] = lufs.max(self.mean);
            self.known = (self.known + 1).min(PIECES);
        }
        self.pieces[self.at] = self.pieces[self.at].min(self.mean);
        self.ticks += 1;
        if self.ticks == PIECE_TICKS {
            self.ticks = 0;
            self.at = (self.at + 1) % PIECES;
        }
    }

    /// In LUFS; `None` in the first second.
    pub fn lufs(&self) -> Option<f64> {
        let known = &self.pieces[..self.known];
        (self.known > PIECES_MIN).then(|| known.iter().copied().fold(0.0, f64::min))
    }
}

/// Lowers a speaker's background.
#[derive(Clone, Debug)]
pub(crate) struct Expander {
    gain_db: f64,
    open_ticks: u32,
}

impl Expander {
    /// Open.
    pub const fn new() -> Self {
        Self { gain_db: 0.0, open_ticks: OPEN_TICKS }
    }

    /// Lowers `frame`, which is as loud as `lufs`, when it holds nothing but the background.
    pub fn apply(&mut self, lufs: f64, background: Option<f64>, frame: &mut [f32; FRAME_SAMPLES]) {
        let before = from_db(self.gain_db);
        match background {
            Some(background) if background < BACKGROUND_LUFS_MAX && lufs < background + ABOVE_LU => {
                self.open_ticks = self.open_ticks.saturating_sub(1);
                if self.open_ticks == 0 {
                    self.gain_db = (self.gain_db + CLOSE_DB_PER_TICK).max(BACKGROUND_DB);
                }
                ramp(frame, before, from_db(self.gain_db));
            }
            Some(_) | None => {
                (self.gain_db, self.open_ticks) = (0.0, OPEN_TICKS);
                ramp(&mut frame[..OPEN_SAMPLES], before, 1.0);
            }
        }
    }
}
