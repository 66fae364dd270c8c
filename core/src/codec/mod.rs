//! The only modules that know a codec's library: one file each, safe on the outside, every byte from outside
//! checked.

/// AAC by Fraunhofer's FDK library.
pub mod aac;
/// MP3 by Symphonia.
pub mod mp3;
/// Opus by libopus.
pub mod opus;
/// Vorbis by Symphonia.
pub mod vorbis;

/// Runs a decoder that others wrote in safe Rust; its panic is an error of the packet, not of this program.
fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).ok()
}
