//! Wrong keys, counted by address, so that guessing is slow and shows. A right key is never refused for its
//! neighbours' guesses.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use tribune_core::time::Time;

/// Wrong keys one address may show within `WINDOW`.
pub const WRONG_KEYS_MAX: u32 = 10;
/// How long they are counted, in seconds.
pub const WINDOW_S: u64 = 60;
/// Addresses that are remembered; beyond it all others are counted as one.
const ADDRESSES_MAX: usize = 4_096;

/// The counts.
#[derive(Debug, Default)]
pub struct Guesses(BTreeMap<IpAddr, Count>);

#[derive(Debug)]
struct Count {
    since: Time,
    wrong: u32,
}

impl Guesses {
    /// Counts a wrong key; whether that was one too many.
    pub fn wrong(&mut self, now: Time, from: IpAddr) -> TooMany {
        let mut place = block(from);
        if self.0.len() >= ADDRESSES_MAX && !self.0.contains_key(&place) {
            self.0.retain(|_, count| count.lasts(now));
            if self.0.len() >= ADDRESSES_MAX {
                place = IpAddr::V6(Ipv6Addr::UNSPECIFIED);
            }
        }
        let count = self.0.entry(place).or_insert(Count { since: now, wrong: 0 });
        if !count.lasts(now) {
            *count = Count { since: now, wrong: 0 };
        }
        count.wrong = count.wrong.saturating_add(1);
        if count.wrong > WRONG_KEYS_MAX { TooMany::Yes } else { TooMany::No }
    }
}

/// Whether an address showed more wrong keys than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TooMany {
    /// Not yet.
    No,
    /// More than `WRONG_KEYS_MAX`.
    Yes,
}

impl Count {
    fn lasts(&self, now: Time) -> bool {
        now.since(self.since) < Duration::from_secs(WINDOW_S)
    }
}

/// One network of IPv6 counts as one address: its owner has 2⁶⁴ of them.
fn block(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_may_be_wrong_ten_times_a_minute() {
        let mut guesses = Guesses::default();
        for n in 1..=20 {
            let expected = if n > WRONG_KEYS_MAX { TooMany::Yes } else { TooMany::No };
            assert_eq!(guesses.wrong(Time::ZERO, ip("192.0.2.1")), expected, "{n}");
        }
        assert_eq!(guesses.wrong(Time::ZERO, ip("192.0.2.2")), TooMany::No);
        assert_eq!(guesses.wrong(Time::from_millis(59_999), ip("192.0.2.1")), TooMany::Yes);
        assert_eq!(guesses.wrong(Time::from_millis(60_000), ip("192.0.2.1")), TooMany::No);
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let mut guesses = Guesses::default();
        for n in 0..WRONG_KEYS_MAX {
            guesses.wrong(Time::ZERO, ip(&format!("2001:db8::{n}")));
        }
        assert_eq!(guesses.wrong(Time::ZERO, ip("2001:db8::ffff")), TooMany::Yes);
        assert_eq!(guesses.wrong(Time::ZERO, ip("2001:db8:0:1::1")), TooMany::No);
    }

    #[test]
    fn memory_is_bounded_and_the_rest_share_one_count() {
        let mut guesses = Guesses::default();
        for n in 0..20_000_u32 {
            guesses.wrong(Time::ZERO, IpAddr::V4((0x0a00_0000 + n).into()));
        }
        assert!(guesses.0.len() <= ADDRESSES_MAX + 1);
        assert_eq!(guesses.wrong(Time::ZERO, ip("203.0.113.9")), TooMany::Yes);
    }
}
