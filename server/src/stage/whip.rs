//! WHIP (RFC 9725): `POST /{room}/whip`, then `PATCH` and `DELETE` of what it made.
//!
//! The key is looked at before the body: an offer without one costs a look into the room's name and is
//! answered before a byte of SDP is read.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, Request, State};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{patch, post};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_MATCH,
    LOCATION,
};
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tokio::sync::{mpsc, oneshot, watch};
use tribune_core::ingest::whip::{FRAGMENT_BYTES_MAX, Fragment, OFFER_BYTES_MAX, Offer, Wants};
use tribune_core::mix::{Hears, SpeakerSpec};
use tribune_core::reason::Refusal;
use tribune_core::room::floor::{Coming, Lasting};
use tribune_core::room::{Caller, Demand, KeyHash, PERSON_NAME_CHARS_MAX, PersonId, PersonName, Role};

use super::peer::{Made, Now, Peer};
use super::{Ask, Patched, PeerId, Stage};
use crate::answer::{self, Failure, Path};
use crate::api::{StageDoor, Who};
use crate::ingest::OPENINGS_MAX;
use crate::node::Node;
use crate::program::Speaker;
use crate::rooms::Handle;
use crate::world::World;

/// How long a body may take to come.
const BODY_MAX: Duration = Duration::from_secs(10);
/// A sender whose body is too large is read on for so long, and so far, that it hears why.
const READ_ON: Duration = Duration::from_secs(1);
const READ_ON_BYTES_MAX: usize = 4 << 20;
/// A connection that is to end and is still there is ended again after this.
const LEAVE_AGAIN: Duration = Duration::from_millis(100);
/// Longest name of a speaker, in characters.
const NAME_CHARS_MAX: usize = 64;
const SDP: &str = "application/sdp";
const FRAGMENT: &str = "application/trickle-ice-sdpfrag";
const ACCEPT_POST: HeaderName = HeaderName::from_static("accept-post");
const ACCEPT_PATCH: HeaderName = HeaderName::from_static("accept-patch");

/// What the requests share.
#[derive(Clone)]
struct Whip {
    node: Arc<Node>,
    stage: Stage,
    door: StageDoor,
}

/// The stage's addresses for speakers, who come in by `door`.
pub fn router(node: Arc<Node>, stage: Stage, door: StageDoor) -> Router {
    let world = node.world;
    Router::new()
        .route("/{room}/whip", post(offer).options(options))
        .route("/{room}/whip/{peer}", patch(change).delete(leave).options(options))
        .method_not_allowed_fallback(answer::method_wrong)
        .layer(from_fn_with_state(world, answer::name_requests))
        .layer(map_response(for_other_origins))
        .with_state(Whip { node, stage, door })
}

/// A page of any origin may offer: the key comes in a header that no browser adds by itself.
async fn for_other_origins(mut answer: Response) -> Response {
    let headers = answer.headers_mut();
    for (name, value) in [
        (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
        (ACCESS_CONTROL_ALLOW_METHODS, "OPTIONS, POST, PATCH, DELETE"),
        (ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type, If-Match"),
        (ACCESS_CONTROL_EXPOSE_HEADERS, "Location, ETag, Link, Accept-Patch, Retry-After"),
        (ACCESS_CONTROL_MAX_AGE, "600"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    std::future::ready(answer).await
}

async fn options() -> Response {
    let mut answer = Response::new(Body::empty());
    answer.headers_mut().insert(ACCEPT_POST, HeaderValue::from_static(SDP));
    answer.headers_mut().insert(ACCEPT_PATCH, HeaderValue::from_static(FRAGMENT));
    std::future::ready(answer).await
}

async fn offer(
    State(whip): State<Whip>,
    Path(room): Path<String>,
    RawQuery(query): RawQuery,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let (room, who) = whip.admit(&room, &parts)?;
    must_be(SDP, &parts.headers)?;
    let asked = Asked::read(query.as_deref().unwrap_or_default())?;
    let text = read(body, &parts.headers, OFFER_BYTES_MAX).await?;
    let offer = Offer::read(&text).map_err(|error| Failure::new(error.refusal(), error.to_string()))?;
    whip.join(&room, who, (offer, asked)).await
}

async fn change(
    State(whip): State<Whip>,
    Path((room, peer)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, body) = request.into_parts();
    let (_, Who { by, .. }) = whip.admit(&room, &parts)?;
    must_be(FRAGMENT, &parts.headers)?;
    let text = read(body, &parts.headers, FRAGMENT_BYTES_MAX).await?;
    let fragment = Fragment::read(&text).map_err(|error| Failure::new(error.refusal(), error.to_string()))?;
    let if_match = parts.headers.get(IF_MATCH).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (reply, answered) = oneshot::channel();
    whip.ask(Ask::Patch { id: PeerId(peer.into()), by, if_match, fragment, reply }).await?;
    match answered.await.map_err(|_| Refusal::GoingDown)?? {
        Patched::Trickled => Ok(bare(StatusCode::NO_CONTENT)),
        Patched::Restarted { tag, fragment } => {
            let mut answer = Response::new(Body::from(fragment));
            answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(FRAGMENT));
            answer.headers_mut().insert(ETAG, header(tag)?);
            Ok(answer)
        }
    }
}

async fn leave(
    State(whip): State<Whip>,
    Path((room, peer)): Path<(String, String)>,
    request: Request,
) -> Result<Response, Failure> {
    let (parts, _) = request.into_parts();
    let (_, Who { by, .. }) = whip.admit(&room, &parts)?;
    let (reply, answered) = oneshot::channel();
    whip.ask(Ask::Leave { id: PeerId(peer.into()), by, reply }).await?;
    answered.await.map_err(|_| Refusal::GoingDown)??;
    Ok(bare(StatusCode::OK))
}

/// What the query of an offer says.
struct Asked {
    /// The speaker's name in the mix.
    name: Option<String>,
    /// The connection this one takes the place of.
    again: Option<PeerId>,
}

impl Asked {
    fn read(query: &str) -> Result<Self, Failure> {
        let mut asked = Self { name: None, again: None };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=') {
                Some(("name", name)) => asked.name = Some(speaker_name(name)?),
                Some(("again", peer)) => asked.again = Some(PeerId(peer.into())),
                _ => {
                    let detail = format!("an offer takes name=NAME and again=SESSION, not {pair:.40}");
                    return Err(Failure::malformed(detail));
                }
            }
        }
        Ok(asked)
    }
}

fn speaker_name(text: &str) -> Result<String, Failure> {
    let fits = (1..=NAME_CHARS_MAX).contains(&text.len());
    if fits && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        return Ok(text.to_owned());
    }
    Err(Failure::malformed("a speaker's name has 1 to 64 of a-z, A-Z, 0-9, '-', '_' and '.'"))
}

impl Whip {
    /// Whoever has a key that may send sound.
    fn admit(&self, room: &str, parts: &Parts) -> Result<(Arc<Handle>, Who), Failure> {
        let room = self.node.rooms.get(room).ok_or(Refusal::RoomUnknown)?;
        let who = self.door.sends(&self.door.shown(parts)?, &room)?;
        Ok((room, who))
    }

    async fn join(
        &self,
        room: &Arc<Handle>,
        who: Who,
        (offer, asked): (Offer, Asked),
    ) -> Result<Response, Failure> {
        if let Some(before) = asked.again.clone() {
            // Before anything is opened, so that an older window takes nothing from a newer one.
            let (reply, answered) = oneshot::channel();
            self.ask(Ask::Follow { id: before, by: who.by, reply }).await?;
            answered.await.map_err(|_| Refusal::GoingDown)??;
        }
        let world = self.node.world;
        let now = Now {
            time: world.now(),
            instant: world.instant(world.now()).ok_or(Failure::of(Refusal::OurFault))?,
        };
        let (rtc, text) = self.stage.answering.answer(now.instant, &offer)?;
        let id = PeerId(URL_SAFE_NO_PAD.encode(world.entropy::<18>()).into());
        let coming = self.coming(&who, &asked).await?;
        let role = coming.role;
        let person = (coming.id.clone(), coming.name.clone());
        // Before anything is opened, so that nothing that changes from here on is missed.
        let changes = self.door.changes();
        self.door.still(room, &who.by).ok_or(Refusal::KeyWrong)?;
        let attendance = room.floor().come(coming).await?;
        let hears = match offer.wants {
            Wants::ToSend => Hears::Nothing,
            Wants::ToSendAndHear => Hears::MixMinus,
        };
        let spec = SpeakerSpec { name: person.0.to_string(), hears };
        let speaker = open_speaker(room, (spec, role)).await?;
        room.floor().opened(&attendance, speaker.knob()).await?;
        let tag = new_tag(world);
        let metrics = self.node.metrics.room(room.name().as_str());
        let key = who.by;
        let (etag, location) = (header(tag.clone())?, header(format!("/{}/whip/{}", room.name(), id.0))?);
        let (leash, gone) = oneshot::channel();
        tokio::spawn(self.clone().watch((room.clone(), who.by, id.clone()), changes, gone));
        let made = Made { id: id.clone(), key, leash, rtc, offer, tag, person, attendance, speaker, metrics };
        let (reply, joined) = oneshot::channel();
        self.ask(Ask::Join { peer: Box::new(Peer::new(now, made)), again: asked.again, reply }).await?;
        joined.await.map_err(|_| Refusal::GoingDown)??;
        tracing::info!(room = %room.name(), "speaker_answered");
        let mut answer = Response::new(Body::from(text));
        *answer.status_mut() = StatusCode::CREATED;
        let headers = answer.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(SDP));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(ACCEPT_PATCH, HeaderValue::from_static(FRAGMENT));
        headers.insert(ETAG, etag);
        headers.insert(LOCATION, location);
        Ok(answer)
    }

    /// Ends a connection whose key or sign-in opens nothing any more.
    async fn watch(
        self,
        (room, by, id): (Arc<Handle>, KeyHash, PeerId),
        mut changes: watch::Receiver<u64>,
        mut gone: oneshot::Receiver<()>,
    ) {
        loop {
            tokio::select! {
                _ = &mut gone => return,
                changed = changes.changed() => if changed.is_err() { return },
            }
            if self.door.still(&room, &by).is_none() {
                return end(&self.stage.asks, (id, by), gone).await;
            }
        }
    }

    /// Who comes: the person of the session or the invitation; else a program with a room's key, which is the
    /// same again under the same name, or when it takes the place of its own connection.
    async fn coming(&self, who: &Who, asked: &Asked) -> Result<Coming, Failure> {
        let Caller::Of(role) = who.caller else { return Err(Refusal::RoleTooLow.into()) };
        if let Some((id, name)) = who.person.clone() {
            return Ok(Coming { id, name, role, lasting: Lasting::Yes });
        }
        if let Some(name) = &asked.name {
            let shown = name.get(..PERSON_NAME_CHARS_MAX).unwrap_or(name);
            let shown = PersonName::parse(shown).ok_or(Failure::of(Refusal::Malformed))?;
            let id = PersonId::named(role, name);
            return Ok(Coming { id, name: shown, role, lasting: Lasting::Yes });
        }
        if let Some(before) = asked.again.clone() {
            let (reply, answered) = oneshot::channel();
            self.ask(Ask::Whose { id: before, by: who.by, reply }).await?;
            if let Ok(Ok((id, name))) = answered.await {
                return Ok(Coming { id, name, role, lasting: Lasting::No });
            }
        }
        let id = PersonId::generate(self.node.world.entropy());
        let name = PersonName::parse(&format!("speaker-{:.6}", id.as_str()));
        let name = name.ok_or(Failure::of(Refusal::OurFault))?;
        Ok(Coming { id, name, role, lasting: Lasting::No })
    }

    async fn ask(&self, ask: Ask) -> Result<(), Failure> {
        self.stage.asks.send(ask).await.map_err(|_| Refusal::GoingDown.into())
    }
}

/// Ends a connection, also one that the media thread has not been given yet.
async fn end(asks: &mpsc::Sender<Ask>, (id, by): (PeerId, KeyHash), mut gone: oneshot::Receiver<()>) {
    loop {
        let (reply, _) = oneshot::channel();
        if asks.send(Ask::Leave { id: id.clone(), by, reply }).await.is_err() {
            // A media thread that is gone has ended it.
            return;
        }
        if tokio::time::timeout(LEAVE_AGAIN, &mut gone).await.is_ok() {
            return;
        }
    }
}

/// A place in the room's program, which is opened when need be, and again when it closed just now.
async fn open_speaker(room: &Handle, (spec, role): (SpeakerSpec, Role)) -> Result<Speaker, Refusal> {
    for _ in 0..OPENINGS_MAX {
        let program = room.demand(Demand::Send).await.ok_or(Refusal::RoomEnded)?;
        match program.speaker(spec.clone(), role).await {
            Err(Refusal::RoomEnded) => {}
            answer => return answer,
        }
    }
    Err(Refusal::RoomEnded)
}

/// The entity tag of a new ICE session, with its quotes.
pub(super) fn new_tag(world: World) -> String {
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(world.entropy::<9>()))
}

fn must_be(kind: &'static str, headers: &HeaderMap) -> Result<(), Failure> {
    let came = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let bare = came.split(';').next().unwrap_or_default().trim();
    if bare.eq_ignore_ascii_case(kind) {
        return Ok(());
    }
    Err(Failure::new(Refusal::TypeWrong, format!("send Content-Type: {kind}")))
}

/// A body as text, up to `bytes_max`.
async fn read(body: Body, headers: &HeaderMap, bytes_max: usize) -> Result<String, Failure> {
    let told = headers.get(http::header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    let too_long = told.and_then(|told| told.parse::<usize>().ok()).is_some_and(|told| told > bytes_max);
    if too_long {
        // A connection closed over unread bytes takes the answer with it; nothing read here is kept.
        let _ = tokio::time::timeout(READ_ON, pour_away(body)).await;
        return Err(Refusal::TooLarge.into());
    }
    let bytes = tokio::time::timeout(BODY_MAX, axum::body::to_bytes(body, bytes_max)).await;
    let bytes = bytes.map_err(|_| Failure::malformed("the body did not come within 10 s"))?;
    let bytes = bytes.map_err(|_| Failure::of(Refusal::TooLarge))?;
    String::from_utf8(bytes.into()).map_err(|_| Failure::malformed("the SDP is not UTF-8"))
}

async fn pour_away(body: Body) {
    use futures_util::StreamExt;
    let mut chunks = body.into_data_stream();
    let mut left = READ_ON_BYTES_MAX;
    while let Some(Ok(bytes)) = chunks.next().await {
        left = left.saturating_sub(bytes.len());
        if left == 0 {
            return;
        }
    }
}

fn bare(status: StatusCode) -> Response {
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status;
    answer
}

fn header(text: String) -> Result<HeaderValue, Failure> {
    HeaderValue::try_from(text).map_err(|_| Failure::of(Refusal::OurFault))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: a key that is taken back while its offer is answered ends the connection all the same.
    /// Method: the media thread hears of the end before it has been given the connection, and once more
    /// after.
    #[tokio::test]
    async fn a_connection_that_is_not_there_yet_is_ended_when_it_is() {
        let (asks, mut asked) = mpsc::channel(1);
        let (leash, gone) = oneshot::channel();
        let media = async {
            for _ in 0..2 {
                let Some(Ask::Leave { id, .. }) = asked.recv().await else { panic!("it is told to end") };
                assert_eq!(id, PeerId("a".into()));
            }
            drop(leash);
        };
        tokio::join!(end(&asks, (PeerId("a".into()), KeyHash([1; 32])), gone), media);
    }
}
