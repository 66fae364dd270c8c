//! Server-sent events: every new status of a room, and its state when that changes.

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
use tribune_core::room::{Act, State as RoomState};

use super::auth::Shown;
use super::{Api, Failure};
use crate::answer::Path;
use crate::rooms::View;

/// Connections that listen to events at once, over all rooms.
pub const LISTENERS_MAX: usize = 256;
/// A comment is sent when nothing happened for so long, in seconds.
const KEEP_ALIVE_S: u64 = 15;

struct Listening {
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
    api.door.allowed(&shown, Some(&room), Act::Listen)?;
    let place = Arc::clone(&api.listeners).try_acquire_owned();
    let place =
        place.map_err(|_| Failure::new(Refusal::FullForNow, "too many connections listen to events"))?;
    let mut view = room.watch();
    view.mark_changed();
    let listening = Listening { view, state: None, _place: place };
    let events = stream::unfold(listening, next).flat_map(stream::iter);
    let alive = KeepAlive::new().interval(Duration::from_secs(KEEP_ALIVE_S));
    Ok(Sse::new(events).keep_alive(alive))
}

async fn next(mut listening: Listening) -> Option<(Vec<Result<Event, Infallible>>, Listening)> {
    listening.view.changed().await.ok()?;
    let view = Arc::clone(&listening.view.borrow_and_update());
    let mut events = Vec::new();
    if listening.state != Some(view.facts.state) {
        listening.state = Some(view.facts.state);
        events.push(Ok(Event::default().event("state").data(view.facts.state.word())));
    }
    let status = String::from_utf8_lossy(&view.status.bytes);
    events.push(Ok(Event::default().event("status").id(view.status.seq.to_string()).data(status)));
    Some((events, listening))
}
