//! One room's listeners as numbers: who has a seat, who really listens, how far some fell behind.
//!
//! A connection that takes the program has a seat of its own. Players of HLS have none that could be told
//! apart, so what they take together is estimated (decision 0075) and fills seats as well: nobody new comes
//! in while both together are as many as the room has.
//!
//! *Listening* means that bytes of the program left for the connection within the last 5 s. What the kernel
//! holds unsent for a dead connection counts until its buffer is full; the acknowledged count comes with the
//! door.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tribune_core::door::Players;
use tribune_core::reason::{Departure, Refusal};
use tribune_core::time::Time;

use crate::ops::{Ledger, OutputMetrics, Seat as Entry};
use crate::world::World;

/// Bytes within this many milliseconds make a connection a listener.
const LISTENING_MS_MAX: u64 = 5_000;

/// How often the seats are looked through for who really listens.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// One room's seats and counts. The lock is the audience's own: the stage's side reads the counts that were
/// last written, and waits for nobody.
pub struct Audience {
    world: World,
    node: Ledger,
    seats: Mutex<Seats>,
    seats_max: AtomicU64,
    taken: AtomicU64,
    listening: AtomicU64,
    peak: AtomicU64,
    hls: AtomicU64,
}

/// The seats that are taken: when each was last sent something, in nanoseconds; 0 before the first bytes.
#[derive(Default)]
struct Seats {
    next: u64,
    taken: BTreeMap<u64, Arc<AtomicU64>>,
    players: Players,
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
    /// Nobody yet. `node` are the books of the whole node.
    pub fn new(world: World, node: Ledger, seats_max: u64) -> Arc<Self> {
        Arc::new(Self {
            world,
            node,
            seats: Mutex::default(),
            seats_max: AtomicU64::new(seats_max),
            taken: AtomicU64::new(0),
            listening: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            hls: AtomicU64::new(0),
        })
    }

    /// Looks through the seats once a second, on the audience's runtime, for as long as anybody holds it.
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

    /// The most who may sit; nobody inside is sent out when it falls.
    pub fn set_seats_max(&self, seats_max: u64) {
        self.seats_max.store(seats_max, Ordering::Relaxed);
    }

    /// A free seat, taken at once, for a connection that hears this output.
    ///
    /// # Errors
    /// `FullForNow` when there is none.
    pub fn take_seat(self: &Arc<Self>, output: OutputMetrics) -> Result<Seat, Refusal> {
        let mut seats = self.lock();
        self.admit(&mut seats)?;
        let number = seats.next;
        seats.next += 1;
        let sent_at = Arc::new(AtomicU64::new(0));
        seats.taken.insert(number, sent_at.clone());
        self.write(&seats);
        output.listeners.inc();
        Ok(Seat { entry: self.node.arrive_seated(), audience: self.clone(), number, sent_at, output })
    }

    /// Lets a player of HLS begin. It is counted from now on, and later by what it takes.
    ///
    /// # Errors
    /// `FullForNow` when there is no free seat.
    pub fn begin_hls(&self) -> Result<(), Refusal> {
        let mut seats = self.lock();
        self.admit(&mut seats)?;
        seats.players.begin(self.world.now());
        self.hls.store(seats.players.count(self.world.now()), Ordering::Relaxed);
        Ok(())
    }

    /// A player of HLS was handed a part or a segment.
    pub fn hand_out(&self, handed: HandedOut, output: &OutputMetrics) {
        output.sent_bytes.inc_by(handed.bytes);
        self.lock().players.handed_out(self.world.now(), handed.sound_ms);
    }

    /// Would a seat be given now? Nobody is counted for asking.
    ///
    /// # Errors
    /// `FullForNow` when there is none.
    pub fn is_free(&self) -> Result<(), Refusal> {
        self.has_room(&mut self.lock())
    }

    /// Who is refused is booked as having come.
    fn admit(&self, seats: &mut Seats) -> Result<(), Refusal> {
        self.has_room(seats).inspect_err(|why| self.node.arrive_refused(*why))
    }

    fn has_room(&self, seats: &mut Seats) -> Result<(), Refusal> {
        let taken = seats.taken.len() as u64 + seats.players.count(self.world.now());
        if taken < self.seats_max.load(Ordering::Relaxed) { Ok(()) } else { Err(Refusal::FullForNow) }
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
        let now = self.world.now();
        let mut seats = self.lock();
        let listening = seats.taken.values().filter(|sent_at| listens(now, sent_at)).count();
        self.listening.store(listening as u64, Ordering::Relaxed);
        self.hls.store(seats.players.count(now), Ordering::Relaxed);
    }

    fn write(&self, seats: &Seats) {
        let taken = seats.taken.len() as u64;
        self.taken.store(taken, Ordering::Relaxed);
        self.peak.fetch_max(taken, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn listens(now: Time, sent_at: &AtomicU64) -> bool {
    let sent_at = sent_at.load(Ordering::Relaxed);
    sent_at > 0 && now.since(Time::from_nanos(sent_at)).as_millis() <= u128::from(LISTENING_MS_MAX)
}

/// One unit of a room's capacity, given back when dropped.
pub struct Seat {
    audience: Arc<Audience>,
    entry: Entry,
    number: u64,
    sent_at: Arc<AtomicU64>,
    output: OutputMetrics,
}

impl Seat {
    /// Bytes of the program left for this seat's connection.
    pub fn sent(&self, bytes: usize) {
        self.sent_at.store(self.audience.world.now().nanos().max(1), Ordering::Relaxed);
        self.output.sent_bytes.inc_by(bytes as u64);
    }

    /// The connection was too slow for the window and lost this many parts.
    pub fn skipped(&self, parts: u64) {
        self.output.skipped.inc_by(parts);
    }

    /// The node stopped while this listener heard the program.
    pub fn broken_off(&mut self) {
        self.entry.will_leave_for(Departure::NodeStopped);
    }

    /// The program ended while this listener heard it.
    pub fn heard_the_end(&mut self) {
        self.entry.will_leave_for(Departure::RoomEnded);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.output.listeners.dec();
        let mut seats = self.audience.lock();
        seats.taken.remove(&self.number);
        self.audience.write(&seats);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tribune_core::books::Column;

    use super::*;
    use crate::ops::Metrics;

    #[test]
    fn never_more_than_the_cap_and_the_books_balance() {
        let metrics = Metrics::new(Path::new("."));
        let audience = Audience::new(World::begin(), metrics.ledger.clone(), 2);
        let sit = || audience.take_seat(metrics.output("room", "opus")).ok();
        let (first, second) = (sit(), sit());
        assert!(first.is_some() && second.is_some());
        assert!(sit().is_none(), "the third finds no seat");
        assert_eq!(audience.is_free(), Err(Refusal::FullForNow));
        drop(first);
        assert_eq!(audience.is_free(), Ok(()));
        let third = sit();
        assert!(third.is_some());
        audience.set_seats_max(0);
        assert!(sit().is_none(), "nobody is sent out, and nobody comes in");
        let counts = audience.counts();
        assert_eq!((counts.taken, counts.peak), (2, 2));
        let books = metrics.ledger.snapshot();
        assert_eq!((books.arrived(), books.count(Column::Seated)), (5, 2));
        assert_eq!((books.refused(Refusal::FullForNow), books.left(Departure::HungUp)), (2, 1));
        assert!(books.is_balanced());
    }

    #[test]
    fn players_of_hls_fill_seats_too() {
        let metrics = Metrics::new(Path::new("."));
        let audience = Audience::new(World::begin(), metrics.ledger.clone(), 3);
        let seat = audience.take_seat(metrics.output("room", "opus")).ok();
        assert_eq!((audience.begin_hls(), audience.begin_hls()), (Ok(()), Ok(())));
        assert_eq!(audience.begin_hls(), Err(Refusal::FullForNow));
        assert_eq!(audience.is_free(), Err(Refusal::FullForNow));
        assert!(audience.take_seat(metrics.output("room", "opus")).is_err(), "they are counted together");
        drop(seat);
        assert_eq!(audience.begin_hls(), Ok(()));
        audience.look();
        let counts = audience.counts();
        assert_eq!((counts.taken, counts.hls, counts.peak), (0, 3, 1), "a player of HLS has no seat");
        let books = metrics.ledger.snapshot();
        assert_eq!((books.arrived(), books.refused(Refusal::FullForNow)), (3, 2));
        audience.hand_out(HandedOut { sound_ms: 320, bytes: 2_720 }, &metrics.output("room", "hls"));
        assert_eq!(metrics.output("room", "hls").sent_bytes.get(), 2_720);
    }

    #[test]
    fn the_counts_are_read_while_somebody_holds_the_seats() {
        let metrics = Metrics::new(Path::new("."));
        let audience = Audience::new(World::begin(), metrics.ledger.clone(), 2);
        let seat = audience.take_seat(metrics.output("room", "opus")).expect("a seat is free");
        seat.sent(10);
        audience.look();
        let held = audience.lock();
        assert_eq!(audience.counts(), Counts { taken: 1, listening: 1, peak: 1, hls: 0 });
        drop(held);
        drop(seat);
        audience.look();
        assert_eq!(audience.counts(), Counts { taken: 0, listening: 0, peak: 1, hls: 0 });
    }

    #[test]
    fn listening_means_bytes_within_five_seconds() {
        let at = |sent_ms: u64| AtomicU64::new(Time::from_millis(sent_ms).nanos());
        assert!(!listens(Time::from_millis(1), &at(0)));
        assert!(listens(Time::from_millis(6_000), &at(1_000)));
        assert!(!listens(Time::from_millis(6_001), &at(1_000)));
    }
}
