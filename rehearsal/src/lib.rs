//! Clients that speak the public wire as people's programs do: a source, listeners. They share nothing with
//! the server but the codecs and containers everybody has.

pub mod hls;
pub mod listener;
pub mod source;
