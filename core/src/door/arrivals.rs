//! When tickets were issued: serials from 0 without gaps, counted by the second from when the room's door
//! opened, so that anybody can tell which serials came in which second.
//!
//! Time never goes back: when the clock is set back, the latest second goes on counting. A second in which
//! nobody came takes no memory, so an evening takes eight bytes for each second in which somebody did.

use serde::Serialize;
use serde_json::{Value, json};

use crate::time::WallTime;

/// Most tickets of one room.
pub const TICKETS_MAX: u32 = 16_777_216;
/// Seconds in a file of arrivals.
pub const MINUTE_S: u32 = 60;

/// A ticket's place on the entry list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Issued {
    /// Its number, from 0 without gaps.
    pub serial: u32,
    /// The second in which it was counted.
    pub second: u32,
}

/// The tickets of one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// The serial of the first; of the next one that comes, when there is none.
    pub first: u32,
    /// How many there are.
    pub count: u32,
}

/// The tickets of one minute, as they are published.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Minute {
    /// Its number, from when the door opened.
    pub minute: u32,
    /// The serial of its first ticket; of the next one that comes, when there is none.
    pub first: u32,
    /// Tickets in each of its seconds.
    pub counts: Vec<u32>,
    /// Whether it is over: then it never changes.
    pub complete: bool,
}

impl Minute {
    /// The document `arrivals/{minute}`; `opened_at` is when the room's door opened, a whole second.
    pub fn document(&self, room: &str, opened_at: WallTime) -> Value {
        let from = WallTime(opened_at.0 + i64::from(self.minute) * i64::from(MINUTE_S) * 1_000);
        json!({
            "room": room,
            "minute": self.minute,
            "from": from.rfc3339(),
            "first": self.first,
            "counts": self.counts,
            "complete": self.complete,
        })
    }
}

/// How many tickets were issued in each second.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrivals {
    /// Seconds in which somebody came, each with the serial of its first ticket.
    firsts: Vec<(u32, u32)>,
    issued: u32,
    latest: u32,
}

impl Arrivals {
    /// The clock shows `second`; every second before it is over.
    pub fn pass_to(&mut self, second: u32) {
        self.latest = self.latest.max(second);
    }

    /// Counts a ticket in `second`, or in the latest one when that is later; `None` when there are as many
    /// tickets as there may be.
    pub fn issue(&mut self, second: u32) -> Option<Issued> {
        if self.issued == TICKETS_MAX {
            return None;
        }
        self.pass_to(second);
        let serial = self.issued;
        if self.firsts.last().is_none_or(|(last, _)| *last < self.latest) {
            self.firsts.push((self.latest, serial));
        }
        self.issued += 1;
        Some(Issued { serial, second: self.latest })
    }

    /// Tickets issued.
    pub fn issued(&self) -> u32 {
        self.issued
    }

    /// The second that counts now.
    pub fn latest(&self) -> u32 {
        self.latest
    }

    /// Whether nobody can be counted in `second` any more.
    pub fn is_over(&self, second: u32) -> bool {
        second < self.latest
    }

    /// Tickets issued before `second`: the serial of the first that was issued in it or after.
    pub fn issued_before(&self, second: u32) -> u32 {
        let place = self.firsts.partition_point(|(at, _)| *at < second);
        self.firsts.get(place).map_or(self.issued, |(_, first)| *first)
    }

    /// Tickets whose second is over.
    pub fn settled(&self) -> u32 {
        self.issued_before(self.latest)
    }

    /// The tickets of `second`.
    pub fn of(&self, second: u32) -> Span {
        let first = self.issued_before(second);
        Span { first, count: self.issued_before(second.saturating_add(1)) - first }
    }

    /// The second in which a ticket was counted; `None` when it was not issued.
    pub fn second_of(&self, serial: u32) -> Option<u32> {
        let place = self.firsts.partition_point(|(_, first)| *first <= serial).checked_sub(1)?;
        (serial < self.issued).then(|| self.firsts[place].0)
    }

    /// Bytes it takes.
    pub fn bytes(&self) -> usize {
        self.firsts.capacity() * size_of::<(u32, u32)>()
    }

    /// The file of `minute`; `None` before it begins.
    pub fn minute(&self, minute: u32) -> Option<Minute> {
        let from = minute.checked_mul(MINUTE_S).filter(|from| *from <= self.latest)?;
        let counts = (from..from.saturating_add(MINUTE_S)).map(|second| self.of(second).count).collect();
        let complete = u64::from(from) + u64::from(MINUTE_S) <= u64::from(self.latest);
        Some(Minute { minute, first: self.issued_before(from), counts, complete })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    fn counted(seconds: &[u32]) -> Arrivals {
        let mut arrivals = Arrivals::default();
        for second in seconds {
            arrivals.issue(*second).expect("room for it");
        }
        arrivals
    }

    #[test]
    fn serials_are_counted_by_the_second() {
        let mut arrivals = counted(&[0, 0, 3, 3, 3, 65]);
        assert_eq!(arrivals.of(0), Span { first: 0, count: 2 });
        assert_eq!(arrivals.of(1), Span { first: 2, count: 0 });
        assert_eq!(arrivals.of(3), Span { first: 2, count: 3 });
        assert_eq!(arrivals.of(u32::MAX), Span { first: 6, count: 0 });
        assert_eq!(
            [0, 1, 2, 4, 5, 6].map(|serial| arrivals.second_of(serial)),
            [0, 0, 3, 3, 65, 99].map(|second| (second != 99).then_some(second))
        );
        assert_eq!((arrivals.settled(), arrivals.is_over(65), arrivals.is_over(64)), (5, false, true));
        arrivals.pass_to(66);
        assert_eq!(arrivals.settled(), 6);
    }

    #[test]
    fn a_clock_that_is_set_back_counts_on_in_the_latest_second() {
        let mut arrivals = counted(&[10, 4]);
        assert_eq!(arrivals.issue(9), Some(Issued { serial: 2, second: 10 }));
        arrivals.pass_to(3);
        assert_eq!((arrivals.latest(), arrivals.of(10).count), (10, 3));
    }

    #[test]
    fn a_minute_that_is_over_never_changes() {
        let mut arrivals = counted(&[0, 59, 60]);
        let first = arrivals.minute(0).expect("it began");
        assert!(first.complete && first.counts.len() == 60 && first.counts.iter().sum::<u32>() == 2);
        arrivals.issue(61);
        assert_eq!(arrivals.minute(0), Some(first));
        let second = arrivals.minute(1).expect("it began");
        assert_eq!((second.first, second.counts[0], second.counts[1], second.complete), (2, 1, 1, false));
        assert_eq!(arrivals.minute(2), None);
        assert_eq!(arrivals.minute(u32::MAX), None);
        let document = second.document("debate", WallTime(1_000));
        assert_eq!(document["from"], "1970-01-01T00:01:01.000Z");
        assert_eq!((&document["room"], &document["first"]), (&json!("debate"), &json!(2)));
    }

    #[test]
    fn there_are_no_more_than_there_may_be() {
        let mut arrivals = Arrivals { issued: TICKETS_MAX - 1, ..Arrivals::default() };
        assert!(arrivals.issue(0).is_some());
        assert_eq!(arrivals.issue(0), None);
    }

    proptest! {
        #[test]
        fn every_serial_is_in_one_second(seconds in prop::collection::vec(0..200_u32, 0..300)) {
            let arrivals = counted(&seconds);
            let total: u32 = (0..200).map(|second| arrivals.of(second).count).sum();
            prop_assert_eq!(total, arrivals.issued());
            for serial in 0..arrivals.issued() {
                let span = arrivals.of(arrivals.second_of(serial).expect("it was issued"));
                prop_assert!((span.first..span.first + span.count).contains(&serial));
            }
            let in_minutes: u32 = (0..4).filter_map(|no| arrivals.minute(no)).flat_map(|it| it.counts).sum();
            prop_assert_eq!(in_minutes, arrivals.issued());
        }
    }
}
