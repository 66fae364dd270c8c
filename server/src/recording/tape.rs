//! The recording as it grows: one part more, a segment sealed, the end. Synchronous, without a thread or a
//! clock of its own.
//!
//! A part counts only when page, chunk and record are written; a segment is promised only when all of it is
//! durable. While the disk fails, parts are dropped and counted, and everything since the last promise is
//! kept to be written again.

use std::io;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use sha2::{Digest, Sha256};
use tribune_core::mix::Kind;
use tribune_core::program::mp4;
use tribune_core::program::ogg::{self, PageHead};
use tribune_core::program::seal::{
    Chain, Entry, Genesis, Missing, PartEntry, RECORD_BYTES, Record, Sealed, Why, units_hash,
};
use tribune_core::program::{Joint, Part, PartNo, SEGMENT_PARTS, TrackPart};
use tribune_core::time::WallTime;

use super::disk::{Disk, DiskFile};
use super::folder::{Opening, Stored};
use super::{OpenError, Recovered, closing, recover, runs};

/// Whether the recording keeps up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// Every part so far is written.
    Healthy,
    /// Parts are being lost; the program goes on live.
    Failing {
        /// When the first lost part began.
        since: WallTime,
        /// What the system said.
        why: String,
        /// How many are lost.
        lost_parts: u64,
    },
}

/// A file that only grows, and the hash of all of it.
pub(super) struct Growing {
    pub(super) file: DiskFile,
    pub(super) len: u64,
    pub(super) hash: Sha256,
}

impl Growing {
    fn commit(&mut self, bytes: &[u8]) {
        self.len += bytes.len() as u64;
        self.hash.update(bytes);
    }
}

/// Which of the growing files.
#[derive(Clone, Copy)]
enum To {
    Pages,
    Chunks,
    Runs,
    Log,
}

/// A write since the last promise.
struct Write {
    to: To,
    at: u64,
    bytes: Bytes,
}

/// A recording that is open for writing.
pub struct Tape {
    pub(super) folder: PathBuf,
    pub(super) disk: Disk,
    pub(super) genesis: Genesis,
    pub(super) key: SigningKey,
    /// Where in `Part::tracks` the recorded renditions are: Opus, AAC.
    pub(super) tracks: (usize, usize),
    pub(super) aac: mp4::Track,
    pub(super) pages: Growing,
    pub(super) chunks: Growing,
    pub(super) log: Growing,
    pub(super) chain: Chain,
    pub(super) runs: Growing,
    pub(super) sealed: Sealed,
    pub(super) health: Health,
    unpromised: Vec<Write>,
    missing: Option<Missing>,
    is_fresh: bool,
    pub(super) ended: bool,
}

impl Tape {
    /// Begins a recording in `folder`, or goes on with the one that is there: what was torn is cut off, what
    /// was promised and is not there is an error.
    pub fn open(folder: &Path, opening: &Opening, disk: Disk) -> Result<(Self, Recovered), OpenError> {
        let (mut tape, recovered) = recover::open(folder, opening, disk)?;
        if tape.sealed != tape.chain.at() || recovered.cut_bytes > 0 {
            tape.seal().map_err(|error| OpenError::io(folder, error))?;
        }
        if tape.ended && !Stored::Seal.path(folder).exists() {
            closing::write(&tape).map_err(|error| OpenError::io(folder, error))?;
        }
        Ok((tape, recovered))
    }

    pub(super) fn new(parts: Parts<'_>) -> Self {
        let Parts { folder, disk, genesis, opening, pages, chunks, runs, log, chain, sealed, ended } = parts;
        Self {
            folder,
            disk,
            genesis,
            key: opening.key.clone(),
            tracks: (opening.opus.index, opening.aac.index),
            aac: opening.aac.track.clone(),
            pages,
            chunks,
            log,
            chain,
            runs,
            sealed,
            health: Health::Healthy,
            unpromised: Vec::new(),
            missing: None,
            is_fresh: true,
            ended,
        }
    }

    /// What is signed and durable.
    pub fn sealed(&self) -> Sealed {
        self.sealed
    }

    /// Whether parts are being lost.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Records one part, or counts it as lost. Once ended, parts are ignored.
    pub fn append(&mut self, part: &Part) {
        let (opus, aac) = (part.tracks.get(self.tracks.0), part.tracks.get(self.tracks.1));
        let (Some(opus), Some(aac), false) = (opus, aac, self.ended) else { return };
        let entry = PartEntry {
            no: part.no,
            kind: part.kind,
            began_at: part.began_at,
            opus: units_hash(opus.units.iter()),
            aac: units_hash(aac.units.iter()),
        };
        if self.chain.last().is_some_and(|last| part.no <= last.no) {
            self.lose(&entry, &io::Error::other("the program's numbers are behind those recorded"));
            return;
        }
        if let Err(error) = self.repair().and_then(|()| self.store((entry, part.joint), opus, aac)) {
            self.lose(&entry, &error);
            return;
        }
        self.health = Health::Healthy;
        if part.no.in_segment() == SEGMENT_PARTS - 1
            && let Err(error) = self.seal()
        {
            self.fail(part.began_at, &error);
        }
    }

    /// Tells that this part never came, because the disk stood still and the backlog was full.
    pub fn note_lost(&mut self, part: &Part) {
        if self.chain.last().is_some() || part.kind == Kind::Conversation {
            self.missing.get_or_insert(Missing { why: Why::Disk, first: part.no, began_at: part.began_at });
        }
    }

    /// Closes the chain and publishes the replay. May be called again when it failed.
    pub fn end(&mut self, at: WallTime) -> io::Result<Sealed> {
        let ended = self.try_end(at);
        match &ended {
            Ok(_) => self.health = Health::Healthy,
            Err(error) => self.fail(at, error),
        }
        ended
    }

    fn try_end(&mut self, at: WallTime) -> io::Result<Sealed> {
        self.repair()?;
        if !self.ended {
            let entries = self.chain.entries_for_end(at);
            self.commit(&entries, Sound::default())?;
            self.ended = true;
        }
        self.seal()?;
        if !Stored::Seal.path(&self.folder).exists() {
            closing::write(self)?;
        }
        Ok(self.sealed)
    }

    /// Makes everything so far durable, signs it and promises it.
    pub fn seal(&mut self) -> io::Result<()> {
        if self.sealed == self.chain.at() {
            return Ok(());
        }
        for file in [&self.pages, &self.chunks, &self.log] {
            file.file.sync()?;
        }
        let record = Record::sign(&self.chain, &self.genesis, &self.key);
        let bytes = record.to_bytes();
        self.log.file.write_at(&bytes, self.log.len)?;
        self.log.file.sync()?;
        self.log.commit(&bytes);
        self.unpromised.clear();
        self.sealed = self.chain.at();
        Ok(())
    }

    /// After a failure nothing since the last promise is trusted: a failed sync may have dropped it. So it is
    /// written again, and promised before anything is added.
    fn repair(&mut self) -> io::Result<()> {
        if self.health == Health::Healthy {
            return Ok(());
        }
        for write in &self.unpromised {
            let growing = match write.to {
                To::Pages => &self.pages,
                To::Chunks => &self.chunks,
                To::Runs => &self.runs,
                To::Log => &self.log,
            };
            growing.file.write_at(&write.bytes, write.at)?;
        }
        self.seal()
    }

    /// A part of hold before the first word is counted; any other is written.
    fn store(
        &mut self,
        (entry, joint): (PartEntry, Joint),
        opus: &TrackPart,
        aac: &TrackPart,
    ) -> io::Result<()> {
        let missing = self.missing.or(self.why_missing(&entry, joint).map(|why| Missing {
            why,
            first: entry.no,
            began_at: entry.began_at,
        }));
        let entries = self.chain.entries_for(entry, missing);
        if entries.is_empty() {
            if self.chain.last().is_none() && self.missing.is_none() {
                self.chain.count_hold(&entry);
            }
            return Ok(());
        }
        let place = PartNo(self.chain.at().parts);
        let page = renumbered_page(&opus.stream, place);
        let chunk = renumbered_chunk(&aac.chunk, place, &self.aac);
        let head_bytes = aac.chunk.len() - aac.units.bytes().len();
        let run = runs::run(self.chunks.len + head_bytes as u64, aac.units.sizes()).into();
        self.commit(&entries, Sound { page, chunk, run })?;
        (self.missing, self.is_fresh) = (None, false);
        Ok(())
    }

    /// Why parts are missing before this one, when nothing was said to be lost.
    fn why_missing(&self, entry: &PartEntry, joint: Joint) -> Option<Why> {
        let last = self.chain.last()?;
        match (last.no.next() == entry.no, joint) {
            _ if self.is_fresh => Some(Why::Restart),
            (true, _) => None,
            (false, Joint::AfterGap) => Some(Why::Stalled),
            (false, Joint::Continues) => Some(Why::Disk),
        }
    }

    /// Writes sound and records; only when all are written does any of them count.
    fn commit(&mut self, entries: &[Entry], sound: Sound) -> io::Result<()> {
        let Sound { page, chunk, run } = sound;
        let mut chain = self.chain.clone();
        let mut log = Vec::with_capacity(entries.len() * RECORD_BYTES);
        for entry in entries {
            chain.append(entry);
            let is_part = matches!(entry, Entry::Part(_));
            let record = Record::Entry {
                entry: *entry,
                page_bytes: if is_part { page.len() as u32 } else { 0 },
                chunk_bytes: if is_part { chunk.len() as u32 } else { 0 },
            };
            log.extend(record.to_bytes());
        }
        let log = Bytes::from(log);
        self.pages.file.write_at(&page, self.pages.len)?;
        self.chunks.file.write_at(&chunk, self.chunks.len)?;
        self.runs.file.write_at(&run, self.runs.len)?;
        self.log.file.write_at(&log, self.log.len)?;
        for (to, bytes) in [(To::Pages, page), (To::Chunks, chunk), (To::Runs, run), (To::Log, log)] {
            let growing = self.growing(to);
            let at = growing.len;
            growing.commit(&bytes);
            self.unpromised.push(Write { to, at, bytes });
        }
        self.chain = chain;
        Ok(())
    }

    fn growing(&mut self, to: To) -> &mut Growing {
        match to {
            To::Pages => &mut self.pages,
            To::Chunks => &mut self.chunks,
            To::Runs => &mut self.runs,
            To::Log => &mut self.log,
        }
    }

    /// Everything that was logged, read from the disk: in memory it would grow for as long as the room is
    /// open.
    pub(super) fn records(&self) -> io::Result<Vec<Record>> {
        let log = self.log.file.read_at(0, usize::try_from(self.log.len).map_err(io::Error::other)?)?;
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "the seal log is damaged");
        log.as_chunks().0.iter().map(|slot| Record::from_bytes(slot).ok_or_else(damaged)).collect()
    }

    /// A part could not be written.
    fn lose(&mut self, entry: &PartEntry, error: &io::Error) {
        self.missing.get_or_insert(Missing { why: Why::Disk, first: entry.no, began_at: entry.began_at });
        self.fail(entry.began_at, error);
        if let Health::Failing { lost_parts, .. } = &mut self.health {
            *lost_parts += 1;
        }
    }

    fn fail(&mut self, at: WallTime, error: &io::Error) {
        let why = error.to_string();
        self.health = match self.health {
            Health::Healthy => Health::Failing { since: at, why, lost_parts: 0 },
            Health::Failing { since, lost_parts, .. } => Health::Failing { since, why, lost_parts },
        };
    }
}

/// What `recover` hands over.
pub(super) struct Parts<'o> {
    pub(super) folder: PathBuf,
    pub(super) disk: Disk,
    pub(super) genesis: Genesis,
    pub(super) opening: &'o Opening,
    pub(super) pages: Growing,
    pub(super) chunks: Growing,
    pub(super) log: Growing,
    pub(super) runs: Growing,
    pub(super) chain: Chain,
    pub(super) sealed: Sealed,
    pub(super) ended: bool,
}

/// What is written of one part.
#[derive(Default)]
struct Sound {
    page: Bytes,
    chunk: Bytes,
    run: Bytes,
}

fn renumbered_page(page: &[u8], place: PartNo) -> Bytes {
    let mut page = page.to_vec();
    ogg::renumber(&mut page, PageHead::of_part(place)).expect("the cutter makes whole pages");
    page.into()
}

fn renumbered_chunk(chunk: &[u8], place: PartNo, track: &mp4::Track) -> Bytes {
    let mut chunk = chunk.to_vec();
    mp4::renumber(&mut chunk, place, &track.rendition).expect("the cutter makes whole chunks");
    chunk.into()
}
