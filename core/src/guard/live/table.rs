//! Sources of a running node, in a table of fixed size.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::source::Source;

/// Bits of an IPv6 address that name a home.
const HOME_BITS: u32 = 64;
/// Whoever was not here for so long, in milliseconds, may be forgotten for somebody new.
const KEPT_MS: u64 = 60_000;
/// Rows that are looked at to find one that may.
const LOOKS: usize = 64;

/// Who: an IPv4 address, or an IPv6 network of 64 bits.
pub fn home(from: IpAddr) -> IpAddr {
    match from {
        IpAddr::V4(_) => from,
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(address) => IpAddr::V4(address),
            None => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> HOME_BITS << HOME_BITS)),
        },
    }
}

/// A neighbourhood of homes: 256 IPv4 addresses, or an IPv6 network of 48 bits.
pub fn neighbourhood(from: IpAddr) -> IpAddr {
    match home(from) {
        IpAddr::V4(address) => IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & !0xff)),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 80 << 80)),
    }
}

/// All sources that are remembered.
#[derive(Debug)]
pub struct Table {
    sources_max: usize,
    by_home: BTreeMap<IpAddr, u32>,
    rows: Vec<(IpAddr, Source)>,
    hand: usize,
}

/// A source that was looked for.
#[derive(Debug)]
pub enum Found<'a> {
    /// It was here before.
    Known(&'a mut Source),
    /// It has just come.
    New(&'a mut Source),
    /// There is no room for it.
    NoRoom,
}

impl Table {
    /// For so many sources at most.
    pub const fn new(sources_max: usize) -> Self {
        Self { sources_max, by_home: BTreeMap::new(), rows: Vec::new(), hand: 0 }
    }

    /// The source of a home.
    pub fn of(&mut self, home: IpAddr, at_ms: u64) -> Found<'_> {
        if let Some(place) = self.by_home.get(&home) {
            return Found::Known(&mut self.rows[*place as usize].1);
        }
        let row = (home, Source::begins(at_ms));
        let place = if self.rows.len() < self.sources_max {
            self.rows.push(row);
            self.rows.len() - 1
        } else {
            let Some(place) = self.forgettable(at_ms) else { return Found::NoRoom };
            let (before, _) = std::mem::replace(&mut self.rows[place], row);
            self.by_home.remove(&before);
            place
        };
        self.by_home.insert(home, place as u32);
        Found::New(&mut self.rows[place].1)
    }

    fn forgettable(&mut self, at_ms: u64) -> Option<usize> {
        for _ in 0..LOOKS.min(self.rows.len()) {
            self.hand = (self.hand + 1) % self.rows.len();
            let (_, source) = &self.rows[self.hand];
            let is_idle = !source.was_here_since(at_ms.saturating_sub(KEPT_MS));
            let is_done = source.is_silent(at_ms) && source.connections().0 == 0;
            if is_idle || is_done {
                return Some(self.hand);
            }
        }
        None
    }

    /// A source that is remembered.
    pub fn get(&mut self, home: IpAddr) -> Option<&mut Source> {
        let place = *self.by_home.get(&home)?;
        Some(&mut self.rows[place as usize].1)
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &(IpAddr, Source)> {
        self.rows.iter()
    }

    /// How many are remembered.
    pub const fn len(&self) -> usize {
        self.rows.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(number: u32) -> IpAddr {
        IpAddr::V4(number.into())
    }

    #[test]
    fn a_home_is_an_address_or_a_network() {
        let is = |text: &str| home(text.parse().expect("an address")).to_string();
        assert_eq!(is("127.0.0.9"), "127.0.0.9");
        assert_eq!(is("::ffff:127.0.0.9"), "127.0.0.9");
        assert_eq!(is("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        let near = |text: &str| neighbourhood(text.parse().expect("an address")).to_string();
        assert_eq!(near("127.0.1.9"), "127.0.1.0");
        assert_eq!(near("2001:db8:1:2:3:4:5:6"), "2001:db8:1::");
    }

    #[test]
    fn the_table_never_grows_beyond_its_size_and_forgets_who_is_long_gone() {
        let mut table = Table::new(100);
        for from in 0..200 {
            let found = table.of(number(from), 0);
            assert_eq!(matches!(found, Found::NoRoom), from >= 100, "{from}");
        }
        assert!(matches!(table.of(number(7), 10), Found::Known(_)));
        assert!(matches!(table.of(number(500), KEPT_MS + 1), Found::New(_)), "there is one who may go");
        for from in 1_000..1_050 {
            assert!(matches!(table.of(number(from), 2 * KEPT_MS), Found::New(_)));
        }
        assert_eq!(table.len(), 100);
        assert_eq!(table.by_home.len(), 100);
    }
}
