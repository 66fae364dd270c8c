//! What is watched while an evening is lived, and what must hold. Every complaint begins with the oracle's
//! name.

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};
use tribune_core::books::Column;
use tribune_core::door::Snapshot;
use tribune_core::door::arrivals::{Arrivals, Issued};
use tribune_core::door::draw::{Draw, Rank};
use tribune_core::door::entries::Closed;
use tribune_core::door::seats::Lapse;
use tribune_core::door::spent::Spent;

use super::node::Node;
use super::person::{Nature, Person};

/// Most complaints of one kind that are kept.
const COMPLAINTS_MAX: usize = 3;
/// Of the seats, at least so many of a hundred are taken while people wait.
pub const USED_PERCENT_MIN: f64 = 98.0;
/// Of those who were told a range, so many of a hundred are seated within it.
pub const HELD_PERCENT_MIN: f64 = 80.0;
/// An evening in which fewer were told a range says nothing about ranges.
pub const TOLD_MIN: u64 = 300;
/// A mean of drawn ranks further from the middle than so many of its deviations is no lot.
const LOT_DEVIATIONS_MAX: f64 = 5.0;

/// How many of those who were told a range were seated within it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// All of them.
    pub told: u64,
    /// Those seated within it.
    pub held: u64,
    /// Those seated earlier.
    pub early: u64,
    /// The sum of the ranges' widths and of the waits, in seconds.
    pub width_s: u64,
    /// The sum of how long they waited from then, in seconds.
    pub waited_s: u64,
}

impl Held {
    /// Of a hundred.
    pub fn percent(&self) -> f64 {
        if self.told == 0 { 100.0 } else { self.held as f64 * 100.0 / self.told as f64 }
    }

    /// Adds another evening's.
    pub fn add(&mut self, other: &Self) {
        self.told += other.told;
        self.held += other.held;
        self.early += other.early;
        self.width_s += other.width_s;
        self.waited_s += other.waited_s;
    }
}

/// What came of an evening.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// A sentence for each thing that is wrong.
    pub broken: Vec<String>,
    /// Tickets issued.
    pub tickets: u64,
    /// People who were seated at least once.
    pub seated: u64,
    /// Most seats taken at once.
    pub taken_max: u64,
    /// Seconds in which people waited, times seats there were.
    pub seat_seconds: u64,
    /// Of those, taken.
    pub used_seconds: u64,
    /// The first range each was told; those whose phones sleep apart.
    pub first: Held,
    /// Any of the ranges each was told.
    pub any: Held,
    /// The first ranges of those whose phones sleep.
    pub sleepers: Held,
    /// Claims that found no seat.
    pub turned: u64,
    /// Messages that reached the node.
    pub messages: u64,
    /// A hash over every answer.
    pub digest: String,
}

impl Outcome {
    /// Seats taken while people waited, of a hundred.
    pub fn used_percent(&self) -> f64 {
        if self.seat_seconds == 0 {
            100.0
        } else {
            self.used_seconds as f64 * 100.0 / self.seat_seconds as f64
        }
    }
}

/// Watches what the node says to anybody.
#[derive(Default)]
pub struct Watch {
    outcome: Outcome,
    inside: BTreeSet<u32>,
    loose: u64,
    /// Loose connections that asked since the process began.
    loose_asked: u64,
    left_line: Spent,
    issued: u64,
    published: u64,
    ranks: Vec<u32>,
    digest: Sha256,
}

impl Watch {
    /// A ticket was issued.
    pub fn issued(&mut self, ticket: Issued) {
        if u64::from(ticket.serial) < self.issued {
            self.complain("order", format!("serial {} was issued twice", ticket.serial));
        }
        self.issued = u64::from(ticket.serial) + 1;
        self.outcome.tickets += 1;
        self.digest.update(ticket.serial.to_le_bytes());
    }

    /// Somebody was told their rank.
    pub fn told_rank(&mut self, ticket: Issued, rank: Rank) {
        let place = ticket.serial as usize;
        if self.ranks.len() <= place {
            self.ranks.resize(place + 1, u32::MAX);
        }
        let before = std::mem::replace(&mut self.ranks[place], rank.0 as u32);
        if before != u32::MAX && before != rank.0 as u32 {
            self.complain("order", format!("serial {place} had rank {before}, then {}", rank.0));
        }
    }

    /// Somebody was told that they are not called.
    pub fn told_to_wait(&mut self, rank: Rank, published_before: u64) {
        if rank.0 < published_before {
            self.complain("place", format!("rank {} is told to wait at {published_before}", rank.0));
        }
    }

    /// A message reached the node.
    pub fn message(&mut self) {
        self.outcome.messages += 1;
    }

    /// A claim found no seat.
    pub fn turned(&mut self) {
        self.outcome.turned += 1;
    }

    /// A ticket has a seat.
    pub fn seated(&mut self, ticket: Issued, rank: Option<Rank>, node: &Node) {
        self.digest.update(ticket.serial.to_be_bytes());
        self.left_line.set(ticket.serial);
        let called = node.door().map_or(0, |door| door.now_serving());
        if let Some(rank) = rank.filter(|rank| rank.0 >= called) {
            self.complain("order", format!("rank {} has a seat at {called}", rank.0));
        }
        if self.inside.insert(ticket.serial) {
            self.check_cap(node);
        }
    }

    /// A connection without a ticket asked for a seat.
    pub fn came_loose(&mut self, seated: bool, node: &Node) {
        self.loose_asked += 1;
        if seated {
            self.loose += 1;
            self.check_cap(node);
        }
    }

    /// A connection without a ticket went.
    pub fn went_loose(&mut self) {
        self.loose = self.loose.saturating_sub(1);
    }

    /// A seat lapsed; in which nothing was heard, its ticket is back in the line.
    pub fn lapsed(&mut self, serial: u32, why: Lapse) {
        self.inside.remove(&serial);
        match why {
            Lapse::Unheard => self.left_line.clear(serial),
            Lapse::Silent => {}
        }
    }

    /// Somebody who left long ago still has a seat.
    pub fn still_inside(&mut self, serial: u32) {
        if self.inside.contains(&serial) {
            self.complain("seats", format!("serial {serial} left and still has a seat"));
        }
    }

    /// The process was killed: nobody is inside until they come back.
    pub fn killed(&mut self) {
        self.inside.clear();
        self.loose = 0;
        self.loose_asked = 0;
    }

    /// A second has passed.
    pub fn tick(&mut self, node: &Node, waits: Waits) {
        let number = node.published();
        if number < self.published {
            self.complain("number", format!("it stepped back from {} to {number}", self.published));
        }
        self.published = self.published.max(number);
        self.digest.update(number.to_le_bytes());
        let Some(door) = node.door() else { return };
        let (taken, cap) = (door.seats().taken(), node.cap());
        self.outcome.taken_max = self.outcome.taken_max.max(taken);
        let free = cap.saturating_sub(taken);
        if let Waits::Judged { people } = waits
            && people > free
        {
            self.outcome.seat_seconds += cap;
            self.outcome.used_seconds += taken.min(cap);
        }
        self.check_books(node);
    }

    /// Somebody was seated who had been told a range.
    pub fn held(&mut self, person: &Person, now_ms: u64) {
        self.outcome.seated += 1;
        let count = |held: &mut Held, told: Option<super::person::Told>| {
            let Some(told) = told else { return };
            held.told += 1;
            held.held += u64::from(told.held(now_ms));
            held.early += u64::from(now_ms - told.at_ms < told.range.low_s * 1_000);
            held.width_s += told.range.high_s - told.range.low_s;
            held.waited_s += (now_ms - told.at_ms) / 1_000;
        };
        match person.nature {
            Nature::Sleeper => count(&mut self.outcome.sleepers, person.first_told),
            Nature::Awake | Nature::Ghost => {
                count(&mut self.outcome.first, person.first_told);
                count(&mut self.outcome.any, person.any_told);
            }
        }
    }

    /// The evening is over; `said` is what was published last before the end.
    pub fn judge(mut self, arrivals: &Arrivals, said: &Snapshot) -> Outcome {
        self.check_draw(arrivals, said);
        self.check_lot(said);
        if self.outcome.used_percent() < USED_PERCENT_MIN {
            let percent = self.outcome.used_percent();
            self.complain("slots", format!("{percent:.2} % of the seats were taken while people waited"));
        }
        let digest = std::mem::take(&mut self.digest).finalize();
        self.outcome.digest = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        self.outcome
    }

    fn check_cap(&mut self, node: &Node) {
        let inside = self.inside.len() as u64 + self.loose;
        if inside > node.cap() {
            self.complain("cap", format!("{inside} are inside where {} may be", node.cap()));
        }
    }

    fn check_books(&mut self, node: &Node) {
        let Some(door) = node.door() else { return };
        let books = door.books();
        let seated = self.inside.len() as u64 + self.loose;
        let counted = (books.arrived(), books.count(Column::Seated), books.count(Column::Waiting));
        let known = (self.issued + self.loose_asked, seated, self.outcome.tickets - self.left_line.count());
        if counted != known || !books.is_balanced() {
            self.complain("books", format!("arrived, seated, waiting are {counted:?}, known are {known:?}"));
        }
    }

    /// Every rank that was told, computed again from nothing but what is published.
    fn check_draw(&mut self, arrivals: &Arrivals, said: &Snapshot) {
        let Some(held) = said.draw.as_ref().and_then(|draw| draw.held.clone()) else { return };
        let draw = Draw::hold(Closed { count: held.count, root: held.root }, &held.lot);
        let mut public = Arrivals::default();
        for minute in (0..).map_while(|no| arrivals.minute(no)) {
            for (place, count) in minute.counts.iter().enumerate() {
                let second = minute.minute * 60 + place as u32;
                for _ in 0..*count {
                    public.issue(second).expect("as many as were issued");
                }
            }
        }
        public.pass_to(arrivals.latest() + 1);
        for (serial, rank) in std::mem::take(&mut self.ranks).into_iter().enumerate() {
            let again = draw.rank(&public, serial as u32);
            if rank != u32::MAX && again != Some(Rank(u64::from(rank))) {
                self.complain(
                    "order",
                    format!("serial {serial} was told rank {rank}, the public data say {again:?}"),
                );
            }
            self.ranks.push(rank);
        }
    }

    /// The draw favours no tenth of those who were drawn.
    fn check_lot(&mut self, said: &Snapshot) {
        let Some(held) = said.draw.as_ref().and_then(|draw| draw.held.clone()) else { return };
        let drawn = self.ranks.iter().take(held.count as usize).enumerate();
        let known: Vec<_> =
            drawn.filter(|(_, rank)| **rank != u32::MAX).map(|(_, rank)| f64::from(*rank)).collect();
        let n = known.len() as f64;
        if n < 200.0 {
            return;
        }
        let mean = known.iter().sum::<f64>() / n;
        let spread = (known.iter().map(|rank| (rank - mean).powi(2)).sum::<f64>() / n).sqrt();
        for (tenth, ranks) in known.chunks(known.len().div_ceil(10)).enumerate() {
            let size = ranks.len() as f64;
            let off = (ranks.iter().sum::<f64>() / size - mean) / (spread / size.sqrt());
            if off.abs() > LOT_DEVIATIONS_MAX {
                self.complain(
                    "lot",
                    format!("tenth {tenth} of the drawn is {off:.1} deviations off the middle"),
                );
            }
        }
    }

    fn complain(&mut self, oracle: &str, what: String) {
        let before = self.outcome.broken.iter().filter(|said| said.starts_with(oracle)).count();
        if before < COMPLAINTS_MAX {
            self.outcome.broken.push(format!("{oracle}: {what}"));
        }
    }
}

/// Whether the seats must be full now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// So many people wait, awake.
    Judged {
        /// How many.
        people: u64,
    },
    /// Seats are only just being filled: boarding, or after a restart or a raised cap.
    NotJudged,
}
