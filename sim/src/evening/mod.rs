//! A whole evening in virtual time: everybody who comes, waits, hears, loses the connection and leaves, on as
//! many nodes as there are, by the production rules. A scenario says who comes and when; what a node costs is
//! taken from measurements that the scenario names.
//!
//! Tickets, draws, claims, joins and departures happen one by one. What is reckoned together is said in
//! [`ASSUMED`].

/// What people do until they have a seat.
mod acts;
/// What breaks.
mod breaks;
/// Who comes when, and what they are like.
pub mod crowd;
/// What the guard of one node sees, of some of its visitors.
mod guarded;
/// What they do then.
mod hearing;
/// A node: its processor, its seats, its ladder.
mod machine;
/// What came of it.
pub mod outcome;
/// The same as a page.
pub mod page;
/// What an evening will take.
pub mod plan;
/// The program meanwhile.
mod program;
/// A scenario's file.
pub mod scenario;
/// What happens when.
mod wheel;
/// Time goes on.
mod world;

#[cfg(test)]
mod tests;

pub use outcome::Outcome;
pub use scenario::Scenario;

/// What every simulated evening takes for granted, besides what its scenario does.
pub const ASSUMED: [&str; 8] = [
    "All nodes have one line: one doorkeeper calls, and each node lets in no more than it carries. \
     The present version of tribune has a room on one node; with more than one this is to be the rule.",
    "Somebody who is called asks within the time they were told to ask again in when they were next in line; \
     the requests by which those who wait ask are counted by a sample.",
    "A listener tells that they hear when they begin, when their connection breaks and when they leave, and \
     not with every part between.",
    "A node answers in the order in which it is asked, after it has sent what is due to its listeners; the \
     network loses nothing.",
    "The guard is that of one node, over an even sample of its visitors' addresses.",
    "Whoever comes has the page, which takes a ticket by itself; nobody comes with a player of their own.",
    "Nodes that are not named by a fault run without one, and the host speaks at the announced time.",
    "Costs grow with the number of listeners as they were measured, and with processors in proportion.",
];

/// Lives one evening; `told` is told how far it is, from 0 to 1, and says whether to go on.
pub fn live(scenario: &Scenario, seed: u64, told: &mut dyn FnMut(f64) -> bool) -> Outcome {
    world::World::new(scenario, seed).run(told)
}
