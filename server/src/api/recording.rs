//! A room's recording: what there is of it, taking it home, taking a passage out, deleting it for good.
//!
//! Whatever waits for the disk does so on a thread of its own.

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::json;
use tribune_core::reason::Refusal;
use tribune_core::room::{self, Act, Replay, TITLE_CHARS_MAX};

use super::audit::{self, Asked};
use super::auth::Shown;
use super::body::Json;
use super::manage::wall;
use super::{Api, Failure};
use crate::answer::{Path, json_of};
use crate::recording::{Health, RedactError, ShelfError, export as tar_of};
use crate::rooms::Handle;

/// What is to be taken out.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Passage {
    from_s: f64,
    to_s: f64,
    why: String,
}

pub async fn show(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
) -> Result<Response, Failure> {
    let room = api.room(&name)?;
    api.door.allowed(&shown, Some(&room), Act::ExportRecording)?;
    let shelf = api.shelf.clone();
    let survey = on_the_disk(move || shelf.survey(&name)).await?.map_err(|error| ours(&error))?;
    let failing = room.view().program.as_ref().and_then(|program| match program.health() {
        Health::Healthy => None,
        Health::Failing { since, why, lost_parts } => {
            Some(json!({"since": since.rfc3339(), "why": why, "lost_parts": lost_parts}))
        }
    });
    let document = json!({
        "room": room.name(),
        "state": survey.state,
        "parts": survey.parts,
        "seconds": survey.seconds,
        "bytes": survey.bytes,
        "gaps": survey.gaps,
        "redactions": survey.redactions,
        "head": survey.head,
        "failing": failing,
    });
    Ok(json_of(StatusCode::OK, &document))
}

/// Deleted is deleted: the room's status says that there is no replay, and nothing brings it back.
pub async fn delete(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
) -> Result<StatusCode, Failure> {
    let room = api.room(&name)?;
    let who = api.door.allowed(&shown, Some(&room), Act::DeleteRecording)?;
    let deleted = delete_closed(&api, &room).await;
    audit::note(&api, &room, Asked::of(&who, Act::DeleteRecording.word()), &deleted).await;
    deleted?;
    Ok(StatusCode::NO_CONTENT)
}

pub async fn redact(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
    Json(passage): Json<Passage>,
) -> Result<Response, Failure> {
    let room = api.room(&name)?;
    let who = api.door.allowed(&shown, Some(&room), Act::RedactRecording)?;
    let redacted = redact_closed(&api, &room, passage).await;
    audit::note(&api, &room, Asked::of(&who, Act::RedactRecording.word()), &redacted).await;
    redacted
}

/// A tar of both files, the seal, and how to verify them.
pub async fn export(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
) -> Result<Response, Failure> {
    let room = api.room(&name)?;
    let who = api.door.allowed(&shown, Some(&room), Act::ExportRecording)?;
    let shelf = api.shelf.clone();
    let replay = on_the_disk(move || shelf.replay(&name)).await?;
    let tar = replay.as_ref().and_then(tar_of).ok_or(Failure::of(Refusal::NoRecording));
    audit::note(&api, &room, Asked::of(&who, Act::ExportRecording.word()), &tar).await;
    let mut answer = Response::new(Body::from_stream(tar?));
    let head = answer.headers_mut();
    head.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-tar"));
    head.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(file) = HeaderValue::from_str(&format!("attachment; filename=\"{}.tar\"", room.name())) {
        head.insert(CONTENT_DISPOSITION, file);
    }
    Ok(answer)
}

async fn delete_closed(api: &Api, room: &Handle) -> Result<(), Failure> {
    require_closed(room).or_else(|failure| match failure.reason() {
        // What was deleted may be deleted again; the shelf knows whether there ever was anything.
        Refusal::NoRecording => Ok(()),
        _ => Err(failure),
    })?;
    let (shelf, name) = (api.shelf.clone(), room.name().to_string());
    on_the_disk(move || shelf.delete(&name)).await?.map_err(|error| match error {
        ShelfError::NotThere => Failure::of(Refusal::NoRecording),
        ShelfError::Io { .. } | ShelfError::Redact(_) => ours(&error),
    })?;
    room.recording_deleted().await;
    let mut view = room.watch();
    // A room whose task is gone says nothing new; its recording is deleted all the same.
    let _ = view.wait_for(|view| view.facts.replay != Replay::Ready).await;
    Ok(())
}

async fn redact_closed(api: &Api, room: &Handle, passage: Passage) -> Result<Response, Failure> {
    require_closed(room)?;
    let (seconds, why) = passage.seconds()?;
    let (shelf, key) = (api.shelf.clone(), api.rooms.setup().key.clone());
    let (name, said) = (room.name().to_string(), (wall(api), why));
    let mark = on_the_disk(move || shelf.redact((&name, &key), seconds, said)).await?;
    let mark = mark.map_err(|error| match &error {
        RedactError::Outside { .. } => Failure::malformed(error.to_string()),
        RedactError::TooMany | RedactError::StillOpen => Failure::new(Refusal::WrongState, error.to_string()),
        RedactError::Open(_) | RedactError::Io(_) => ours(&error),
    })?;
    room.redacted().await;
    let document = json!({
        "at_s": mark.at_s(),
        "seconds": mark.seconds(),
        "why": mark.why,
        "at": mark.at.rfc3339(),
    });
    Ok(json_of(StatusCode::OK, &document))
}

impl Passage {
    /// From when to when, in seconds of the replay, and why.
    pub fn seconds(self) -> Result<((f64, f64), String), Failure> {
        if !room::is_title(&self.why) {
            let detail = format!("why has 1 to {TITLE_CHARS_MAX} characters and no control characters");
            return Err(Failure::malformed(detail));
        }
        if !(self.from_s >= 0.0 && self.to_s > self.from_s) {
            return Err(Failure::malformed("from_s is 0 or more, and to_s is after it"));
        }
        Ok(((self.from_s, self.to_s), self.why))
    }
}

fn require_closed(room: &Handle) -> Result<(), Failure> {
    let facts = &room.view().facts;
    match (facts.state, facts.replay) {
        (room::State::Ended, Replay::Ready) => Ok(()),
        (room::State::Ended, Replay::Absent) => Err(Failure::of(Refusal::NoRecording)),
        (room::State::Ended, Replay::NotYet)
        | (room::State::Scheduled | room::State::Boarding | room::State::Live, _) => {
            let detail = "the room has not ended, or its recording is still being closed";
            Err(Failure::new(Refusal::WrongState, detail))
        }
    }
}

async fn on_the_disk<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.map_err(|error| ours(&error))
}

fn ours(error: &dyn std::error::Error) -> Failure {
    tracing::error!(%error, "recording_failed");
    Failure::new(Refusal::OurFault, error.to_string())
}
