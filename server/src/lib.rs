//! A tribune node: sockets, files, tasks and clocks around the rules in `tribune-core`.

/// The only clock and the only entropy of the process.
pub mod world;

/// Ending well.
pub mod shutdown;

/// Sockets in, HTTP out.
pub mod net;

/// How the node is seen from outside: health, metrics, logs.
pub mod ops;
