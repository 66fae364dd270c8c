//! What one listener costs, and what follows from it on a machine.

use serde::{Deserialize, Serialize};
use tribune_core::door::capacity::{Measured, Resource, TIERS};

use crate::capacity::machine::{self, Memory};

/// How listeners come: with TLS each of their bytes is sealed for them alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// In the clear.
    Clear,
    /// By TLS.
    Tls,
}

/// What one listener costs, by how they are served.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// How they came.
    pub by: Channel,
    /// Listeners in the test.
    pub listeners: u64,
    /// Milliseconds of processor a second.
    pub processor_ms: [f64; TIERS],
    /// Bytes of this process.
    pub process_bytes: f64,
    /// Bytes of the kernel.
    pub kernel_bytes: f64,
    /// Bytes a second on the wire.
    pub egress_bytes: [f64; TIERS],
    /// Packets a second on the wire.
    pub packets: [f64; TIERS],
    /// Milliseconds of processor a second for one listener of the delayed tier.
    pub late_processor_ms: f64,
    /// Bytes a second on the wire for the same.
    pub late_egress_bytes: f64,
}

impl Costs {
    /// With what this machine has: everything the cap follows from but descriptors. What is not known of the
    /// machine is left out, and so binds nothing. `memory` is as it was before the test: what is set aside
    /// since, listeners will use.
    pub fn on(&self, egress_mbit: Option<u64>, memory: Option<Memory>) -> Vec<Measured> {
        let processor = Measured {
            resource: Resource::Processor,
            capacity: machine::cores() * 1e3,
            idle: 0.0,
            each: self.processor_ms,
            late: self.late_processor_ms,
        };
        let memory = memory.map(|Memory { most, available }| Measured {
            resource: Resource::Memory,
            capacity: most as f64,
            idle: (most - available) as f64,
            each: [self.process_bytes + self.kernel_bytes; TIERS],
            late: self.late_bytes(),
        });
        let egress = egress_mbit.map(|mbit| Measured {
            resource: Resource::Egress,
            capacity: mbit as f64 * 1e6 / 8.0,
            idle: 0.0,
            each: self.egress_bytes,
            late: self.late_egress_bytes,
        });
        [Some(processor), memory, egress].into_iter().flatten().collect()
    }
}
