//! Which recordings have to go: kept too long, or too many bytes in all. One that goes on is never among
//! them.
//!
//! Age is told by the wall clock, and a wall clock can be wrong by years. So a clock that jumped is not
//! believed until it has gone steadily for a day, in which somebody may set it right; meanwhile nothing is
//! too old.

use std::time::Duration;

use crate::room::Moment;
use crate::time::{Time, WallTime};

/// The wall clock may gain or lose this much against the other one between two looks, in milliseconds.
pub const JUMP_MS_MAX: u64 = 3_600_000;
/// A node may have been away for this long before its first look, in milliseconds: 30 days.
pub const AWAY_MS_MAX: u64 = 30 * 86_400_000;
/// A clock that jumped is believed again when it has not for this long, in seconds: a day.
pub const STEADY_S_MIN: u64 = 86_400;

const DAY_MS: i64 = 86_400_000;

/// How much is kept; 0 means without limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Days after its end.
    pub retention_days: u32,
    /// Bytes of all recordings.
    pub quota_bytes: u64,
}

impl Limits {
    /// What holds while the wall clock is not believed: nothing is too old.
    #[must_use]
    pub const fn without_age(self) -> Self {
        Self { retention_days: 0, ..self }
    }
}

/// Whether the wall clock may decide what is old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Belief {
    /// It went as the other clock did.
    Believed,
    /// It has just jumped by this much, in milliseconds; forward or back.
    Jumped(i64),
    /// It jumped less than `STEADY_S_MIN` ago.
    Doubted,
}

/// Watches the wall clock.
#[derive(Clone, Debug)]
pub struct Calendar {
    last: Last,
    doubted_until: Option<Time>,
}

#[derive(Clone, Copy, Debug)]
enum Last {
    Never,
    /// Before this process began.
    Before(WallTime),
    At(Moment),
}

impl Calendar {
    /// A calendar that was last looked at by an earlier process, if any.
    pub const fn new(last: Option<WallTime>) -> Self {
        let last = match last {
            Some(wall) => Last::Before(wall),
            None => Last::Never,
        };
        Self { last, doubted_until: None }
    }

    /// Looks at both clocks; every minute, so that what the wall clock drifts is no jump.
    pub fn look(&mut self, now: Moment) -> Belief {
        let (gained_ms, most_ms) = match self.last {
            Last::Never => (0, 0),
            // An hour back is set right; more has undone what was seen.
            Last::Before(wall) => match now.wall.millis_since(wall) {
                away @ 0.. => (away, AWAY_MS_MAX),
                back => (back, JUMP_MS_MAX),
            },
            Last::At(last) => {
                let passed = i64::try_from(now.time.since(last.time).as_millis()).unwrap_or(i64::MAX);
                (now.wall.millis_since(last.wall).saturating_sub(passed), JUMP_MS_MAX)
            }
        };
        self.last = Last::At(now);
        if gained_ms.unsigned_abs() > most_ms {
            self.doubted_until = Some(now.time + Duration::from_secs(STEADY_S_MIN));
            return Belief::Jumped(gained_ms);
        }
        match self.doubted_until {
            Some(until) if now.time < until => Belief::Doubted,
            Some(_) | None => Belief::Believed,
        }
    }
}

/// One recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// When it ended; `None` while it goes on.
    pub ended_at: Option<WallTime>,
    /// Bytes on the disk.
    pub bytes: u64,
}

/// The places in `items` of those to delete, oldest first.
pub fn expired(now: WallTime, limits: Limits, items: &[Item]) -> Vec<usize> {
    let mut ended: Vec<(WallTime, usize)> =
        items.iter().enumerate().filter_map(|(place, item)| Some((item.ended_at?, place))).collect();
    ended.sort();
    let mut bytes: u64 = items.iter().map(|item| item.bytes).sum();
    let keep_ms = i64::from(limits.retention_days) * DAY_MS;
    let mut expired = Vec::new();
    for (ended_at, place) in ended {
        let is_old = limits.retention_days > 0 && now.millis_since(ended_at) > keep_ms;
        let is_over = limits.quota_bytes > 0 && bytes > limits.quota_bytes;
        if is_old || is_over {
            bytes -= items[place].bytes;
            expired.push(place);
        }
    }
    expired
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: no clock that jumps deletes anything, and one that was set right is believed again.
    /// Method: both clocks are walked by hand; `Some(jump)` where the wall clock jumps.
    #[test]
    fn a_clock_that_jumped_is_not_believed_for_a_day() {
        const YEARS: i64 = 5 * 365 * DAY_MS;
        let start = WallTime(YEARS);
        for (last, first) in [
            (None, Belief::Believed),
            (Some(start), Belief::Believed),
            (Some(WallTime(start.0 - 30 * DAY_MS)), Belief::Believed),
            (Some(WallTime(start.0 - 31 * DAY_MS)), Belief::Jumped(31 * DAY_MS)),
            (Some(WallTime(start.0 + 3_600_001)), Belief::Jumped(-3_600_001)),
        ] {
            let mut calendar = Calendar::new(last);
            assert_eq!(calendar.look(Moment { time: Time::ZERO, wall: start }), first, "{last:?}");
        }
        let mut calendar = Calendar::new(Some(start));
        let (mut time, mut wall) = (Time::ZERO, start);
        for (passed_s, jump_ms, belief) in [
            (0, 0, Belief::Believed),
            (60, 3_600_000, Belief::Believed),
            (60, YEARS, Belief::Jumped(YEARS)),
            (60, 0, Belief::Doubted),
            (60, -YEARS, Belief::Jumped(-YEARS)),
            (STEADY_S_MIN - 1, 0, Belief::Doubted),
            (1, 0, Belief::Believed),
            (7_200, 0, Belief::Believed),
        ] {
            time = time + Duration::from_secs(passed_s);
            wall = WallTime(wall.0 + i64::try_from(passed_s).expect("small") * 1_000 + jump_ms);
            assert_eq!(calendar.look(Moment { time, wall }), belief, "{passed_s} s, then {jump_ms} ms");
        }
        let limits = Limits { retention_days: 1, quota_bytes: 5 };
        assert_eq!(limits.without_age(), Limits { retention_days: 0, quota_bytes: 5 });
    }

    #[test]
    fn the_oldest_go_first_and_the_running_one_never() {
        let day = |day: i64| WallTime(day * DAY_MS);
        let item = |ended_at, bytes| Item { ended_at, bytes };
        let items = [item(Some(day(9)), 10), item(None, 100), item(Some(day(1)), 10), item(Some(day(5)), 10)];
        for (retention_days, quota_bytes, expected) in [
            (0, 0, vec![]),
            (0, 130, vec![]),
            (0, 129, vec![2]),
            (0, 119, vec![2, 3]),
            (0, 1, vec![2, 3, 0]),
            (5, 0, vec![2]),
            (4, 0, vec![2, 3]),
            (9, 120, vec![2]),
        ] {
            let limits = Limits { retention_days, quota_bytes };
            assert_eq!(expired(day(10), limits, &items), expected, "{limits:?}");
        }
    }
}
