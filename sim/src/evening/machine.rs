//! A node: a processor that answers in the order in which it is asked, after its listeners have their sound;
//! seats, of which it never gives more than it carries; and the ladder. What is decided is decided by core.

use std::time::Duration;

use tribune_core::door::capacity::{Live, Measured, Resource, Service, TIERS, Tier, cap_at};
use tribune_core::door::ladder::{Demand, Ladder};
use tribune_core::door::overload::{Class, Overload};
use tribune_core::door::seats::{Connection, Seats};
use tribune_core::time::Time;

use super::scenario::{self, Nodes};
use super::wheel::STEP_MS;

/// Of its processors, so much is left to who asks when listeners take all they may.
const FREE_SHARE_MIN: f64 = 0.05;
/// Of many who ask for the same, so many are looked at.
const LOTS: u32 = 32;
/// Parts are cut so often, in milliseconds.
const PART_MS: f64 = 320.0;

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Answer {
    /// It was answered, after so many milliseconds.
    After(f64),
    /// They were asked to come again, and keep their place.
    PutOff,
    /// Nobody is there.
    Nobody,
}

/// What a node has, and what a listener costs it.
pub(super) fn costs(nodes: &Nodes, measured: &scenario::Measured) -> Vec<Measured> {
    let bytes_s = measured.listener_kbit.map(|kbit| kbit * 125.0);
    let cost = |resource, capacity, each| Measured { resource, capacity, idle: 0.0, each, late: 0.0 };
    vec![
        cost(Resource::Processor, nodes.cores * 1_000.0, measured.listener_us.map(|us| us / 1_000.0)),
        cost(Resource::Memory, nodes.memory_gb * 1e9, [measured.listener_bytes; TIERS]),
        cost(Resource::Egress, nodes.egress_mbit * 125_000.0, bytes_s),
        cost(Resource::Descriptors, nodes.descriptors, [1.0; TIERS]),
    ]
}

/// One node.
#[derive(Debug)]
pub(super) struct Machine {
    costs: Vec<Measured>,
    put_off_us: f64,
    has_ladder: bool,
    live: Live,
    ladder: Ladder,
    overload: Overload,
    seats: Seats,
    /// It is away until then, if it is.
    away_until_ms: u32,
    /// What was asked and is not answered yet, in microseconds of one processor.
    backlog_us: f64,
    free_us_per_ms: f64,
    /// The longest that anybody would have waited in the last second.
    wait_max_ms: f64,
    /// What the host allows it.
    at_most: u64,
}

impl Machine {
    pub fn new(nodes: &Nodes, measured: &scenario::Measured) -> Self {
        Self {
            costs: costs(nodes, measured),
            put_off_us: measured.put_off_us,
            has_ladder: nodes.ladder,
            live: Live::new(Time::ZERO),
            ladder: Ladder::default(),
            overload: Overload::default(),
            seats: Seats::new(0),
            away_until_ms: 0,
            backlog_us: 0.0,
            free_us_per_ms: nodes.cores * 1_000.0,
            wait_max_ms: 0.0,
            at_most: u64::MAX,
        }
    }

    /// Whether it is there.
    pub fn is_there(&self, now_ms: u32) -> bool {
        now_ms >= self.away_until_ms
    }

    /// It dies, with everything it knew.
    pub fn dies(&mut self, until_ms: u32) {
        self.away_until_ms = self.away_until_ms.max(until_ms);
        self.seats = Seats::new(0);
        self.live = Live::new(Time::ZERO);
        (self.ladder, self.overload) = (Ladder::default(), Overload::default());
        self.backlog_us = 0.0;
    }

    /// A step of time: listeners first, then as much as can be of what was asked.
    pub fn works(&mut self) {
        let processor = &self.costs[0];
        let theirs_us = processor.each[self.tier() as usize] * self.seats.taken() as f64;
        let free_us = (processor.capacity - theirs_us).max(processor.capacity * FREE_SHARE_MIN);
        self.free_us_per_ms = free_us;
        self.backlog_us = (self.backlog_us - free_us * f64::from(STEP_MS)).max(0.0);
        self.wait_max_ms = self.wait_max_ms.max(self.wait_ms());
    }

    fn wait_ms(&self) -> f64 {
        self.backlog_us / self.free_us_per_ms
    }

    /// Somebody asks for what takes so many microseconds, besides those that their connection takes in any
    /// case.
    pub fn asks(
        &mut self,
        now_ms: u32,
        (class, lot): (Class, u8),
        (coming_us, cost_us): (f64, f64),
    ) -> Answer {
        if !self.is_there(now_ms) {
            return Answer::Nobody;
        }
        let wait_ms = self.wait_ms();
        let wait = Duration::from_micros((wait_ms * 1_000.0) as u64);
        self.overload.waited(Time::from_millis(now_ms.into()), wait);
        if !self.overload.answers(class, lot) {
            self.backlog_us += coming_us + self.put_off_us;
            return Answer::PutOff;
        }
        self.backlog_us += coming_us + cost_us;
        Answer::After(wait_ms + (coming_us + cost_us) / 1_000.0)
    }

    /// Many ask for the same at once; the share of them that is answered.
    pub fn are_asked(
        &mut self,
        now_ms: u32,
        class: Class,
        count: f64,
        (coming_us, cost_us): (f64, f64),
    ) -> f64 {
        if !self.is_there(now_ms) || count <= 0.0 {
            return 0.0;
        }
        let wait = Duration::from_micros((self.wait_ms() * 1_000.0) as u64);
        // The control looks at no fewer than this, and then at all alike.
        (0..LOTS.min(count.ceil() as u32))
            .for_each(|_| self.overload.waited(Time::from_millis(now_ms.into()), wait));
        let lots = (0..LOTS).map(|lot| (lot * 256 / LOTS) as u8);
        let share = lots.filter(|lot| self.overload.answers(class, *lot)).count() as f64 / f64::from(LOTS);
        self.backlog_us += count * (coming_us + share * cost_us + (1.0 - share) * self.put_off_us);
        share
    }

    /// Requests that nobody tells apart, which take so many microseconds together.
    pub fn is_asked(&mut self, cost_us: f64) {
        self.backlog_us += cost_us;
    }

    /// Looks at cap and ladder, once a second; `wanting`: its part of those who want in. Its seats.
    pub fn looks(&mut self, now_ms: u32, wanting: u64) -> u64 {
        if !self.is_there(now_ms) {
            return 0;
        }
        let (now, taken) = (Time::from_millis(now_ms.into()), self.seats.taken());
        let tier = self.tier() as usize;
        let load = |one: &Measured| one.each[tier] * taken as f64 / one.capacity;
        let load = self.costs.iter().map(load).fold(0.0, f64::max);
        // A part is handed around within the share of its time that this takes; what is asked for beyond what
        // there is comes later and later.
        let late_parts_share = if load > 1.0 { 1.0 } else { 0.0 };
        let service = Service { send_late_p99_ms: load * PART_MS, late_parts_share, taken, waiting: wanting };
        let measured = Live::new(now).cap(&self.costs, self.inside(self.tier()), self.tier()).seats;
        self.live.look(now, measured, service);
        let cap = |tier| self.live.cap(&self.costs, self.inside(tier), tier);
        let [full, low, segments] = Tier::ALL.map(|tier| cap(tier).seats);
        let (most, binds) = (full.max(low).max(segments), cap(self.tier()).binds);
        let seats = [full, low, segments, most, u64::MAX];
        if self.has_ladder {
            self.ladder.look(now, Demand { people: taken + wanting, seats, binds });
        }
        let cap = self.live.cap(&self.costs, self.inside(self.tier()), self.tier()).seats.min(self.at_most);
        self.seats.set_cap(cap);
        cap
    }

    /// Those inside, all served like this: the ladder takes everybody along.
    fn inside(&self, tier: Tier) -> [u64; TIERS] {
        let mut inside = [0; TIERS];
        inside[tier as usize] = self.seats.taken();
        inside
    }

    /// Listeners beyond what measured costs carry, whatever the correction in service says.
    pub fn beyond_measured(&self) -> u64 {
        let tier = self.tier();
        self.seats.taken().saturating_sub(cap_at(&self.costs, [0; TIERS], tier).seats)
    }

    /// How everybody is served.
    pub fn tier(&self) -> Tier {
        self.ladder.tier()
    }

    /// The step of its ladder.
    pub fn step(&self) -> u8 {
        self.ladder.step().number()
    }

    /// No more than so many from now on.
    pub fn set_at_most(&mut self, seats: u64) {
        self.at_most = seats;
    }

    /// Its seats.
    pub fn seats(&self) -> &Seats {
        &self.seats
    }

    /// Seats somebody; whether there was room.
    pub fn takes(&mut self, who: u32) -> bool {
        self.seats.take(Connection(who.into())).is_ok()
    }

    /// Somebody goes; whether they had a seat.
    pub fn releases(&mut self, who: u32) -> bool {
        self.seats.release(Connection(who.into()))
    }

    /// The longest that anybody would have waited since this was asked last, in milliseconds.
    pub fn waited_max_ms(&mut self) -> f64 {
        std::mem::take(&mut self.wait_max_ms)
    }
}
