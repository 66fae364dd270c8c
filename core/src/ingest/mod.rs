//! 3. A source's bytes become its sound: containers, titles, decoding.

mod pcm;

pub use pcm::Pcm;
