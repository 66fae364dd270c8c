//! What the benchmarks share: a node of their own, and a source with a clock of its own.
//!
//! Everything speaks the public wire over loopback. Benchmarks may wait by the clock; tests may not.

pub mod node;
pub mod source;
