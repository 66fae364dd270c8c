//! ISO base media files (ISO/IEC 14496-12): the init segment and chunks of CMAF for HLS and Media Source, and
//! the index that turns stored chunks into a plain M4A.
//!
//! In the live chunks all renditions are aligned by their decode times alone: a unit's time is the place of
//! its part, moved by what its codec's priming is short of [`DELAY_SAMPLES`]. A program sample is then
//! presented at its own place plus that delay in every rendition, for players that follow edit lists and for
//! those that do not; see decision 0031.

mod boxes;
mod chunk;
mod index;
mod init;

pub use chunk::{chunk, renumber};
pub use index::Index;
pub use init::init_segment;

use super::part::Rendition;

/// How much later than its place in the program a sample is presented, at 48 kHz: the priming of the codec
/// that has most.
pub const DELAY_SAMPLES: u32 = 1_600;

/// What a file says about a rendition's track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Track {
    /// What it carries.
    pub rendition: Rendition,
    /// The decoder's configuration: an AudioSpecificConfig for AAC; for Opus nothing, its own is written from
    /// the rendition.
    pub config: Vec<u8>,
}

/// Tracks are numbered from 1, in the order of their list.
const fn track_id(index: usize) -> u32 {
    index as u32 + 1
}

#[cfg(test)]
mod tests;
