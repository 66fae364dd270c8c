//! What a crowd asks for, answered without the HTTP library's state of a connection.
//!
//! Most of a crowd come on a connection of their own, ask once for something small whose answer is ready,
//! and go. For them the library's buffers, timers and states cost as much as the answer. So a request whose
//! head and body came whole, and whose answer is known to be short, is read, answered by the same service as
//! any other, and written at once; whatever is anything else goes to the library with all its bytes, and
//! stays with it.

use std::io;
use std::pin::{Pin, pin};
use std::time::{Duration, UNIX_EPOCH};

use axum::body::{Body, to_bytes};
use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH, DATE, EXPECT, TRANSFER_ENCODING, UPGRADE};
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use httparse::Status;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Sleep, sleep};
use tribune_core::door::address::Scheme;

use super::requests::{Near, respond};
use super::{Shared, Stream, ready};
use crate::fanout::{Given, Taker};
use crate::world::World;

/// Header lines of a brief request.
const LINES_MAX: usize = 48;
/// Bytes of a brief request, and of what is read at a time while a connection rests.
const REQUEST_BYTES_MAX: usize = 4_096;
/// Bytes of a brief answer. The room's page is the longest.
const ANSWER_BYTES_MAX: usize = 1 << 18;
/// About as long as an answer's head is.
const HEAD_BYTES: usize = 1_024;
/// What of a room is brief: its page has no further name.
const BRIEF: [(Method, Option<&str>); 5] = [
    (Method::GET, None),
    (Method::GET, Some("status")),
    (Method::GET, Some("place")),
    (Method::POST, Some("ticket")),
    (Method::POST, Some("claim")),
];
/// The program as one answer, which is begun like a brief one.
const PROGRAM: [&str; 3] = ["live.opus", "live.aac", "live.mp4"];

/// How a conversation of brief requests ends.
pub(super) enum Left {
    /// With the connection.
    Over,
    /// With the first bytes of something else.
    More(Stream),
    /// With somebody who hears the program from now on.
    Hears(Box<Hears>),
}

/// Somebody who hears the program, to whom nothing was sent yet.
pub(super) struct Hears {
    pub(super) stream: Stream,
    pub(super) given: Given,
    /// Of the answer.
    pub(super) head: Bytes,
}

/// Answers brief requests for as long as they are.
pub(super) async fn converse(shared: &Shared, mut stream: Stream, near: Near) -> Left {
    // The library waits for a head no longer than this either, also for its first byte. Another handshake
    // would cost more than a connection that rests, and a page in the background asks twice a minute.
    let (head, idle) = (shared.spec.limits.head(), shared.spec.limits.idle());
    let rest_max = if near.scheme == Scheme::Https { idle } else { head.min(idle) };
    // Made once, for all the requests of a connection.
    let (rest, draining) = (pin!(sleep(rest_max)), pin!(shared.shutdown.draining()));
    let mut waits = Waits { rest_max, rest, draining };
    loop {
        if let Some(answered) = ready::answer(shared, near, &stream.first) {
            let _ = stream.first.split_to(answered.asked_bytes);
            let told = (answered.bytes.into(), answered.is_last);
            if tell(shared, (&mut stream, near), told, &mut waits).await.is_none() {
                return Left::Over;
            }
            continue;
        }
        let Some(mut whole) = Whole::read(&stream.first) else { return Left::More(stream) };
        let is_taken = if whole.is_program { shared.spec.fanout.is_some() } else { shared.gate.is_some() };
        if !is_taken {
            return Left::More(stream);
        }
        let _ = stream.first.split_to(whole.bytes);
        let taker = whole.is_program.then(Taker::default);
        if let Some(taker) = &taker {
            whole.request.extensions_mut().insert(taker.clone());
        }
        let answer = respond(shared, near, whole.request).await;
        if let Some(given) = taker.and_then(|taker| taker.taken()) {
            let head = head_of(&answer.into_parts().0, shared.spec.world, Length::Unknown).into();
            return Left::Hears(Box::new(Hears { stream, given, head }));
        }
        let is_last = whole.is_last || shared.shutdown.is_leaving();
        let Some(bytes) = written(answer, shared.spec.world, is_last).await else { return Left::Over };
        if tell(shared, (&mut stream, near), (bytes, is_last), &mut waits).await.is_none() {
            return Left::Over;
        }
    }
}

/// What ends the wait for a connection's next request.
struct Waits<'a, D> {
    rest_max: Duration,
    rest: Pin<&'a mut Sleep>,
    draining: Pin<&'a mut D>,
}

/// Writes an answer and waits for the next bytes; `None` when it is over.
async fn tell(
    shared: &Shared,
    (stream, near): (&mut Stream, Near),
    (bytes, is_last): (Bytes, bool),
    waits: &mut Waits<'_, impl Future<Output = ()>>,
) -> Option<()> {
    send(stream, &bytes).await.ok()?;
    // Whoever rests until the next request does not keep the last answer.
    drop(bytes);
    if is_last {
        // What was asked has been read, so closing takes nothing back of what was told.
        let _ = stream.shutdown().await;
        return None;
    }
    if stream.first.is_empty() {
        stream.first = more(shared, (stream, near), waits).await?;
    }
    Some(())
}

/// Writes all of it. TLS takes more than the socket does and holds it until it is told to let it go.
async fn send(to: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    to.write_all(bytes).await?;
    to.flush().await
}

/// The next bytes; `None` when nothing came for too long, or the connection is to end.
async fn more(
    shared: &Shared,
    (stream, near): (&mut Stream, Near),
    waits: &mut Waits<'_, impl Future<Output = ()>>,
) -> Option<Bytes> {
    let mut bytes = BytesMut::with_capacity(REQUEST_BYTES_MAX);
    let until = shared.spec.world.instant(shared.spec.world.now() + waits.rest_max)?;
    waits.rest.as_mut().reset(until.into());
    let read = tokio::select! {
        biased;
        read = stream.read_buf(&mut bytes) => read.ok()?,
        () = waits.draining.as_mut() => 0,
        () = waits.rest.as_mut() => {
            // Somebody who rests has read what they asked for.
            if stream.is_unread() {
                (shared.broke_rules(near))();
            }
            return None;
        }
    };
    if read == 0 {
        let _ = stream.shutdown().await;
        return None;
    }
    Some(bytes.freeze())
}

/// A request that came whole.
pub struct Whole {
    /// With its body.
    pub request: Request<Body>,
    /// Of head and body.
    pub bytes: usize,
    /// Whether the connection ends with its answer.
    pub is_last: bool,
    /// Whether it is for the program, whose answer has no end.
    pub is_program: bool,
}

impl Whole {
    /// `None` for whatever is not brief, or not plain, or not whole.
    pub fn read(bytes: &Bytes) -> Option<Self> {
        let mut lines = [httparse::EMPTY_HEADER; LINES_MAX];
        let mut head = httparse::Request::new(&mut lines);
        let seen = bytes.get(..bytes.len().min(REQUEST_BYTES_MAX))?;
        let Ok(Status::Complete(head_bytes)) = head.parse(seen) else { return None };
        let method = Method::from_bytes(head.method?.as_bytes()).ok()?;
        let path = head.path?;
        if head.version != Some(1) {
            return None;
        }
        let is_program = match named(&method, path)? {
            Named::Brief => false,
            Named::Program => true,
        };
        let mut request = Request::builder().method(method).uri(path);
        let headers = request.headers_mut()?;
        for line in &*head.headers {
            let name = HeaderName::from_bytes(line.name.as_bytes()).ok()?;
            let at = offset(bytes, line.value);
            headers
                .append(name, HeaderValue::from_maybe_shared(bytes.slice(at..at + line.value.len())).ok()?);
        }
        let (body_bytes, is_last) = framing(headers)?;
        let end = head_bytes.checked_add(body_bytes)?;
        if end > seen.len() {
            return None;
        }
        let request = request.body(Body::from(bytes.slice(head_bytes..end))).ok()?;
        Some(Self { request, bytes: end, is_last, is_program })
    }
}

/// Where `part` begins in `whole`, of which it is a part.
fn offset(whole: &[u8], part: &[u8]) -> usize {
    part.as_ptr() as usize - whole.as_ptr() as usize
}

/// What a request is for, by its name.
enum Named {
    Brief,
    Program,
}

/// Whether a request is for the program as one answer.
pub(super) fn is_for_program(method: &Method, path: &str) -> bool {
    matches!(named(method, path), Some(Named::Program))
}

fn named(method: &Method, target: &str) -> Option<Named> {
    let path = target.split_once('?').map_or(target, |(path, _)| path).strip_prefix('/')?;
    let (room, name) = match path.split_once('/') {
        Some((room, name)) => (room, Some(name)),
        None => (path, None),
    };
    if room.is_empty() {
        return None;
    }
    if method == Method::GET && name.is_some_and(|name| PROGRAM.contains(&name)) {
        return Some(Named::Program);
    }
    BRIEF.iter().any(|(is, of)| is == method && *of == name).then_some(Named::Brief)
}

/// How long the body is, in bytes, and whether the connection ends with the answer (RFC 9112, sections 6.3
/// and 9.3); `None` for whatever asks for more thought than that.
fn framing(headers: &HeaderMap) -> Option<(usize, bool)> {
    if [TRANSFER_ENCODING, UPGRADE, EXPECT].iter().any(|name| headers.contains_key(name)) {
        return None;
    }
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let body_bytes = match (lengths.next(), lengths.next()) {
        (None, _) => 0,
        (Some(length), None) if length.as_bytes().iter().all(u8::is_ascii_digit) => {
            length.to_str().ok()?.parse().ok()?
        }
        _ => return None,
    };
    let mut wishes = headers.get_all(CONNECTION).iter();
    let is_last = match (wishes.next().map(HeaderValue::as_bytes), wishes.next()) {
        (None, _) => false,
        (Some(wish), None) if wish.eq_ignore_ascii_case(b"keep-alive") => false,
        (Some(wish), None) if wish.eq_ignore_ascii_case(b"close") => true,
        _ => return None,
    };
    Some((body_bytes, is_last))
}

/// How long a body is.
#[derive(Clone, Copy)]
enum Length {
    /// So many bytes, and whether the connection ends with them.
    Bytes(usize, bool),
    /// Nobody knows: it comes in chunks, and the connection ends with it.
    Unknown,
}

/// An answer as bytes; `None` when its body broke, or was none of the short ones.
async fn written(answer: Response<Body>, world: World, is_last: bool) -> Option<Bytes> {
    let (head, body) = answer.into_parts();
    let body = to_bytes(body, ANSWER_BYTES_MAX).await.ok()?;
    let mut bytes = head_of(&head, world, Length::Bytes(body.len(), is_last));
    bytes.extend_from_slice(&body);
    Some(bytes.into())
}

/// The head of an answer as bytes, with room for a body.
fn head_of(head: &Parts, world: World, length: Length) -> Vec<u8> {
    let room = if let Length::Bytes(body, _) = length { body } else { 0 };
    let mut bytes = Vec::with_capacity(HEAD_BYTES + room);
    bytes.extend_from_slice(b"HTTP/1.1 ");
    bytes.extend_from_slice(head.status.as_str().as_bytes());
    bytes.push(b' ');
    bytes.extend_from_slice(head.status.canonical_reason().unwrap_or_default().as_bytes());
    bytes.extend_from_slice(b"\r\n");
    let mut line = |name: &HeaderName, value: &[u8]| {
        for part in [name.as_str().as_bytes(), b": ", value, b"\r\n"] {
            bytes.extend_from_slice(part);
        }
    };
    for (name, value) in &head.headers {
        if ![CONTENT_LENGTH, DATE, CONNECTION].contains(name) {
            line(name, value.as_bytes());
        }
    }
    let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(world.wall().0.unsigned_abs()));
    line(&DATE, date.as_bytes());
    match length {
        Length::Bytes(body, is_last) => {
            if is_last {
                line(&CONNECTION, b"close");
            }
            if !matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
                line(&CONTENT_LENGTH, body.to_string().as_bytes());
            }
        }
        Length::Unknown => {
            line(&CONNECTION, b"close");
            line(&TRANSFER_ENCODING, b"chunked");
        }
    }
    bytes.extend_from_slice(b"\r\n");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<(String, usize, bool)> {
        let whole = Whole::read(&Bytes::copy_from_slice(text.as_bytes()))?;
        let (method, uri) = (whole.request.method(), whole.request.uri());
        Some((format!("{method} {uri}"), whole.bytes, whole.is_last))
    }

    #[test]
    fn a_brief_request_is_known_by_its_name_and_has_to_be_whole() {
        let head = "Host: a\r\nAccept: */*\r\n";
        for (line, more, is_last) in [
            ("GET /debate", "", false),
            ("GET /debate?lang=fr", "Connection: keep-alive\r\n", false),
            ("GET /debate/status", "Connection: Close\r\n", true),
            ("GET /debate/place?ticket=x", "", false),
            ("POST /debate/ticket", "Content-Length: 0\r\n", false),
        ] {
            let text = format!("{line} HTTP/1.1\r\n{head}{more}\r\n");
            assert_eq!(read(&text), Some((line.into(), text.len(), is_last)));
            for end in 0..text.len() {
                assert_eq!(read(&text[..end]), None, "{end} bytes of {text}");
            }
            assert_eq!(
                read(&format!("{text}GET /")).map(|whole| whole.1),
                Some(text.len()),
                "the next begins after it"
            );
        }
        let claim = "POST /debate/claim HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(read(claim), Some(("POST /debate/claim".into(), claim.len(), false)));
        assert_eq!(read(&claim[..claim.len() - 1]), None, "a byte of the body is missing");
    }

    #[tokio::test]
    async fn an_answer_that_is_held_is_let_go() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let mut holds = tokio::io::BufWriter::new(ours);
        send(&mut holds, b"told").await.expect("it is open");
        let mut told = [0; 4];
        let read = theirs.read_exact(&mut told);
        let read = tokio::time::timeout(Duration::from_secs(5), read).await;
        assert!(read.is_ok_and(|read| read.is_ok()), "nothing came");
        assert_eq!(&told, b"told");
    }

    #[test]
    fn whatever_asks_for_more_thought_is_the_librarys() {
        for text in [
            "HEAD /debate HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "HEAD /debate/live.opus HTTP/1.1\r\n\r\n",
            "GET /debate/live.opus HTTP/1.0\r\n\r\n",
            "GET /debate/live.m3u8 HTTP/1.1\r\n\r\n",
            "GET /debate/status/7 HTTP/1.1\r\n\r\n",
            "GET http://a/debate HTTP/1.1\r\n\r\n",
            "GET /debate HTTP/1.0\r\n\r\n",
            "GET /debate\r\n\r\n",
            "GET /debate HTTP/1.1\r\nConnection: close, te\r\n\r\n",
            "GET /debate HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
            "POST /debate/ticket HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST /debate/ticket HTTP/1.1\r\nExpect: 100-continue\r\n\r\n",
            "POST /debate/ticket HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
            "POST /debate/ticket HTTP/1.1\r\nContent-Length: +0\r\n\r\n",
            "POST /debate/ticket HTTP/1.1\r\nContent-Length:\r\n\r\n",
            "POST /debate/ticket HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
            "POST /debate/ticket HTTP/1.1\r\nContent-Length: 18446744073709551615\r\n\r\n",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
        let many = "X: y\r\n".repeat(LINES_MAX + 1);
        assert_eq!(read(&format!("GET /debate HTTP/1.1\r\n{many}\r\n")), None);
        let long = "y".repeat(REQUEST_BYTES_MAX);
        assert_eq!(read(&format!("GET /debate HTTP/1.1\r\nX: {long}\r\n\r\n")), None);
    }
}
