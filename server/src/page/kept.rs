//! Rendered pages, kept for a second: a crowd at the door gets copies of the same bytes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tribune_core::time::Time;

use super::{Encoding, Lang, Page};

/// A page is served so long at most after it was rendered.
const KEPT: Duration = Duration::from_secs(1);
/// Pages kept at most; when they are all younger than a second, the next is rendered and not kept.
const PAGES_MAX: usize = 1_024;

/// Which page: of a room, or of none, at one of its statuses.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// The room and the number of the status that was rendered; `None` for the page that says there is no
    /// such room.
    pub room: Option<(String, u64)>,
    /// In which language.
    pub lang: Lang,
    /// In which encoding.
    pub encoding: Encoding,
}

/// A page with its bytes in one encoding.
#[derive(Clone, Debug)]
pub struct Rendered {
    page: Arc<Page>,
    encoding: Encoding,
    body: Bytes,
}

/// The pages of the last second.
#[derive(Debug, Default)]
pub struct Pages {
    kept: Mutex<BTreeMap<Key, (Time, Rendered)>>,
}

impl Pages {
    /// The page under `key`, by `render` when it was not asked for within the last second.
    pub fn get(&self, now: Time, key: Key, render: impl FnOnce() -> Page) -> Rendered {
        let is_fresh = |at: Time| now.since(at) < KEPT;
        if let Some((at, rendered)) = self.lock().get(&key)
            && is_fresh(*at)
        {
            return rendered.clone();
        }
        // Outside the lock: several may render the same page at once, and none waits for another's.
        let page = render();
        let body = page.encode(key.encoding);
        let rendered = Rendered { page: Arc::new(page), encoding: key.encoding, body };
        let mut kept = self.lock();
        if kept.len() >= PAGES_MAX {
            kept.retain(|_, (at, _)| is_fresh(*at));
        }
        if kept.len() < PAGES_MAX {
            kept.insert(key, (now, rendered.clone()));
        }
        rendered
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Key, (Time, Rendered)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rendered {
    /// The whole answer.
    pub fn respond(&self) -> axum::response::Response {
        self.page.respond(self.encoding, self.body.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::Site;
    use super::*;

    fn key(room: &str, seq: u64) -> Key {
        Key { room: Some((room.to_owned(), seq)), lang: Lang::En, encoding: Encoding::Identity }
    }

    fn rendered(pages: &Pages, now_ms: u64, key: Key) -> bool {
        let mut was_rendered = false;
        pages.get(Time::from_millis(now_ms), key, || {
            was_rendered = true;
            super::super::missing(Lang::En, &Site { public: String::new(), stage: String::new() })
        });
        was_rendered
    }

    #[test]
    fn a_page_is_rendered_once_a_second_and_anew_when_the_status_changes() {
        let pages = Pages::default();
        for (now_ms, seq, expected) in
            [(0, 0, true), (999, 0, false), (999, 1, true), (1_000, 0, true), (1_998, 1, false)]
        {
            assert_eq!(rendered(&pages, now_ms, key("room", seq)), expected, "{now_ms} {seq}");
        }
    }

    #[test]
    fn no_more_are_kept_than_the_limit() {
        let pages = Pages::default();
        for room in 0..PAGES_MAX + 10 {
            rendered(&pages, 0, key(&format!("room-{room}"), 0));
        }
        assert_eq!(pages.lock().len(), PAGES_MAX);
        assert!(rendered(&pages, 1_000, key("one-more", 0)));
        assert_eq!(pages.lock().len(), 1, "old ones make way");
    }
}
