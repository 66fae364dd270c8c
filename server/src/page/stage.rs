//! The pages of the stage listener: `/{room}/stage` for host and speakers, `/console` for the operator. Each
//! is a shell in the visitor's language; what it draws comes from the API, so that nothing about a room
//! stands in it.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::middleware::from_fn_with_state;
use axum::response::Response;
use axum::routing::get;
use http::{HeaderMap, header};
use serde::Deserialize;
use serde_json::json;

use super::{Encoding, Lang, Site, assets, missing, pack, template};
use crate::answer::{self, Path};
use crate::egress::parameter;
use crate::node::Node;

/// A page of the stage listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Desk {
    /// For host, co-hosts and speakers.
    Stage,
    /// For the operator.
    Console,
}

/// Names of what follows the pages.
#[derive(Debug, Deserialize)]
pub(super) struct Built {
    pub(super) stage: Files,
    pub(super) console: Files,
}

/// Names of one page's files.
#[derive(Debug, Deserialize)]
pub(super) struct Files {
    pub(super) script: String,
    pub(super) style: String,
}

pub(super) static BUILT: LazyLock<Built> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../web/dist/desk/built.json"))
        .expect("web/build.mjs writes this form")
});

/// What the pages may do in a browser besides what any page may.
const PERMISSIONS: &str = "microphone=(self), camera=(), geolocation=(), display-capture=(), \
     publickey-credentials-get=(self), publickey-credentials-create=(self)";
/// The shell names its files: a browser asks whether it is still the one.
const CACHE_CONTROL: &str = "no-cache";

/// The pages' addresses, and their files under `/assets/`.
pub fn desk(node: Arc<Node>) -> Router {
    let world = node.world;
    Router::new()
        .route("/{room}/stage", get(stage))
        .route("/console", get(console))
        .with_state(node)
        .merge(assets::desk())
        .method_not_allowed_fallback(answer::method_wrong)
        .layer(from_fn_with_state(world, answer::name_requests))
}

async fn stage(
    State(node): State<Arc<Node>>,
    Path(room): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let asked = Asked::read(query.as_deref(), &headers);
    let public = node.config.public_base();
    if node.rooms.get(&room).is_none() {
        let page = missing(asked.lang, &Site { public, stage: node.config.stage_base() });
        return std::future::ready(page.respond(asked.encoding, page.encode(asked.encoding))).await;
    }
    shell(Desk::Stage, asked, &public)
}

async fn console(State(node): State<Arc<Node>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let asked = Asked::read(query.as_deref(), &headers);
    std::future::ready(shell(Desk::Console, asked, &node.config.public_base())).await
}

/// In which form the visitor wants the page.
#[derive(Clone, Copy)]
struct Asked {
    lang: Lang,
    encoding: Encoding,
}

impl Asked {
    fn read(query: Option<&str>, headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let query = query.and_then(|query| parameter(query, "lang"));
        let lang = Lang::choose(query, text(header::ACCEPT_LANGUAGE));
        Self { lang, encoding: Encoding::choose(text(header::ACCEPT_ENCODING)) }
    }
}

/// The whole answer; `public` is the base of the public listener, whose statuses and replays the pages read.
fn shell(desk: Desk, asked: Asked, public: &str) -> Response {
    let values = json!({"public": public, "version": env!("CARGO_PKG_VERSION")});
    let values = values.as_object().expect("written as an object above");
    let html = template::fill(desk.html(asked.lang), values);
    let answer = Response::builder()
        .header(header::CONTENT_TYPE, "text/html; charset=utf-8")
        .header(header::CONTENT_LANGUAGE, asked.lang.tag())
        .header(header::CONTENT_SECURITY_POLICY, desk.policy(&origin(public)))
        .header(header::VARY, "accept-encoding, accept-language")
        .header(header::CACHE_CONTROL, CACHE_CONTROL)
        .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
        .header(header::REFERRER_POLICY, "no-referrer")
        .header("cross-origin-opener-policy", "same-origin")
        .header("permissions-policy", PERMISSIONS);
    let answer = asked.encoding.label(answer);
    answer.body(Body::from(pack(&html, asked.encoding))).expect("every header above is plain ASCII")
}

impl Desk {
    const fn html(self, lang: Lang) -> &'static str {
        match (self, lang) {
            (Self::Stage, Lang::En) => include_str!("../../../web/dist/desk/stage.en.html"),
            (Self::Stage, Lang::Fr) => include_str!("../../../web/dist/desk/stage.fr.html"),
            (Self::Console, Lang::En) => include_str!("../../../web/dist/desk/console.en.html"),
            (Self::Console, Lang::Fr) => include_str!("../../../web/dist/desk/console.fr.html"),
        }
    }

    /// Our own files and nothing written into the page; besides ourselves only the public listener: replays
    /// to hear, and for the console statuses to read.
    fn policy(self, public: &str) -> String {
        let read = match self {
            Self::Stage => "",
            Self::Console => public,
        };
        format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' {read}; \
             media-src 'self' blob: {public}; img-src 'self' data:; base-uri 'none'; form-action 'self'; \
             frame-ancestors 'none'"
        )
    }
}

/// Scheme, host and port of a base.
pub(super) fn origin(base: &str) -> String {
    base.split('/').take(3).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    const EN: Asked = Asked { lang: Lang::En, encoding: Encoding::Identity };

    #[test]
    fn a_shell_runs_our_files_and_nothing_written_into_it() {
        for (desk, files) in [(Desk::Stage, &BUILT.stage), (Desk::Console, &BUILT.console)] {
            for lang in Lang::ALL {
                let html = desk.html(lang);
                assert!(html.contains(&format!("src=\"/assets/{}\"", files.script)), "{html}");
                assert!(html.contains(&format!("href=\"/assets/{}\"", files.style)), "{html}");
                assert!(html.contains(&format!("<html lang=\"{}\">", lang.tag())), "{html}");
                assert_eq!(html.matches("<script").count(), 1);
                assert!(!html.contains("<style") && !html.contains(" style=") && !html.contains("[["));
            }
        }
    }

    #[test]
    fn what_a_page_may_do_is_said_in_its_head() {
        let answer = shell(Desk::Stage, EN, "https://listen.example/here");
        let head = |name: &str| answer.headers()[name].to_str().expect("ASCII").to_owned();
        let policy = head("content-security-policy");
        for part in [
            "default-src 'none'",
            "script-src 'self';",
            "style-src 'self';",
            "connect-src 'self' ;",
            "media-src 'self' blob: https://listen.example;",
            "frame-ancestors 'none'",
        ] {
            assert!(policy.contains(part), "{part}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert!(head("permissions-policy").starts_with("microphone=(self)"));
        assert_eq!(head("referrer-policy"), "no-referrer");
        let console = shell(Desk::Console, EN, "https://listen.example");
        let policy = console.headers()["content-security-policy"].to_str().expect("ASCII");
        assert!(policy.contains("connect-src 'self' https://listen.example;"), "{policy}");
    }
}
