//! 3. A source's bytes become its sound: containers, titles, decoding.

mod buffer;
pub mod comment;
pub mod frames;
/// The head of a request that brings a live source.
pub mod head;
mod hint;
pub mod icecast;
pub mod metadata;
pub mod ogg;
mod outcome;
mod pcm;
mod sniff;
mod sound;
mod source;
pub mod speaker;
mod tag;
mod title;
mod track;
/// The hold sound's file.
pub mod wav;
/// WHIP: offers and fragments of browsers and encoders.
pub mod whip;

pub use hint::Hint;
pub use outcome::{Codec, Error, Format, Lost, RATE_HZ_MAX, RATE_HZ_MIN};
pub use pcm::Pcm;
pub use sniff::SNIFF_BYTES_MAX;
pub use source::{IDLE_S_MAX, Input, Source, Why};
pub use title::{TITLE_BYTES_MAX, Title, clean};
pub use track::Output;
