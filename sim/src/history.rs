//! What happened in a simulated world, as plain data: the oracles judge this and nothing else.

use bytes::Bytes;
use tribune_core::mix::Kind;
use tribune_core::program::{Joint, PartNo};
use tribune_core::time::{Time, WallTime};

/// A frame the mix gave.
#[derive(Clone, Copy, Debug)]
pub struct FrameSeen {
    /// When.
    pub at: Time,
    /// What it says it is.
    pub kind: Kind,
    /// The largest absolute sample, full scale 1.0; infinite when a sample is not a number.
    pub peak: f32,
    /// Whether any source had sent sound in the last seconds, more than an inlet may keep waiting.
    pub fed: bool,
}

/// A part that was cut.
#[derive(Clone, Debug)]
pub struct PartSeen {
    /// When it was cut.
    pub at: Time,
    /// Its number.
    pub no: PartNo,
    /// What it says it is.
    pub kind: Kind,
    /// How it joins the one before.
    pub joint: Joint,
    /// What the wall clock said at its first sample.
    pub began_at: WallTime,
    /// Its best Opus page.
    pub page: Bytes,
    /// How many of its frames were conversation.
    pub conversation_frames: usize,
}

/// A process from its start to its end.
#[derive(Clone, Debug)]
pub struct Life {
    /// When its first frame was due.
    pub began: Time,
    /// When it was killed, or the room ended.
    pub ended: Time,
    /// Every frame.
    pub frames: Vec<FrameSeen>,
    /// Every part.
    pub parts: Vec<PartSeen>,
}

/// What a listener got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It came, or came back after the process was killed.
    Joined,
    /// A part: its number, and its bytes.
    Part(PartNo, Bytes),
    /// So many parts were left out, and it was told.
    Skipped(u64),
    /// The room is over.
    Ended,
}

/// A link of the recording as it was read back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// A part.
    Part(PartNo, Kind),
    /// So many part numbers are missing, and the chain says so.
    Gap(u64),
}

/// Everything that happened.
#[derive(Clone, Debug)]
pub struct History {
    /// How late the program's clock may have woken, in milliseconds.
    pub wake_ms_max: u64,
    /// When the host opened the conversation.
    pub live_from: Option<Time>,
    /// From here on everything was well.
    pub healed_from: Time,
    /// Whether a source was open and well to the end.
    pub fed_at_end: bool,
    /// One process after another.
    pub lives: Vec<Life>,
    /// One list for each listener.
    pub ears: Vec<Vec<Heard>>,
    /// The recording after the end, read back from its log.
    pub kept: Vec<Kept>,
    /// What reading the recording back complained about.
    pub complaints: Vec<String>,
}

impl History {
    /// Every part of every life, in order.
    pub fn parts(&self) -> impl Iterator<Item = &PartSeen> {
        self.lives.iter().flat_map(|life| &life.parts)
    }
}
