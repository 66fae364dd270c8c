//! The seal: a hash chain over the recorded parts, signed as it goes, so that what was said cannot be changed unnoticed.
//!
//! Every part, gap and the end is an entry; each head is the hash of the head before it and the entry. Every segment's head is
//! signed with the node's Ed25519 key (RFC 8032) and shown in `status`, so that whoever kept a status is a witness against the
//! operator too. Hashes are SHA-256 (FIPS 180-4) over the coded packets, not the containers: Ogg, M4A and HLS verify alike.

mod chain;
mod document;
mod entry;
mod log;

pub use chain::{Chain, Genesis, Missing, Sealed, Signature, SignatureWrong, read_key};
pub use document::{Closing, DocumentWrong, Extent, Files, Link, REDACTIONS_MAX, SEAL_BYTES_MAX, Seal};
pub use document::{marks_from_json, marks_to_json};
pub use entry::{Entry, Lost, PartEntry, Why};
pub use log::{LogWrong, RECORD_BYTES, Record, Scan, TAIL_RECORDS_MAX, scan};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

/// A SHA-256.
pub type Hash = [u8; 32];

const UNITS_DOMAIN: &[u8] = b"tribune seal v1 units\0";

/// The hash of one part's coded units: each with its length in front (32 bit, big-endian), so that no cut can be shifted.
pub fn units_hash<'a>(units: impl IntoIterator<Item = &'a [u8]>) -> Hash {
    let mut hash = Sha256::new();
    hash.update(UNITS_DOMAIN);
    for unit in units {
        hash.update((unit.len() as u32).to_be_bytes());
        hash.update(unit);
    }
    hash.finalize().into()
}

/// Bytes as text in JSON: base64url without padding (RFC 4648, section 5).
pub fn to_text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Reads base64url without padding of exactly `N` bytes.
pub fn from_text<const N: usize>(text: &str) -> Option<[u8; N]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests;
