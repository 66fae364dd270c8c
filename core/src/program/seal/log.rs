//! The seal on disk: records of one fixed size, so that a torn end is told from damage further in.
//!
//! A record is a tag (0 an entry, 1 a signature), its body, zeros, and the first 8 bytes of a SHA-256 over all before. Bytes
//! after the last signature were never promised; what is torn there is cut off. Damage before a signature is an error.

use ed25519_dalek::SigningKey;
use sha2::{Digest, Sha256};

use super::{Chain, Entry, Genesis, Sealed, Signature};

/// Bytes of every record.
pub const RECORD_BYTES: usize = 128;
/// Records without a good signature behind them that a crash can leave torn; more is damage.
pub const TAIL_RECORDS_MAX: usize = 64;

const CHECK_BYTES: usize = 8;
const LOG_DOMAIN: &[u8] = b"tribune seal v1 log\0";

/// One record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// An entry of the chain. For a part, the sizes in bytes of what was stored with it.
    Entry {
        /// The entry.
        entry: Entry,
        /// Bytes of its Ogg page.
        page_bytes: u32,
        /// Bytes of its CMAF chunk.
        chunk_bytes: u32,
    },
    /// A signature over the head there.
    Signed {
        /// Head and recorded parts.
        at: Sealed,
        /// By the node's key.
        signature: Signature,
    },
}

impl Record {
    /// The signature of where the chain is now.
    pub fn sign(chain: &Chain, genesis: &Genesis, key: &SigningKey) -> Self {
        Self::Signed { at: chain.at(), signature: chain.sign(genesis, key) }
    }

    /// The bytes on disk.
    pub fn to_bytes(&self) -> [u8; RECORD_BYTES] {
        let mut body = Vec::with_capacity(RECORD_BYTES);
        match self {
            Self::Entry { entry, page_bytes, chunk_bytes } => {
                body.push(0);
                body.extend(page_bytes.to_be_bytes());
                body.extend(chunk_bytes.to_be_bytes());
                body.extend(entry.to_bytes());
            }
            Self::Signed { at, signature } => {
                body.push(1);
                body.extend(at.parts.to_be_bytes());
                body.extend(at.head);
                body.extend(signature);
            }
        }
        body.resize(RECORD_BYTES - CHECK_BYTES, 0);
        let check = check(&body);
        body.extend(check);
        body.try_into().expect("body and check fill the record")
    }

    /// Reads a record; `None` when a byte of it is not as written.
    pub fn from_bytes(bytes: &[u8; RECORD_BYTES]) -> Option<Self> {
        let (body, check_read) = bytes.split_at(RECORD_BYTES - CHECK_BYTES);
        if check(body) != check_read {
            return None;
        }
        let word = |at: usize| body[at..at + 4].try_into().map(u32::from_be_bytes).ok();
        match body[0] {
            0 => Some(Self::Entry {
                page_bytes: word(1)?,
                chunk_bytes: word(5)?,
                entry: Entry::from_bytes(&body[9..])?,
            }),
            1 => Some(Self::Signed {
                at: Sealed {
                    parts: u64::from_be_bytes(body[1..9].try_into().ok()?),
                    head: body[9..41].try_into().ok()?,
                },
                signature: body[41..105].try_into().ok()?,
            }),
            _ => None,
        }
    }
}

/// What a log holds.
#[derive(Debug)]
pub struct Scan {
    /// All good records, in order.
    pub records: Vec<Record>,
    /// How many of them end with the last signature: these were promised.
    pub promised: usize,
}

/// What is wrong with a log beyond a torn end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogWrong {
    /// A record before the last signature does not read.
    #[error("record {record} of the seal log is damaged, and sealed records follow it")]
    Damaged {
        /// Its place, from 0.
        record: usize,
    },
    /// More garbage than a crash leaves.
    #[error("the seal log ends in {records} unreadable records; a crash leaves at most {TAIL_RECORDS_MAX}")]
    LongTail {
        /// How many.
        records: usize,
    },
    /// A signature record that does not fit the chain before it.
    #[error("the seal log's signature in record {record} does not fit the parts before it")]
    NotThisChain {
        /// Its place, from 0.
        record: usize,
    },
}

/// Reads a seal log from disk. Every signed head is compared with the chain; the signature itself is checked for the last one,
/// which the chain makes cover all before.
pub fn scan(genesis: &Genesis, bytes: &[u8]) -> Result<Scan, LogWrong> {
    let (slots, _torn) = bytes.as_chunks::<RECORD_BYTES>();
    let mut chain = Chain::begin(genesis);
    let mut records = Vec::with_capacity(slots.len());
    let mut promised = 0;
    for (place, slot) in slots.iter().enumerate() {
        let Some(record) = Record::from_bytes(slot) else {
            check_tail(place, &slots[place..])?;
            break;
        };
        match &record {
            Record::Entry { entry, .. } => chain.append(entry),
            Record::Signed { at, .. } if *at == chain.at() => promised = place + 1,
            Record::Signed { .. } => return Err(LogWrong::NotThisChain { record: place }),
        }
        records.push(record);
    }
    if let Some(Record::Signed { at, signature }) = promised.checked_sub(1).map(|last| &records[last]) {
        genesis.check(at, signature).map_err(|_| LogWrong::NotThisChain { record: promised - 1 })?;
    }
    Ok(Scan { records, promised })
}

/// A bad record may only be followed by what a crash can leave.
fn check_tail(place: usize, tail: &[[u8; RECORD_BYTES]]) -> Result<(), LogWrong> {
    let signed = |slot| matches!(Record::from_bytes(slot), Some(Record::Signed { .. }));
    if tail.iter().any(signed) {
        return Err(LogWrong::Damaged { record: place });
    }
    if tail.len() > TAIL_RECORDS_MAX {
        return Err(LogWrong::LongTail { records: tail.len() });
    }
    Ok(())
}

fn check(body: &[u8]) -> [u8; CHECK_BYTES] {
    let hash = Sha256::new().chain_update(LOG_DOMAIN).chain_update(body).finalize();
    hash[..CHECK_BYTES].try_into().expect("a SHA-256 is longer than its check")
}
