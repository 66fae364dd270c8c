//! A disk that keeps what was synced and may tear the rest, and the log of the seal on it.
//!
//! The links, signatures and records are core's; here they only lie in a buffer instead of a file.

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use tribune_core::program::seal::{Chain, Closing, Entry, Extent, Files, Genesis, Hash, Link, PartEntry};
use tribune_core::program::seal::{RECORD_BYTES, Record, Seal, scan, units_hash};
use tribune_core::program::verify::{Answer, verify};
use tribune_core::program::{Part, PartNo, Renditions, SEGMENT_PARTS, ogg};
use tribune_core::time::WallTime;

use crate::dice::Dice;
use crate::history::Kept;

const KEY_SEED: [u8; 32] = [7; 32];

/// What the process and the disk know of the recording.
pub struct Recorder {
    genesis: Genesis,
    key: SigningKey,
    chain: Chain,
    log: Vec<u8>,
    synced_bytes: usize,
    pages: Vec<(PartNo, Bytes)>,
    best: [usize; 2],
    complaints: Vec<String>,
}

impl Recorder {
    /// A recording without parts; `best` are the tracks that are recorded, Opus and AAC.
    pub fn new(renditions: &Renditions, best: [usize; 2]) -> Self {
        let key = SigningKey::from_bytes(&KEY_SEED);
        let rendition = |index: usize| renditions.get(index).expect("a recorded track exists").clone();
        let genesis = Genesis {
            room: "simulated".to_owned(),
            title: "A simulated evening".to_owned(),
            id: [1; 16],
            key: key.verifying_key().to_bytes(),
            opus: rendition(best[0]),
            aac: rendition(best[1]),
        };
        let chain = Chain::begin(&genesis);
        let (log, pages, complaints) = (Vec::new(), Vec::new(), Vec::new());
        Self { genesis, key, chain, log, synced_bytes: 0, pages, best, complaints }
    }

    /// Writes a part; at the end of a segment signs, and syncs the disk.
    pub fn part(&mut self, part: &Part) {
        let entry = self.entry(part);
        // A restart shows as a jump of the numbers.
        let entries = self.chain.entries_for(entry, None);
        if entries.is_empty() {
            self.chain.count_hold(&entry);
            return;
        }
        self.append(&entries);
        self.pages.push((part.no, part.tracks[self.best[0]].stream.clone()));
        if part.no.in_segment() == SEGMENT_PARTS - 1 {
            self.sign();
        }
    }

    /// The room is over: the last links, the last signature.
    pub fn end(&mut self, at: WallTime) {
        let entries = self.chain.entries_for_end(at);
        self.append(&entries);
        self.sign();
    }

    /// The process is gone, and half of the time the power too: then what was not synced is cut anywhere.
    pub fn crash(&mut self, dice: &mut Dice) {
        if dice.chance(50) {
            let left = dice.between(self.synced_bytes as u64, self.log.len() as u64);
            self.log.truncate(left as usize);
        }
        self.resume();
    }

    /// The recording as it is read back, and what was wrong with it.
    pub fn read_back(mut self, renditions: &Renditions) -> (Vec<Kept>, Vec<String>) {
        let records = match scan(&self.genesis, &self.log) {
            Ok(scan) => scan.records,
            Err(wrong) => {
                self.complaints.push(wrong.to_string());
                Vec::new()
            }
        };
        let kept: Vec<_> = records.iter().filter_map(kept).collect();
        if !kept.is_empty() {
            self.verify_replay(&records, renditions);
        }
        (kept, self.complaints)
    }

    fn entry(&self, part: &Part) -> PartEntry {
        let hash = |track: usize| -> Hash { units_hash(part.tracks[track].units.iter()) };
        PartEntry {
            no: part.no,
            kind: part.kind,
            began_at: part.began_at,
            opus: hash(self.best[0]),
            aac: hash(self.best[1]),
        }
    }

    fn append(&mut self, entries: &[Entry]) {
        for entry in entries {
            self.chain.append(entry);
            self.write(&Record::Entry { entry: *entry, page_bytes: 0, chunk_bytes: 0 });
        }
    }

    fn sign(&mut self) {
        self.write(&Record::sign(&self.chain, &self.genesis, &self.key));
        self.synced_bytes = self.log.len();
    }

    fn write(&mut self, record: &Record) {
        self.log.extend(record.to_bytes());
    }

    /// What a new process finds on the disk.
    fn resume(&mut self) {
        let records = match scan(&self.genesis, &self.log) {
            Ok(scan) => scan.records,
            Err(wrong) => {
                self.complaints.push(format!("after a crash: {wrong}"));
                return;
            }
        };
        self.log.truncate(records.len() * RECORD_BYTES);
        self.chain = Chain::begin(&self.genesis);
        for record in &records {
            match record {
                Record::Entry { entry, .. } => self.chain.append(entry),
                Record::Signed { .. } => {}
            }
        }
        let last = self.chain.last().map(|last| last.no);
        self.pages.retain(|(no, _)| last.is_some_and(|last| *no <= last));
    }

    /// Lays the replay over what was stored and asks core whether it is complete and unedited.
    fn verify_replay(&mut self, records: &[Record], renditions: &Renditions) {
        let replay = self.replay(renditions);
        let extent = Extent { bytes: replay.len() as u64, sha256: sha256(&replay) };
        let files = Files { opus: vec![extent], m4a: Vec::new() };
        let closing = Closing::sign((&self.genesis, &self.chain.at()), &[], files, &self.key);
        let seal = Seal {
            genesis: self.genesis.clone(),
            links: records.iter().map(Link::from).collect(),
            redactions: Vec::new(),
            closing: Some(closing),
        };
        match verify(&seal, &replay, None) {
            Ok(report) if report.answer() == Answer::Yes => {}
            Ok(report) => {
                self.complaints.push(format!("verify says no: {:?} {:?}", report.wrong, report.notes))
            }
            Err(wrong) => self.complaints.push(format!("verify: {wrong}")),
        }
    }

    fn replay(&self, renditions: &Renditions) -> Vec<u8> {
        let mut replay = renditions.ogg_headers("A simulated evening").expect("there is Opus");
        for (place, (_, page)) in self.pages.iter().enumerate() {
            let mut page = page.to_vec();
            ogg::renumber(&mut page, ogg::PageHead::of_part(PartNo(place as u64))).expect("a part is a page");
            replay.extend(page);
        }
        let last = PartNo(self.pages.len() as u64 - 1);
        replay.extend(renditions.ogg_end(last).expect("there is Opus"));
        replay
    }
}

fn kept(record: &Record) -> Option<Kept> {
    match record {
        Record::Entry { entry: Entry::Part(part), .. } => Some(Kept::Part(part.no, part.kind)),
        Record::Entry { entry: Entry::Gap(lost), .. } => Some(Kept::Gap(lost.parts)),
        Record::Entry { entry: Entry::Hold { .. } | Entry::End { .. }, .. } | Record::Signed { .. } => None,
    }
}

fn sha256(bytes: &[u8]) -> Hash {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).into()
}
