//! New keys for old ones; the old ones are worth nothing from then on.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use tribune_core::room::{Act, Key, KeyHash, Role};

use super::audit::{self, Asked};
use super::auth::Shown;
use super::body::Json;
use super::manage::keys_of;
use super::{Api, Failure, Links, Who};
use crate::answer::{Path, json_of};
use crate::rooms::{self, Handle};
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

/// Whoever came by an old key is out at once; whoever replaced it stays, by the new one.
pub async fn rotate(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
    Json(body): Json<Roles>,
) -> Result<Response, Failure> {
    let room = api.room(&name)?;
    let who = api.door.allowed(&shown, Some(&room), Act::RotateKeys)?;
    let setup = api.rooms.setup();
    let mut roles = body.roles()?;
    roles.sort_unstable();
    roles.dedup();
    let keys: Vec<_> = roles.into_iter().map(|role| (role, Key::generate(setup.world.entropy()))).collect();
    let hashes = RoomKeys(keys.iter().map(|(role, key)| (*role, key.hash())).collect());
    let old: Vec<_> = hashes.0.iter().filter_map(|(role, new)| Some((room.key_of(*role)?, *new))).collect();
    let kept = setup.store.put_keys(room.name().clone(), hashes.clone()).await;
    kept.map_err(|error| rooms::refusal_of(&error))?;
    room.set_keys(&hashes);
    let result = replace(&api, &room, (&who, &old)).await;
    audit::note(&api, &room, Asked::of(&who, Act::RotateKeys.word()), &result).await;
    result?;
    let enter = Links::enter(room.name(), &keys, &setup.config);
    Ok(json_of(StatusCode::OK, &json!({"keys": keys_of(&keys), "enter": enter})))
}

async fn replace(
    api: &Api,
    room: &Handle,
    (who, keys): (&Who, &[(KeyHash, KeyHash)]),
) -> Result<(), Failure> {
    let stays = who.person.as_ref().map(|(person, _)| person.clone());
    for (old, new) in keys {
        api.door.with(|now, table| {
            let worn = table.find(now, &who.by).and_then(|found| found.badges.get(room.name()));
            if worn.is_some_and(|badge| badge.opened.by.is(old)) {
                table.move_badge(&who.by, room.name(), *new);
            }
        });
        api.close(room.name(), (*old, Some(*new)), stays.clone()).await?;
    }
    Ok(())
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
