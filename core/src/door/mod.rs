//! 1. Who may come in, in what order, how many: from where somebody comes, the ticket, the draw, the line,
//! the seats.
//!
//! Nothing is kept of those who wait but a bit for each ticket and a counter for each second: a ticket's
//! place is computed from what its holder has and what is published. `docs/draw.md` says how.

mod mac;
mod players;

/// From where somebody comes, and how they reached us, when proxies stand in between.
pub mod address;

/// A place in the line, kept by the visitor.
pub mod ticket;

/// The right to a seat.
pub mod pass;

/// How many tickets were issued in each second.
pub mod arrivals;

/// The root over a list of tickets.
pub mod merkle;

/// Who is on the list, and when it closes for the draw.
pub mod entries;

/// A shuffle without a table.
pub mod permutation;

/// The order of the line.
pub mod draw;

/// One bit for each ticket.
pub mod spent;

/// Who has a seat.
pub mod seats;

/// The published number, and what moves it.
pub mod line;

/// How long somebody will wait.
pub mod eta;

/// When somebody asks again.
pub mod poll;

/// What everybody is told about the door.
pub mod snapshot;

/// How many listeners the node carries.
pub mod capacity;

/// What is given up before anybody is refused.
pub mod ladder;

/// What the delayed tier may take.
pub mod late;

/// Several rooms on one node's seats.
pub mod shares;

/// Who is asked to come again when more come than can be answered.
pub mod overload;

/// One room's door, of all of these.
pub mod doorkeeper;

pub use doorkeeper::Doorkeeper;
pub use mac::{EARLIER_KEYS_MAX, Earlier, KeyRing};
pub use players::Players;
pub use snapshot::Snapshot;
