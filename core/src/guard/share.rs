//! How sure a share is that was seen in some of many.

use serde::{Serialize, Serializer};

/// 95 % of a normal distribution lie within so many deviations.
const DEVIATIONS: f64 = 1.96;
/// Jeffreys' prior: before anything was seen, half a yes and half a no.
const PRIOR: f64 = 0.5;

/// From, to: the range in which a share lies in 95 of 100 cases.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Range {
    /// At least.
    pub low: f64,
    /// At most.
    pub high: f64,
}

impl Serialize for Range {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let round = |share: f64| (share * 10_000.0).round() / 10_000.0;
        [round(self.low), round(self.high)].serialize(to)
    }
}

impl Range {
    /// Nothing is known.
    pub const ALL: Self = Self { low: 0.0, high: 1.0 };

    /// From, to, each put into 0..=1.
    pub fn new(low: f64, high: f64) -> Self {
        let low = low.clamp(0.0, 1.0);
        Self { low, high: high.clamp(low, 1.0) }
    }

    /// The share of `yes` among all, when `yes` of `of` were seen (Wilson's interval with Jeffreys' prior;
    /// Brown, Cai and DasGupta 2001 find either within a point of its 95 % from ten on).
    pub fn seen(yes: u64, of: u64) -> Self {
        if of == 0 {
            return Self::ALL;
        }
        let (yes, all) = (yes as f64 + PRIOR, of as f64 + 2.0 * PRIOR);
        let (share, square) = (yes / all, DEVIATIONS * DEVIATIONS);
        let middle = (share + square / (2.0 * all)) / (1.0 + square / all);
        let half = DEVIATIONS / (1.0 + square / all)
            * (share * (1.0 - share) / all + square / (4.0 * all * all)).sqrt();
        Self::new(middle - half, middle + half)
    }

    /// `part` of `all`, of which `unsure` more may belong to it; `slack` for what is put to a wrong account.
    pub fn of(part: f64, unsure: f64, all: f64, slack: f64) -> Self {
        if all <= 0.0 {
            return Self::ALL;
        }
        Self::new(part / all - slack, (part + unsure) / all + slack)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_surer_the_more_were_seen() {
        assert_eq!(Range::seen(0, 0), Range::ALL);
        let mut width = 1.0;
        for of in [1, 4, 20, 100, 400, 10_000] {
            let seen = Range::seen(of / 2, of);
            assert!(seen.low <= 0.5 && seen.high >= 0.5 && seen.high - seen.low < width, "{of}: {seen:?}");
            width = seen.high - seen.low;
        }
        // Clopper and Pearson's exact interval for 7 of 412 is 0.0069 to 0.0347.
        let few = Range::seen(7, 412);
        assert!((few.low - 0.0069).abs() < 0.004 && (few.high - 0.0347).abs() < 0.004, "{few:?}");
    }

    #[test]
    fn what_may_belong_to_it_widens_a_part() {
        assert_eq!(Range::of(0.0, 0.0, 0.0, 0.1), Range::ALL);
        let range = Range::of(50.0, 25.0, 100.0, 0.05);
        assert!((range.low - 0.45).abs() < 1e-9 && (range.high - 0.8).abs() < 1e-9);
        assert_eq!(Range::of(0.0, 0.0, 9.0, 0.0), Range { low: 0.0, high: 0.0 });
    }
}
