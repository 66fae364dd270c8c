//! The named sources of one room that are sending now. A name belongs to the one who came last.
//!
//! A sender whose network died comes back on a new connection while the old one still looks alive; so the
//! newer takes the name, and the older is told to go. The number of each is drawn under the same lock, so
//! that the mix, which hears of them through a channel, knows the newer of two by its number.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::oneshot;
use tribune_core::mix::InletId;

/// Sources by name; each with the word that sends it away.
#[derive(Default)]
pub struct Sources {
    sending: Mutex<(u32, BTreeMap<String, Sending>)>,
}

struct Sending {
    inlet: InletId,
    go: oneshot::Sender<()>,
}

/// Resolves when another sender has taken this one's name.
pub type Replaced = oneshot::Receiver<()>;

/// A source's hold on its name; dropping it gives the name back, unless somebody has taken it.
pub struct Named {
    sources: Arc<Sources>,
    name: String,
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
    pub fn take(self: &Arc<Self>, name: &str) -> (Named, Replaced) {
        let (go, replaced) = oneshot::channel();
        let mut sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner);
        sending.0 += 1;
        let inlet = InletId(sending.0);
        if let Some(older) = sending.1.insert(name.to_owned(), Sending { inlet, go }) {
            // It may have left already.
            let _ = older.go.send(());
        }
        (Named { sources: self.clone(), name: name.to_owned(), inlet }, replaced)
    }

    /// The names in use.
    pub fn names(&self) -> Vec<String> {
        self.sending.lock().unwrap_or_else(PoisonError::into_inner).1.keys().cloned().collect()
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
        let (first, mut first_replaced) = sources.take("main");
        assert!(first_replaced.try_recv().is_err());
        let (second, mut second_replaced) = sources.take("main");
        assert_eq!(first_replaced.try_recv(), Ok(()));
        assert!(first.inlet() < second.inlet());
        drop(first);
        assert_eq!(sources.names(), ["main"]);
        assert!(second_replaced.try_recv().is_err());
        drop(second);
        assert!(sources.names().is_empty());
    }
}
