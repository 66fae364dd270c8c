//! The ledger: everything a node was asked for in a second, put to exactly one account.

use serde::Serialize;

/// What explains what somebody took of the node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Account {
    /// They hear, and ask for no more than who hears.
    Listener,
    /// They have just come, wait in line or look on, and ask for no more than that.
    Newcomer,
    /// We refused them or answered with an error of ours, and they come again.
    OurDoing,
    /// Nothing explains it.
    Unexplained,
    /// It breaks the rules of HTTP or of the door, or holds connections half open.
    Violation,
    /// Refused before it cost anything; whose it was is not known.
    Shed,
    /// Not told apart: a trusted proxy's connections, requests through one we do not trust, and what somebody
    /// did whom there was no room to remember.
    Unseen,
}

impl Account {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 7] = [
        Self::Listener,
        Self::Newcomer,
        Self::OurDoing,
        Self::Unexplained,
        Self::Violation,
        Self::Shed,
        Self::Unseen,
    ];

    /// The word in metrics and documents.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Listener => "listener",
            Self::Newcomer => "newcomer",
            Self::OurDoing => "our_doing",
            Self::Unexplained => "unexplained",
            Self::Violation => "violation",
            Self::Shed => "shed",
            Self::Unseen => "unseen",
        }
    }

    /// Whether an attack is what it is put to.
    pub const fn is_blamed(self) -> bool {
        matches!(self, Self::Unexplained | Self::Violation)
    }
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Connections that were accepted.
    Connections,
    /// Handshakes of TLS, whether they came to an end or not.
    Handshakes,
    /// Requests that were answered, one way or another.
    Requests,
    /// Connections that were open at a second's end: one second each.
    ConnectionSeconds,
}

impl Unit {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 4] = [Self::Connections, Self::Handshakes, Self::Requests, Self::ConnectionSeconds];

    /// The word in metrics and documents.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Connections => "connections",
            Self::Handshakes => "handshakes",
            Self::Requests => "requests",
            Self::ConnectionSeconds => "connection_seconds",
        }
    }
}

/// Sums by unit and account: of a second, or of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums([[u64; Account::ALL.len()]; Unit::ALL.len()]);

impl Sums {
    /// So much more.
    pub const fn add(&mut self, unit: Unit, account: Account, more: u64) {
        self.0[unit as usize][account as usize] += more;
    }

    /// Other sums.
    pub fn plus(&mut self, other: &Self) {
        for (row, more) in self.0.iter_mut().zip(&other.0) {
            for (sum, more) in row.iter_mut().zip(more) {
                *sum += more;
            }
        }
    }

    /// What was put to an account.
    pub const fn get(&self, unit: Unit, account: Account) -> u64 {
        self.0[unit as usize][account as usize]
    }

    /// All accounts together: what the sockets counted.
    pub fn total(&self, unit: Unit) -> u64 {
        self.0[unit as usize].iter().sum()
    }

    /// What an attack is blamed for.
    pub const fn blamed(&self, unit: Unit) -> u64 {
        self.get(unit, Account::Unexplained) + self.get(unit, Account::Violation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_of_every_account_is_counted_once() {
        let mut sums = Sums::default();
        for (unit, times) in Unit::ALL.into_iter().zip(1..) {
            for account in Account::ALL {
                sums.add(unit, account, times);
            }
            assert_eq!(sums.total(unit), 7 * times);
            assert_eq!(sums.blamed(unit), 2 * times);
        }
        let other = sums;
        sums.plus(&other);
        assert_eq!(sums.total(Unit::Requests), 2 * other.total(Unit::Requests));
        assert_eq!(sums.get(Unit::ConnectionSeconds, Account::Unseen), 8);
        assert_eq!(serde_json::json!(Account::OurDoing), Account::OurDoing.word());
        assert_eq!(serde_json::json!(Unit::ConnectionSeconds), Unit::ConnectionSeconds.word());
    }
}
