//! What the benchmarks share: a node of their own, an Icecast to compare it with, and sources and listeners
//! with clocks of their own.
//!
//! Everything speaks the public wire over loopback. Benchmarks may wait by the clock; tests may not.

pub mod beeps;
pub mod beside;
pub mod chirps;
pub mod cost;
pub mod evening;
pub mod fanout;
pub mod handshakes;
pub mod icecast;
pub mod idle;
pub mod janus;
pub mod labelled;
pub mod nginx;
pub mod node;
pub mod replayed;
pub mod road;
pub mod source;
pub mod wav;
