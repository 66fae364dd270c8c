//! What those on stage hear of each other: from every clock to the one thread that serves all speakers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::mpsc;
use tribune_core::mix::InletId;

/// Frames that may wait for the media thread, of all rooms together: half a second of eight rooms.
const FRAMES_MAX: usize = 256;

/// One run of one room's program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProgramId(u32);

/// 20 ms for everybody on one room's stage.
#[derive(Clone, Debug)]
pub struct Minus {
    /// Whose stage.
    pub program: ProgramId,
    /// The frame's number in the program.
    pub frame: u64,
    /// The mix without its own voice, for each speaker who is in it.
    pub own: Vec<(InletId, Arc<[u8]>)>,
    /// The mix for everybody else on stage.
    pub others: Option<Arc<[u8]>>,
}

impl Minus {
    /// Whether there is nothing in it for anybody.
    pub(super) fn is_silent(&self) -> bool {
        self.own.is_empty() && self.others.is_none()
    }
}

/// Where programs put what is to be heard on their stages. Copies lead to the same thread.
#[derive(Clone, Debug)]
pub struct ToStage {
    frames: mpsc::Sender<Minus>,
    programs: Arc<AtomicU32>,
}

/// A way from all programs to the stage.
pub fn to_stage() -> (ToStage, mpsc::Receiver<Minus>) {
    let (frames, heard) = mpsc::channel(FRAMES_MAX);
    (ToStage { frames, programs: Arc::default() }, heard)
}

impl ToStage {
    pub(super) fn new_program(&self) -> ProgramId {
        ProgramId(self.programs.fetch_add(1, Ordering::Relaxed))
    }

    /// Hands a frame over, or drops it: whoever is that late no longer needs it.
    pub(super) fn put(&self, minus: Minus) -> Result<(), Dropped> {
        self.frames.try_send(minus).map_err(|_| Dropped)
    }
}

/// A frame was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dropped;
