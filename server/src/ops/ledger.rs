//! The node's books, shared by everybody who admits, refuses or loses a person.
//!
//! One lock around a few numbers, held for one entry and never across an `.await`; a scrape copies the whole
//! under the same lock, which is why the identity holds in every scrape.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tribune_core::books::{Books, Column};
use tribune_core::reason::{Departure, Refusal, Shed};

/// The shared books. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct Ledger(Arc<Mutex<Books>>);

/// One seated person. Dropping it books the departure, so that no path out of an answer can forget to.
#[derive(Debug)]
pub struct Seat {
    ledger: Ledger,
    why: Departure,
}

impl Ledger {
    /// Somebody without a ticket came and took a seat.
    pub fn arrive_seated(&self) -> Seat {
        self.entry(|books| books.arrive(Column::Seated));
        Seat { ledger: self.clone(), why: Departure::HungUp }
    }

    /// Somebody came and was turned away for good.
    pub fn arrive_refused(&self, why: Refusal) {
        self.entry(|books| books.arrive_refused(why));
    }

    /// Something was dropped before it became a person.
    pub fn shed(&self, why: Shed) {
        self.entry(|books| books.shed(why));
    }

    /// Any other entry, made as one.
    pub fn entry(&self, write: impl FnOnce(&mut Books)) {
        write(&mut self.lock());
    }

    /// All counts as of one moment.
    pub fn snapshot(&self) -> Books {
        self.lock().clone()
    }

    /// A panic while writing has already shown that the books are wrong; the counts are still the best there
    /// are.
    fn lock(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// They leave, for another reason than closing their connection.
    pub fn leave(mut self, why: Departure) {
        self.why = why;
    }

    /// From now on a departure has this reason, unless told otherwise.
    pub fn will_leave_for(&mut self, why: Departure) {
        self.why = why;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.ledger.entry(|books| books.leave(Column::Seated, self.why));
    }
}
