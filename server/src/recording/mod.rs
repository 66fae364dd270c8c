//! The recording on disk: appended part by part as the program is cut, sealed segment by segment, replayed
//! from where it lies.
//!
//! The program hands parts over a bounded channel and never waits. `kill -9` loses the part in flight, power
//! loss at most a segment; a disk that fails is a state that can be read, and a gap in the seal once it is
//! back.

mod chapters;
mod closing;
mod deck;
mod disk;
mod folder;
mod recorder;
mod recover;
mod redaction;
mod replay;
mod runs;
mod shelf;
mod survey;
mod tape;
mod tar;

#[cfg(test)]
mod tests;

pub use chapters::{TURNS_FILE, chapters};
pub use disk::{Disk, Faults, outlive_size_limits};
pub use folder::{Opening, Recorded, Stored};
pub use recorder::{BACKLOG_PARTS_MAX, EndError, Recorder};
pub use redaction::{RedactError, read_marks, redact};
pub use replay::{Form, Replay, ReplayError, respond};
pub use shelf::{Shelf, ShelfError, Shelved, Swept, export};
pub use survey::{Stage, Survey};
pub use tape::{Health, Tape};

use std::io;
use std::path::{Path, PathBuf};

use tribune_core::program::seal::LogWrong;
use tribune_core::program::{PART_MS, PartNo};
use tribune_core::time::WallTime;

/// Where a recording stood when it was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The part recorded last and when it began; `None` when nothing is recorded yet.
    pub last: Option<(PartNo, WallTime)>,
    /// Recorded parts.
    pub parts: u64,
    /// Bytes of torn writes that were cut off.
    pub cut_bytes: u64,
    /// Whether the recording is already ended.
    pub ended: bool,
}

impl Recovered {
    /// The number with which the program goes on at `now`: the start of a segment, as far on as time has
    /// passed.
    pub fn resume_at(&self, now: WallTime) -> PartNo {
        match self.last {
            None => PartNo(0),
            Some((last, began_at)) => {
                let passed = u64::try_from(now.millis_since(began_at)).unwrap_or(0).div_ceil(PART_MS);
                PartNo(last.0 + passed.max(1)).segment_start_from()
            }
        }
    }
}

/// Why a recording cannot be opened. Nothing in its folder was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The disk.
    #[error("cannot use {path}: {error}")]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A file that was promised is not as it was written.
    #[error("{path} is damaged: {what}; it was left as it is")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// The seal log.
    #[error("{path} is damaged: {wrong}; it was left as it is")]
    Log {
        /// Which file.
        path: PathBuf,
        /// What does not fit.
        wrong: LogWrong,
    },
    /// It was begun by a node with another key, or with another program.
    #[error("the recording in {path} was begun with another {what}; it cannot be continued with this one")]
    Other {
        /// The folder.
        path: PathBuf,
        /// Key, room or program.
        what: &'static str,
    },
    /// It was deleted, and stays so.
    #[error("the recording in {path} was deleted")]
    Deleted {
        /// The folder.
        path: PathBuf,
    },
}

impl OpenError {
    pub(crate) fn io(path: &Path, error: io::Error) -> Self {
        Self::Io { path: path.to_owned(), error }
    }
}
