//! How many are usual, and when more come than that.
//!
//! A room's evening happens once: there is no last week to compare with. What is usual is the middle of
//! what was before, and the longer it is watched the more what was quiet before, as long as it was usual: a
//! surge does not become usual by lasting, nor by coming slowly.

/// Windows before anybody knows what is usual here.
const WINDOWS_MIN: usize = 3;
/// Windows that are remembered.
const WINDOWS_MAX: usize = 4_096;
/// Fewer windows are a beginning: usual is what was most in them, for whoever comes first is no crowd.
const WINDOWS_BEGIN: usize = 6;
/// From so many windows on less than the middle is what was usual: of that many more, the tenth part.
const WINDOWS_SHORT: usize = 12;
const WINDOWS_LONG: usize = 60;
/// So many times the usual is a surge.
const TIMES: f64 = 1.6;
/// A surge lasts for as long as there are so many times the usual.
const TIMES_STILL: f64 = 1.3;
/// So many deviations of chance beyond it.
const DEVIATIONS: f64 = 3.0;
/// Fewer people than this are no crowd anywhere.
const PEOPLE_MIN: u64 = 50;

/// People seen in each window, as long as that was usual.
#[derive(Clone, Debug, Default)]
pub struct Surge {
    usual: Vec<u64>,
    is_on: bool,
}

impl Surge {
    /// A window with so many people in it. Whether that is more than usual.
    pub fn window(&mut self, people: u64) -> bool {
        let times = if self.is_on { TIMES_STILL } else { TIMES };
        self.is_on = self.usual().is_some_and(|usual| {
            let usual = usual.max(1) as f64;
            people >= PEOPLE_MIN && people as f64 > times * usual + DEVIATIONS * usual.sqrt()
        });
        if !self.is_on {
            if self.usual.len() == WINDOWS_MAX {
                // Every second one says the same.
                let mut kept = [true, false].into_iter().cycle();
                self.usual.retain(|_| kept.next() == Some(true));
            }
            self.usual.push(people);
        }
        self.is_on
    }

    /// Whether the last window had more than usual.
    pub const fn is_on(&self) -> bool {
        self.is_on
    }

    /// How many are usual; `None` while nobody knows.
    pub fn usual(&self) -> Option<u64> {
        if self.usual.len() < WINDOWS_MIN {
            return None;
        }
        if self.usual.len() < WINDOWS_BEGIN {
            return self.usual.iter().max().copied();
        }
        let mut usual = self.usual.clone();
        let long = usual.len().clamp(WINDOWS_SHORT, WINDOWS_LONG) - WINDOWS_SHORT;
        let part = 2 + 8 * long / (WINDOWS_LONG - WINDOWS_SHORT);
        let at = usual.len() / part;
        Some(*usual.select_nth_unstable(at).1)
    }
}

impl Surge {
    /// So many times the usual is a surge.
    pub const TIMES_MIN: f64 = TIMES;
    /// And so many people at least.
    pub const CROWD_MIN: u64 = PEOPLE_MIN;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lived(people: impl IntoIterator<Item = u64>) -> Vec<bool> {
        let mut surge = Surge::default();
        people.into_iter().map(|people| surge.window(people)).collect()
    }

    #[test]
    fn more_than_usual_is_a_surge_for_as_long_as_it_is_more() {
        let on = lived([26, 49, 71, 188, 319, 361, 340, 261, 100, 60]);
        assert_eq!(on, [false, false, false, true, true, true, true, true, false, false]);
        let slowly = lived((0..240).map(|window| 300 + window * 2));
        assert!(!slowly[..60].contains(&true) && slowly[200..].iter().all(|on| *on), "by 1.5 a minute or so");
    }

    #[test]
    fn nobody_knows_at_first_what_is_usual_and_few_are_no_crowd() {
        assert_eq!(lived([16, 83, 104, 100, 88]), [false; 5]);
        assert_eq!(lived([1, 2, 1, 2, 40, 49]), [false; 6]);
        assert_eq!(lived([1_000, 1_010, 990, 1_030, 1_650]), [false; 5], "within chance of as many");
    }

    #[test]
    fn a_surge_that_lasts_does_not_become_usual_and_memory_is_bounded() {
        let on = lived((0..100_u64).map(|_| 20).chain((0..20_000).map(|_| 200)));
        assert!(on[100..].iter().all(|on| *on));
        let mut surge = Surge::default();
        (0..20_000).for_each(|_| assert!(!surge.window(20)));
        assert!(surge.usual.len() <= WINDOWS_MAX && surge.usual() == Some(20));
    }
}
