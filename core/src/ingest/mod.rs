//! 3. A source's bytes become its sound: containers, titles, decoding.

mod buffer;
pub mod comment;
mod hint;
pub mod icecast;
pub mod metadata;
pub mod ogg;
mod outcome;
mod pcm;
mod title;

pub use hint::Hint;
pub use outcome::{Codec, Error, Format, Lost, RATE_HZ_MAX, RATE_HZ_MIN};
pub use pcm::Pcm;
pub use title::{TITLE_BYTES_MAX, Title, clean};
