//! The double-entry counts: a person leaves one column only by entering another, so that `arrived = waiting +
//! seated + refused + left` holds after every entry.
//!
//! A person is a ticket, or a connection without one. What was dropped before it became a person is counted
//! apart, as *shed*.

use std::collections::BTreeMap;

use crate::reason::{Departure, Refusal, Shed};

/// The counts of one room, or of one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Books {
    arrived: u64,
    waiting: u64,
    seated: u64,
    refused: BTreeMap<Refusal, u64>,
    left: BTreeMap<Departure, u64>,
    shed: BTreeMap<Shed, u64>,
}

/// The column in which a person is while they are here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    /// Holds a ticket and no seat.
    Waiting,
    /// Holds a seat.
    Seated,
}

impl Books {
    /// Somebody came, and is now in `column`.
    pub fn arrive(&mut self, column: Column) {
        self.arrived += 1;
        *self.count_mut(column) += 1;
        self.assert_balanced();
    }

    /// Somebody came and was turned away for good, at once.
    pub fn arrive_refused(&mut self, why: Refusal) {
        self.arrived += 1;
        *self.refused.entry(why).or_default() += 1;
        self.assert_balanced();
    }

    /// Somebody who waited takes a seat.
    pub fn seat(&mut self) {
        self.take_from(Column::Waiting);
        self.seated += 1;
        self.assert_balanced();
    }

    /// Somebody whose seat lapsed waits again.
    pub fn unseat(&mut self) {
        self.take_from(Column::Seated);
        self.waiting += 1;
        self.assert_balanced();
    }

    /// Somebody who waited is turned away for good.
    pub fn refuse(&mut self, why: Refusal) {
        self.take_from(Column::Waiting);
        *self.refused.entry(why).or_default() += 1;
        self.assert_balanced();
    }

    /// Somebody in `column` is gone.
    pub fn leave(&mut self, column: Column, why: Departure) {
        self.take_from(column);
        *self.left.entry(why).or_default() += 1;
        self.assert_balanced();
    }

    /// So many people in `column` are gone.
    pub fn leave_many(&mut self, column: Column, why: Departure, people: u64) {
        let count = self.count_mut(column);
        *count = count.checked_sub(people).expect("nobody leaves a column they are not in");
        *self.left.entry(why).or_default() += people;
        self.assert_balanced();
    }

    /// Somebody who had left for this reason takes a seat again.
    pub fn come_back(&mut self, why: Departure) {
        let left = self.left.entry(why).or_default();
        *left = left.checked_sub(1).expect("nobody comes back who has not left");
        self.seated += 1;
        self.assert_balanced();
    }

    /// The people of other books too.
    pub fn add(&mut self, other: &Self) {
        self.arrived += other.arrived;
        self.waiting += other.waiting;
        self.seated += other.seated;
        other.refused.iter().for_each(|(why, people)| *self.refused.entry(*why).or_default() += people);
        other.left.iter().for_each(|(why, people)| *self.left.entry(*why).or_default() += people);
        other.shed.iter().for_each(|(why, times)| *self.shed.entry(*why).or_default() += times);
        self.assert_balanced();
    }

    /// Something was dropped before it became a person; it is in no column.
    pub fn shed(&mut self, why: Shed) {
        *self.shed.entry(why).or_default() += 1;
    }

    /// People who ever came.
    pub fn arrived(&self) -> u64 {
        self.arrived
    }

    /// People in `column` now.
    pub fn count(&self, column: Column) -> u64 {
        match column {
            Column::Waiting => self.waiting,
            Column::Seated => self.seated,
        }
    }

    /// People turned away for good for this reason.
    pub fn refused(&self, why: Refusal) -> u64 {
        self.refused.get(&why).copied().unwrap_or_default()
    }

    /// People who left for this reason.
    pub fn left(&self, why: Departure) -> u64 {
        self.left.get(&why).copied().unwrap_or_default()
    }

    /// What was dropped for this reason before it became a person.
    pub fn shed_for(&self, why: Shed) -> u64 {
        self.shed.get(&why).copied().unwrap_or_default()
    }

    /// Whether `arrived = waiting + seated + refused + left`.
    pub fn is_balanced(&self) -> bool {
        let refused: u64 = self.refused.values().sum();
        let left: u64 = self.left.values().sum();
        self.arrived == self.waiting + self.seated + refused + left
    }

    fn count_mut(&mut self, column: Column) -> &mut u64 {
        match column {
            Column::Waiting => &mut self.waiting,
            Column::Seated => &mut self.seated,
        }
    }

    fn take_from(&mut self, column: Column) {
        let count = self.count_mut(column);
        *count = count.checked_sub(1).expect("nobody leaves a column they are not in");
    }

    fn assert_balanced(&self) {
        assert!(self.is_balanced(), "a person is in no column, or in two: {self:?}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_evening_balances() {
        let mut books = Books::default();
        for _ in 0..3 {
            books.arrive(Column::Waiting);
        }
        books.arrive(Column::Seated);
        books.arrive_refused(Refusal::RoomEnded);
        books.seat();
        books.unseat();
        books.seat();
        books.refuse(Refusal::FullForNow);
        books.leave(Column::Waiting, Departure::NeverClaimed);
        books.leave(Column::Seated, Departure::HungUp);
        books.shed(Shed::HeadSlow);
        assert_eq!((books.arrived(), books.count(Column::Waiting), books.count(Column::Seated)), (5, 0, 1));
        assert_eq!((books.refused(Refusal::RoomEnded), books.refused(Refusal::FullForNow)), (1, 1));
        assert_eq!((books.left(Departure::NeverClaimed), books.left(Departure::HungUp)), (1, 1));
        assert_eq!(books.shed_for(Shed::HeadSlow), 1);
        assert!(books.is_balanced());
    }

    #[test]
    fn who_comes_back_is_the_same_person() {
        let mut books = Books::default();
        (0..4).for_each(|_| books.arrive(Column::Seated));
        books.leave_many(Column::Seated, Departure::HungUp, 3);
        books.come_back(Departure::HungUp);
        assert_eq!((books.arrived(), books.count(Column::Seated), books.left(Departure::HungUp)), (4, 2, 2));
    }

    #[test]
    #[should_panic(expected = "nobody leaves a column they are not in")]
    fn nobody_leaves_twice() {
        let mut books = Books::default();
        books.arrive(Column::Seated);
        books.leave(Column::Seated, Departure::HungUp);
        books.leave(Column::Seated, Departure::HungUp);
    }
}
