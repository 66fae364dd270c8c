//! What holds a tape, or waits for one: a recording that cannot be opened never keeps a room from being
//! heard.
//!
//! Without a tape parts are lost and counted, the reason is said, and opening is tried again every few
//! seconds: a disk with room again, or a folder that was mended or taken away, is recorded on without a
//! restart. Nothing in a folder that does not open is changed.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use tribune_core::mix::Kind;
use tribune_core::program::Part;
use tribune_core::program::seal::Sealed;
use tribune_core::time::WallTime;

use super::disk::Disk;
use super::folder::Opening;
use super::tape::{Health, Tape};
use super::{OpenError, Recovered};

/// Parts between two tries to open a recording (about 5 s).
const TRY_AGAIN_PARTS: u64 = 16;

/// What is sealed when nothing is.
const NOTHING: Sealed = Sealed { head: [0; 32], parts: 0 };

/// Which recording, and how it is opened.
#[derive(Clone, Debug)]
pub(super) struct Reel {
    pub(super) folder: PathBuf,
    pub(super) opening: Opening,
    pub(super) disk: Disk,
}

impl Reel {
    fn load(&self) -> Result<(Tape, Recovered), OpenError> {
        Tape::open(&self.folder, &self.opening, self.disk.clone())
    }
}

/// A tape, or none yet.
pub(super) enum Deck {
    /// It records.
    Loaded(Box<Tape>),
    /// It tries to.
    Empty(Box<Empty>),
}

/// What is remembered until there is a tape.
pub(super) struct Empty {
    reel: Reel,
    error: OpenError,
    health: Health,
    /// The first part that was lost, and the first one of them with conversation.
    lost: [Option<Arc<Part>>; 2],
    parts: u64,
}

impl Deck {
    /// Opens the recording; when that fails, waits for it from `now` on.
    pub(super) fn open(reel: Reel, now: WallTime) -> (Self, Recovered) {
        match reel.load() {
            Ok((tape, recovered)) => (Self::Loaded(Box::new(tape)), recovered),
            Err(error) => {
                let health = Health::Failing { since: now, why: error.to_string(), lost_parts: 0 };
                let nothing = Recovered { last: None, parts: 0, cut_bytes: 0, ended: false };
                (Self::Empty(Box::new(Empty { reel, error, health, lost: [None, None], parts: 0 })), nothing)
            }
        }
    }

    /// Records a part, or counts it as lost.
    pub(super) fn append(&mut self, part: &Arc<Part>) {
        if let Self::Empty(empty) = self
            && empty.is_time_to_try()
        {
            self.load();
        }
        match self {
            Self::Loaded(tape) => tape.append(part),
            Self::Empty(empty) => empty.lose(part),
        }
    }

    /// A part that never came, because the disk stood still.
    pub(super) fn note_lost(&mut self, part: &Arc<Part>) {
        match self {
            Self::Loaded(tape) => tape.note_lost(part),
            Self::Empty(empty) => empty.lose(part),
        }
    }

    /// Closes the recording. One that was deleted is closed already; there is nothing in it.
    pub(super) fn end(&mut self, at: WallTime) -> io::Result<Sealed> {
        self.load();
        match self {
            Self::Loaded(tape) => tape.end(at),
            Self::Empty(empty) if matches!(empty.error, OpenError::Deleted { .. }) => Ok(NOTHING),
            Self::Empty(empty) => Err(io::Error::other(empty.error.to_string())),
        }
    }

    /// Makes everything so far durable.
    pub(super) fn seal(&mut self) -> io::Result<()> {
        match self {
            Self::Loaded(tape) => tape.seal(),
            Self::Empty(_) => Ok(()),
        }
    }

    /// What is signed and durable.
    pub(super) fn sealed(&self) -> Sealed {
        match self {
            Self::Loaded(tape) => tape.sealed(),
            Self::Empty(_) => NOTHING,
        }
    }

    /// Whether parts are being lost.
    pub(super) fn health(&self) -> &Health {
        match self {
            Self::Loaded(tape) => tape.health(),
            Self::Empty(empty) => &empty.health,
        }
    }

    fn load(&mut self) {
        let Self::Empty(empty) = self else { return };
        match empty.reel.load() {
            Ok((mut tape, _)) => {
                for part in empty.lost.iter().flatten() {
                    tape.note_lost(part);
                }
                *self = Self::Loaded(Box::new(tape));
            }
            Err(error) => empty.fail(error),
        }
    }
}

impl Empty {
    fn is_time_to_try(&mut self) -> bool {
        self.parts += 1;
        self.parts.is_multiple_of(TRY_AGAIN_PARTS)
    }

    fn fail(&mut self, error: OpenError) {
        if let Health::Failing { why, .. } = &mut self.health {
            *why = error.to_string();
        }
        self.error = error;
    }

    fn lose(&mut self, part: &Arc<Part>) {
        let [first, first_words] = &mut self.lost;
        first.get_or_insert_with(|| Arc::clone(part));
        if part.kind == Kind::Conversation {
            first_words.get_or_insert_with(|| Arc::clone(part));
        }
        if let Health::Failing { lost_parts, .. } = &mut self.health {
            *lost_parts += 1;
        }
    }
}
