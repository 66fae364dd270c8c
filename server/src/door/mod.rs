//! 1. Who may come in: tickets, their places, seats, and who has one.

pub mod audience;
mod desk;
mod log;
mod plan;
mod said;

pub use audience::{Audience, Counts, HandedOut, Seat};
pub use desk::{Begin, Desk, Sitting};
pub use log::Scribe;
pub use said::{Claimed, Drawn, Held, Stands};
