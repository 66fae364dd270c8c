//! The chain as a machine: entries go in, heads and signatures come out.

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use super::entry::hold_step;
use super::{Entry, Hash, Lost, PartEntry, Why};
use crate::mix::Kind;
use crate::program::{PartNo, Rendition};
use crate::time::WallTime;

const GENESIS_DOMAIN: &[u8] = b"tribune seal v1 genesis\0";
const ENTRY_DOMAIN: &[u8] = b"tribune seal v1 entry\0";
const HEAD_DOMAIN: &[u8] = b"tribune seal v1 head\0";

/// An Ed25519 signature (RFC 8032).
pub type Signature = [u8; 64];

/// What a recording is bound to before its first part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    /// The room's name.
    pub room: String,
    /// The room's title when the recording began.
    pub title: String,
    /// 16 random bytes, so that no two recordings share a chain.
    pub id: [u8; 16],
    /// The node's public key.
    pub key: Hash,
    /// The recorded Opus rendition.
    pub opus: Rendition,
    /// The recorded AAC rendition.
    pub aac: Rendition,
}

impl Genesis {
    /// The head before the first entry.
    pub fn head(&self) -> Hash {
        let mut hash = Sha256::new();
        hash.update(GENESIS_DOMAIN);
        self.update(&mut hash);
        hash.update(self.key);
        for text in [&self.title, &program_text(&self.opus), &program_text(&self.aac)] {
            update_text(&mut hash, text);
        }
        hash.finalize().into()
    }

    /// Room and recording, as they go into everything that is signed.
    pub(crate) fn update(&self, hash: &mut Sha256) {
        update_text(hash, &self.room);
        hash.update(self.id);
    }

    /// Checks that the owner of the genesis' key signed `head` after `parts` recorded parts.
    pub fn check(&self, sealed: &Sealed, signature: &Signature) -> Result<(), SignatureWrong> {
        self.check_signed(&self.head_message(sealed), signature)
    }

    pub(crate) fn check_signed(&self, message: &Hash, signature: &Signature) -> Result<(), SignatureWrong> {
        let key = read_key(&self.key)?;
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        key.verify_strict(message, &signature).map_err(|_| SignatureWrong::NotByKey)
    }

    fn head_message(&self, sealed: &Sealed) -> Hash {
        let mut hash = Sha256::new();
        hash.update(HEAD_DOMAIN);
        self.update(&mut hash);
        hash.update(sealed.head);
        hash.update(sealed.parts.to_be_bytes());
        hash.finalize().into()
    }
}

/// Why a signature does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureWrong {
    /// 32 bytes that are no point, or a weak one.
    #[error("the public key is not a valid Ed25519 key")]
    KeyInvalid,
    /// Well-formed, and not made by that key over this.
    #[error("the signature was not made by this key over this content")]
    NotByKey,
}

/// Reads a public key; refuses weak ones, which would sign anything.
pub fn read_key(key: &Hash) -> Result<VerifyingKey, SignatureWrong> {
    let key = VerifyingKey::from_bytes(key).map_err(|_| SignatureWrong::KeyInvalid)?;
    if key.is_weak() { Err(SignatureWrong::KeyInvalid) } else { Ok(key) }
}

/// A point of the chain that was signed and is safe on disk: what `status.program` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The chain's head there.
    pub head: Hash,
    /// Recorded parts up to there.
    pub parts: u64,
}

/// What its keeper knows about sound that did not reach the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Why.
    pub why: Why,
    /// The first part that is missing.
    pub first: PartNo,
    /// When that one began.
    pub began_at: WallTime,
}

impl Missing {
    /// The gap when nothing was recorded before it.
    fn before_the_first(&self, part: &PartEntry) -> Lost {
        Lost {
            after: PartNo(self.first.0.saturating_sub(1)),
            parts: part.no.since(self.first),
            ms: u64::try_from(part.began_at.millis_since(self.began_at)).unwrap_or(0),
            why: self.why,
        }
    }
}

/// The chain of one recording. Entries only ever go on at the end.
#[derive(Clone, Debug)]
pub struct Chain {
    at: Sealed,
    hold: Option<(PartNo, u64, Hash)>,
    last: Option<PartEntry>,
}

impl Chain {
    /// A chain without entries.
    pub fn begin(genesis: &Genesis) -> Self {
        Self { at: Sealed { head: genesis.head(), parts: 0 }, hold: None, last: None }
    }

    /// Head and recorded parts now.
    pub fn at(&self) -> Sealed {
        self.at
    }

    /// The part recorded last.
    pub fn last(&self) -> Option<&PartEntry> {
        self.last.as_ref()
    }

    /// What one more part adds: nothing while only the hold sound has run, else the part, after the count of the hold before
    /// the start and after the gap, if numbers are missing or `missing` says that sound is.
    ///
    /// A part whose number is not after the last one adds nothing either; the caller hands parts over in order.
    pub fn entries_for(&self, part: PartEntry, missing: Option<Missing>) -> Vec<Entry> {
        match &self.last {
            None if part.kind == Kind::Hold => Vec::new(),
            None => {
                let hold = self.hold.map(|(first, parts, digest)| Entry::Hold { first, parts, digest });
                let gap = missing.map(|missing| Entry::Gap(missing.before_the_first(&part)));
                hold.into_iter().chain(gap).chain([Entry::Part(part)]).collect()
            }
            Some(last) if part.no <= last.no => Vec::new(),
            Some(last) => {
                let jump = (part.no != last.no.next()).then_some(Why::Restart);
                let why = missing.map(|missing| missing.why).or(jump);
                let gap = why.map(|why| Entry::Gap(Lost::between(last, &part, why)));
                gap.into_iter().chain([Entry::Part(part)]).collect()
            }
        }
    }

    /// Counts a part of the hold sound before the first word.
    pub fn count_hold(&mut self, part: &PartEntry) {
        let (first, parts, digest) = self.hold.unwrap_or((part.no, 0, [0; 32]));
        self.hold = Some((first, parts + 1, hold_step(&digest, part)));
    }

    /// Appends an entry.
    pub fn append(&mut self, entry: &Entry) {
        let mut hash = Sha256::new();
        hash.update(ENTRY_DOMAIN);
        hash.update(self.at.head);
        hash.update(entry.to_bytes());
        self.at.head = hash.finalize().into();
        if let Entry::Part(part) = entry {
            self.at.parts += 1;
            self.last = Some(*part);
        }
    }

    /// The end's entries.
    pub fn entries_for_end(&self, at: WallTime) -> Vec<Entry> {
        let hold = match self.last {
            None => self.hold.map(|(first, parts, digest)| Entry::Hold { first, parts, digest }),
            Some(_) => None,
        };
        hold.into_iter().chain([Entry::End { at, parts: self.at.parts }]).collect()
    }

    /// Signs the head as it is now.
    pub fn sign(&self, genesis: &Genesis, key: &SigningKey) -> Signature {
        key.sign(&genesis.head_message(&self.at)).to_bytes()
    }
}

/// A rendition as it is bound into the genesis.
fn program_text(rendition: &Rendition) -> String {
    let Rendition { codec, bit_rate, channels, priming_samples } = rendition;
    format!("{} {bit_rate} bit/s {channels} ch priming {priming_samples}", codec.word())
}

pub(super) fn update_text(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_be_bytes());
    hash.update(text);
}
