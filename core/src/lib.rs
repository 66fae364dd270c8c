//! The rules of tribune, in the order of the data path: how a voice gets from a speaker to everybody who
//! listens.
//!
//! Nothing here opens a socket or a file, starts a task, reads a clock or draws a random number; time and
//! entropy come in as arguments. A module may use the ones above it, never the ones below; `tidy` checks the
//! arrows.

/// Three kinds of time that never mix.
pub mod time;

/// What was sealed with a key of ours is known again.
pub mod hmac;

/// Every refusal and departure, one row each.
pub mod reason;

/// The double-entry counts of people.
pub mod books;

/// 1. Who may come in.
pub mod door;

/// 1b. Crowd or attack.
pub mod guard;

/// 2. Who is who: names, keys, roles, the life of a room.
pub mod room;

/// 2b. What everybody is told about a room: signed, chained, the same bytes for all.
pub mod status;

/// The only modules that know a codec's library.
pub mod codec;

/// 3. A source's bytes become its sound: containers, titles, decoding.
pub mod ingest;

/// 4. Sounds of one instant become one frame of the program.
pub mod mix;

/// 5. Frames become parts, segments, playlists and the sealed recording.
pub mod program;

/// 6. One listener's place in the program, live or in a replay.
pub mod egress;
