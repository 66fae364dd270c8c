//! Making, showing and removing rooms.

use axum::extract::State;
use axum::response::Response;
use http::header::LOCATION;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tribune_core::room::{Act, Key, Name, Role};
use tribune_core::time::WallTime;

use super::audit::{self, Asked};
use super::auth::Shown;
use super::body::{self, Json};
use super::{Api, Failure, Links};
use crate::answer::{Path, json_bytes, json_of};
use crate::rooms::{self, Handle, New};

/// Lines of the audit in one answer.
const AUDIT_LINES_SHOWN: u32 = 200;

/// What a room is made from.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRoom {
    title: String,
    room: Option<String>,
    starts_at: Option<String>,
    cap: Option<u32>,
    share: Option<u32>,
}

pub async fn create(
    State(api): State<Api>,
    shown: Shown,
    Json(body): Json<NewRoom>,
) -> Result<Response, Failure> {
    let who = api.door.allowed(&shown, None, Act::RunNode)?;
    let made = api.rooms.create(body.asked()?).await?;
    let name = made.room.name();
    audit::note(&api, &made.room, Asked::of(&who, "create"), &Ok(())).await;
    let links = Links::of(name, &api.rooms.setup().config);
    let enter = Links::enter(name, &made.keys, &api.rooms.setup().config);
    let document = json!({"room": name, "keys": keys_of(&made.keys), "links": links, "enter": enter});
    let mut answer = json_of(StatusCode::CREATED, &document);
    if let Ok(place) = HeaderValue::from_str(&format!("/api/v1/rooms/{name}")) {
        answer.headers_mut().insert(LOCATION, place);
    }
    Ok(answer)
}

impl NewRoom {
    /// What the rooms are asked to make.
    pub fn asked(self) -> Result<New, Failure> {
        let name = self.room.as_deref().map(Name::parse).transpose();
        let name = name.map_err(|error| Failure::malformed(format!("room: {error}")))?;
        let starts_at = self.starts_at.as_deref().map(|text| body::time("starts_at", text)).transpose()?;
        Ok(New { name, title: self.title, starts_at, cap: self.cap, share: self.share })
    }
}

pub async fn list(State(api): State<Api>, shown: Shown) -> Result<Response, Failure> {
    api.door.allowed(&shown, None, Act::RunNode)?;
    let at = |time: Option<WallTime>| time.map(WallTime::rfc3339);
    let rooms = api.rooms.list().into_iter().map(|room| {
        let facts = room.view().facts.clone();
        json!({
            "room": facts.name,
            "title": facts.title,
            "state": facts.state,
            "starts_at": at(facts.starts_at),
            "started_at": at(facts.started_at),
            "ended_at": at(facts.ended_at),
            "links": Links::of(&facts.name, &api.rooms.setup().config),
        })
    });
    let rooms: Vec<Value> = rooms.collect();
    Ok(json_of(StatusCode::OK, &json!({"rooms": rooms})))
}

/// The status, the same bytes as for everybody.
pub async fn show(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
) -> Result<Response, Failure> {
    let room = api.room(&name)?;
    api.door.allowed(&shown, Some(&room), Act::Listen)?;
    Ok(status_of(&room))
}

pub async fn links(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
) -> Result<Response, Failure> {
    let room = api.room(&name)?;
    api.door.allowed(&shown, Some(&room), Act::Listen)?;
    let links = Links::of(room.name(), &api.rooms.setup().config);
    Ok(json_of(StatusCode::OK, &links))
}

pub async fn remove(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
) -> Result<StatusCode, Failure> {
    let room = api.room(&name)?;
    let who = api.door.allowed(&shown, Some(&room), Act::DeleteRoom)?;
    let removed = api.rooms.remove(&room).await.map_err(Failure::from);
    audit::note(&api, &room, Asked::of(&who, Act::DeleteRoom.word()), &removed).await;
    removed?;
    api.door.with(|_, table| table.close_room(room.name()));
    // Keys of the room open nothing any longer either.
    api.door.look_again();
    api.shelf.forget(&name);
    Ok(StatusCode::NO_CONTENT)
}

pub async fn audit(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
) -> Result<Response, Failure> {
    api.door.allowed(&shown, None, Act::RunNode)?;
    let name = Name::parse(&name).map_err(|error| Failure::malformed(error.to_string()))?;
    let found = api.rooms.setup().store.audit_lines(name, AUDIT_LINES_SHOWN).await;
    let lines = found.map_err(|error| rooms::refusal_of(&error))?;
    let lines = lines.into_iter().map(|line| {
        json!({
            "at": line.at.rfc3339(),
            "by": line.caller,
            "person": line.person,
            "name": line.name,
            "act": line.act,
            "whom": line.whom.as_ref().map(|whom| &whom.id),
            "whom_name": line.whom.as_ref().map(|whom| &whom.name),
            "outcome": line.outcome,
            "message": audit::message(&line.outcome),
        })
    });
    Ok(json_of(StatusCode::OK, &json!({"audit": lines.collect::<Vec<_>>()})))
}

pub(super) fn status_of(room: &Handle) -> Response {
    json_bytes(StatusCode::OK, room.view().status.bytes.clone())
}

pub(super) fn keys_of(keys: &[(Role, Key)]) -> Map<String, Value> {
    keys.iter().map(|(role, key)| (role.word().to_owned(), json!(key.reveal()))).collect()
}

pub(super) fn wall(api: &Api) -> WallTime {
    api.rooms.setup().world.wall()
}
