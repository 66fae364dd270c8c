//! What players show while they play: the room's title, or what a source says it plays.

use std::sync::Arc;

use arc_swap::ArcSwap;

/// The title of one room's program. Copies are the same; reading takes no lock, so that every listener may
/// look at every part.
#[derive(Clone, Debug)]
pub struct Titles {
    room: Arc<String>,
    shown: Arc<ArcSwap<String>>,
}

impl Titles {
    /// Nothing is named but the room.
    pub fn new(room: String) -> Self {
        let room = Arc::new(room);
        Self { shown: Arc::new(ArcSwap::new(room.clone())), room }
    }

    /// The room's own title, whatever is shown.
    pub fn room(&self) -> &str {
        &self.room
    }

    /// The title now. Two answers are the same `Arc` while nobody has set another.
    pub fn now(&self) -> Arc<String> {
        self.shown.load_full()
    }

    /// A new title: the newest counts, whichever source it comes from. An empty one names nothing any more,
    /// and the room's own is shown again.
    pub fn set(&self, title: String) {
        let title = if title.is_empty() { self.room.clone() } else { Arc::new(title) };
        self.shown.store(title);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_title_is_shown_and_else_the_rooms() {
        let titles = Titles::new("The debate".to_owned());
        let seen_by_a_listener = titles.clone();
        for (set, shown) in [("Anna - On tides", "Anna - On tides"), ("", "The debate"), ("x", "x")] {
            titles.set(set.to_owned());
            assert_eq!(*seen_by_a_listener.now(), shown);
        }
        assert_eq!(titles.room(), "The debate");
        assert!(Arc::ptr_eq(&titles.now(), &seen_by_a_listener.now()));
    }
}
