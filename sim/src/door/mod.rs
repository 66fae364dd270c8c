//! A simulated crowd at the real door: people who come, wait, sleep, give up, listen and go; a network that
//! loses and doubles; a clock that is set; a process that is killed. In virtual time, with the production
//! rules.
//!
//! `cargo run --release -p tribune-sim -- door 0xSEED` lives one evening and prints what came of it.

/// The real door, wired as a node wires it, with its disk.
pub mod node;
/// What is watched, and what must hold.
pub mod oracle;
/// Somebody who wants in.
pub mod person;
/// A seed, told in advance.
pub mod story;
/// The world: time goes on, people ask.
pub mod world;

#[cfg(test)]
mod tests;

pub use oracle::Outcome;
pub use story::Story;

/// A fault planted in the wiring of the world, never in core, to see that the oracles find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// None.
    Nothing,
    /// One seat more than the cap is given out.
    CapPlusOne,
    /// Tickets of a stretch of ranks are never told that they are called.
    LostCohort,
    /// Low serials get better ranks in the draw.
    FavouredDraw,
    /// The published number goes back once.
    StepBack,
    /// After a restart serials are given out a second time.
    SerialsReused,
    /// Ranks are told before the second is over, and change.
    RankTooEarly,
    /// Somebody who comes late is told that they are not called.
    LateComerForgotten,
    /// Somebody who is not called gets a seat.
    QueueJumper,
    /// Somebody is counted twice.
    BookedTwice,
    /// The door looks at the clock every two minutes only.
    SleepyClock,
    /// Seats of some who left are kept for ever.
    LeakedSeat,
    /// The ranges told are half as wide as they should be.
    NarrowRange,
}

/// Lives one evening.
pub fn live(story: Story, planted: Planted) -> Outcome {
    world::World::new(story, planted).run()
}
