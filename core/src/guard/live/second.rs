//! What happened in one second, and in the last few together.

use serde::Serialize;

use super::account::{Account, Sums, Unit};
use super::source::Put;

/// The sums of one second, or of several.
#[derive(Clone, Copy, Debug, Default)]
pub struct Second {
    /// By account.
    pub sums: Sums,
    /// Requests put to no attack that are one's all the same, by what is known of who came with their source.
    pub doubted: f64,
    /// Requests of who never heard anything and could have.
    pub silent: u64,
    /// Requests that are not explained yet.
    pub owed: u64,
    /// Requests through proxies that nobody trusts.
    pub forwarded: u64,
    /// Answers with an error of ours, to whom nothing is to be blamed for.
    pub errors: u64,
    /// How it is known that somebody hears.
    pub proofs: Proofs,
}

/// How it is known that somebody hears: never by what was sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Proofs {
    /// Parts and segments that the other side's kernel acknowledged.
    pub acknowledged: u64,
    /// Receipts of listeners' own pages.
    pub receipts: u64,
    /// Receipts that were none.
    pub false_receipts: u64,
}

impl Proofs {
    /// Others.
    pub const fn plus(&mut self, other: &Self) {
        self.acknowledged += other.acknowledged;
        self.receipts += other.receipts;
        self.false_receipts += other.false_receipts;
    }
}

impl Second {
    /// A request.
    pub fn request(&mut self, put: &Put, (is_silent, is_error): (bool, bool)) {
        self.sums.add(Unit::Requests, put.account, 1);
        self.forwarded += u64::from(put.is_forwarded);
        if put.account.is_blamed() {
            return;
        }
        self.errors += u64::from(is_error);
        self.owed += u64::from(put.is_owed);
        if put.account == Account::Newcomer {
            self.silent += u64::from(is_silent);
            self.doubted += f64::from(put.doubt);
        }
    }

    /// Of what another second has only these accounts; all else is not told apart.
    pub fn only(&mut self, other: &Self, is_one: impl Fn(Account) -> bool) {
        for unit in Unit::ALL {
            for account in Account::ALL {
                let put = if is_one(account) { account } else { Account::Unseen };
                self.sums.add(unit, put, other.sums.get(unit, account));
            }
        }
        self.proofs.plus(&other.proofs);
    }

    /// Another second's.
    pub fn plus(&mut self, other: &Self) {
        self.sums.plus(&other.sums);
        self.doubted += other.doubted;
        self.silent += other.silent;
        self.owed += other.owed;
        self.forwarded += other.forwarded;
        self.errors += other.errors;
        self.proofs.plus(&other.proofs);
    }
}
