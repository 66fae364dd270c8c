//! Does the seal itself hold: are the entries in order, and is every stretch of the chain signed by its key?

use super::super::seal::{Chain, Entry, Link, Seal, Sealed};
use super::Wrong;

/// What was found.
pub struct Checked {
    /// Every head of the chain with its count of parts, from the genesis on.
    pub points: Vec<Sealed>,
    /// The end is in the chain, signed, and the closing signature holds.
    pub closed: bool,
    /// What does not hold.
    pub wrong: Vec<Wrong>,
}

/// Checks chain, signatures, redaction marks and the closing signature.
pub fn check(seal: &Seal) -> Checked {
    let mut walk =
        Walk { chain: Chain::begin(&seal.genesis), points: Vec::new(), wrong: Vec::new(), gap: None };
    walk.points.push(walk.chain.at());
    let (mut signed, mut ended) = (walk.chain.at(), false);
    for link in &seal.links {
        match link {
            Link::Entry(entry) => {
                if ended {
                    walk.wrong_here("the seal goes on after its end");
                }
                ended |= matches!(entry, Entry::End { .. });
                walk.entry(entry);
            }
            Link::Signed(signature) => {
                if let Err(why) = seal.genesis.check(&walk.chain.at(), signature) {
                    let what = format!(
                        "the seal was changed within the {} s before here: {why}",
                        span(&walk, signed)
                    );
                    walk.wrong.push(Wrong::at_part(signed.parts, what));
                    break;
                }
                signed = walk.chain.at();
            }
        }
    }
    let end = walk.chain.at();
    if walk.wrong.is_empty() && signed != end {
        walk.wrong.push(Wrong::at_part(signed.parts, "the seal is not signed from here on"));
    }
    let broken = !walk.wrong.is_empty();
    if !broken {
        check_marks(seal, &end, &mut walk.wrong);
    }
    Checked { closed: ended && seal.closing.is_some(), points: walk.points, wrong: walk.wrong }
}

/// Redactions, and what was signed at the end. Only sensible once the chain itself holds.
fn check_marks(seal: &Seal, end: &Sealed, wrong: &mut Vec<Wrong>) {
    for mark in &seal.redactions {
        if mark.from.checked_add(mark.parts).is_none_or(|to| to > end.parts) {
            wrong.push(Wrong::at_part(end.parts, "a redaction is marked outside the recording"));
        } else if let Err(why) = mark.check(&seal.genesis, &end.head) {
            wrong.push(Wrong {
                at_s: mark.at_s(),
                what: format!("the mark of a redaction does not hold: {why}"),
            });
        }
    }
    match &seal.closing {
        Some(closing) => {
            if let Err(why) = closing.check((&seal.genesis, end), &seal.redactions) {
                let what = format!("the list of files and redactions was changed: {why}");
                wrong.push(Wrong::at_part(end.parts, what));
            }
        }
        None if !seal.redactions.is_empty() => {
            wrong.push(Wrong::at_part(end.parts, "an open seal cannot have redactions"));
        }
        None => {}
    }
}

struct Walk {
    chain: Chain,
    points: Vec<Sealed>,
    wrong: Vec<Wrong>,
    gap: Option<u64>,
}

impl Walk {
    fn wrong_here(&mut self, what: &str) {
        self.wrong.push(Wrong::at_part(self.chain.at().parts, what));
    }

    /// The rules of order that even the key's owner must keep.
    fn entry(&mut self, entry: &Entry) {
        let last = self.chain.last().map(|last| last.no.0);
        match entry {
            Entry::Part(part) => {
                let expected = match (last, self.gap.take()) {
                    (Some(last), gap) => {
                        last.checked_add(1).and_then(|next| next.checked_add(gap.unwrap_or(0)))
                    }
                    (None, _) => Some(part.no.0),
                };
                if expected != Some(part.no.0) {
                    self.wrong_here("part numbers jump without a gap that says why");
                }
            }
            Entry::Gap(lost) => {
                if last.is_some_and(|last| last != lost.after.0) || self.gap.is_some() {
                    self.wrong_here("a gap is named where none can be");
                }
                self.gap = Some(lost.parts);
            }
            Entry::Hold { .. } => {
                if self.points.len() > 1 {
                    self.wrong_here("hold sound before the start is named after the start");
                }
            }
            Entry::End { parts, .. } => {
                if *parts != self.chain.at().parts || self.gap.is_some() {
                    self.wrong_here("the end names another number of parts");
                }
            }
        }
        self.chain.append(entry);
        self.points.push(self.chain.at());
    }
}

/// Seconds of sound since the last signature that held.
fn span(walk: &Walk, signed: Sealed) -> f64 {
    super::redact::seconds(walk.chain.at().parts - signed.parts)
}
