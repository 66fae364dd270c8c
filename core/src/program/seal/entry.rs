//! What the chain is made of, and the bytes of it that are hashed.

use sha2::{Digest, Sha256};

use super::Hash;
use crate::mix::Kind;
use crate::program::{PART_MS, PartNo};
use crate::time::WallTime;

/// The longest canonical form of an entry, in bytes.
pub const ENTRY_BYTES_MAX: usize = 82;

const HOLD_DOMAIN: &[u8] = b"tribune seal v1 hold\0";

/// One recorded part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartEntry {
    /// Its number in the program.
    pub no: PartNo,
    /// Conversation, or the hold sound in a pause of all inputs.
    pub kind: Kind,
    /// What the wall clock said at its first sample.
    pub began_at: WallTime,
    /// Hash of its Opus packets.
    pub opus: Hash,
    /// Hash of its AAC frames.
    pub aac: Hash,
}

/// Why parts are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The server stopped and came back.
    Restart,
    /// The disk was full, failed or stood still; the program went on live.
    Disk,
    /// The server was held up, as by a machine that slept: in this time there was no program.
    Stalled,
}

/// Parts of the program that were not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost {
    /// The last part recorded before the gap.
    pub after: PartNo,
    /// Part numbers skipped.
    pub parts: u64,
    /// Wall time lost, in milliseconds.
    pub ms: u64,
    /// Why.
    pub why: Why,
}

impl Lost {
    /// What lies between the part recorded last and the one that comes now.
    pub fn between(last: &PartEntry, next: &PartEntry, why: Why) -> Self {
        let ms = next.began_at.millis_since(last.began_at).saturating_sub(PART_MS as i64);
        let parts = next.no.since(last.no).saturating_sub(1);
        Self { after: last.no, parts, ms: u64::try_from(ms).unwrap_or(0), why }
    }
}

/// One link of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// Hold sound before the first word: counted and digested, not stored.
    Hold {
        /// The first part number of it.
        first: PartNo,
        /// How many parts.
        parts: u64,
        /// [`hold_step`] over all of them.
        digest: Hash,
    },
    /// A recorded part.
    Part(PartEntry),
    /// Parts that are missing, named.
    Gap(Lost),
    /// The room ended.
    End {
        /// When, by the wall clock.
        at: WallTime,
        /// Recorded parts in all.
        parts: u64,
    },
}

impl Entry {
    /// The bytes that are hashed and stored: a tag, then fixed fields, integers big-endian.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(ENTRY_BYTES_MAX);
        match self {
            Self::Part(part) => {
                bytes.push(1);
                bytes.extend(part.no.0.to_be_bytes());
                bytes.push(kind_byte(part.kind));
                bytes.extend(part.began_at.0.to_be_bytes());
                bytes.extend(part.opus);
                bytes.extend(part.aac);
            }
            Self::Hold { first, parts, digest } => {
                bytes.push(2);
                bytes.extend(first.0.to_be_bytes());
                bytes.extend(parts.to_be_bytes());
                bytes.extend(digest);
            }
            Self::Gap(lost) => {
                bytes.push(3);
                bytes.extend(lost.after.0.to_be_bytes());
                bytes.extend(lost.parts.to_be_bytes());
                bytes.extend(lost.ms.to_be_bytes());
                bytes.push(match lost.why {
                    Why::Restart => 0,
                    Why::Disk => 1,
                    Why::Stalled => 2,
                });
            }
            Self::End { at, parts } => {
                bytes.push(4);
                bytes.extend(at.0.to_be_bytes());
                bytes.extend(parts.to_be_bytes());
            }
        }
        bytes
    }

    /// Reads what `to_bytes` wrote at the front of `bytes`; `None` when it is no entry.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (&tag, mut rest) = bytes.split_first()?;
        let rest = &mut rest;
        Some(match tag {
            1 => Self::Part(PartEntry {
                no: PartNo(take_u64(rest)?),
                kind: kind_from(take::<1>(rest)?[0])?,
                began_at: WallTime(i64::from_be_bytes(take(rest)?)),
                opus: take(rest)?,
                aac: take(rest)?,
            }),
            2 => Self::Hold { first: PartNo(take_u64(rest)?), parts: take_u64(rest)?, digest: take(rest)? },
            3 => Self::Gap(Lost {
                after: PartNo(take_u64(rest)?),
                parts: take_u64(rest)?,
                ms: take_u64(rest)?,
                why: match take::<1>(rest)?[0] {
                    0 => Why::Restart,
                    1 => Why::Disk,
                    2 => Why::Stalled,
                    _ => return None,
                },
            }),
            4 => Self::End { at: WallTime(i64::from_be_bytes(take(rest)?)), parts: take_u64(rest)? },
            _ => return None,
        })
    }
}

/// The digest of the hold parts so far, with one more.
pub fn hold_step(digest: &Hash, part: &PartEntry) -> Hash {
    let mut hash = Sha256::new();
    hash.update(HOLD_DOMAIN);
    hash.update(digest);
    hash.update(Entry::Part(*part).to_bytes());
    hash.finalize().into()
}

fn kind_byte(kind: Kind) -> u8 {
    match kind {
        Kind::Conversation => 0,
        Kind::Hold => 1,
    }
}

fn kind_from(byte: u8) -> Option<Kind> {
    match byte {
        0 => Some(Kind::Conversation),
        1 => Some(Kind::Hold),
        _ => None,
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (front, back) = rest.split_first_chunk::<N>()?;
    *rest = back;
    Some(*front)
}

fn take_u64(rest: &mut &[u8]) -> Option<u64> {
    take(rest).map(u64::from_be_bytes)
}
