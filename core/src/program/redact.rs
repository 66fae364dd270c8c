//! A passage lawfully taken out of a recording: its sound is gone from the disk, its hashes stay, and a signed mark says so.

use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256};

use super::seal::{Genesis, Hash, Signature, SignatureWrong};
use super::{Codec, PART_MS, PART_SAMPLES};
use crate::codec::{aac, opus};
use crate::time::{RATE_HZ, WallTime};

const DOMAIN: &[u8] = b"tribune seal v1 redaction\0";

/// The mark of one passage taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redaction {
    /// The first part, counted from 0 in the recording (not its number in the program).
    pub from: u64,
    /// How many parts.
    pub parts: u64,
    /// When it was taken out.
    pub at: WallTime,
    /// The reason given.
    pub why: String,
    /// By the key of the seal.
    pub signature: Signature,
}

impl Redaction {
    /// Marks `from..from + parts` of the recording whose chain ends in `end`.
    pub fn sign(passage: Passage, (genesis, end): (&Genesis, &Hash), key: &SigningKey) -> Self {
        let Passage { from, parts, at, why } = passage;
        let mut mark = Self { from, parts, at, why, signature: [0; 64] };
        mark.signature = key.sign(&mark.message(genesis, end)).to_bytes();
        mark
    }

    /// Checks that the seal's key made it.
    pub fn check(&self, genesis: &Genesis, end: &Hash) -> Result<(), SignatureWrong> {
        genesis.check_signed(&self.message(genesis, end), &self.signature)
    }

    /// Whether it covers the recording's part `place`, from 0.
    pub fn covers(&self, place: u64) -> bool {
        place >= self.from && place - self.from < self.parts
    }

    /// Where it begins in the replay, in seconds.
    pub fn at_s(&self) -> f64 {
        seconds(self.from)
    }

    /// How long it is, in seconds.
    pub fn seconds(&self) -> f64 {
        seconds(self.parts)
    }

    /// What is signed.
    pub(crate) fn message(&self, genesis: &Genesis, end: &Hash) -> Hash {
        let mut hash = Sha256::new();
        hash.update(DOMAIN);
        genesis.update(&mut hash);
        hash.update(end);
        hash.update(self.from.to_be_bytes());
        hash.update(self.parts.to_be_bytes());
        hash.update(self.at.0.to_be_bytes());
        hash.update((self.why.len() as u64).to_be_bytes());
        hash.update(&self.why);
        hash.finalize().into()
    }
}

/// A passage to take out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passage {
    /// The first part, counted from 0 in the recording.
    pub from: u64,
    /// How many parts.
    pub parts: u64,
    /// When it is taken out.
    pub at: WallTime,
    /// The reason given.
    pub why: String,
}

impl Passage {
    /// Every whole part that `from_s..to_s` of the replay touches; `None` when that is none of `recorded` parts.
    pub fn of_seconds(
        (from_s, to_s): (f64, f64),
        recorded: u64,
        (at, why): (WallTime, String),
    ) -> Option<Self> {
        if !(from_s >= 0.0 && to_s > from_s) {
            return None;
        }
        let part_s = PART_MS as f64 / 1_000.0;
        let from = (from_s / part_s).floor() as u64;
        let end = ((to_s / part_s).ceil() as u64).min(recorded);
        (from < end).then(|| Self { from, parts: end - from, at, why })
    }
}

/// Seconds of `parts` parts, rounded to the microsecond so that tenths print as tenths.
pub fn seconds(parts: u64) -> f64 {
    let seconds = parts as f64 * PART_SAMPLES as f64 / f64::from(RATE_HZ);
    (seconds * 1e6).round() / 1e6
}

/// Whether a unit is nothing but the silence that stands for a passage taken out, or too short to hold any sound.
pub fn is_silent(codec: Codec, unit: &[u8]) -> bool {
    silent_unit(codec, unit.len()).is_none_or(|silence| silence == unit)
}

/// A unit of `len` bytes that decodes to silence, to be written over one that is taken out; `None` when the codec has none of
/// that length.
pub fn silent_unit(codec: Codec, len: usize) -> Option<Vec<u8>> {
    match codec {
        Codec::Opus => opus::silent_packet(len),
        Codec::AacLc => aac::silent_unit(len),
    }
}
