//! The node's books: those of every door together, and what was shed before anybody knew where it wanted to
//! go.
//!
//! Each door's books balance under its own lock, and so does their sum, which is why the identity holds in
//! every scrape. The books of a door that is gone are kept, so that no counter goes back.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tribune_core::books::Books;
use tribune_core::reason::Shed;

/// The shared books. Cloning shares them.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Inner>);

#[derive(Default)]
struct Inner {
    /// Of doors that are gone, and what was shed.
    node: Mutex<Books>,
    doors: Mutex<Vec<Arc<dyn Keeps>>>,
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ledger({} doors)", self.doors().len())
    }
}

/// Who keeps books of its own.
pub trait Keeps: Send + Sync {
    /// As they are now.
    fn books(&self) -> Books;
}

impl Ledger {
    /// Something was dropped before it became a person.
    pub fn shed(&self, why: Shed) {
        self.lock().shed(why);
    }

    /// A door's books are counted from now on.
    pub fn open(&self, door: Arc<dyn Keeps>) {
        self.doors().push(door);
    }

    /// A door is gone: its books are closed as they are.
    pub fn close(&self, door: &Arc<dyn Keeps>) {
        let mut doors = self.doors();
        if let Some(at) = doors.iter().position(|other| Arc::ptr_eq(other, door)) {
            self.lock().add(&doors.swap_remove(at).books());
        }
    }

    /// All counts.
    pub fn snapshot(&self) -> Books {
        let doors = self.doors();
        let mut sum = self.lock().clone();
        doors.iter().for_each(|door| sum.add(&door.books()));
        sum
    }

    fn doors(&self) -> MutexGuard<'_, Vec<Arc<dyn Keeps>>> {
        self.0.doors.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A panic while writing has already shown that the books are wrong; the counts are still the best there
    /// are.
    fn lock(&self) -> MutexGuard<'_, Books> {
        self.0.node.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
