//! 6. One listener's place in the program, live or in a replay.

/// Which bytes of a replay a request gets.
pub mod range;
/// A replay as a file laid over what was recorded.
pub mod replay;
