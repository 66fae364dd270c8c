//! 3. Live sources as Icecast clients send them: who they are, whose place they take, their bytes into the
//!    mix.

mod feed;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{RawQuery, Request, State};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use axum::routing::{get, put};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt};
use http::header::WWW_AUTHENTICATE;
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use tokio::sync::watch;
use tokio_util::io::ReaderStream;
use tracing::Instrument;
use tribune_core::ingest::head::Method;
use tribune_core::ingest::{Hint, icecast, metadata};
use tribune_core::mix::{self, Levelling};
use tribune_core::reason::Refusal;
use tribune_core::room::{Demand, Key, KeyHash};

use crate::answer::{self, Failure, Path};
use crate::api::{StageDoor, Who, visitor};
use crate::net::{SourceRequest, TakeSource, source};
use crate::node::Node;
use crate::ops::RoomMetrics;
use crate::ops::logs::Repeats;
use crate::program::{Inlet, Program, Replaced, Sort};
use crate::rooms::Handle;
use crate::world::World;
pub use feed::{Feed, Over};

/// Longest name of a source, in characters.
const SOURCE_NAME_CHARS_MAX: usize = 64;
/// A refused sender is read on for so long, and so far, that it hears why.
const READ_ON: Duration = Duration::from_secs(1);
const READ_ON_BYTES_MAX: usize = 1 << 20;
/// A program that closes just as somebody comes to send is opened again; once is enough, because it was just
/// wanted.
pub(crate) const OPENINGS_MAX: usize = 2;
/// The name of the source at `/{room}/source`.
const MAIN: &str = "main";

static REFUSED: Repeats = Repeats::new();

/// What the addresses share.
#[derive(Clone)]
struct Sources {
    node: Arc<Node>,
    door: StageDoor,
}

/// What a sender asks, however it came.
struct Offer<'a> {
    from: IpAddr,
    method: &'a str,
    room: &'a str,
    name: &'a str,
    query: &'a str,
    headers: Vec<(&'a str, &'a [u8])>,
}

/// The stage's addresses for sources that speak plain HTTP.
pub fn router(node: Arc<Node>, door: StageDoor) -> Router {
    let world = node.world;
    Router::new()
        .route("/{room}/source", put(put_main))
        .route("/{room}/source/{name}", put(put_named))
        .route("/admin/metadata", get(set_title))
        .method_not_allowed_fallback(answer::method_wrong)
        .layer(from_fn_with_state(world, answer::name_requests))
        .layer(map_response(ask_for_basic))
        .with_state(Sources { node, door })
}

/// Source clients send a key only to who asks for it in their own way: libshout begins without one and looks
/// for `Basic` in the refusal.
async fn ask_for_basic(mut answer: Response) -> Response {
    if answer.status() == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Basic realm=\"tribune\"");
        answer.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    answer
}

async fn put_main(
    State(sources): State<Sources>,
    Path(room): Path<String>,
    request: Request,
) -> Result<StatusCode, Failure> {
    put_source(sources, room, MAIN.to_owned(), request).await
}

async fn put_named(
    State(sources): State<Sources>,
    Path((room, name)): Path<(String, String)>,
    request: Request,
) -> Result<StatusCode, Failure> {
    put_source(sources, room, name, request).await
}

async fn put_source(
    sources: Sources,
    room: String,
    name: String,
    request: Request,
) -> Result<StatusCode, Failure> {
    let (parts, body) = request.into_parts();
    let offer = Offer {
        from: visitor(&parts),
        method: parts.method.as_str(),
        room: &room,
        name: &name,
        query: parts.uri.query().unwrap_or_default(),
        headers: parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect(),
    };
    let mut body = body.into_data_stream().map_err(io::Error::other);
    let heard = match admit(&sources, &offer).await {
        Ok(admitted) => admitted.take(&mut body).await,
        Err(why) => Err(why),
    };
    if heard.is_err() {
        // A connection closed over unread bytes takes the answer with it.
        let _ = tokio::time::timeout(READ_ON, read_on(&mut body)).await;
    }
    heard.map(|()| StatusCode::OK)
}

/// Reads what a refused sender has already sent, up to `READ_ON_BYTES_MAX`.
async fn read_on<S>(body: &mut S)
where
    S: Stream<Item = io::Result<Bytes>> + Unpin,
{
    let mut left = READ_ON_BYTES_MAX;
    while let Some(Ok(bytes)) = body.next().await {
        left = left.saturating_sub(bytes.len());
        if left == 0 {
            return;
        }
    }
}

/// A sender whose key is good and whose input of the mix is open.
struct Admitted {
    program: Program,
    replaced: Replaced,
    inlet: Inlet,
    hint: Hint,
    world: World,
    metrics: RoomMetrics,
    span: tracing::Span,
    key: Standing,
}

/// The key that somebody sends by, for as long as it opens.
struct Standing {
    door: StageDoor,
    room: Arc<Handle>,
    by: KeyHash,
    changes: watch::Receiver<u64>,
}

impl Standing {
    /// Returns when the key opens nothing any longer.
    async fn ended(mut self) {
        while self.door.still(&self.room, &self.by).is_some() {
            if self.changes.changed().await.is_err() {
                return;
            }
        }
    }
}

/// Lets a sender in, or says why not, also in the log: few programs show what they are answered.
async fn admit(sources: &Sources, offer: &Offer<'_>) -> Result<Admitted, Failure> {
    let admitted = examine(sources, offer).await;
    if let (Err(why), Some(repeated)) = (&admitted, REFUSED.pass(sources.node.world.now())) {
        // What a stranger writes is no name of ours.
        let room = sources.node.rooms.get(offer.room).map_or("none", |_| offer.room);
        let name = source_name(offer.name).unwrap_or_default();
        tracing::info!(room, name, says = why.message(), repeated, "source_refused");
    }
    admitted
}

async fn examine(Sources { node, door }: &Sources, offer: &Offer<'_>) -> Result<Admitted, Failure> {
    let hello = icecast::read(offer.method, offer.headers.iter().copied())
        .map_err(|error| Failure::new(error.refusal(), error.to_string()))?;
    let room = node.rooms.get(offer.room).ok_or(Refusal::RoomUnknown)?;
    let key = Key::parse(&hello.key).map_err(|_| Refusal::KeyWrong)?;
    // Before it is known whose the key is, so that nothing that changes from here on is missed.
    let changes = door.changes();
    let Who { by, .. } = door.sends_by((&key, offer.from), &room)?;
    let spec = spec_of(offer.name, offer.query)?;
    let (program, inlet, replaced) = open_inlet(&room, spec).await?;
    let span = tracing::info_span!("source", room = %room.name(), name = offer.name);
    Ok(Admitted {
        metrics: node.metrics.room(offer.room),
        program,
        replaced,
        inlet,
        hint: hello.hint,
        world: node.world,
        span,
        key: Standing { door: door.clone(), room, by, changes },
    })
}

/// An input of the room's program, which is opened when need be. A program that closed because nobody was
/// there may do so just as somebody comes; then it is opened again.
async fn open_inlet(room: &Handle, spec: mix::Spec) -> Result<(Program, Inlet, Replaced), Refusal> {
    for _ in 0..OPENINGS_MAX {
        let program = room.demand(Demand::Send).await.ok_or(Refusal::RoomEnded)?;
        match program.inlet(spec.clone()).await {
            Err(Refusal::RoomEnded) => {}
            answer => return answer.map(|(inlet, replaced)| (program, inlet, replaced)),
        }
    }
    Err(Refusal::RoomEnded)
}

/// `?mix=finished` leaves the levels alone; `?backup-for=NAME` waits until that source dies.
pub(crate) fn spec_of(name: &str, query: &str) -> Result<mix::Spec, Failure> {
    let (mut levelling, mut backup_for) = (Levelling::On, None);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("mix", "finished")) => levelling = Levelling::Off,
            Some(("backup-for", primary)) => backup_for = Some(source_name(primary)?),
            _ => {
                let detail = format!("a source takes mix=finished and backup-for=NAME, not {:.40}", pair);
                return Err(Failure::new(Refusal::Malformed, detail));
            }
        }
    }
    Ok(mix::Spec { name: source_name(name)?, levelling, backup_for })
}

fn source_name(text: &str) -> Result<String, Failure> {
    let fits = (1..=SOURCE_NAME_CHARS_MAX).contains(&text.len());
    if fits && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        return Ok(text.to_owned());
    }
    let detail = "a source's name has 1 to 64 of a-z, A-Z, 0-9, '-', '_' and '.'";
    Err(Failure::new(Refusal::Malformed, detail.to_owned()))
}

impl Admitted {
    /// Hears the sender out.
    async fn take<S>(self, body: S) -> Result<(), Failure>
    where
        S: Stream<Item = io::Result<Bytes>> + Unpin,
    {
        let Self { program, replaced, inlet, hint, world, metrics, span, key } = self;
        let feed = Feed { world, metrics, program: &program, inlet, hint };
        let heard = async {
            tracing::info!("source_began");
            let over = tokio::select! {
                over = feed.run(body) => over,
                Ok(()) = replaced => Over::Replaced,
                () = key.ended() => Over::KeyGone,
            };
            over.tell();
            over
        };
        let over = heard.instrument(span).await;
        if program.sources().names(Sort::Source).is_empty() {
            program.titles().set(String::new());
        }
        over.failure().map_or(Ok(()), Err)
    }
}

/// For connections that HTTP's rules give no body: the same, with the connection as the body.
pub fn take_source(node: Arc<Node>, door: StageDoor) -> TakeSource {
    let sources = Sources { node, door };
    Arc::new(move |request| Box::pin(take_raw(sources.clone(), request)))
}

async fn take_raw(sources: Sources, request: SourceRequest) {
    // An error here means that the sender has left; its sound up to then was heard.
    let _ = match admit_raw(&sources, &request).await {
        Err(why) => request.refuse(why.reason(), &why.message()).await,
        Ok(admitted) => match request.accept().await {
            Ok(sending) => hear_raw(admitted, sending).await,
            Err(error) => Err(error),
        },
    };
}

async fn admit_raw(sources: &Sources, request: &SourceRequest) -> Result<Admitted, Failure> {
    let (path, query) = request.head.target.split_once('?').unwrap_or((&request.head.target, ""));
    let mut steps = path.split('/').skip(1);
    let (room, name) = match (steps.next(), steps.next(), steps.next(), steps.next()) {
        (Some(room), Some("source"), None, None) => (room, MAIN),
        (Some(room), Some("source"), Some(name), None) => (room, name),
        _ => return Err(Refusal::NoSuchPage.into()),
    };
    let headers =
        request.head.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
    let method = match request.head.method {
        Method::Source => "SOURCE",
        Method::Put => "PUT",
    };
    let from = request.client.0;
    admit(sources, &Offer { from, method, room, name, query, headers }).await
}

async fn hear_raw(admitted: Admitted, mut sending: source::Sending) -> io::Result<()> {
    let heard = admitted.take(ReaderStream::new(&mut sending.stream)).await;
    match heard {
        Ok(()) => sending.done().await,
        Err(why) => sending.refuse(why.reason(), &why.message()).await,
    }
}

/// `GET /admin/metadata?mode=updinfo&mount=/{room}/source&song=…`, as source clients set titles on Icecast.
async fn set_title(
    State(Sources { node, door }): State<Sources>,
    RawQuery(query): RawQuery,
    parts: Parts,
) -> Result<&'static str, Failure> {
    let update = metadata::read(query.as_deref().unwrap_or_default())
        .map_err(|error| Failure::new(Refusal::Malformed, error.to_string()))?;
    let pairs: Vec<_> = parts.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let hello = icecast::read("PUT", pairs.iter().copied())
        .map_err(|error| Failure::new(error.refusal(), error.to_string()))?;
    let room = update.mount.trim_start_matches('/').split('/').next().unwrap_or_default();
    let room = node.rooms.get(room).ok_or(Refusal::RoomUnknown)?;
    let key = Key::parse(&hello.key).map_err(|_| Refusal::KeyWrong)?;
    door.sends_by((&key, visitor(&parts)), &room)?;
    match &room.view().program {
        Some(program) => program.titles().set(update.title.line()),
        None => return Err(Refusal::WrongState.into()),
    }
    Ok("<?xml version=\"1.0\"?><iceresponse><message>Metadata update successful</message>\
        <return>1</return></iceresponse>\n")
}
