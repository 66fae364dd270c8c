//! Who has a seat. Never more than the cap are given out, in whatever order things happen; a cap that is
//! lowered sends nobody out.
//!
//! A seat taken by a claim lapses after 30 s without media, later 60 s after the last acknowledged byte, so
//! that a lost connection keeps it. A connection without a ticket has its seat until it ends. Each claim of
//! the same ticket displaces the device that had it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::pass::PassWrong;
use crate::time::Time;

#[cfg(test)]
mod tests;

/// A claimed seat lapses when no media was acknowledged for this long, in seconds.
pub const UNHEARD_S_MAX: u64 = 30;
/// A seat lapses this long after the last acknowledged byte, in seconds.
pub const SILENT_S_MAX: u64 = 60;

/// One connection that takes the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Connection(pub u64);

/// What happened to somebody else than who asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// The ticket of this connection was claimed, or its pass shown, elsewhere: close it.
    Displaced(Connection),
    /// A seat is free again.
    Lapsed {
        /// The ticket that had it.
        serial: u32,
        /// Its connection, if it still had one: close it.
        connection: Option<Connection>,
        /// Why.
        why: Lapse,
    },
}

/// Why a seat lapsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lapse {
    /// Nothing was ever heard in it.
    Unheard,
    /// Nothing has been heard in it for too long.
    Silent,
}

/// Every seat is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("every seat is taken")]
pub struct Full;

#[derive(Clone, Copy, Debug)]
struct Seat {
    generation: u32,
    connection: Option<Connection>,
    heard: Option<Time>,
    claimed: Time,
    /// Where it is in `deadlines`; never later than when it lapses.
    looked_at: Time,
}

impl Seat {
    fn lapses_at(&self) -> (Time, Lapse) {
        match self.heard {
            Some(heard) => (heard + Duration::from_secs(SILENT_S_MAX), Lapse::Silent),
            None => (self.claimed + Duration::from_secs(UNHEARD_S_MAX), Lapse::Unheard),
        }
    }
}

/// The seats of one room on one node.
#[derive(Debug, Default)]
pub struct Seats {
    cap: u64,
    claimed: BTreeMap<u32, Seat>,
    loose: BTreeSet<Connection>,
    deadlines: BTreeSet<(Time, u32)>,
    outputs: VecDeque<Output>,
}

impl Seats {
    /// As many as `cap`, all free.
    pub fn new(cap: u64) -> Self {
        Self { cap, ..Self::default() }
    }

    /// Most that are given out from now on; who is inside stays.
    pub fn set_cap(&mut self, cap: u64) {
        self.cap = cap;
    }

    /// Most that are given out.
    pub fn cap(&self) -> u64 {
        self.cap
    }

    /// Seats taken.
    pub fn taken(&self) -> u64 {
        (self.claimed.len() + self.loose.len()) as u64
    }

    /// Seats taken by tickets.
    pub fn claimed(&self) -> u64 {
        self.claimed.len() as u64
    }

    /// Seats that can be given out.
    pub fn free(&self) -> u64 {
        self.cap.saturating_sub(self.taken())
    }

    /// Whether this ticket has a seat.
    pub fn has(&self, serial: u32) -> bool {
        self.claimed.contains_key(&serial)
    }

    /// Seats a ticket, or gives its own seat to the device that asks now. Returns the generation of its pass:
    /// `second`, from when the room's door opened, or one more than the claim before it.
    ///
    /// # Errors
    /// `Full`.
    pub fn claim(&mut self, now: Time, second: u32, serial: u32) -> Result<u32, Full> {
        let before = self.claimed.get(&serial).copied();
        if before.is_none() && self.free() == 0 {
            return Err(Full);
        }
        let generation = before.map_or(second, |seat| seat.generation.saturating_add(1).max(second));
        self.displace(before.and_then(|seat| seat.connection));
        self.sit(serial, Seat { generation, connection: None, heard: None, claimed: now, looked_at: now });
        Ok(generation)
    }

    /// Gives a seat back to a pass that had it before this process began.
    ///
    /// # Errors
    /// `Full`.
    pub fn resume(&mut self, now: Time, serial: u32, generation: u32) -> Result<(), Full> {
        if self.free() == 0 && !self.has(serial) {
            return Err(Full);
        }
        self.sit(serial, Seat { generation, connection: None, heard: None, claimed: now, looked_at: now });
        Ok(())
    }

    /// Whether this generation of the ticket's passes has its seat.
    ///
    /// # Errors
    /// `Displaced` or `Lapsed`.
    pub fn check(&self, serial: u32, generation: u32) -> Result<(), PassWrong> {
        match self.claimed.get(&serial) {
            Some(seat) if seat.generation == generation => Ok(()),
            Some(seat) if seat.generation > generation => Err(PassWrong::Displaced),
            Some(_) | None => Err(PassWrong::Lapsed),
        }
    }

    /// A connection shows the pass and takes the program; the one that did before is displaced.
    ///
    /// # Errors
    /// `Displaced` or `Lapsed`.
    pub fn join(&mut self, serial: u32, generation: u32, connection: Connection) -> Result<(), PassWrong> {
        self.check(serial, generation)?;
        let seat = self.claimed.get_mut(&serial).ok_or(PassWrong::Lapsed)?;
        let before = seat.connection.replace(connection);
        self.displace(before.filter(|before| *before != connection));
        Ok(())
    }

    /// Bytes of the program were acknowledged by whoever has this pass.
    ///
    /// # Errors
    /// `Displaced` or `Lapsed`.
    pub fn heard(&mut self, now: Time, serial: u32, generation: u32) -> Result<(), PassWrong> {
        self.check(serial, generation)?;
        let seat = self.claimed.get_mut(&serial).ok_or(PassWrong::Lapsed)?;
        seat.heard = Some(seat.heard.map_or(now, |before| before.max(now)));
        Ok(())
    }

    /// A connection with a pass has ended; its seat waits for it.
    pub fn hang_up(&mut self, serial: u32, connection: Connection) {
        if let Some(seat) = self.claimed.get_mut(&serial).filter(|seat| seat.connection == Some(connection)) {
            seat.connection = None;
        }
    }

    /// Seats a connection without a ticket.
    ///
    /// # Errors
    /// `Full`.
    pub fn take(&mut self, connection: Connection) -> Result<(), Full> {
        if self.free() == 0 && !self.loose.contains(&connection) {
            return Err(Full);
        }
        self.loose.insert(connection);
        Ok(())
    }

    /// A connection without a ticket has ended; whether it had a seat.
    pub fn release(&mut self, connection: Connection) -> bool {
        self.loose.remove(&connection)
    }

    /// Nobody has a seat any more, and none is given out; how many had one.
    pub fn close(&mut self) -> u64 {
        let taken = self.taken();
        *self = Self::default();
        taken
    }

    /// Frees the seats that have lapsed.
    pub fn pass_to(&mut self, now: Time) {
        while let Some(&(at, serial)) = self.deadlines.first().filter(|(at, _)| *at <= now) {
            self.deadlines.remove(&(at, serial));
            let Some(seat) = self.claimed.get_mut(&serial) else { continue };
            let (lapses_at, why) = seat.lapses_at();
            if lapses_at > now {
                seat.looked_at = lapses_at;
                self.deadlines.insert((lapses_at, serial));
            } else {
                let connection = seat.connection;
                self.claimed.remove(&serial);
                self.outputs.push_back(Output::Lapsed { serial, connection, why });
            }
        }
    }

    /// What happened since; `None` when there is nothing more.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to call `pass_to` next.
    pub fn poll_timeout(&self) -> Option<Time> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    fn sit(&mut self, serial: u32, mut seat: Seat) {
        seat.looked_at = seat.lapses_at().0;
        self.deadlines.insert((seat.looked_at, serial));
        if let Some(before) = self.claimed.insert(serial, seat).filter(|old| old.looked_at != seat.looked_at)
        {
            self.deadlines.remove(&(before.looked_at, serial));
        }
    }

    fn displace(&mut self, connection: Option<Connection>) {
        self.outputs.extend(connection.map(Output::Displaced));
    }
}
