//! 4. Sounds of one instant become one frame of the program.

mod frame;

pub use frame::{Frame, InletId, Kind};
