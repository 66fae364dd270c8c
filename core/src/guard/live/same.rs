//! Whether a source asks for one thing, over and over.

/// One thing, so often, within [`SAME_MS`], and nothing else ever: not somebody who comes to hear.
const SAME_MIN: u16 = 5;
/// In milliseconds.
const SAME_MS: u64 = 3_000;
/// Of so many requests in that time nearly all for one thing: the same.
const SAME_OF_MIN: u16 = 16;
const SAME_SHARE_MIN: f32 = 0.9;

/// What was asked for of late.
#[derive(Clone, Copy, Debug)]
pub struct Asking {
    since_ms: u64,
    thing: u32,
    same: u16,
    all: u16,
    /// Times it was given the one thing.
    given: u16,
}

/// How much of it is one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Same {
    /// All, and often.
    Only,
    /// Nearly all, of many.
    Mostly,
    /// No more than anybody's.
    No,
}

/// How often one thing may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// As what people come for.
    Usual,
    /// As what screens ask for all the time.
    Long,
}

impl Asking {
    /// Nothing yet.
    pub const fn begins(at_ms: u64) -> Self {
        Self { since_ms: at_ms, thing: 0, same: 0, all: 0, given: 0 }
    }

    /// It was given what it asked for last.
    pub const fn is_given(&mut self, thing: u32) {
        if self.thing == thing {
            self.given = self.given.saturating_add(1);
        }
    }

    /// Whether it has had the one thing so often that nothing explains asking for it again.
    pub const fn has_it(&self) -> bool {
        self.given >= SAME_MIN
    }

    /// For this.
    pub fn asks(&mut self, at_ms: u64, thing: u32, patience: Patience) -> Same {
        if at_ms >= self.since_ms + SAME_MS {
            *self = Self::begins(at_ms);
        }
        if self.same == 0 {
            self.thing = thing;
        }
        self.same = self.same.saturating_add(u16::from(self.thing == thing));
        self.all = self.all.saturating_add(1);
        let least = if patience == Patience::Long { SAME_OF_MIN } else { SAME_MIN };
        if self.same >= least && self.same == self.all {
            return Same::Only;
        }
        let share = f32::from(self.same) / f32::from(self.all);
        if self.all >= SAME_OF_MIN && share >= SAME_SHARE_MIN { Same::Mostly } else { Same::No }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thing_over_and_over_is_told_from_a_page_with_what_belongs_to_it() {
        let mut asking = Asking::begins(0);
        let said: Vec<_> = (0..6).map(|at| asking.asks(at, 7, Patience::Usual)).collect();
        assert_eq!(said, [Same::No, Same::No, Same::No, Same::No, Same::Only, Same::Only]);
        assert_eq!(asking.asks(7, 8, Patience::Usual), Same::No, "something else too");
        let last = (0..40).map(|at| asking.asks(8 + at, 7, Patience::Usual)).last();
        assert_eq!(last, Some(Same::Mostly));
        assert_eq!(asking.asks(SAME_MS, 7, Patience::Usual), Same::No, "that was long ago");
        let mut slowly = Asking::begins(0);
        assert!((0..60).all(|at| slowly.asks(at * 250, 7, Patience::Long) == Same::No));
    }
}
