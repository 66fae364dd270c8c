//! The desk at one room's door: tickets out, claims in, seats given, all under one short lock.
//!
//! The rules are core's `Doorkeeper`; here are the lock, the keys, the clock, the disk and the connections
//! that have to end when their seat goes to somebody else. Nothing is kept for somebody who waits.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tribune_core::books::Books;
use tribune_core::door::arrivals::{Issued, Minute};
use tribune_core::door::doorkeeper::{Announced, Claim, First, Kept, Opening, Place};
use tribune_core::door::draw::{Source, commitment};
use tribune_core::door::pass::{Pass, PassWrong};
use tribune_core::door::poll::ask_again;
use tribune_core::door::seats::{Connection, Lapse, Output};
use tribune_core::door::ticket::{RoomTag, Secret, Ticket, TicketWrong};
use tribune_core::door::{Doorkeeper, KeyRing, Snapshot};
use tribune_core::reason::{Departure, Refusal};
use tribune_core::room::{Facts, State};
use tribune_core::time::{Time, WallTime};

use super::log::{Log, Scribe, Spent};
use super::plan::{Plan, SECOND_MS, draw_at, second};
use super::said::{Claimed, Drawn, Held, Stands};
use crate::ops::Keeps;
use crate::ops::logs::Repeats;
use crate::world::World;

/// How often time passes at the door.
const TICK: Duration = Duration::from_secs(1);
/// New connections a second that a node can take: 10,000 were measured, with two processors and 10,000
/// listeners beside them (docs/rehearsals/2026-11-22-door.md); half of them are left to everybody else.
const CLAIMS_PER_S_MAX: u32 = 5_000;
/// Bytes handed out this lately make a seat heard.
const HEARD_WITHIN: Duration = Duration::from_secs(5);
/// Those who came in one second ask for their ranks within this after it, in milliseconds.
const SETTLED_WITHIN_MS: f64 = 200.0;

static NOT_KEPT: Repeats = Repeats::new();

/// A room's desk. Its lock is held for one act, never across an `.await`.
pub struct Desk {
    world: World,
    tag: RoomTag,
    keys: KeyRing,
    opened_at: WallTime,
    log: Arc<Log>,
    state: Mutex<Desked>,
}

struct Desked {
    keeper: Doorkeeper,
    plan: Plan,
    /// The plan that the disk has.
    kept: Option<Plan>,
    sittings: BTreeMap<Connection, Arc<Sat>>,
    next: u64,
}

/// What the desk and a connection share.
#[derive(Debug, Default)]
struct Sat {
    /// The serial and generation of its pass; none without a ticket.
    pass: Option<(u32, u32)>,
    over: AtomicBool,
    /// When bytes were last handed out, in nanoseconds; 0 before the first.
    sent_at: AtomicU64,
}

/// What a desk is opened with.
pub struct Begin<'a> {
    /// The clock and the entropy.
    pub world: World,
    /// What the room is now.
    pub facts: &'a Facts,
    /// Where its entry list is kept.
    pub folder: &'a Path,
    /// Who writes the entry list.
    pub scribe: Scribe,
    /// What tickets are sealed with.
    pub keys: KeyRing,
    /// The number that was published last.
    pub now_serving: u64,
    /// Seats.
    pub cap: u64,
}

impl Desk {
    /// Opens the door of a room, or goes on where it was.
    /// What the disk keeps and cannot be read is left aside, and the line
    /// begins anew: the log says so.
    pub fn open(begin: Begin<'_>) -> Arc<Self> {
        let Begin { world, facts, folder, scribe, keys, now_serving, cap } = begin;
        let read = Log::open(folder.to_owned(), scribe.clone());
        let (log, mut kept, plan) = match read.and_then(|(log, kept)| Ok((log, kept, Plan::read(folder)?))) {
            Ok(opened) => opened,
            Err(error) => {
                tracing::error!(room = %facts.name, %error, "entries_not_read");
                (Log::aside(folder, scribe), Kept::default(), None)
            }
        };
        let (now, wall) = (world.now(), world.wall());
        let is_new = plan.is_none();
        let plan = plan.unwrap_or_else(|| Plan::first(wall, facts, world.entropy()));
        // A room that was over before it had a door never gets one.
        let is_wanted = !is_new || facts.state != State::Ended;
        let written = if is_wanted { plan.keep(log.folder()) } else { Ok(()) };
        if let Err(error) = &written {
            tracing::error!(room = %facts.name, %error, "draw_not_kept");
        }
        let on_disk = written.is_ok().then(|| plan.clone());
        let (opened_at, number) = (plan.opened_at(), plan.number());
        kept.now_serving = now_serving;
        kept.lot = plan.held.then(|| number.to_vec());
        let announced = Announced {
            at: WallTime(plan.draw_at_ms),
            closes_before: plan.closes_before,
            source: Source::Operator,
            commitment: Some(commitment(&number)),
        };
        let opening = Opening { announced, start: None, cap, claims_per_s_max: CLAIMS_PER_S_MAX };
        let keeper = if is_new {
            Doorkeeper::open(opening)
        } else {
            Doorkeeper::restored(now, second(wall, opened_at), opening, kept)
        };
        let tag = RoomTag::of(facts.name.as_str(), (opened_at.0 / SECOND_MS) as u32);
        let state = Mutex::new(Desked { keeper, plan, kept: on_disk, sittings: BTreeMap::new(), next: 0 });
        let log = Arc::new(log);
        let desk = Self { world, tag, keys, opened_at, log, state };
        desk.follow(facts);
        Arc::new(desk)
    }

    /// Lets time pass, on the audience's runtime, until the room is over or nobody holds the desk.
    pub fn look_after(self: &Arc<Self>, runtime: &Handle) {
        let desk = Arc::downgrade(self);
        runtime.spawn(async move {
            let mut tick = tokio::time::interval(TICK);
            loop {
                tick.tick().await;
                let Some(desk) = desk.upgrade() else { return };
                desk.tick();
                desk.keep_plan().await;
                if desk.lock().keeper.poll_timeout().is_none() {
                    return;
                }
            }
        });
    }

    /// When the door opened: the beginning of minute 0 of the arrivals.
    pub fn opened_at(&self) -> WallTime {
        self.opened_at
    }

    /// The room has changed: its start, or it has ended.
    pub fn follow(&self, facts: &Facts) {
        let (now, wall) = (self.world.now(), self.world.wall());
        let mut state = self.lock();
        if facts.state == State::Ended {
            state.keeper.end();
            self.carry_out(&mut state);
            return;
        }
        let waits = matches!(facts.state, State::Scheduled | State::Boarding);
        let (start, drawn_at) = match facts.starts_at.filter(|_| waits) {
            Some(at) => {
                let wait_ms = u64::try_from(at.0 - wall.0).unwrap_or(0);
                (Some(now + Duration::from_millis(wait_ms)), draw_at(at))
            }
            None => (None, WallTime(wall.0.min(state.plan.draw_at_ms))),
        };
        state.keeper.set_start(now, start, (drawn_at, second(drawn_at, self.opened_at)));
        // The next tick keeps it.
        if !state.plan.held {
            let closes_before = state.keeper.closes_before();
            state.plan = Plan { closes_before, draw_at_ms: drawn_at.0, ..state.plan.clone() };
        }
    }

    /// Most seats from now on.
    pub fn set_cap(&self, cap: u64) {
        self.lock().keeper.set_cap(cap);
    }

    /// A ticket: the one that is shown, if it is a good one of this room, else a new one. It is on the disk
    /// when this returns.
    ///
    /// # Errors
    /// `RoomEnded`, `TicketsFull`, `Busy`, `OurFault` when the disk does not take it.
    pub async fn ticket(&self, shown: Option<&Held>) -> Result<(Held, Drawn), Refusal> {
        if let Some(held) = shown.filter(|held| self.check(held).is_ok()) {
            return Ok((held.clone(), Drawn::Again));
        }
        let secret = Secret::new(self.world.entropy());
        let issued = self.issue(&secret)?;
        self.log.written(issued.serial).await?;
        let Issued { serial, second } = issued;
        let ticket = Ticket { room: self.tag, node: 0, serial, second, holder: secret.holder() };
        let held = Held { ticket: ticket.seal(&self.keys), secret: secret.reveal() };
        Ok((held, Drawn::Fresh))
    }

    /// Where a ticket stands.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn place(&self, ticket: &str) -> Result<Stands, TicketWrong> {
        let ticket = Ticket::open(ticket, self.tag, &self.keys)?;
        let mut state = self.lock();
        state.keeper.pass_to(second(self.world.wall(), self.opened_at));
        let place = state.keeper.place(self.world.now(), issued(&ticket))?;
        Ok(self.stands(&state, place, &ticket))
    }

    /// Somebody claims a seat.
    ///
    /// # Errors
    /// What is wrong with the ticket or its secret.
    pub async fn claim(&self, held: &Held) -> Result<Claimed, TicketWrong> {
        let ticket = self.check(held)?;
        let (claimed, spent) = self.seat(&ticket)?;
        self.log.kept(spent).await;
        Ok(claimed)
    }

    fn seat(&self, ticket: &Ticket) -> Result<(Claimed, Option<Spent>), TicketWrong> {
        let mut state = self.lock();
        state.keeper.pass_to(second(self.world.wall(), self.opened_at));
        let claim = state.keeper.claim(self.world.now(), issued(ticket))?;
        self.carry_out(&mut state);
        let mut spent = None;
        let claimed = match claim {
            Claim::Seated { generation, first } => {
                spent = if first == First::Yes { self.log.spent(ticket.serial) } else { None };
                let pass = Pass { room: self.tag, serial: ticket.serial, generation };
                Claimed::Pass(pass.seal(&self.keys))
            }
            Claim::NotYet(place) => Claimed::NotYet(self.stands(&state, place, ticket)),
            Claim::Full => {
                let place = state.keeper.place(self.world.now(), issued(ticket))?;
                Claimed::Full(self.stands(&state, place, ticket))
            }
            Claim::Ended => Claimed::Ended,
        };
        Ok((claimed, spent))
    }

    /// A seat for a connection: its pass's, or without one a free seat.
    ///
    /// # Errors
    /// What is wrong with the pass; `RoomEnded`, `TakeATicket`, `FullForNow` without one.
    pub fn sit(self: &Arc<Self>, pass: Option<&str>) -> Result<Sitting, Refusal> {
        let pass = pass.map(|pass| Pass::open(pass, self.tag, &self.keys)).transpose();
        let pass = pass.map_err(PassWrong::refusal)?.map(|pass| (pass.serial, pass.generation));
        let mut state = self.lock();
        let connection = Connection(state.next);
        state.next += 1;
        match pass {
            Some(pass) => {
                let joined = state.keeper.join(self.world.now(), pass, connection);
                joined.map_err(PassWrong::refusal)?;
            }
            None => state.keeper.come_without_ticket(connection)?,
        }
        let sat = Arc::new(Sat { pass, ..Sat::default() });
        state.sittings.insert(connection, sat.clone());
        self.carry_out(&mut state);
        Ok(Sitting { desk: self.clone(), connection, sat, why: Departure::HungUp })
    }

    /// Whether a connection without a ticket would be given a seat now; nobody is counted for asking.
    ///
    /// # Errors
    /// Why not.
    pub fn is_free(&self) -> Result<(), Refusal> {
        self.lock().keeper.would_seat()
    }

    /// Whether this pass has a seat, which it keeps for having been shown.
    ///
    /// # Errors
    /// What is wrong with the pass.
    pub fn renew(&self, pass: &str) -> Result<(), Refusal> {
        let pass = Pass::open(pass, self.tag, &self.keys).map_err(PassWrong::refusal)?;
        let heard = self.lock().keeper.heard(self.world.now(), (pass.serial, pass.generation));
        heard.map_err(PassWrong::refusal)
    }

    /// Whether this pass has a seat now; it keeps it no longer for that.
    pub fn is_seated(&self, pass: &str) -> bool {
        let pass = Pass::open(pass, self.tag, &self.keys);
        pass.is_ok_and(|pass| self.lock().keeper.seats().check(pass.serial, pass.generation).is_ok())
    }

    /// A player of HLS without a pass may begin: it takes no seat that could be told from others', but comes
    /// in only where a connection would. Who may not is booked as having come.
    ///
    /// # Errors
    /// Why not.
    pub fn admit_hls(&self) -> Result<(), Refusal> {
        self.lock().keeper.pass_by()
    }

    /// What everybody is told.
    pub fn snapshot(&self) -> Snapshot {
        self.lock().keeper.snapshot()
    }

    /// Seats taken, by whomever.
    pub fn taken(&self) -> u64 {
        self.lock().keeper.seats().taken()
    }

    /// People who are inside and people who want in.
    pub fn people(&self) -> (u64, u64) {
        let state = self.lock();
        (state.keeper.seats().taken(), state.keeper.wanting())
    }

    /// Connections that were handed bytes of the program within the last 5 s.
    pub fn listening(&self) -> u64 {
        let now = self.world.now();
        self.lock().sittings.values().filter(|sat| sat.hears(now)).count() as u64
    }

    /// A minute of arrivals; none before it has begun.
    pub fn minute(&self, minute: u32) -> Option<Minute> {
        self.lock().keeper.arrivals().minute(minute)
    }

    fn issue(&self, secret: &Secret) -> Result<Issued, Refusal> {
        let mut state = self.lock();
        // What is issued must be written, in the same order.
        let place = self.log.reserve()?;
        let issued = state.keeper.issue(second(self.world.wall(), self.opened_at), secret.holder())?;
        place.ticket(issued.second, secret.holder());
        Ok(issued)
    }

    fn check(&self, held: &Held) -> Result<Ticket, TicketWrong> {
        let ticket = Ticket::open(&held.ticket, self.tag, &self.keys)?;
        let secret = Secret::parse(&held.secret).ok_or(TicketWrong::SecretWrong)?;
        ticket.check_secret(&secret)?;
        Ok(ticket)
    }

    fn stands(&self, state: &Desked, place: Place, ticket: &Ticket) -> Stands {
        if place == Place::Settling {
            let left_ms = SECOND_MS - self.world.wall().0.rem_euclid(SECOND_MS);
            let spread_ms = SETTLED_WITHIN_MS * (ticket.jitter() - 0.8) / 0.4;
            return Stands { place, again: Duration::from_millis(left_ms as u64 + spread_ms as u64) };
        }
        let draw_in_s = (state.plan.draw_at_ms - self.world.wall().0) as f64 / 1_000.0;
        let again = ask_again(state.keeper.standing(place, draw_in_s), ticket.jitter());
        Stands { place, again }
    }

    fn tick(&self) {
        let (now, wall) = (self.world.now(), self.world.wall());
        let mut state = self.lock();
        let heard: Vec<_> =
            state.sittings.values().filter(|sat| sat.hears(now)).filter_map(|sat| sat.pass).collect();
        for pass in heard {
            // A pass that was displaced since is told so by its connection's end.
            let _ = state.keeper.heard(now, pass);
        }
        state.keeper.tick(now, second(wall, self.opened_at));
        if state.keeper.to_draw().is_some() {
            state.plan.held = true;
        }
        self.carry_out(&mut state);
    }

    /// Has the disk keep the plan, away from the lock. The draw is held once it is kept that it was: whoever
    /// is told a rank keeps it.
    async fn keep_plan(&self) {
        let Some(plan) = self.lock().unkept() else { return };
        let (log, fresh) = (self.log.clone(), plan.clone());
        let kept = tokio::task::spawn_blocking(move || fresh.keep(log.folder())).await;
        if let Err(error) = kept.unwrap_or_else(|error| Err(error.into())) {
            if let Some(repeated) = NOT_KEPT.pass(self.world.now()) {
                tracing::error!(%error, repeated, "draw_not_kept");
            }
            return;
        }
        let mut state = self.lock();
        if plan.held && state.keeper.hold_draw(&plan.number()).is_ok() {
            tracing::info!(tickets = state.keeper.arrivals().issued(), "draw_held");
        }
        state.kept = Some(plan);
    }

    /// Ends the connections whose seat is somebody else's now.
    fn carry_out(&self, state: &mut Desked) {
        while let Some(output) = state.keeper.poll_output() {
            let connection = match output {
                Output::Displaced(connection) => Some(connection),
                Output::Lapsed { connection, serial, why } => {
                    if why == Lapse::Unheard {
                        // Not written, it would only be counted as having been inside after a restart.
                        let _ = self.log.back(serial);
                    }
                    connection
                }
            };
            if let Some(sat) = connection.and_then(|connection| state.sittings.remove(&connection)) {
                sat.over.store(true, Ordering::Relaxed);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Desked> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Desk({:?})", self.tag)
    }
}

impl Keeps for Desk {
    fn books(&self) -> Books {
        self.lock().keeper.books().clone()
    }
}

impl Desked {
    /// The plan, when the disk has another or none; a room that was over before it had a door has none.
    fn unkept(&self) -> Option<Plan> {
        (self.kept.as_ref() != Some(&self.plan)).then(|| self.plan.clone())
    }
}

impl Sat {
    fn hears(&self, now: Time) -> bool {
        let sent_at = self.sent_at.load(Ordering::Relaxed);
        sent_at > 0 && now.since(Time::from_nanos(sent_at)) <= HEARD_WITHIN
    }
}

/// A connection in its seat; dropping it ends that, and with a pass the seat waits for it a while.
pub struct Sitting {
    desk: Arc<Desk>,
    connection: Connection,
    sat: Arc<Sat>,
    why: Departure,
}

impl Sitting {
    /// Bytes of the program are handed to the connection now.
    pub fn sent(&self, now: Time) {
        self.sat.sent_at.store(now.nanos().max(1), Ordering::Relaxed);
    }

    /// Whether the seat is somebody else's now, so that the connection is to end.
    pub fn is_over(&self) -> bool {
        self.sat.over.load(Ordering::Relaxed)
    }

    /// From now on a departure has this reason.
    pub fn will_leave_for(&mut self, why: Departure) {
        self.why = why;
    }
}

impl Drop for Sitting {
    fn drop(&mut self) {
        let mut state = self.desk.lock();
        state.sittings.remove(&self.connection);
        match self.sat.pass {
            Some((serial, _)) => state.keeper.hang_up(serial, self.connection),
            None => state.keeper.go_without_ticket(self.connection, self.why),
        }
    }
}

fn issued(ticket: &Ticket) -> Issued {
    Issued { serial: ticket.serial, second: ticket.second }
}
