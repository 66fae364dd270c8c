//! What those on stage hear of each other: from every clock to the one thread that serves all speakers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::sync::{Notify, mpsc};
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

/// Where rooms and their programs tell the stage what is to be heard there and who is to go. Copies lead to
/// the same thread.
#[derive(Clone, Debug)]
pub struct ToStage {
    frames: mpsc::Sender<Minus>,
    programs: Arc<AtomicU32>,
    look: Arc<Notify>,
}

/// The stage's end of it.
#[derive(Debug)]
pub struct FromRooms {
    /// What is to be heard.
    pub frames: mpsc::Receiver<Minus>,
    /// Somebody is to go: look who.
    pub look: Arc<Notify>,
}

/// A way from all rooms to the stage.
pub fn to_stage() -> (ToStage, FromRooms) {
    let (sender, frames) = mpsc::channel(FRAMES_MAX);
    let look = Arc::new(Notify::new());
    (ToStage { frames: sender, programs: Arc::default(), look: look.clone() }, FromRooms { frames, look })
}

impl ToStage {
    pub(super) fn new_program(&self) -> ProgramId {
        ProgramId(self.programs.fetch_add(1, Ordering::Relaxed))
    }

    /// Has the stage look at once who is to go.
    pub fn look(&self) {
        self.look.notify_one();
    }

    /// Hands a frame over, or drops it: whoever is that late no longer needs it.
    pub(super) fn put(&self, minus: Minus) -> Result<(), Dropped> {
        self.frames.try_send(minus).map_err(|_| Dropped)
    }
}

/// A frame was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Dropped;
