//! A recording at a glance, open or closed: how long, how large, which gaps. Read from the log as it lies
//! there; nothing is proved, that is what `verify` is for.

use std::io;
use std::path::Path;

use serde::Serialize;
use tribune_core::program::redact::seconds;
use tribune_core::program::seal::{Entry, RECORD_BYTES, Record, Sealed, to_text};
use tribune_core::program::verify::{Gap, Taken};

use super::folder::Stored;
use super::redaction::read_marks;

/// How far a recording has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Nothing was ever recorded.
    None,
    /// It grows, or waits for the room to go on.
    Open,
    /// Closed; the replay can be fetched.
    Closed,
    /// Deleted, for good.
    Deleted,
}

/// What the log says.
#[derive(Clone, Debug, Serialize)]
pub struct Survey {
    /// How far it has come.
    pub state: Stage,
    /// Recorded parts.
    pub parts: u64,
    /// Their length in the replay, in seconds.
    pub seconds: f64,
    /// Bytes on the disk.
    pub bytes: u64,
    /// Passages that were not recorded.
    pub gaps: Vec<Gap>,
    /// Passages that were taken out.
    pub redactions: Vec<Taken>,
    /// The last signed head, base64url; `null` before the first.
    pub head: Option<String>,
}

impl Survey {
    /// Of the recording in `folder`. Reads the whole log (some 6 MB in four hours).
    pub fn of(folder: &Path) -> io::Result<Self> {
        let mut survey = Self {
            state: Stage::None,
            parts: 0,
            seconds: 0.0,
            bytes: 0,
            gaps: Vec::new(),
            redactions: Vec::new(),
            head: None,
        };
        if Stored::Tombstone.path(folder).exists() {
            survey.state = Stage::Deleted;
            return Ok(survey);
        }
        let log = match std::fs::read(Stored::Log.path(folder)) {
            Ok(log) => log,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(survey),
            Err(error) => return Err(error),
        };
        survey.state = if Stored::Seal.path(folder).exists() { Stage::Closed } else { Stage::Open };
        let bytes = |stored: &Stored| Some(std::fs::metadata(stored.path(folder)).ok()?.len());
        survey.bytes = Stored::CONTENT.iter().filter_map(bytes).sum();
        let (records, _torn) = log.as_chunks::<RECORD_BYTES>();
        // A record that does not read is torn or damaged; what comes after it is not shown.
        for record in records.iter().map_while(Record::from_bytes) {
            survey.count(&record);
        }
        survey.seconds = seconds(survey.parts);
        let taken = |mark: &tribune_core::program::redact::Redaction| Taken {
            at_s: mark.at_s(),
            seconds: mark.seconds(),
            why: mark.why.clone(),
            at: mark.at.rfc3339(),
        };
        survey.redactions = read_marks(folder)?.iter().map(taken).collect();
        Ok(survey)
    }

    fn count(&mut self, record: &Record) {
        match record {
            Record::Entry { entry: Entry::Part(_), .. } => self.parts += 1,
            Record::Entry { entry: Entry::Gap(lost), .. } => self.gaps.push(Gap {
                at_s: seconds(self.parts),
                seconds: lost.ms as f64 / 1_000.0,
                why: lost.why,
            }),
            Record::Entry { entry: Entry::Hold { .. } | Entry::End { .. }, .. } => {}
            Record::Signed { at: Sealed { head, .. }, .. } => self.head = Some(to_text(head)),
        }
    }
}
