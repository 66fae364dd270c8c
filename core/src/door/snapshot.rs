//! What everybody is told about the door: figures of one moment, for the status.

use super::draw::Source;
use super::eta::Rate;
use super::merkle::Hash;
use crate::time::WallTime;

/// The door at one moment. Its default is a room without tickets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// Tickets issued.
    pub tickets: u64,
    /// Tickets with a rank below this are called.
    pub now_serving: u64,
    /// People who hold a ticket and no seat.
    pub waiting: u64,
    /// The share of called tickets with which somebody comes, once measured.
    pub claim_ratio: Option<f64>,
    /// How fast the line moves, once measured.
    pub rate: Option<Rate>,
    /// The share of past ranges that held, once enough were put to the test.
    pub eta_hit_rate: Option<f64>,
    /// The draw, announced or held.
    pub draw: Option<DrawSaid>,
    /// The cap and its reason; without one the host's and the node's limits are said.
    pub cap: Option<CapSaid>,
    /// Which step of the ladder is taken; without one none is.
    pub ladder: Option<LadderSaid>,
}

/// The draw as it is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawSaid {
    /// When it is held, or was: those who came in the seconds before are drawn.
    pub at: WallTime,
    /// Where the lot comes from.
    pub source: Source,
    /// The operator's commitment: SHA-256 of the number that is revealed at the draw.
    pub commitment: Option<Hash>,
    /// What came of it.
    pub held: Option<HeldSaid>,
}

/// A draw that was held, with all that is needed to hold it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldSaid {
    /// Tickets that were drawn.
    pub count: u32,
    /// The root over them.
    pub root: Hash,
    /// The operator's number, or the beacon's randomness.
    pub lot: Vec<u8>,
    /// SHA-256(root ‖ lot).
    pub seed: Hash,
}

/// Most seats, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapSaid {
    /// Seats.
    pub seats: u64,
    /// The reason, as a sentence.
    pub why: String,
    /// What the node was measured to carry in all its rooms; none before it was measured.
    pub measured: Option<u64>,
}

/// A step of the ladder, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LadderSaid {
    /// 0 for none.
    pub step: u8,
    /// The reason, as a sentence.
    pub why: String,
}
