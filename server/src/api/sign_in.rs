//! Signing in: a key for a cookie, so that no key stays in a browser's address or history; who one is, one's
//! name, and who else is signed in.

use axum::extract::State;
use axum::response::Response;
use http::header::SET_COOKIE;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tribune_core::reason::Refusal;
use tribune_core::room::floor::{By, Command};
use tribune_core::room::{
    Act, Badge, Caller, Cookie, Entrance, Entry, Key, KeyHash, Moment, Name, Opens, Person, PersonId,
    PersonName, Refused, Role, SignIn,
};

use super::audit;
use super::auth::Shown;
use super::body::Json;
use super::pace::TooMany;
use super::who::{StageDoor, role_in};
use super::{Api, Failure, Who, passkeys};
use crate::answer::{Path, json_of};
use crate::rooms::{self, Handle};
use crate::store::{Whom, wall};

/// What the audit calls it.
const SIGN_IN: &str = "sign_in";
const SIGN_OUT: &str = "sign_out";

/// A key to be exchanged for a cookie.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exchange {
    room: Option<String>,
    key: Option<String>,
    name: Option<String>,
    operator: Option<String>,
}

/// A name of one's own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnName {
    name: String,
}

/// What an exchange asks for.
#[derive(Debug)]
pub enum Asked {
    /// The operator's console.
    Node(Key),
    /// A room.
    Room(String, Key, Option<PersonName>),
}

impl Exchange {
    /// What is asked for.
    pub fn asked(self) -> Result<Asked, Failure> {
        let key = |text: String| {
            Key::parse(text.trim()).map_err(|error| Failure::new(Refusal::KeyWrong, error.to_string()))
        };
        match (self.operator, self.room, self.key) {
            (Some(operator), None, None) => Ok(Asked::Node(key(operator)?)),
            (None, Some(room), Some(of_room)) => {
                Ok(Asked::Room(room, key(of_room)?, self.name.as_deref().map(person_name).transpose()?))
            }
            (Some(_) | None, Some(_) | None, Some(_) | None) => {
                Err(Failure::malformed("give room and key, or operator alone"))
            }
        }
    }
}

impl OwnName {
    /// The name.
    pub fn read(self) -> Result<PersonName, Failure> {
        person_name(&self.name)
    }
}

fn person_name(text: &str) -> Result<PersonName, Failure> {
    PersonName::parse(text).ok_or_else(|| {
        Failure::malformed("name: 1 to 40 characters, none that are not seen, not only spaces")
    })
}

/// Shows a key, gets a cookie.
pub async fn sign_in(
    State(api): State<Api>,
    shown: Shown,
    Json(body): Json<Exchange>,
) -> Result<Response, Failure> {
    shown.by_no_other_page()?;
    match body.asked()? {
        Asked::Node(key) => {
            api.door.opens(&shown, &key, None)?;
            let way_in = WayIn { by: key.hash(), passkey: None, opens: Opens::Node };
            tracing::info!("operator_signed_in");
            enter(&api, &shown, way_in).await
        }
        Asked::Room(room, key, name) => {
            let room = api.room(&room)?;
            let by = key.hash();
            let role = match api.door.opens(&shown, &key, Some(&room))? {
                Caller::Of(role) => role,
                Caller::Operator => {
                    let detail = "the operator's key signs in as operator, not to a room";
                    return Err(Failure::new(Refusal::RoleTooLow, detail));
                }
            };
            let entrance = entrance(&api, &room, (role, by), name);
            let way_in = WayIn { by, passkey: None, opens: Opens::Room(entrance) };
            enter(&api, &shown, way_in).await
        }
    }
}

/// What somebody comes in by, and where.
pub(super) struct WayIn {
    pub by: KeyHash,
    /// The passkey's id, if it is by one.
    pub passkey: Option<String>,
    pub opens: Opens,
}

fn entrance(api: &Api, room: &Handle, (role, by): (Role, KeyHash), name: Option<PersonName>) -> Entrance {
    let world = api.rooms.setup().world;
    let invitations = room.invitations();
    let label = invitations.iter().find(|made| made.key.is(&by)).and_then(|made| made.label.as_deref());
    let name_else = label.and_then(PersonName::parse).unwrap_or_else(|| role_name(role));
    Entrance {
        room: room.name().clone(),
        role,
        person: Person::Drawn(PersonId::generate(world.entropy())),
        name,
        name_else,
        badge: PersonId::generate(world.entropy()).as_str().to_owned(),
    }
}

fn role_name(role: Role) -> PersonName {
    let name = match role {
        Role::Listener => "Listener",
        Role::Speaker => "Speaker",
        Role::CoHost => "Co-host",
        Role::Host => "Host",
    };
    PersonName::parse(name).expect("a word of letters is a name")
}

/// Lets somebody in whose key or passkey was found right, and answers with their cookie.
pub(super) async fn enter(api: &Api, shown: &Shown, way_in: WayIn) -> Result<Response, Failure> {
    let WayIn { by, passkey, opens } = way_in;
    let world = api.rooms.setup().world;
    if api.door.count_sign_in(&by) == TooMany::Yes {
        return Err(Failure::of(Refusal::TooOften));
    }
    let room = match &opens {
        Opens::Node => None,
        Opens::Room(entrance) => Some(entrance.room.clone()),
    };
    let (cookie, badge) = api.door.with(|now, table| {
        let known = shown.cookie.as_ref().filter(|cookie| table.look(now, cookie).is_some());
        let cookie = known.map_or_else(
            || Cookie::generate(world.entropy(), world.entropy()),
            |cookie| cookie.renew(world.entropy()),
        );
        table.enter(now, Entry { cookie: cookie.clone(), agent: shown.agent.clone(), by, opens });
        let found = table.find(now, &cookie.id().mark());
        let badge = found.zip(room.as_ref()).and_then(|(found, room)| found.badges.get(room).cloned());
        (cookie, badge)
    });
    // It was good a moment ago. If it is taken back after this look, what takes it back finds them signed in.
    if !holds(api, (&by, passkey), room.as_ref()).await? {
        api.door.with(|_, table| table.close(room.as_ref(), &by));
        return Err(Failure::of(Refusal::KeyWrong));
    }
    api.door.kept().await?;
    let document = match (&room, &badge) {
        (Some(room), Some(badge)) => {
            let handle = api.room(room.as_str())?;
            let person = Some((badge.person.clone(), badge.name.clone()));
            let caller = Caller::Of(role_in(&handle, badge));
            let who = Who { caller, person, by: cookie.id().mark() };
            audit::note(api, &handle, audit::Asked::of(&who, SIGN_IN), &Ok(())).await;
            of_badge(&handle, badge)
        }
        (Some(_) | None, _) => json!({"operator": true}),
    };
    let mut answer = json_of(StatusCode::CREATED, &document);
    set_cookie(&mut answer, &shown.way.set(&cookie));
    Ok(answer)
}

/// Whether what somebody came in by still opens.
async fn holds(
    api: &Api,
    (by, passkey): (&KeyHash, Option<String>),
    room: Option<&Name>,
) -> Result<bool, Failure> {
    match (passkey, room) {
        (Some(id), _) => {
            let found = api.rooms.setup().store.passkey(id).await;
            let found = found.map_err(|error| rooms::refusal_of(&error))?;
            Ok(found.is_some_and(|passkey| api.holds(&passkey)))
        }
        (None, Some(room)) => Ok(api.room(room.as_str())?.role_by(by).is_some()),
        (None, None) => Ok(api.door.is_operator(by)),
    }
}

fn of_badge(room: &Handle, badge: &Badge) -> Value {
    let role = role_in(room, badge);
    json!({"room": room.name(), "role": role, "person": badge.person.as_str(), "name": badge.name.as_str()})
}

fn set_cookie(answer: &mut Response, line: &str) {
    if let Ok(line) = HeaderValue::from_str(line) {
        answer.headers_mut().insert(SET_COOKIE, line);
    }
}

/// As whom this browser is signed in.
pub async fn show(State(api): State<Api>, shown: Shown) -> Response {
    let of = |sign_in: &SignIn| {
        let rooms = sign_in
            .badges
            .iter()
            .filter_map(|(room, badge)| api.rooms.get(room.as_str()).map(|room| of_badge(&room, badge)));
        (sign_in.operator.is_some(), rooms.collect::<Vec<_>>())
    };
    let look = |cookie: &Cookie| api.door.with(|now, table| table.look(now, cookie).map(of));
    let (operator, rooms) = shown.cookie.as_ref().and_then(look).unwrap_or_default();
    let passkeys = passkeys::offered(&api, shown.host.as_deref());
    let document = json!({"operator": operator, "rooms": rooms, "passkeys": passkeys});
    std::future::ready(json_of(StatusCode::OK, &document)).await
}

/// Signs this browser out of everything.
pub async fn sign_out(State(api): State<Api>, shown: Shown) -> Result<Response, Failure> {
    shown.by_no_other_page()?;
    if let Some(cookie) = &shown.cookie {
        let left = api.door.with(|now, table| {
            let badges = table.look(now, cookie).map(|sign_in| sign_in.badges.clone());
            badges.inspect(|_| table.leave(cookie.id()))
        });
        api.door.kept().await?;
        for (room, badge) in left.unwrap_or_default() {
            let Some(room) = api.rooms.get(room.as_str()) else { continue };
            let caller = Caller::Of(role_in(&room, &badge));
            let who = Who { caller, person: Some((badge.person, badge.name)), by: cookie.id().mark() };
            audit::note(&api, &room, audit::Asked::of(&who, SIGN_OUT), &Ok(())).await;
        }
    }
    let mut answer = Response::new(axum::body::Body::empty());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    set_cookie(&mut answer, &shown.way.unset());
    Ok(answer)
}

/// Gives oneself another name.
pub async fn rename(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
    Json(body): Json<OwnName>,
) -> Result<Response, Failure> {
    let room = api.room(&name)?;
    let mut who = api.door.allowed(&shown, Some(&room), Act::RuleOwnFloor)?;
    let name = body.read()?;
    let Some((person, _)) = who.person.clone() else {
        return Err(Failure::new(Refusal::WrongState, "a key has no name of its own: sign in with it"));
    };
    api.door.with(|_, table| table.rename(room.name(), &person, &name));
    api.door.kept().await?;
    let by = By { caller: who.caller, person: Some(person.clone()) };
    match room.floor().command(by, Command::Rename(name.clone())).await {
        // Whoever is not on the stage comes there by the new name.
        Ok(()) | Err(Refused { reason: Refusal::PersonUnknown, .. }) => {}
        Err(refused) => return Err(refused.into()),
    }
    let document = json!({"person": person.as_str(), "name": name.as_str()});
    who.person = Some((person, name));
    audit::note(&api, &room, audit::Asked::of(&who, "name"), &Ok(())).await;
    Ok(json_of(StatusCode::OK, &document))
}

/// Who is signed in to a room, in which browser.
pub async fn list(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
) -> Result<Response, Failure> {
    let room = api.room(&name)?;
    let who = api.door.allowed(&shown, Some(&room), Act::RuleSessions)?;
    let world = api.rooms.setup().world;
    let now = Moment { time: world.now(), wall: world.wall() };
    let one = |(sign_in, badge): (&SignIn, &Badge)| {
        json!({
            "id": badge.id,
            "role": role_in(&room, badge),
            "person": badge.person.as_str(),
            "name": badge.name.as_str(),
            "since": wall(now, badge.opened.began).rfc3339(),
            "seen": wall(now, sign_in.seen).rfc3339(),
            "agent": sign_in.agent,
            "you": who.by.is(&sign_in.id.mark()),
        })
    };
    let all: Vec<_> = api.door.with(|_, table| table.of_room(room.name()).map(one).collect());
    Ok(json_of(StatusCode::OK, &all))
}

/// Signs somebody out of a room, at once.
pub async fn revoke(
    State(api): State<Api>,
    Path((name, id)): Path<(String, String)>,
    shown: Shown,
) -> Result<StatusCode, Failure> {
    let room = api.room(&name)?;
    let who = api.door.allowed(&shown, Some(&room), Act::RuleSessions)?;
    let taken = api.door.with(|_, table| table.take_badge(room.name(), &id));
    let whom = taken
        .as_ref()
        .map(|badge| Whom { id: badge.person.to_string(), name: Some(badge.name.as_str().to_owned()) });
    let result = match taken {
        Some(_) => api.door.kept().await,
        None => Err(Failure::new(Refusal::NoSuchPage, "nobody is signed in under this id")),
    };
    let asked = audit::Asked::to(&who, Act::RuleSessions.word(), whom);
    audit::note(&api, &room, asked, &result).await;
    result.map(|()| StatusCode::NO_CONTENT)
}

impl StageDoor {
    fn count_sign_in(&self, by: &KeyHash) -> TooMany {
        let now = self.now();
        self.guesses().sign_in(now, by)
    }
}
