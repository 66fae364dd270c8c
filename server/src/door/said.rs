//! What the desk is shown, and what it says.

use std::time::Duration;

use tribune_core::door::doorkeeper::Place;

/// A ticket as its holder has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The ticket, sealed.
    pub ticket: String,
    /// What claiming takes.
    pub secret: String,
}

/// Whether somebody was given a ticket or has it still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drawn {
    /// Now.
    Fresh,
    /// Before.
    Again,
}

/// Where a ticket stands, and when to ask again.
#[derive(Clone, Copy, Debug)]
pub struct Stands {
    /// The place.
    pub place: Place,
    /// Ask again after this.
    pub again: Duration,
}

/// What came of a claim.
#[derive(Clone, Debug)]
pub enum Claimed {
    /// A pass.
    Pass(String),
    /// Not called yet.
    NotYet(Stands),
    /// Called, and every seat is taken at this moment.
    Full(Stands),
    /// The room is over.
    Ended,
}
