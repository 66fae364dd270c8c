//! 1. Who may come in: for now, from where somebody comes.

/// From where somebody comes, and how they reached us, when proxies stand in between.
pub mod address;
