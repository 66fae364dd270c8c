//! What became of connections that others of the same person took the place of.
//!
//! A page that lost its line offers again and names the line it had. When that line was ended because the
//! same person came from another window, the page is told so, for good: else two windows would take the line
//! from each other for ever. A line that the page itself replaced is no such case, also when the answer never
//! reached it and it names the old line once more.

use std::collections::{BTreeMap, VecDeque};

use super::PeerId;

/// Fates that are remembered; the oldest is forgotten, and whoever asks for it then is let in.
const FATES_MAX: usize = 1_024;
/// Lines that followed upon each other and are looked through for one answer.
const STEPS_MAX: usize = 16;

/// What became of one.
#[derive(Clone, Debug)]
enum Fate {
    /// The same person came from elsewhere.
    TakenOver,
    /// Its own page offered anew.
    FollowedBy(PeerId),
}

/// The fates of connections that are no more.
#[derive(Debug, Default)]
pub(super) struct Fates {
    by_id: BTreeMap<PeerId, Fate>,
    oldest: VecDeque<PeerId>,
}

impl Fates {
    /// The same person came from elsewhere, and this one ended.
    pub(super) fn taken_over(&mut self, id: PeerId) {
        self.put(id, Fate::TakenOver);
    }

    /// Its own page offered anew, and `by` is what it got.
    pub(super) fn followed(&mut self, id: PeerId, by: PeerId) {
        self.put(id, Fate::FollowedBy(by));
    }

    /// Whether this one, or what followed upon it, was taken over; `is_now` says it of those that are here.
    pub(super) fn is_taken_over(&self, id: &PeerId, is_now: impl Fn(&PeerId) -> Option<bool>) -> bool {
        let mut id = id;
        for _ in 0..STEPS_MAX {
            if let Some(is_now) = is_now(id) {
                return is_now;
            }
            match self.by_id.get(id) {
                Some(Fate::TakenOver) => return true,
                Some(Fate::FollowedBy(next)) => id = next,
                None => return false,
            }
        }
        false
    }

    fn put(&mut self, id: PeerId, fate: Fate) {
        if self.by_id.insert(id.clone(), fate).is_none() {
            self.oldest.push_back(id);
        }
        if self.oldest.len() > FATES_MAX
            && let Some(oldest) = self.oldest.pop_front()
        {
            self.by_id.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> PeerId {
        PeerId(text.into())
    }

    #[test]
    fn whoever_was_taken_over_is_told_and_who_followed_upon_themselves_is_not() {
        let mut fates = Fates::default();
        let nobody = |_: &PeerId| None;
        assert!(!fates.is_taken_over(&id("a"), nobody), "of whom nothing is known");
        fates.taken_over(id("a"));
        assert!(fates.is_taken_over(&id("a"), nobody));
        fates.followed(id("b"), id("c"));
        assert!(!fates.is_taken_over(&id("b"), nobody));
        for taken in [true, false] {
            let is_here = |of: &PeerId| (*of == id("c")).then_some(taken);
            assert_eq!(fates.is_taken_over(&id("b"), is_here), taken, "by what followed upon it");
        }
        fates.taken_over(id("c"));
        assert!(fates.is_taken_over(&id("b"), nobody));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_a_circle_ends() {
        let mut fates = Fates::default();
        for n in 0..2 * FATES_MAX {
            fates.taken_over(id(&n.to_string()));
        }
        assert_eq!((fates.by_id.len(), fates.oldest.len()), (FATES_MAX, FATES_MAX));
        let mut fates = Fates::default();
        fates.followed(id("a"), id("b"));
        fates.followed(id("b"), id("a"));
        assert!(!fates.is_taken_over(&id("a"), |_| None));
    }
}
