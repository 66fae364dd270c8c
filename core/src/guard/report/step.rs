//! What a report needs of one second, and of several together.

use super::line::{Line, RoomSaid, parts};
use crate::guard::Kind;
use crate::guard::live::{Account, Sums, Unit};

/// A second of an evening, of the room it is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Second {
    pub seq: u64,
    pub at_ms: i64,
    pub sums: Sums,
    pub people: u64,
    pub newcomers: [u64; 2],
    pub kind: Kind,
    pub is_own_fault: bool,
    /// Of the requests, in parts of ten thousand.
    pub share: [u64; 2],
    pub is_surge: bool,
    pub is_error: bool,
    pub acts: u64,
    /// SHA-256 of the audit's key, and the key where it is told.
    pub audit: Option<([u8; 32], Option<[u8; 32]>)>,
    pub room: Option<RoomSaid>,
}

impl Second {
    pub(super) fn of(line: &Line, room: &str) -> Self {
        let verdict = &line.verdict;
        Self {
            seq: line.seq,
            at_ms: line.at_ms(),
            sums: line.sums(),
            people: line.people,
            newcomers: line.newcomers,
            kind: verdict.kind,
            is_own_fault: verdict.self_inflicted,
            share: verdict.attack_share.requests.map(parts),
            is_surge: line.onset_ms.surge_ms.is_some(),
            is_error: line.onset_ms.error_ms.is_some(),
            acts: line.acts.len() as u64,
            audit: line.audit(),
            room: line.rooms.get(room).copied(),
        }
    }

    /// Whether anything of any unit was put to an account.
    pub(super) fn has(&self, account: Account) -> bool {
        Unit::ALL.into_iter().any(|unit| self.sums.get(unit, account) > 0)
    }
}

/// The range in which an attack's share of requests lies: that of every second, weighted by its requests, in
/// parts of ten thousand and rounded away from what it bounds.
pub(super) fn share_of<'a>(seconds: impl IntoIterator<Item = &'a Second>) -> Option<[u64; 2]> {
    let (mut low, mut high, mut all) = (0_u128, 0_u128, 0_u128);
    for second in seconds {
        let requests = u128::from(second.sums.total(Unit::Requests));
        low += u128::from(second.share[0]) * requests;
        high += u128::from(second.share[1]) * requests;
        all += requests;
    }
    let whole = |number: u128| u64::try_from(number).unwrap_or(u64::MAX);
    (all > 0).then(|| [whole(low / all), whole(high.div_ceil(all))])
}
