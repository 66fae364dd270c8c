//! Server-sent events: every new status of a room, and its state when that changes. Whoever is signed out
//! meanwhile is told so, and hears no more.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::Stream;
use futures_util::stream::{self, StreamExt};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tribune_core::reason::Refusal;
use tribune_core::room::{Act, KeyHash, State as RoomState};

use super::auth::Shown;
use super::{Api, Failure, StageDoor};
use crate::answer::Path;
use crate::rooms::{Handle, View};

/// Connections that listen to events at once, over all rooms.
pub const LISTENERS_MAX: usize = 256;
/// A comment is sent when nothing happened for so long, in seconds.
const KEEP_ALIVE_S: u64 = 15;

struct Listening {
    door: StageDoor,
    room: Arc<Handle>,
    by: KeyHash,
    changes: watch::Receiver<u64>,
    view: watch::Receiver<Arc<View>>,
    state: Option<RoomState>,
    _place: OwnedSemaphorePermit,
}

pub async fn events(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Failure> {
    let room = api.room(&name)?;
    // Before who it is is known, so that nothing that changes from here on is missed.
    let changes = api.door.changes();
    let by = api.door.allowed(&shown, Some(&room), Act::Listen)?.by;
    let place = Arc::clone(&api.listeners).try_acquire_owned();
    let place =
        place.map_err(|_| Failure::new(Refusal::FullForNow, "too many connections listen to events"))?;
    let mut view = room.watch();
    view.mark_changed();
    let door = api.door.clone();
    let listening = Listening { door, room, by, changes, view, state: None, _place: place };
    let events = stream::unfold(Some(listening), next).flat_map(stream::iter);
    let alive = KeepAlive::new().interval(Duration::from_secs(KEEP_ALIVE_S));
    Ok(Sse::new(events).keep_alive(alive))
}

type Told = Vec<Result<Event, Infallible>>;

async fn next(listening: Option<Listening>) -> Option<(Told, Option<Listening>)> {
    let mut listening = listening?;
    loop {
        let Listening { door, room, by, changes, view, .. } = &mut listening;
        tokio::select! {
            changed = view.changed() => {
                changed.ok()?;
                return Some((listening.tell(), Some(listening)));
            }
            changed = changes.changed() => {
                changed.ok()?;
                if door.still(room, by).is_none() {
                    return Some((vec![Ok(Event::default().event("signed_out").data("{}"))], None));
                }
            }
        }
    }
}

impl Listening {
    fn tell(&mut self) -> Told {
        let view = Arc::clone(&self.view.borrow_and_update());
        let mut events = Vec::new();
        if self.state != Some(view.facts.state) {
            self.state = Some(view.facts.state);
            events.push(Ok(Event::default().event("state").data(view.facts.state.word())));
        }
        let status = String::from_utf8_lossy(&view.status.bytes);
        events.push(Ok(Event::default().event("status").id(view.status.seq.to_string()).data(status)));
        events
    }
}
