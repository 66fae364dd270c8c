//! 3. A source's bytes become its sound: containers, titles, decoding.

pub mod comment;
mod hint;
pub mod icecast;
pub mod metadata;
mod pcm;
mod title;

pub use hint::Hint;
pub use pcm::Pcm;
pub use title::{TITLE_BYTES_MAX, Title, clean};
