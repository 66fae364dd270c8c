//! Clients that speak the public wire as people's programs do: a source, speakers, listeners. They share
//! nothing with the server but the codecs and containers everybody has.

pub mod attack;
pub mod crowd;
mod fragments;
pub mod hls;
mod link;
pub mod listener;
pub mod loss;
pub mod rehearse;
pub mod relay;
pub mod replay;
pub mod source;
pub mod speaker;
mod whip;
