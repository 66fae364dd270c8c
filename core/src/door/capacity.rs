//! How many listeners this node carries, and why: measured costs give a cap, quality in service corrects it,
//! and the host's word stands above both.
//!
//! The correction is additive up and multiplicative down: 2 % of the measured seats more every 5 s, only
//! while people want in, quality holds and more than half of the seats are in use (otherwise nothing is known
//! about the rest); ×0.9 on a breach, but never under a tenth of what was measured, since one hiccup with
//! three people inside says nothing about the house. When everybody has left, the measured seats stand again.

use std::time::Duration;

use super::late::Room;
use super::snapshot::CapSaid;
use crate::time::Time;

#[cfg(test)]
mod tests;

/// The delayed tier may take so much more of each resource than live listeners: it can be refused at any
/// moment, and they lose nothing.
const LATE_SHARE: f64 = 0.1;
/// But no more than this with them.
const SHARE_MAX: f64 = 0.95;
/// Descriptors that are kept for everything but listeners.
pub const DESCRIPTORS_KEPT: f64 = 512.0;
/// How often quality is looked at, in seconds.
pub const LOOK_S: u64 = 5;
/// Of the measured seats, so many come at a time.
const GROWS_BY: f64 = 0.02;
/// Sums of hundredths fall short of whole numbers by less than this.
const ROUNDING: f64 = 1e-6;
const SHRINKS_BY: f64 = 0.9;
/// The measured cap may be corrected up to this many times itself.
const GROWTH_MAX: f64 = 1.5;
/// And down to this share of itself.
const SHRUNK_MIN: f64 = 0.1;
/// Quality holds while 99 of 100 parts are sent before the next one is cut, in milliseconds.
pub const SEND_LATE_P99_MS_MAX: f64 = 320.0;
/// A part sent later than this after it was cut is too late for a player that holds little, in milliseconds.
pub const PART_LATE_MS: u64 = 1_000;
/// Quality holds while no more than this share of parts is so late.
pub const LATE_PARTS_SHARE_MAX: f64 = 0.001;

/// How somebody is served; each way costs differently.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Each part as it is cut, in the best bit rate.
    #[default]
    Full,
    /// Each part as it is cut, in the lowest bit rate.
    LowBitRate,
    /// A whole segment at a time, in the best bit rate.
    Segments,
}

/// Ways to be served.
pub const TIERS: usize = 3;

impl Tier {
    /// All of them.
    pub const ALL: [Self; TIERS] = [Self::Full, Self::LowBitRate, Self::Segments];

    /// Stable word for programs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::LowBitRate => "low_bit_rate",
            Self::Segments => "segments",
        }
    }
}

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

    /// Stable word for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Processor => "processor",
            Self::Memory => "memory",
            Self::Egress => "egress",
            Self::Packets => "packets",
            Self::Descriptors => "descriptors",
        }
    }

    /// Whether a listener more than there is of it is no listener at all, however punctual the others'.
    const fn is_hard(self) -> bool {
        match self {
            Self::Memory | Self::Descriptors => true,
            Self::Processor | Self::Egress | Self::Packets => false,
        }
    }

    /// So much of it is used; the rest is for what was not measured. A full house is served in longer runs
    /// than the self-test's, so the processor has more in reserve than it seems (decision 0144).
    const fn share_used_max(self) -> f64 {
        match self {
            Self::Processor | Self::Memory => 0.9,
            Self::Egress | Self::Packets => 0.85,
            Self::Descriptors => 1.0,
        }
    }

    /// What there is for listeners, without those who are inside.
    fn left(self, cost: &Cost) -> f64 {
        let kept = if self == Self::Descriptors { DESCRIPTORS_KEPT } else { 0.0 };
        cost.capacity * self.share_used_max() - cost.idle - kept
    }

    fn listeners(self, cost: &Cost) -> f64 {
        (self.left(cost) / cost.each.max(f64::MIN_POSITIVE)).max(0.0)
    }

    fn why(self, cost: &Cost) -> String {
        let (word, each, percent) = (self.word(), cost.each, 100.0 * self.share_used_max());
        match self {
            Self::Processor => {
                let cores = cost.capacity / 1_000.0;
                let unit = if cores == 1.0 { "core" } else { "cores" };
                format!("{word}: {each:.3} ms a second for each listener; {percent:.0} % of {cores} {unit}.")
            }
            Self::Memory => {
                let (kb, mb) = (each / 1e3, cost.capacity / 1e6);
                format!("{word}: {kb:.1} kB for each listener; {percent:.0} % of {mb:.0} MB.")
            }
            Self::Egress => {
                let (kbit, mbit) = (each * 8.0 / 1e3, cost.capacity * 8.0 / 1e6);
                format!("{word}: {kbit:.1} kbit/s for each listener; {percent:.0} % of {mbit:.0} Mbit/s.")
            }
            Self::Packets => {
                let most = cost.capacity;
                format!("{word}: {each:.1} a second for each listener; {percent:.0} % of {most:.0} a second.")
            }
            Self::Descriptors => {
                let (most, kept) = (cost.capacity, DESCRIPTORS_KEPT + cost.idle);
                format!("{word}: {each:.0} for each listener; {most:.0} less {kept:.0} kept for the rest.")
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

/// What was measured of a resource, for each way to be served.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Which.
    pub resource: Resource,
    /// What there is of it, in its own unit.
    pub capacity: f64,
    /// What is used without listeners.
    pub idle: f64,
    /// What one listener adds, by how they are served.
    pub each: [f64; TIERS],
    /// What one listener of the delayed tier adds; 0 where that is nothing to reckon with.
    pub late: f64,
}

impl Measured {
    fn at(&self, tier: Tier) -> Cost {
        let Self { resource, capacity, idle, each, late: _ } = *self;
        Cost { resource, capacity, idle, each: each[tier as usize] }
    }
}

/// Of what there is, listeners may take so much while it is looked at what is used without them.
const LISTENERS_BESIDE_IDLE_MAX: f64 = 0.1;
/// What is used without listeners follows what is seen by so much a look, in steps of this share of all.
const IDLE_FOLLOWS: f64 = 0.2;
const IDLE_STEP: f64 = 0.01;

/// What is used of a resource without listeners: programs, encoders, the door.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Idle {
    seen: f64,
}

impl Idle {
    /// Looks at what is used with those who are inside; about once a second. Where those take so much that
    /// the rest could not be told from an error in what one of them costs, it stays as it was.
    pub fn look(&mut self, one: &Measured, used: f64, inside: [u64; TIERS]) {
        let theirs: f64 = inside.iter().zip(one.each).map(|(count, each)| *count as f64 * each).sum();
        if theirs <= one.capacity * LISTENERS_BESIDE_IDLE_MAX {
            self.seen += IDLE_FOLLOWS * ((used - theirs).max(0.0) - self.seen);
        }
    }

    /// As it counts: in whole steps, so that the cap does not change with every flicker.
    pub fn of(&self, one: &Measured) -> f64 {
        let step = (one.capacity * IDLE_STEP).max(f64::MIN_POSITIVE);
        (self.seen / step).round() * step
    }
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

/// Seats of a node before it was measured: what any machine carries that can run one.
pub const SEATS_UNMEASURED: u64 = 1_000;

impl Auto {
    /// Before anything was measured.
    pub fn unmeasured() -> Self {
        let why = "The self-test has not measured yet what this node carries.".to_owned();
        Self { seats: SEATS_UNMEASURED, binds: None, why }
    }

    /// No more than somebody says.
    #[must_use]
    pub fn at_most(self, seats: Option<u64>, why: &str) -> Self {
        match seats {
            Some(seats) if seats < self.seats => Self { seats, why: why.to_owned(), ..self },
            Some(_) | None => self,
        }
    }

    fn or_less(self, other: Self) -> Self {
        if other.seats < self.seats { other } else { self }
    }
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

/// The cap when those `inside` are served as they are, and all who come as `tier`.
pub fn cap_at(measured: &[Measured], inside: [u64; TIERS], tier: Tier) -> Auto {
    let people = inside.iter().sum::<u64>() as f64;
    let seats = |one: &Measured| {
        let used: f64 = inside.iter().zip(one.each).map(|(count, each)| *count as f64 * each).sum();
        let cost = one.at(tier);
        (people + (one.resource.left(&cost) - used) / cost.each.max(f64::MIN_POSITIVE)).max(0.0)
    };
    let least = measured
        .iter()
        .map(|one| (seats(one), one.at(tier)))
        .min_by(|(one, _), (other, _)| one.total_cmp(other));
    match least {
        Some((seats, cost)) => {
            Auto { seats: seats as u64, binds: Some(cost.resource), why: cost.resource.why(&cost) }
        }
        None => from_costs(&[]),
    }
}

/// Listeners of the delayed tier that fit in beside those `inside`, who come first.
fn late_room(measured: &[Measured], inside: [u64; TIERS]) -> Room {
    let listeners = |one: &Measured| {
        let used: f64 = inside.iter().zip(one.each).map(|(count, each)| *count as f64 * each).sum();
        let share = (one.resource.share_used_max() + LATE_SHARE).min(SHARE_MAX);
        ((one.capacity * share - one.idle - used) / one.late).max(0.0)
    };
    let counted = measured.iter().filter(|one| one.late > 0.0);
    let rooms = counted.map(|one| Room { listeners: listeners(one), binds: Some(one.resource) });
    rooms.min_by(|one, other| one.listeners.total_cmp(&other.listeners)).unwrap_or_default()
}

/// As many listeners of the delayed tier as an operator's or an unmeasured limit of seats leaves, by the
/// same shares as a measured one.
pub fn late_beside(seats: u64, inside: u64) -> f64 {
    (seats as f64 * (1.0 + LATE_SHARE) - inside as f64).max(0.0)
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

/// The cap with the host's wish, and its reason; `measured` is what is said beside it.
pub fn with_wish(auto: &Auto, wish: Wish, measured: Option<u64>) -> CapSaid {
    let (seats, why) = match wish {
        Wish::Override(seats) if seats > auto.seats => {
            let most = auto.seats;
            (seats, format!("Set by the host, above the {most} that were measured. {}", auto.why))
        }
        Wish::AtMost(seats) if seats > auto.seats => (auto.seats, auto.why.clone()),
        Wish::Override(seats) | Wish::AtMost(seats) => (seats, "Set by the host.".into()),
        Wish::None => (auto.seats, auto.why.clone()),
    };
    CapSaid { seats, why, measured }
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

/// The correction in service: a factor on what was measured.
#[derive(Clone, Debug)]
pub struct Live {
    factor: f64,
    holds: bool,
    looked_at: Time,
}

impl Live {
    /// Begins with what was measured.
    pub fn new(now: Time) -> Self {
        Self { factor: 1.0, holds: true, looked_at: now }
    }

    /// Looks at the service of a node that was measured to carry so many, if it is time to; quality that was
    /// breached counts at the next look.
    pub fn look(&mut self, now: Time, measured: u64, service: Service) {
        if now.since(self.looked_at) < Duration::from_secs(LOOK_S) {
            return;
        }
        self.looked_at = now;
        self.holds = service.taken == 0 || service.holds();
        let filled = service.taken as f64 / measured.max(1) as f64;
        if service.taken == 0 {
            self.factor = self.factor.max(1.0);
        } else if !service.holds() {
            // What is inside now is what was too much, whatever the cap says.
            self.factor = (self.factor.min(filled) * SHRINKS_BY).max(SHRUNK_MIN);
        } else if service.waiting > 0 && filled > self.factor / 2.0 {
            self.factor = (self.factor + GROWS_BY).min(GROWTH_MAX);
        }
    }

    /// The cap when those `inside` are served as they are, and all who come as `tier`: corrected where
    /// punctuality says something, and never more than there is where it says nothing.
    pub fn cap(&self, measured: &[Measured], inside: [u64; TIERS], tier: Tier) -> Auto {
        let (hard, soft): (Vec<Measured>, Vec<_>) = measured.iter().partition(|one| one.resource.is_hard());
        let soft = if soft.is_empty() { Auto::unmeasured() } else { cap_at(&soft, inside, tier) };
        let soft = self.auto(&soft);
        if hard.is_empty() { soft } else { soft.or_less(cap_at(&hard, inside, tier)) }
    }

    /// What is left for the delayed tier: nothing while live listeners are served too late.
    pub fn late(&self, measured: &[Measured], inside: [u64; TIERS]) -> Room {
        let room = late_room(measured, inside);
        let share = if self.holds { self.factor.min(1.0) } else { 0.0 };
        Room { listeners: room.listeners * share, ..room }
    }

    fn auto(&self, measured: &Auto) -> Auto {
        let Auto { seats: before, binds, why } = measured.clone();
        let seats = (before as f64 * self.factor + ROUNDING) as u64;
        if seats == before {
            return Auto { seats, binds, why };
        }
        let change = if seats < before { "Lowered" } else { "Raised" };
        let why = format!("{change} from {before} by how punctually parts are sent. {why}");
        Auto { seats, binds, why }
    }
}
