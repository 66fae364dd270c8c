//! The entry list of a room: who holds which serial, and when the list for the draw closed.
//!
//! The list for the draw closes at a second: those counted before it are drawn. It closes by itself when time
//! gets there, with the root over exactly those tickets, so that nothing that comes after can change it.

use super::arrivals::{Arrivals, Issued};
use super::merkle::{Hash, Leaf, Tree};
use super::ticket::Holder;

/// The list for the draw, closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed {
    /// Tickets on it: the serials below this.
    pub count: u32,
    /// The root over them.
    pub root: Hash,
}

/// The tickets of a room.
#[derive(Clone, Debug)]
pub struct Entries {
    arrivals: Arrivals,
    tree: Tree,
    /// The first second whose tickets are not drawn.
    closes_before: u32,
    closed: Option<Closed>,
}

impl Entries {
    /// An empty list that closes for the draw before `second`; 0 for a room that draws nobody.
    pub fn new(closes_before: u32) -> Self {
        let mut entries =
            Self { arrivals: Arrivals::default(), tree: Tree::default(), closes_before, closed: None };
        entries.pass_to(0);
        entries
    }

    /// The list as it was kept: each ticket's second and holder in order of serial. Its last second is over,
    /// so that no rank that was told changes.
    pub fn restored(closes_before: u32, kept: impl IntoIterator<Item = (u32, Holder)>) -> Self {
        let mut entries = Self::new(closes_before);
        for (second, holder) in kept {
            entries.issue(second, holder);
        }
        if entries.arrivals.issued() > 0 {
            entries.pass_to(entries.arrivals.latest() + 1);
        }
        entries
    }

    /// The draw is at another time, because the start has moved. Without effect once the list is closed, and
    /// never before the end of a second in which somebody was counted. Says when it is now.
    pub fn close_before(&mut self, second: u32) -> u32 {
        if self.closed.is_none() {
            let counted = u32::from(self.arrivals.issued() > 0);
            self.closes_before = second.max(self.arrivals.latest() + counted);
            self.pass_to(self.arrivals.latest());
        }
        self.closes_before
    }

    /// The clock shows `second`.
    pub fn pass_to(&mut self, second: u32) {
        self.arrivals.pass_to(second);
        if self.closed.is_none() && self.arrivals.latest() >= self.closes_before {
            let count = self.arrivals.issued_before(self.closes_before);
            assert_eq!(
                u64::from(count),
                self.tree.leaves(),
                "the list closes before a later ticket is on it"
            );
            self.closed = Some(Closed { count, root: self.tree.root() });
        }
    }

    /// Puts somebody on the list; `None` when it is full.
    pub fn issue(&mut self, second: u32, holder: Holder) -> Option<Issued> {
        self.pass_to(second);
        let issued = self.arrivals.issue(second)?;
        self.tree.push(&Leaf { serial: issued.serial, second: issued.second, holder });
        Some(issued)
    }

    /// When they came.
    pub fn arrivals(&self) -> &Arrivals {
        &self.arrivals
    }

    /// The list for the draw; `None` while it is open.
    pub fn closed(&self) -> Option<Closed> {
        self.closed
    }

    /// The root over every ticket so far.
    pub fn root(&self) -> Hash {
        self.tree.root()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(n: u8) -> Holder {
        Holder([n; 12])
    }

    #[test]
    fn it_closes_with_exactly_those_who_came_before() {
        let mut entries = Entries::new(10);
        for second in [1, 9] {
            entries.issue(second, holder(1));
        }
        let root = entries.root();
        assert_eq!(entries.closed(), None);
        entries.issue(10, holder(2));
        assert_eq!(entries.closed(), Some(Closed { count: 2, root }));
        assert_ne!(entries.root(), root);
        assert_eq!(entries.close_before(50), 10, "what is closed stays closed");
    }

    #[test]
    fn a_room_without_a_schedule_draws_nobody() {
        let mut entries = Entries::new(0);
        assert_eq!(entries.closed().map(|closed| closed.count), Some(0));
        assert_eq!(entries.issue(0, holder(1)), Some(Issued { serial: 0, second: 0 }));
        assert_eq!(entries.closed().map(|closed| closed.count), Some(0));
    }

    #[test]
    fn the_draw_moves_with_the_start_but_never_into_the_past() {
        let mut entries = Entries::new(100);
        entries.issue(20, holder(1));
        assert_eq!(entries.close_before(200), 200);
        assert_eq!(entries.close_before(5), 21);
        entries.issue(20, holder(2));
        assert_eq!(entries.closed(), None);
        entries.pass_to(21);
        assert_eq!(entries.closed().map(|closed| closed.count), Some(2));
        let mut empty = Entries::new(100);
        assert_eq!((empty.close_before(0), empty.closed().map(|closed| closed.count)), (0, Some(0)));
    }

    #[test]
    fn it_comes_back_from_what_was_kept() {
        let kept: Vec<_> = (0..50).map(|n| (n / 4, holder(n as u8))).collect();
        let mut lived = Entries::new(6);
        for (second, holder) in &kept {
            lived.issue(*second, *holder);
        }
        let restored = Entries::restored(6, kept);
        assert_eq!((restored.root(), restored.closed()), (lived.root(), lived.closed()));
        assert_eq!(restored.arrivals().issued(), 50);
        assert!(restored.arrivals().is_over(12), "who was told a rank keeps it");
    }
}
