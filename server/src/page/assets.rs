//! What follows the page: files whose names change with their content, so that a browser or a cache keeps
//! them for good.

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, header};
use tribune_core::reason::Refusal;

use super::{BUILT, Encoding, Lang, stage};
use crate::answer::{Failure, Path};

const CACHE_CONTROL: &str = "public, max-age=31536000, immutable";

/// One file in every form it is kept in.
struct Asset {
    content_type: &'static str,
    plain: &'static [u8],
    /// Brotli and gzip, where they are smaller.
    packed: Option<(&'static [u8], &'static [u8])>,
}

/// What follows the listener's page, under `/assets/`: `GET` and `HEAD`.
pub fn assets<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/assets/{name}", get(async |name, headers| serve(name, headers, of_the_door)))
}

/// What follows the pages of the stage listener.
pub(super) fn desk<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/assets/{name}", get(async |name, headers| serve(name, headers, of_the_desk)))
}

/// The worker that keeps a room's page while the node is gone. A browser looks for a newer one at each visit.
pub fn worker(scope: &str) -> Response {
    Response::builder()
        .header(header::CONTENT_TYPE, "text/javascript; charset=utf-8")
        .header(header::CACHE_CONTROL, "no-cache")
        .header("service-worker-allowed", scope)
        .header(header::CONTENT_SECURITY_POLICY, "default-src 'none'; connect-src 'self'")
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .body(Body::from(&include_bytes!("../../../web/dist/door/worker.js")[..]))
        .expect("a room's name is plain ASCII")
}

fn serve(Path(name): Path<String>, headers: HeaderMap, find: fn(&str) -> Option<Asset>) -> Response {
    let Some(asset) = find(&name) else {
        return Failure::of(Refusal::NoSuchPage).into_response();
    };
    let accept = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    let (encoding, bytes) = match (Encoding::choose(accept), asset.packed) {
        (Encoding::Brotli, Some((brotli, _))) => (Encoding::Brotli, brotli),
        (Encoding::Gzip, Some((_, gzip))) => (Encoding::Gzip, gzip),
        (Encoding::Brotli | Encoding::Gzip | Encoding::Identity, _) => (Encoding::Identity, asset.plain),
    };
    let answer = Response::builder()
        .header(header::CONTENT_TYPE, asset.content_type)
        .header(header::CACHE_CONTROL, CACHE_CONTROL)
        .header(header::VARY, "accept-encoding")
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    encoding.label(answer).body(Body::from(bytes)).expect("every header above is plain ASCII")
}

/// Includes a file of `web/dist` with its packed forms.
macro_rules! packed {
    ($content_type:literal, $name:literal) => {
        Asset {
            content_type: concat!($content_type, "; charset=utf-8"),
            plain: include_bytes!(concat!("../../../web/dist/", $name)),
            packed: Some((
                include_bytes!(concat!("../../../web/dist/", $name, ".br")),
                include_bytes!(concat!("../../../web/dist/", $name, ".gz")),
            )),
        }
    };
}

fn of_the_door(name: &str) -> Option<Asset> {
    if name == BUILT.card {
        let plain = include_bytes!("../../../web/dist/door/card.png");
        return Some(Asset { content_type: "image/png", plain, packed: None });
    }
    if name == BUILT.floor {
        return Some(packed!("text/javascript", "door/floor.js"));
    }
    Lang::ALL.into_iter().find(|lang| BUILT.inside[lang.tag()] == name).map(|lang| match lang {
        Lang::En => packed!("text/javascript", "door/inside.en.js"),
        Lang::Fr => packed!("text/javascript", "door/inside.fr.js"),
    })
}

fn of_the_desk(name: &str) -> Option<Asset> {
    let built = &*stage::BUILT;
    match name {
        _ if name == built.stage.script => Some(packed!("text/javascript", "desk/stage.js")),
        _ if name == built.stage.style => Some(packed!("text/css", "desk/stage.css")),
        _ if name == built.console.script => Some(packed!("text/javascript", "desk/console.js")),
        _ if name == built.console.style => Some(packed!("text/css", "desk/console.css")),
        _ => None,
    }
}
