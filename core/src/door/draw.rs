//! The order of the line: who came before the draw is drawn by lot, who came later follows in order of
//! arrival, shuffled only within a second. Everybody can compute every rank from what is published.
//!
//! `docs/draw.md` says how, in words that need no Rust; `docs/verify-draw.py` does it.

use sha2::{Digest, Sha256};

use super::arrivals::{Arrivals, Issued};
use super::entries::Closed;
use super::merkle::Hash;
use super::permutation::Permutation;

/// The label of the draw's permutation.
const DRAW: &[u8] = b"draw";
/// The label of a second's permutation, before the second's number (u32, big-endian).
const SECOND: &[u8] = b"second";

/// A place in the order, from 0. A ticket is called when its rank is below `now_serving`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rank(pub u64);

/// Where the lot comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The operator's own number, to which they were committed from when the door opened.
    Operator,
    /// The round of a public beacon, fixed at the announcement: nobody here can know or steer it.
    Beacon {
        /// Its number.
        round: u64,
    },
}

impl Source {
    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Beacon { .. } => "beacon",
        }
    }
}

/// What the operator publishes from the beginning: SHA-256 of the number that is revealed at the draw.
pub fn commitment(number: &[u8; 32]) -> Hash {
    Sha256::digest(number).into()
}

/// The draw, held.
#[derive(Clone, Debug)]
pub struct Draw {
    closed: Closed,
    seed: [u8; 32],
    drawn: Permutation,
}

impl Draw {
    /// Draws those on the closed list: seed = SHA-256(root ‖ lot), where the lot is the operator's revealed
    /// number or the beacon's randomness.
    pub fn hold(closed: Closed, lot: &[u8]) -> Self {
        let seed = Sha256::new_with_prefix(closed.root).chain_update(lot).finalize().into();
        Self { closed, seed, drawn: Permutation::new(&seed, DRAW, closed.count) }
    }

    /// The list it was held over.
    pub fn closed(&self) -> Closed {
        self.closed
    }

    /// The seed of every order.
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// A ticket's rank; `None` while its second is not over, or when no such serial was issued.
    pub fn rank(&self, arrivals: &Arrivals, serial: u32) -> Option<Rank> {
        if serial < self.closed.count {
            return Some(Rank(u64::from(self.drawn.place(serial))));
        }
        let second = arrivals.second_of(serial).filter(|second| arrivals.is_over(*second))?;
        let span = arrivals.of(second);
        let place = self.order_within(second, span.count).place(serial - span.first);
        Some(Rank(u64::from(span.first) + u64::from(place)))
    }

    /// Tickets with a rank; their ranks are exactly those below this number.
    pub fn ranked(&self, arrivals: &Arrivals) -> u64 {
        u64::from(arrivals.settled())
    }

    fn order_within(&self, second: u32, count: u32) -> Permutation {
        let label = [SECOND, &second.to_be_bytes()].concat();
        Permutation::new(&self.seed, &label, count)
    }
}

/// Whether a ticket that was shown is on the list: its seal is right, but the list may have been lost since.
pub fn is_listed(arrivals: &Arrivals, shown: Issued) -> bool {
    arrivals.second_of(shown.serial) == Some(shown.second)
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    use crate::door::entries::Entries;
    use crate::door::ticket::Holder;

    fn evening(seconds: &[u32], closes_before: u32) -> (Entries, Draw) {
        let mut entries = Entries::new(closes_before);
        for (n, second) in seconds.iter().enumerate() {
            entries.issue(*second, Holder([n as u8; 12]));
        }
        entries.pass_to(1_000);
        let draw = Draw::hold(entries.closed().expect("it is late"), b"lot");
        (entries, draw)
    }

    #[test]
    fn a_rank_is_known_when_its_second_is_over() {
        let mut entries = Entries::new(0);
        let draw = Draw::hold(entries.closed().expect("nobody is drawn"), &[7; 32]);
        entries.issue(3, Holder([1; 12]));
        assert_eq!((draw.rank(entries.arrivals(), 0), draw.ranked(entries.arrivals())), (None, 0));
        entries.pass_to(4);
        assert_eq!((draw.rank(entries.arrivals(), 0), draw.ranked(entries.arrivals())), (Some(Rank(0)), 1));
        assert_eq!(draw.rank(entries.arrivals(), 1), None);
        assert!(is_listed(entries.arrivals(), Issued { serial: 0, second: 3 }));
        assert!(!is_listed(entries.arrivals(), Issued { serial: 0, second: 2 }));
    }

    #[test]
    fn the_seed_hangs_on_the_list_and_on_the_lot() {
        let closed = Closed { count: 5, root: [1; 32] };
        let seed = |closed, lot: &[u8]| *Draw::hold(closed, lot).seed();
        assert_ne!(seed(closed, b"a"), seed(closed, b"b"));
        assert_ne!(seed(closed, b"a"), seed(Closed { root: [2; 32], ..closed }, b"a"));
        assert_ne!(commitment(&[1; 32]), commitment(&[2; 32]));
    }

    /// Goal: coming early gains nothing before the draw. Method: the rank correlation (Spearman) of serial
    /// and rank over 2,000 drawn tickets stays within four of its deviations, 1/√(n−1), for each of 20 lots.
    #[test]
    fn the_draw_favours_nobody() {
        let mut entries = Entries::new(60);
        for n in 0..2_000_u32 {
            entries.issue(n / 40, Holder([0; 12]));
        }
        entries.pass_to(60);
        for lot in 0..20_u8 {
            let draw = Draw::hold(entries.closed().expect("it is late"), &[lot]);
            let distance: f64 = (0..2_000_u32)
                .map(|serial| {
                    let rank = draw.rank(entries.arrivals(), serial).expect("it is drawn").0 as f64;
                    (rank - f64::from(serial)).powi(2)
                })
                .sum();
            let n = 2_000.0_f64;
            let correlation = 1.0 - 6.0 * distance / (n * (n * n - 1.0));
            assert!(correlation.abs() < 4.0 / (n - 1.0).sqrt(), "lot {lot}: {correlation}");
        }
    }

    proptest! {
        #[test]
        fn ranks_are_an_order(mut seconds in prop::collection::vec(0..40_u32, 0..200), closes in 0..50_u32) {
            seconds.sort_unstable();
            let (entries, draw) = evening(&seconds, closes);
            let arrivals = entries.arrivals();
            let rank = |serial| draw.rank(arrivals, serial).expect("it is over").0;
            let ranks: Vec<_> = (0..arrivals.issued()).map(rank).collect();
            let mut sorted = ranks.clone();
            sorted.sort_unstable();
            prop_assert!(sorted.iter().copied().eq(0..u64::from(arrivals.issued())));
            for later in (draw.closed().count as usize)..ranks.len() {
                for earlier in 0..later {
                    let came_first = seconds[earlier] < seconds[later];
                    prop_assert!(!came_first || ranks[earlier] < ranks[later]);
                }
            }
        }
    }
}
