//! New keys for old ones; the old ones are worth nothing from then on.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use tribune_core::room::{Act, Key, Role};

use super::auth::Shown;
use super::body::Json;
use super::manage::keys_of;
use super::{Api, Failure, audit};
use crate::answer::{Path, json_of};
use crate::rooms;
use crate::store::RoomKeys;

/// Whose keys to replace.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    roles: Vec<String>,
}

/// What the key that came is good for.
pub async fn whoami(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
) -> Result<Response, Failure> {
    let room = api.room(&name)?;
    let who = api.door.who(&shown, Some(&room))?;
    Ok(json_of(StatusCode::OK, &json!({"role": who.caller.word()})))
}

pub async fn rotate(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
    Json(body): Json<Roles>,
) -> Result<Response, Failure> {
    let room = api.room(&name)?;
    let who = api.door.allowed(&shown, Some(&room), Act::RotateKeys)?;
    let world = api.rooms.setup().world;
    let keys: Vec<_> = body.roles()?.into_iter().map(|role| (role, Key::generate(world.entropy()))).collect();
    let hashes = RoomKeys(keys.iter().map(|(role, key)| (*role, key.hash())).collect());
    let kept = api.rooms.setup().store.put_keys(room.name().clone(), hashes.clone()).await;
    kept.map_err(|error| rooms::refusal_of(&error))?;
    room.set_keys(&hashes);
    audit::note(&api, &room, (&who, Act::RotateKeys.word()), &Ok(())).await;
    Ok(json_of(StatusCode::OK, &json!({"keys": keys_of(&keys)})))
}

impl Roles {
    /// The roles that have keys.
    pub fn roles(&self) -> Result<Vec<Role>, Failure> {
        if self.roles.is_empty() || self.roles.len() > Role::KEYED.len() {
            return Err(Failure::malformed("roles: name one to three of host, cohost, speaker"));
        }
        let role_of = |word: &String| {
            let role = Role::from_word(word).filter(|role| Role::KEYED.contains(role));
            role.ok_or_else(|| Failure::malformed("roles: only host, cohost and speaker have keys"))
        };
        self.roles.iter().map(role_of).collect()
    }
}
