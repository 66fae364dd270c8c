//! Labelled cases played over real sockets against a running node, and its verdict held against the labels.
//!
//! `tribune_rehearsal::replay` plays; here is a node of its own for each case, whoever reads its verdict
//! meanwhile, and the score. What another server did wrong in a case is done to the node too: where the case
//! answers its visitors with errors, the node's disk takes nothing for as long, so no ticket is given out.
//! And real programs that attack are cases too, with people who come all the while.

mod case;
mod disk;
mod made;
mod run;
mod score;
mod tool;
mod truth;
mod watch;

pub use case::{Case, Expected};
pub use run::run;
pub use tool::Attack;
