//! Clients that speak the public wire as people's programs do: a source, a listener. They share nothing with
//! the server but the codecs and containers everybody has.

pub mod listener;
pub mod source;
