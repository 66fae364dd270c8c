//! How often something may be done, counted by who does it.

use std::collections::BTreeMap;
use std::time::Duration;

use tribune_core::time::Time;

/// How long they are counted, in seconds.
pub const WINDOW_S: u64 = 60;
/// Who is remembered at once.
const REMEMBERED_MAX: usize = 4_096;

/// Counts of the last minute. Whoever comes when as many are remembered as may be shares one count with all
/// others who do.
#[derive(Debug)]
pub struct Pace<By> {
    most: u32,
    counts: BTreeMap<Option<By>, Count>,
}

#[derive(Debug)]
struct Count {
    since: Time,
    times: u32,
}

/// Whether somebody did more than they may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooMany {
    /// Not yet.
    No,
    /// More than may be.
    Yes,
}

impl<By: Ord> Pace<By> {
    /// Up to `most` times a minute.
    pub const fn new(most: u32) -> Self {
        Self { most, counts: BTreeMap::new() }
    }

    /// Counts one time more; whether that was one too many.
    pub fn count(&mut self, now: Time, by: By) -> TooMany {
        let mut place = Some(by);
        if self.counts.len() >= REMEMBERED_MAX && !self.counts.contains_key(&place) {
            self.counts.retain(|_, count| count.lasts(now));
            if self.counts.len() >= REMEMBERED_MAX {
                place = None;
            }
        }
        let count = self.counts.entry(place).or_insert(Count { since: now, times: 0 });
        if !count.lasts(now) {
            *count = Count { since: now, times: 0 };
        }
        count.times = count.times.saturating_add(1);
        if count.times > self.most { TooMany::Yes } else { TooMany::No }
    }
}

impl Count {
    fn lasts(&self, now: Time) -> bool {
        now.since(self.since) < Duration::from_secs(WINDOW_S)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::net::IpAddr;

    use tribune_core::guard::live::home;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        home(text.parse().unwrap())
    }

    #[test]
    fn an_address_may_so_often_a_minute() {
        let mut pace = Pace::new(10);
        for n in 1..=20 {
            let expected = if n > 10 { TooMany::Yes } else { TooMany::No };
            assert_eq!(pace.count(Time::ZERO, ip("192.0.2.1")), expected, "{n}");
        }
        assert_eq!(pace.count(Time::ZERO, ip("192.0.2.2")), TooMany::No);
        assert_eq!(pace.count(Time::from_millis(59_999), ip("192.0.2.1")), TooMany::Yes);
        assert_eq!(pace.count(Time::from_millis(60_000), ip("192.0.2.1")), TooMany::No);
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let mut pace = Pace::new(10);
        for n in 0..10 {
            pace.count(Time::ZERO, ip(&format!("2001:db8::{n}")));
        }
        assert_eq!(pace.count(Time::ZERO, ip("2001:db8::ffff")), TooMany::Yes);
        assert_eq!(pace.count(Time::ZERO, ip("2001:db8:0:1::1")), TooMany::No);
    }

    #[test]
    fn memory_is_bounded_and_the_rest_share_one_count() {
        let mut pace = Pace::new(10);
        for n in 0..20_000_u32 {
            pace.count(Time::ZERO, n);
        }
        assert!(pace.counts.len() <= REMEMBERED_MAX + 1);
        assert_eq!(pace.count(Time::ZERO, 20_001), TooMany::Yes);
    }
}
