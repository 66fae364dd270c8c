//! The folder of one recording: which files there are, and the small one that says what it is a recording of.

use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};
use tribune_core::program::Rendition;
use tribune_core::program::mp4::Track;
use tribune_core::program::seal::{Genesis, from_text, to_text};

use super::OpenError;

/// The files of a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stored {
    /// What is recorded: room, key, program.
    Genesis,
    /// The Ogg pages, one a part, numbered from 0.
    Pages,
    /// The CMAF chunks, one a part, numbered from 0.
    Chunks,
    /// Where the units lie in the chunks, for the M4A's index; made from them.
    Runs,
    /// The seal as it grew.
    Log,
    /// What goes before the pages in `replay.opus`.
    OpusHead,
    /// What goes after them.
    OpusTail,
    /// What goes before the chunks in `replay.m4a`.
    M4aHead,
    /// What goes before the chunks in `replay.mp4`.
    Init,
    /// `replay.m3u8`
    Playlist,
    /// The seal's document; when it is there, the replay is complete.
    Seal,
    /// Marks of redactions, written before a byte is overwritten.
    Redactions,
    /// The recording was deleted, or is being deleted.
    Tombstone,
}

impl Stored {
    /// All but the tombstone.
    pub const CONTENT: [Self; 12] = [
        Self::Genesis,
        Self::Pages,
        Self::Chunks,
        Self::Runs,
        Self::Log,
        Self::OpusHead,
        Self::OpusTail,
        Self::M4aHead,
        Self::Init,
        Self::Playlist,
        Self::Seal,
        Self::Redactions,
    ];

    /// Its file's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Genesis => "recording.json",
            Self::Pages => "pages.ogg",
            Self::Chunks => "chunks.cmaf",
            Self::Runs => "chunks.runs",
            Self::Log => "seal.log",
            Self::OpusHead => "opus.head",
            Self::OpusTail => "opus.tail",
            Self::M4aHead => "m4a.head",
            Self::Init => "init.mp4",
            Self::Playlist => "replay.m3u8",
            Self::Seal => "seal.json",
            Self::Redactions => "redactions.json",
            Self::Tombstone => "deleted",
        }
    }

    /// Its path in the recording's folder.
    pub fn path(self, folder: &Path) -> PathBuf {
        folder.join(self.name())
    }
}

/// What is recorded and sealed.
#[derive(Clone, Debug)]
pub struct Opening {
    /// The room's name.
    pub room: String,
    /// Its title now.
    pub title: String,
    /// 16 random bytes; those of a recording that is already there stay.
    pub id: [u8; 16],
    /// The node's key.
    pub key: SigningKey,
    /// The Opus rendition to record.
    pub opus: Recorded,
    /// The AAC rendition to record.
    pub aac: Recorded,
}

/// A rendition to record.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Its place in `Part::tracks`.
    pub index: usize,
    /// What it is.
    pub track: Track,
}

/// `recording.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    version: u32,
    room: String,
    title: String,
    id: String,
    key: String,
    opus: Rendition,
    aac: Rendition,
    aac_config: String,
}

const VERSION: u32 = 1;

impl Identity {
    /// Of a recording that begins.
    pub fn new(opening: &Opening) -> Self {
        Self {
            version: VERSION,
            room: opening.room.clone(),
            title: opening.title.clone(),
            id: to_text(&opening.id),
            key: to_text(&opening.key.verifying_key().to_bytes()),
            opus: opening.opus.track.rendition.clone(),
            aac: opening.aac.track.rendition.clone(),
            aac_config: opening.aac.track.config.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }

    /// The bytes of the file.
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("texts and numbers")
    }

    /// Reads the file of a recording that is there.
    pub fn read(folder: &Path) -> Result<Self, OpenError> {
        let path = Stored::Genesis.path(folder);
        let bytes = std::fs::read(&path).map_err(|error| OpenError::io(&path, error))?;
        let damaged = |what: String| OpenError::Damaged { path: path.clone(), what };
        let identity: Self = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if identity.version != VERSION {
            return Err(damaged(format!("it has version {}, not {VERSION}", identity.version)));
        }
        if identity.genesis().is_none() || identity.aac_track().is_none() {
            return Err(damaged("its id, key or configuration is not valid".into()));
        }
        Ok(identity)
    }

    /// What the chain is bound to.
    pub fn genesis(&self) -> Option<Genesis> {
        Some(Genesis {
            room: self.room.clone(),
            title: self.title.clone(),
            id: from_text(&self.id)?,
            key: from_text(&self.key)?,
            opus: self.opus.clone(),
            aac: self.aac.clone(),
        })
    }

    /// As if to go on with it, for work on a closed recording; no parts are taken then.
    pub fn opening(&self, key: &SigningKey) -> Option<Opening> {
        let genesis = self.genesis()?;
        let opus = Track { rendition: genesis.opus, config: Vec::new() };
        Some(Opening {
            room: genesis.room,
            title: genesis.title,
            id: genesis.id,
            key: key.clone(),
            opus: Recorded { index: 0, track: opus },
            aac: Recorded { index: 1, track: self.aac_track()? },
        })
    }

    /// The AAC track as the index needs it.
    pub fn aac_track(&self) -> Option<Track> {
        let digits = self.aac_config.as_bytes();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
        let config = digits.chunks(2).map(byte).collect::<Option<Vec<u8>>>()?;
        Some(Track { rendition: self.aac.clone(), config })
    }
}
