//! Opening a recording's folder: what is there is read, what was torn is cut off, what was promised must be
//! there.

use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};
use tribune_core::program::Codec;
use tribune_core::program::seal::{Chain, Entry, Genesis, PartEntry, RECORD_BYTES, Record, scan, units_hash};
use tribune_core::program::verify::read_stretch;

use super::disk::{Disk, DiskFile, sync_folder};
use super::folder::{Identity, Opening, Stored};
use super::runs::Compared;
use super::tape::{Growing, Parts, Tape};
use super::{OpenError, Recovered};

/// Opens or begins.
pub fn open(folder: &Path, opening: &Opening, disk: Disk) -> Result<(Tape, Recovered), OpenError> {
    if Stored::Tombstone.path(folder).exists() {
        return Err(OpenError::Deleted { path: folder.to_owned() });
    }
    let genesis = identify(folder, opening, &disk)?;
    let file = |stored: Stored| {
        let path = stored.path(folder);
        disk.open(&path).map_err(|error| OpenError::io(&path, error))
    };
    let (pages, chunks, log) = (file(Stored::Pages)?, file(Stored::Chunks)?, file(Stored::Log)?);
    let found = Found::read(folder, &genesis, (&pages, &chunks))?;
    let cut_bytes = found.cut(folder, (&pages, &chunks, &log))?;
    let runs_wrong = |error| OpenError::io(&Stored::Runs.path(folder), error);
    let mut compared = Compared::begin(folder, &disk).map_err(runs_wrong)?;
    let page_hash = hash_all(folder, Stored::Pages, (&pages, &found.records), |_, _| Ok(()))?;
    let chunk_hash =
        hash_all(folder, Stored::Chunks, (&chunks, &found.records), |at, chunk| compared.chunk(at, chunk))?;
    let (runs, runs_len) = compared.end().map_err(runs_wrong)?;
    let ends = found.ends();
    let mut chain = Chain::begin(&genesis);
    let mut sealed = chain.at();
    for record in &found.records {
        match record {
            Record::Entry { entry, .. } => chain.append(entry),
            Record::Signed { at, .. } => sealed = *at,
        }
    }
    let last = chain.last().map(|last| (last.no, last.began_at));
    let parts = chain.at().parts;
    let is_end = |record: &Record| matches!(record, Record::Entry { entry: Entry::End { .. }, .. });
    let ended = found.records.iter().any(is_end);
    let tape = Tape::new(Parts {
        folder: folder.to_owned(),
        disk,
        genesis,
        opening,
        pages: Growing { file: pages, len: ends.pages, hash: page_hash },
        chunks: Growing { file: chunks, len: ends.chunks, hash: chunk_hash },
        runs: Growing { file: runs, len: runs_len, hash: Sha256::new() },
        log: Growing { file: log, len: ends.log, hash: Sha256::new() },
        chain,
        sealed,
        ended,
    });
    let recovered = Recovered { last, parts, cut_bytes, ended };
    Ok((tape, recovered))
}

/// Reads whose recording this is, or begins one in an empty folder.
fn identify(folder: &Path, opening: &Opening, disk: &Disk) -> Result<Genesis, OpenError> {
    let path = Stored::Genesis.path(folder);
    if !path.exists() {
        let is_used =
            |stored: &&Stored| std::fs::metadata(stored.path(folder)).is_ok_and(|file| file.len() > 0);
        if let Some(orphan) = Stored::CONTENT.iter().find(is_used) {
            let what = format!("it is missing, but {} is there", orphan.name());
            return Err(OpenError::Damaged { path, what });
        }
        let begin = |()| {
            disk.replace(&path, &Identity::new(opening).to_json())?;
            sync_folder(folder.parent().unwrap_or(Path::new(".")))
        };
        std::fs::create_dir_all(folder).and_then(begin).map_err(|error| OpenError::io(folder, error))?;
    }
    let identity = Identity::read(folder)?;
    let genesis = identity.genesis().expect("read checks it");
    let other = |what| Err(OpenError::Other { path: folder.to_owned(), what });
    if genesis.key != opening.key.verifying_key().to_bytes() {
        return other("key");
    }
    if genesis.room != opening.room {
        return other("room");
    }
    if genesis.opus != opening.opus.track.rendition
        || identity.aac_track().as_ref() != Some(&opening.aac.track)
    {
        return other("program");
    }
    Ok(genesis)
}

/// The good records of a log.
struct Found {
    records: Vec<Record>,
}

/// Where the good parts of the files end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ends {
    pages: u64,
    chunks: u64,
    log: u64,
}

impl Ends {
    fn after(self, record: &Record) -> Self {
        let (page, chunk) = sizes(record);
        Self {
            pages: self.pages + u64::from(page),
            chunks: self.chunks + u64::from(chunk),
            log: self.log + RECORD_BYTES as u64,
        }
    }
}

impl Found {
    fn read(
        folder: &Path,
        genesis: &Genesis,
        (pages, chunks): (&DiskFile, &DiskFile),
    ) -> Result<Self, OpenError> {
        let log_path = Stored::Log.path(folder);
        let bytes = std::fs::read(&log_path).map_err(|error| OpenError::io(&log_path, error))?;
        let scan = scan(genesis, &bytes).map_err(|wrong| OpenError::Log { path: log_path.clone(), wrong })?;
        let mut ends = Ends::default();
        let mut records = scan.records;
        for record in &records[..scan.promised] {
            ends = ends.after(record);
        }
        for (stored, file, needed) in
            [(Stored::Pages, pages, ends.pages), (Stored::Chunks, chunks, ends.chunks)]
        {
            let path = stored.path(folder);
            let there = file.len().map_err(|error| OpenError::io(&path, error))?;
            if there < needed {
                let what = format!("{needed} bytes were sealed, {there} are there");
                return Err(OpenError::Damaged { path, what });
            }
        }
        let good = |(at, record): &(Ends, Record)| is_stored(record, *at, (pages, chunks));
        let mut at = ends;
        let tail: Vec<(Ends, Record)> = records
            .drain(scan.promised..)
            .map(|record| {
                let began = at;
                at = at.after(&record);
                (began, record)
            })
            .collect();
        records.extend(tail.iter().take_while(|item| good(item)).map(|(_, record)| *record));
        // A gap belongs to the part after it.
        while matches!(records.last(), Some(Record::Entry { entry: Entry::Gap(_) | Entry::Hold { .. }, .. }))
        {
            records.pop();
        }
        Ok(Self { records })
    }

    fn ends(&self) -> Ends {
        self.records.iter().fold(Ends::default(), Ends::after)
    }

    /// Cuts off what is torn; answers with its bytes.
    fn cut(
        &self,
        folder: &Path,
        (pages, chunks, log): (&DiskFile, &DiskFile, &DiskFile),
    ) -> Result<u64, OpenError> {
        let ends = self.ends();
        let mut cut_bytes = 0;
        for (stored, file, end) in [
            (Stored::Pages, pages, ends.pages),
            (Stored::Chunks, chunks, ends.chunks),
            (Stored::Log, log, ends.log),
        ] {
            let cut = file.len().and_then(|len| {
                if len > end {
                    file.set_len(end)?;
                }
                Ok(len.saturating_sub(end))
            });
            cut_bytes += cut.map_err(|error| OpenError::io(&stored.path(folder), error))?;
        }
        Ok(cut_bytes)
    }
}

/// Whether the sound of an unpromised record is on the disk as its hashes say.
fn is_stored(record: &Record, at: Ends, (pages, chunks): (&DiskFile, &DiskFile)) -> bool {
    let Record::Entry { entry: Entry::Part(part), page_bytes, chunk_bytes } = record else { return true };
    let holds = |codec, file: &DiskFile, at, len: u32, hash: fn(&PartEntry) -> [u8; 32]| {
        let is_short = file.len().is_ok_and(|there| there < at + u64::from(len));
        let Some(bytes) = (!is_short).then(|| file.read_at(at, len as usize).ok()).flatten() else {
            return false;
        };
        let Ok(coded) = read_stretch(codec, &bytes) else { return false };
        units_hash(coded.units.iter().map(|unit| &**unit)) == hash(part)
    };
    holds(Codec::Opus, pages, at.pages, *page_bytes, |part| part.opus)
        && holds(Codec::AacLc, chunks, at.chunks, *chunk_bytes, |part| part.aac)
}

fn sizes(record: &Record) -> (u32, u32) {
    match record {
        Record::Entry { page_bytes, chunk_bytes, .. } => (*page_bytes, *chunk_bytes),
        Record::Signed { .. } => (0, 0),
    }
}

/// Hashes a whole file part by part, showing each to `each` with its place.
fn hash_all(
    folder: &Path,
    stored: Stored,
    (file, records): (&DiskFile, &[Record]),
    mut each: impl FnMut(u64, &[u8]) -> io::Result<()>,
) -> Result<Sha256, OpenError> {
    let mut hash = Sha256::new();
    let mut at = 0;
    for record in records {
        let len = match stored {
            Stored::Pages => sizes(record).0,
            _ => sizes(record).1,
        };
        if len == 0 {
            continue;
        }
        let read = file.read_at(at, len as usize).and_then(|bytes| {
            hash.update(&bytes);
            each(at, &bytes)
        });
        read.map_err(|error| OpenError::io(&stored.path(folder), error))?;
        at += u64::from(len);
    }
    Ok(hash)
}
