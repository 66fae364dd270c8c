//! The report of an evening: what the guard said second by second, kept so that nobody can change it
//! afterwards, and what follows from it.
//!
//! Each second in which anything happened is one line of a ledger; every line names the hash of the one
//! before, and every status of a room names the newest. So whoever kept a status holds everything up to it.
//! A report is computed from the lines of an evening alone, and a program of its own computes it again.

mod chain;
mod document;
mod evening;
mod find;
mod line;
mod page;
mod sentences;
mod step;

pub use chain::{Chain, Head, hash, whole_lines};
pub use document::{Bundle, Document};
pub use evening::Evening;
pub use find::{EVENING_LINES_MAX, Finder};
pub use line::{AuditKey, Broken, Done, Happening, LINE_BYTES_MAX, Line, RoomSaid, pseudonym};

/// The program that checks a bundle: Python 3 and nothing beside it.
pub const VERIFY: &str = include_str!("verify.py");

#[cfg(test)]
mod tests;
