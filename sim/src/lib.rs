//! A small seeded world around the real rules: sources, listeners and a killed process, in virtual time.
//!
//! `cargo run -p tribune-sim -- room 0xSEED` tells and replays one evening. Nothing here decides anything
//! about sound or parts; that is core, called as the server calls it.

/// Where all chance comes from.
pub mod dice;
/// A simulated crowd at the real door.
pub mod door;
/// A whole evening with millions, on many nodes.
pub mod evening;
/// What happened, as data.
pub mod history;
/// The real rules, wired as a node wires them.
pub mod node;
/// What must hold.
pub mod oracle;
/// A simulated disk with the recording's log on it.
pub mod recorder;
/// A simulated sender.
pub mod source;
/// A seed, told in advance.
pub mod story;
/// The world: time goes on, things happen.
pub mod world;

#[cfg(test)]
mod tests;

/// A fault planted in the wiring of the world, never in core, to see that the oracles find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// None.
    Nothing,
    /// A late clock makes up for one frame too many.
    FrameTwice,
    /// A part now and then never reaches the recorder.
    PartLost,
    /// A part of the hold sound is recorded as conversation.
    HoldAsConversation,
    /// A listener that was skipped ahead is not told.
    SkipUntold,
    /// A listener gets the page of the part before.
    OldPage,
    /// After a restart the numbers go on where they were.
    NumbersReused,
    /// Sound of a source that comes back is thrown away.
    Deaf,
}

/// Reads a seed: hexadecimal after `0x`, else decimal.
pub fn parse_seed(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}
