//! The named sources and speakers of one room that are sending now. A name belongs to the one who came last;
//! sources have names of their own, and speakers have theirs.
//!
//! A sender whose network died comes back on a new connection while the old one still looks alive; so the
//! newer takes the name, and the older is told to go. The number of each is drawn under the same lock, so
//! that the mix, which hears of them through a channel, knows the newer of two by its number.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;
use tribune_core::mix::InletId;

/// Who sends, by name; each with the word that sends it away.
#[derive(Default)]
pub struct Sources {
    sending: Mutex<(u32, ByName)>,
}

type ByName = BTreeMap<(Sort, String), Sending>;

/// Whose names these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    /// An encoder's.
    Source,
    /// A person's on the stage.
    Speaker,
}

struct Sending {
    inlet: InletId,
    go: oneshot::Sender<()>,
}

/// Resolves when another sender has taken this one's name.
pub type Replaced = oneshot::Receiver<()>;

/// A sender's hold on its name; dropping it gives the name back, unless somebody has taken it.
pub struct Named {
    sources: Arc<Sources>,
    name: (Sort, String),
    inlet: InletId,
}

impl Named {
    /// The number of the input for this visit; who took the name later has a higher one.
    pub fn inlet(&self) -> InletId {
        self.inlet
    }
}

impl Sources {
    /// Nobody yet.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Takes a name, from whoever has it.
    pub fn take(self: &Arc<Self>, sort: Sort, name: &str) -> (Named, Replaced) {
        let (go, replaced) = oneshot::channel();
        let mut sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        sending.0 += 1;
        let inlet = InletId(sending.0);
        let name = (sort, name.to_owned());
        if let Some(older) = sending.1.insert(name.clone(), Sending { inlet, go }) {
            // It may have left already.
            let _ = older.go.send(());
        }
        (Named { sources: self.clone(), name, inlet }, replaced)
    }

    /// Whether a sender of this name takes the place of another, or finds one while `kept` of `most` stay
    /// free.
    pub fn has_place_for(&self, (sort, name): (Sort, &str), (most, kept): (usize, usize)) -> bool {
        let sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        sending.1.contains_key(&(sort, name.to_owned())) || sending.1.len() < most.saturating_sub(kept)
    }

    /// The names in use.
    pub fn names(&self, of: Sort) -> Vec<String> {
        let sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        sending.1.keys().filter(|(sort, _)| *sort == of).map(|(_, name)| name.clone()).collect()
    }

    /// Whether nobody sends.
    pub fn is_empty(&self) -> bool {
        self.sending.lock().unwrap_or_else(PoisonError::into_inner).1.is_empty()
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        let mut sending = self.sources.sending.lock().unwrap_or_else(PoisonError::into_inner);
        if sending.1.get(&self.name).is_some_and(|holder| holder.inlet == self.inlet) {
            sending.1.remove(&self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_sender_has_the_name() {
        let sources = Sources::new();
        let (first, mut first_replaced) = sources.take(Sort::Source, "main");
        assert!(first_replaced.try_recv().is_err());
        let (second, mut second_replaced) = sources.take(Sort::Source, "main");
        assert_eq!(first_replaced.try_recv(), Ok(()));
        assert!(first.inlet() < second.inlet());
        let (speaker, _hers) = sources.take(Sort::Speaker, "main");
        assert!(second_replaced.try_recv().is_err(), "a speaker takes no source's name");
        for (name, most, has_place) in [("main", 2, true), ("other", 3, false), ("other", 4, true)] {
            assert_eq!(sources.has_place_for((Sort::Speaker, name), (most, 1)), has_place, "{name} {most}");
        }
        drop(first);
        assert_eq!(sources.names(Sort::Source), ["main"]);
        assert!(second_replaced.try_recv().is_err());
        drop(second);
        assert!(sources.names(Sort::Source).is_empty() && !sources.is_empty());
        drop(speaker);
        assert!(sources.is_empty());
    }
}
