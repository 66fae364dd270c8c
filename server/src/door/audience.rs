//! One room's listeners as numbers: who has a seat, who really listens, how far some fell behind.
//!
//! A connection that takes the program sits at the room's desk (`desk.rs`). Players of HLS have no seat that
//! could be told apart, so what they take together is estimated (decision 0075) and fills seats as well: they
//! are taken off the cap.
//!
//! *Listening* means that bytes of the program left for the connection within the last 5 s. What the kernel
//! holds unsent for a dead connection counts until its buffer is full.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tribune_core::door::Players;
use tribune_core::reason::{Departure, Refusal};
use tribune_core::time::Time;

use super::desk::{Desk, Sitting};
use crate::capacity::Quota;
use crate::ops::OutputMetrics;
use crate::world::World;

/// How often it is looked who really listens.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// One program's listeners. The locks are the audience's own: the stage's side reads the counts that were
/// last written, and waits for nobody.
pub struct Audience {
    world: World,
    desk: Arc<Desk>,
    players: Mutex<Players>,
    quota: Arc<Quota>,
    taken: AtomicU64,
    listening: AtomicU64,
    peak: AtomicU64,
    hls: AtomicU64,
}

/// The counts as they were last written: seats at once, listening once a second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Seats that are taken.
    pub taken: u64,
    /// Seats whose connection took bytes within the last 5 s.
    pub listening: u64,
    /// The most seats ever taken at once.
    pub peak: u64,
    /// Seats' worth of the program that players of HLS take, estimated.
    pub hls: u64,
}

/// What was handed to a player of HLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HandedOut {
    /// Sound, in milliseconds.
    pub sound_ms: u64,
    /// Bytes of it.
    pub bytes: u64,
}

impl Audience {
    /// Nobody yet, at the desk of this quota of seats.
    pub fn new(world: World, quota: Arc<Quota>) -> Arc<Self> {
        quota.set_hls(0);
        Arc::new(Self {
            world,
            desk: quota.desk().clone(),
            players: Mutex::default(),
            quota,
            taken: AtomicU64::new(0),
            listening: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            hls: AtomicU64::new(0),
        })
    }

    /// Looks once a second, on the audience's runtime, for as long as anybody holds it.
    pub fn look_after(self: &Arc<Self>, runtime: &Handle) {
        let audience = Arc::downgrade(self);
        runtime.spawn(async move {
            let mut second = tokio::time::interval(LOOK_EVERY);
            loop {
                second.tick().await;
                match audience.upgrade() {
                    Some(audience) => audience.look(),
                    None => return,
                }
            }
        });
    }

    /// The seat of a pass, or without one a free seat, for a connection that hears this output.
    ///
    /// # Errors
    /// What is wrong with the pass; `FullForNow`, `TakeATicket` without one.
    pub fn take_seat(self: &Arc<Self>, pass: Option<&str>, output: OutputMetrics) -> Result<Seat, Refusal> {
        let sitting = self.desk.sit(pass)?;
        self.write();
        output.listeners.inc();
        Ok(Seat { audience: self.clone(), sitting: Some(sitting), output })
    }

    /// Lets a player of HLS begin: with a pass, or where a connection without one would be seated. It is
    /// counted from now on, and later by what it takes.
    ///
    /// # Errors
    /// What is wrong with the pass; `FullForNow`, `TakeATicket` without one.
    pub fn begin_hls(&self, pass: Option<&str>) -> Result<(), Refusal> {
        match pass {
            Some(pass) => self.desk.renew(pass)?,
            None => self.desk.admit_hls()?,
        }
        let now = self.world.now();
        let mut players = self.lock();
        players.begin(now);
        self.hls.store(players.count(now), Ordering::Relaxed);
        drop(players);
        self.share_out();
        Ok(())
    }

    /// A pass is shown so that its seat is kept: what a player of HLS fetches does not show it.
    ///
    /// # Errors
    /// What is wrong with the pass.
    pub fn renew(&self, pass: &str) -> Result<(), Refusal> {
        self.desk.renew(pass)
    }

    /// A player of HLS was handed a part or a segment.
    pub fn hand_out(&self, handed: HandedOut, output: &OutputMetrics) {
        output.sent_bytes.inc_by(handed.bytes);
        self.lock().handed_out(self.world.now(), handed.sound_ms);
    }

    /// Would a seat be given now? Nobody is counted for asking.
    ///
    /// # Errors
    /// Why not.
    pub fn is_free(&self) -> Result<(), Refusal> {
        self.desk.is_free()
    }

    /// All counts, without waiting for anybody.
    pub fn counts(&self) -> Counts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Counts {
            taken: read(&self.taken),
            listening: read(&self.listening),
            peak: read(&self.peak),
            hls: read(&self.hls),
        }
    }

    fn look(&self) {
        self.listening.store(self.desk.listening(), Ordering::Relaxed);
        self.hls.store(self.lock().count(self.world.now()), Ordering::Relaxed);
        self.share_out();
        self.write();
    }

    /// What players of HLS take is not there for others.
    fn share_out(&self) {
        self.quota.set_hls(self.hls.load(Ordering::Relaxed));
    }

    fn write(&self) {
        let taken = self.desk.taken();
        self.taken.store(taken, Ordering::Relaxed);
        self.peak.fetch_max(taken, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Players> {
        self.players.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One unit of a room's capacity, given back when dropped.
pub struct Seat {
    audience: Arc<Audience>,
    sitting: Option<Sitting>,
    output: OutputMetrics,
}

impl Seat {
    /// Bytes of the program left for this seat's connection now.
    pub fn sent(&self, bytes: usize, now: Time) {
        if let Some(sitting) = &self.sitting {
            sitting.sent(now);
        }
        self.output.sent_bytes.inc_by(bytes as u64);
    }

    /// A part for which its connection waited was handed over, so long after it was cut.
    pub fn waited_for_part(&self, late: Duration) {
        self.output.late.observe(late);
    }

    /// Whether the seat is another device's now.
    pub fn is_over(&self) -> bool {
        self.sitting.as_ref().is_none_or(Sitting::is_over)
    }

    /// The connection was too slow for the window and lost this many parts.
    pub fn skipped(&self, parts: u64) {
        self.output.skipped.inc_by(parts);
    }

    /// The node stopped while this listener heard the program.
    pub fn broken_off(&mut self) {
        self.will_leave_for(Departure::NodeStopped);
    }

    /// The program ended while this listener heard it.
    pub fn heard_the_end(&mut self) {
        self.will_leave_for(Departure::RoomEnded);
    }

    fn will_leave_for(&mut self, why: Departure) {
        if let Some(sitting) = &mut self.sitting {
            sitting.will_leave_for(why);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.output.listeners.dec();
        self.sitting = None;
        self.audience.write();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;

    use tribune_core::books::Column;
    use tribune_core::room::{Facts, Name};

    use super::*;
    use crate::door::desk::Begin;
    use crate::ops::{Keeps, Metrics};

    fn audience(seats_max: u64) -> (Arc<Audience>, Arc<Desk>, Arc<Metrics>, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let world = World::begin();
        let facts = Facts::new(Name::parse("debate").unwrap(), "Debate".to_owned());
        let desk = Desk::open(Begin {
            world,
            facts: &facts,
            folder: folder.path(),
            scribe: crate::door::Scribe::start(world).unwrap(),
            keys: tribune_core::door::KeyRing::new(&[7; 32]),
            now_serving: 0,
            cap: 0,
        });
        let quota = Quota::new(desk.clone());
        quota.give(seats_max);
        (Audience::new(world, quota), desk, Metrics::new(Path::new(".")), folder)
    }

    #[test]
    fn never_more_than_the_cap_and_the_books_balance() {
        let (audience, desk, metrics, _folder) = audience(2);
        let sit = || audience.take_seat(None, metrics.output("room", "opus")).ok();
        let (first, second) = (sit(), sit());
        assert!(first.is_some() && second.is_some());
        assert!(sit().is_none(), "the third finds no seat");
        assert_eq!(audience.is_free(), Err(Refusal::FullForNow));
        drop(first);
        assert_eq!(audience.is_free(), Ok(()));
        let third = sit();
        assert!(third.is_some());
        audience.quota.give(0);
        assert!(sit().is_none(), "nobody is sent out, and nobody comes in");
        let counts = audience.counts();
        assert_eq!((counts.taken, counts.peak), (2, 2));
        let books = desk.books();
        assert_eq!((books.arrived(), books.count(Column::Seated)), (5, 2));
        assert_eq!((books.refused(Refusal::FullForNow), books.left(Departure::HungUp)), (2, 1));
        assert!(books.is_balanced());
    }

    #[test]
    fn players_of_hls_fill_seats_too() {
        let (audience, desk, metrics, _folder) = audience(3);
        let seat = audience.take_seat(None, metrics.output("room", "opus")).ok();
        assert_eq!((audience.begin_hls(None), audience.begin_hls(None)), (Ok(()), Ok(())));
        assert_eq!(audience.begin_hls(None), Err(Refusal::FullForNow));
        assert_eq!(audience.is_free(), Err(Refusal::FullForNow));
        let output = || metrics.output("room", "opus");
        assert!(audience.take_seat(None, output()).is_err(), "they are counted together");
        drop(seat);
        assert_eq!(audience.begin_hls(None), Ok(()));
        audience.look();
        let counts = audience.counts();
        assert_eq!((counts.taken, counts.hls, counts.peak), (0, 3, 1), "a player of HLS has no seat");
        let books = desk.books();
        assert_eq!((books.arrived(), books.refused(Refusal::FullForNow)), (3, 2));
        audience.hand_out(HandedOut { sound_ms: 320, bytes: 2_720 }, &metrics.output("room", "hls"));
        assert_eq!(metrics.output("room", "hls").sent_bytes.get(), 2_720);
    }

    #[test]
    fn the_counts_are_read_while_somebody_holds_the_seats() {
        let (audience, _desk, metrics, _folder) = audience(2);
        let seat = audience.take_seat(None, metrics.output("room", "opus")).ok().unwrap();
        seat.sent(10, audience.world.now());
        audience.look();
        let held = audience.lock();
        assert_eq!(audience.counts(), Counts { taken: 1, listening: 1, peak: 1, hls: 0 });
        drop(held);
        drop(seat);
        audience.look();
        assert_eq!(audience.counts(), Counts { taken: 0, listening: 0, peak: 1, hls: 0 });
    }
}
