//! The seal as a JSON document: everything needed to check a replay away from the server.
//!
//! Four hours are 45,000 parts, so the parts of a segment share one item and their hashes lie back to back in one text. Reading
//! checks shapes and bounds only; whether chain and signatures hold is `verify`'s question.

use ed25519_dalek::{Signer, SigningKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::chain::update_text;
use super::{Entry, Genesis, Hash, Lost, PartEntry, Record, Sealed, Signature, SignatureWrong, Why};
use super::{from_text, to_text};
use crate::mix::Kind;
use crate::program::redact::Redaction;
use crate::program::{PART_SAMPLES, PartNo, Rendition, SEGMENT_PARTS};
use crate::time::{RATE_HZ, WallTime};

/// The largest seal that is read, in bytes: some 48 hours.
pub const SEAL_BYTES_MAX: usize = 64 << 20;

const VERSION: u32 = 1;

/// The most redactions of one recording.
pub const REDACTIONS_MAX: usize = 1_000;

const ROOM_BYTES_MAX: usize = 64;
const TEXT_BYTES_MAX: usize = 4_096;
const CLOSING_DOMAIN: &[u8] = b"tribune seal v1 closing\0";

/// A stretch of a replay file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// Its length in bytes.
    pub bytes: u64,
    /// Its SHA-256.
    pub sha256: Hash,
}

/// The replay files as they were published, stretch by stretch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files {
    /// `replay.opus`.
    pub opus: Vec<Extent>,
    /// `replay.m4a`.
    pub m4a: Vec<Extent>,
}

/// What is signed when the recording is closed, and again after each redaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closing {
    /// The published files.
    pub files: Files,
    /// Over chain, files and all redactions.
    pub signature: Signature,
}

/// A recording's seal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// What it is bound to.
    pub genesis: Genesis,
    /// The chain in order; the heads are recomputed, not stored.
    pub links: Vec<Link>,
    /// Passages taken out.
    pub redactions: Vec<Redaction>,
    /// Present once the recording is closed.
    pub closing: Option<Closing>,
}

/// One item of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// An entry.
    Entry(Entry),
    /// A signature over the head there.
    Signed(Signature),
}

impl From<&Record> for Link {
    fn from(record: &Record) -> Self {
        match record {
            Record::Entry { entry, .. } => Self::Entry(*entry),
            Record::Signed { signature, .. } => Self::Signed(*signature),
        }
    }
}

/// Why a seal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DocumentWrong {
    /// Above `SEAL_BYTES_MAX`.
    #[error("the seal is {bytes} bytes long; at most {SEAL_BYTES_MAX} are read")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// Not JSON, or not of this shape.
    #[error("this is not a seal: {0}")]
    Shape(#[from] serde_json::Error),
    /// A field with a value that cannot be.
    #[error("the seal's `{0}` is not valid")]
    Field(&'static str),
    /// From a later version.
    #[error("the seal has version {0}; this program reads version {VERSION}")]
    Version(u32),
}

impl Seal {
    /// The document as JSON, compact.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(&Document::from(self)).expect("a seal holds only texts and numbers")
    }

    /// Reads a document from outside.
    pub fn from_json(bytes: &[u8]) -> Result<Self, DocumentWrong> {
        if bytes.len() > SEAL_BYTES_MAX {
            return Err(DocumentWrong::TooLarge { bytes: bytes.len() });
        }
        serde_json::from_slice::<Document>(bytes)?.into_seal()
    }

    /// All entries in order.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.links.iter().filter_map(|link| match link {
            Link::Entry(entry) => Some(entry),
            Link::Signed(_) => None,
        })
    }

    /// All recorded parts in order.
    pub fn parts(&self) -> impl Iterator<Item = &PartEntry> {
        self.entries().filter_map(|entry| match entry {
            Entry::Part(part) => Some(part),
            Entry::Hold { .. } | Entry::Gap(_) | Entry::End { .. } => None,
        })
    }

    /// When the room ended, once it has.
    pub fn ended_at(&self) -> Option<WallTime> {
        self.entries().find_map(|entry| match entry {
            Entry::End { at, .. } => Some(*at),
            Entry::Hold { .. } | Entry::Part(_) | Entry::Gap(_) => None,
        })
    }
}

impl Closing {
    /// Signs the published files and redactions of the chain that ends in `end`.
    pub fn sign(seal: (&Genesis, &Sealed), redactions: &[Redaction], files: Files, key: &SigningKey) -> Self {
        let message = closing_message(seal, redactions, &files);
        Self { files, signature: key.sign(&message).to_bytes() }
    }

    /// Checks the signature.
    pub fn check(
        &self,
        (genesis, end): (&Genesis, &Sealed),
        redactions: &[Redaction],
    ) -> Result<(), SignatureWrong> {
        let message = closing_message((genesis, end), redactions, &self.files);
        genesis.check_signed(&message, &self.signature)
    }
}

fn closing_message((genesis, end): (&Genesis, &Sealed), redactions: &[Redaction], files: &Files) -> Hash {
    let mut hash = Sha256::new();
    hash.update(CLOSING_DOMAIN);
    genesis.update(&mut hash);
    hash.update(end.head);
    hash.update(end.parts.to_be_bytes());
    hash.update((redactions.len() as u64).to_be_bytes());
    for redaction in redactions {
        hash.update(redaction.message(genesis, &end.head));
    }
    for (name, extents) in [("opus", &files.opus), ("m4a", &files.m4a)] {
        update_text(&mut hash, name);
        hash.update((extents.len() as u64).to_be_bytes());
        for extent in extents {
            hash.update(extent.bytes.to_be_bytes());
            hash.update(extent.sha256);
        }
    }
    hash.finalize().into()
}

/// The document's outermost shape.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    tribune_seal: u32,
    room: String,
    title: String,
    id: String,
    key: String,
    program: Program,
    started_at: Option<String>,
    ended_at: Option<String>,
    closed: bool,
    chain: Vec<Item>,
    redactions: Vec<RedactionItem>,
    files: Option<FilesItem>,
    sig: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Program {
    rate_hz: u32,
    part_samples: u64,
    opus: Rendition,
    aac: Rendition,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Item {
    Hold { first: u64, parts: u64, digest: String },
    Parts { first: u64, kinds: String, at_ms: Vec<i64>, opus: String, aac: String },
    Gap { after: u64, parts: u64, ms: u64, why: Why },
    End { at: String, parts: u64 },
    Sig(String),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RedactionItem {
    from: u64,
    parts: u64,
    at: String,
    why: String,
    sig: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FilesItem {
    opus: Vec<ExtentItem>,
    m4a: Vec<ExtentItem>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExtentItem {
    bytes: u64,
    sha256: String,
}

impl From<&Seal> for Document {
    fn from(seal: &Seal) -> Self {
        let Genesis { room, title, id, key, opus, aac } = &seal.genesis;
        let extents = |extents: &[Extent]| {
            extents.iter().map(|at| ExtentItem { bytes: at.bytes, sha256: to_text(&at.sha256) }).collect()
        };
        Self {
            tribune_seal: VERSION,
            room: room.clone(),
            title: title.clone(),
            id: to_text(id),
            key: to_text(key),
            program: Program {
                rate_hz: RATE_HZ,
                part_samples: PART_SAMPLES,
                opus: opus.clone(),
                aac: aac.clone(),
            },
            started_at: seal.parts().next().map(|part| part.began_at.rfc3339()),
            ended_at: seal.ended_at().map(WallTime::rfc3339),
            closed: seal.closing.is_some(),
            chain: items(&seal.links),
            redactions: seal.redactions.iter().map(RedactionItem::from).collect(),
            files: seal.closing.as_ref().map(|closing| FilesItem {
                opus: extents(&closing.files.opus),
                m4a: extents(&closing.files.m4a),
            }),
            sig: seal.closing.as_ref().map(|closing| to_text(&closing.signature)),
        }
    }
}

impl From<&Redaction> for RedactionItem {
    fn from(mark: &Redaction) -> Self {
        Self {
            from: mark.from,
            parts: mark.parts,
            at: mark.at.rfc3339(),
            why: mark.why.clone(),
            sig: to_text(&mark.signature),
        }
    }
}

/// Runs of parts of one segment become one item.
fn items(links: &[Link]) -> Vec<Item> {
    let mut items = Vec::new();
    let mut run: Vec<&PartEntry> = Vec::new();
    for link in links {
        if let Link::Entry(Entry::Part(part)) = link {
            let joins = run.last().is_some_and(|last| last.no.next() == part.no);
            if !joins || run.len() == SEGMENT_PARTS as usize {
                close_run(&mut run, &mut items);
            }
            run.push(part);
            continue;
        }
        close_run(&mut run, &mut items);
        items.push(match link {
            Link::Signed(signature) => Item::Sig(to_text(signature)),
            Link::Entry(Entry::Hold { first, parts, digest }) => {
                Item::Hold { first: first.0, parts: *parts, digest: to_text(digest) }
            }
            Link::Entry(Entry::Gap(Lost { after, parts, ms, why })) => {
                Item::Gap { after: after.0, parts: *parts, ms: *ms, why: *why }
            }
            Link::Entry(Entry::End { at, parts }) => Item::End { at: at.rfc3339(), parts: *parts },
            Link::Entry(Entry::Part(_)) => unreachable!("parts were taken into the run above"),
        });
    }
    close_run(&mut run, &mut items);
    items
}

fn close_run(run: &mut Vec<&PartEntry>, items: &mut Vec<Item>) {
    let Some(first) = run.first() else { return };
    let mut before = 0;
    let mut at_ms = Vec::with_capacity(run.len());
    for part in run.iter() {
        at_ms.push(part.began_at.0.wrapping_sub(before));
        before = part.began_at.0;
    }
    let hashes =
        |of: fn(&PartEntry) -> Hash| to_text(&run.iter().flat_map(|part| of(part)).collect::<Vec<_>>());
    items.push(Item::Parts {
        first: first.no.0,
        kinds: run.iter().map(|part| kind_letter(part.kind)).collect(),
        at_ms,
        opus: hashes(|part| part.opus),
        aac: hashes(|part| part.aac),
    });
    run.clear();
}

fn kind_letter(kind: Kind) -> char {
    match kind {
        Kind::Conversation => 'c',
        Kind::Hold => 'h',
    }
}

impl Document {
    fn into_seal(self) -> Result<Seal, DocumentWrong> {
        use DocumentWrong::Field;
        if self.tribune_seal != VERSION {
            return Err(DocumentWrong::Version(self.tribune_seal));
        }
        if self.program.rate_hz != RATE_HZ || self.program.part_samples != PART_SAMPLES {
            return Err(Field("program"));
        }
        if self.room.len() > ROOM_BYTES_MAX || self.title.len() > TEXT_BYTES_MAX {
            return Err(Field("room"));
        }
        let genesis = Genesis {
            room: self.room,
            title: self.title,
            id: from_text(&self.id).ok_or(Field("id"))?,
            key: from_text(&self.key).ok_or(Field("key"))?,
            opus: self.program.opus,
            aac: self.program.aac,
        };
        let mut links = Vec::new();
        for item in self.chain {
            read_item(item, &mut links)?;
        }
        if self.redactions.len() > REDACTIONS_MAX {
            return Err(Field("redactions"));
        }
        let redactions = self.redactions.into_iter().map(read_redaction).collect::<Result<_, _>>()?;
        let closing = match (self.files, self.sig) {
            (Some(files), Some(sig)) => Some(Closing {
                files: Files { opus: read_extents(files.opus)?, m4a: read_extents(files.m4a)? },
                signature: from_text(&sig).ok_or(Field("sig"))?,
            }),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err(Field("sig")),
        };
        let seal = Seal { genesis, links, redactions, closing };
        if self.started_at != seal.parts().next().map(|part| part.began_at.rfc3339()) {
            return Err(Field("started_at"));
        }
        if self.ended_at != seal.ended_at().map(WallTime::rfc3339) {
            return Err(Field("ended_at"));
        }
        if self.closed != seal.closing.is_some() {
            return Err(Field("closed"));
        }
        Ok(seal)
    }
}

fn read_item(item: Item, links: &mut Vec<Link>) -> Result<(), DocumentWrong> {
    use DocumentWrong::Field;
    links.push(match item {
        Item::Hold { first, parts, digest } => Link::Entry(Entry::Hold {
            first: PartNo(first),
            parts,
            digest: from_text(&digest).ok_or(Field("hold"))?,
        }),
        Item::Gap { after, parts, ms, why } => {
            Link::Entry(Entry::Gap(Lost { after: PartNo(after), parts, ms, why }))
        }
        Item::End { at, parts } => Link::Entry(Entry::End { at: read_time(&at)?, parts }),
        Item::Sig(text) => Link::Signed(from_text(&text).ok_or(Field("sig"))?),
        Item::Parts { first, kinds, at_ms, opus, aac } => {
            let opus = read_hashes(&opus, kinds.len()).ok_or(Field("opus"))?;
            let aac = read_hashes(&aac, kinds.len()).ok_or(Field("aac"))?;
            if at_ms.len() != kinds.len() || kinds.is_empty() {
                return Err(Field("at_ms"));
            }
            let mut at = 0i64;
            for (place, kind) in kinds.chars().enumerate() {
                at = at.checked_add(at_ms[place]).ok_or(Field("at_ms"))?;
                links.push(Link::Entry(Entry::Part(PartEntry {
                    no: PartNo(first.checked_add(place as u64).ok_or(Field("first"))?),
                    kind: match kind {
                        'c' => Kind::Conversation,
                        'h' => Kind::Hold,
                        _ => return Err(Field("kinds")),
                    },
                    began_at: WallTime(at),
                    opus: opus[place],
                    aac: aac[place],
                })));
            }
            return Ok(());
        }
    });
    Ok(())
}

fn read_hashes(text: &str, count: usize) -> Option<Vec<Hash>> {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).ok()?;
    let (hashes, rest) = bytes.as_chunks::<32>();
    (rest.is_empty() && hashes.len() == count && count <= SEGMENT_PARTS as usize).then(|| hashes.to_vec())
}

fn read_redaction(item: RedactionItem) -> Result<Redaction, DocumentWrong> {
    if item.why.len() > TEXT_BYTES_MAX {
        return Err(DocumentWrong::Field("why"));
    }
    Ok(Redaction {
        from: item.from,
        parts: item.parts,
        at: read_time(&item.at)?,
        why: item.why,
        signature: from_text(&item.sig).ok_or(DocumentWrong::Field("sig"))?,
    })
}

fn read_extents(items: Vec<ExtentItem>) -> Result<Vec<Extent>, DocumentWrong> {
    let read = |item: ExtentItem| {
        let sha256 = from_text(&item.sha256).ok_or(DocumentWrong::Field("sha256"))?;
        Ok(Extent { bytes: item.bytes, sha256 })
    };
    items.into_iter().map(read).collect()
}

/// Only the one way in which times are written, so that two documents never mean the same.
fn read_time(text: &str) -> Result<WallTime, DocumentWrong> {
    let at = WallTime::parse(text).ok_or(DocumentWrong::Field("at"))?;
    if at.rfc3339() == text { Ok(at) } else { Err(DocumentWrong::Field("at")) }
}

/// Marks of redactions as they are written down before they are carried out.
pub fn marks_to_json(marks: &[Redaction]) -> Vec<u8> {
    let items: Vec<_> = marks.iter().map(RedactionItem::from).collect();
    serde_json::to_vec(&items).expect("marks hold only texts and numbers")
}

/// Reads what `marks_to_json` wrote.
pub fn marks_from_json(bytes: &[u8]) -> Result<Vec<Redaction>, DocumentWrong> {
    serde_json::from_slice::<Vec<RedactionItem>>(bytes)?.into_iter().map(read_redaction).collect()
}
