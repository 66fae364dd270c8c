//! Taking a passage out: the mark first, then silence over the sound, then the seal anew. Each step can be
//! done again, so an interrupted one is finished at the next start.

use std::io;
use std::path::Path;

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use tribune_core::program::ogg::{self, PageHead};
use tribune_core::program::redact::{Passage, Redaction, silent_unit};
use tribune_core::program::seal::{
    DocumentWrong, Entry, REDACTIONS_MAX, Record, Seal, marks_from_json, marks_to_json,
};
use tribune_core::program::verify::read_stretch;
use tribune_core::program::{Codec, PartNo};

use super::disk::Disk;
use super::folder::{Identity, Stored};
use super::tape::Tape;
use super::{OpenError, closing};

/// Why a passage was not taken out.
#[derive(Debug, thiserror::Error)]
pub enum RedactError {
    /// The recording cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The disk.
    #[error("the redaction is not complete, and will be finished at the next start: {0}")]
    Io(#[from] io::Error),
    /// Not yet ended.
    #[error("the room has not ended; a passage can be taken out of a closed recording only")]
    StillOpen,
    /// Nothing there.
    #[error("the passage lies outside the recording, which lasts {seconds} s")]
    Outside {
        /// The recording's length.
        seconds: f64,
    },
    /// At the limit.
    #[error("a recording can have at most {REDACTIONS_MAX} redactions")]
    TooMany,
}

/// Takes `from_s..to_s` (whole parts that it touches) out of the closed recording in `folder`. `said` is when
/// and why.
pub fn redact(
    folder: &Path,
    key: &SigningKey,
    seconds: (f64, f64),
    said: (tribune_core::time::WallTime, String),
) -> Result<Redaction, RedactError> {
    let tape = open_closed(folder, key)?;
    let end = tape.chain.at();
    let passage = Passage::of_seconds(seconds, end.parts, said)
        .ok_or(RedactError::Outside { seconds: tribune_core::program::redact::seconds(end.parts) })?;
    let mut marks = read_marks(folder)?;
    if marks.len() >= REDACTIONS_MAX {
        return Err(RedactError::TooMany);
    }
    let mark = Redaction::sign(passage, (&tape.genesis, &end.head), key);
    marks.push(mark.clone());
    tape.disk.replace(&Stored::Redactions.path(folder), &marks_to_json(&marks))?;
    finish(folder, key)?;
    Ok(mark)
}

/// Carries out every mark that is written down; nothing changes where that is done already.
pub fn finish(folder: &Path, key: &SigningKey) -> Result<(), RedactError> {
    let marks = read_marks(folder)?;
    let tape = open_closed(folder, key)?;
    silence(&tape, &marks)?;
    // Opened again, so that the hashes of the files are those of what lies there now.
    closing::write(&open_closed(folder, key)?)?;
    Ok(())
}

/// Whether the seal lacks a mark that is written down.
pub fn is_unfinished(folder: &Path) -> io::Result<bool> {
    let marks = read_marks(folder)?;
    if marks.is_empty() {
        return Ok(false);
    }
    let seal = std::fs::read(Stored::Seal.path(folder))?;
    let seal = Seal::from_json(&seal).map_err(|wrong| io::Error::other(wrong.to_string()))?;
    Ok(seal.redactions != marks)
}

/// The marks that are written down.
pub fn read_marks(folder: &Path) -> io::Result<Vec<Redaction>> {
    match std::fs::read(Stored::Redactions.path(folder)) {
        Ok(bytes) => {
            marks_from_json(&bytes).map_err(|wrong: DocumentWrong| io::Error::other(wrong.to_string()))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn open_closed(folder: &Path, key: &SigningKey) -> Result<Tape, RedactError> {
    let identity = Identity::read(folder)?;
    let opening = identity.opening(key).expect("read checks it");
    let (tape, recovered) = Tape::open(folder, &opening, Disk::Real)?;
    if recovered.ended { Ok(tape) } else { Err(RedactError::StillOpen) }
}

/// Writes silence over the marked parts, unit by unit of the same length.
fn silence(tape: &Tape, marks: &[Redaction]) -> io::Result<()> {
    let (mut page_at, mut chunk_at, mut place) = (0, 0, 0);
    for record in &tape.records()? {
        let Record::Entry { entry: Entry::Part(_), page_bytes, chunk_bytes } = record else { continue };
        if marks.iter().any(|mark| mark.covers(place)) {
            let page = tape.pages.file.read_at(page_at, *page_bytes as usize)?;
            tape.pages.file.write_at(&silent_page(&page, PartNo(place)), page_at)?;
            let chunk = tape.chunks.file.read_at(chunk_at, *chunk_bytes as usize)?;
            tape.chunks.file.write_at(&silent_chunk(&chunk), chunk_at)?;
        }
        page_at += u64::from(*page_bytes);
        chunk_at += u64::from(*chunk_bytes);
        place += 1;
    }
    tape.pages.file.sync()?;
    tape.chunks.file.sync()
}

/// The same page with silent packets and the checksum that goes with them.
fn silent_page(page: &[u8], place: PartNo) -> Bytes {
    let coded = read_stretch(Codec::Opus, page);
    let silenced = coded.map(|coded| silenced(Codec::Opus, coded.units.iter().map(|unit| unit.len())));
    let mut page = over_the_end(page, &silenced.unwrap_or_default());
    let _whole = ogg::renumber(&mut page, PageHead::of_part(place));
    page.into()
}

/// The same chunk with silent frames.
fn silent_chunk(chunk: &[u8]) -> Bytes {
    let coded = read_stretch(Codec::AacLc, chunk);
    let silenced = coded.map(|coded| silenced(Codec::AacLc, coded.units.iter().map(|unit| unit.len())));
    over_the_end(chunk, &silenced.unwrap_or_default()).into()
}

fn silenced(codec: Codec, lengths: impl Iterator<Item = usize>) -> Vec<u8> {
    lengths.flat_map(|len| silent_unit(codec, len).unwrap_or_else(|| vec![0; len])).collect()
}

/// Units lie back to back at the end of both a page and a chunk.
fn over_the_end(whole: &[u8], end: &[u8]) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    let from = bytes.len() - end.len().min(bytes.len());
    bytes[from..].copy_from_slice(&end[..whole.len() - from]);
    bytes
}
