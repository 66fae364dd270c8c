//! 6. The public listener: the page, the status, the program in every form, the replay, the floor. One file
//!    per kind of answer.

mod door;
mod floor;
mod hls;
pub(crate) mod late;
pub(crate) mod live;
mod page;
pub(crate) mod place;
mod tier;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use tribune_core::egress::receipt::{self, Receipt};
use tribune_core::guard::live::Happened;
use tribune_core::program::PartNo;
use tribune_core::program::playlist::{MEDIA_TYPE, Query};
use tribune_core::reason::Refusal;
use tribune_core::room::{Demand, Hearing, State as RoomState};

use crate::answer::{self, Failure, Path};
use crate::door::Audience;
use crate::fanout::Taker;
use crate::net::delivery::Delivery;
use crate::net::{ClientAddr, Ready, ReadyHead, ReadyOf};
use crate::node::Node;
use crate::program::Program;
use crate::recording;
use crate::rooms::Handle;
use crate::window::Live;
use live::{Ask, Form};

/// A status may be a little old and still be true enough for a page.
const STATUS_CACHE: &str = "public, max-age=2, stale-while-revalidate=10, stale-if-error=60";
/// A status named by its number never changes.
const FIXED_CACHE: &str = "public, max-age=31536000, immutable";
/// What any page may read of an answer, and what no browser is to take it for.
const ALLOWED_ORIGIN: &str = "*";
const SHOWN_HEADERS: &str =
    "content-length, content-range, accept-ranges, etag, link, retry-after, icy-metaint, icy-name";
const CONTENT_TYPE_OPTIONS: &str = "nosniff";
const JSON: &str = "application/json";
/// A report may be taken back.
const REPORT_CACHE: &str = "public, max-age=60";
/// It loads nothing, and nobody shows it as part of a page of theirs.
const REPORT_CSP: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; \
                          form-action 'none'; frame-ancestors 'none'";

type Answer = Result<Response, Failure>;
/// What every handler is asked with.
type At = State<Arc<Node>>;

/// Every public address of a node.
pub fn router(node: Arc<Node>) -> Router {
    let world = node.world;
    Router::new()
        .route("/{room}", get(page::page))
        .route("/{room}/event.ics", get(page::calendar))
        .route("/{room}/worker.js", get(page::worker))
        .route("/{room}/status", get(status))
        .route("/{room}/status/{seq}", get(status_at))
        .route("/{room}/report", get(report))
        .route("/{room}/live.opus", progressive(Form::Opus))
        .route("/{room}/live.aac", progressive(Form::Aac))
        .route("/{room}/live.mp4", progressive(Form::Mp4))
        .route("/{room}/live.m3u8", get(multivariant))
        .route("/{room}/hls/{file}", get(hls_playlist))
        .route("/{room}/hls/{rendition}/{edition}/{file}", get(hls_media))
        .route("/{room}/replay.opus", recorded(recording::Form::Opus))
        .route("/{room}/replay.m4a", recorded(recording::Form::M4a))
        .route("/{room}/replay.mp4", recorded(recording::Form::Mp4))
        .route("/{room}/replay.m3u8", recorded(recording::Form::Hls))
        .route("/{room}/seal", recorded(recording::Form::Seal))
        .with_state(node.clone())
        .merge(door::router(node.clone()))
        .merge(late::router(node.clone()))
        .merge(floor::router(node))
        .merge(crate::page::assets())
        .fallback(answer::no_such_page)
        .method_not_allowed_fallback(answer::method_wrong)
        .layer(from_fn_with_state(world, answer::name_requests))
        .layer(from_fn(open_to_all_origins))
}

/// The status of any room as the router answers it, ready to be sent.
pub fn ready(node: Arc<Node>) -> ReadyOf {
    let head = Arc::new(ReadyHead::new([
        (header::CONTENT_TYPE, JSON),
        (header::CACHE_CONTROL, STATUS_CACHE),
        (header::ACCESS_CONTROL_ALLOW_ORIGIN, ALLOWED_ORIGIN),
        (header::ACCESS_CONTROL_EXPOSE_HEADERS, SHOWN_HEADERS),
        (header::X_CONTENT_TYPE_OPTIONS, CONTENT_TYPE_OPTIONS),
    ]));
    Arc::new(move |name| {
        let body = node.rooms.get(name)?.view().status.bytes.clone();
        Some(Ready { head: head.clone(), body })
    })
}

/// The program, the status and the recordings are public: any page may read them, and may ask first.
async fn open_to_all_origins(request: axum::extract::Request, next: axum::middleware::Next) -> Response {
    let asks_first = request.method() == Method::OPTIONS;
    let mut answer =
        if asks_first { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let head = answer.headers_mut();
    let mut say = |name, value| head.insert(name, HeaderValue::from_static(value));
    say(header::ACCESS_CONTROL_ALLOW_ORIGIN, ALLOWED_ORIGIN);
    if asks_first {
        say(header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD");
        say(header::ACCESS_CONTROL_ALLOW_HEADERS, "range, icy-metadata");
        say(header::ACCESS_CONTROL_MAX_AGE, "86400");
    } else {
        say(header::ACCESS_CONTROL_EXPOSE_HEADERS, SHOWN_HEADERS);
        say(header::X_CONTENT_TYPE_OPTIONS, CONTENT_TYPE_OPTIONS);
    }
    answer
}

fn room(node: &Node, name: &str) -> Result<Arc<Handle>, Refusal> {
    node.rooms.get(name).ok_or(Refusal::RoomUnknown)
}

/// The room's program, opened when nobody has asked for it before; `HEAD` opens nothing.
async fn demanded(room: &Handle, method: &Method) -> Option<Program> {
    match *method {
        Method::HEAD => room.running(),
        _ => room.demand(Demand::Hear).await,
    }
}

async fn program(node: &Node, room: &Handle, method: &Method) -> Result<Program, Failure> {
    demanded(room, method).await.ok_or_else(|| why_closed(node, room))
}

/// What `HEAD` is told of a program that `GET` would open.
fn would_open(room: &Handle, method: &Method, content_type: &'static str) -> Option<Response> {
    let view = room.view();
    let closed = *method == Method::HEAD && view.program.is_none() && view.hearing == Hearing::Open;
    let head = [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-store")];
    closed.then(|| head.into_response())
}

fn why_closed(node: &Node, room: &Handle) -> Failure {
    let view = room.view();
    match view.facts.state {
        RoomState::Ended => Failure::of(Refusal::RoomEnded).with_replay(&view.status.bytes),
        RoomState::Scheduled | RoomState::Boarding | RoomState::Live => {
            let reason = if node.shutdown.is_draining() { Refusal::GoingDown } else { Refusal::NotOpenYet };
            with_page(node, room, reason)
        }
    }
}

/// For now: the room's page knows when to ask again, and says so to a person.
fn with_page(node: &Node, room: &Handle, reason: Refusal) -> Failure {
    Failure::of(reason).with_page(format!("{}/{}", node.config.public_base(), room.name()))
}

/// Who came to hear and is refused for want of a seat is counted, and told of the page.
fn refused(node: &Node, room: &Handle, (reason, method): (Refusal, &Method)) -> Failure {
    if !matches!(reason, Refusal::FullForNow | Refusal::TakeATicket) {
        return reason.into();
    }
    if method == Method::GET {
        room.count_turned_away();
    }
    with_page(node, room, reason)
}

async fn status(State(node): At, Path(name): Path<String>, parts: Parts) -> Answer {
    let room = room(&node, &name)?;
    if let Some(shown) = parts.headers.get(receipt::HEADER) {
        prove(&node, &room, (shown, parts.extensions.get::<ClientAddr>()));
    }
    Ok(json(room.view().status.bytes.clone(), STATUS_CACHE))
}

/// A listener's page shows that it holds the end of a part. Of one that nobody has any more nothing is known,
/// and what cannot be read proves nothing.
fn prove(node: &Node, room: &Handle, (shown, from): (&HeaderValue, Option<&ClientAddr>)) {
    let (Some(from), Some(program)) = (from, room.running()) else { return };
    let Ok(Ok(receipt)) = shown.to_str().map(Receipt::parse) else { return };
    let window = program.live().window.borrow().clone();
    let Some(part) = window.get(receipt.part) else { return };
    let is_good = part.tracks.iter().any(|track| receipt.proves(&track.chunk))
        && program.audience().renew(receipt.pass).is_ok();
    let told = if is_good { Happened::Proved } else { Happened::ProvedFalsely };
    node.rooms.setup().watch.tell(from.0, told);
}

async fn status_at(State(node): At, Path((name, seq)): Path<(String, u64)>) -> Answer {
    let bytes = node.rooms.status(&*room(&node, &name)?, seq).await?;
    Ok(json(bytes, FIXED_CACHE))
}

/// The report of the evening, once the host has published it.
async fn report(State(node): At, Path(name): Path<String>) -> Answer {
    let (room, reports) = (room(&node, &name)?, node.rooms.setup().reports.clone());
    let read = tokio::task::spawn_blocking(move || reports.page(room.name())).await;
    let page = read.ok().flatten().ok_or(Refusal::NoSuchPage)?;
    let head = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, REPORT_CACHE),
        (header::CONTENT_SECURITY_POLICY, REPORT_CSP),
    ];
    Ok((head, page).into_response())
}

fn json(bytes: bytes::Bytes, cache: &'static str) -> Response {
    ([(header::CONTENT_TYPE, JSON), (header::CACHE_CONTROL, cache)], bytes).into_response()
}

/// What came with a request.
struct Asked {
    from: IpAddr,
    /// Of its connection.
    delivery: Option<Delivery>,
    /// Who sends to its connection by itself.
    taker: Option<Taker>,
    method: Method,
    headers: HeaderMap,
    query: String,
}

impl<S: Sync> axum::extract::FromRequestParts<S> for Asked {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut http::request::Parts, _: &S) -> Result<Self, Self::Rejection> {
        let query = parts.uri.query().unwrap_or_default().to_owned();
        // Only tests come from nowhere.
        let nowhere = || IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let from = parts.extensions.get::<ClientAddr>().map_or_else(nowhere, |client| client.0);
        let (delivery, taker) = (parts.extensions.get().cloned(), parts.extensions.get().cloned());
        Ok(Self {
            from,
            delivery,
            taker,
            method: parts.method.clone(),
            headers: parts.headers.clone(),
            query,
        })
    }
}

impl Asked {
    fn parameter(&self, name: &str) -> Option<&str> {
        parameter(&self.query, name)
    }
}

/// The first value under `name` in a query.
pub(crate) fn parameter<'q>(query: &'q str, name: &str) -> Option<&'q str> {
    query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// Asks with the pass that was shown. One in the address must be good; one that a browser still keeps in a
/// cookie may be of yesterday, and then counts for nothing.
fn by_pass<T>(
    asked: &Asked,
    room: &Handle,
    ask: impl Fn(Option<&str>) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let shown = door::shown_pass(asked, room);
    let answer = ask(shown);
    let is_stale = shown.is_some() && asked.parameter("pass").is_none();
    if answer.is_err() && is_stale { ask(None) } else { answer }
}

fn progressive(form: Form) -> MethodRouter<Arc<Node>> {
    get(move |State(node): At, Path(name): Path<String>, asked: Asked| async move {
        let room = room(&node, &name)?;
        if let Some(head) = would_open(&room, &asked.method, form.content_type()) {
            return Ok(head);
        }
        let program = program(&node, &room, &asked.method).await?;
        let title = program.titles().now();
        let (rendition, from_s) = (asked.parameter("rendition"), asked.parameter("from_s"));
        let ask = Ask { form, rendition, from_s, title: &title };
        let output = node.metrics.output(&name, form.word());
        let (method, headers) = (&asked.method, &asked.headers);
        let answer = by_pass(&asked, &room, |pass| {
            let output = output.clone();
            let listener = live::Listener {
                live: program.live(),
                titles: program.titles(),
                audience: program.audience(),
                serving: node.rooms.setup().capacity.serving(),
                heard: Some((&node.rooms.setup().watch, asked.from, asked.delivery.as_ref())),
                pass,
                method,
                headers,
                taker: asked.taker.as_ref(),
                world: node.world,
                output,
            };
            live::answer(listener, &ask)
        });
        answer.map_err(|reason| refused(&node, &room, (reason, method)))
    })
}

/// What players of HLS read, also for a while after the end, and who counts them until then.
struct Heard {
    live: Live,
    audience: Option<Arc<Audience>>,
}

async fn heard(node: &Node, name: &str, method: &Method) -> Result<Heard, Failure> {
    let room = room(node, name)?;
    if let Some(program) = demanded(&room, method).await {
        return Ok(Heard { live: program.live().clone(), audience: Some(program.audience().clone()) });
    }
    match room.view().lingering.clone() {
        Some(live) => Ok(Heard { live, audience: None }),
        None => Err(why_closed(node, &room)),
    }
}

/// Here it is decided who may hear: what lies behind is the same for all, and cached (decision 0075).
async fn multivariant(State(node): At, Path(name): Path<String>, asked: Asked) -> Answer {
    let room = room(&node, &name)?;
    if let Some(head) = would_open(&room, &asked.method, MEDIA_TYPE) {
        return Ok(head);
    }
    let program = program(&node, &room, &asked.method).await?;
    let audience = program.audience();
    let admitted = match asked.method {
        Method::HEAD => {
            asked.parameter("pass").map_or_else(|| audience.is_free(), |pass| audience.renew(pass))
        }
        _ => by_pass(&asked, &room, |pass| audience.begin_hls(pass)),
    };
    admitted.map_err(|reason| refused(&node, &room, (reason, &asked.method)))?;
    Ok(hls::multivariant(program.live()))
}

/// `/{room}/hls/{rendition}.m3u8`.
async fn hls_playlist(
    State(node): At,
    Path((name, file)): Path<(String, String)>,
    method: Method,
    RawQuery(query): RawQuery,
) -> Answer {
    let live = heard(&node, &name, &method).await?.live;
    let rendition = file.strip_suffix(".m3u8").and_then(|name| live.renditions.position(name));
    let query = Query::parse(query.as_deref().unwrap_or_default())
        .map_err(|wrong| Failure::malformed(wrong.to_string()))?;
    hls::playlist(&live, rendition.ok_or(Refusal::NoSuchPage)?, query).await
}

/// `/{room}/hls/{rendition}/{edition}/init.mp4`, `{segment}.mp4`, `{part}.part.mp4`.
async fn hls_media(
    State(node): At,
    Path((name, rendition, edition, file)): Path<(String, String, String, String)>,
    method: Method,
) -> Answer {
    let Heard { live, audience } = &heard(&node, &name, &method).await?;
    let rendition = live.renditions.position(&rendition).ok_or(Refusal::NoSuchPage)?;
    // What an address meant in another program of this name, it must not mean in this one.
    if edition != live.window.borrow().edition().to_string() {
        return Err(Refusal::PartGone.into());
    }
    let number = |suffix: &str| file.strip_suffix(suffix)?.parse::<u64>().ok();
    if file == "init.mp4" {
        return Ok(hls::init(live, rendition)?);
    }
    let sound = match number(".part.mp4") {
        Some(no) => hls::part(live, rendition, PartNo(no)).await?,
        None => hls::segment(live, rendition, number(".mp4").ok_or(Refusal::NoSuchPage)?)?,
    };
    if let (Some(audience), Method::GET) = (audience, method) {
        audience.hand_out(sound.handed, &node.metrics.output(&name, "hls"));
    }
    Ok(sound.answer)
}

fn recorded(form: recording::Form) -> MethodRouter<Arc<Node>> {
    get(move |State(node): At, Path(name): Path<String>, asked: Asked| async move {
        let room = room(&node, &name)?;
        if room.view().facts.replay != tribune_core::room::Replay::Ready {
            return Err(Refusal::NoRecording.into());
        }
        let opened = tokio::task::spawn_blocking(move || node.shelf.replay(&name)).await;
        let replay = opened.ok().flatten().ok_or(Refusal::NoRecording)?;
        let first_bytes = asked.method == Method::GET && !asked.headers.contains_key(header::RANGE);
        if first_bytes && matches!(form, recording::Form::Opus | recording::Form::M4a | recording::Form::Hls)
        {
            room.count_replay();
        }
        let answer = recording::respond(&replay, form, &asked.method, &asked.headers);
        Answer::Ok(answer.ok_or(Refusal::NoRecording)?)
    })
}
