//! A tribune node: sockets, files, tasks and clocks around the rules in `tribune-core`, in the order of the
//! data path.

/// The only clock and the only entropy of the process.
pub mod world;

/// Ending well.
pub mod shutdown;

/// What a node is told before it starts.
pub mod config;

/// The node's own secrets.
pub mod keys;

/// Builds every part once, in order, and takes it down in reverse.
pub mod run;

/// What the listeners share.
pub mod node;

/// Answers of every listener, refusals first.
pub mod answer;

/// Sockets in, HTTP out.
pub mod net;

/// 1. Who may come in.
pub mod door;

/// 2. Who is who: all rooms of this node.
pub mod rooms;

/// The rooms' API.
pub mod api;

/// What a restart needs of the rooms.
pub mod store;

/// A room's events, told to whoever asked.
pub mod webhook;

/// 3. Live sources.
pub mod ingest;

/// 4. and 5. The clock: mix, parts.
pub mod program;

/// 5. The sealed recording on disk.
pub mod recording;

/// 6. Everything the audience is served.
pub mod egress;

/// The listener's page.
pub mod page;

/// How the node is seen from outside: health, metrics, logs.
pub mod ops;
