//! 6. One listener's place in the program, live or in a replay.

mod icy;
mod window;

pub use icy::{Icy, METAINT_BYTES};
pub use window::{Cursor, Step, WINDOW_PARTS_MAX, Window};
