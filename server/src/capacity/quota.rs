//! One room's part of the node's seats, and what is said of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tribune_core::door::capacity::Wish;
use tribune_core::door::shares::Claimant;
use tribune_core::door::snapshot::CapSaid;

use crate::door::Desk;

/// A room's seats. Players of HLS fill some that the desk cannot give.
#[derive(Debug)]
pub struct Quota {
    desk: Arc<Desk>,
    seats: AtomicU64,
    hls: AtomicU64,
    asked: Mutex<Asked>,
    said: Mutex<CapSaid>,
}

/// What a room asks of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What its host wants.
    pub wish: Wish,
    /// Its share, relative to the other rooms'.
    pub share: u32,
    /// Whether people may come in now.
    pub open: Open,
}

/// Whether people may come in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Open {
    /// They may.
    Yes,
    /// Not yet: who waits does so for another hour, and needs no seat.
    NotYet,
    /// The room is over.
    Over,
}

impl Quota {
    /// No seats yet.
    pub fn new(desk: Arc<Desk>) -> Arc<Self> {
        let asked = Asked { wish: Wish::None, share: 1, open: Open::NotYet };
        Arc::new(Self {
            desk,
            seats: AtomicU64::new(0),
            hls: AtomicU64::new(0),
            asked: Mutex::new(asked),
            said: Mutex::new(CapSaid { seats: 0, why: String::new(), measured: None }),
        })
    }

    /// The door at which they are taken.
    pub fn desk(&self) -> &Arc<Desk> {
        &self.desk
    }

    /// So many seats from now on; nobody inside is sent out.
    pub fn give(&self, seats: u64) {
        self.seats.store(seats, Ordering::Relaxed);
        self.share_out();
    }

    /// So many of them are filled by players of HLS.
    pub fn set_hls(&self, players: u64) {
        self.hls.store(players, Ordering::Relaxed);
        self.share_out();
    }

    /// What everybody is told of the cap.
    pub fn said(&self) -> CapSaid {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn say(&self, said: CapSaid) {
        *self.said.lock().unwrap_or_else(PoisonError::into_inner) = said;
    }

    pub(super) fn asked(&self) -> Asked {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether that is anything new.
    pub(super) fn ask(&self, asked: Asked) -> bool {
        let mut now = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *now, asked) != asked
    }

    pub(super) fn seats(&self) -> u64 {
        self.seats.load(Ordering::Relaxed)
    }

    pub(super) fn hls(&self) -> u64 {
        self.hls.load(Ordering::Relaxed)
    }

    /// Seats taken now, players of HLS among them.
    pub(super) fn taken(&self) -> u64 {
        self.desk.people().0 + self.hls()
    }

    /// What the shares are made of.
    pub(super) fn claimant(&self) -> Claimant {
        let Asked { wish, share, .. } = self.asked();
        let (seated, wanting) = self.desk.people();
        let taken = seated + self.hls();
        let at_most = match wish {
            Wish::None => u64::MAX,
            Wish::AtMost(seats) | Wish::Override(seats) => seats,
        };
        Claimant { share, taken, wanted: taken + wanting, at_most }
    }

    /// What players of HLS take is not there for others.
    fn share_out(&self) {
        self.desk.set_cap(self.seats().saturating_sub(self.hls()));
    }
}
