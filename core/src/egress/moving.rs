//! A node that is to go sends listeners elsewhere, spread over a while: wherever they come next, they do not
//! come all at once.

use std::time::Duration;

use crate::time::Time;

/// How many of those who were there when it began are to have gone by when.
#[derive(Clone, Copy, Debug)]
pub struct Moving {
    began: Time,
    over: Duration,
    all: usize,
}

impl Moving {
    /// `all` listeners are to go, one after another, from `began` on, within `over`.
    pub const fn new(all: usize, began: Time, over: Duration) -> Self {
        Self { began, over, all }
    }

    /// How many are to have gone by `now`.
    pub fn due(&self, now: Time) -> usize {
        let (gone_ns, over_ns) = (now.since(self.began).as_nanos(), self.over.as_nanos());
        if gone_ns >= over_ns {
            return self.all;
        }
        let due = self.all as u128 * gone_ns / over_ns;
        usize::try_from(due).unwrap_or(self.all)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(ms: u64) -> Time {
        Time::from_nanos(ms * 1_000_000)
    }

    #[test]
    fn they_go_evenly_and_all_of_them() {
        let moving = Moving::new(1_000, at(5_000), Duration::from_secs(40));
        assert_eq!(moving.due(at(5_000)), 0);
        assert_eq!(moving.due(at(5_041)), 1);
        assert_eq!(moving.due(at(25_000)), 500);
        assert_eq!(moving.due(at(45_000)), 1_000);
        assert_eq!(moving.due(at(90_000)), 1_000);
        assert_eq!(Moving::new(3, at(0), Duration::ZERO).due(at(0)), 3, "at once, where there is no while");
    }

    proptest! {
        #[test]
        fn nobody_who_went_comes_back(
            all in 0..20_000_usize,
            over_ms in 0..60_000_u64,
            mut looks in prop::collection::vec(0..90_000_u64, 1..20),
        ) {
            looks.sort_unstable();
            let moving = Moving::new(all, at(0), Duration::from_millis(over_ms));
            let due: Vec<usize> = looks.iter().map(|ms| moving.due(at(*ms))).collect();
            prop_assert!(due.is_sorted() && due.iter().all(|due| *due <= all));
        }
    }
}
