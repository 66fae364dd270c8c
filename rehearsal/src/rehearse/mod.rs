//! A rehearsal on the wire: people come as they are due, whatever became of those before; each draws a
//! ticket, waits as they are told, claims, and hears the program until they leave. It is measured from
//! their side, from the moment each was due.
//!
//! For now it goes to a node of this machine only, without TLS, and everybody hears `live.opus`.

mod crowd;
mod person;

pub use crowd::rehearse;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

/// What is rehearsed.
#[derive(Clone, Debug)]
pub struct Rehearsal {
    /// Where.
    pub node: SocketAddr,
    /// The room's name.
    pub room: String,
    /// People who come.
    pub people: u32,
    /// They come within this, evenly; all at once when it is zero.
    pub over: Duration,
    /// Each hears for so long.
    pub stay: Duration,
    /// It ends after this in any case.
    pub lasting: Duration,
}

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Since it began.
    pub passed: Duration,
    /// People who came, who were let in, and who hear now.
    pub came: u32,
    /// Were let in.
    pub let_in: u32,
    /// Hear now.
    pub hearing: u32,
}

/// What people met with.
#[derive(Clone, Debug, Default)]
pub struct Felt {
    /// Whether it was rehearsed to its end.
    pub is_whole: bool,
    /// People who came.
    pub came: u32,
    /// Were let in.
    pub let_in: u32,
    /// Heard something.
    pub heard: u32,
    /// Most who heard at once.
    pub hearing_max: u32,
    /// Had heard nothing when it ended, and were still waiting; the times below are those of the others.
    pub still_waiting: u32,
    /// From when each was due to their pass, in milliseconds, rising.
    pub waited_ms: Vec<u32>,
    /// From when each first asked for the program to the first sound, in milliseconds, rising.
    pub first_sound_ms: Vec<u32>,
    /// From when each was due to the first sound, in milliseconds, rising.
    pub to_sound_ms: Vec<u32>,
    /// The longest time without sound of each who heard, in milliseconds, rising.
    pub silence_ms: Vec<u32>,
    /// Parts that were left out for somebody.
    pub missing: u64,
    /// What was no answer to what was asked: a status, or `broken`, `unanswered`, `refused`.
    pub errors: BTreeMap<String, u64>,
    /// Told to come again, which is no error.
    pub put_off: u64,
    /// How many the room said hear it when it was furthest off, and the nearest to that of how many did
    /// within the seconds before: a status is some seconds old, and tells of the last five.
    pub counts: Option<(u64, u32)>,
    /// How late the generator was with each request, in milliseconds, rising.
    pub late_ms: Vec<u32>,
    /// People for whom the generator had no descriptor or port.
    pub kept_home: u64,
}
