//! One connection from accept to end: the listed steps, each with its deadline.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tribune_core::door::address::{PROXY_SIGNATURE, ProxyHeader, Scheme, canonical, proxy_header};
use tribune_core::guard::live::{Asked, Happened, OnAir, Outcome, What};
use tribune_core::ingest::head::{self, Head, Start};
use tribune_core::reason::Shed;

use super::brief::{Hears, Left};
use super::flight::{Beside, InFlight};
use super::lease::{Held, Lease};
use super::requests::{Near, answered, seen};
use super::socket::Socket;
use super::source::{SourceRequest, TakeSource};
use super::stream::{Guarded, Stream};
use super::unread::{Answering, TLS_RECORD, Unread};
use super::watched::{HALF_OPEN, Watched};
use super::{Shared, brief, elsewhere, requests};
use crate::fanout::Joining;
use crate::ops::logs::Repeats;

/// RFC 9113, section 3.4.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Bytes read at a time before it is known what they are.
const FIRST_BYTES: usize = 1_024;

/// A connection that was accepted before the end began has so long to say what it wants.
const LAST_WORD: Duration = Duration::from_secs(1);

/// What a head ends with (RFC 9112, section 2.1).
const HEAD_END: &[u8] = b"\r\n\r\n";
/// Longer heads, and such with more lines, are the library's to refuse.
const HEAD_LINES_MAX: usize = 64;
const HEAD_BYTES_MAX: usize = 8 * 1_024;

/// Where the API is, on the listener that takes sources too.
const API: &str = "/api/";

/// A request that was put off before it was looked at.
const PUT_OFF: Asked = Asked {
    what: What::Other,
    outcome: Outcome::PutOff,
    target: 0,
    agent: 0,
    forwarded: None,
    on_air: OnAir::No,
};

static SHED: Repeats = Repeats::new();

/// Why a connection ended before its first request.
enum Early {
    /// Counted by its reason.
    Shed(Shed),
    /// The other side left, or we are shutting down: nothing to count.
    Gone,
}

/// Serves one connection to its end.
pub(super) async fn run(shared: &Arc<Shared>, (socket, peer): (Socket, SocketAddr), held: Held) {
    tokio::select! {
        // Most answers are ready at once, and then nobody has to be asked whether to wait for them.
        biased;
        ended = serve(shared, (socket, peer), held) => match ended {
            Ok(()) | Err(Early::Gone) => {}
            Err(Early::Shed(why)) => shed(shared, why),
        },
        () = shared.shutdown.at_once() => {}
    }
}

fn shed(shared: &Shared, why: Shed) {
    shared.spec.metrics.ledger.shed(why);
    if let Some(repeated) = SHED.pass(shared.spec.world.now()) {
        tracing::info!(listener = shared.spec.name, reason = why.code(), repeated, "connection_shed");
    }
}

async fn serve(shared: &Arc<Shared>, (socket, peer): (Socket, SocketAddr), held: Held) -> Result<(), Early> {
    let peer = canonical(peer.ip());
    let mut watched = Watched::opens(shared.spec.watch.clone(), peer, shared.spec.trusted.holds(peer));
    let (stream, near, opening) = begins(shared, (socket, peer), &mut watched).await?;
    // What the library needs for a connection is set aside only for those it serves: all others are smaller.
    match opening {
        Opening::Http1 => {
            let left = match (&shared.gate, &shared.spec.fanout) {
                (None, None) => Left::More(stream),
                (Some(_), _) | (_, Some(_)) => brief::converse(shared, stream, near).await,
            };
            match left {
                Left::Over => {}
                Left::More(stream) => Box::pin(http1(shared, stream, near)).await,
                Left::Hears(hears) => hand_over(shared, *hears, Lease::new(shared, near, (watched, held))),
            }
        }
        Opening::Http2 => Box::pin(http2(shared, stream, near)).await,
        Opening::Source(take, head) => {
            take(SourceRequest::new(head.clone(), stream, source_seen(shared, near, &head))).await;
        }
    }
    Ok(())
}

/// A connection up to its first request, which who was let in before the end began may make yet, if they do
/// it soon.
async fn begins(
    shared: &Arc<Shared>,
    (socket, peer): (Socket, IpAddr),
    watched: &mut Watched,
) -> Result<(Stream, Near, Opening), Early> {
    let limits = &shared.spec.limits;
    let mut too_late = pin!(async {
        shared.shutdown.draining().await;
        sleep(LAST_WORD).await;
    });
    let shaking = timeout(limits.handshake(), handshake(shared, (socket, peer), watched));
    let shaken = tokio::select! {
        biased;
        shaken = shaking => shaken,
        () = too_late.as_mut() => return Err(Early::Gone),
    };
    let (stream, near) = match shaken {
        Ok(shook) => shook?,
        Err(_) => {
            // A proxy that did not say for whom it comes has not begun one.
            shared.counts.handshakes_failed.inc_by(u64::from(watched.is_shaking()));
            return Err(Early::Shed(Shed::HandshakeSlow));
        }
    };
    let begun = AtomicBool::new(false);
    let opening = open(stream, shared, near.addr, &begun);
    let (stream, opening) = tokio::select! {
        biased;
        opened = soon((limits.head(), &begun), opening, watched) => opened?,
        () = too_late.as_mut() => return Err(Early::Gone),
    };
    Ok((stream, near, opening))
}

/// The program goes to a connection without us from now on.
fn hand_over(shared: &Shared, hears: Hears, lease: Lease) {
    let Hears { stream, given, head } = hears;
    match (&shared.spec.fanout, stream.into_unwatched()) {
        (Some(fanout), Ok(connection)) => fanout.take(Joining { given, connection, head, lease }),
        (_, Err(error)) => tracing::debug!(listener = shared.spec.name, %error, "connection_lost"),
        (None, Ok(_)) => {}
    }
}

/// A connection's first head, within `head_max`.
async fn soon<T>(
    (head_max, begun): (Duration, &AtomicBool),
    opening: impl Future<Output = Result<T, Early>>,
    watched: &mut Watched,
) -> Result<T, Early> {
    let mut opening = pin!(opening);
    let opened = match timeout(HALF_OPEN.min(head_max), &mut opening).await {
        Ok(opened) => opened,
        Err(_) => {
            // Browsers open connections beforehand; of those nobody knows yet what they will be.
            if begun.load(Ordering::Relaxed) {
                watched.is_half_open();
            }
            // Somebody's slow phone is waited for, but not while connections are what an attack holds.
            let left =
                if watched.is_attacked() { Duration::ZERO } else { head_max.saturating_sub(HALF_OPEN) };
            timeout(left, opening).await.unwrap_or(Err(Early::Shed(Shed::HeadSlow)))
        }
    };
    watched.is_whole();
    match opened {
        Err(Early::Shed(Shed::PutOff)) => watched.tell(Happened::Asked(PUT_OFF)),
        // Its half-open head was told already, and no request came of it.
        Err(Early::Shed(Shed::HeadSlow)) => {}
        Err(Early::Shed(_)) => watched.tell(Happened::BrokeRules),
        Ok(_) | Err(Early::Gone) => {}
    }
    opened
}

/// PROXY header, then TLS, as far as this listener has them.
async fn handshake(
    shared: &Shared,
    (socket, peer): (Socket, IpAddr),
    watched: &mut Watched,
) -> Result<(Stream, Near), Early> {
    let sent = shared.counts.sent_bytes.clone();
    let mut io = Guarded::new(socket, sent, (shared.spec.world, shared.spec.limits.stall()));
    let mut addr = peer;
    if shared.spec.trusted.holds(addr) {
        let visitor = proxied(&mut io).await?.map(|source| canonical(source.ip()));
        // A proxy that checks whether we are there speaks for itself.
        let visitor = visitor.filter(|visitor| !shared.spec.trusted.holds(*visitor));
        watched.is_of(visitor);
        addr = visitor.unwrap_or(addr);
    }
    let Some(certificates) = &shared.spec.tls else {
        return Ok((Stream::plain(io), Near { addr, scheme: Scheme::Http }));
    };
    watched.shakes();
    io.is_encrypted();
    match Box::pin(TlsAcceptor::from(certificates.config()).accept(io)).await {
        Ok(tls) => {
            shared.counts.handshakes_done.inc();
            watched.shook();
            Ok((Stream::tls(tls), Near { addr, scheme: Scheme::Https }))
        }
        Err(error) => {
            shared.counts.handshakes_failed.inc();
            tracing::debug!(listener = shared.spec.name, %error, "handshake_failed");
            Err(Early::Shed(Shed::HandshakeFailed))
        }
    }
}

/// Whom the PROXY header names, if there is one. Asked only when the peer is a trusted proxy: from anybody
/// else the header is no request we can read, and ends as that.
async fn proxied(io: &mut Guarded) -> Result<Option<SocketAddr>, Early> {
    let mut bytes = BytesMut::with_capacity(FIRST_BYTES);
    loop {
        if io.read_buf(&mut bytes).await.map_err(|_| Early::Gone)? == 0 {
            return Err(Early::Gone);
        }
        match proxy_header(&bytes) {
            Ok(ProxyHeader::Needs { .. }) => {}
            Ok(ProxyHeader::None) => {
                io.first = bytes.freeze();
                return Ok(None);
            }
            Ok(ProxyHeader::Whole { bytes: whole, source }) => {
                io.first = bytes.split_off(whole).freeze();
                return Ok(source);
            }
            Err(error) => {
                tracing::debug!(%error, "proxy_header_refused");
                return Err(Early::Shed(Shed::ProxyRefused));
            }
        }
    }
}

enum Opening {
    Http1,
    Http2,
    Source(TakeSource, Head),
}

/// Reads just enough to know who takes the connection, and gives the bytes back to them.
async fn open(
    mut stream: Stream,
    shared: &Shared,
    from: IpAddr,
    begun: &AtomicBool,
) -> Result<(Stream, Opening), Early> {
    let spec = &shared.spec;
    let mut bytes = BytesMut::with_capacity(FIRST_BYTES);
    loop {
        if stream.read_buf(&mut bytes).await.map_err(|_| Early::Gone)? == 0 {
            return Err(Early::Gone);
        }
        begun.store(true, Ordering::Relaxed);
        let known = bytes.len().min(HTTP2_PREFACE.len());
        if bytes[..known] == HTTP2_PREFACE[..known] {
            if known == HTTP2_PREFACE.len() {
                return Ok((given_back(stream, bytes.freeze()), Opening::Http2));
            }
            continue;
        }
        if bytes.starts_with(&PROXY_SIGNATURE) {
            return Err(Early::Shed(Shed::ProxyRefused));
        }
        if bytes.starts_with(&TLS_RECORD) {
            return Err(malformed(stream, &Unread::Tls.answer(spec.world)).await);
        }
        // Whom a proxy speaks for is read later: its whole crowd would have one lot.
        let gate = shared.gate.as_ref().filter(|_| !spec.trusted.holds(from));
        if let Some(answer) = gate.and_then(|gate| gate.turns_back(&bytes, from)) {
            return Err(put_off(stream, &answer).await);
        }
        // Where a crowd may come it is seen who never ends their head; what cannot be one is refused at once.
        if spec.watch.is_some() && is_begun(&bytes) {
            continue;
        }
        let Some(take) = &spec.take_source else {
            return Ok((given_back(stream, bytes.freeze()), Opening::Http1));
        };
        match head::start(&bytes) {
            Ok(Start::Needs) => {}
            Ok(Start::Ordinary) => return Ok((given_back(stream, bytes.freeze()), Opening::Http1)),
            // Without a body, and so without a length, it looks like a source, but no room is called `api`.
            Ok(Start::Source(head)) if head.target.starts_with(API) => {
                return Ok((given_back(stream, bytes.freeze()), Opening::Http1));
            }
            Ok(Start::Source(head)) => {
                let sound = bytes.split_off(head.bytes).freeze();
                return Ok((given_back(stream, sound), Opening::Source(take.clone(), head)));
            }
            Err(error) => return Err(malformed(stream, unreadable(error).as_bytes()).await),
        }
    }
}

/// Whether these are the beginning of a head, and not a whole one.
fn is_begun(bytes: &[u8]) -> bool {
    if bytes.ends_with(HEAD_END) {
        return false;
    }
    let mut lines = [httparse::EMPTY_HEADER; HEAD_LINES_MAX];
    bytes.len() < HEAD_BYTES_MAX
        && matches!(httparse::Request::new(&mut lines).parse(bytes), Ok(httparse::Status::Partial))
}

fn given_back(mut stream: Stream, first: Bytes) -> Stream {
    stream.first = first;
    stream
}

async fn malformed(mut stream: Stream, answer: &[u8]) -> Early {
    // They are told if they still listen; if not, the connection ends all the same.
    let _ = stream.write_all(answer).await;
    let _ = stream.shutdown().await;
    Early::Shed(Shed::HeadMalformed)
}

async fn put_off(mut stream: Stream, answer: &[u8]) -> Early {
    // The head was read to its end, so closing takes nothing back of what is told here.
    let _ = stream.write_all(answer).await;
    let _ = stream.shutdown().await;
    Early::Shed(Shed::PutOff)
}

fn unreadable(error: head::HeadError) -> String {
    let says = format!("This source's request cannot be read: {error}.\n");
    format!(
        "HTTP/1.0 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\
         Content-Length: {}\r\n\r\n{says}",
        says.len()
    )
}

fn source_seen(shared: &Shared, near: Near, head: &Head) -> (super::ClientAddr, super::Reached) {
    let mut headers = HeaderMap::new();
    for (name, value) in &head.headers {
        if let (Ok(name), Ok(value)) =
            (http::HeaderName::from_bytes(name.as_bytes()), http::HeaderValue::from_bytes(value))
        {
            headers.append(name, value);
        }
    }
    seen(near, &shared.spec.trusted, (&headers, None))
}

async fn http1(shared: &Arc<Shared>, mut stream: Stream, near: Near) {
    let (limits, flying) = (&shared.spec.limits, InFlight::in_order());
    let delivery = shared.spec.watch.clone().map(|watch| stream.is_watched(watch));
    let answering = Answering::new(stream, shared.spec.world, shared.broke_rules(near));
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head())
        .max_headers(limits.head_lines_max)
        .max_buf_size(limits.head_bytes_max as usize);
    let service = {
        let (shared, on) = (shared.clone(), (flying.clone(), delivery.clone()));
        service_fn(move |request| answered(shared.clone(), near, on.clone(), request))
    };
    let connection = builder.serve_connection(TokioIo::new(answering), service);
    if let Err(error) = drive(shared, connection, (&flying, Whose::One)).await {
        tracing::debug!(listener = shared.spec.name, %error, "connection_broke");
        // Its first head came whole; a later one was begun and never ended, or an answer is not taken.
        let is_later_head = error.is_timeout() && delivery.is_some_and(|delivery| delivery.is_asked());
        if is_later_head || takes_nothing(&error) {
            (shared.broke_rules(near))();
        }
    }
}

async fn http2(shared: &Arc<Shared>, mut stream: Stream, near: Near) {
    let (limits, flying) = (&shared.spec.limits, InFlight::by_pieces(shared.spec.world));
    let delivery = shared.spec.watch.clone().map(|watch| stream.is_watched(watch));
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams_max)
        .max_header_list_size(limits.head_bytes_max)
        .max_pending_accept_reset_streams(limits.resets_max)
        .max_send_buf_size(limits.stream_bytes_max)
        .keep_alive_interval(limits.ping())
        .keep_alive_timeout(limits.ping());
    let service = {
        let (shared, on) = (shared.clone(), (flying.clone(), delivery));
        let was_asked = Arc::<AtomicBool>::default();
        service_fn(move |request| {
            let (shared, on, was_asked) = (shared.clone(), on.clone(), was_asked.clone());
            async move {
                if elsewhere::is_better(&shared, near, (&request, &was_asked)) {
                    requests::is_elsewhere(&shared, near, &request);
                    return Err(h2::Error::from(h2::Reason::HTTP_1_1_REQUIRED));
                }
                answered(shared, near, on, request).await.map_err(|never| match never {})
            }
        })
    };
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    let whose = if shared.spec.trusted.holds(near.addr) { Whose::Many } else { Whose::One };
    let driven = drive(shared, connection, (&flying, whose)).await;
    if let Ok(Ended::Untaken(Beside::Nothing)) = driven {
        (shared.broke_rules(near))();
    }
    if let Err(error) = driven {
        tracing::debug!(listener = shared.spec.name, %error, "connection_broke");
        // We ended it for what it did: too many resets, frames that are none.
        if is_their_fault(&error) || takes_nothing(&error) {
            (shared.broke_rules(near))();
        }
    }
}

/// Runs a connection to its end; asks it to end, once, when we shut down or it has rested too long.
async fn drive<C: GracefulConnection>(
    shared: &Shared,
    connection: C,
    (flying, whose): (&InFlight, Whose),
) -> Result<Ended, C::Error> {
    let limits = &shared.spec.limits;
    let mut connection = pin!(connection);
    let mut stalled = pin!(async {
        match whose {
            Whose::One => flying.stalled_for(limits.stall()).await,
            // What one visitor does not take must not end what others hear.
            Whose::Many => std::future::pending().await,
        }
    });
    let asked = tokio::select! {
        ended = connection.as_mut() => return ended.map(|()| Ended::Well),
        beside = stalled.as_mut() => return Ok(Ended::Untaken(beside)),
        () = shared.shutdown.draining() => "shutdown",
        () = shared.shutdown.is_to_go(shared.spec.world.entropy()) => "leaving",
        () = flying.idle_for(limits.idle()) => "idle",
    };
    tracing::trace!(listener = shared.spec.name, asked, "connection_asked_to_end");
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        ended = connection => ended.map(|()| Ended::Well),
        beside = stalled => Ok(Ended::Untaken(beside)),
        // All was asked for, and does not get away.
        () = flying.idle_for(limits.stall()) => Ok(Ended::Untaken(Beside::Nothing)),
    }
}

/// For whom a connection is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// One visitor.
    One,
    /// Many: a trusted proxy's own.
    Many,
}

/// How a connection came to its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    Well,
    /// The other side did not take what it had asked for.
    Untaken(Beside),
}

/// Whether it was ended because the other side took too little.
fn takes_nothing(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    source.is_some_and(|error| error.kind() == io::ErrorKind::TimedOut)
}

/// Whether a connection of HTTP/2 broke its rules (RFC 9113, section 5.4.1): we said so, not they.
fn is_their_fault(error: &hyper::Error) -> bool {
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        if let Some(error) = error.downcast_ref::<h2::Error>() {
            return !error.is_remote() && error.reason().is_some_and(|reason| reason != h2::Reason::NO_ERROR);
        }
        source = error.source();
    }
    false
}
