//! A tribune node: sockets, files, tasks and clocks around the rules in `tribune-core`.

pub mod page;
