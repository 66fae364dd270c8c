//! 5. Frames become parts, segments, playlists and the sealed recording.
//!
//! A part is cut once and shared by every output: the same packets lie in the Ogg page, the fragmented MP4
//! chunk, the recording and the seal. Sound is the first kind of track; nothing here assumes that it is the
//! only one.

mod cutter;
mod edition;
mod part;
mod renditions;

/// ADTS frames of AAC.
pub mod adts;
/// Who spoke when, as chapters of the replay.
pub mod chapters;
/// CMAF chunks and the index of an M4A.
pub mod mp4;
/// Ogg Opus pages.
pub mod ogg;
/// HLS playlists.
pub mod playlist;
/// Passages lawfully taken out of a recording.
pub mod redact;
/// Which recordings have to go.
pub mod retention;
/// The chain over the recording, signed as it goes.
pub mod seal;
/// A program without sound or encoders.
pub mod synthetic;
/// Is a recording complete and unedited?
pub mod verify;

pub use cutter::{Cutter, FRAMES_PER_PART, Input};
pub use edition::Edition;
pub use part::{Codec, Joint, Media, Part, PartNo, Rendition, TrackPart, Units};
pub use part::{PART_MS, PART_SAMPLES, SEGMENT_PARTS, first_part};
pub use renditions::{DEFAULT, Error, RENDITIONS_MAX, Renditions, Spec};
