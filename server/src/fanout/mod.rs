//! 7. The same bytes to very many sockets.
//!
//! Who takes the program as one long answer leaves the HTTP library's hands once their request is answered:
//! a few threads, one for each processor, own all such connections. A listener is a place in the window and
//! a socket, not a task with a queue: when a part is cut, a thread walks along its listeners and hands the
//! part to each socket, from the one copy that there is. Whoever has not taken the part before is left out
//! and goes on when their socket has room; what they miss in between is counted. New listeners wait until
//! those who listen have their part.
//!
//! What must not be the same for all, and so is made for each: the encryption of a connection, and titles
//! between the bytes for players that ask for them.

mod chunk;
mod encrypted;
mod listener;
mod loops;
mod pieces;
mod round;
mod wire;

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, mpsc};
use std::time::Duration;

use bytes::Bytes;
use mio::{Poll, Waker};
use tokio::runtime::Handle;

use crate::egress::place::Place;
use crate::net::{Lease, Unwatched};
use crate::ops::metrics::Count;
use crate::window::Live;
use crate::world::World;
use tribune_core::time::Time;

/// What the threads are started with.
pub struct Begin {
    /// The clock.
    pub world: World,
    /// How many.
    pub threads: usize,
    /// What they are called.
    pub name: &'static str,
    /// Where what is sent is counted, in bytes.
    pub sent_bytes: Count,
    /// Where it is waited for the next snapshot of a window.
    pub runtime: Handle,
    /// What each thread does first.
    pub on_start: Arc<dyn Fn() + Send + Sync>,
}

/// The threads that send the program. Copies are the same; they end when all copies are gone, or are told to.
#[derive(Clone)]
pub struct Fanout(Arc<Inner>);

struct Inner {
    loops: Vec<Loop>,
    next: AtomicUsize,
    told: Arc<Told>,
}

/// What all threads are told.
#[derive(Debug, Default)]
struct Told {
    /// Everybody is dropped.
    ends: AtomicBool,
    /// Who comes again by themselves is sent elsewhere from then on, and within so long.
    moves: OnceLock<(Time, Duration)>,
}

struct Loop {
    joining: mpsc::Sender<Joining>,
    waker: Arc<Waker>,
}

/// A listener's place, and the program it is in.
pub(crate) struct Given {
    pub(crate) place: Place,
    pub(crate) live: Live,
    /// Whether it is a script that plays, which comes again where it left off when it is cut off.
    pub(crate) comes_again: bool,
}

/// Where who answers a request leaves a listener for those who send to them.
#[derive(Clone, Default)]
pub struct Taker(Arc<Mutex<Option<Given>>>);

impl Taker {
    /// Leaves one.
    pub(crate) fn give(&self, given: Given) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(given);
    }

    /// Takes who was left.
    pub(crate) fn taken(&self) -> Option<Given> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A connection that is to be sent the program.
pub(crate) struct Joining {
    pub(crate) given: Given,
    pub(crate) connection: Unwatched,
    /// The head of the answer.
    pub(crate) head: Bytes,
    /// What is kept for as long as the connection is.
    pub(crate) lease: Lease,
}

impl Fanout {
    /// Starts the threads.
    ///
    /// # Errors
    /// There are none to be had, or no descriptors.
    pub fn start(begin: &Begin) -> io::Result<Self> {
        let told = Arc::<Told>::default();
        // Those that were started end if a later one cannot be.
        let mut inner = Inner { loops: Vec::new(), next: AtomicUsize::new(0), told: told.clone() };
        for number in 0..begin.threads.max(1) {
            let poll = Poll::new()?;
            let waker = Arc::new(Waker::new(poll.registry(), loops::WAKE)?);
            let (joining, joins) = mpsc::channel();
            let phase = (number as f64 + 0.5) / begin.threads.max(1) as f64;
            let turning = loops::Turning::new(begin, (poll, waker.clone()), joins, (told.clone(), phase));
            let on_start = begin.on_start.clone();
            std::thread::Builder::new().name(format!("{}-{number}", begin.name)).spawn(move || {
                on_start();
                turning.run();
            })?;
            inner.loops.push(Loop { joining, waker });
        }
        Ok(Self(Arc::new(inner)))
    }

    /// From now on the program is sent to a connection.
    pub(crate) fn take(&self, joining: Joining) {
        let loops = &self.0.loops;
        let first = self.0.next.fetch_add(1, Ordering::Relaxed);
        let mut joining = joining;
        for number in 0..loops.len() {
            let of = &loops[first.wrapping_add(number) % loops.len()];
            match of.joining.send(joining) {
                Ok(()) => {
                    let _ = of.waker.wake();
                    return;
                }
                // A thread that died has dropped its own listeners, and takes no others.
                Err(mpsc::SendError(back)) => joining = back,
            }
        }
    }

    /// Those are sent elsewhere who come again by themselves and are here at `from`: one after another,
    /// within `over`.
    pub fn moves(&self, from: Time, over: Duration) {
        let _ = self.0.told.moves.set((from, over));
    }

    /// Drops every connection, now.
    pub fn end(&self) {
        self.0.end();
    }
}

impl Inner {
    fn end(&self) {
        self.told.ends.store(true, Ordering::Relaxed);
        for one in &self.loops {
            let _ = one.waker.wake();
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.end();
    }
}
