//! Server-sent events: every new status of a room, and its state when that changes; for those on the stage
//! also the stage, and who begins and ends to speak.

use std::collections::{BTreeSet, VecDeque};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::Stream;
use futures_util::stream;
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::Instant;
use tribune_core::reason::Refusal;
use tribune_core::room::{Act, PersonId, State as RoomState};

use super::auth::Shown;
use super::floor::{as_seen_by, not_sent_away, sees};
use super::{Api, Failure, Who};
use crate::answer::Path;
use crate::rooms::{Floor, Shown as ShownStage, View};

/// Connections that listen to events at once, over all rooms.
pub const LISTENERS_MAX: usize = 256;
/// A comment is sent when nothing happened for so long, in seconds.
const KEEP_ALIVE_S: u64 = 15;
/// The stage is told at most this often.
const STAGE_EVERY: Duration = Duration::from_millis(100);

struct Listening {
    view: watch::Receiver<Arc<View>>,
    state: Option<RoomState>,
    stage: Option<Watching>,
    ready: VecDeque<Event>,
    _place: OwnedSemaphorePermit,
}

/// Of somebody who sees the stage.
struct Watching {
    who: Who,
    shown: watch::Receiver<Arc<ShownStage>>,
    speaking: watch::Receiver<Arc<BTreeSet<PersonId>>>,
    told: Arc<BTreeSet<PersonId>>,
    not_before: Instant,
}

enum Woken {
    Status(bool),
    Stage(bool),
    Speaking(bool),
}

pub async fn events(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    let room = api.room(&name)?;
    let who = api.door.allowed(&shown, Some(&room), Act::Listen)?;
    not_sent_away(&room.floor().shown(), &who)?;
    let place = Arc::clone(&api.listeners).try_acquire_owned();
    let place =
        place.map_err(|_| Failure::new(Refusal::FullForNow, "too many connections listen to events"))?;
    let mut view = room.watch();
    view.mark_changed();
    let stage = sees(who.caller).then(|| Watching::new(room.floor(), who));
    let listening = Listening { view, state: None, stage, ready: VecDeque::new(), _place: place };
    let events = stream::unfold(listening, next);
    let alive = KeepAlive::new().interval(Duration::from_secs(KEEP_ALIVE_S));
    Ok(Sse::new(events).keep_alive(alive))
}

async fn next(mut listening: Listening) -> Option<(Result<Event, Infallible>, Listening)> {
    loop {
        if let Some(event) = listening.ready.pop_front() {
            return Some((Ok(event), listening));
        }
        listening.wait().await?;
    }
}

impl Listening {
    /// Until there is something to say, or nothing more ever.
    async fn wait(&mut self) -> Option<()> {
        let woken = match &mut self.stage {
            None => Woken::Status(self.view.changed().await.is_ok()),
            Some(stage) => tokio::select! {
                biased;
                speaking = stage.speaking.changed() => Woken::Speaking(speaking.is_ok()),
                shown = settled(&mut stage.shown, stage.not_before) => Woken::Stage(shown),
                status = self.view.changed() => Woken::Status(status.is_ok()),
            },
        };
        match (woken, &mut self.stage) {
            (Woken::Status(false) | Woken::Stage(false) | Woken::Speaking(false), _) => return None,
            (Woken::Status(true), _) => self.tell_status(),
            (Woken::Stage(true), Some(stage)) => self.ready.push_back(stage.tell()?),
            (Woken::Speaking(true), Some(stage)) => self.ready.extend(stage.tell_speaking()),
            (Woken::Stage(true) | Woken::Speaking(true), None) => {}
        }
        Some(())
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
    fn new(floor: &Floor, who: Who) -> Self {
        let (mut shown, speaking) = (floor.watch(), floor.watch_speaking());
        shown.mark_changed();
        let told = Arc::clone(&speaking.borrow());
        Self { who, shown, speaking, told, not_before: Instant::now() }
    }

    /// `None` once they were sent away.
    fn tell(&mut self) -> Option<Event> {
        let shown = Arc::clone(&self.shown.borrow_and_update());
        not_sent_away(&shown, &self.who).ok()?;
        self.not_before = Instant::now() + STAGE_EVERY;
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

/// Whether the stage goes on: waits for a change, and for the time at which it may be told.
async fn settled(shown: &mut watch::Receiver<Arc<ShownStage>>, not_before: Instant) -> bool {
    if shown.has_changed().is_ok_and(|changed| !changed) {
        let changed = shown.changed().await.is_ok();
        if !changed {
            return false;
        }
        shown.mark_changed();
    }
    tokio::time::sleep_until(not_before).await;
    shown.has_changed().is_ok()
}
