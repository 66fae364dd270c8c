//! The guard of a node: what the public listener and the egress tell it, and what it says every second.
//!
//! Who serves visitors only writes facts down, a push each; one task takes them from there, so that no
//! visitor ever waits for a verdict, and the rules have one owner.

mod ear;
mod kernel;
/// What it said, on the disk.
pub mod ledger;
mod published;
mod sockets;

use std::collections::BTreeMap;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use serde::Deserialize;
use tokio::sync::watch;
use tribune_core::guard::live::{Audit, Fact, Guard, Happened, OnAir, Said, Unit, home};
use tribune_core::guard::report::{Head, RoomSaid};
use tribune_core::room::{Hearing, State};

pub use ear::Ear;
pub use kernel::{Kernel, KernelError};
pub use ledger::Ledger;
pub use published::Published;
use sockets::Sockets;

use crate::node::Node;
use crate::ops::GuardMetrics;
use crate::rooms::Handle;
use crate::world::World;

/// The listener at which a crowd comes, and which is watched.
const PUBLIC: &str = "public";
/// Facts are taken so often.
const TAKE_EVERY: Duration = Duration::from_millis(100);
/// So many of them make a second.
const TAKES_A_SECOND: u32 = 10;
/// Facts that may wait to be taken: a second of more than any node answers, 12 MB.
const FACTS_MAX: usize = 1 << 18;

/// Where facts are written down, and what the guard last said. Copies are the same.
#[derive(Clone)]
pub struct Watch(Arc<Inner>);

struct Inner {
    world: World,
    hash: RandomState,
    waiting: Mutex<Waiting>,
    said: ArcSwapOption<Said>,
    audit: ArcSwap<Audit>,
    /// The end of the ledger, as far as the disk has it for good.
    ledger: ArcSwapOption<Head>,
    /// Rooms that can be heard, by name, in order.
    on_air: ArcSwap<Vec<String>>,
    /// Who is refused, and until when, in milliseconds of the node's clock.
    refused: ArcSwap<BTreeMap<IpAddr, u64>>,
    /// Of those, who knock on and on.
    knocking: watch::Sender<Arc<[IpAddr]>>,
}

/// Who knocks on and on though refused, for who listens where they knock.
pub type Knocking = watch::Receiver<Arc<[IpAddr]>>;

/// Facts that nobody has looked at yet.
#[derive(Default)]
struct Waiting {
    facts: Vec<Fact>,
    /// What the sockets counted, fact or not: the other side of the ledger.
    counted: Counted,
    /// Of those, for which there was no room.
    lost: Counted,
    /// Acts that somebody takes back.
    undone: Vec<u64>,
}

/// What the sockets counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Connections accepted.
    pub connections: u64,
    /// Handshakes of TLS.
    pub handshakes: u64,
    /// Requests.
    pub requests: u64,
}

impl Counted {
    const fn count(&mut self, happened: &Happened) {
        match happened {
            Happened::Opened | Happened::OpenedByProxy | Happened::TurnedAway => self.connections += 1,
            Happened::Handshake | Happened::HandshakeFailed | Happened::OfProxy(Unit::Handshakes) => {
                self.handshakes += 1;
            }
            Happened::Asked(_) | Happened::BrokeRules | Happened::OfProxy(Unit::Requests) => {
                self.requests += 1;
            }
            _ => {}
        }
    }

    const fn of(&self, unit: Unit) -> Option<u64> {
        match unit {
            Unit::Connections => Some(self.connections),
            Unit::Handshakes => Some(self.handshakes),
            Unit::Requests => Some(self.requests),
            Unit::ConnectionSeconds => None,
        }
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watch")
    }
}

impl Watch {
    /// Nothing happened yet.
    pub fn new(world: World) -> Self {
        Self(Arc::new(Inner {
            world,
            hash: RandomState::new(),
            waiting: Mutex::default(),
            said: ArcSwapOption::empty(),
            audit: ArcSwap::from_pointee(Audit::new(world.entropy())),
            ledger: ArcSwapOption::empty(),
            on_air: ArcSwap::default(),
            refused: ArcSwap::default(),
            knocking: watch::Sender::new(Arc::default()),
        }))
    }

    /// Something happened just now.
    pub fn tell(&self, from: IpAddr, happened: Happened) {
        let fact = Fact { at_ms: self.0.world.now().millis(), from, happened };
        let mut waiting = self.lock();
        waiting.counted.count(&happened);
        if waiting.facts.len() < FACTS_MAX {
            waiting.facts.push(fact);
        } else {
            waiting.lost.count(&happened);
        }
    }

    /// Facts that nobody has looked at yet.
    #[cfg(test)]
    pub(crate) fn waiting_facts(&self) -> usize {
        self.lock().facts.len()
    }

    /// A number for a text, that nobody outside can tell beforehand.
    pub fn hash(&self, text: &(impl Hash + ?Sized)) -> u32 {
        self.0.hash.hash_one(text) as u32
    }

    /// Whether nothing of a source is answered for a while.
    pub fn refuses(&self, from: IpAddr) -> bool {
        let refused = self.0.refused.load();
        // Nearly always there is nobody.
        if refused.is_empty() {
            return false;
        }
        refused.get(&home(from)).is_some_and(|until_ms| *until_ms > self.0.world.now().millis())
    }

    /// Who knocks on and on though refused, now and whenever that changes.
    pub fn knocking(&self) -> Knocking {
        self.0.knocking.subscribe()
    }

    /// Everybody who is refused, a network a line.
    pub fn refused_networks(&self) -> String {
        let now_ms = self.0.world.now().millis();
        let refused = self.0.refused.load();
        let lasting = refused.iter().filter(|(_, until_ms)| **until_ms > now_ms);
        lasting.map(|(from, _)| format!("{from}/{}\n", if from.is_ipv4() { 32 } else { 64 })).collect()
    }

    /// Whether a source is one of the few who are always answered, so that somebody knows what newcomers are.
    pub fn audits(&self, from: IpAddr) -> bool {
        self.0.audit.load().samples(from, self.0.world.wall().0)
    }

    /// What everybody is told of the audit's key beforehand.
    pub fn audit_commitment(&self) -> [u8; 32] {
        self.0.audit.load().commitment()
    }

    /// The audit that is in force.
    fn audit(&self) -> Arc<Audit> {
        self.0.audit.load_full()
    }

    /// Another audit is in force from now on.
    fn begin_audit(&self, audit: Audit) {
        self.0.audit.store(Arc::new(audit));
    }

    /// The end of the ledger; `None` before its first line.
    pub fn ledger(&self) -> Option<Arc<Head>> {
        self.0.ledger.load_full()
    }

    /// Whether what an address is about can be heard; it begins with `/`.
    pub fn is_on_air(&self, path: &str) -> OnAir {
        let room = path.split('/').nth(1).unwrap_or_default();
        if self.0.on_air.load().iter().any(|name| name == room) { OnAir::Yes } else { OnAir::No }
    }

    /// Whether somebody attacks, as the guard said last.
    pub fn is_attacked(&self) -> bool {
        self.0.said.load().as_ref().is_some_and(|said| said.verdict.kind.is_attack())
    }

    /// Whether our own errors are what goes wrong, as the guard said last.
    pub fn is_our_fault(&self) -> bool {
        self.0.said.load().as_ref().is_some_and(|said| said.verdict.self_inflicted)
    }

    /// An act is taken back with the next facts.
    pub fn undo(&self, number: u64) {
        self.lock().undone.push(number);
    }

    /// What the guard said at the end of the last second; `None` in the first.
    pub fn said(&self) -> Option<Arc<Said>> {
        self.0.said.load_full()
    }

    fn take(&self, room: Vec<Fact>) -> Waiting {
        let mut waiting = self.lock();
        let counted = waiting.counted;
        let facts = std::mem::replace(&mut waiting.facts, room);
        let (lost, undone) = (std::mem::take(&mut waiting.lost), std::mem::take(&mut waiting.undone));
        Waiting { facts, counted, lost, undone }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The guard at work, and what it took.
struct Work {
    watch: Watch,
    guard: Guard,
    room: Vec<Fact>,
    counted: Counted,
    sockets: Sockets,
    metrics: GuardMetrics,
    kernel: Option<Kernel>,
    ledger: Option<Ledger>,
}

impl Work {
    fn take(&mut self) {
        let mut waiting = self.watch.take(std::mem::take(&mut self.room));
        self.counted = waiting.counted;
        waiting.facts.iter().for_each(|fact| self.guard.take(fact));
        for number in &waiting.undone {
            self.guard.undo(*number);
        }
        for (unit, lost) in [
            (Unit::Connections, waiting.lost.connections),
            (Unit::Handshakes, waiting.lost.handshakes),
            (Unit::Requests, waiting.lost.requests),
        ] {
            self.guard.lost(unit, lost);
        }
        waiting.facts.clear();
        self.room = waiting.facts;
    }

    fn second(&mut self, rooms: BTreeMap<String, RoomSaid>) {
        let world = self.watch.0.world;
        let (now_ms, wall) = (world.now().millis(), world.wall());
        let said = self.guard.second(now_ms, wall, &self.watch.audit());
        if let Some(ledger) = &mut self.ledger {
            ledger.second((wall, now_ms), &said, rooms);
        }
        let told = Unit::ALL.into_iter().filter_map(|unit| {
            let (told, accounts) = (self.counted.of(unit)?, said.ever.total(unit));
            (told != accounts).then_some((unit, told, accounts))
        });
        let wrong: Vec<_> = told.chain(self.sockets.second(now_ms, self.counted)).collect();
        for (unit, counted, accounts) in wrong {
            tracing::error!(unit = unit.word(), counted, accounts, "ledger_does_not_balance");
            self.metrics.unbalanced.inc();
        }
        self.metrics.show(&said);
        self.refuse();
        self.watch.0.said.store(Some(Arc::new(said)));
    }
}

impl Work {
    /// Whoever is refused is so from now on, here and in the kernel.
    fn refuse(&mut self) {
        let now_ms = self.watch.0.world.now().millis();
        let knocking: Arc<[IpAddr]> = self.guard.knocking(now_ms).collect();
        self.watch.0.knocking.send_if_modified(|before| {
            let is_other = *before != knocking;
            *before = knocking;
            is_other
        });
        let refused: BTreeMap<_, _> = self.guard.refused(now_ms).collect();
        let before = self.watch.0.refused.load();
        if **before == refused {
            return;
        }
        for (from, until_ms) in refused.iter().filter(|(from, _)| !before.contains_key(*from)) {
            tracing::warn!(source = %from, for_s = (until_ms - now_ms) / 1_000, "source_refused");
        }
        self.metrics.refused.set(i64::try_from(refused.len()).unwrap_or(i64::MAX));
        let refused = Arc::new(refused);
        if let Some(kernel) = &self.kernel {
            kernel.show(&refused, now_ms);
        }
        self.watch.0.refused.store(refused);
    }
}

/// Takes facts and says what is going on, until it is stopped.
pub async fn keep(node: Arc<Node>, watch: Watch, (kernel, ledger): (Option<Kernel>, Ledger)) {
    let mut work = Work {
        watch,
        guard: Guard::default(),
        room: Vec::new(),
        counted: Counted::default(),
        sockets: Sockets::new(node.metrics.listener(PUBLIC)),
        metrics: node.metrics.guard.clone(),
        kernel,
        ledger: Some(ledger),
    };
    let mut tick = tokio::time::interval(TAKE_EVERY);
    for number in 1_u32.. {
        tick.tick().await;
        work.take();
        if number.is_multiple_of(TAKES_A_SECOND) {
            let rooms = node.rooms.list();
            let can_be_heard = |room: &&Arc<Handle>| {
                let view = room.view();
                view.program.is_some() && view.hearing == Hearing::Open
            };
            let on_air = rooms.iter().filter(can_be_heard).map(|room| room.name().to_string()).collect();
            work.watch.0.on_air.store(Arc::new(on_air));
            let said = rooms.iter().filter_map(|room| Some((room.name().to_string(), open_room(room)?)));
            work.second(said.collect());
        }
    }
}

/// What a room's status says, if it is open: the ledger says no other figures than everybody was told.
fn open_room(room: &Handle) -> Option<RoomSaid> {
    #[derive(Deserialize)]
    struct Status {
        listening: u64,
        waiting: u64,
        turned_away: u64,
        tickets: u64,
        seats: Seats,
    }
    #[derive(Deserialize)]
    struct Seats {
        cap: u64,
        measured: Option<u64>,
        taken: u64,
    }
    let view = room.view();
    if view.program.is_none() && view.facts.state != State::Live {
        return None;
    }
    let Status { listening, waiting, turned_away, tickets, seats } =
        serde_json::from_slice(&view.status.bytes).ok()?;
    let Seats { cap, measured, taken } = seats;
    Some(RoomSaid { listening, waiting, turned_away, tickets, cap, measured, taken })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tribune_core::guard::live::Account;

    use super::*;
    use crate::ops::Metrics;

    #[test]
    fn every_fact_is_in_the_ledger_also_those_there_was_no_room_for() {
        let metrics = Metrics::new(std::path::Path::new("."));
        let listener = metrics.listener(PUBLIC);
        listener.accepted.inc_by(FACTS_MAX as u64 + 100);
        let watch = Watch::new(World::begin());
        let mut work = Work {
            watch: watch.clone(),
            guard: Guard::default(),
            room: Vec::new(),
            counted: Counted::default(),
            sockets: Sockets::new(listener.clone()),
            metrics: metrics.guard.clone(),
            kernel: None,
            ledger: None,
        };
        for number in 0..FACTS_MAX as u32 + 100 {
            watch.tell(Ipv4Addr::from_bits(number).into(), Happened::Opened);
        }
        watch.tell(Ipv4Addr::LOCALHOST.into(), Happened::BrokeRules);
        work.take();
        work.second(BTreeMap::new());
        let said = watch.said().expect("a second is over");
        assert_eq!(said.ever.total(Unit::Connections), FACTS_MAX as u64 + 100);
        assert!(said.ever.get(Unit::Connections, Account::Unseen) >= 100);
        assert_eq!(said.ever.total(Unit::Requests), 1);
        assert_eq!(work.metrics.unbalanced.get(), 0);
        work.counted.requests += 1;
        work.second(BTreeMap::new());
        assert_eq!(work.metrics.unbalanced.get(), 1, "one request is in no account");
        work.counted.requests -= 1;
        watch.tell(Ipv4Addr::LOCALHOST.into(), Happened::Opened);
        work.take();
        work.second(BTreeMap::new());
        assert_eq!(work.metrics.unbalanced.get(), 2, "a connection that no socket accepted");
    }
}
