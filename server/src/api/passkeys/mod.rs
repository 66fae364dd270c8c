//! Passkeys for who hosts and for the operator: nothing to type and so nothing to phish, lose or send on.
//!
//! A passkey is made by somebody who is signed in and lasts as long as what they came by: with the key that
//! is replaced, or the invitation that is taken back, it is gone, as are the sign-ins made by it.

mod ceremony;
mod challenge;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tribune_core::reason::Refusal;
use tribune_core::room::{
    Act, Badge, Caller, Cookie, Entrance, KeyHash, Name, Opens, Person, PersonId, PersonName, Role, may,
};
use tribune_core::time::Time;
use webauthn_rs::prelude::{
    Passkey as Credential, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential,
};

use super::audit::{self, Asked};
use super::auth::Shown;
use super::body::Json;
use super::manage::wall;
use super::pace::TooMany;
use super::sign_in::{self, WayIn};
use super::who::role_in;
use super::{Api, Failure, Who};
use crate::answer::{Path, json_of};
use crate::rooms;
use crate::store::{Passkey, PasskeyOpens, Whom};
use crate::world::World;
use ceremony::{Owner, Relying, challenge_of, handle_of};
use challenge::{ANSWER_MAX, Challenges, Standing};

/// What the audit calls it when one is made, and when one is removed.
const MADE: &str = "passkey";
const REMOVED: &str = "remove_passkey";
/// Passkeys that are being made at once, one a browser; the oldest goes.
const REGISTRATIONS_MAX: usize = 256;
/// Answers that are verified at once; each costs a signature's arithmetic.
const VERIFIED_AT_ONCE: usize = 4;

/// What handlers share.
pub struct Passkeys {
    relying: Option<Arc<Relying>>,
    challenges: Mutex<Challenges>,
    /// By the mark of who began.
    registrations: Mutex<BTreeMap<[u8; 32], Registration>>,
    verifying: Semaphore,
}

/// A passkey that is being made.
struct Registration {
    began: Time,
    state: PasskeyRegistration,
    opens: PasskeyOpens,
    opened_by: KeyHash,
    label: String,
}

/// For what a passkey is to be made.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    room: Option<String>,
    label: Option<String>,
}

/// Nothing is asked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

impl Passkeys {
    /// For a stage with this address.
    pub(super) fn new(base: &str, world: World) -> Self {
        Self {
            relying: Relying::new(base).map(Arc::new),
            challenges: Mutex::new(Challenges::new(world.entropy())),
            registrations: Mutex::default(),
            verifying: Semaphore::new(VERIFIED_AT_ONCE),
        }
    }

    fn relying(&self) -> Result<&Arc<Relying>, Failure> {
        let detail = "passkeys need the stage to have a host name of its own, over HTTPS: set stage_url";
        self.relying.as_ref().ok_or(Failure::new(Refusal::WrongState, detail))
    }

    fn challenges(&self) -> MutexGuard<'_, Challenges> {
        self.challenges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn registrations(&self) -> MutexGuard<'_, BTreeMap<[u8; 32], Registration>> {
        self.registrations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Verifies on a thread of its own: arithmetic on bytes from outside, by a library of others.
    async fn verify<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Relying) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, Failure> {
        let relying = Arc::clone(self.relying()?);
        let _place = self.verifying.try_acquire().map_err(|_| Failure::of(Refusal::Busy))?;
        let verified = tokio::task::spawn_blocking(move || work(&relying)).await;
        verified.map_err(|error| {
            tracing::error!(%error, "passkey_broke_the_library");
            Failure::of(Refusal::OurFault)
        })?
    }
}

/// Whether a browser that asks for this host can make passkeys here.
pub(super) fn offered(api: &Api, host: Option<&str>) -> bool {
    api.passkeys.relying.as_ref().is_some_and(|relying| relying.is_reached_as(host))
}

impl Wanted {
    /// For which room, and under what label.
    pub fn read(self) -> Result<(Option<String>, Option<String>), Failure> {
        let label = self.label.map(|label| {
            PersonName::parse(&label)
                .map(|label| label.as_str().to_owned())
                .ok_or_else(|| Failure::malformed("label: 1 to 40 characters, none that are not seen"))
        });
        Ok((self.room, label.transpose()?))
    }
}

/// Begins to make a passkey.
pub async fn register_start(
    State(api): State<Api>,
    shown: Shown,
    Json(body): Json<Wanted>,
) -> Result<Response, Failure> {
    let relying = api.passkeys.relying()?;
    let (room, label) = body.read()?;
    let (who, badge) = maker(&api, &shown, room.as_deref())?;
    api.count_passkey(&shown)?;
    let (opens, by) = match badge {
        Some((room, badge)) => (
            PasskeyOpens::Room { room, role: badge.role, person: badge.person, name: badge.name },
            badge.opened.by,
        ),
        None => (PasskeyOpens::Node, operator_opened(&api, &who)?),
    };
    let store = &api.rooms.setup().store;
    let all = store.passkeys(opens.room().cloned()).await.map_err(|error| rooms::refusal_of(&error))?;
    // Who came by a passkey came by what it was made by.
    let opened_by = all.iter().find(|passkey| passkey.mark().is(&by)).map_or(by, |passkey| passkey.opened_by);
    let has = all.iter().filter(|passkey| is_of(passkey, &opens)).map(|passkey| passkey.id.clone());
    let owner = Owner { handle: handle_of(&whom(&opens)), name: shown_name(&opens), has: has.collect() };
    let (options, state) = relying.begin_registration(&owner)?;
    let label = label.unwrap_or_else(|| "Passkey".to_owned());
    let now = api.door.now();
    let mut registrations = api.passkeys.registrations();
    registrations.retain(|_, one| now.since(one.began) <= ANSWER_MAX);
    if registrations.len() >= REGISTRATIONS_MAX {
        let oldest = registrations.iter().min_by_key(|(_, one)| one.began).map(|(mark, _)| *mark);
        oldest.map(|mark| registrations.remove(&mark));
    }
    registrations.insert(who.by.0, Registration { began: now, state, opens, opened_by, label });
    Ok(json_of(StatusCode::OK, &json!({"publicKey": options})))
}

/// Ends it with what the browser made.
pub async fn register_finish(
    State(api): State<Api>,
    shown: Shown,
    Json(answer): Json<RegisterPublicKeyCredential>,
) -> Result<Response, Failure> {
    let who = signed_in(&api, &shown)?.0;
    api.count_passkey(&shown)?;
    let now = api.door.now();
    let begun = api.passkeys.registrations().remove(&who.by.0);
    let begun = begun.filter(|one| now.since(one.began) <= ANSWER_MAX);
    let begun = begun.ok_or(Failure::new(Refusal::PasskeyWrong, "it was not begun, or too long ago"))?;
    // Whoever may no longer what they might when they began makes nothing.
    maker(&api, &shown, begun.opens.room().map(Name::as_str))?;
    let Registration { state, opens, opened_by, label, .. } = begun;
    let credential = api.passkeys.verify(move |relying| relying.end_registration(&answer, &state)).await?;
    let at = wall(&api);
    let id = id_of(credential.cred_id());
    let credential = serde_json::to_string(&credential).map_err(|_| Refusal::OurFault)?;
    let passkey = Passkey { id, opens, label, opened_by, made_at: at, used_at: at, credential };
    let store = &api.rooms.setup().store;
    if store.passkey(passkey.id.clone()).await.map_err(|error| rooms::refusal_of(&error))?.is_some() {
        return Err(Failure::new(Refusal::PasskeyWrong, "this passkey is known already"));
    }
    store.add_passkey(passkey.clone()).await.map_err(|error| rooms::refusal_of(&error))?;
    note(&api, (&who, MADE), &passkey.opens).await;
    Ok(json_of(StatusCode::CREATED, &of_passkey(&passkey)))
}

/// Begins to sign somebody in, whoever it is.
pub async fn login_start(
    State(api): State<Api>,
    shown: Shown,
    Json(Nothing {}): Json<Nothing>,
) -> Result<Response, Failure> {
    shown.by_no_other_page()?;
    let relying = api.passkeys.relying()?;
    api.count_passkey(&shown)?;
    let nonce = api.rooms.setup().world.entropy();
    let challenge = api.passkeys.challenges().make(api.door.now(), nonce);
    let options = relying.begin_sign_in(&challenge)?;
    std::future::ready(Ok(json_of(StatusCode::OK, &json!({"publicKey": options})))).await
}

/// Signs somebody in by what their browser made.
pub async fn login_finish(
    State(api): State<Api>,
    shown: Shown,
    Json(answer): Json<PublicKeyCredential>,
) -> Result<Response, Failure> {
    shown.by_no_other_page()?;
    api.passkeys.relying()?;
    api.count_passkey(&shown)?;
    let challenge = challenge_of(&answer.response.client_data_json)?;
    let standing = api.passkeys.challenges().standing(api.door.now(), &challenge);
    must_be_good(standing)?;
    let store = &api.rooms.setup().store;
    let found = store.passkey(id_of(&answer.raw_id)).await.map_err(|error| rooms::refusal_of(&error))?;
    let found = found.filter(|passkey| api.holds(passkey)).ok_or(Failure::of(Refusal::PasskeyWrong))?;
    let credential: Credential = serde_json::from_str(&found.credential).map_err(|_| Refusal::OurFault)?;
    let verified = {
        let challenge = challenge.clone();
        api.passkeys.verify(move |relying| relying.end_sign_in(&answer, &challenge, credential)).await?
    };
    // Of two that come with the same answer at once, one is first.
    let standing = api.passkeys.challenges().spend(api.door.now(), &challenge);
    must_be_good(standing)?;
    let credential = serde_json::to_string(&verified).map_err(|_| Refusal::OurFault)?;
    let used = store.passkey_used(found.id.clone(), credential, wall(&api)).await;
    used.map_err(|error| rooms::refusal_of(&error))?;
    let world = api.rooms.setup().world;
    let (by, id) = (found.mark(), found.id);
    let opens = match found.opens {
        PasskeyOpens::Node => Opens::Node,
        PasskeyOpens::Room { room, role, person, name } => {
            let badge = PersonId::generate(world.entropy()).as_str().to_owned();
            let person = Person::Known(person);
            Opens::Room(Entrance { room, role, person, name: None, name_else: name, badge })
        }
    };
    sign_in::enter(&api, &shown, WayIn { by, passkey: Some(id), opens }).await
}

/// The passkeys of whoever is signed in: one's own in each room, and the operator's.
pub async fn list(State(api): State<Api>, shown: Shown) -> Result<Response, Failure> {
    let (_, operator, badges) = signed_in(&api, &shown)?;
    let store = &api.rooms.setup().store;
    let rooms = badges.iter().map(|(room, _)| Some(room.clone()));
    let mut own = Vec::new();
    for room in rooms.chain(operator.map(|_| None)) {
        let all = store.passkeys(room.clone()).await.map_err(|error| rooms::refusal_of(&error))?;
        let theirs = |passkey: &Passkey| match &passkey.opens {
            PasskeyOpens::Node => true,
            PasskeyOpens::Room { room, person, .. } => {
                badges.iter().any(|(of, badge)| of == room && badge.person == *person)
            }
        };
        own.extend(all.iter().filter(|passkey| theirs(passkey)).map(of_passkey));
    }
    Ok(json_of(StatusCode::OK, &own))
}

/// Removes a passkey; who is signed in by it is out at once.
pub async fn remove(
    State(api): State<Api>,
    Path(id): Path<String>,
    shown: Shown,
) -> Result<StatusCode, Failure> {
    let unknown = || Failure::new(Refusal::NoSuchPage, "there is no passkey of this id, or it is not yours");
    let store = &api.rooms.setup().store;
    let found = store.passkey(id.clone()).await.map_err(|error| rooms::refusal_of(&error))?;
    let (who, operator, badges) = signed_in(&api, &shown)?;
    let found = found.ok_or_else(unknown)?;
    let theirs = match &found.opens {
        PasskeyOpens::Node => operator.is_some(),
        PasskeyOpens::Room { room, person, .. } => {
            let worn = badges.iter().find(|(of, _)| of == room).map(|(_, badge)| badge);
            let rules = |badge: &Badge| may(Caller::Of(badge.role), Act::RuleSessions);
            operator.is_some() || worn.is_some_and(|badge| badge.person == *person || rules(badge))
        }
    };
    if !theirs {
        return Err(unknown());
    }
    store.remove_passkey(id).await.map_err(|error| rooms::refusal_of(&error))?;
    api.door.with(|_, table| table.close(found.opens.room(), &found.mark()));
    api.door.kept().await?;
    note(&api, (&who, REMOVED), &found.opens).await;
    Ok(StatusCode::NO_CONTENT)
}

type SignedIn = (Who, Option<KeyHash>, Vec<(Name, Badge)>);

/// Who is signed in by a cookie: as what, what opened the operator's console, and their badges.
fn signed_in(api: &Api, shown: &Shown) -> Result<SignedIn, Failure> {
    // Asks whose page it is, too.
    let known = api.door.own_page(shown)?;
    let found = api.door.with(|now, table| {
        let sign_in = table.look(now, known)?;
        let badges = sign_in.badges.iter().filter_map(|(name, badge)| {
            let room = api.rooms.get(name.as_str())?;
            Some((name.clone(), Badge { role: role_in(&room, badge), ..badge.clone() }))
        });
        Some((sign_in.operator.map(|opened| opened.by), badges.collect()))
    });
    let (operator, badges): (_, Vec<_>) = found.ok_or(Failure::of(Refusal::SignedOut))?;
    let caller = match (&operator, badges.iter().map(|(_, badge)| badge.role).max()) {
        (Some(_), _) => Caller::Operator,
        (None, role) => Caller::Of(role.unwrap_or(Role::Listener)),
    };
    Ok((Who { caller, person: None, by: known.id().mark() }, operator, badges))
}

/// Who may make a passkey, and the badge it is for; none: it is the operator's.
fn maker(api: &Api, shown: &Shown, room: Option<&str>) -> Result<(Who, Option<(Name, Badge)>), Failure> {
    let (who, operator, badges) = signed_in(api, shown)?;
    let mut may_have = badges.into_iter().filter(|(_, badge)| badge.role >= Role::CoHost);
    let chosen = match (room, operator) {
        (Some(room), _) => {
            may_have.find(|(of, _)| of.as_str() == room).map(Some).ok_or(Failure::of(Refusal::RoleTooLow))?
        }
        (None, Some(_)) => None,
        (None, None) => {
            let first = may_have.next().ok_or(Failure::of(Refusal::RoleTooLow))?;
            if may_have.next().is_some() {
                return Err(Failure::malformed("room: say in which"));
            }
            Some(first)
        }
    };
    let person = chosen.as_ref().map(|(_, badge)| (badge.person.clone(), badge.name.clone()));
    let caller = chosen.as_ref().map_or(Caller::Operator, |(_, badge)| Caller::Of(badge.role));
    Ok((Who { caller, person, ..who }, chosen))
}

fn operator_opened(api: &Api, who: &Who) -> Result<KeyHash, Failure> {
    let found = api.door.with(|now, table| table.find(now, &who.by).and_then(|found| found.operator));
    found.map(|opened| opened.by).ok_or(Failure::of(Refusal::SignedOut))
}

fn is_of(passkey: &Passkey, opens: &PasskeyOpens) -> bool {
    match (&passkey.opens, opens) {
        (PasskeyOpens::Node, PasskeyOpens::Node) => true,
        (PasskeyOpens::Room { person, .. }, PasskeyOpens::Room { person: of, .. }) => person == of,
        (PasskeyOpens::Node | PasskeyOpens::Room { .. }, _) => false,
    }
}

fn whom(opens: &PasskeyOpens) -> String {
    match opens {
        PasskeyOpens::Node => "the operator".to_owned(),
        PasskeyOpens::Room { room, person, .. } => format!("{person} in {room}"),
    }
}

fn shown_name(opens: &PasskeyOpens) -> String {
    match opens {
        PasskeyOpens::Node => "Operator".to_owned(),
        PasskeyOpens::Room { room, name, .. } => format!("{} · {room}", name.as_str()),
    }
}

fn of_passkey(passkey: &Passkey) -> Value {
    let (room, role, name) = match &passkey.opens {
        PasskeyOpens::Node => (None, "operator", None),
        PasskeyOpens::Room { room, role, name, .. } => {
            (Some(room.as_str()), role.word(), Some(name.as_str()))
        }
    };
    json!({
        "id": passkey.id,
        "label": passkey.label,
        "room": room,
        "role": role,
        "name": name,
        "made_at": passkey.made_at.rfc3339(),
        "used_at": passkey.used_at.rfc3339(),
    })
}

fn id_of(credential: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(credential)
}

fn must_be_good(standing: Standing) -> Result<(), Failure> {
    let detail = match standing {
        Standing::Good => return Ok(()),
        Standing::Spent => "it was used already",
        Standing::Late => "it came too late: begin anew",
        Standing::Foreign => "nobody asked for it here, or the server was restarted: begin anew",
    };
    Err(Failure::new(Refusal::PasskeyWrong, detail))
}

async fn note(api: &Api, (who, act): (&Who, &'static str), opens: &PasskeyOpens) {
    let room = opens.room().and_then(|room| api.rooms.get(room.as_str()));
    let whom = match opens {
        PasskeyOpens::Room { person, name, .. } => {
            Some(Whom { id: person.to_string(), name: Some(name.as_str().to_owned()) })
        }
        PasskeyOpens::Node => None,
    };
    match room {
        Some(room) => audit::note(api, &room, Asked::to(who, act, whom), &Ok(())).await,
        None => tracing::info!("operator_passkeys_changed"),
    }
}

impl Api {
    fn count_passkey(&self, shown: &Shown) -> Result<(), Failure> {
        let now = self.door.now();
        match self.door.guesses().passkey(now, shown.from) {
            TooMany::Yes => Err(Failure::of(Refusal::TooOften)),
            TooMany::No => Ok(()),
        }
    }

    /// Whether what a passkey was made by still opens what it opens.
    pub(super) fn holds(&self, passkey: &Passkey) -> bool {
        match passkey.opens.room() {
            None => self.door.is_operator(&passkey.opened_by),
            Some(room) => {
                let room = self.rooms.get(room.as_str());
                room.is_some_and(|room| room.role_by(&passkey.opened_by).is_some())
            }
        }
    }

    /// A key of a room, or an invitation, is worth nothing from now on, or `new` takes its place: what it
    /// opened closes, but for who stays.
    pub(super) async fn close(
        &self,
        room: &Name,
        (old, new): (KeyHash, Option<KeyHash>),
        stays: Option<PersonId>,
    ) -> Result<(), Failure> {
        let store = &self.rooms.setup().store;
        let gone = store.close_passkeys(room.clone(), (old, new), stays).await;
        for mark in gone.map_err(|error| rooms::refusal_of(&error))? {
            self.door.with(|_, table| table.close(Some(room), &mark));
        }
        self.door.with(|_, table| table.close(Some(room), &old));
        // Whoever showed the key itself is in no table.
        self.door.look_again();
        self.door.kept().await
    }
}

/// The cookie of whoever asks from a page of ours.
impl super::StageDoor {
    fn own_page<'a>(&self, shown: &'a Shown) -> Result<&'a Cookie, Failure> {
        self.page_of(shown)?;
        shown.cookie.as_ref().ok_or(Failure::of(Refusal::SignedOut))
    }
}
