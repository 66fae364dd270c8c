//! Who spoke when, by the program's own clock: what a player shows at the place it plays.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};
use tribune_core::program::{PART_MS, PartNo};
use tribune_core::room::PersonId;

use crate::program::ears::Position;

/// Turns that ended longer ago than this are only in the file, in milliseconds of program.
const RECENT_MS: u64 = 60_000;
/// And no more than so many.
const RECENT_MAX: usize = 256;

/// One person's turn to speak.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// Who, as others read it.
    pub name: String,
    /// The part in which it began.
    pub from_part: u64,
    /// And where in it, in milliseconds.
    pub from_ms: u64,
    /// The part in which it ended.
    pub to_part: Option<u64>,
    /// And where in it, in milliseconds.
    pub to_ms: Option<u64>,
}

/// The turns of one room's program.
#[derive(Debug, Default)]
pub(super) struct Turns {
    speaking: BTreeMap<PersonId, Turn>,
    ended: VecDeque<Turn>,
    /// Ended and not written down yet.
    fresh: Vec<Turn>,
    last: Option<Position>,
}

impl Turns {
    /// Who speaks on air now, and since when; `live` is where the conversation is.
    pub(super) fn hear(&mut self, live: Option<Position>, now: BTreeMap<PersonId, (String, Position)>) {
        let end = live.or(self.last);
        let still = |id: &PersonId| live.is_some() && now.contains_key(id);
        let over: Vec<_> = self.speaking.keys().filter(|id| !still(id)).cloned().collect();
        for id in over {
            if let (Some(turn), Some(end)) = (self.speaking.remove(&id), end) {
                self.end(turn, end);
            }
        }
        for (id, (name, from)) in now.into_iter().filter(|_| live.is_some()) {
            let (from_part, from_ms) = (from.part.0, from.ms);
            let begun = Turn { name, from_part, from_ms, to_part: None, to_ms: None };
            self.speaking.entry(id).or_insert(begun);
        }
        self.last = live;
        self.forget(live);
    }

    /// The last minute's, by their beginnings.
    pub(super) fn recent(&self) -> Vec<Turn> {
        let mut turns: Vec<_> = self.ended.iter().chain(self.speaking.values()).cloned().collect();
        turns.sort_by_key(|turn| (turn.from_part, turn.from_ms));
        turns
    }

    /// What is to be written down.
    pub(super) fn take_fresh(&mut self) -> Vec<Turn> {
        std::mem::take(&mut self.fresh)
    }

    fn end(&mut self, mut turn: Turn, end: Position) {
        (turn.to_part, turn.to_ms) = (Some(end.part.0), Some(end.ms));
        self.fresh.push(turn.clone());
        self.ended.push_back(turn);
    }

    fn forget(&mut self, live: Option<Position>) {
        let ms = |part: u64, ms: u64| part * PART_MS + ms;
        while let Some(oldest) = self.ended.front() {
            let ended = ms(oldest.to_part.unwrap_or_default(), oldest.to_ms.unwrap_or_default());
            let is_old = live.is_none_or(|at| ms(at.part.0, at.ms) > ended + RECENT_MS);
            if !is_old && self.ended.len() <= RECENT_MAX {
                return;
            }
            self.ended.pop_front();
        }
    }
}

/// The part as a number, while the conversation is on air.
pub(super) fn live_part(live: Option<Position>) -> Option<u64> {
    live.map(|Position { part: PartNo(part), .. }| part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(part: u64, ms: u64) -> Position {
        Position { part: PartNo(part), ms }
    }

    fn speaking(who: &[(&str, Position)]) -> BTreeMap<PersonId, (String, Position)> {
        let id = |name: &str| PersonId::parse(name).expect("an id");
        who.iter().map(|(name, from)| (id(name), ((*name).to_owned(), *from))).collect()
    }

    #[test]
    fn turns_begin_and_end_on_the_program_and_are_kept_a_minute() {
        let mut turns = Turns::default();
        turns.hear(None, speaking(&[("ann", at(3, 0))]));
        assert!(turns.recent().is_empty(), "on hold nobody has the word");
        turns.hear(Some(at(10, 20)), speaking(&[("ann", at(10, 0))]));
        turns.hear(Some(at(11, 40)), speaking(&[("ann", at(10, 0)), ("ben", at(11, 20))]));
        turns.hear(Some(at(12, 60)), speaking(&[("ben", at(11, 20))]));
        let ann =
            Turn { name: "ann".to_owned(), from_part: 10, from_ms: 0, to_part: Some(12), to_ms: Some(60) };
        assert_eq!((turns.recent().len(), &turns.recent()[0]), (2, &ann));
        assert_eq!(turns.take_fresh(), [ann]);
        turns.hear(None, BTreeMap::new());
        assert_eq!(
            turns.take_fresh()[0].to_part,
            Some(12),
            "a program that stops ends every turn where it was"
        );
        turns.hear(Some(at(12 + 60_000 / PART_MS + 2, 0)), BTreeMap::new());
        assert!(turns.recent().is_empty());
    }
}
