//! 6. One listener's place in the program, live or in a replay.

mod icy;
mod moving;
mod window;

/// The delayed tier.
pub mod late;
/// Which bytes of a replay a request gets.
pub mod range;
/// What a listener's own page shows for having been sent a part.
pub mod receipt;
/// A replay as a file laid over what was recorded.
pub mod replay;

pub use icy::{Icy, METAINT_BYTES};
pub use moving::Moving;
pub use window::{Cursor, Edge, Step, WINDOW_PARTS_MAX, Window};
