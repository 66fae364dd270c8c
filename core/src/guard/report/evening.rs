//! What the lines of an evening add up to.

use std::collections::BTreeMap;

use super::line::RoomSaid;
use super::step::{Second, share_of};
use crate::guard::Kind;
use crate::guard::Range;
use crate::guard::live::{Account, Sums};

/// What newcomers became is told over ten seconds, so it is taken every ten; a second that came a little
/// early counts.
const NEWCOMERS_EVERY_MS: i64 = 9_500;

/// The lines of a room's evening, in order, as they follow each other.
#[derive(Clone, Debug)]
pub struct Evening {
    pub(super) room: String,
    pub(super) seconds: Vec<Second>,
    /// The one right after, where it tells the audit's key. It is no second of the evening.
    pub(super) after: Option<Second>,
    /// The lines themselves, each with its end.
    pub(super) bytes: Vec<u8>,
    /// The hash that the first line names.
    pub(super) prev: Option<String>,
    /// The number of the last, and its hash.
    pub(super) last_seq: u64,
    pub(super) head: String,
}

/// The most there ever was of something, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Peak {
    pub value: u64,
    pub at_ms: Option<i64>,
}

/// A key of the audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeySaid {
    /// Its SHA-256, as it was told while it was in force.
    pub hash: [u8; 32],
    /// The key; `None` where it has not been told.
    pub key: Option<[u8; 32]>,
    /// For how many seconds of the evening it was in force.
    pub seconds: u64,
}

/// Something that happened for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub at_ms: i64,
    pub what: &'static str,
}

/// What happens for the first time: its word, and whether a second has it.
type First = (&'static str, fn(&Second) -> bool);
/// In the order in which they are told when they come in the same second.
const FIRSTS: [First; 8] = [
    ("surge", |second| second.is_surge),
    ("our_error", |second| second.is_error),
    ("own_fault", |second| second.is_own_fault),
    ("violation", |second| second.has(Account::Violation)),
    ("unexplained", |second| second.has(Account::Unexplained)),
    ("cap_full", |second| second.room.is_some_and(|room| room.cap > 0 && room.taken >= room.cap)),
    ("crowd", |second| matches!(second.kind, Kind::Crowd | Kind::Both)),
    ("attack", |second| second.kind.is_attack()),
];

impl Evening {
    /// The room.
    pub fn room(&self) -> &str {
        &self.room
    }

    /// Its lines as they are in the ledger.
    pub fn ledger(&self) -> &[u8] {
        &self.bytes
    }

    /// From the end of the first second to the end of the last, in milliseconds since 1970.
    pub(super) fn span_ms(&self) -> (i64, i64) {
        let at = |second: Option<&Second>| second.map_or(0, |second| second.at_ms);
        (at(self.seconds.first()), at(self.seconds.last()))
    }

    pub(super) fn totals(&self) -> Sums {
        let mut totals = Sums::default();
        self.seconds.iter().for_each(|second| totals.plus(&second.sums));
        totals
    }

    pub(super) fn of_kind(&self, kind: Kind) -> u64 {
        self.seconds.iter().filter(|second| second.kind == kind).count() as u64
    }

    pub(super) fn own_fault(&self) -> u64 {
        self.seconds.iter().filter(|second| second.is_own_fault).count() as u64
    }

    /// Where somebody attacks, and where a crowd is; seconds of both are in both.
    pub(super) fn attacked_and_crowded(&self) -> (u64, u64) {
        let both = self.of_kind(Kind::Both);
        (self.of_kind(Kind::Attack) + both, self.of_kind(Kind::Crowd) + both)
    }

    pub(super) fn people(&self) -> Peak {
        self.peak(|second| second.people)
    }

    pub(super) fn listening(&self) -> Peak {
        self.peak(|second| second.room.map_or(0, |room| room.listening))
    }

    pub(super) fn waiting(&self) -> Peak {
        self.peak(|second| second.room.map_or(0, |room| room.waiting))
    }

    /// The first of the largest.
    fn peak(&self, of: impl Fn(&Second) -> u64) -> Peak {
        let mut peak = Peak::default();
        for second in &self.seconds {
            if of(second) > peak.value {
                peak = Peak { value: of(second), at_ms: Some(second.at_ms) };
            }
        }
        peak
    }

    /// What was said of the room's seats before most people listened: the last second before it with the
    /// room, or the first of all.
    pub(super) fn before_peak(&self) -> Option<(i64, RoomSaid)> {
        let until = self.listening().at_ms;
        let with = || self.seconds.iter().filter_map(|second| Some((second.at_ms, second.room?)));
        let before = with().take_while(|(at_ms, _)| until.is_some_and(|until| *at_ms < until)).last();
        before.or_else(|| with().next())
    }

    /// Requests refused for want of a seat, and tickets issued, from the first second to the last.
    pub(super) fn turned_away_and_tickets(&self) -> (u64, u64) {
        let with = || self.seconds.iter().filter_map(|second| second.room);
        let (first, last) = (with().next().unwrap_or_default(), with().next_back().unwrap_or_default());
        (last.turned_away.saturating_sub(first.turned_away), last.tickets)
    }

    /// What happened when for the first time, in order.
    pub(super) fn events(&self) -> Vec<Event> {
        let first = |(what, has): First| {
            let second = self.seconds.iter().find(|second| has(second))?;
            Some(Event { at_ms: second.at_ms, what })
        };
        let mut events: Vec<_> = FIRSTS.into_iter().filter_map(first).collect();
        events.sort_by_key(|event| event.at_ms);
        events
    }

    /// An attack's share of all requests, in parts of ten thousand. Of none it cannot be told.
    pub(super) fn share(&self) -> [u64; 2] {
        share_of(&self.seconds).unwrap_or([0, 10_000])
    }

    /// The same.
    pub(super) fn share_range(&self) -> Range {
        range(self.share())
    }

    /// Newcomers who became listeners, all of whom it is known, and in how many steps of ten seconds.
    pub(super) fn newcomers(&self) -> (u64, u64, u64) {
        let (mut became, mut came, mut steps) = (0, 0, 0);
        let mut next = self.span_ms().0.saturating_add(NEWCOMERS_EVERY_MS);
        for second in &self.seconds {
            if second.at_ms >= next {
                became += second.newcomers[0];
                came += second.newcomers[1];
                steps += 1;
                next = second.at_ms.saturating_add(NEWCOMERS_EVERY_MS);
            }
        }
        (became, came, steps)
    }

    /// The audit's keys, in the order in which they were in force.
    pub(super) fn keys(&self) -> Vec<KeySaid> {
        let (mut keys, mut places) = (Vec::<KeySaid>::new(), BTreeMap::new());
        let evening = self.seconds.iter().map(|second| (second, 1));
        for (second, seconds) in evening.chain(self.after.iter().map(|second| (second, 0))) {
            let Some((hash, key)) = second.audit else { continue };
            let place = *places.entry(hash).or_insert(keys.len());
            if place == keys.len() {
                keys.push(KeySaid { hash, key: None, seconds: 0 });
            }
            keys[place].seconds += seconds;
            keys[place].key = keys[place].key.or(key);
        }
        keys
    }

    pub(super) fn acts(&self) -> u64 {
        self.seconds.iter().map(|second| second.acts).sum()
    }
}

/// A range in parts of ten thousand as one in shares.
pub(super) fn range([low, high]: [u64; 2]) -> Range {
    Range::new(low as f64 / 10_000.0, high as f64 / 10_000.0)
}
