//! New keys for old ones; the old ones are worth nothing from then on.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use tribune_core::room::{Act, Key, Role};

use super::auth::Shown;
use super::body::Json;
use super::manage::{keys_of, wall, write_audit};
use super::{Api, Failure};
use crate::answer::{Path, json_of};
use crate::rooms;
use crate::store::{Audit, RoomKeys};

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
    let caller = api.caller(&shown, Some(&room))?;
    Ok(json_of(StatusCode::OK, &json!({"role": caller.word()})))
}

pub async fn rotate(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
    Json(body): Json<Roles>,
) -> Result<Response, Failure> {
    let room = api.room(&name)?;
    let caller = api.allowed(&shown, Some(&room), Act::RotateKeys)?;
    let keys = fresh(&api, &body.roles)?;
    let hashes = RoomKeys(keys.iter().map(|(role, key)| (*role, key.hash())).collect());
    let kept = api.rooms.setup().store.put_keys(room.name().clone(), hashes.clone()).await;
    kept.map_err(|error| rooms::refusal_of(&error))?;
    room.set_keys(&hashes);
    let audit = Audit { at: wall(&api), caller, act: Act::RotateKeys.word(), outcome: "done" };
    write_audit(&api, &room, audit).await;
    Ok(json_of(StatusCode::OK, &json!({"keys": keys_of(&keys)})))
}

fn fresh(api: &Api, roles: &[String]) -> Result<Vec<(Role, Key)>, Failure> {
    if roles.is_empty() || roles.len() > Role::KEYED.len() {
        return Err(Failure::malformed("roles: name one to three of host, cohost, speaker"));
    }
    let key_of = |word: &String| {
        let role = Role::from_word(word).filter(|role| Role::KEYED.contains(role));
        let role =
            role.ok_or_else(|| Failure::malformed("roles: only host, cohost and speaker have keys"))?;
        Ok((role, Key::generate(api.rooms.setup().world.entropy())))
    };
    roles.iter().map(key_of).collect()
}
