//! 3. A source's bytes become its sound: containers, titles, decoding.

/// The head of a request that brings a live source.
pub mod head;
mod pcm;

pub use pcm::Pcm;
