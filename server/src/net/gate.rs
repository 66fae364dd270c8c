//! The gate of a listener: when more come than can be answered, the least urgent are asked to come again.
//!
//! A connection's first turn says how long work waits: it is ready when it is accepted, and everything that
//! is to be done before it is in the same queue. Whoever is asked to come again gets an answer that was made
//! before anybody came, at a moment of their own within the next seconds.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_TYPE, COOKIE, REFRESH, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use tribune_core::door::overload::{Class, DEPTH_MAX, HasPass, Overload};
use tribune_core::guard::live::neighbourhood;
use tribune_core::reason::Refusal;
use tribune_core::time::Time;

use crate::guard::Watch;
use crate::page::Lang;
use crate::world::World;

/// Everybody asks again after so many seconds at least, and after at most twice as many.
const AGAIN_S: u64 = 4;
/// And so many times that while our own errors are what goes wrong.
const AGAIN_TIMES: u64 = 2;
/// Somebody comes again with the same lot only within this, in seconds: nobody is unlucky for long.
const LOT_S: u64 = 8;

/// Header lines of a first request that are looked at.
const HEAD_LINES_MAX: usize = 64;
/// What decides whether somebody is put off, and what they read.
const LOOKED_AT: [&str; 3] = ["accept", "accept-language", "cookie"];
/// About as long as an answer is, head and all.
const ANSWER_BYTES: usize = 1_024;
const HTML_EN: Bytes = Bytes::from_static(include_bytes!("busy.en.html"));
const HTML_FR: Bytes = Bytes::from_static(include_bytes!("busy.fr.html"));

/// Who is answered now. One for a listener.
#[derive(Debug)]
pub(super) struct Gate {
    world: World,
    watch: Option<Watch>,
    lots: RandomState,
    overload: Mutex<Overload>,
}

impl Gate {
    pub(super) fn new(world: World, watch: Option<Watch>) -> Self {
        Self { world, watch, lots: RandomState::new(), overload: Mutex::default() }
    }

    /// A connection that was accepted at `accepted` has its first turn.
    pub(super) fn first_turn(&self, accepted: Time) {
        let now = self.world.now();
        self.lock().waited(now, now.since(accepted));
    }

    /// Classes that are answered now.
    pub(super) fn depth(&self) -> f64 {
        self.lock().depth()
    }

    /// Whether anybody is to come again.
    pub(super) fn puts_off_somebody(&self) -> bool {
        self.depth() < DEPTH_MAX
    }

    /// Whether who asks is to come again.
    pub(super) fn puts_off<B>(&self, request: &Request<B>, from: IpAddr) -> bool {
        let path = request.uri().path();
        let class = Class::of(request.method().as_str(), path, has_pass(request));
        let period = self.world.now().nanos() / (LOT_S * 1_000_000_000);
        // While somebody attacks, a network of a thousand addresses has no more lots than one of one.
        let whose =
            if self.watch.as_ref().is_some_and(Watch::is_attacked) { neighbourhood(from) } else { from };
        let lot = self.lots.hash_one((whose, period)) as u8;
        if self.lock().answers(class, lot) {
            return false;
        }
        !self.watch.as_ref().is_some_and(|watch| watch.audits(from))
    }

    /// The whole answer to a connection's first request, when who asks is to come again: as bytes, since
    /// putting somebody off has to cost less than answering them. `None` also while the head is not whole.
    pub(super) fn turns_back(&self, first: &[u8], from: IpAddr) -> Option<Bytes> {
        if !self.puts_off_somebody() {
            return None;
        }
        let request = head_of(first)?;
        self.puts_off(&request, from).then(|| self.bytes(request.headers(), from))
    }

    /// The same to a connection for which there is no room at all.
    pub(super) fn turns_away(&self, first: &[u8], from: IpAddr) -> Option<Bytes> {
        Some(self.bytes(head_of(first)?.headers(), from))
    }

    fn bytes(&self, headers: &HeaderMap, from: IpAddr) -> Bytes {
        let (kind, body, again) = self.told(headers, from);
        let mut bytes = Vec::with_capacity(ANSWER_BYTES);
        let head = format!(
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: {kind}\r\nCache-Control: no-store\r\n\
             Retry-After: {again}\r\nRefresh: {again}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        bytes.extend_from_slice(head.as_bytes());
        bytes.extend_from_slice(&body);
        bytes.into()
    }

    /// What they are told: that they keep their place, and when to come.
    pub(super) fn come_again(&self, headers: &HeaderMap, from: IpAddr) -> Response<axum::body::Body> {
        let (kind, bytes, again) = self.told(headers, from);
        let again = HeaderValue::from(again);
        let mut answer = Response::new(bytes.into());
        *answer.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        let head = answer.headers_mut();
        head.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        head.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        head.insert(REFRESH, again.clone());
        head.insert(RETRY_AFTER, again);
        answer
    }

    /// The media type, the text, and in how many seconds to come.
    fn told(&self, headers: &HeaderMap, from: IpAddr) -> (&'static str, Bytes, u64) {
        let number = self.lots.hash_one((from, self.world.now().nanos()));
        let is_ours = self.watch.as_ref().is_some_and(Watch::is_our_fault);
        let least = if is_ours { AGAIN_S * AGAIN_TIMES } else { AGAIN_S };
        let again = least + number % (least + 1);
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let (kind, bytes) = match text(ACCEPT).is_some_and(|takes| takes.contains("text/html")) {
            true => ("text/html; charset=utf-8", page(Lang::choose(None, text(ACCEPT_LANGUAGE)))),
            false => ("application/json", json(again, number)),
        };
        (kind, bytes, again)
    }

    fn lock(&self) -> MutexGuard<'_, Overload> {
        self.overload.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What of a whole head says who asks, and what they read.
fn head_of(first: &[u8]) -> Option<Request<()>> {
    let mut lines = [httparse::EMPTY_HEADER; HEAD_LINES_MAX];
    let mut head = httparse::Request::new(&mut lines);
    if !head.parse(first).is_ok_and(|status| status.is_complete()) {
        return None;
    }
    let mut request = Request::builder().method(head.method?).uri(head.path?);
    let looked_at = |name: &str| LOOKED_AT.iter().any(|one| name.eq_ignore_ascii_case(one));
    for line in head.headers.iter().filter(|line| looked_at(line.name)) {
        request = request.header(line.name, line.value);
    }
    request.body(()).ok()
}

/// As every refusal is written; the row's sentence has nothing in it that JSON would have otherwise.
fn json(again_s: u64, number: u64) -> Bytes {
    let row = Refusal::DoorBusy.row();
    let (code, says) = (row.code, row.says);
    format!(
        "{{\"code\":\"{code}\",\"message\":\"{says}\",\"retry_after_s\":{again_s},\
         \"request_id\":\"{number:016x}\"}}"
    )
    .into()
}

fn page(lang: Lang) -> Bytes {
    match lang {
        Lang::En => HTML_EN,
        Lang::Fr => HTML_FR,
    }
}

/// A pass in the address or in a cookie; whether it is good is seen later.
fn has_pass<B>(request: &Request<B>) -> HasPass {
    let in_address = request.uri().query().is_some_and(|query| query.contains("pass="));
    let in_cookie = |line: &HeaderValue| {
        let begins = |pair: &[u8]| {
            let name = pair.trim_ascii_start();
            name.strip_prefix(b"__Host-").unwrap_or(name).starts_with(b"pass-")
        };
        line.as_bytes().split(|byte| *byte == b';').any(begins)
    };
    match in_address || request.headers().get_all(COOKIE).iter().any(in_cookie) {
        true => HasPass::Yes,
        false => HasPass::No,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const FROM: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    /// RFC 6928: what a server may send at once; the answer and its head fit in the first packet.
    const BYTES_MAX: usize = 1_400;

    /// Everybody has waited for a second, for ten.
    fn crowded() -> Gate {
        let world = World::begin();
        let gate = Gate::new(world, None);
        let now = world.now();
        for millis in 0..10_000_u64 {
            let at = now + std::time::Duration::from_millis(millis);
            gate.lock().waited(at, std::time::Duration::from_secs(1));
        }
        gate
    }

    fn asking(path: &str, head: (&str, &str)) -> Request<()> {
        Request::get(path).header(head.0, head.1).body(()).unwrap()
    }

    #[test]
    fn a_seat_is_known_by_its_pass_wherever_it_stands() {
        for (path, head, has) in [
            ("/debate/live.opus?pass=x", ("x", ""), HasPass::Yes),
            ("/debate/live.opus", ("cookie", "a=b; __Host-pass-debate=x"), HasPass::Yes),
            ("/debate/live.opus", ("cookie", "pass-debate=x"), HasPass::Yes),
            ("/debate/live.opus", ("cookie", "ticket-debate=pass-x"), HasPass::No),
            ("/debate/live.opus?rendition=opus16", ("x", ""), HasPass::No),
        ] {
            assert_eq!(has_pass(&asking(path, head)), has, "{path} {head:?}");
        }
    }

    #[tokio::test]
    async fn who_is_put_off_reads_that_their_place_is_kept_and_when_to_come() {
        let gate = Gate::new(World::begin(), None);
        assert!(!gate.puts_off(&asking("/debate/ticket", ("x", "")), FROM), "nobody waits");
        for (takes, says) in [
            ("text/html,*/*", "You keep your place"),
            ("text/html;fr", "Vous gardez votre place"),
            ("application/json", "door_busy"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_str(takes).unwrap());
            let lang = if takes.contains("fr") { "fr" } else { "en" };
            headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static(lang));
            let answer = gate.come_again(&headers, FROM);
            assert_eq!(answer.status(), 503);
            let again: u64 = answer.headers()[RETRY_AFTER].to_str().unwrap().parse().unwrap();
            assert!((AGAIN_S..=2 * AGAIN_S).contains(&again));
            let body = axum::body::to_bytes(answer.into_body(), BYTES_MAX - 300).await.unwrap();
            assert!(String::from_utf8_lossy(&body).contains(says), "{takes}");
            if let Ok(refusal) = serde_json::from_slice::<serde_json::Value>(&body) {
                assert_eq!(
                    (&refusal["code"], &refusal["retry_after_s"]),
                    (&"door_busy".into(), &again.into())
                );
            }
        }
    }

    #[test]
    fn a_first_request_is_turned_back_as_it_comes() {
        let gate = crowded();
        let head = b"GET /debate HTTP/1.1\r\nHost: x\r\naccept: text/html\r\nACCEPT-LANGUAGE: fr\r\n\r\n";
        let told = gate.turns_back(head, FROM).unwrap();
        let told = String::from_utf8_lossy(&told);
        assert!(told.starts_with("HTTP/1.1 503 ") && told.contains("Vous gardez votre place"), "{told}");
        assert!(told.len() < BYTES_MAX, "{} bytes", told.len());
        let (said, body) = told.split_once("\r\n\r\n").unwrap();
        assert!(said.contains(&format!("Content-Length: {}", body.len())), "{said}");
        for (first, why) in [
            (&head[..head.len() - 2], "a head that is not whole"),
            (b"GET /debate/live.opus?pass=x HTTP/1.1\r\n\r\n", "who is seated"),
            (b"GET /debate/live.opus HTTP/1.1\r\nCookie: pass-debate=x\r\n\r\n", "who is seated"),
            (b"\x16\x03\x01 nonsense", "what is no request"),
        ] {
            assert_eq!(gate.turns_back(first, FROM), None, "{why}");
        }
        assert_eq!(Gate::new(World::begin(), None).turns_back(head, FROM), None, "nobody waits");
    }

    #[test]
    fn who_waits_too_long_has_the_least_urgent_put_off() {
        let gate = crowded();
        assert!((gate.depth() - 1.0).abs() < 1e-9);
        assert!(gate.puts_off(&asking("/debate", ("x", "")), FROM));
        assert!(!gate.puts_off(&asking("/debate/live.opus?pass=x", ("x", "")), FROM));
    }
}
