//! What a connection holds for as long as it is open, whoever serves it.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::Shared;
use super::requests::Near;
use super::watched::Watched;

/// A connection's place among the listener's, and its share of the count of open ones.
pub(super) struct Held {
    open: Gauge,
    _room: OwnedSemaphorePermit,
}

impl Held {
    /// It is open from now on.
    pub(super) fn new(room: OwnedSemaphorePermit, open: Gauge) -> Self {
        open.inc();
        Self { open, _room: room }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.open.dec();
    }
}

/// A connection that another serves than its listener: until this is dropped it counts as the listener's,
/// which waits for it when it ends.
pub(crate) struct Lease {
    shared: Arc<Shared>,
    near: Near,
    _watched: Watched,
    _held: Held,
    _awaited: TaskTrackerToken,
}

impl Lease {
    pub(super) fn new(shared: &Arc<Shared>, near: Near, (watched, held): (Watched, Held)) -> Self {
        let awaited = shared.connections.token();
        Self { shared: shared.clone(), near, _watched: watched, _held: held, _awaited: awaited }
    }

    /// How long it may take nothing, or too little.
    pub(crate) fn stall_max(&self) -> Duration {
        self.shared.spec.limits.stall()
    }

    /// Who is at its other end broke the rules.
    pub(crate) fn breaks_rules(&self) {
        (self.shared.broke_rules(self.near))();
    }
}
