//! The door as visitors meet it: a ticket, its place, a claim, and the arrivals from which anybody can tell
//! every rank.
//!
//! Each answer costs a hash or two. What a browser without scripts sends as a form is answered with the page.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, COOKIE, LOCATION, RETRY_AFTER, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use tribune_core::door::address::Scheme;
use tribune_core::door::doorkeeper::Place;
use tribune_core::door::ticket::TicketWrong;
use tribune_core::reason::Refusal;
use tribune_core::room::State as RoomState;

use super::{Answer, Asked};
use crate::answer::{Failure, Path, json_of};
use crate::door::{Claimed, Drawn, Held, Stands};
use crate::net::Reached;
use crate::node::Node;
use crate::page::Lang;
use crate::rooms::Handle;

/// Largest body of a claim, in bytes.
const BODY_BYTES_MAX: usize = 1_024;
/// How long a body may take to come.
const BODY_WAIT: Duration = Duration::from_secs(5);
/// How long a browser keeps its ticket, in seconds: rooms are announced days before.
const TICKET_AGE_S: u32 = 30 * 86_400;
/// How long it keeps its pass, in seconds.
const PASS_AGE_S: u32 = 43_200;
const FORM: &str = "application/x-www-form-urlencoded";
/// A minute that is over never changes; one that is not may be a second old.
const COMPLETE_CACHE: &str = "public, max-age=31536000, immutable";
const GROWING_CACHE: &str = "public, max-age=1";

/// The addresses of the door.
pub(super) fn router(node: Arc<Node>) -> Router {
    Router::new()
        .route("/{room}/ticket", post(ticket))
        .route("/{room}/place", get(place))
        .route("/{room}/claim", post(claim))
        .route("/{room}/arrivals/{minute}", get(arrivals))
        .with_state(node)
}

/// What claiming takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Claiming {
    ticket: String,
    secret: String,
}

async fn ticket(State(node): State<Arc<Node>>, Path(name): Path<String>, parts: Parts) -> Answer {
    let room = super::room(&node, &name)?;
    over(&room)?;
    let shown = shown_ticket(&parts.headers, &room);
    let (held, drawn) = room.desk().ticket(shown.as_ref()).await?;
    let mut answer = if is_form(&parts.headers) {
        see_page(&room, &parts)?
    } else {
        let status = match drawn {
            Drawn::Fresh => StatusCode::CREATED,
            Drawn::Again => StatusCode::OK,
        };
        json_of(status, &json!({"ticket": held.ticket, "secret": held.secret}))
    };
    let value = format!("{}.{}", held.ticket, held.secret);
    let cookie = Cookie { kind: TICKET, value: &value, age_s: TICKET_AGE_S };
    answer.headers_mut().append(SET_COOKIE, cookie.set(&node, &parts, &room)?);
    Ok(answer)
}

async fn place(State(node): State<Arc<Node>>, Path(name): Path<String>, asked: Asked) -> Answer {
    let room = super::room(&node, &name)?;
    let ticket = asked.parameter("ticket").ok_or(Failure::malformed("place?ticket=… names a ticket"))?;
    let stands = room.desk().place(ticket).map_err(TicketWrong::refusal)?;
    Ok(with_pace(json_of(StatusCode::OK, &place_of(&stands)), &stands))
}

async fn claim(State(node): State<Arc<Node>>, Path(name): Path<String>, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let room = super::room(&node, &name)?;
    over(&room)?;
    let by_form = is_form(&parts.headers);
    let held = if by_form { shown_ticket(&parts.headers, &room) } else { Some(read(body).await?) };
    let held = held.ok_or(Refusal::TicketMalformed)?;
    let pass = match room.desk().claim(&held).await.map_err(TicketWrong::refusal)? {
        Claimed::Pass(pass) => pass,
        Claimed::NotYet(_) | Claimed::Full(_) if by_form => {
            return see_page(&room, &parts).map_err(Failure::from);
        }
        Claimed::NotYet(stands) => {
            return Ok(with_pace(json_of(StatusCode::ACCEPTED, &place_of(&stands)), &stands));
        }
        Claimed::Full(_) => return Err(super::with_page(&node, &room, Refusal::PlaceKept)),
        Claimed::Ended => return Err(ended(&room)),
    };
    let mut answer = if by_form {
        see_page(&room, &parts)?
    } else {
        json_of(StatusCode::OK, &json!({"pass": pass, "listen": listen(&node, &room, &pass)}))
    };
    let cookie = Cookie { kind: PASS, value: &pass, age_s: PASS_AGE_S };
    answer.headers_mut().append(SET_COOKIE, cookie.set(&node, &parts, &room)?);
    Ok(answer)
}

async fn arrivals(State(node): State<Arc<Node>>, Path((name, minute)): Path<(String, u32)>) -> Answer {
    let room = super::room(&node, &name)?;
    let found = room.desk().minute(minute).ok_or(Refusal::NoSuchPage)?;
    let cache = if found.complete { COMPLETE_CACHE } else { GROWING_CACHE };
    let document = found.document(room.name().as_str(), room.desk().opened_at());
    let mut answer = json_of(StatusCode::OK, &document);
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    std::future::ready(Ok(answer)).await
}

/// The ticket that a visitor's cookie holds for this room, whatever it is worth.
pub(super) fn shown_ticket(headers: &HeaderMap, room: &Handle) -> Option<Held> {
    let (ticket, secret) = cookie(headers, TICKET, room)?.split_once('.')?;
    Some(Held { ticket: ticket.to_owned(), secret: secret.to_owned() })
}

/// The pass that came with a request for the program: in the address, else in the cookie.
pub(super) fn shown_pass<'a>(asked: &'a Asked, room: &Handle) -> Option<&'a str> {
    asked.parameter("pass").or_else(|| cookie(&asked.headers, PASS, room))
}

/// Where a ticket stands, as JSON and for the page.
pub(super) fn place_of(stands: &Stands) -> Value {
    let again = retry_after_s(stands);
    let mut said = match stands.place {
        Place::NotDrawn => json!({"drawn": false, "retry_after_s": again}),
        Place::Settling => json!({"drawn": true, "settling": true, "retry_after_s": again}),
        Place::Called { rank } => {
            let eta_s = [0, 0];
            json!({"drawn": true, "rank": rank.0, "ahead": 0, "eta_s": eta_s, "called": true,
                "retry_after_s": again})
        }
        Place::InLine { rank, ahead, people, eta } => json!({
            "drawn": true, "rank": rank.0, "ahead": people, "tickets_ahead": ahead, "called": false,
            "eta_s": eta.map(|range| [range.low_s, range.high_s]), "retry_after_s": again,
        }),
    };
    said["retry_after_ms"] = (stands.again.as_millis() as u64).into();
    said
}

pub(super) fn retry_after_s(stands: &Stands) -> u64 {
    (stands.again.as_millis() as u64).div_ceil(1_000).max(1)
}

fn with_pace(mut answer: Response, stands: &Stands) -> Response {
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(retry_after_s(stands)));
    answer
}

fn over(room: &Handle) -> Result<(), Failure> {
    if room.view().facts.state == RoomState::Ended { Err(ended(room)) } else { Ok(()) }
}

fn ended(room: &Handle) -> Failure {
    Failure::of(Refusal::RoomEnded).with_replay(&room.view().status.bytes)
}

fn listen(node: &Node, room: &Handle, pass: &str) -> Value {
    let base = format!("{}/{}", node.config.public_base(), room.name());
    let at = |form: &str| format!("{base}/live.{form}?pass={pass}");
    json!({"opus": at("opus"), "aac": at("aac"), "mp4": at("mp4"), "hls": at("m3u8")})
}

fn is_form(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(FORM.as_bytes()))
}

/// The page, in the language the form was in.
fn see_page(room: &Handle, parts: &Parts) -> Result<Response, Refusal> {
    let mut answer = StatusCode::SEE_OTHER.into_response();
    let lang = super::parameter(parts.uri.query().unwrap_or_default(), "lang").and_then(Lang::of_tag);
    let query = lang.map_or_else(String::new, |lang| format!("?lang={}", lang.tag()));
    let page = HeaderValue::try_from(format!("/{}{query}", room.name())).map_err(|_| Refusal::OurFault)?;
    answer.headers_mut().insert(LOCATION, page);
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(answer)
}

async fn read(body: Body) -> Result<Held, Failure> {
    let bytes = tokio::time::timeout(BODY_WAIT, axum::body::to_bytes(body, BODY_BYTES_MAX)).await;
    let bytes = bytes.map_err(|_| Failure::malformed("the body did not come within 5 s"))?;
    let bytes = bytes.map_err(|_| Failure::of(Refusal::TooLarge))?;
    let Claiming { ticket, secret } = serde_json::from_slice(&bytes)
        .map_err(|error| Failure::malformed(format!("send {{\"ticket\", \"secret\"}} as JSON: {error}")))?;
    Ok(Held { ticket, secret })
}

/// A cookie of this door.
struct Cookie<'a> {
    kind: &'static str,
    value: &'a str,
    age_s: u32,
}

const TICKET: &str = "ticket";
const PASS: &str = "pass";
/// Over HTTPS nothing but this very host can have set it (RFC 6265bis, section 4.1.3.2).
const HOST_ONLY: &str = "__Host-";

impl Cookie<'_> {
    fn set(&self, node: &Node, parts: &Parts, room: &Handle) -> Result<HeaderValue, Failure> {
        let Self { kind, value, age_s } = self;
        let name = room.name();
        let reached = parts.extensions.get::<Reached>();
        let is_tls = node.config.public_base().starts_with("https:")
            || reached.is_some_and(|by| by.scheme == Scheme::Https);
        let (prefix, path, secure) =
            if is_tls { (HOST_ONLY, "/".to_owned(), "; Secure") } else { ("", format!("/{name}"), "") };
        let line = format!(
            "{prefix}{kind}-{name}={value}; Path={path}; Max-Age={age_s}; HttpOnly; SameSite=Lax{secure}"
        );
        HeaderValue::try_from(line).map_err(|_| Failure::of(Refusal::OurFault))
    }
}

fn cookie<'h>(headers: &'h HeaderMap, kind: &str, room: &Handle) -> Option<&'h str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let is_it = |name: &str| {
        let name = name.strip_prefix(HOST_ONLY).unwrap_or(name);
        name.strip_prefix(kind).and_then(|rest| rest.strip_prefix('-')) == Some(room.name().as_str())
    };
    pairs.find(|(name, _)| is_it(name)).map(|(_, value)| value)
}
