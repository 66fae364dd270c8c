//! The listener's page: one HTML answer per room, language and encoding, the same for everybody for a second.

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;
use tribune_core::reason::Refusal;

use super::{Answer, Asked, At, room};
use crate::answer::Path;
use crate::node::Node;
use crate::page::{Encoding, Lang, calendar as ics, missing, render};

/// The page of a room, or one that says there is none.
pub(super) async fn page(State(node): At, Path(name): Path<String>, asked: Asked) -> Response {
    let text = |name| asked.headers.get(name).and_then(|value| value.to_str().ok());
    let lang = Lang::choose(asked.parameter("lang"), text(header::ACCEPT_LANGUAGE));
    let base = node.config.public_base();
    let page = match status_of(&node, &name) {
        Ok(status) => render(&status, lang, &base),
        Err(_) => missing(lang, &base),
    };
    let encoding = Encoding::choose(text(header::ACCEPT_ENCODING));
    let body = page.encode(encoding);
    page.respond(encoding, body)
}

/// The start of the conversation, for a calendar.
pub(super) async fn calendar(State(node): At, Path(name): Path<String>) -> Answer {
    let status = status_of(&node, &name)?;
    let file = ics(&status, &node.config.public_base()).ok_or(Refusal::NoSuchPage)?;
    Ok(([(header::CONTENT_TYPE, "text/calendar; charset=utf-8")], file).into_response())
}

fn status_of(node: &Arc<Node>, name: &str) -> Result<serde_json::Value, Refusal> {
    let bytes = room(node, name)?.view().status.bytes.clone();
    serde_json::from_slice(&bytes).map_err(|_| Refusal::OurFault)
}
