//! 6. One listener's place in the program, live or in a replay.
