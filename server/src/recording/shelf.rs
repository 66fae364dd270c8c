//! All recordings of a node: which there are, the opened replays, what retention and quota take away, export,
//! redaction, and deletion that stays.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use futures_util::{Stream, StreamExt, stream};
use tribune_core::program::redact::Redaction;
use tribune_core::program::retention::{Item, Limits, expired};
use tribune_core::program::seal::{Entry, RECORD_BYTES, Record};
use tribune_core::time::WallTime;

use super::folder::Stored;
use super::redaction::{self, RedactError};
use super::replay::{Form, Replay};
use super::{Survey, disk, tar};

const HOW_TO_VERIFY: &str = "\
This is the recording of a live conversation, as it was heard, with its seal.

    tribune verify replay.opus --seal seal.json
    tribune verify replay.m4a --seal seal.json

tells whether it is complete and unedited, and if not, what is wrong and at which second. Whoever kept a
`status` from the evening can prove it against the operator too:

    tribune verify replay.opus --seal seal.json --witness status.json
";

/// The folder that holds a folder for each recording, named after its room. Copies are the same. Everything
/// but `folder_of` waits for the disk.
#[derive(Clone, Debug)]
pub struct Shelf(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    /// Replays that were opened, by room. Held while a recording is opened or changed, so that nobody keeps
    /// one as it was before.
    open: Mutex<BTreeMap<String, Replay>>,
}

/// One recording on the shelf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shelved {
    /// The room's name.
    pub room: String,
    /// Bytes on the disk.
    pub bytes: u64,
    /// When it ended; `None` while it goes on.
    pub ended_at: Option<WallTime>,
}

/// What a sweep did.
#[derive(Debug, Default)]
pub struct Swept {
    /// Rooms whose recordings were deleted.
    pub deleted: Vec<String>,
    /// What could not be done, a sentence each.
    pub failed: Vec<String>,
}

/// Why something cannot be done with the shelf.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// No such recording.
    #[error("there is no recording of this room")]
    NotThere,
    /// The disk.
    #[error("cannot use {path}: {error}")]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// An interrupted redaction could not be finished.
    #[error(transparent)]
    Redact(#[from] RedactError),
}

impl ShelfError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |error| Self::Io { path, error }
    }
}

impl Shelf {
    /// The shelf in `folder`.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Inner { folder: folder.into(), open: Mutex::default() }))
    }

    /// Where a room's recording lies. The name has been checked by whoever made the room.
    pub fn folder_of(&self, room: &str) -> PathBuf {
        self.0.folder.join(room)
    }

    /// At start: finishes deletions and redactions that a crash interrupted. Answers with what could not be
    /// done, a sentence each.
    pub fn finish_interrupted(&self, key: &SigningKey) -> Result<Vec<String>, ShelfError> {
        let finish = |folder: &Path| -> Result<(), ShelfError> {
            if Stored::Tombstone.path(folder).exists() {
                remove_content(folder).map_err(ShelfError::io(folder))?;
            } else if Stored::Redactions.path(folder).exists()
                && redaction::is_unfinished(folder).unwrap_or(true)
            {
                redaction::finish(folder, key)?;
            }
            Ok(())
        };
        let failed = self.folders()?.into_iter().filter_map(|folder| {
            let error = finish(&folder).err()?;
            Some(format!("{}: {error}", folder.display()))
        });
        Ok(failed.collect())
    }

    /// The closed recording of a room, opened once; `None` when there is none to hear.
    pub fn replay(&self, room: &str) -> Option<Replay> {
        let mut open = self.open();
        if let Some(replay) = open.get(room) {
            return Some(replay.clone());
        }
        let replay = Replay::open(&self.folder_of(room)).ok()?;
        replay.layout(Form::Seal)?;
        open.insert(room.to_owned(), replay.clone());
        Some(replay)
    }

    /// A room was removed with everything in it.
    pub fn forget(&self, room: &str) {
        self.open().remove(room);
    }

    /// A room's recording at a glance.
    pub fn survey(&self, room: &str) -> Result<Survey, ShelfError> {
        let folder = self.folder_of(room);
        Survey::of(&folder).map_err(ShelfError::io(&folder))
    }

    /// Takes a passage out of a closed recording; see [`redaction::redact`].
    pub fn redact(
        &self,
        (room, key): (&str, &SigningKey),
        seconds: (f64, f64),
        said: (WallTime, String),
    ) -> Result<Redaction, RedactError> {
        let mut open = self.open();
        open.remove(room);
        redaction::redact(&self.folder_of(room), key, seconds, said)
    }

    /// All recordings that are not deleted.
    pub fn list(&self) -> Result<Vec<Shelved>, ShelfError> {
        let mut shelved = Vec::new();
        for folder in self.folders()? {
            if Stored::Tombstone.path(&folder).exists() || !Stored::Genesis.path(&folder).exists() {
                continue;
            }
            let bytes = Stored::CONTENT
                .iter()
                .filter_map(|stored| Some(std::fs::metadata(stored.path(&folder)).ok()?.len()))
                .sum();
            let room = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            shelved.push(Shelved { room, bytes, ended_at: ended_at(&folder) });
        }
        Ok(shelved)
    }

    /// Deletes what retention and quota say, oldest first; a recording that goes on is never touched.
    pub fn sweep(&self, now: WallTime, limits: Limits) -> Result<Swept, ShelfError> {
        let shelved = self.list()?;
        let items: Vec<Item> =
            shelved.iter().map(|item| Item { ended_at: item.ended_at, bytes: item.bytes }).collect();
        let mut swept = Swept::default();
        for place in expired(now, limits, &items) {
            let room = &shelved[place].room;
            match self.delete(room) {
                Ok(()) => swept.deleted.push(room.clone()),
                Err(error) => swept.failed.push(error.to_string()),
            }
        }
        Ok(swept)
    }

    /// Deletes a recording for good: first a tombstone, then everything else. The tombstone stays.
    pub fn delete(&self, room: &str) -> Result<(), ShelfError> {
        let mut open = self.open();
        open.remove(room);
        let folder = self.folder_of(room);
        if !Stored::Genesis.path(&folder).exists() && !Stored::Tombstone.path(&folder).exists() {
            return Err(ShelfError::NotThere);
        }
        let remove = || {
            disk::Disk::Real.replace(&Stored::Tombstone.path(&folder), b"This recording was deleted.\n")?;
            remove_content(&folder)
        };
        remove().map_err(ShelfError::io(&folder))
    }

    fn open(&self) -> MutexGuard<'_, BTreeMap<String, Replay>> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn folders(&self) -> Result<Vec<PathBuf>, ShelfError> {
        let entries = match std::fs::read_dir(&self.0.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(ShelfError::io(&self.0.folder)(error)),
        };
        let mut folders: Vec<PathBuf> =
            entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_dir()).collect();
        folders.sort();
        Ok(folders)
    }
}

/// Exports a closed recording as a tar: both files, the seal, and how to verify them.
pub fn export(replay: &Replay) -> Option<impl Stream<Item = io::Result<Bytes>> + Send + use<>> {
    let ready = |bytes: Vec<u8>| stream::iter([Ok(Bytes::from(bytes))]).boxed();
    let readme = HOW_TO_VERIFY.as_bytes();
    let mut pieces = vec![
        ready(tar::header("README.txt", readme.len() as u64, 0)?),
        ready(readme.to_vec()),
        ready(tar::padding(readme.len() as u64)),
    ];
    for (name, form) in [("replay.opus", Form::Opus), ("replay.m4a", Form::M4a), ("seal.json", Form::Seal)] {
        let Some(layout) = replay.layout(form) else { continue };
        let len = layout.len();
        pieces.push(ready(tar::header(name, len, 0)?));
        pieces.push(replay.stream(form, 0..len).boxed());
        pieces.push(ready(tar::padding(len)));
    }
    pieces.push(ready(tar::end()));
    Some(stream::iter(pieces).flatten())
}

/// The end is the last entry of the log, before its signature.
fn ended_at(folder: &Path) -> Option<WallTime> {
    let log = disk::Disk::Real.read(&Stored::Log.path(folder)).ok()?;
    let from = log.len().ok()?.checked_sub(2 * RECORD_BYTES as u64)?;
    let record = log.read_at(from, RECORD_BYTES).ok()?.try_into().ok()?;
    match Record::from_bytes(&record)? {
        Record::Entry { entry: Entry::End { at, .. }, .. } => Some(at),
        Record::Entry { .. } | Record::Signed { .. } => None,
    }
}

fn remove_content(folder: &Path) -> io::Result<()> {
    let mut removed = false;
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path != Stored::Tombstone.path(folder) {
            std::fs::remove_file(&path)?;
            removed = true;
        }
    }
    if removed { disk::sync_folder(folder) } else { Ok(()) }
}
