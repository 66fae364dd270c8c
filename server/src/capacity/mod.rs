//! 1b. How many may come in: what the node was measured to carry (`trial`), how well it does so (`watch`),
//! and how its rooms share it (`quota`). Core has the rules.

mod kept;
mod machine;
mod quota;
mod serving;
mod table;
mod trial;
mod watch;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tribune_core::door::capacity::{
    Auto, DESCRIPTORS_KEPT, Idle, Live, Measured, Resource, SEATS_UNMEASURED, Service, TIERS, Tier,
    late_beside, with_wish,
};
use tribune_core::door::ladder::{Demand, Ladder};
use tribune_core::door::late::{Budget, Room, Takes};
use tribune_core::door::shares::{self, Claimant};
use tribune_core::door::snapshot::LadderSaid;
use tribune_core::egress::late;
use tribune_core::time::Time;

use crate::descriptors;
use crate::net;
use crate::world::World;
use trial::Trial;

pub use quota::{Asked, Open, Quota};
pub use serving::{Served, Serving};
pub use table::table;
pub use trial::{Channel, Costs, TrialError};
pub use watch::keep;

/// What is said when the operator's limit is the least.
const CONFIGURED: &str = "The limit configured for this node.";

/// What one node carries, and who gets it.
#[derive(Debug)]
pub struct Capacity {
    serving: Arc<Serving>,
    late: Mutex<Budget>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    limits: Limits,
    /// First descriptors, which are known at once; then what the self-test measured.
    costs: Vec<Measured>,
    /// Of the processor.
    idle: Idle,
    live: Live,
    ladder: Ladder,
    rooms: Vec<Arc<Quota>>,
}

/// What the operator says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Seats at most; whatever is said, never more than were measured.
    pub seats_max: Option<u64>,
    /// Whether the ladder is used.
    pub ladder: Climbs,
}

/// Whether newcomers are served otherwise before anybody waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Climbs {
    /// They are.
    #[default]
    Yes,
    /// They wait.
    No,
}

/// What was seen in the last second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// 99 of 100 parts were sent within this of their time, in milliseconds.
    pub send_late_p99_ms: f64,
    /// The share of parts that came too late to be played.
    pub late_parts_share: f64,
    /// Processor that this process used, in milliseconds a second.
    pub processor_ms: f64,
}

/// What is exported of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Seats of the node.
    pub seats: u64,
    /// As they were measured; none before that.
    pub measured: Option<u64>,
    /// The step of the ladder.
    pub step: u8,
    /// Bytes a second that the delayed tier may send.
    pub late_bytes_s: u64,
}

impl Capacity {
    /// For rooms of a test: nothing is measured, and descriptors are plenty.
    #[cfg(test)]
    pub fn plenty() -> Arc<Self> {
        Self::new(Time::ZERO, Limits::default(), Descriptors { most: 1_048_576, connections_max: 1_000_000 })
    }

    /// Nothing is measured but how many connections the public listener takes.
    pub fn new(now: Time, limits: Limits, descriptors: Descriptors) -> Arc<Self> {
        let state = State {
            limits,
            costs: vec![descriptors.measured()],
            idle: Idle::default(),
            live: Live::new(now),
            ladder: Ladder::default(),
            rooms: Vec::new(),
        };
        let each = Takes { bytes_s: late::listener_bytes_s(), segment_bytes: late::segment_bytes() };
        let late = Mutex::new(Budget::new(now, each));
        Arc::new(Self { serving: Arc::default(), late, state: Mutex::new(state) })
    }

    /// How listeners are served.
    pub fn serving(&self) -> &Arc<Serving> {
        &self.serving
    }

    /// What the delayed tier may take.
    pub fn late(&self) -> MutexGuard<'_, Budget> {
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A room is over, or gone: the others have its seats.
    pub fn close(&self, quota: &Arc<Quota>) {
        let mut state = self.lock();
        let before = state.rooms.len();
        state.rooms.retain(|other| !Arc::ptr_eq(other, quota));
        if state.rooms.len() < before {
            quota.give(0);
            self.allot(&state);
        }
    }

    /// What a room asks for; it is given at once.
    pub fn ask(&self, quota: &Arc<Quota>, asked: Asked) {
        if asked.open == Open::Over {
            return self.close(quota);
        }
        let mut state = self.lock();
        let is_here = state.rooms.iter().any(|other| Arc::ptr_eq(other, quota));
        if !is_here {
            state.rooms.push(quota.clone());
        }
        if quota.ask(asked) || !is_here {
            self.allot(&state);
        }
    }

    /// What a listener costs is known.
    pub fn measured(&self, costs: &[Measured]) {
        let mut state = self.lock();
        state.costs.truncate(1);
        state.costs.extend_from_slice(costs);
        self.allot(&state);
    }

    /// Seats of the node as they were measured, whatever happened since; none before that.
    pub fn measured_seats(&self) -> Option<u64> {
        self.lock().measured_seats()
    }

    /// People inside all rooms.
    pub fn people(&self) -> u64 {
        self.lock().rooms.iter().map(|room| room.taken()).sum()
    }

    /// Looks once a second: the cap follows the service, the ladder the demand, the rooms both.
    pub fn look(&self, now: Time, seen: Seen) -> Told {
        let mut state = self.lock();
        let claimants = state.claimants();
        let taken = claimants.iter().map(|room| room.taken).sum();
        let people: u64 = claimants.iter().map(|room| room.wanted.min(room.at_most.max(room.taken))).sum();
        let Seen { send_late_p99_ms, late_parts_share, processor_ms } = seen;
        let service = Service { send_late_p99_ms, late_parts_share, taken, waiting: people - taken };
        let inside = self.inside(&state);
        let (late_room, late_ms) = self.look_at_late(now, &state, inside);
        state.look_at_idle(processor_ms - late_ms, inside);
        let tier = state.ladder.tier();
        let measured = Live::new(now).cap(&state.costs, inside, tier).seats;
        state.live.look(now, measured, service);
        let [full, low, segments] =
            Tier::ALL.map(|step| state.node(self.inside_at(&state, tier, step), step).seats);
        let delayed = full.max(low).max(segments).saturating_add(late_room.listeners as u64);
        let seats = [full, low, segments, delayed, u64::MAX];
        let binds = state.node(inside, tier).binds;
        if state.limits.ladder == Climbs::Yes {
            state.ladder.look(now, Demand { people, seats, binds });
            self.serving.set_next(state.ladder.tier());
        }
        self.allot(&state);
        let node = state.node(inside, state.ladder.tier());
        let (measured, step) = (state.measured_seats(), state.ladder.step().number());
        Told { seats: node.seats, measured, step, late_bytes_s: self.late().bytes_s() as u64 }
    }

    /// What is left for the delayed tier, and what it took of the processor since the last look, in
    /// milliseconds.
    fn look_at_late(&self, now: Time, state: &State, inside: [u64; TIERS]) -> (Room, f64) {
        let room = state.late_room(inside);
        let sent_bytes = self.late().look(now, room);
        let processor = state.costs.iter().find(|one| one.resource == Resource::Processor);
        let each_ms = processor.map_or(0.0, |one| one.late);
        (room, sent_bytes as f64 / late::listener_bytes_s() * each_ms)
    }

    /// What everybody is told of the ladder.
    pub fn ladder(&self) -> LadderSaid {
        self.lock().ladder.said()
    }

    /// Gives each room its seats. What one loses is taken before another gets it, and only what really got
    /// free is given, so that all together never let in more than the node carries.
    fn allot(&self, state: &State) {
        let node = state.node(self.inside(state), state.ladder.tier());
        let measured = state.measured_seats();
        let caps = shares::caps(node.seats, &state.claimants());
        for (room, cap) in state.open().zip(&caps) {
            room.give(room.seats().min(*cap));
        }
        let let_in: u64 = state.open().map(|room| room.seats().max(room.taken())).sum();
        let mut left = node.seats.saturating_sub(let_in);
        for (room, cap) in state.open().zip(&caps) {
            let more = cap.saturating_sub(room.seats().max(room.taken())).min(left);
            left -= more;
            // Below those who are inside a cap may rise without letting anybody in.
            room.give(room.seats().max((*cap).min(room.taken())) + more);
            let others = caps.len() - 1;
            let why = shared(&node, room.seats(), others);
            let said =
                with_wish(&Auto { seats: room.seats(), binds: node.binds, why }, room.asked().wish, measured);
            // Only an override says more than there is.
            room.give(room.seats().max(said.seats));
            room.say(said);
        }
        // Who cannot come in yet needs no seat; what there would be is said.
        for room in state.rooms.iter().filter(|room| room.asked().open == Open::NotYet) {
            room.give(0);
            room.say(with_wish(&node, room.asked().wish, measured));
        }
    }

    /// How those inside would be served at another step: all who can follow do. Who cannot is known only
    /// where it was tried.
    fn inside_at(&self, state: &State, now: Tier, step: Tier) -> [u64; TIERS] {
        let inside = self.serving.inside();
        let mut at_step = [0; TIERS];
        at_step[step as usize] = inside.iter().sum();
        state.with_hls(if step == now { inside } else { at_step })
    }

    fn inside(&self, state: &State) -> [u64; TIERS] {
        state.with_hls(self.serving.inside())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Players of HLS are served in full: who of them takes what is not known.
    fn with_hls(&self, mut inside: [u64; TIERS]) -> [u64; TIERS] {
        inside[Tier::Full as usize] += self.rooms.iter().map(|room| room.hls()).sum::<u64>();
        inside
    }

    fn claimants(&self) -> Vec<Claimant> {
        self.open().map(|room| room.claimant()).collect()
    }

    /// Rooms that people may come into now.
    fn open(&self) -> impl Iterator<Item = &Arc<Quota>> {
        self.rooms.iter().filter(|room| room.asked().open == Open::Yes)
    }

    /// Programs take of the processor too, and of a small one much.
    fn look_at_idle(&mut self, used_ms: f64, inside: [u64; TIERS]) {
        let is_processor = |one: &&mut Measured| one.resource == Resource::Processor;
        if let Some(processor) = self.costs.iter_mut().find(is_processor) {
            self.idle.look(processor, used_ms, inside);
            processor.idle = self.idle.of(processor);
        }
    }

    /// Listeners of the delayed tier that fit in beside those inside; before anything is measured, as far as
    /// seats go then.
    fn late_room(&self, inside: [u64; TIERS]) -> Room {
        let people = inside.iter().sum();
        let room = match self.costs.len() {
            0 | 1 => Room { listeners: late_beside(SEATS_UNMEASURED, people), binds: None },
            _ => self.live.late(&self.costs, inside),
        };
        let most = self.limits.seats_max.map_or(f64::INFINITY, |seats| late_beside(seats, people));
        if most < room.listeners { Room { listeners: most, binds: None } } else { room }
    }

    /// The node's cap when who comes is served so.
    fn node(&self, inside: [u64; TIERS], tier: Tier) -> Auto {
        self.live.cap(&self.costs, inside, tier).at_most(self.limits.seats_max, CONFIGURED)
    }

    fn measured_seats(&self) -> Option<u64> {
        let nobody = || Live::new(Time::ZERO).cap(&self.costs, [0; TIERS], Tier::Full);
        (self.costs.len() > 1).then(|| nobody().at_most(self.limits.seats_max, CONFIGURED).seats)
    }
}

fn shared(node: &Auto, seats: u64, others: usize) -> String {
    match others {
        0 => node.why.clone(),
        _ if seats >= node.seats => node.why.clone(),
        1 => format!("{} One other room has its share of the node's {} seats.", node.why, node.seats),
        _ => {
            format!("{} {others} other rooms have their shares of the node's {} seats.", node.why, node.seats)
        }
    }
}

/// Holds the self-test alone, without a node around it: what a listener costs, and with it what this machine
/// has.
///
/// # Errors
/// Nothing could be measured, and why.
pub fn measure(
    has: Descriptors,
    egress_mbit: Option<u64>,
    by: Channel,
) -> Result<(Costs, Vec<Measured>), TrialError> {
    let data = std::env::temp_dir().join(format!("tribune-capacity-{}", std::process::id()));
    std::fs::create_dir_all(&data)?;
    let memory = machine::memory();
    let costs = Trial::on(World::begin(), data.clone(), by).run();
    // It was ours alone.
    let _ = std::fs::remove_dir_all(&data);
    let costs = costs?;
    let measured =
        [has.measured()].into_iter().chain(costs.on(egress_mbit.or_else(machine::egress_mbit), memory));
    Ok((costs, measured.collect()))
}

/// The descriptors of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptors {
    /// Most the process may have.
    pub most: u64,
    /// Connections that the public listener takes.
    pub connections_max: u64,
}

impl Descriptors {
    /// One tenth of the public connections is kept for those who wait and look.
    const VISITORS: u64 = 10;

    /// As many as the system lets the process have.
    ///
    /// # Errors
    /// The system does not say, or refuses.
    pub fn raise() -> std::io::Result<Self> {
        let most = descriptors::raise()?;
        Ok(Self { most, connections_max: net::Limits::public(most).connections_max.into() })
    }

    fn measured(self) -> Measured {
        let listeners = self.connections_max - self.connections_max / Self::VISITORS;
        let idle = self.most as f64 - DESCRIPTORS_KEPT - listeners as f64;
        Measured {
            resource: Resource::Descriptors,
            capacity: self.most as f64,
            idle,
            each: [1.0; TIERS],
            late: 0.0,
        }
    }
}
