//! What a source's connections are put to.

use super::{Account, Source};

/// Connections that anybody may hold open, and that each piece of sound of late and each person explains.
const CONNECTIONS: f32 = 12.0;
const CONNECTIONS_PER_RECENT: f32 = 4.0;
const CONNECTIONS_PER_PERSON: f32 = 2.0;
/// Who was blamed is so for so long, in milliseconds.
const BLAMED_MS: u64 = 2_000;

impl Source {
    /// A connection of its is accepted: the account it is put to.
    pub fn opens(&mut self, at_ms: u64) -> Account {
        self.pass(at_ms);
        self.open += 1;
        self.of_connections(at_ms, self.open)
    }

    /// A connection of its is over.
    pub fn closes(&mut self, at_ms: u64) {
        self.pass(at_ms);
        self.open = self.open.saturating_sub(1);
    }

    /// One of its connections is without a whole request for too long.
    pub fn is_half_open(&mut self, at_ms: u64) {
        self.breaks_rules(at_ms);
        self.half_open += 1;
    }

    /// And is so no more.
    pub fn is_not_half_open(&mut self) {
        self.half_open = self.half_open.saturating_sub(1);
    }

    /// It begins or ends to take the program as one long answer.
    pub const fn streams(&mut self, begins: bool) {
        self.streams = if begins { self.streams + 1 } else { self.streams.saturating_sub(1) };
    }

    /// What a connection, the `nth` of its, is put to.
    pub fn of_connections(&self, at_ms: u64, nth: u32) -> Account {
        if let Some((blamed_ms, account)) = self.blamed_ms
            && at_ms <= blamed_ms + BLAMED_MS
            && !self.hears(at_ms)
        {
            return account;
        }
        if self.is_proxy() {
            return Account::Unseen;
        }
        let explained = CONNECTIONS * (1.0 + self.streams as f32)
            + CONNECTIONS_PER_RECENT * self.recent
            + CONNECTIONS_PER_PERSON * self.persons;
        if nth as f32 > explained { Account::Unexplained } else { self.explained(at_ms) }
    }

    /// Connections open now, and of them those that are half open.
    pub const fn connections(&self) -> (u32, u32) {
        let half_open = if self.half_open < self.open { self.half_open } else { self.open };
        (self.open, half_open)
    }
}
