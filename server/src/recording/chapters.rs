//! Who spoke when in a recording: turns written beside it while it grew, told by the replay's clock.

use std::io;
use std::path::Path;

use serde::Deserialize;
use tribune_core::program::PartNo;
use tribune_core::program::chapters::{Turn, webvtt};
use tribune_core::program::seal::{Entry, RECORD_BYTES, Record};

use super::folder::Stored;
use super::redaction::read_marks;

/// Beside the recording: who spoke when, one JSON a line.
pub const TURNS_FILE: &str = "turns.jsonl";
/// What is read of it: a day of an exchange every second.
const TURNS_BYTES_MAX: u64 = 16 << 20;

/// A line of the file.
#[derive(Deserialize)]
struct Line {
    name: String,
    from_part: u64,
    from_ms: u64,
    to_part: u64,
    to_ms: u64,
}

/// The chapters of the closed recording in `folder`, as WebVTT. Reads the whole log (some 6 MB in four
/// hours).
///
/// # Errors
/// The disk's.
pub fn chapters(folder: &Path) -> io::Result<String> {
    let turns = match read_bounded(&folder.join(TURNS_FILE)) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    // A line that a crash tore is left out.
    let turns = turns.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok());
    let turns: Vec<_> = turns
        .map(|line| Turn {
            name: line.name,
            from: (PartNo(line.from_part), line.from_ms),
            to: (PartNo(line.to_part), line.to_ms),
        })
        .collect();
    let log = std::fs::read(Stored::Log.path(folder))?;
    let (records, _torn) = log.as_chunks::<RECORD_BYTES>();
    let recorded = records.iter().map_while(Record::from_bytes).filter_map(|record| match record {
        Record::Entry { entry: Entry::Part(part), .. } => Some(part.no),
        Record::Entry { .. } | Record::Signed { .. } => None,
    });
    let recorded: Vec<_> = recorded.collect();
    Ok(webvtt(&turns, &recorded, &read_marks(folder)?))
}

fn read_bounded(path: &Path) -> io::Result<String> {
    use std::io::Read;
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(TURNS_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
