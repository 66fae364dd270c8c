//! The metrics of what the node carries.

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::lateness::Lateness;
use super::metrics::Count;

/// A gauge of anything but whole things.
pub type Level = Gauge<f64, AtomicU64>;

/// What the node carries, and what it is measured by. Copies are the same.
#[derive(Clone, Debug, Default)]
pub struct CapacityMetrics {
    /// How late parts of the program were handed to the listeners' sockets.
    pub send_late: Lateness,
    /// Seats of the node now.
    pub seats: Gauge,
    /// Seats of the node as they were measured.
    pub seats_measured: Gauge,
    /// Which step of the ladder is taken.
    pub step: Gauge,
    /// The share of the processor that this process uses.
    pub busy: Level,
    /// The share of the processor's time that the host gave to others.
    pub stolen: Level,
    /// Memory that is there for the taking.
    pub memory_available: Gauge,
    /// What one listener was measured to cost, in the resource's own unit.
    pub cost: Family<Cost, Level>,
    /// What there is of each resource, in its own unit.
    pub there_is: Family<Of, Level>,
    /// Listeners, by how they are served.
    pub inside: Family<By, Gauge>,
    /// Bytes a second that the delayed tier may send.
    pub late_allowed: Gauge,
    /// Segments of the delayed tier that were handed out.
    pub late_segments: Count,
}

/// One listener's share of a resource.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Cost {
    /// Of what.
    pub resource: &'static str,
    /// How the listener is served.
    pub tier: &'static str,
}

/// A resource.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct Of {
    /// Which.
    pub resource: &'static str,
}

/// A way to be served.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct By {
    /// Which.
    pub tier: &'static str,
}

impl CapacityMetrics {
    pub(super) fn register(&self, to: &mut Registry) {
        to.register_with_unit(
            "send_lateness",
            "How long after it was cut each part was handed to the socket of a listener who waited for it",
            Unit::Seconds,
            self.send_late.clone(),
        );
        to.register("seats", "Seats of the node", self.seats.clone());
        to.register(
            "seats_measured",
            "Seats of the node as measured; 0: not yet",
            self.seats_measured.clone(),
        );
        to.register("ladder_step", "Which step of the ladder is taken; 0: none", self.step.clone());
        to.register("processor_busy_share", "Share of the processor this process uses", self.busy.clone());
        to.register(
            "processor_stolen_share",
            "Share of the processor's time that the host gave to other machines",
            self.stolen.clone(),
        );
        to.register_with_unit(
            "memory_available",
            "Memory that is there for the taking",
            Unit::Bytes,
            self.memory_available.clone(),
        );
        to.register(
            "listener_cost",
            "What one listener was measured to cost: processor ms/s, memory bytes, network bytes/s",
            self.cost.clone(),
        );
        to.register(
            "resource_capacity",
            "What there is of each resource, in its unit",
            self.there_is.clone(),
        );
        to.register(
            "late_allowed_bytes_per_second",
            "Bytes a second that live listeners leave for the delayed tier",
            self.late_allowed.clone(),
        );
        to.register(
            "late_segments",
            "Segments of the delayed tier that were handed out",
            self.late_segments.clone(),
        );
        to.register("listeners_by_tier", "Listeners, by how they are served", self.inside.clone());
    }
}
