//! What is heard on hold: the room's own sound for the node's, and back.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use tribune_core::mix::HoldSound;
use tribune_core::reason::Refusal;
use tribune_core::room::{self, Act};

use super::audit::{self, Asked};
use super::auth::Shown;
use super::{Api, Failure};
use crate::answer::Path;
use crate::program::{HOLD_BYTES_MAX, hold};
use crate::rooms::{Handle, Rooms};

/// Sounds that are taken at a time on a node; each is in memory twice, as a file and as samples.
pub const HOLDS_TAKEN_MAX: usize = 4;

/// How long a sound may take to come: the largest at 2 Mbit/s.
const SOUND_WAIT: Duration = Duration::from_secs(120);

pub async fn set(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
    request: Request,
) -> Result<StatusCode, Failure> {
    let room = api.room(&name)?;
    let who = api.door.allowed(&shown, Some(&room), Act::SetHold)?;
    let place = Arc::clone(&api.holds).try_acquire_owned();
    let _place = place.map_err(|_| Failure::new(Refusal::Busy, "too many hold sounds come at once"))?;
    let set = take(&api, &room, request).await;
    audit::note(&api, &room, Asked::of(&who, Act::SetHold.word()), &set).await;
    set.map(|()| StatusCode::NO_CONTENT)
}

/// That the room has no sound of its own is what was asked for.
pub async fn unset(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
) -> Result<StatusCode, Failure> {
    let room = api.room(&name)?;
    let who = api.door.allowed(&shown, Some(&room), Act::SetHold)?;
    let unset = room.hold(None).await.map_err(Failure::from);
    audit::note(&api, &room, Asked::of(&who, Act::SetHold.word()), &unset).await;
    unset.map(|()| StatusCode::NO_CONTENT)
}

async fn take(api: &Api, room: &Arc<Handle>, request: Request) -> Result<(), Failure> {
    if room.view().facts.state == room::State::Ended {
        return Err(Failure::of(Refusal::RoomEnded));
    }
    let wav = body(request).await?;
    let (rooms, room, writing) = (api.rooms.clone(), Arc::clone(room), Arc::clone(&api.hold_writing));
    // A client that leaves now does not leave a file half written while the next one is.
    let keeping = tokio::spawn(async move {
        let _alone = writing.lock().await;
        keep(&rooms, &room, wav).await
    });
    keeping.await.map_err(|error| ours(&error))?
}

async fn body(request: Request) -> Result<axum::body::Bytes, Failure> {
    let kind = request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !["audio/wav", "audio/x-wav", "audio/wave"].iter().any(|wav| kind.eq_ignore_ascii_case(wav)) {
        return Err(Failure::malformed("a hold sound must come with `Content-Type: audio/wav`"));
    }
    let reading = axum::body::to_bytes(request.into_body(), HOLD_BYTES_MAX);
    tokio::time::timeout(SOUND_WAIT, reading)
        .await
        .map_err(|_| Failure::malformed(format!("the sound did not come within {SOUND_WAIT:?}")))?
        // A connection that broke looks the same here; nobody reads that answer.
        .map_err(|_| {
            let detail = format!("a hold sound has at most {HOLD_BYTES_MAX} bytes");
            Failure::new(Refusal::TooLarge, detail)
        })
}

/// Reads the sound and writes it down on a thread of its own, then gives it to the room.
async fn keep(rooms: &Rooms, room: &Handle, wav: axum::body::Bytes) -> Result<(), Failure> {
    let folder = rooms.folder(room.name());
    let written = tokio::task::spawn_blocking({
        let folder = folder.clone();
        move || -> Result<HoldSound, Failure> {
            let sound =
                hold::read(&wav).map_err(|error| Failure::malformed(format!("the WAV file: {error}")))?;
            hold::write(&folder, &wav).map_err(|error| ours(&error))?;
            Ok(sound)
        }
    });
    let sound = written.await.map_err(|error| ours(&error))??;
    let given = room.hold(Some(sound)).await;
    if given.is_err() {
        hold::forget(&folder);
    }
    given.map_err(Failure::from)
}

fn ours(error: &dyn std::error::Error) -> Failure {
    tracing::error!(%error, "hold_sound_not_kept");
    Failure::new(Refusal::OurFault, error.to_string())
}
