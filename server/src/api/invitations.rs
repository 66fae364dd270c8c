//! Invitations: a key for one guest or a few, made by who hosts and taken back without touching anybody
//! else's.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use tribune_core::reason::Refusal;
use tribune_core::room::{Act, Key, PersonId, PersonName, Role, may};

use super::audit::{self, Asked};
use super::auth::Shown;
use super::body::Json;
use super::links::with_key;
use super::manage::wall;
use super::{Api, Failure};
use crate::answer::{Path, json_of};
use crate::rooms::{self, Handle};
use crate::store::Invitation;

/// Invitations of one room.
pub const INVITATIONS_MAX: usize = 64;

/// For whom.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guest {
    role: String,
    label: Option<String>,
}

impl Guest {
    /// As what, and what it is called.
    pub fn read(self) -> Result<(Role, Option<String>), Failure> {
        let role = Role::from_word(&self.role).filter(|role| matches!(role, Role::Speaker | Role::CoHost));
        let role = role.ok_or_else(|| Failure::malformed("role: speaker or cohost"))?;
        let label = self.label.map(|label| {
            PersonName::parse(&label)
                .map(|label| label.as_str().to_owned())
                .ok_or_else(|| Failure::malformed("label: 1 to 40 characters, none that are not seen"))
        });
        Ok((role, label.transpose()?))
    }
}

/// What it takes to invite as `role`.
pub(super) const fn act_for(role: Role) -> Act {
    match role {
        Role::Listener | Role::Speaker => Act::InviteSpeaker,
        Role::CoHost | Role::Host => Act::InviteCoHost,
    }
}

/// The invitations of those roles that whoever asks may invite as.
pub async fn list(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
) -> Result<Response, Failure> {
    let room = api.room(&name)?;
    let who = api.door.allowed(&shown, Some(&room), Act::InviteSpeaker)?;
    let made = room.invitations();
    let theirs = made.iter().filter(|made| may(who.caller, act_for(made.role)));
    let all = theirs.map(|made| {
        json!({"id": made.id, "role": made.role, "label": made.label, "made_at": made.made_at.rfc3339()})
    });
    Ok(json_of(StatusCode::OK, &all.collect::<Vec<_>>()))
}

/// Makes one; its link is shown this once.
pub async fn add(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
    Json(body): Json<Guest>,
) -> Result<Response, Failure> {
    let room = api.room(&name)?;
    api.door.allowed(&shown, Some(&room), Act::InviteSpeaker)?;
    let (role, label) = body.read()?;
    let who = api.door.allowed(&shown, Some(&room), act_for(role))?;
    if room.invitations().len() >= INVITATIONS_MAX {
        let detail =
            format!("a room has at most {INVITATIONS_MAX} invitations: take back those that are used");
        return Err(Failure::new(Refusal::WrongState, detail));
    }
    let setup = api.rooms.setup();
    let key = Key::generate(setup.world.entropy());
    let id = PersonId::generate(setup.world.entropy()).as_str().to_owned();
    let invitation = Invitation { id, role, label, key: key.hash(), made_at: wall(&api) };
    let kept = setup.store.add_invitation(room.name().clone(), invitation.clone()).await;
    kept.map_err(|error| rooms::refusal_of(&error))?;
    room.set_invitations(|all| all.push(invitation.clone()));
    audit::note(&api, &room, Asked::invites(&who, act_for(role), &invitation), &Ok(())).await;
    let document = json!({
        "id": invitation.id,
        "role": role,
        "label": invitation.label,
        "link": with_key(room.name(), &key, &setup.config),
        "key": key.reveal(),
    });
    Ok(json_of(StatusCode::CREATED, &document))
}

/// Takes one back: whoever came by it is out at once.
pub async fn remove(
    State(api): State<Api>,
    Path((name, id)): Path<(String, String)>,
    shown: Shown,
) -> Result<StatusCode, Failure> {
    let room = api.room(&name)?;
    let mut who = api.door.allowed(&shown, Some(&room), Act::InviteSpeaker)?;
    let made = room.invitations().iter().find(|made| made.id == id).cloned();
    let made = made.ok_or(Failure::new(Refusal::NoSuchPage, "the room has no invitation of this id"))?;
    if made.role > Role::Speaker {
        who = api.door.allowed(&shown, Some(&room), act_for(made.role))?;
    }
    take_back(&api, &room, &made).await?;
    audit::note(&api, &room, Asked::takes_back(&who, act_for(made.role), &made), &Ok(())).await;
    Ok(StatusCode::NO_CONTENT)
}

/// An invitation opens nothing any longer, nor does what was opened with it.
pub(super) async fn take_back(api: &Api, room: &Handle, made: &Invitation) -> Result<(), Failure> {
    let store = &api.rooms.setup().store;
    let gone = store.remove_invitation(room.name().clone(), made.id.clone()).await;
    gone.map_err(|error| rooms::refusal_of(&error))?;
    room.set_invitations(|all| all.retain(|other| other.id != made.id));
    api.close(room.name(), (made.key, None), None).await
}
