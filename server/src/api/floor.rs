//! The stage: who is on it, and what its people may do to each other and to themselves.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};
use tribune_core::reason::Refusal;
use tribune_core::room::floor::{By, Command, Mute};
use tribune_core::room::{Act, Caller, PersonId, Role, may};

use super::audit::{self, Asked};
use super::auth::Shown;
use super::body::{self, Json};
use super::{Api, Failure, Who, removal};
use crate::answer::{Path, json_of};
use crate::rooms::{Handle, Shown as ShownStage};

/// Somebody else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whom {
    person: String,
}

/// Whom to mute, or no more; oneself when nobody is named.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Muting {
    person: Option<String>,
    muted: bool,
}

/// What somebody is from now on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewRole {
    person: String,
    role: String,
}

/// Nothing to say; an empty body or `{}`.
pub struct Nothing;

impl<S: Sync> axum::extract::FromRequest<S> for Nothing {
    type Rejection = Failure;

    async fn from_request(request: axum::extract::Request, _: &S) -> Result<Self, Failure> {
        let bytes = axum::body::to_bytes(request.into_body(), body::BODY_BYTES_MAX).await;
        let bytes = bytes.map_err(|_| Failure::of(Refusal::TooLarge))?;
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self);
        }
        let fields: std::collections::BTreeMap<String, IgnoredAny> = body::read(&bytes)?;
        if fields.is_empty() { Ok(Self) } else { Err(Failure::malformed("this takes no body, or {}")) }
    }
}

pub async fn show(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
) -> Result<Response, Failure> {
    let room = api.room(&name)?;
    let who = api.door.allowed(&shown, Some(&room), Act::SeeStage)?;
    Ok(json_of(StatusCode::OK, &seen(&room, &who)?))
}

pub async fn request(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
    _: Nothing,
) -> Result<Response, Failure> {
    ask((&api, &name), &shown, Command::Request).await
}

pub async fn release(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
    _: Nothing,
) -> Result<Response, Failure> {
    ask((&api, &name), &shown, Command::Release).await
}

pub async fn grant(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
    Json(whom): Json<Whom>,
) -> Result<Response, Failure> {
    ask((&api, &name), &shown, Command::Grant(whom.id()?)).await
}

pub async fn decline(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
    Json(whom): Json<Whom>,
) -> Result<Response, Failure> {
    ask((&api, &name), &shown, Command::Decline(whom.id()?)).await
}

pub async fn revoke(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
    Json(whom): Json<Whom>,
) -> Result<Response, Failure> {
    ask((&api, &name), &shown, Command::Revoke(whom.id()?)).await
}

pub async fn remove(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
    Json(whom): Json<Whom>,
) -> Result<Response, Failure> {
    ask((&api, &name), &shown, Command::Remove(whom.id()?)).await
}

pub async fn mute(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
    Json(muting): Json<Muting>,
) -> Result<Response, Failure> {
    let way = if muting.muted { Mute::On } else { Mute::Off };
    let Some(person) = muting.person else {
        return ask((&api, &name), &shown, Command::MuteSelf(way)).await;
    };
    let whom = id_of(&person)?;
    let room = api.room(&name)?;
    let who = api.door.who(&shown, Some(&room))?;
    // Whoever names themselves means themselves.
    let is_self = who.person.as_ref().is_some_and(|(id, _)| *id == whom);
    let command = if is_self { Command::MuteSelf(way) } else { Command::Mute(whom, way) };
    ask_as(&api, &room, (&who, command)).await
}

pub async fn role(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
    Json(new): Json<NewRole>,
) -> Result<Response, Failure> {
    let role = Role::from_word(&new.role).filter(|role| matches!(role, Role::Speaker | Role::CoHost));
    let role = role.ok_or_else(|| Failure::malformed("role: speaker or cohost"))?;
    ask((&api, &name), &shown, Command::Appoint(id_of(&new.person)?, role)).await
}

impl Whom {
    fn id(&self) -> Result<PersonId, Failure> {
        id_of(&self.person)
    }
}

fn id_of(text: &str) -> Result<PersonId, Failure> {
    PersonId::parse(text).ok_or(Failure::of(Refusal::PersonUnknown))
}

async fn ask((api, name): (&Api, &str), shown: &Shown, command: Command) -> Result<Response, Failure> {
    let room = api.room(name)?;
    let who = api.door.who(shown, Some(&room))?;
    ask_as(api, &room, (&who, command)).await
}

/// Asks the stage, writes down who asked and what came of it, and answers with what they see now.
async fn ask_as(api: &Api, room: &Handle, (who, command): (&Who, Command)) -> Result<Response, Failure> {
    not_sent_away(&room.floor().shown(), who)?;
    // Nobody is ever kept from closing their own microphone.
    if !matches!(command, Command::MuteSelf(Mute::On)) {
        api.door.pace(who)?;
    }
    let (act, whom) = (command.word(), command.whom().map(|id| audit::person(room, id)));
    // Whoever holds a key to speak would fill the audit with it, and it is nobody else's affair.
    let is_told = !matches!(command, Command::MuteSelf(_));
    let signs = Signs::of(room, &command);
    let by = By { caller: who.caller, person: who.person.as_ref().map(|(id, _)| id.clone()) };
    let result = room.floor().command(by, command).await.map_err(Failure::from);
    if is_told {
        audit::note(api, room, Asked::to(who, act, whom), &result).await;
    }
    result?;
    let mut view = seen(room, who)?;
    match signs {
        Signs::Out(person, role) => removal::send_away(api, room, (who, &person, role)).await?.say(&mut view),
        Signs::Role(person, role) => api.door.set_role(room.name(), &person, role).await?,
        Signs::Nothing => {}
    }
    Ok(json_of(StatusCode::OK, &view))
}

/// What an act means for those who are signed in.
enum Signs {
    Nothing,
    /// And what they were.
    Out(PersonId, Option<Role>),
    Role(PersonId, Role),
}

impl Signs {
    fn of(room: &Handle, command: &Command) -> Self {
        match command {
            Command::Remove(whom) => Self::Out(whom.clone(), room.floor().shown().stage.role_of(whom)),
            Command::Appoint(whom, role) => Self::Role(whom.clone(), *role),
            Command::Ask { .. }
            | Command::Request
            | Command::Release
            | Command::Grant(_)
            | Command::Decline(_)
            | Command::Revoke(_)
            | Command::MuteSelf(_)
            | Command::Mute(..)
            | Command::Rename(_) => Self::Nothing,
        }
    }
}

fn seen(room: &Handle, who: &Who) -> Result<Value, Failure> {
    let shown = room.floor().shown();
    not_sent_away(&shown, who)?;
    Ok(as_seen_by(&shown, who))
}

/// The stage as one of its people sees it: the same for all, and who they are.
pub(super) fn as_seen_by(shown: &ShownStage, who: &Who) -> Value {
    let mut view = serde_json::to_value(&shown.stage).unwrap_or_default();
    view["you"] = json!(who.person.as_ref().map(|(id, _)| id.as_str()));
    view["role"] = json!(who.caller.word());
    view
}

/// Whoever was sent away sees and does nothing any more, whatever key they show for themselves.
pub(super) fn not_sent_away(shown: &ShownStage, who: &Who) -> Result<(), Failure> {
    match &who.person {
        Some((id, _)) if shown.removed.contains(id) => Err(Failure::of(Refusal::SentAway)),
        Some((id, _)) if id.is_guest() && shown.granted(&who.by).is_none() => {
            Err(Failure::new(Refusal::RoleTooLow, "the floor is not theirs any more"))
        }
        Some(_) | None => Ok(()),
    }
}

/// Whether they may see the stage.
pub(super) const fn sees(caller: Caller) -> bool {
    may(caller, Act::SeeStage)
}
