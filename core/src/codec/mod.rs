//! The only modules that know a codec's library: one file each, safe on the outside, every byte from outside
//! checked.

/// AAC by Fraunhofer's FDK library.
pub mod aac;
/// Opus by libopus.
pub mod opus;
