//! Who is refused for a while, and the list of everything that was done by itself.
//!
//! Only who broke the rules again and again while somebody attacked is refused, never for what merely could
//! not be explained, and never where somebody hears: behind one address there may be thousands.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use serde::{Serialize, Serializer};

use crate::time::WallTime;

/// Who broke the rules so often within a minute may be refused.
pub const WRONGS_MAX: u32 = 10;
/// Refused for so long, in milliseconds; each time twice as long, up to the most.
const REFUSED_MS: u64 = 60_000;
const REFUSED_MS_MAX: u64 = 900_000;
/// Sources that are refused at a time, and those remembered for it.
const REFUSED_MAX: usize = 50_000;
/// Who comes so often though refused knocks on and on: no person does, nor a browser for one.
const KNOCKS_MIN: u32 = 100;
/// It is looked for those who may be forgotten so often, in milliseconds.
const FORGET_MS: u64 = 1_000;
/// Acts that are listed; older ones are over.
const LISTED_MAX: usize = 500;

/// Something that was done by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Act {
    /// Its number, for who undoes it.
    pub number: u64,
    /// When.
    #[serde(serialize_with = "rfc3339")]
    pub at: WallTime,
    /// Whom it was done to: an address, or an IPv6 network of 64 bits.
    pub source: IpAddr,
    /// Refused until then.
    #[serde(serialize_with = "rfc3339")]
    pub until: WallTime,
    /// How often it broke the rules within a minute.
    pub violations: u32,
    /// Whether somebody has taken it back.
    pub undone: bool,
}

fn rfc3339<S: Serializer>(at: &WallTime, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&at.rfc3339())
}

#[derive(Clone, Copy, Debug)]
struct Refused {
    until_ms: u64,
    times: u32,
    /// How often it came since, and was closed.
    knocks: u32,
    is_let_be: bool,
}

/// What was done.
#[derive(Debug, Default)]
pub struct Acts {
    by_home: BTreeMap<IpAddr, Refused>,
    listed: VecDeque<Act>,
    next: u64,
    forgot_ms: u64,
}

impl Acts {
    /// A source is refused from now on, unless it is already, or somebody said to let it be.
    pub fn refuse(&mut self, (at_ms, at): (u64, WallTime), source: IpAddr, violations: u32) {
        self.forget(at_ms);
        if self.by_home.len() >= REFUSED_MAX && !self.by_home.contains_key(&source) {
            return;
        }
        let refused = self.by_home.entry(source).or_insert(Refused {
            until_ms: 0,
            times: 0,
            knocks: 0,
            is_let_be: false,
        });
        if refused.is_let_be || at_ms < refused.until_ms {
            return;
        }
        if at_ms > refused.until_ms + REFUSED_MS_MAX {
            // Somebody else may have the address by now.
            refused.times = 0;
        }
        let lasts_ms = REFUSED_MS.saturating_mul(1 << refused.times.min(10)).min(REFUSED_MS_MAX);
        (refused.until_ms, refused.times) = (at_ms + lasts_ms, refused.times + 1);
        refused.knocks = 0;
        if self.listed.len() == LISTED_MAX {
            self.listed.pop_front();
        }
        let until = WallTime(at.0 + i64::try_from(lasts_ms).unwrap_or(i64::MAX));
        self.listed.push_back(Act { number: self.next, at, source, until, violations, undone: false });
        self.next += 1;
    }

    /// Takes an act back: its source is let be from now on, for as long as the node runs. Whether there is
    /// such an act.
    pub fn undo(&mut self, number: u64) -> bool {
        let Some(act) = self.listed.iter_mut().find(|act| act.number == number) else { return false };
        act.undone = true;
        if let Some(refused) = self.by_home.get_mut(&act.source) {
            (refused.until_ms, refused.is_let_be) = (0, true);
        }
        true
    }

    /// Who is refused now, and until when, in milliseconds of the node's clock.
    pub fn refused(&self, at_ms: u64) -> impl Iterator<Item = (IpAddr, u64)> {
        let until = self.by_home.iter().map(|(home, refused)| (*home, refused.until_ms));
        until.filter(move |(_, until_ms)| *until_ms > at_ms)
    }

    /// A source comes, and is closed.
    pub fn knocks(&mut self, at_ms: u64, source: IpAddr) {
        if let Some(refused) = self.by_home.get_mut(&source)
            && at_ms < refused.until_ms
        {
            refused.knocks = refused.knocks.saturating_add(1);
        }
    }

    /// Who is refused now and comes again all the same, on and on.
    pub fn knocking(&self, at_ms: u64) -> impl Iterator<Item = IpAddr> {
        let knocks = move |refused: &Refused| refused.until_ms > at_ms && refused.knocks >= KNOCKS_MIN;
        self.by_home.iter().filter(move |(_, refused)| knocks(refused)).map(|(home, _)| *home)
    }

    /// What was done, the oldest first.
    pub fn listed(&self) -> impl Iterator<Item = &Act> {
        self.listed.iter()
    }

    /// Who behaved for as long as the longest refusal begins anew.
    fn forget(&mut self, at_ms: u64) {
        if self.by_home.len() >= REFUSED_MAX && at_ms >= self.forgot_ms + FORGET_MS {
            self.forgot_ms = at_ms;
            self.by_home.retain(|_, refused| refused.is_let_be || refused.until_ms + REFUSED_MS_MAX > at_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 9));

    #[test]
    fn each_refusal_is_twice_as_long_up_to_a_quarter_of_an_hour() {
        let mut acts = Acts::default();
        let mut at_ms = 1_000;
        for lasts_s in [60, 120, 240, 480, 900, 900] {
            acts.refuse((at_ms, WallTime(at_ms as i64)), SOURCE, 12);
            acts.refuse((at_ms + 1, WallTime(0)), SOURCE, 13);
            assert_eq!(acts.refused(at_ms + lasts_s * 1_000 - 1).count(), 1, "{lasts_s}");
            at_ms += lasts_s * 1_000;
            assert_eq!(acts.refused(at_ms).count(), 0, "{lasts_s}");
        }
        assert_eq!(acts.listed().count(), 6, "who is refused is not refused again");
        at_ms += REFUSED_MS_MAX + 1;
        acts.refuse((at_ms, WallTime(0)), SOURCE, 12);
        assert_eq!(acts.refused(at_ms + 59_999).count(), 1);
        assert_eq!(acts.refused(at_ms + 60_000).count(), 0, "who behaved for long begins anew");
    }

    #[test]
    fn who_comes_a_hundred_times_though_refused_knocks_on_until_it_is_over() {
        let mut acts = Acts::default();
        acts.knocks(0, SOURCE);
        acts.refuse((0, WallTime(0)), SOURCE, 12);
        (0..99).for_each(|at_ms| acts.knocks(at_ms, SOURCE));
        assert_eq!(acts.knocking(99).count(), 0);
        acts.knocks(99, SOURCE);
        assert_eq!(acts.knocking(100).collect::<Vec<_>>(), [SOURCE]);
        assert_eq!(acts.knocking(60_000).count(), 0, "it is over");
        acts.refuse((60_000, WallTime(0)), SOURCE, 12);
        assert_eq!(acts.knocking(60_001).count(), 0, "and begins anew");
        (0..100).for_each(|_| acts.knocks(60_002, SOURCE));
        assert!(acts.knocking(60_003).count() == 1 && acts.undo(0));
        assert_eq!(acts.knocking(60_004).count(), 0, "somebody took it back");
    }

    #[test]
    fn an_act_is_taken_back_once_and_for_all() {
        let mut acts = Acts::default();
        acts.refuse((0, WallTime(0)), SOURCE, 12);
        assert!(!acts.undo(7) && acts.undo(0));
        assert_eq!(acts.refused(1).count(), 0);
        acts.refuse((100_000, WallTime(100_000)), SOURCE, 12);
        assert_eq!(acts.refused(100_001).count(), 0);
        let listed: Vec<_> = acts.listed().collect();
        assert!(listed.len() == 1 && listed[0].undone);
        let said = serde_json::json!(listed[0]);
        assert_eq!(said["until"], "1970-01-01T00:01:00.000Z");
    }

    #[test]
    fn there_is_an_end_of_who_is_refused_and_of_what_is_listed() {
        let mut acts = Acts::default();
        for number in 0..REFUSED_MAX as u32 + 1_000 {
            let source = IpAddr::V4(std::net::Ipv4Addr::from_bits(number));
            acts.refuse((0, WallTime(0)), source, 12);
        }
        assert_eq!((acts.refused(1).count(), acts.listed().count()), (REFUSED_MAX, LISTED_MAX));
        acts.refuse((2_000_000, WallTime(0)), IpAddr::V6(std::net::Ipv6Addr::LOCALHOST), 12);
        assert_eq!(acts.by_home.len(), 1, "all others behaved since");
    }
}
