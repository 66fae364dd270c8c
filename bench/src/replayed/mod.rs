//! Labelled cases played over real sockets against a running node, and its verdict held against the labels.
//!
//! `tribune_rehearsal::replay` plays; here is a node of its own for each case, whoever reads its verdict
//! meanwhile, and the score. What another server did wrong in a case is done to the node too: where the case
//! answers its visitors with errors, the node's disk takes nothing for as long, so no ticket is given out.

mod case;
mod disk;
mod run;
mod score;
mod truth;
mod watch;

pub use case::{Case, Expected};
pub use run::run;
