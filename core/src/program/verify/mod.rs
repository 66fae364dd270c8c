//! Is a recording complete and unedited? A pure function over a seal, a file and, if someone kept one, a
//! status.
//!
//! The seal is checked first (chain, signatures), then the file's packets against the seal's hashes, then the
//! witness against the chain. Every finding says at which second of the replay. Work is linear in the file
//! but for damaged stretches, where each packet is tried as the beginning of a part.

mod chain;
mod compare;
mod m4a;
mod ogg;
mod witness;

use std::borrow::Cow;

use serde::Serialize;
use sha2::{Digest, Sha256};

pub use witness::{WITNESS_BYTES_MAX, Witness, WitnessWrong};

use super::Codec;
use super::redact;
use super::seal::{Entry, Extent, Seal, Why, to_text};

/// The most findings that are listed; more of them say no more.
pub const FINDINGS_MAX: usize = 1_000;
/// The most units that are read of a file: some 88 hours.
pub const UNITS_MAX: usize = 16_000_000;

/// The packets or frames of a file, in order.
#[derive(Debug)]
pub struct Coded<'a> {
    /// How they are coded.
    pub codec: Codec,
    /// The units.
    pub units: Vec<Cow<'a, [u8]>>,
    /// What is wrong with the container around them.
    pub damages: Vec<Damage>,
    /// Whether the container has both its beginning and its end.
    pub whole_file: bool,
}

/// Something wrong with a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Before which unit.
    pub unit: usize,
    /// What.
    pub what: String,
}

/// Why a file cannot be read at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadWrong {
    /// Neither container.
    #[error("the file is neither Ogg Opus nor M4A")]
    Unknown,
    /// A container without units.
    #[error("the file holds no sound")]
    NoSound,
    /// An M4A whose index does not read.
    #[error("the M4A file cannot be read: {0}")]
    Index(&'static str),
}

/// Reads a recording's file: Ogg Opus, M4A, or the fragments of an HLS replay.
pub fn read(bytes: &[u8]) -> Result<Coded<'_>, ReadWrong> {
    let coded = match bytes {
        [b'O', b'g', b'g', b'S', ..] => ogg::read(bytes),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => m4a::read(bytes)?,
        _ => return Err(ReadWrong::Unknown),
    };
    if coded.units.is_empty() { Err(ReadWrong::NoSound) } else { Ok(coded) }
}

/// Reads a stretch of Ogg pages or fragments that lies on the disk.
pub fn read_stretch(codec: Codec, bytes: &[u8]) -> Result<Coded<'_>, ReadWrong> {
    match codec {
        Codec::Opus => Ok(ogg::read(bytes)),
        Codec::AacLc => m4a::read(bytes),
    }
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Complete and unedited, as far as was asked.
    Yes,
    /// Not.
    No,
    /// What was given does not suffice to tell.
    CannotTell,
}

/// Everything that was found; its JSON is the wire's.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Every sealed part is in the file, from the first word to the end.
    pub complete: bool,
    /// What is in the file is as sealed and in its order, and nothing was taken out.
    pub unedited: bool,
    /// A kept status names a head of this chain.
    pub witnessed: bool,
    /// The key of the seal, base64url.
    pub signed_by: String,
    /// The recording's length by its seal, in seconds.
    pub seconds: f64,
    /// Passages that were not recorded, as the seal names them.
    pub gaps: Vec<Gap>,
    /// Passages that were taken out and marked, by the seal.
    pub redactions: Vec<Taken>,
    /// What does not fit.
    pub wrong: Vec<Wrong>,
    /// Sentences about what this does and does not prove.
    pub notes: Vec<String>,
    #[serde(skip)]
    answer: Option<Answer>,
}

/// A passage that was not recorded.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Gap {
    /// Where in the replay, in seconds.
    pub at_s: f64,
    /// How much is missing, in seconds of wall time.
    pub seconds: f64,
    /// Why.
    pub why: Why,
}

/// A marked redaction.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Taken {
    /// Where in the replay, in seconds.
    pub at_s: f64,
    /// How long, in seconds.
    pub seconds: f64,
    /// The reason given.
    pub why: String,
    /// When it was taken out (RFC 3339).
    pub at: String,
}

/// Something that does not fit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Wrong {
    /// Where in the replay, in seconds.
    pub at_s: f64,
    /// What.
    pub what: String,
}

impl Wrong {
    pub(super) fn at_part(place: u64, what: impl Into<String>) -> Self {
        Self { at_s: redact::seconds(place), what: what.into() }
    }
}

impl Report {
    /// Yes, no, or cannot tell.
    pub fn answer(&self) -> Answer {
        match self.answer {
            Some(answer) => answer,
            None if self.complete && self.unedited && self.wrong.is_empty() => Answer::Yes,
            None => Answer::No,
        }
    }
}

/// Checks a recording: its seal, the bytes of one of its files, and optionally the JSON of a status somebody
/// kept.
pub fn verify(seal: &Seal, file: &[u8], witness: Option<&[u8]>) -> Result<Report, ReadWrong> {
    let coded = read(file)?;
    let chain = chain::check(seal);
    let found = compare::compare(seal, &coded);
    let mut report = Report {
        complete: found.complete && chain.closed && chain.wrong.is_empty(),
        unedited: found.unedited && chain.wrong.is_empty() && seal.redactions.is_empty(),
        witnessed: false,
        signed_by: to_text(&seal.genesis.key),
        seconds: redact::seconds(seal.parts().count() as u64),
        gaps: gaps(seal),
        redactions: seal.redactions.iter().map(taken).collect(),
        wrong: chain.wrong,
        notes: found.notes,
        answer: None,
    };
    report.wrong.extend(found.wrong);
    check_container(seal, (file, &coded), &mut report);
    if !chain.closed {
        report.notes.push(
            "The seal is still open: the room has not ended, so nobody can tell what is missing.".into(),
        );
        report.answer = report.wrong.is_empty().then_some(Answer::CannotTell);
    }
    hear(witness, (seal, &chain.points), &mut report);
    report.wrong.truncate(FINDINGS_MAX);
    Ok(report)
}

/// Holds the chain against the witness.
fn hear(witness: Option<&[u8]>, (seal, points): (&Seal, &[super::seal::Sealed]), report: &mut Report) {
    let Some(witness) = witness else {
        report.notes.push(
            "Without a kept status this proves that nothing changed since it was sealed, \
             not that the operator sealed it then."
                .into(),
        );
        return;
    };
    match Witness::read(witness) {
        Ok(witness) => match witness.contradicts(seal, points) {
            Some(what) => {
                report.wrong.push(Wrong::at_part(witness.program.parts, what));
                report.unedited = false;
            }
            None => {
                report.witnessed = true;
                report.notes.push(format!(
                    "The kept status proves the first {} s against the operator too.",
                    redact::seconds(witness.program.parts)
                ));
            }
        },
        Err(wrong) => {
            report.notes.push(format!("{wrong}."));
            report.answer = report.wrong.is_empty().then_some(Answer::CannotTell);
        }
    }
}

/// The bytes around the packets: as published, rewritten by another program, or changed.
fn check_container(seal: &Seal, (file, coded): (&[u8], &Coded<'_>), report: &mut Report) {
    let extents = seal.closing.as_ref().map(|closing| match coded.codec {
        Codec::Opus => closing.files.opus.as_slice(),
        Codec::AacLc => closing.files.m4a.as_slice(),
    });
    let published_bytes = extents.map(|extents| extents.iter().map(|extent| extent.bytes).sum::<u64>());
    if published_bytes == Some(file.len() as u64) {
        match extents.and_then(|extents| first_changed(extents, file)) {
            None => report.notes.push("The file is the published one, byte for byte.".into()),
            Some(at) if report.wrong.is_empty() => {
                report.unedited = false;
                report.wrong.push(Wrong {
                    at_s: 0.0,
                    what: format!("the container was changed after byte {at}; the sound in it is as sealed"),
                });
            }
            Some(_) => {}
        }
    } else if report.wrong.is_empty() {
        report.notes.push("The sound is as sealed, in a container that was written anew.".into());
    }
    let per_part = coded.codec.units_per_part();
    for damage in coded.damages.iter().take(FINDINGS_MAX) {
        report.unedited = false;
        report.wrong.push(Wrong::at_part((damage.unit / per_part) as u64, damage.what.clone()));
    }
}

/// Where the first stretch begins that is not as published.
fn first_changed(extents: &[Extent], file: &[u8]) -> Option<usize> {
    let mut at = 0;
    for extent in extents {
        let end = at + usize::try_from(extent.bytes).ok()?;
        let found: [u8; 32] = Sha256::digest(file.get(at..end)?).into();
        if found != extent.sha256 {
            return Some(at);
        }
        at = end;
    }
    None
}

fn gaps(seal: &Seal) -> Vec<Gap> {
    let mut place = 0;
    let mut gaps = Vec::new();
    for entry in seal.entries() {
        match entry {
            Entry::Part(_) => place += 1,
            Entry::Gap(lost) => gaps.push(Gap {
                at_s: redact::seconds(place),
                seconds: lost.ms as f64 / 1_000.0,
                why: lost.why,
            }),
            Entry::Hold { .. } | Entry::End { .. } => {}
        }
    }
    gaps
}

fn taken(mark: &redact::Redaction) -> Taken {
    Taken { at_s: mark.at_s(), seconds: mark.seconds(), why: mark.why.clone(), at: mark.at.rfc3339() }
}

#[cfg(test)]
mod tests;
