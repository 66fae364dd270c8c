//! What every request is told about its visitor, and what is counted of every answer.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::MatchedPath;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse;
use http::header::{ALLOW, CONNECTION, HOST, STRICT_TRANSPORT_SECURITY, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use tower::ServiceExt;
use tribune_core::door::address::{self, Scheme};
use tribune_core::guard::live::{self as guard, Happened, Outcome, What};
use tribune_core::reason::{Refusal, Shed};

use super::delivery::Delivery;
use super::flight::{InFlight, Tracked};
use super::{Shared, Trusted, ready};
use crate::answer::{self, Failure};
use crate::guard::Watch;
use crate::ops::logs::Repeats;
use crate::ops::metrics::ListenerMetrics;

/// Several lines of one forwarding header are joined up to this many; more are not looked at.
const LINES_MAX: usize = 16;
/// Whoever came by TLS comes by TLS only, for a year (RFC 6797): nobody on the way has them show a key in the
/// clear.
pub(super) const STRICT: &str = "max-age=31536000";

/// In which proxies say for whom they ask.
pub(super) const FORWARDING: [&str; 3] = ["forwarded", "x-forwarded-for", "via"];

static PUT_OFF: Repeats = Repeats::new();

/// The visitor's own address, as a request extension: the peer's, or what trusted proxies say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddr(pub IpAddr);

/// How the visitor reached us, as a request extension: for links and secure cookies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// By TLS or in the clear, as the visitor sees it.
    pub scheme: Scheme,
    /// The host (and port) they asked for; `None` when they named none, or none that may stand in a link.
    pub host: Option<String>,
}

impl Reached {
    /// An absolute address of `path` (which begins with `/`), or the path alone when no host is known.
    pub fn link(&self, path: &str) -> String {
        match &self.host {
            Some(host) => format!("{}://{host}{path}", self.scheme.as_str()),
            None => path.to_owned(),
        }
    }
}

/// What is known of a connection before its first request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Near {
    /// The peer, or whom a trusted proxy's PROXY header names.
    pub(super) addr: IpAddr,
    /// How the connection to us was made.
    pub(super) scheme: Scheme,
}

/// Who asks, and how they reached us.
pub(super) fn seen(near: Near, trusted: &Trusted, head: (&HeaderMap, Option<&str>)) -> (ClientAddr, Reached) {
    let (headers, authority) = head;
    let joined = |name: &str| {
        let lines: Vec<_> =
            headers.get_all(name).iter().take(LINES_MAX).filter_map(|line| line.to_str().ok()).collect();
        (!lines.is_empty()).then(|| lines.join(","))
    };
    let (forwarded, x_for) = (joined("forwarded"), joined("x-forwarded-for"));
    let (x_proto, x_host) = (joined("x-forwarded-proto"), joined("x-forwarded-host"));
    let told = address::Headers {
        forwarded: forwarded.as_deref(),
        x_forwarded_for: x_for.as_deref(),
        x_forwarded_proto: x_proto.as_deref(),
        x_forwarded_host: x_host.as_deref(),
    };
    let seen = address::visitor(near.addr, &told, |addr| trusted.holds(addr));
    let asked = authority.or_else(|| headers.get(HOST).and_then(|host| host.to_str().ok()));
    let host = seen.host.or_else(|| asked.and_then(address::host_of));
    (ClientAddr(seen.addr), Reached { scheme: seen.scheme.unwrap_or(near.scheme), host })
}

/// Counts answers by the pattern that matched, which has few values, never by path, which has as many as a
/// stranger likes.
pub(super) fn counted(app: Router, counts: ListenerMetrics) -> Router {
    let counts = Arc::new(counts);
    app.layer(from_fn(move |request: axum::extract::Request, next: Next| {
        let counts = counts.clone();
        async move {
            let route = request.extensions().get::<MatchedPath>().cloned();
            let answer = next.run(request).await;
            counts.answered(route.as_ref().map_or("none", MatchedPath::as_str), answer.status().as_u16());
            answer
        }
    }))
}

/// Answers one request of a connection that the library serves.
pub(super) async fn answered(
    shared: Arc<Shared>,
    near: Near,
    (flying, delivery): (InFlight, Option<Delivery>),
    mut request: Request<Incoming>,
) -> Result<Response<Tracked>, Infallible> {
    let flying = flying.fly();
    if let Some(delivery) = delivery {
        request.extensions_mut().insert(delivery);
    }
    let answer = match ready::response(&shared, near, &request) {
        Some(answer) => answer,
        None => respond(&shared, near, request.map(Body::new)).await,
    };
    Ok(answer.map(|body| Tracked::new(body, flying)))
}

/// Answers one request.
pub(super) async fn respond(shared: &Shared, near: Near, mut request: Request<Body>) -> Response<Body> {
    let authority = request.uri().authority().map(|authority| authority.as_str().to_owned());
    let (client, reached) = seen(near, &shared.spec.trusted, (request.headers(), authority.as_deref()));
    let scheme = reached.scheme;
    let asked = shared.spec.watch.as_ref().map(|watch| asked(watch, &request, forwarded(shared, near)));
    let told = Told { shared, from: client.0, asked };
    if shared.spec.watch.as_ref().is_some_and(|watch| watch.refuses(client.0)) {
        told.of(Outcome::Refused);
        return refused(shared, &request, client.0 != near.addr);
    }
    if let Some(answer) = put_off(shared, &request, client) {
        told.of(Outcome::PutOff);
        return answer;
    }
    if is_about_the_server(&request) {
        told.of(Outcome::Served);
        return methods();
    }
    request.extensions_mut().insert(client);
    request.extensions_mut().insert(reached);
    let is_sound = asked.is_some_and(|asked| asked.what == What::Sound);
    let delivery = if is_sound { request.extensions_mut().remove::<Delivery>() } else { None };
    let Ok(mut answer) = shared.app.clone().oneshot(request).await;
    told.of(Outcome::of(answer.status().as_u16(), answer.extensions().get().copied()));
    if let Some((delivery, bytes)) = delivery.zip(sound_bytes(&answer)) {
        delivery.is_on_its_way(bytes, client.0, Happened::Arrived);
    }
    if scheme == Scheme::Https {
        answer.headers_mut().insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(STRICT));
    }
    answer
}

/// A request that is to be asked again elsewhere: the guard is told that it was there.
pub(super) fn is_elsewhere<B>(shared: &Shared, near: Near, request: &Request<B>) {
    if let Some(watch) = &shared.spec.watch {
        let asked = asked(watch, request, forwarded(shared, near));
        shared.tell_request(near.addr, guard::Asked { outcome: Outcome::Left, ..asked });
    }
}

/// A request of which the guard is told once, also if nobody waits for its answer.
struct Told<'a> {
    shared: &'a Shared,
    from: IpAddr,
    asked: Option<guard::Asked>,
}

impl Told<'_> {
    fn of(mut self, outcome: Outcome) {
        self.tell(outcome);
    }

    fn tell(&mut self, outcome: Outcome) {
        if let Some(asked) = self.asked.take() {
            self.shared.tell_request(self.from, guard::Asked { outcome, ..asked });
        }
    }
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        self.tell(Outcome::Left);
    }
}

/// Bytes of the piece of sound in an answer; `None` when there is none in it.
fn sound_bytes(answer: &Response<Body>) -> Option<u64> {
    http_body::Body::size_hint(answer.body())
        .exact()
        .filter(|bytes| answer.status().is_success() && *bytes > 0)
}

/// What of a request the guard is told before its outcome is known.
fn asked<B>(watch: &Watch, request: &Request<B>, is_forwarded: IsForwarded) -> guard::Asked {
    let (uri, headers) = (request.uri(), request.headers());
    let what = What::of(request.method().as_str(), uri.path());
    // Each place is somebody's; of everything else the name alone says what it is.
    let target = match what {
        What::Place => {
            watch.hash(crate::egress::parameter(uri.query().unwrap_or_default(), "ticket").unwrap_or(""))
        }
        _ => watch.hash(uri.path()),
    };
    let agent = headers.get(USER_AGENT).map_or(0, |name| watch.hash(name.as_bytes()));
    let whom = match is_forwarded {
        IsForwarded::ByOthers => FORWARDING.iter().find_map(|name| headers.get(*name)),
        IsForwarded::ByTrusted => None,
    };
    let forwarded = whom.map(|whom| watch.hash(whom.as_bytes()));
    let on_air = watch.is_on_air(uri.path());
    guard::Asked { what, outcome: Outcome::Served, target, agent, forwarded, on_air }
}

/// By whom a request may have been passed on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum IsForwarded {
    /// Whom we trust to say for whom.
    ByTrusted,
    /// Anybody.
    ByOthers,
}

fn forwarded(shared: &Shared, near: Near) -> IsForwarded {
    if shared.spec.trusted.holds(near.addr) { IsForwarded::ByTrusted } else { IsForwarded::ByOthers }
}

/// What who is refused for a while is told, when they come through a proxy that we trust: others do not get
/// this far.
fn refused(shared: &Shared, request: &Request<Body>, is_proxied: bool) -> Response<Body> {
    tracing::debug!(listener = shared.spec.name, path = request.uri().path(), "refused_for_now");
    let number = answer::number(shared.spec.world);
    let mut answer = answer::named(Failure::of(Refusal::RefusedForNow).into_response(), &number);
    // A proxy's connection is shared by many; who is refused is told so request by request.
    if request.version() < Version::HTTP_2 && !is_proxied {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

/// What who is put off is told.
fn put_off(shared: &Shared, request: &Request<Body>, from: ClientAddr) -> Option<Response<Body>> {
    let gate = shared.gate.as_ref()?;
    if !gate.puts_off(request, from.0) {
        return None;
    }
    shared.spec.metrics.ledger.shed(Shed::PutOff);
    if let Some(repeated) = PUT_OFF.pass(shared.spec.world.now()) {
        tracing::warn!(listener = shared.spec.name, depth = gate.depth(), repeated, "put_off");
    }
    Some(gate.come_again(request.headers(), from.0))
}

/// `OPTIONS *` asks about the server and not about any page (RFC 9110, section 9.3.7), so no router has a
/// route for it. libshout, and with it ices and many others, asks it first and gives up if the answer is not
/// a success.
fn is_about_the_server(request: &Request<Body>) -> bool {
    request.method() == Method::OPTIONS && request.uri().path() == "*"
}

fn methods() -> Response<Body> {
    let methods = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, SOURCE");
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = StatusCode::NO_CONTENT;
    answer.headers_mut().insert(ALLOW, methods);
    answer
}
