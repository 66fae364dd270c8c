//! 5. Frames become parts, segments, playlists and the sealed recording.
//!
//! A part is cut once and shared by every output: the same packets lie in the Ogg page, the fragmented MP4 chunk, the recording
//! and the seal. Sound is the first kind of track; nothing here assumes that it is the only one.

mod part;

/// Passages lawfully taken out of a recording.
pub mod redact;
/// The chain over the recording, signed as it goes.
pub mod seal;
/// Is a recording complete and unedited?
pub mod verify;
/// Ogg Opus pages.
pub mod ogg;

pub use part::{Codec, Joint, Media, Part, PartNo, Rendition, TrackPart, Units};
pub use part::{PART_MS, PART_SAMPLES, SEGMENT_PARTS};
