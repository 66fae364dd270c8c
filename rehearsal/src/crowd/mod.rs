//! A crowd: many people at the door at once, and many who listen already.
//!
//! Arrivals are an open loop: who is due comes, whatever became of those before, and waits from the moment
//! they were due (Schroeder, Wierman, Harchol-Balter: "Open Versus Closed", NSDI 2006). Everybody has an
//! address of their own below 127.0.0.0/8, and only a node there is visited.

mod arrivals;
pub(crate) mod chunks;
mod listeners;
pub(crate) mod pages;
pub(crate) mod sockets;

pub use arrivals::{ARRIVALS, Ask, Came, Crowd, MORE_ARRIVALS, Second};
pub use listeners::{Heard, Listeners};
