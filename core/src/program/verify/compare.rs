//! The packets of a file against the parts of a seal: what is missing, changed, put in or out of place, and where.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::super::redact::{self, seconds};
use super::super::seal::{Hash, Seal, units_hash};
use super::super::{Codec, PartNo};
use super::{Coded, FINDINGS_MAX, Wrong};

/// What was found.
pub struct Found {
    /// Every sealed part is there.
    pub complete: bool,
    /// Nothing is there that was not sealed, and in no other order.
    pub unedited: bool,
    /// What does not fit.
    pub wrong: Vec<Wrong>,
    /// What is worth knowing.
    pub notes: Vec<String>,
}

/// Compares.
pub fn compare(seal: &Seal, coded: &Coded<'_>) -> Found {
    let hashes: Vec<Hash> = seal
        .parts()
        .map(|part| match coded.codec {
            Codec::Opus => part.opus,
            Codec::AacLc => part.aac,
        })
        .collect();
    let mut compare = Compare {
        seal,
        codec: coded.codec,
        units: &coded.units,
        places: places(&hashes),
        hashes,
        seen: BTreeSet::new(),
        runs: Vec::new(),
        restored: 0,
    };
    compare.walk();
    compare.findings()
}

/// For each hash, the places that have it: the sound of silence has many.
fn places(hashes: &[Hash]) -> BTreeMap<Hash, Vec<usize>> {
    let mut places: BTreeMap<Hash, Vec<usize>> = BTreeMap::new();
    for (place, hash) in hashes.iter().enumerate() {
        places.entry(*hash).or_default().push(place);
    }
    places
}

/// A stretch of the file that does not fit, or a jump in the seal, or both.
struct Run {
    /// The next part the seal expected.
    expected: usize,
    /// The part with which the file goes on; the number of sealed parts at the end of the file.
    goes_on: usize,
    /// Units in between that belong to no part.
    strange: usize,
}

struct Compare<'a> {
    seal: &'a Seal,
    codec: Codec,
    units: &'a [Cow<'a, [u8]>],
    hashes: Vec<Hash>,
    places: BTreeMap<Hash, Vec<usize>>,
    seen: BTreeSet<usize>,
    runs: Vec<Run>,
    /// Redacted parts whose sound is still in this file.
    restored: usize,
}

impl Compare<'_> {
    fn walk(&mut self) {
        let per_part = self.codec.units_per_part();
        let (mut unit, mut place) = (0, 0);
        while unit < self.units.len() {
            if self.fits(unit, place) {
                self.seen.insert(place);
                (unit, place) = (unit + per_part, place + 1);
                continue;
            }
            if self.drains(unit) {
                break;
            }
            let (next_unit, next_place) = self.resync(unit, place);
            self.runs.push(Run { expected: place, goes_on: next_place, strange: next_unit - unit });
            (unit, place) = (next_unit, next_place);
        }
        if place < self.hashes.len() {
            self.runs.push(Run { expected: place, goes_on: self.hashes.len(), strange: 0 });
        }
    }

    /// Whether the units from `unit` on are the sealed part `place`, or the silence that a mark put there.
    fn fits(&mut self, unit: usize, place: usize) -> bool {
        let Some(sealed) = self.hashes.get(place).copied() else { return false };
        let is_marked = self.seal.redactions.iter().any(|mark| mark.covers(place as u64));
        if self.hash_at(unit) == Some(sealed) {
            self.restored += usize::from(is_marked);
            return true;
        }
        let per_part = self.codec.units_per_part();
        is_marked
            && self
                .units
                .get(unit..unit + per_part)
                .is_some_and(|units| units.iter().all(|unit| redact::is_silent(self.codec, unit)))
    }

    /// Whether this is the one silent packet at the end that lets a decoder give what it holds back.
    fn drains(&self, unit: usize) -> bool {
        unit + 1 == self.units.len() && redact::is_silent(self.codec, &self.units[unit])
    }

    fn hash_at(&self, unit: usize) -> Option<Hash> {
        let units = self.units.get(unit..unit.checked_add(self.codec.units_per_part())?)?;
        Some(units_hash(units.iter().map(|unit| &**unit)))
    }

    /// The next unit at which a sealed part begins, and which: after the expected one if there is one, else before it. At the
    /// end of the file, the end of the seal.
    fn resync(&self, unit: usize, place: usize) -> (usize, usize) {
        for from in unit..self.units.len() {
            let Some(hash) = self.hash_at(from) else { break };
            let Some(places) = self.places.get(&hash) else { continue };
            let later = places.partition_point(|&at| at < place);
            if let Some(&at) = places.get(later).or(places.last()) {
                return (from, at);
            }
        }
        (self.units.len(), self.hashes.len())
    }

    fn findings(self) -> Found {
        let missing =
            (0..self.hashes.len()).any(|place| !self.seen.contains(&place) && !self.is_marked(place));
        let mut found = Found { complete: !missing, unedited: true, wrong: Vec::new(), notes: Vec::new() };
        if self.seen.is_empty() {
            found.unedited = false;
            found
                .wrong
                .push(Wrong::at_part(0, "nothing in this file is in this seal: it is another recording"));
            return found;
        }
        for run in self.runs.iter().take(FINDINGS_MAX) {
            let edited = self.describe(run, &mut found.wrong);
            found.unedited &= !edited;
        }
        if self.restored > 0 {
            let kept = seconds(self.restored as u64);
            found.notes.push(format!("This file still has {kept} s that were later taken out and marked."));
        }
        found
    }

    fn is_marked(&self, place: usize) -> bool {
        self.seal.redactions.iter().any(|mark| mark.covers(place as u64))
    }

    /// Adds the sentences for one run; whether it is an edit rather than a cut at either end.
    fn describe(&self, run: &Run, wrong: &mut Vec<Wrong>) -> bool {
        let per_part = self.codec.units_per_part();
        let skipped = run.goes_on.saturating_sub(run.expected);
        let (at_head, at_tail) = (run.expected == 0, run.goes_on == self.hashes.len());
        let lasts = seconds(skipped as u64);
        let what = match (skipped, run.strange) {
            (0, 0) if run.goes_on < run.expected => {
                let from = seconds(run.goes_on as u64);
                format!(
                    "sound from second {from} comes again or out of its place here ({})",
                    self.number(run.goes_on)
                )
            }
            (0, strange) => format!("{} are here that were not sealed", self.amount(strange)),
            (_, 0) if self.seen_elsewhere(run) => format!("{lasts} s are not here but in another place"),
            (_, 0) if at_head => format!("the first {lasts} s are missing"),
            (_, 0) if at_tail => format!("the last {lasts} s are missing"),
            (_, 0) => format!("{lasts} s are missing ({})", self.number(run.expected)),
            (skipped, strange) if strange == skipped * per_part => {
                format!("{lasts} s were changed ({})", self.number(run.expected))
            }
            (_, strange) => {
                format!("{lasts} s were cut or changed; {} are in their place", self.amount(strange))
            }
        };
        wrong.push(Wrong::at_part(run.expected as u64, what));
        // A file that begins late or ends early within a part holds some units of it: a cut, not an edit.
        let is_cut = run.goes_on >= run.expected && (at_head || at_tail) && run.strange < per_part;
        !is_cut || self.seen_elsewhere(run)
    }

    fn seen_elsewhere(&self, run: &Run) -> bool {
        (run.expected..run.goes_on).any(|place| self.seen.contains(&place))
    }

    fn amount(&self, units: usize) -> String {
        let ms = units as u64 * u64::from(self.codec.unit_samples()) / 48;
        format!("{units} packets ({ms} ms)")
    }

    /// The part's number in the program, as the seal has it.
    fn number(&self, place: usize) -> String {
        let no = self.seal.parts().nth(place).map_or(PartNo(0), |part| part.no);
        format!("part {}", no.0)
    }
}
