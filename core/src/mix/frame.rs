//! What the mix gives the program: 20 ms of sound that says whether somebody spoke it.

use serde::{Deserialize, Serialize};

use crate::time::FRAME_SAMPLES;

/// One open input of the mix; given by the server, never reused while the room lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InletId(pub u32);

/// What a frame or a part is: said by someone, or a filler that must never pass for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It came from the open inputs while the room was live; a part is conversation when any frame of it is.
    Conversation,
    /// The hold sound: before the start, or while no input is alive.
    Hold,
}

/// 20 ms of the program: 960 mono samples at 48 kHz, true peak at most
/// [`FRAME_PEAK_DBTP_MAX`](super::FRAME_PEAK_DBTP_MAX).
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Whether it is conversation or the hold sound.
    pub kind: Kind,
    /// Full scale is ±1.0.
    pub samples: [f32; FRAME_SAMPLES],
}
