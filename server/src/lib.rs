//! A tribune node: sockets, files, tasks and clocks around the rules in `tribune-core`.

/// The only clock and the only entropy of the process.
pub mod world;

/// Ending well.
pub mod shutdown;

/// Sockets in, HTTP out.
pub mod net;

/// How the node is seen from outside: health, metrics, logs.
pub mod ops;

/// What a node is told before it starts.
pub mod config;

/// The node's own secrets.
pub mod keys;

/// What a restart needs.
pub mod store;

/// A room's events, told to whoever asked.
pub mod webhook;

/// One open room's program.
pub mod program;

/// All rooms of this node.
pub mod rooms;

/// Rooms by key, over HTTP.
pub mod api;

/// Every part, built once and in order.
pub mod run;
