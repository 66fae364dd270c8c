//! The doorkeeper: one room's entry list, draw, line, seats and books, as one machine.
//!
//! Who asks gets an answer at once; what happens to others meanwhile comes out of `poll_output`. It is told
//! the time by `tick` about once a second, and nothing else moves the line.

mod restart;
#[cfg(test)]
mod tests;

use super::arrivals::{Arrivals, Issued};
use super::draw::{Draw, Rank, Source, is_listed};
use super::entries::{Closed, Entries};
use super::eta::{self, Eta, Range};
use super::line::{self, Line};
use super::merkle::Hash;
use super::pass::PassWrong;
use super::poll::Standing;
use super::seats::{Connection, Lapse, Output, Seats};
use super::snapshot::{DrawSaid, HeldSaid, Snapshot};
use super::spent::Spent;
use super::ticket::{Holder, TicketWrong};
use crate::books::{Books, Column};
use crate::reason::{Departure, Refusal};
use crate::time::{Time, WallTime};

pub use restart::Kept;

/// What is announced about the draw before it is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced {
    /// When: a minute before the start, or when the door opened for a room without a schedule.
    pub at: WallTime,
    /// The first second, from when the door opened, whose tickets are not drawn; 0 when nobody is.
    pub closes_before: u32,
    /// Where the lot will come from.
    pub source: Source,
    /// What the operator is committed to.
    pub commitment: Option<Hash>,
}

/// How a door opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The draw.
    pub announced: Announced,
    /// When the room starts; `None` without a schedule.
    pub start: Option<Time>,
    /// Seats.
    pub cap: u64,
    /// New connections a second that the node can take.
    pub claims_per_s_max: u32,
}

/// Where a ticket stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// It is in the draw, which has not been held.
    NotDrawn,
    /// Its rank is known when its second is over.
    Settling,
    /// It is not called yet.
    InLine {
        /// Its rank.
        rank: Rank,
        /// Tickets before it that are not called.
        ahead: u64,
        /// People before it: tickets by the share that comes.
        people: u64,
        /// When it will be seated, if that can be told.
        eta: Option<Range>,
    },
    /// It may take the next free seat.
    Called {
        /// Its rank.
        rank: Rank,
    },
}

/// What comes of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It has a seat; a pass of this generation is to be made out.
    Seated {
        /// The pass's generation.
        generation: u32,
        /// Whether it had none until now: then it is to be kept that it has left the line.
        first: First,
    },
    /// It was not called.
    NotYet(Place),
    /// It is called, and every seat is taken at this moment; it keeps its place.
    Full,
    /// The room is over.
    Ended,
}

/// Whether a claim is one's first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// The ticket left the line.
    Yes,
    /// It had left it before.
    No,
}

/// The list for the draw is still open, or the draw was held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is nothing to draw now")]
pub struct NothingToDraw;

/// One room's door.
#[derive(Debug)]
pub struct Doorkeeper {
    announced: Announced,
    entries: Entries,
    held: Option<(Draw, Vec<u8>)>,
    line: Line,
    eta: Eta,
    seats: Seats,
    spent: Spent,
    books: Books,
    /// Passes from before a restart get their seats back until then.
    resume_until: Time,
    over: bool,
}

impl Doorkeeper {
    /// A door that opens now.
    pub fn open(opening: Opening) -> Self {
        let mut line = Line::new(opening.claims_per_s_max);
        line.handle_input(Time::ZERO, line::Input::Start(opening.start));
        Self {
            announced: opening.announced,
            entries: Entries::new(opening.announced.closes_before),
            held: None,
            line,
            eta: Eta::default(),
            seats: Seats::new(opening.cap),
            spent: Spent::default(),
            books: Books::default(),
            resume_until: Time::ZERO,
            over: false,
        }
    }

    /// Issues a ticket in `second`, or in the latest when the clock was set back.
    ///
    /// # Errors
    /// `RoomEnded`, `TicketsFull`.
    pub fn issue(&mut self, second: u32, holder: Holder) -> Result<Issued, Refusal> {
        if self.over {
            return Err(Refusal::RoomEnded);
        }
        let issued = self.entries.issue(second, holder).ok_or(Refusal::TicketsFull)?;
        self.books.arrive(Column::Waiting);
        Ok(issued)
    }

    /// Where a ticket stands.
    ///
    /// # Errors
    /// `NotListed`.
    pub fn place(&self, now: Time, ticket: Issued) -> Result<Place, TicketWrong> {
        if !is_listed(self.arrivals(), ticket) {
            return Err(TicketWrong::NotListed);
        }
        let Some((draw, _)) = &self.held else { return Ok(Place::NotDrawn) };
        let Some(rank) = draw.rank(self.arrivals(), ticket.serial) else { return Ok(Place::Settling) };
        let Some(ahead) = rank.0.checked_sub(self.line.now_serving()) else {
            return Ok(Place::Called { rank });
        };
        let people = (ahead as f64 * self.line.claim_share()).ceil() as u64;
        Ok(Place::InLine { rank, ahead, people, eta: self.eta.range(now, rank) })
    }

    /// How a ticket's holder is to ask again (`poll::ask_again`); `draw_in_s` is told by who knows the clock.
    pub fn standing(&self, place: Place, draw_in_s: f64) -> Standing {
        match place {
            Place::NotDrawn => {
                Standing::BeforeDraw { draw_in_s, tickets: u64::from(self.arrivals().issued()) }
            }
            Place::Settling => Standing::Settling,
            Place::InLine { ahead, eta, .. } => Standing::InLine { ahead, eta },
            Place::Called { .. } => Standing::AtDoor,
        }
    }

    /// Somebody claims a seat with a ticket that is theirs.
    ///
    /// # Errors
    /// `NotListed`.
    pub fn claim(&mut self, now: Time, ticket: Issued) -> Result<Claim, TicketWrong> {
        if self.over {
            return Ok(Claim::Ended);
        }
        let rank = match self.place(now, ticket)? {
            Place::Called { rank } => rank,
            place @ (Place::NotDrawn | Place::Settling | Place::InLine { .. }) => {
                return Ok(Claim::NotYet(place));
            }
        };
        let had_seat = self.seats.has(ticket.serial);
        let Ok(generation) = self.seats.claim(now, self.arrivals().latest(), ticket.serial) else {
            self.line.handle_input(now, line::Input::Turned { rank });
            return Ok(Claim::Full);
        };
        if had_seat {
            return Ok(Claim::Seated { generation, first: First::No });
        }
        self.line.handle_input(now, line::Input::Claimed { rank });
        let first = self.sit_down(ticket.serial);
        Ok(Claim::Seated { generation, first })
    }

    /// A connection shows a pass and takes the program.
    ///
    /// # Errors
    /// `Displaced`, `Lapsed`: then the ticket is to be claimed again.
    pub fn join(&mut self, now: Time, pass: (u32, u32), connection: Connection) -> Result<(), PassWrong> {
        let (serial, generation) = pass;
        self.take_back(now, serial, generation);
        self.seats.join(serial, generation, connection)
    }

    /// Bytes of the program were acknowledged by whoever has this pass.
    ///
    /// # Errors
    /// `Displaced`, `Lapsed`.
    pub fn heard(&mut self, now: Time, (serial, generation): (u32, u32)) -> Result<(), PassWrong> {
        self.take_back(now, serial, generation);
        self.seats.heard(now, serial, generation)
    }

    /// A connection with a pass has ended; its seat waits for it.
    pub fn hang_up(&mut self, serial: u32, connection: Connection) {
        self.seats.hang_up(serial, connection);
    }

    /// A connection without a ticket asks for the program: it gets a free seat if nobody is waiting, called
    /// or in the draw.
    ///
    /// # Errors
    /// `RoomEnded`, `TakeATicket`, `FullForNow`; each is a person refused.
    pub fn come_without_ticket(&mut self, connection: Connection) -> Result<(), Refusal> {
        let seated = match self.without_ticket() {
            Some(why) => Err(why),
            None => self.seats.take(connection).map_err(|_| Refusal::FullForNow),
        };
        match seated {
            Ok(()) => self.books.arrive(Column::Seated),
            Err(why) => self.books.arrive_refused(why),
        }
        seated
    }

    /// Whether a connection without a ticket would be seated now; nobody is counted for asking.
    ///
    /// # Errors
    /// Why not, as `come_without_ticket` says it.
    pub fn would_seat(&self) -> Result<(), Refusal> {
        match self.without_ticket() {
            Some(why) => Err(why),
            None if self.seats.free() == 0 => Err(Refusal::FullForNow),
            None => Ok(()),
        }
    }

    /// A player that takes no seat of its own may begin where a connection would be seated; one that may not
    /// is a person refused.
    ///
    /// # Errors
    /// Why not, as `come_without_ticket` says it.
    pub fn pass_by(&mut self) -> Result<(), Refusal> {
        self.would_seat().inspect_err(|why| self.books.arrive_refused(*why))
    }

    /// A connection without a ticket has ended.
    pub fn go_without_ticket(&mut self, connection: Connection, why: Departure) {
        if self.seats.release(connection) {
            self.books.leave(Column::Seated, why);
        }
    }

    /// The clock shows `second`: the ranks of those who came before it are known. Nothing else moves.
    pub fn pass_to(&mut self, second: u32) {
        if !self.over {
            self.entries.pass_to(second);
        }
    }

    /// Time has passed; `second` by the clock on the wall, from when the door opened.
    pub fn tick(&mut self, now: Time, second: u32) {
        if self.over {
            return;
        }
        self.entries.pass_to(second);
        self.seats.pass_to(now);
        let ranked = self.held.as_ref().map(|(draw, _)| draw.ranked(self.entries.arrivals()));
        let seen = line::Seen { ranked, cap: self.seats.cap(), taken: self.seats.taken() };
        self.line.handle_input(now, line::Input::Tick(seen));
        while self.line.poll_output().is_some() {}
        let Some(ranked) = ranked else { return };
        let seen = eta::Seen {
            now_serving: self.line.now_serving(),
            ranked,
            claim_share: self.line.claim_share(),
            room_left: self.line.room_left(),
            free: self.seats.free(),
            cap: self.seats.cap(),
            boarded_at: self.line.boarded_at(),
        };
        self.eta.tick(now, seen);
    }

    /// What happened to somebody else; `None` when there is nothing more.
    pub fn poll_output(&mut self) -> Option<Output> {
        let output = self.seats.poll_output()?;
        if let Output::Lapsed { serial, why, .. } = output {
            match why {
                Lapse::Unheard => {
                    self.spent.clear(serial);
                    self.books.unseat();
                }
                Lapse::Silent => self.books.leave(Column::Seated, Departure::HungUp),
            }
        }
        Some(output)
    }

    /// When to call `tick` next.
    pub fn poll_timeout(&self) -> Option<Time> {
        let line = self.line.poll_timeout();
        let seats = self.seats.poll_timeout();
        line.into_iter().chain(seats).min().filter(|_| !self.over)
    }

    /// The list to draw from, when it is closed and not drawn.
    pub fn to_draw(&self) -> Option<Closed> {
        self.entries.closed().filter(|_| self.held.is_none())
    }

    /// Holds the draw: with the operator's number, or the beacon's randomness.
    ///
    /// # Errors
    /// `NothingToDraw`.
    pub fn hold_draw(&mut self, lot: &[u8]) -> Result<(), NothingToDraw> {
        let closed = self.to_draw().ok_or(NothingToDraw)?;
        self.held = Some((Draw::hold(closed, lot), lot.to_vec()));
        Ok(())
    }

    /// The start is at another time, and the draw with it unless its list is closed.
    pub fn set_start(&mut self, now: Time, start: Option<Time>, draw: (WallTime, u32)) {
        let (at, closes_before) = draw;
        self.line.handle_input(now, line::Input::Start(start));
        if self.entries.closed().is_none() {
            self.announced.closes_before = self.entries.close_before(closes_before);
            self.announced.at = at;
        }
    }

    /// The first second, from when the door opened, whose tickets are not drawn.
    pub fn closes_before(&self) -> u32 {
        self.announced.closes_before
    }

    /// Most seats from now on; nobody is sent out.
    pub fn set_cap(&mut self, cap: u64) {
        self.seats.set_cap(cap);
    }

    /// The room is over: nobody waits and nobody is seated any more.
    pub fn end(&mut self) {
        if std::mem::replace(&mut self.over, true) {
            return;
        }
        while self.poll_output().is_some() {}
        let called = self.held.as_ref().map_or(0, |(draw, _)| draw.ranked(self.entries.arrivals()));
        let called = called.min(self.line.now_serving());
        self.seats.close();
        self.books.leave_many(Column::Seated, Departure::RoomEnded, self.books.count(Column::Seated));
        let waiting = self.books.count(Column::Waiting);
        let absent =
            called.saturating_sub(self.spent.count()).saturating_sub(self.line.at_door()).min(waiting);
        self.books.leave_many(Column::Waiting, Departure::NeverClaimed, absent);
        self.books.leave_many(Column::Waiting, Departure::TurnedAway, waiting - absent);
    }

    /// People who want in: those not called yet, by the share that comes, and those who are called and may
    /// be expected. Who was called and never came does not.
    pub fn wanting(&self) -> u64 {
        let uncalled = u64::from(self.arrivals().issued()).saturating_sub(self.line.now_serving());
        let people = uncalled as f64 * self.line.claim_share() + self.line.expected();
        (people.ceil() as u64).min(self.books.count(Column::Waiting))
    }

    /// When tickets were issued.
    pub fn arrivals(&self) -> &Arrivals {
        self.entries.arrivals()
    }

    /// The books.
    pub fn books(&self) -> &Books {
        &self.books
    }

    /// The seats.
    pub fn seats(&self) -> &Seats {
        &self.seats
    }

    /// Tickets with a rank below this are called.
    pub fn now_serving(&self) -> u64 {
        self.line.now_serving()
    }

    /// What everybody is told; cap and ladder are told by who decides them.
    pub fn snapshot(&self) -> Snapshot {
        let held = self.held.as_ref().map(|(draw, lot)| HeldSaid {
            count: draw.closed().count,
            root: draw.closed().root,
            lot: lot.clone(),
            seed: *draw.seed(),
        });
        let Announced { at, source, commitment, .. } = self.announced;
        Snapshot {
            tickets: u64::from(self.arrivals().issued()),
            now_serving: self.line.now_serving(),
            waiting: self.books.count(Column::Waiting),
            claim_ratio: self.line.claim_ratio(),
            rate: self.eta.rate(),
            eta_hit_rate: self.eta.hit_rate(),
            draw: Some(DrawSaid { at, source, commitment, held }),
            cap: None,
            ladder: None,
        }
    }

    /// Bytes that the waiting take: the bits of their tickets and the seconds they came in.
    pub fn waiting_bytes(&self) -> usize {
        self.spent.bytes() + self.arrivals().bytes()
    }

    fn without_ticket(&self) -> Option<Refusal> {
        let issued = u64::from(self.arrivals().issued());
        let in_draw = self.held.is_none() && issued > 0;
        let waiting = issued > self.line.now_serving() || issued > u64::from(self.arrivals().settled());
        if self.over {
            Some(Refusal::RoomEnded)
        } else if in_draw || waiting || self.line.owed() > 0 {
            Some(Refusal::TakeATicket)
        } else {
            None
        }
    }

    fn sit_down(&mut self, serial: u32) -> First {
        if self.spent.set(serial) {
            self.books.seat();
            First::Yes
        } else {
            self.books.come_back(Departure::HungUp);
            First::No
        }
    }
}
