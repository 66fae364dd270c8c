//! What of the program was delivered over a connection: never what was sent, but what the other side's kernel
//! has acknowledged (`tcpi_bytes_acked` of RFC 4898 and tcp(7), counted from the other end: what was written,
//! less what still waits in the send queue).
//!
//! Who answers says what is on its way; the socket's owner looks, with what it writes and reads anyhow, and
//! only while something is waited for.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tribune_core::guard::live::Happened;

use crate::guard::Watch;

/// So many pieces may be on their way; players have one or two. Of who takes nothing the later ones do not
/// count.
const PIECES_MAX: usize = 64;

/// One connection's deliveries. Copies are the same.
#[derive(Clone)]
pub struct Delivery(Arc<Inner>);

struct Inner {
    watch: Watch,
    /// Bytes that were handed to the socket.
    written: AtomicU64,
    on_their_way: Mutex<VecDeque<Piece>>,
    /// Whether something is on its way.
    is_awaited: AtomicBool,
    /// Whether something was read since something was written: a request, or a beginning of one.
    is_asked: AtomicBool,
}

/// A piece of the program on its way.
struct Piece {
    /// It is there when so many bytes are acknowledged.
    at_bytes: u64,
    to: IpAddr,
    /// What the guard is told then.
    tells: Happened,
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Delivery")
    }
}

impl Delivery {
    /// Nothing was sent yet that counts.
    pub fn new(watch: Watch) -> Self {
        Self(Arc::new(Inner {
            watch,
            written: AtomicU64::new(0),
            on_their_way: Mutex::default(),
            is_awaited: AtomicBool::new(false),
            is_asked: AtomicBool::new(false),
        }))
    }

    /// So many bytes are about to be written; the guard is told when as many have arrived. Their head and
    /// encryption are not counted, so that the last few hundred may still be on their way then.
    pub fn is_on_its_way(&self, bytes: u64, to: IpAddr, tells: Happened) {
        let at_bytes = self.0.written.load(Ordering::Relaxed) + bytes;
        let mut pieces = self.pieces();
        if pieces.len() < PIECES_MAX {
            pieces.push_back(Piece { at_bytes, to, tells });
            self.0.is_awaited.store(true, Ordering::Relaxed);
        }
    }

    /// So many bytes were handed to the socket.
    pub(super) fn wrote(&self, bytes: usize) {
        self.0.written.fetch_add(bytes as u64, Ordering::Relaxed);
        self.0.is_asked.store(false, Ordering::Relaxed);
    }

    /// Something was read.
    pub(super) fn read(&self) {
        self.0.is_asked.store(true, Ordering::Relaxed);
    }

    /// Whether it ends in the middle of a request.
    pub(super) fn is_asked(&self) -> bool {
        self.0.is_asked.load(Ordering::Relaxed)
    }

    /// Whether anything is on its way of which somebody wants to know.
    pub(super) fn is_awaited(&self) -> bool {
        self.0.is_awaited.load(Ordering::Relaxed)
    }

    /// Of what was written, so many bytes are not acknowledged yet.
    pub(super) fn looked(&self, unacknowledged: u64) {
        let there = self.0.written.load(Ordering::Relaxed).saturating_sub(unacknowledged);
        let mut pieces = self.pieces();
        while let Some(piece) = pieces.pop_front_if(|piece| piece.at_bytes <= there) {
            self.0.watch.tell(piece.to, piece.tells);
        }
        self.0.is_awaited.store(!pieces.is_empty(), Ordering::Relaxed);
    }

    fn pieces(&self) -> MutexGuard<'_, VecDeque<Piece>> {
        self.0.on_their_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::world::World;

    #[test]
    fn the_guard_is_told_of_what_arrived_and_of_nothing_else() {
        let watch = Watch::new(World::begin());
        let delivery = Delivery::new(watch.clone());
        let told = || watch.waiting_facts();
        assert!(!delivery.is_awaited());
        delivery.wrote(300);
        delivery.is_on_its_way(1_000, Ipv4Addr::LOCALHOST.into(), Happened::Arrived);
        assert!(delivery.is_awaited());
        delivery.wrote(1_200);
        delivery.is_on_its_way(1_000, Ipv4Addr::LOCALHOST.into(), Happened::Heard(6));
        delivery.looked(1_200);
        assert_eq!(told(), 0, "nothing of it is there");
        delivery.looked(200);
        assert_eq!(told(), 1, "the first is there but for the next answer's head");
        delivery.wrote(1_050);
        delivery.looked(60);
        assert_eq!((told(), delivery.is_awaited()), (1, true));
        delivery.looked(0);
        assert_eq!((told(), delivery.is_awaited()), (2, false));
    }

    #[test]
    fn of_who_takes_nothing_no_more_is_remembered_than_there_is_room_for() {
        let watch = Watch::new(World::begin());
        let delivery = Delivery::new(watch.clone());
        for _ in 0..10 * PIECES_MAX {
            delivery.is_on_its_way(10, Ipv4Addr::LOCALHOST.into(), Happened::Arrived);
            delivery.wrote(10);
        }
        assert_eq!(delivery.pieces().len(), PIECES_MAX);
        delivery.looked(0);
        assert_eq!((watch.waiting_facts(), delivery.is_awaited()), (PIECES_MAX, false));
    }

    #[test]
    fn who_is_asked_for_half_a_request_is_in_the_middle_of_it() {
        let delivery = Delivery::new(Watch::new(World::begin()));
        assert!(!delivery.is_asked());
        delivery.read();
        assert!(delivery.is_asked());
        delivery.wrote(1);
        assert!(!delivery.is_asked());
    }
}
