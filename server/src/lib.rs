//! A tribune node: sockets, files, tasks and clocks around the rules in `tribune-core`.

/// The recording on disk, its seal and its replay.
pub mod recording;
