//! Sources, in a table of fixed size.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::door::address::canonical;
use crate::guard::visit::{Account, Visit, window_of};

/// Sources that are remembered at a time, of some 600 bytes each, and twice their name where they have one.
const SOURCES_MAX: usize = 400_000;
/// Whoever was not seen for so many windows may be forgotten: two minutes.
const WINDOWS_KEPT: i64 = 24;
/// Whoever was blamed is believed less for so many windows: a minute.
const WINDOWS_BLAMED: i64 = 12;
/// Bits of an IPv6 address that name a home.
const HOME_BITS: u32 = 64;
/// Characters of a name that is no address.
const NAME_CHARS_MAX: usize = 255;

/// Who asks: an IPv4 address, an IPv6 network of 64 bits, or a name where the log has names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// An address, an IPv6 one without its last half.
    Address(IpAddr),
    /// Whatever else the log calls it.
    Name(Box<str>),
}

impl Source {
    fn of(text: &str) -> Self {
        match text.parse().map(canonical) {
            Ok(IpAddr::V6(address)) => {
                let home = address.to_bits() >> HOME_BITS << HOME_BITS;
                Self::Address(IpAddr::V6(Ipv6Addr::from_bits(home)))
            }
            Ok(address) => Self::Address(address),
            Err(_) => {
                // A log is a stranger's text, and this is shown on terminals.
                let shown =
                    |letter: char| if letter.is_control() { char::REPLACEMENT_CHARACTER } else { letter };
                Self::Name(text.chars().take(NAME_CHARS_MAX).map(shown).collect())
            }
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(IpAddr::V6(address)) => write!(to, "{address}/{HOME_BITS}"),
            Self::Address(address) => write!(to, "{address}"),
            Self::Name(name) => to.write_str(name),
        }
    }
}

/// Where in the table a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(u32);

/// What a source is blamed for.
#[derive(Clone, Copy, Debug)]
pub struct Blame {
    /// Requests, in windows in which somebody attacked.
    pub requests: u64,
    /// The last of these windows.
    last_window: i64,
    /// What the worst of them were.
    pub account: Account,
}

#[derive(Debug)]
struct Row {
    source: Source,
    visit: Visit,
    blame: Option<Blame>,
    is_doubted: bool,
}

/// All sources.
#[derive(Debug, Default)]
pub struct Sources {
    by_source: BTreeMap<Source, Place>,
    rows: Vec<Row>,
    /// Where the search for somebody to forget goes on.
    hand: usize,
    total: u64,
    /// Who was forgotten and doubted.
    doubted: u64,
    /// Who was forgotten and blamed.
    blamed: BTreeMap<Source, Blame>,
}

impl Sources {
    /// The place of a source; `None` when there is none left for it.
    pub fn of(&mut self, remote: &str, at_ms: i64) -> Option<Place> {
        let source = Source::of(remote);
        if let Some(place) = self.by_source.get(&source) {
            return Some(*place);
        }
        self.total += 1;
        let row = Row { source: source.clone(), visit: Visit::begins(at_ms), blame: None, is_doubted: false };
        let place = if self.rows.len() < SOURCES_MAX {
            self.rows.push(row);
            Place(u32::try_from(self.rows.len() - 1).ok()?)
        } else {
            self.forget_somebody(row, window_of(at_ms))?
        };
        self.by_source.insert(source, place);
        Some(place)
    }

    /// Puts a new source where one was that was not seen for long.
    fn forget_somebody(&mut self, row: Row, window: i64) -> Option<Place> {
        // A few at a time: if none of these is old, hardly any is.
        for _ in 0..64 {
            self.hand = (self.hand + 1) % self.rows.len();
            if self.rows[self.hand].visit.last_window() < window - WINDOWS_KEPT {
                let before = std::mem::replace(&mut self.rows[self.hand], row);
                self.by_source.remove(&before.source);
                self.doubted += u64::from(before.is_doubted && before.blame.is_none());
                if let Some(blame) = before.blame
                    && self.blamed.len() < SOURCES_MAX
                {
                    self.blamed.insert(before.source, blame);
                }
                return Some(Place(u32::try_from(self.hand).ok()?));
            }
        }
        None
    }

    /// A source's visit.
    pub fn visit(&mut self, place: Place) -> &mut Visit {
        &mut self.rows[place.0 as usize].visit
    }

    /// Sources there were.
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// Whether a source is blamed for what it did shortly before.
    pub fn is_blamed(&self, place: Place, window: i64) -> bool {
        let blame = self.rows[place.0 as usize].blame;
        blame.is_some_and(|blame| window - blame.last_window <= WINDOWS_BLAMED)
    }

    /// A source is blamed for its requests of a window.
    pub fn blame(&mut self, place: Place, window: i64, account: Account) {
        let row = &mut self.rows[place.0 as usize];
        let requests = row.visit.told_in(window).requests;
        let blame = row.blame.get_or_insert(Blame { requests: 0, last_window: window, account });
        blame.requests += requests;
        blame.last_window = window;
        blame.account = blame.account.max(account);
    }

    /// It cannot be told what a source's requests were for.
    pub fn doubt(&mut self, place: Place) {
        self.rows[place.0 as usize].is_doubted = true;
    }

    /// Who is doubted and not blamed.
    pub fn doubted(&self) -> u64 {
        let doubted = self.rows.iter().filter(|row| row.is_doubted && row.blame.is_none());
        self.doubted + doubted.count() as u64
    }

    /// Everybody who is blamed.
    pub fn into_blamed(mut self) -> impl Iterator<Item = (Source, Blame)> {
        for row in self.rows {
            if let Some(blame) = row.blame {
                let before = self.blamed.entry(row.source).or_insert(Blame { requests: 0, ..blame });
                before.requests += blame.requests;
            }
        }
        self.blamed.into_iter()
    }
}
