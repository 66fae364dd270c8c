//! A status, from bytes that are ready.
//!
//! While people wait, nine of ten requests are for a room's status, on a connection that was there before. An
//! answer of the router's costs more than everything else about it (`docs/rehearsals/2026-11-23-answers.md`),
//! and is the same for all. So such a request is answered here, if it is as plain as nearly all are and
//! nothing has to be decided about who asks; any other goes the longer way, to the same words. By HTTP/1.1 it
//! is answered before there is a request at all, by HTTP/2, which browsers speak by TLS, before the router.

use std::mem::MaybeUninit;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::body::Body;
use bytes::Bytes;
use http::header::{STRICT_TRANSPORT_SECURITY, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response};
use httparse::Status;
use tribune_core::door::address::Scheme;
use tribune_core::guard::live::{Asked, Outcome, What};

use super::Shared;
use super::requests::{FORWARDING, Near, STRICT};
use crate::answer::{named, number};

/// What a status is at.
const NAME: &str = "status";
/// As the router calls it.
const ROUTE: &str = "/{room}/status";
/// Header lines and bytes of such a request.
const LINES_MAX: usize = 32;
const REQUEST_BYTES_MAX: usize = 4_096;
/// About as long as the head of the answer is.
const HEAD_BYTES: usize = 640;
/// Lines with which a request is not plain: those that say more about who asks or how it is framed, and
/// receipts.
const NOT_PLAIN: [&str; 7] = [
    "content-length",
    "transfer-encoding",
    "upgrade",
    "expect",
    "x-forwarded-proto",
    "x-forwarded-host",
    tribune_core::egress::receipt::HEADER,
];

/// An answer but for what differs from one to the next.
pub struct Ready {
    /// What its head says.
    pub head: Arc<ReadyHead>,
    /// What follows the head.
    pub body: Bytes,
}

/// Header lines that are the same in every answer.
pub struct ReadyHead {
    lines: String,
    headers: HeaderMap,
}

impl ReadyHead {
    /// These, in their order.
    pub fn new<const N: usize>(headers: [(HeaderName, &'static str); N]) -> Self {
        let lines = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let headers = headers.map(|(name, value)| (name, HeaderValue::from_static(value)));
        Self { lines, headers: headers.into_iter().collect() }
    }
}

/// Gives the answer for a room's status; `None` when there is no such room.
pub type ReadyOf = Arc<dyn Fn(&str) -> Option<Ready> + Send + Sync>;

/// An answer as it goes out.
pub(super) struct Answered {
    pub(super) bytes: Vec<u8>,
    /// Bytes of the request.
    pub(super) asked_bytes: usize,
    /// Whether the connection ends with it.
    pub(super) is_last: bool,
}

/// The answer to the first request in `first`; `None` when it goes the longer way.
pub(super) fn answer(shared: &Shared, near: Near, first: &[u8]) -> Option<Answered> {
    let plain = Plain::read(first)?;
    let ready = of(shared, near, (plain.path, plain.room, plain.agent))?;
    let is_last = plain.is_last || shared.shutdown.is_leaving();
    let bytes = written(shared, (near, is_last), &ready);
    Some(Answered { bytes, asked_bytes: plain.bytes, is_last })
}

/// The answer to a request that the library has read; `None` when it goes the longer way.
pub(super) fn response<B>(shared: &Shared, near: Near, request: &Request<B>) -> Option<Response<Body>> {
    let path = request.uri().path();
    let (headers, room) = (request.headers(), room_of(path)?);
    let mut agents = headers.get_all(USER_AGENT).iter();
    let (agent, another) = (agents.next(), agents.next());
    let is_odd = NOT_PLAIN.iter().chain(&FORWARDING).any(|name| headers.contains_key(*name));
    if request.method() != Method::GET || another.is_some() || is_odd {
        return None;
    }
    let Ready { head, body } = of(shared, near, (path, room, agent.map(HeaderValue::as_bytes)))?;
    let mut answer = Response::new(Body::from(body));
    answer.headers_mut().clone_from(&head.headers);
    if near.scheme == Scheme::Https {
        answer.headers_mut().insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(STRICT));
    }
    Some(named(answer, &number(shared.spec.world)))
}

/// What is ready for who asks by `agent` for a room's status at `path`. It is counted, and the guard is told.
fn of(shared: &Shared, near: Near, (path, room, agent): (&str, &str, Option<&[u8]>)) -> Option<Ready> {
    let (ready_of, gate) = (shared.spec.ready.as_ref()?, shared.gate.as_ref()?);
    if gate.puts_off_somebody() || shared.spec.trusted.holds(near.addr) {
        return None;
    }
    let watch = shared.spec.watch.as_ref();
    if watch.is_some_and(|watch| watch.refuses(near.addr)) {
        return None;
    }
    let ready = ready_of(room)?;
    if let Some(watch) = watch {
        let asked = Asked {
            what: What::of("GET", path),
            outcome: Outcome::Served,
            target: watch.hash(path),
            agent: agent.map_or(0, |name| watch.hash(name)),
            forwarded: None,
            on_air: watch.is_on_air(path),
        };
        shared.tell_request(near.addr, asked);
    }
    shared.counts.answered(ROUTE, 200);
    Some(ready)
}

/// The room of whose status this is the path.
fn room_of(path: &str) -> Option<&str> {
    let (room, name) = path.strip_prefix('/')?.split_once('/')?;
    // No room is named by anything else (RFC 3986, section 2.3: what is never written otherwise).
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (name == NAME && !room.is_empty() && room.bytes().all(is_plain)).then_some(room)
}

fn written(shared: &Shared, (near, is_last): (Near, bool), ready: &Ready) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD_BYTES + ready.body.len());
    let world = shared.spec.world;
    let number = number(world);
    let date = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_millis(world.wall().0.unsigned_abs()));
    let length = ready.body.len().to_string();
    let mut put = |texts: &[&str]| texts.iter().for_each(|text| bytes.extend_from_slice(text.as_bytes()));
    put(&["HTTP/1.1 200 OK\r\n", &ready.head.lines, "x-request-id: ", &number, "\r\n"]);
    if near.scheme == Scheme::Https {
        put(&["strict-transport-security: ", STRICT, "\r\n"]);
    }
    if is_last {
        put(&["connection: close\r\n"]);
    }
    put(&["date: ", &date, "\r\ncontent-length: ", &length, "\r\n\r\n"]);
    bytes.extend_from_slice(&ready.body);
    bytes
}

/// A plain request for a room's status.
#[derive(Debug, PartialEq, Eq)]
pub struct Plain<'a> {
    /// Without what follows a `?`.
    pub path: &'a str,
    /// The name in it.
    pub room: &'a str,
    /// What asks, as it says.
    pub agent: Option<&'a [u8]>,
    /// Of the request.
    pub bytes: usize,
    /// Whether the connection ends with the answer.
    pub is_last: bool,
}

impl<'a> Plain<'a> {
    /// `None` for everything else, and for what has not come whole.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        // Most that is something else is known by its first bytes.
        if !bytes.starts_with(b"GET /") {
            return None;
        }
        let mut lines = [const { MaybeUninit::uninit() }; LINES_MAX];
        let mut none = [];
        let mut head = httparse::Request::new(&mut none);
        let seen = &bytes[..bytes.len().min(REQUEST_BYTES_MAX)];
        let Ok(Status::Complete(head_bytes)) = head.parse_with_uninit_headers(seen, &mut lines) else {
            return None;
        };
        let target = head.path?;
        let path = target.split_once('?').map_or(target, |(path, _)| path);
        let room = room_of(path)?;
        if head.version != Some(1) || !target.bytes().all(may_be_sent) {
            return None;
        }
        let (mut agent, mut is_last) = (None, None);
        for line in head.headers {
            let is = |name: &str| line.name.eq_ignore_ascii_case(name);
            if is("connection") && is_last.is_none() {
                is_last = Some(is_close(line.value)?);
            } else if is("user-agent") && agent.is_none() {
                agent = Some(line.value);
            } else if is("connection")
                || is("user-agent")
                || NOT_PLAIN.iter().chain(&FORWARDING).any(|name| is(name))
            {
                return None;
            }
        }
        Some(Self { path, room, agent, bytes: head_bytes, is_last: is_last.unwrap_or(false) })
    }
}

/// What an address is sent with (RFC 9112, section 3.2; RFC 3986, appendix A) and a little more that the
/// library takes too. It refuses the rest; and what follows a `#` is read otherwise elsewhere.
const fn may_be_sent(byte: u8) -> bool {
    matches!(byte, b'!'..=b'~') && !matches!(byte, b'"' | b'#' | b'<' | b'>')
}

/// `None` for whatever asks for more thought.
fn is_close(wish: &[u8]) -> Option<bool> {
    if wish.eq_ignore_ascii_case(b"close") {
        return Some(true);
    }
    wish.eq_ignore_ascii_case(b"keep-alive").then_some(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_plain_is_known_and_everything_else_goes_the_longer_way() {
        let text = "GET /debate/status?t=7 HTTP/1.1\r\nHost: a\r\nUser-Agent: b\r\nAccept: */*\r\n\r\n";
        let plain = Plain {
            path: "/debate/status",
            room: "debate",
            agent: Some(b"b"),
            bytes: text.len(),
            is_last: false,
        };
        assert_eq!(Plain::read(text.as_bytes()), Some(plain));
        for end in 0..text.len() {
            assert_eq!(Plain::read(&text.as_bytes()[..end]), None, "{end} bytes");
        }
        let after = format!("{text}GET /");
        assert_eq!(Plain::read(after.as_bytes()).map(|plain| plain.bytes), Some(text.len()));
        let last = "GET /debate/status HTTP/1.1\r\nconnection: CLOSE\r\n\r\n";
        assert_eq!(Plain::read(last.as_bytes()).map(|plain| plain.is_last), Some(true));
        for line in [
            "Content-Length: 0",
            "Transfer-Encoding: chunked",
            "Upgrade: h2c",
            "Expect: 100-continue",
            "Connection: close, te",
            "Connection: close\r\nConnection: close",
            "User-Agent: a\r\nUser-Agent: b",
            "X-Forwarded-For: 192.0.2.1",
            "Forwarded: for=192.0.2.1",
            "Via: 1.1 a",
            "Tribune-Heard: x",
        ] {
            let text = format!("GET /debate/status HTTP/1.1\r\n{line}\r\n\r\n");
            assert_eq!(Plain::read(text.as_bytes()), None, "{line}");
        }
        for first in [
            "HEAD /debate/status HTTP/1.1",
            "POST /debate/status HTTP/1.1",
            "GET /debate/status HTTP/1.0",
            "GET /debate HTTP/1.1",
            "GET /debate/status/7 HTTP/1.1",
            "GET //status HTTP/1.1",
            "GET /debate`/status HTTP/1.1",
            "GET http://a/debate/status HTTP/1.1",
            "GET /#/status HTTP/1.1",
            "GET /debate/status?x=\"y\" HTTP/1.1",
            "GET /debate/status?<y> HTTP/1.1",
            "GET /debate/status?\u{e9} HTTP/1.1",
        ] {
            assert_eq!(Plain::read(format!("{first}\r\n\r\n").as_bytes()), None, "{first}");
        }
        let many = "X: y\r\n".repeat(LINES_MAX + 1);
        assert_eq!(Plain::read(format!("GET /debate/status HTTP/1.1\r\n{many}\r\n").as_bytes()), None);
    }
}
