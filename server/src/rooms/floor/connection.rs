//! What the media thread and a room's stage tell each other of one connection, without a lock and without a
//! wait on either side.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use tokio::sync::Notify;
use tribune_core::room::floor::{Reach, Visit};

const PENDING: u8 = 0;
const CONNECTED: u8 = 1;
const LOST: u8 = 2;
const GONE: u8 = 3;

/// The room's end.
#[derive(Debug)]
pub(super) struct Connection {
    reach: AtomicU8,
    over: AtomicBool,
    replaced: AtomicBool,
    changed: Arc<Notify>,
}

/// The end of whoever serves the connection; dropping it says that it is gone.
#[derive(Debug)]
pub struct Attendance {
    visit: Visit,
    connection: Arc<Connection>,
}

impl Connection {
    pub(super) fn new(changed: Arc<Notify>) -> Arc<Self> {
        let (over, replaced) = (AtomicBool::new(false), AtomicBool::new(false));
        Arc::new(Self { reach: AtomicU8::new(PENDING), over, replaced, changed })
    }

    /// For whoever serves it.
    pub(super) fn attendance(self: &Arc<Self>, visit: Visit) -> Attendance {
        Attendance { visit, connection: self.clone() }
    }

    /// How it stands; `None` until it is there for the first time.
    pub(super) fn reach(&self) -> Option<Reach> {
        match self.reach.load(Ordering::Acquire) {
            CONNECTED => Some(Reach::Connected),
            LOST => Some(Reach::Lost),
            GONE => Some(Reach::Gone),
            _ => None,
        }
    }

    /// It is to be ended.
    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Release);
    }

    /// The same person has come on a newer one. Whom the room ends is told that instead.
    pub(super) fn replace(&self) {
        if !self.over.load(Ordering::Acquire) {
            self.replaced.store(true, Ordering::Release);
        }
    }
}

impl Attendance {
    /// Its number.
    pub const fn visit(&self) -> Visit {
        self.visit
    }

    /// Says how it stands now.
    pub fn reach(&self, reach: Reach) {
        let word = match reach {
            Reach::Connected => CONNECTED,
            Reach::Lost => LOST,
            Reach::Gone => GONE,
        };
        if self.connection.reach.swap(word, Ordering::AcqRel) != word {
            self.connection.changed.notify_one();
        }
    }

    /// Whether the same person has come on a newer one.
    pub fn is_replaced(&self) -> bool {
        self.connection.replaced.load(Ordering::Acquire)
    }

    /// Whether the room wants it ended.
    pub fn is_over(&self) -> bool {
        self.connection.over.load(Ordering::Acquire)
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        self.reach(Reach::Gone);
    }
}
