//! Server-sent events: every new status of a room, and its state when that changes; for those on the stage
//! also the stage, and who begins and ends to speak. Whose stage it is no longer is told why, and hears no
//! more.

use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::Stream;
use futures_util::stream;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tribune_core::guard::live::home;
use tribune_core::reason::Refusal;
use tribune_core::room::{Act, KeyHash, PersonId, State as RoomState};
use tribune_core::time::Time;

use super::auth::Shown;
use super::floor::{as_seen_by, not_sent_away, sees};
use super::{Api, Failure, Share, StageDoor, Who};
use crate::answer::Path;
use crate::rooms::{Floor, Handle, Shown as ShownStage, View};
use crate::world::World;

/// Connections of people on a stage, and of the operator, that listen to events at once, over all rooms.
pub const LISTENERS_MAX: usize = 256;
/// Connections of anybody else; they never take a place from those on a stage.
pub const STRANGERS_MAX: usize = 64;
/// Of these, connections of one sign-in or key, and of anybody else of one network.
pub const SHARE_MAX: usize = 8;
/// That the stream lives is said when nothing happened for so long, in seconds. It is an event and no
/// comment, because a page is told of no comment and would take a dead stream for a quiet one.
const ALIVE_EVERY_S: u64 = 15;
/// The stage is told at most this often.
const STAGE_EVERY: Duration = Duration::from_millis(100);

/// Who listens, as far as shares go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listener {
    /// Somebody of a stage, by what they showed.
    Known([u8; 32]),
    /// Anybody, by their network.
    Stranger(IpAddr),
}

/// Why somebody's stream ends for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gone {
    /// A host has sent them away.
    Removed,
    /// The floor they were given is not theirs any more.
    FloorLost,
    /// They signed out, were signed out, or what they came by was taken back.
    SignedOut,
}

impl Gone {
    fn event(self) -> Event {
        let why = match self {
            Self::Removed => "removed",
            Self::FloorLost => "floor_lost",
            Self::SignedOut => "signed_out",
        };
        Event::default().event("gone").data(json!({"why": why}).to_string())
    }
}

/// What streams of this node say when nothing happens.
pub fn alive() -> KeepAlive {
    let event = Event::default().event("alive").data("{}");
    KeepAlive::new().interval(Duration::from_secs(ALIVE_EVERY_S)).event(event)
}

struct Listening {
    door: StageDoor,
    room: Arc<Handle>,
    by: KeyHash,
    person: Option<PersonId>,
    changes: watch::Receiver<u64>,
    view: watch::Receiver<Arc<View>>,
    state: Option<RoomState>,
    stage: Option<Watching>,
    ready: VecDeque<Event>,
    _place: OwnedSemaphorePermit,
    _share: Share<Listener>,
}

/// Of somebody who sees the stage.
struct Watching {
    who: Who,
    shown: watch::Receiver<Arc<ShownStage>>,
    speaking: watch::Receiver<Arc<BTreeSet<PersonId>>>,
    told: Arc<BTreeSet<PersonId>>,
    world: World,
    not_before: Time,
}

enum Woken {
    Door(bool),
    Status(bool),
    Stage,
    Speaking,
    Over,
}

pub async fn events(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    let room = api.room(&name)?;
    // Before who it is is known, so that nothing that changes from here on is missed.
    let changes = api.door.changes();
    let who = api.door.allowed(&shown, Some(&room), Act::Listen)?;
    not_sent_away(&room.floor().shown(), &who)?;
    let places = if sees(who.caller) { &api.listeners } else { &api.strangers };
    let place = Arc::clone(places).try_acquire_owned();
    let place =
        place.map_err(|_| Failure::new(Refusal::FullForNow, "too many connections listen to events"))?;
    let listener =
        if sees(who.caller) { Listener::Known(who.by.0) } else { Listener::Stranger(home(shown.from)) };
    let share = api.shares.take(listener);
    let share =
        share.ok_or(Failure::new(Refusal::Busy, "you listen to events on as many connections as one may"))?;
    let mut view = room.watch();
    view.mark_changed();
    let person = who.person.as_ref().map(|(id, _)| id.clone());
    let (door, by) = (api.door.clone(), who.by);
    let stage = sees(who.caller).then(|| Watching::new(room.floor(), who, api.rooms.setup().world));
    let ready = VecDeque::new();
    let listening = Listening {
        door,
        room,
        by,
        person,
        changes,
        view,
        state: None,
        stage,
        ready,
        _place: place,
        _share: share,
    };
    let events = stream::unfold(Some(listening), next);
    Ok(Sse::new(events).keep_alive(alive()))
}

async fn next(listening: Option<Listening>) -> Option<(Result<Event, Infallible>, Option<Listening>)> {
    let mut listening = listening?;
    loop {
        if let Some(event) = listening.ready.pop_front() {
            return Some((Ok(event), Some(listening)));
        }
        if let Next::Gone(why) = listening.wait().await? {
            return Some((Ok(why.event()), None));
        }
    }
}

enum Next {
    GoOn,
    Gone(Gone),
}

impl Listening {
    /// Until there is something to say, or nothing more ever.
    async fn wait(&mut self) -> Option<Next> {
        let woken = tokio::select! {
            biased;
            changed = self.changes.changed() => Woken::Door(changed.is_ok()),
            woken = watched(&mut self.stage) => woken,
            status = self.view.changed() => Woken::Status(status.is_ok()),
        };
        match (woken, &mut self.stage) {
            (Woken::Over, _) | (Woken::Status(false) | Woken::Door(false), _) => return None,
            (Woken::Door(true), stage) => {
                let still = self.door.still(&self.room, &self.by);
                let Some(who) = still else { return Some(Next::Gone(self.why_gone())) };
                if let Some(stage) = stage {
                    stage.who = who;
                    stage.shown.mark_changed();
                }
            }
            (Woken::Status(true), _) => self.tell_status(),
            (Woken::Stage, Some(stage)) => match stage.tell() {
                Some(event) => self.ready.push_back(event),
                None => return Some(Next::Gone(self.why_gone())),
            },
            (Woken::Speaking, Some(stage)) => self.ready.extend(stage.tell_speaking()),
            (Woken::Stage | Woken::Speaking, None) => {}
        }
        Some(Next::GoOn)
    }

    /// Whoever is removed is signed out as well: the reason comes first.
    fn why_gone(&self) -> Gone {
        match &self.person {
            Some(id) if self.room.floor().shown().removed.contains(id) => Gone::Removed,
            Some(id) if id.is_guest() => Gone::FloorLost,
            Some(_) | None => Gone::SignedOut,
        }
    }

    fn tell_status(&mut self) {
        let view = Arc::clone(&self.view.borrow_and_update());
        if self.state != Some(view.facts.state) {
            self.state = Some(view.facts.state);
            self.ready.push_back(Event::default().event("state").data(view.facts.state.word()));
        }
        let status = String::from_utf8_lossy(&view.status.bytes);
        let event = Event::default().event("status").id(view.status.seq.to_string()).data(status);
        self.ready.push_back(event);
    }
}

impl Watching {
    fn new(floor: &Floor, who: Who, world: World) -> Self {
        let (mut shown, speaking) = (floor.watch(), floor.watch_speaking());
        shown.mark_changed();
        let told = Arc::clone(&speaking.borrow());
        Self { who, shown, speaking, told, world, not_before: world.now() }
    }

    /// `None` once the stage is not theirs to see any more.
    fn tell(&mut self) -> Option<Event> {
        let shown = Arc::clone(&self.shown.borrow_and_update());
        not_sent_away(&shown, &self.who).ok()?;
        self.not_before = self.world.now() + STAGE_EVERY;
        Some(Event::default().event("stage").data(as_seen_by(&shown, &self.who).to_string()))
    }

    fn tell_speaking(&mut self) -> Vec<Event> {
        let now = Arc::clone(&self.speaking.borrow_and_update());
        let changed = now.symmetric_difference(&self.told);
        let event = |id: &PersonId| {
            let said = json!({"id": id.as_str(), "speaking": now.contains(id)});
            Event::default().event("speaking").data(said.to_string())
        };
        let events = changed.map(event).collect();
        self.told = now;
        events
    }
}

/// Of somebody who sees the stage: waits until something on it is to be told.
async fn watched(stage: &mut Option<Watching>) -> Woken {
    let Some(stage) = stage else { return std::future::pending().await };
    tokio::select! {
        biased;
        speaking = stage.speaking.changed() => if speaking.is_ok() { Woken::Speaking } else { Woken::Over },
        settled = settled(&mut stage.shown, stage.world.instant(stage.not_before)) => {
            if settled.is_some() { Woken::Stage } else { Woken::Over }
        }
    }
}

/// Waits for a change, and for the time at which it may be told; what changes meanwhile is told with it.
async fn settled(shown: &mut watch::Receiver<Arc<ShownStage>>, not_before: Option<Instant>) -> Option<()> {
    shown.changed().await.ok()?;
    shown.mark_changed();
    tokio::time::sleep_until(not_before?.into()).await;
    Some(())
}
