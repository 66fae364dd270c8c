//! 1. Who may come in: seats, and who has one.

pub mod audience;

pub use audience::{Audience, Counts, HandedOut, Seat};
