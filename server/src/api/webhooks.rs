//! Who is told of a room's events.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use tribune_core::reason::Refusal;
use tribune_core::room::{Act, Key};

use super::audit::{self, Asked};
use super::auth::Shown;
use super::body::Json;
use super::{Api, Failure};
use crate::answer::{Path, json_of};
use crate::rooms;
use crate::store::Webhook;
use crate::webhook::is_url;

/// Webhooks of one room.
pub const WEBHOOKS_MAX: usize = 8;

/// Where to post to.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receiver {
    url: String,
}

pub async fn list(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
) -> Result<Response, Failure> {
    let room = api.room(&name)?;
    api.door.allowed(&shown, Some(&room), Act::SetWebhooks)?;
    let webhooks = room.webhooks();
    let shown: Vec<_> = webhooks.iter().map(|hook| json!({"id": hook.id, "url": hook.url})).collect();
    Ok(json_of(StatusCode::OK, &json!({"webhooks": shown})))
}

pub async fn add(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
    Json(body): Json<Receiver>,
) -> Result<Response, Failure> {
    let room = api.room(&name)?;
    let who = api.door.allowed(&shown, Some(&room), Act::SetWebhooks)?;
    let url = body.url()?;
    if room.webhooks().len() >= WEBHOOKS_MAX {
        return Err(Failure::new(Refusal::WrongState, format!("a room has at most {WEBHOOKS_MAX} webhooks")));
    }
    let secret = Key::generate(api.rooms.setup().world.entropy()).reveal().to_owned();
    let store = &api.rooms.setup().store;
    let kept = store.add_webhook(room.name().clone(), url.clone(), secret.clone()).await;
    let id = kept.map_err(|error| rooms::refusal_of(&error))?;
    let webhook = Webhook { id, url, secret };
    room.set_webhooks(|webhooks| webhooks.push(webhook.clone()));
    audit::note(&api, &room, Asked::of(&who, Act::SetWebhooks.word()), &Ok(())).await;
    let document = json!({"id": webhook.id, "url": webhook.url, "secret": webhook.secret});
    Ok(json_of(StatusCode::CREATED, &document))
}

impl Receiver {
    /// Where events are posted to.
    pub fn url(self) -> Result<String, Failure> {
        if is_url(&self.url) {
            return Ok(self.url);
        }
        Err(Failure::malformed("url must begin with http:// or https:// and name no user"))
    }
}

pub async fn remove(
    State(api): State<Api>,
    Path((name, id)): Path<(String, String)>,
    shown: Shown,
) -> Result<StatusCode, Failure> {
    let room = api.room(&name)?;
    let who = api.door.allowed(&shown, Some(&room), Act::SetWebhooks)?;
    let id: i64 = id.parse().map_err(|_| Failure::malformed("a webhook's id is a number"))?;
    if room.webhooks().iter().all(|hook| hook.id != id) {
        return Err(Failure::new(Refusal::NoSuchPage, "the room has no webhook of this id"));
    }
    let gone = api.rooms.setup().store.remove_webhook(room.name().clone(), id).await;
    gone.map_err(|error| rooms::refusal_of(&error))?;
    room.set_webhooks(|webhooks| webhooks.retain(|hook| hook.id != id));
    audit::note(&api, &room, Asked::of(&who, Act::SetWebhooks.word()), &Ok(())).await;
    Ok(StatusCode::NO_CONTENT)
}
