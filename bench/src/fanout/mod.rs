//! The same bytes to many sockets: what a server takes for it, beside a bare loop that does nothing else.

/// A loop that only sends.
pub mod bare;
/// Many listeners who discard what they hear.
pub mod ears;
/// The same by TLS.
pub mod secure;
