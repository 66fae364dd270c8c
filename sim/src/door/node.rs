//! The real door, wired as a node wires it: its clocks, its disk, and what a kill leaves of it.

use tribune_core::door::arrivals::Issued;
use tribune_core::door::doorkeeper::{Announced, Claim, Doorkeeper, First, Kept, Opening, Place};
use tribune_core::door::draw::{Rank, Source, commitment};
use tribune_core::door::eta::Range;
use tribune_core::door::seats::{Connection, Lapse, Output};
use tribune_core::door::spent::Spent;
use tribune_core::door::ticket::Holder;
use tribune_core::time::{Time, WallTime};

use super::Planted;
use super::story::{DRAW_BEFORE_S, Story};

/// The operator's number.
const LOT: [u8; 32] = [0x5a; 32];
/// How much further a sleepy clock sleeps, in seconds.
const SLEEPY_S: u32 = 120;
/// Of so many, a planted fault meets one.
const ONE_IN: u32 = 16;

/// What the disk holds.
#[derive(Debug, Default)]
struct Disk {
    tickets: Vec<(u32, Holder)>,
    spent: Spent,
    now_serving: u64,
    drawn: bool,
}

/// A node with one room.
#[derive(Debug)]
pub struct Node {
    planted: Planted,
    story: Story,
    door: Option<Doorkeeper>,
    disk: Disk,
    cap: u64,
    start_s: u32,
    born_ms: u64,
    clock_off_ms: i64,
    published: u64,
    stepped_back: bool,
}

impl Node {
    /// A node whose room's door opens now.
    pub fn new(story: &Story, planted: Planted) -> Self {
        let mut node = Self {
            planted,
            story: story.clone(),
            door: None,
            disk: Disk::default(),
            cap: story.cap,
            start_s: story.start_s,
            born_ms: 0,
            clock_off_ms: 0,
            published: 0,
            stepped_back: false,
        };
        node.door = Some(Doorkeeper::open(node.opening(0)));
        node
    }

    /// The door, while the process runs.
    pub fn door(&self) -> Option<&Doorkeeper> {
        self.door.as_ref()
    }

    /// The published number.
    pub fn published(&self) -> u64 {
        self.published
    }

    /// Most seats, as the host set it.
    pub fn cap(&self) -> u64 {
        self.cap
    }

    /// A second has passed. What happened to others comes back: serials whose seats lapsed.
    pub fn tick(&mut self, now_ms: u64) -> Vec<(u32, Lapse)> {
        let second = self.second(now_ms);
        let (now, opening) = (self.time(now_ms), self.opening(now_ms));
        let sleepy =
            self.planted == Planted::SleepyClock && !(now_ms / 1_000).is_multiple_of(u64::from(SLEEPY_S));
        let Some(door) = self.door.as_mut().filter(|_| !sleepy) else { return Vec::new() };
        door.set_start(now, opening.start, (opening.announced.at, opening.announced.closes_before));
        door.tick(now, second);
        if door.to_draw().is_some() {
            door.hold_draw(&LOT).expect("the list is closed");
            self.disk.drawn = true;
        }
        let lapsed = self.lapses();
        self.publish();
        lapsed
    }

    /// Issues a ticket.
    pub fn issue(&mut self, now_ms: u64, holder: Holder) -> Option<Issued> {
        let second = self.second(now_ms);
        let door = self.door.as_mut()?;
        if self.planted == Planted::BookedTwice && door.arrivals().issued() % ONE_IN == 7 {
            let unseen = door.issue(second, holder).ok()?;
            self.disk.tickets.push((unseen.second, holder));
        }
        let issued = door.issue(second, holder).ok()?;
        let lost = self.planted == Planted::SerialsReused && issued.serial % ONE_IN == 3;
        if !lost {
            self.disk.tickets.push((issued.second, holder));
        }
        Some(issued)
    }

    /// Where a ticket stands, as it is told.
    pub fn place(&self, now_ms: u64, ticket: Issued) -> Option<Place> {
        let door = self.door.as_ref()?;
        let place = door.place(self.time(now_ms), ticket).ok()?;
        Some(self.bent(place, ticket))
    }

    /// A claim, as it is answered; `None` when nobody answers, or the ticket is refused.
    pub fn claim(&mut self, now_ms: u64, ticket: Issued) -> Option<(Claim, Option<Rank>)> {
        let place = self.place(now_ms, ticket)?;
        let now = self.time(now_ms);
        let rank = match place {
            Place::Called { rank } => rank,
            Place::NotDrawn | Place::Settling | Place::InLine { .. } => {
                return Some((Claim::NotYet(place), None));
            }
        };
        let jumper = self.planted == Planted::QueueJumper && ticket.serial % ONE_IN == 5;
        let door = self.door.as_mut()?;
        let full = door.seats().free() == 0 && !door.seats().has(ticket.serial);
        if self.planted == Planted::CapPlusOne && full && door.seats().taken() == self.cap {
            door.set_cap(self.cap + 1);
        }
        let claim = door.claim(now, ticket).ok()?;
        door.set_cap(self.cap);
        match claim {
            Claim::Seated { first: First::Yes, .. } => {
                self.disk.spent.set(ticket.serial);
            }
            Claim::NotYet(_) if jumper => {
                return Some((Claim::Seated { generation: 0, first: First::Yes }, Some(rank)));
            }
            Claim::Seated { first: First::No, .. } | Claim::NotYet(_) | Claim::Full | Claim::Ended => {}
        }
        Some((claim, Some(rank)))
    }

    /// A player shows its pass and takes the program; whether it may.
    pub fn join(&mut self, now_ms: u64, pass: (u32, u32), connection: Connection) -> bool {
        let now = self.time(now_ms);
        let joined =
            |door: &mut Doorkeeper| door.join(now, pass, connection).is_ok() && door.heard(now, pass).is_ok();
        self.door.as_mut().is_some_and(joined)
    }

    /// A player acknowledged bytes; whether it still has its seat.
    pub fn heard(&mut self, now_ms: u64, pass: (u32, u32)) -> bool {
        let now = self.time(now_ms);
        self.door.as_mut().is_some_and(|door| door.heard(now, pass).is_ok())
    }

    /// Whether a seat leaks when this one leaves.
    pub fn leaks(&self, serial: u32) -> bool {
        self.planted == Planted::LeakedSeat && serial.is_multiple_of(ONE_IN)
    }

    /// Somebody comes without a ticket; whether they are seated.
    pub fn come_without_ticket(&mut self, connection: Connection) -> Option<bool> {
        Some(self.door.as_mut()?.come_without_ticket(connection).is_ok())
    }

    /// Somebody without a ticket goes.
    pub fn go_without_ticket(&mut self, connection: Connection) {
        if let Some(door) = &mut self.door {
            door.go_without_ticket(connection, tribune_core::reason::Departure::HungUp);
        }
    }

    /// The host sets the cap.
    pub fn set_cap(&mut self, cap: u64) {
        self.cap = cap;
        if let Some(door) = &mut self.door {
            door.set_cap(cap);
        }
    }

    /// The host moves the start.
    pub fn set_start(&mut self, start_s: u32) {
        self.start_s = start_s;
    }

    /// The clock on the wall is set.
    pub fn set_clock(&mut self, by_ms: i64) {
        self.clock_off_ms += by_ms;
    }

    /// The process is killed.
    pub fn kill(&mut self) {
        self.door = None;
    }

    /// A new process starts from what the disk holds.
    pub fn start(&mut self, now_ms: u64) {
        self.born_ms = now_ms;
        let issued = self.disk.tickets.len() as u32;
        let kept = Kept {
            tickets: self.disk.tickets.clone(),
            spent: (0..issued).filter(|serial| self.disk.spent.has(*serial)).collect(),
            now_serving: self.disk.now_serving,
            lot: self.disk.drawn.then(|| LOT.to_vec()),
        };
        let (second, opening) = (self.second(now_ms), self.opening(now_ms));
        self.door = Some(Doorkeeper::restored(self.time(now_ms), second, opening, kept));
    }

    /// The room ends.
    pub fn end(&mut self) {
        if let Some(door) = &mut self.door {
            door.end();
        }
    }

    fn lapses(&mut self) -> Vec<(u32, Lapse)> {
        let mut lapsed = Vec::new();
        let Some(door) = &mut self.door else { return lapsed };
        while let Some(output) = door.poll_output() {
            match output {
                Output::Displaced(_) => {}
                Output::Lapsed { serial, why, .. } => {
                    lapsed.push((serial, why));
                    match why {
                        Lapse::Unheard => self.disk.spent.clear(serial),
                        Lapse::Silent => {}
                    }
                }
            }
        }
        lapsed
    }

    fn publish(&mut self) {
        let Some(door) = &self.door else { return };
        let mut number = door.now_serving();
        if self.planted == Planted::StepBack && number > 40 && !self.stepped_back {
            self.stepped_back = true;
            number -= 30;
        }
        self.published = number;
        self.disk.now_serving = number;
    }

    /// The place as a planted fault tells it.
    fn bent(&self, place: Place, ticket: Issued) -> Place {
        let called = |rank| Place::Called { rank };
        match (self.planted, place) {
            (Planted::LostCohort, Place::Called { rank }) if rank.0 / 32 % 4 == 1 => self.waits(rank),
            (Planted::LateComerForgotten, Place::Called { rank }) if rank.0 + 200 < self.published => {
                self.waits(rank)
            }
            (Planted::QueueJumper, Place::InLine { rank, .. }) if ticket.serial % ONE_IN == 5 => called(rank),
            (Planted::FavouredDraw, Place::InLine { rank, ahead, people, eta })
                if ticket.serial < self.story.people / ONE_IN =>
            {
                Place::InLine { rank: Rank(rank.0 / 4), ahead, people, eta }
            }
            (Planted::RankTooEarly, Place::Settling) => {
                let span = self.door.as_ref().map(|door| door.arrivals().of(ticket.second));
                self.waits(Rank(u64::from(span.map_or(0, |span| span.first + span.count - 1))))
            }
            (Planted::NarrowRange, Place::InLine { rank, ahead, people, eta: Some(range) }) => {
                let high_s = range.low_s + (range.high_s - range.low_s) / 4;
                Place::InLine { rank, ahead, people, eta: Some(Range { high_s, ..range }) }
            }
            (_, place) => place,
        }
    }

    fn waits(&self, rank: Rank) -> Place {
        Place::InLine { rank, ahead: 0, people: 0, eta: None }
    }

    fn opening(&self, now_ms: u64) -> Opening {
        let closes_before = self.start_s.saturating_sub(DRAW_BEFORE_S);
        let wall_ms = self.wall_ms(now_ms);
        let until_ms = (i64::from(self.start_s) * 1_000 - wall_ms).max(0).unsigned_abs();
        let start = (self.start_s > 0)
            .then(|| Time::from_millis(self.time(now_ms).millis() + until_ms))
            .filter(|_| until_ms > 0);
        let announced = Announced {
            at: WallTime(i64::from(closes_before) * 1_000),
            closes_before,
            source: Source::Operator,
            commitment: Some(commitment(&LOT)),
        };
        Opening { announced, start, cap: self.cap, claims_per_s_max: self.story.claims_per_s_max }
    }

    fn time(&self, now_ms: u64) -> Time {
        Time::from_millis(now_ms - self.born_ms)
    }

    fn wall_ms(&self, now_ms: u64) -> i64 {
        now_ms as i64 + self.clock_off_ms
    }

    fn second(&self, now_ms: u64) -> u32 {
        (self.wall_ms(now_ms).max(0) / 1_000) as u32
    }
}
