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
    phase: f64,
}

impl Moving {
    /// `all` listeners are to go, one after another, from `began` on, within `over`. `phase`, from 0 to 1,
    /// says when in its share of the time each goes: of several groups with another phase each no two go
    /// together.
    pub const fn new(all: usize, (began, over): (Time, Duration), phase: f64) -> Self {
        Self { began, over, all, phase }
    }

    /// How many are to have gone by `now`.
    pub fn due(&self, now: Time) -> usize {
        if now < self.began {
            return 0;
        }
        let (gone_s, over_s) = (now.since(self.began).as_secs_f64(), self.over.as_secs_f64());
        if gone_s >= over_s {
            return self.all;
        }
        ((self.all as f64 * gone_s / over_s + self.phase) as usize).min(self.all)
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
        let moving = Moving::new(1_000, (at(5_000), Duration::from_secs(40)), 0.0);
        assert_eq!((moving.due(at(1_000)), moving.due(at(5_000))), (0, 0));
        assert_eq!(moving.due(at(5_041)), 1);
        assert_eq!(moving.due(at(25_000)), 500);
        assert_eq!(moving.due(at(45_000)), 1_000);
        assert_eq!(moving.due(at(90_000)), 1_000);
        let at_once = Moving::new(3, (at(0), Duration::ZERO), 0.5);
        assert_eq!(at_once.due(at(0)), 3, "at once, where there is no while");
    }

    #[test]
    fn one_of_each_group_goes_at_a_moment_of_its_own() {
        let went = |phase: f64| {
            let moving = Moving::new(1, (at(0), Duration::from_secs(10)), phase);
            (0..=10_000).find(|ms| moving.due(at(*ms)) == 1)
        };
        assert_eq!([0.125, 0.375, 0.625, 0.875].map(went), [8_750, 6_250, 3_750, 1_250].map(Some));
    }

    proptest! {
        #[test]
        fn nobody_who_went_comes_back(
            all in 0..20_000_usize,
            over_ms in 0..60_000_u64,
            mut looks in prop::collection::vec(0..90_000_u64, 1..20),
        ) {
            looks.sort_unstable();
            let moving = Moving::new(all, (at(0), Duration::from_millis(over_ms)), 0.5);
            let due: Vec<usize> = looks.iter().map(|ms| moving.due(at(*ms))).collect();
            prop_assert!(due.is_sorted() && due.iter().all(|due| *due <= all));
        }
    }
}
