//! Port 80: leads every visitor to the same address over TLS, and answers the certificate authority's
//! challenge (RFC 8555, section 8.3) when certificates are fetched by ourselves.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::{CACHE_CONTROL, LOCATION};

use super::Reached;

/// Answers to challenges that are open. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct Challenges(Arc<RwLock<BTreeMap<String, String>>>);

impl Challenges {
    /// The authority may now ask for `token`.
    pub(super) fn open(&self, token: String, answer: String) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(token, answer);
    }

    /// No challenge is open any longer.
    pub(super) fn close_all(&self) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn answer(&self, token: &str) -> Option<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(token).cloned()
    }
}

/// Where the listeners with TLS are, as visitors see them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// The port of the audience's.
    pub public_port: u16,
    /// The stage's own host name and port, when it has them.
    pub stage: Option<(String, u16)>,
}

impl Places {
    fn port_of(&self, host: &str) -> u16 {
        match &self.stage {
            Some((name, port)) if name.eq_ignore_ascii_case(host) => *port,
            Some(_) | None => self.public_port,
        }
    }
}

/// What the listener on port 80 serves.
pub fn router(places: Places, challenges: Challenges) -> Router {
    Router::new()
        .route("/.well-known/acme-challenge/{token}", get(challenge).with_state(challenges))
        .fallback(async move |request: Request| redirect(&places, &request))
}

async fn challenge(State(challenges): State<Challenges>, Path(token): Path<String>) -> Response {
    match challenges.answer(&token) {
        Some(answer) => ([(CACHE_CONTROL, "no-store")], answer).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// 308 keeps the method, so that a source or an API call that came to the wrong port is not turned into a
/// GET.
fn redirect(places: &Places, request: &Request) -> Response {
    let host = request.extensions().get::<Reached>().and_then(|reached| reached.host.as_deref());
    let Some(host) = host.map(without_port).filter(|host| !host.is_empty()) else {
        return (StatusCode::BAD_REQUEST, "The request names no host; this port only leads to HTTPS.\n")
            .into_response();
    };
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    (StatusCode::PERMANENT_REDIRECT, [(LOCATION, location(places.port_of(host), host, path))]).into_response()
}

/// The same address over TLS; `host` as a visitor named it, with or without a port.
pub(crate) fn location(https_port: u16, host: &str, path: &str) -> String {
    let host = without_port(host);
    match https_port {
        443 => format!("https://{host}{path}"),
        port => format!("https://{host}:{port}{path}"),
    }
}

/// `[2001:db8::1]:80` without its port is `[2001:db8::1]`.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') && (!name.contains(':') || name.ends_with(']')) => name,
        Some(_) | None => host,
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use tower::ServiceExt;
    use tribune_core::door::address::Scheme;

    use super::*;

    async fn ask(router: &Router, host: Option<&str>, path: &str) -> (StatusCode, Option<String>) {
        let mut request = http::Request::get(path).body(Body::empty()).expect("a request");
        request.extensions_mut().insert(Reached { scheme: Scheme::Http, host: host.map(str::to_owned) });
        let answer = router.clone().oneshot(request).await.expect("infallible");
        let location = answer.headers().get(LOCATION).map(|at| at.to_str().expect("text").to_owned());
        (answer.status(), location)
    }

    #[tokio::test]
    async fn visitors_are_led_to_the_same_address_over_tls() {
        let challenges = Challenges::default();
        let at = |public_port| Places { public_port, stage: Some(("stage.example".to_owned(), 8444)) };
        for (port, host, path, to) in [
            (443, "radio.example", "/room?a=b", "https://radio.example/room?a=b"),
            (443, "radio.example:80", "/", "https://radio.example/"),
            (8443, "radio.example:8080", "/room", "https://radio.example:8443/room"),
            (443, "[2001:db8::1]:80", "/", "https://[2001:db8::1]/"),
            (8443, "[2001:db8::1]", "/", "https://[2001:db8::1]:8443/"),
            (443, "Stage.example:80", "/room/stage", "https://Stage.example:8444/room/stage"),
        ] {
            let router = router(at(port), challenges.clone());
            let answer = ask(&router, Some(host), path).await;
            assert_eq!(answer, (StatusCode::PERMANENT_REDIRECT, Some(to.to_owned())), "{host}");
        }
        assert_eq!(ask(&router(at(443), challenges), None, "/").await.0, StatusCode::BAD_REQUEST);
    }

    #[tokio::test]
    async fn only_open_challenges_are_answered() {
        let challenges = Challenges::default();
        let router = router(Places { public_port: 443, stage: None }, challenges.clone());
        let path = "/.well-known/acme-challenge/abc";
        assert_eq!(ask(&router, Some("radio.example"), path).await.0, StatusCode::NOT_FOUND);
        challenges.open("abc".to_owned(), "abc.thumb".to_owned());
        assert_eq!(ask(&router, Some("radio.example"), path).await.0, StatusCode::OK);
        challenges.close_all();
        assert_eq!(ask(&router, Some("radio.example"), path).await.0, StatusCode::NOT_FOUND);
    }
}
