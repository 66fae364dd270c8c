//! 1. Who may come in: from where somebody comes, and how many are here whom no connection shows.

mod players;

/// From where somebody comes, and how they reached us, when proxies stand in between.
pub mod address;

pub use players::Players;
