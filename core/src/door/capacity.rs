//! How many listeners this node carries, and why: measured costs give a cap, quality in service corrects it,
//! and the host's word stands above both.
//!
//! The correction is additive up and multiplicative down: +2 % every 5 s, only while people want in, quality
//! holds and more than half of the seats are in use (otherwise nothing is known about the rest); ×0.9 on a
//! breach.

use std::time::Duration;

use super::snapshot::CapSaid;
use crate::time::Time;

#[cfg(test)]
mod tests;

/// Of a resource, so much is used; the rest is for what was not measured.
const SHARE_USED_MAX: f64 = 0.75;
/// Descriptors that are kept for everything but listeners.
pub const DESCRIPTORS_KEPT: f64 = 512.0;
/// How often quality is looked at, in seconds.
pub const LOOK_S: u64 = 5;
const GROWS_BY: f64 = 1.02;
const SHRINKS_BY: f64 = 0.9;
/// The measured cap may be corrected up to this many times itself.
const GROWTH_MAX: f64 = 1.5;
/// Quality holds while 99 of 100 parts are sent within this of their time, in milliseconds.
pub const SEND_LATE_P99_MS_MAX: f64 = 100.0;
/// Quality holds while no more than this share of parts comes too late to be played.
pub const LATE_PARTS_SHARE_MAX: f64 = 0.001;

/// What a listener costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// Milliseconds of processor a second.
    Processor,
    /// Bytes of memory.
    Memory,
    /// Bytes sent a second.
    Egress,
    /// Packets sent a second.
    Packets,
    /// File descriptors.
    Descriptors,
}

impl Resource {
    /// Its name at the beginning of a sentence.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Processor => "Processor",
            Self::Memory => "Memory",
            Self::Egress => "Network",
            Self::Packets => "Packets",
            Self::Descriptors => "File descriptors",
        }
    }

    fn listeners(self, cost: &Cost) -> f64 {
        let left = match self {
            Self::Descriptors => cost.capacity - cost.idle - DESCRIPTORS_KEPT,
            Self::Processor | Self::Memory | Self::Egress | Self::Packets => {
                cost.capacity * SHARE_USED_MAX - cost.idle
            }
        };
        (left / cost.each.max(f64::MIN_POSITIVE)).max(0.0)
    }

    fn why(self, cost: &Cost) -> String {
        let (word, each) = (self.word(), cost.each);
        match self {
            Self::Processor => {
                let cores = cost.capacity / 1_000.0;
                format!("{word}: {each:.3} ms a second for each listener; 75 % of {cores:.0} cores.")
            }
            Self::Memory => {
                let (kb, mb) = (each / 1e3, cost.capacity / 1e6);
                format!("{word}: {kb:.1} kB for each listener; 75 % of {mb:.0} MB.")
            }
            Self::Egress => {
                let (kbit, mbit) = (each * 8.0 / 1e3, cost.capacity * 8.0 / 1e6);
                format!("{word}: {kbit:.1} kbit/s for each listener; 75 % of {mbit:.0} Mbit/s.")
            }
            Self::Packets => {
                let most = cost.capacity;
                format!("{word}: {each:.1} a second for each listener; 75 % of {most:.0} a second.")
            }
            Self::Descriptors => {
                let most = cost.capacity;
                format!("{word}: {each:.0} for each listener; {most:.0} less 512 kept for the rest.")
            }
        }
    }
}

/// What was measured of a resource, in its own unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Which.
    pub resource: Resource,
    /// What there is of it.
    pub capacity: f64,
    /// What is used without listeners.
    pub idle: f64,
    /// What one listener adds.
    pub each: f64,
}

/// A cap that follows from measurements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auto {
    /// Seats.
    pub seats: u64,
    /// What there is least of; `None` when nothing was measured.
    pub binds: Option<Resource>,
    /// The reason, as a sentence.
    pub why: String,
}

/// The cap that measured costs allow: that of the resource that binds. Without any, nobody.
pub fn from_costs(costs: &[Cost]) -> Auto {
    let least = costs
        .iter()
        .map(|cost| (cost.resource.listeners(cost), cost))
        .min_by(|(one, _), (other, _)| one.total_cmp(other));
    match least {
        Some((seats, cost)) => {
            Auto { seats: seats as u64, binds: Some(cost.resource), why: cost.resource.why(cost) }
        }
        None => Auto { seats: 0, binds: None, why: "Nothing was measured.".into() },
    }
}

/// What the host wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// As many as there can be.
    None,
    /// No more than so many, and never more than there can be.
    AtMost(u64),
    /// So many, whatever was measured: logged, and shown as such.
    Override(u64),
}

/// The cap with the host's wish, and its reason.
pub fn with_wish(auto: &Auto, wish: Wish) -> CapSaid {
    match wish {
        Wish::AtMost(seats) if seats <= auto.seats => CapSaid { seats, why: "Set by the host.".into() },
        Wish::Override(seats) if seats > auto.seats => {
            let measured = auto.seats;
            let why = format!("Set by the host, above the {measured} that were measured. {}", auto.why);
            CapSaid { seats, why }
        }
        Wish::Override(seats) => CapSaid { seats, why: "Set by the host.".into() },
        Wish::None | Wish::AtMost(_) => CapSaid { seats: auto.seats, why: auto.why.clone() },
    }
}

/// What was seen of the service lately.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Service {
    /// 99 of 100 parts were sent within this of their time, in milliseconds.
    pub send_late_p99_ms: f64,
    /// The share of parts that came too late to be played.
    pub late_parts_share: f64,
    /// Seats taken.
    pub taken: u64,
    /// People who want in.
    pub waiting: u64,
}

impl Service {
    fn holds(&self) -> bool {
        self.send_late_p99_ms <= SEND_LATE_P99_MS_MAX && self.late_parts_share <= LATE_PARTS_SHARE_MAX
    }
}

/// The measured cap, corrected in service.
#[derive(Clone, Debug)]
pub struct Live {
    measured: Auto,
    seats: f64,
    looked_at: Time,
}

impl Live {
    /// Begins with what the self-test measured.
    pub fn new(now: Time, measured: Auto) -> Self {
        Self { seats: measured.seats as f64, measured, looked_at: now }
    }

    /// Looks at the service, if it is time to; quality that was breached counts at the next look.
    pub fn look(&mut self, now: Time, service: Service) {
        if now.since(self.looked_at) < Duration::from_secs(LOOK_S) {
            return;
        }
        self.looked_at = now;
        if !service.holds() {
            // What is inside now is what was too much, whatever the cap says.
            self.seats = self.seats.min(service.taken.max(1) as f64) * SHRINKS_BY;
        } else if service.waiting > 0 && service.taken as f64 > self.seats / 2.0 {
            let most = self.measured.seats as f64 * GROWTH_MAX;
            self.seats = (self.seats * GROWS_BY).max(self.seats + 1.0).min(most.max(self.seats));
        }
    }

    /// The cap now.
    pub fn auto(&self) -> Auto {
        let seats = self.seats as u64;
        let Auto { binds, why, seats: measured } = self.measured.clone();
        if seats == measured {
            return Auto { seats, binds, why };
        }
        let change = if seats < measured { "Lowered" } else { "Raised" };
        Auto {
            seats,
            binds,
            why: format!("{change} from {measured} by how punctually parts are sent. {why}"),
        }
    }
}
