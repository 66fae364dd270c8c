//! The floor as the audience has it: a listener asks to speak, hears what came of it, and gives it back; and
//! everybody reads who speaks.
//!
//! Whoever asks is known by a cookie that only this address is sent. The key that opens the stage to them is
//! made from it, so that the node keeps neither.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::sse::Event;
use axum::response::{IntoResponse, Sse};
use axum::routing::{get, post};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use futures_util::stream;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tribune_core::door::address::Scheme;
use tribune_core::guard::live::home;
use tribune_core::reason::Refusal;
use tribune_core::room::floor::{By, Command, Mute};
use tribune_core::room::{
    Asks, Caller, Key, PersonId, PersonName, Replay, Role, State as RoomState, Told, asks,
};

use super::Answer;
use crate::answer::{Failure, Path, json_of};
use crate::api::{Links, Pace, Share, Shares, TooMany, alive, visitor};
use crate::net::Reached;
use crate::node::Node;
use crate::recording::chapters;
use crate::rooms::floor::{Asked, Shown};
use crate::rooms::{Floor, Handle};
use crate::store::Audit;

/// Times a minute one network may ask, or give back.
const ASKS_PER_MINUTE_MAX: u32 = 20;
/// Times a minute one listener may mute themselves or no more; muting is never refused.
const MUTES_PER_MINUTE_MAX: u32 = 240;
/// Listeners who wait for an answer on an open connection, over all rooms, and of one network.
const STREAMS_MAX: usize = 512;
const STREAMS_OF_NETWORK_MAX: usize = 16;
/// Largest body, in bytes.
const BODY_BYTES_MAX: usize = 1_024;
/// How long a body may take to come.
const BODY_WAIT: Duration = Duration::from_secs(5);
/// The cookie's name, and how long a browser keeps it, in seconds: an evening.
const COOKIE_NAME: &str = "tribune-floor";
const COOKIE_AGE_S: u32 = 43_200;
/// What the key is made with besides the cookie.
const GRANT_DOMAIN: &[u8] = b"tribune floor grant\0";
/// Characters of the key.
const GRANT_CHARS: usize = 32;
const FORM: &str = "application/x-www-form-urlencoded";
/// Who speaks changes by the second, and is the same for all.
const SPEAKING_CACHE: &str = "public, max-age=1";
const CHAPTERS_CACHE: &str = "public, max-age=60";

/// What the requests share.
#[derive(Clone)]
struct Door {
    node: Arc<Node>,
    streams: Arc<Semaphore>,
    shares: Shares<IpAddr>,
    pace: Arc<Mutex<Pace<IpAddr>>>,
    mutes: Arc<Mutex<Pace<PersonId>>>,
}

/// The addresses of the floor.
pub(super) fn router(node: Arc<Node>) -> Router {
    let door = Door {
        node,
        streams: Arc::new(Semaphore::new(STREAMS_MAX)),
        shares: Shares::new(STREAMS_OF_NETWORK_MAX),
        pace: Arc::new(Mutex::new(Pace::new(ASKS_PER_MINUTE_MAX))),
        mutes: Arc::new(Mutex::new(Pace::new(MUTES_PER_MINUTE_MAX))),
    };
    Router::new()
        .route("/{room}/floor", get(how).post(ask).delete(give_back))
        .route("/{room}/floor/mute", post(mute))
        .route("/{room}/speaking", get(speaking))
        .route("/{room}/replay.vtt", get(replay_vtt))
        .with_state(door)
}

/// What a listener says of themselves.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asking {
    name: String,
}

/// Whether one is to be heard no more, or again.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Muting {
    muted: bool,
}

/// What a listener shows: the secret in their cookie.
struct Secret(String);

impl Secret {
    fn new(entropy: [u8; 24]) -> Self {
        Self(Key::generate(entropy).reveal().to_owned())
    }

    fn of(headers: &HeaderMap) -> Option<Self> {
        let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let (_, value) = pairs.find(|(name, _)| *name == COOKIE_NAME)?;
        Key::parse(value).ok().map(|key| Self(key.reveal().to_owned()))
    }

    /// The key that opens the stage while the floor is theirs. It does not tell the cookie.
    fn grant(&self) -> Option<Key> {
        let digest = Sha256::new().chain_update(GRANT_DOMAIN).chain_update(&self.0).finalize();
        Key::parse(URL_SAFE_NO_PAD.encode(digest).get(..GRANT_CHARS)?).ok()
    }

    fn set(&self, room: &Handle, way: Scheme) -> Option<HeaderValue> {
        let secure = if way == Scheme::Https { "; Secure" } else { "" };
        let (name, secret) = (room.name(), &self.0);
        let line = format!(
            "{COOKIE_NAME}={secret}; Path=/{name}/floor; Max-Age={COOKIE_AGE_S}; HttpOnly; \
             SameSite=Strict{secure}"
        );
        HeaderValue::try_from(line).ok()
    }
}

/// How a listener's request stands.
async fn how(State(door): State<Door>, Path(name): Path<String>, parts: Parts) -> Answer {
    let room = super::room(&door.node, &name)?;
    let secret = Secret::of(&parts.headers);
    let wants_events = parts
        .headers
        .get(ACCEPT)
        .is_some_and(|accept| accept.to_str().is_ok_and(|accept| accept.contains("text/event-stream")));
    let grant = secret.as_ref().and_then(Secret::grant);
    if !wants_events {
        return Ok(json_of(StatusCode::OK, &view(&door, &room, grant.as_ref())));
    }
    let known = grant.filter(|grant| room.floor().shown().guest(&grant.hash()).is_some());
    let Some(grant) = known else {
        // Who waits for nothing is told not to come back (HTML, server-sent events: 204 ends them).
        return Ok(StatusCode::NO_CONTENT.into_response());
    };
    let place = Arc::clone(&door.streams).try_acquire_owned();
    let place = place.map_err(|_| Failure::new(Refusal::Busy, "too many listeners wait for an answer"))?;
    let share = door.shares.take(home(visitor(&parts)));
    let share =
        share.ok_or(Failure::new(Refusal::SourceTooBusy, "many of your network wait for an answer"))?;
    let mut shown = room.floor().watch();
    shown.mark_changed();
    let waiting = Waiting { door, room, grant, shown, told: None, _place: place, _share: share };
    let events = stream::unfold(Some(waiting), next);
    Ok(Sse::new(events).keep_alive(alive()).into_response())
}

/// Somebody who waits for an answer.
struct Waiting {
    door: Door,
    room: Arc<Handle>,
    grant: Key,
    shown: watch::Receiver<Arc<Shown>>,
    told: Option<Value>,
    _place: OwnedSemaphorePermit,
    _share: Share<IpAddr>,
}

async fn next(waiting: Option<Waiting>) -> Option<(Result<Event, Infallible>, Option<Waiting>)> {
    let mut waiting = waiting?;
    loop {
        waiting.shown.changed().await.ok()?;
        waiting.shown.borrow_and_update();
        let view = view(&waiting.door, &waiting.room, Some(&waiting.grant));
        if waiting.told.as_ref() == Some(&view) {
            continue;
        }
        let event = Event::default().event("floor").data(view.to_string());
        let is_over = view["state"] == "none" || view["state"] == "closed";
        waiting.told = Some(view);
        return Some((Ok(event), (!is_over).then_some(waiting)));
    }
}

/// A listener asks to speak.
async fn ask(State(door): State<Door>, Path(name): Path<String>, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let room = super::room(&door.node, &name)?;
    let way = door.let_in(&parts)?;
    let (asking, is_form) = read(body, &parts.headers).await?;
    let name = PersonName::parse(&asking.name)
        .ok_or_else(|| Failure::malformed("name: 1 to 40 characters that can be seen"))?;
    let shown = Secret::of(&parts.headers);
    let known = shown
        .as_ref()
        .and_then(Secret::grant)
        .and_then(|grant| room.floor().shown().guest(&grant.hash()).map(|guest| guest.id.clone()));
    let is_new = known.is_none();
    let world = door.node.world;
    let secret = shown.filter(|_| !is_new).unwrap_or_else(|| Secret::new(world.entropy()));
    let grant = secret.grant().ok_or(Refusal::OurFault)?;
    let id = known.unwrap_or_else(|| PersonId::of_guest(world.entropy()));
    let from = home(visitor(&parts));
    let command = Command::Ask { name: name.clone(), grant: grant.hash(), from };
    let act = command.word();
    room.floor().audience(by(id.clone()), command).await?;
    if is_new {
        door.note(&room, (id, name), act).await;
    }
    let mut answer = if is_form {
        let mut answer = StatusCode::SEE_OTHER.into_response();
        let page = HeaderValue::try_from(format!("/{}", room.name())).map_err(|_| Refusal::OurFault)?;
        answer.headers_mut().insert(LOCATION, page);
        answer
    } else {
        let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
        json_of(status, &view(&door, &room, Some(&grant)))
    };
    let cookie = secret.set(&room, way).ok_or(Refusal::OurFault)?;
    answer.headers_mut().insert(SET_COOKIE, cookie);
    Ok(answer)
}

/// A listener asks no more, or leaves the stage.
async fn give_back(State(door): State<Door>, Path(name): Path<String>, parts: Parts) -> Answer {
    let room = super::room(&door.node, &name)?;
    door.let_in(&parts)?;
    let grant = Secret::of(&parts.headers).and_then(|secret| secret.grant());
    let known = grant.as_ref().and_then(|grant| {
        room.floor().shown().guest(&grant.hash()).map(|guest| (guest.id.clone(), guest.name.clone()))
    });
    if let Some((id, name)) = known {
        room.floor().audience(by(id.clone()), Command::Release).await?;
        door.note(&room, (id, name), Command::Release.word()).await;
    }
    Ok(json_of(StatusCode::OK, &view(&door, &room, grant.as_ref())))
}

/// Whoever has the floor mutes themselves, or no more: here and not only in their browser, so that everybody
/// on the stage sees it, and a host does not wonder.
async fn mute(State(door): State<Door>, Path(name): Path<String>, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let room = super::room(&door.node, &name)?;
    door.ours_asks(&parts)?;
    let Muting { muted } = read_json(body, &parts.headers).await?;
    let grant = Secret::of(&parts.headers).and_then(|secret| secret.grant());
    let granted = grant.as_ref().and_then(|grant| room.floor().shown().granted(&grant.hash()).cloned());
    let guest = granted.ok_or(Failure::new(Refusal::RoleTooLow, "the floor is not yours"))?;
    if door.count_mute(&guest.id) == TooMany::Yes && !muted {
        return Err(Refusal::TooOften.into());
    }
    let by = By { caller: Caller::Of(Role::Speaker), person: Some(guest.id) };
    room.floor().command(by, Command::MuteSelf(if muted { Mute::On } else { Mute::Off })).await?;
    Ok(json_of(StatusCode::OK, &view(&door, &room, grant.as_ref())))
}

/// Who speaks, and who spoke in the last minute of the program.
async fn speaking(State(door): State<Door>, Path(name): Path<String>) -> Answer {
    let room = super::room(&door.node, &name)?;
    let document = who_speaks(room.floor(), door.node.world.wall().rfc3339());
    let mut answer = json_of(StatusCode::OK, &document);
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(SPEAKING_CACHE));
    Ok(answer)
}

/// Before the room is on air, who is on its stage is nobody's business.
fn who_speaks(floor: &Floor, at: String) -> Value {
    let shown = floor.shown();
    let people: Vec<_> = match shown.live_part {
        Some(_) => shown.on_the_floor().map(|(name, role)| json!({"name": name, "role": role})).collect(),
        None => Vec::new(),
    };
    json!({"at": at, "live_part": shown.live_part, "people": people, "turns": shown.turns})
}

/// Chapters of the replay, one a speaker.
async fn replay_vtt(State(door): State<Door>, Path(name): Path<String>) -> Answer {
    let room = super::room(&door.node, &name)?;
    if room.view().facts.replay != Replay::Ready {
        return Err(Refusal::NoRecording.into());
    }
    let folder = door.node.rooms.folder(room.name());
    let read = tokio::task::spawn_blocking(move || chapters(&folder)).await;
    let text = read.ok().and_then(Result::ok).ok_or(Refusal::NoRecording)?;
    let head = [(CONTENT_TYPE, "text/vtt; charset=utf-8"), (CACHE_CONTROL, CHAPTERS_CACHE)];
    Ok((head, text).into_response())
}

impl Door {
    fn count_mute(&self, guest: &PersonId) -> TooMany {
        let mut mutes = self.mutes.lock().unwrap_or_else(PoisonError::into_inner);
        mutes.count(self.node.world.now(), guest.clone())
    }

    /// Writes down what a listener did.
    async fn note(&self, room: &Handle, person: (PersonId, PersonName), act: &'static str) {
        let caller = Caller::Of(Role::Listener);
        let (at, person) = (self.node.world.wall(), Some(person));
        let line = Audit { at, caller, person, act, whom: None, outcome: "done" };
        if let Err(error) = self.node.rooms.setup().store.audit(room.name().clone(), line).await {
            tracing::warn!(room = %room.name(), %error, "audit_not_kept");
        }
    }

    /// Lets somebody in who wants to change something: from a page of ours, and not too often. By what way
    /// they came.
    fn let_in(&self, parts: &Parts) -> Result<Scheme, Failure> {
        let way = self.ours_asks(parts)?;
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        match pace.count(self.node.world.now(), home(visitor(parts))) {
            TooMany::No => Ok(way),
            TooMany::Yes => Err(Refusal::SourceTooBusy.into()),
        }
    }

    /// Lets somebody in who asks from a page of ours. By what way they came.
    fn ours_asks(&self, parts: &Parts) -> Result<Scheme, Failure> {
        let base = self.node.config.public_base();
        let reached = parts.extensions.get::<Reached>();
        let asked = reached.filter(|reached| reached.host.is_some()).map(|reached| reached.link(""));
        let own = [base.as_str(), asked.as_deref().unwrap_or(&base)];
        let word = |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap_or("?"));
        let told = Told { origin: word(ORIGIN.as_str()), fetch_site: word("sec-fetch-site") };
        match asks(told, &own) {
            Asks::OurPage | Asks::Unsaid => {}
            Asks::OtherPage => return Err(Refusal::OriginWrong.into()),
        }
        let is_tls = base.starts_with("https:") || reached.is_some_and(|by| by.scheme == Scheme::Https);
        Ok(if is_tls { Scheme::Https } else { Scheme::Http })
    }
}

const fn by(id: PersonId) -> By {
    By { caller: Caller::Of(Role::Listener), person: Some(id) }
}

fn view(door: &Door, room: &Handle, grant: Option<&Key>) -> Value {
    let shown = room.floor().shown();
    let guest = grant.and_then(|grant| shown.guest(&grant.hash()).map(|guest| (grant, guest)));
    let is_open = matches!(room.view().facts.state, RoomState::Boarding | RoomState::Live);
    let nothing = if is_open { "none" } else { "closed" };
    let Some((grant, guest)) = guest else {
        return json!({"state": nothing, "ahead": 0, "stage": null, "you": null});
    };
    let stage = (guest.state == Asked::Granted).then(|| {
        let links = Links::of(room.name(), &door.node.config);
        json!({"whip": links.whip, "key": grant.reveal()})
    });
    json!({"state": guest.state.word(), "ahead": guest.ahead, "stage": stage, "you": guest.you})
}

/// The body, and whether a form without a script sent it.
async fn read(body: Body, headers: &HeaderMap) -> Result<(Asking, bool), Failure> {
    if kind_of(headers) == FORM {
        let bytes = bytes_of(body).await?;
        let text = String::from_utf8_lossy(&bytes);
        let name = super::parameter(&text, "name").map(form_word).unwrap_or_default();
        return Ok((Asking { name }, true));
    }
    Ok((read_json(body, headers).await?, false))
}

async fn read_json<T: DeserializeOwned>(body: Body, headers: &HeaderMap) -> Result<T, Failure> {
    let bytes = bytes_of(body).await?;
    if kind_of(headers) != "application/json" {
        return Err(Failure::new(Refusal::TypeWrong, "send JSON; to ask, a form with name will do"));
    }
    serde_json::from_slice(&bytes).map_err(|error| Failure::malformed(format!("the body: {error}")))
}

fn kind_of(headers: &HeaderMap) -> String {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

async fn bytes_of(body: Body) -> Result<Bytes, Failure> {
    let bytes = tokio::time::timeout(BODY_WAIT, axum::body::to_bytes(body, BODY_BYTES_MAX)).await;
    let bytes = bytes.map_err(|_| Failure::malformed("the body did not come within 5 s"))?;
    bytes.map_err(|_| Failure::of(Refusal::TooLarge))
}

/// A word of a form (URL standard, application/x-www-form-urlencoded).
fn form_word(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let [first, after @ ..] = rest {
        let escaped = match (first, after) {
            (b'%', [high, low, ..]) => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                digit(high).zip(digit(low)).map(|(high, low)| (high * 16 + low) as u8)
            }
            _ => None,
        };
        match (escaped, first) {
            (Some(byte), _) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            (None, b'+') => {
                bytes.push(b' ');
                rest = after;
            }
            (None, byte) => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read() {
        for (text, word) in [
            ("Ana+Mar%C3%ADa", "Ana María"),
            ("%", "%"),
            ("100%2", "100%2"),
            ("a%zzb", "a%zzb"),
            ("%E9", "\u{fffd}"),
        ] {
            assert_eq!(form_word(text), word);
        }
    }

    #[test]
    fn the_key_of_a_grant_is_always_the_same_and_is_not_the_cookie() {
        let (one, other) = (Secret::new([1; 24]), Secret::new([2; 24]));
        let key = |secret: &Secret| secret.grant().expect("base64url is what keys are made of");
        assert_eq!(key(&one).reveal(), key(&one).reveal());
        assert_ne!(key(&one).reveal(), key(&other).reveal());
        assert_ne!(key(&one).reveal(), one.0);
    }
}
