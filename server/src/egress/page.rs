//! The listener's page: one HTML answer per room, language and encoding, the same for everybody for a second.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;
use serde_json::Value;
use tribune_core::reason::Refusal;

use super::{Answer, Asked, At, room};
use crate::answer::Path;
use crate::node::Node;
use crate::page::{Encoding, Key, Lang, Site, calendar as ics, missing, render};

/// The page of a room, or one that says there is none.
pub(super) async fn page(State(node): At, Path(name): Path<String>, asked: Asked) -> Response {
    let text = |name| asked.headers.get(name).and_then(|value| value.to_str().ok());
    let lang = Lang::choose(asked.parameter("lang"), text(header::ACCEPT_LANGUAGE));
    let encoding = Encoding::choose(text(header::ACCEPT_ENCODING));
    let site = Site { public: node.config.public_base(), stage: node.config.stage_base() };
    let view = room(&node, &name).ok().map(|room| room.view());
    let key = Key { room: view.as_ref().map(|view| (name, view.status.seq)), lang, encoding };
    let render = || match view.as_ref().and_then(|view| present(&node, &view.status.bytes)) {
        Some(status) => render(&status, lang, &site),
        None => missing(lang, &site),
    };
    node.pages.get(node.world.now(), key, render).respond()
}

/// A status as the page reads it. A status is as old as the last change; the page counts down from now.
fn present(node: &Node, status: &[u8]) -> Option<Value> {
    let mut status: Value = serde_json::from_slice(status).ok()?;
    status["now"] = node.world.wall().rfc3339().into();
    Some(status)
}

/// The start of the conversation, for a calendar.
pub(super) async fn calendar(State(node): At, Path(name): Path<String>) -> Answer {
    let view = room(&node, &name)?.view();
    let status = present(&node, &view.status.bytes).ok_or(Refusal::OurFault)?;
    let file = ics(&status, &node.config.public_base()).ok_or(Refusal::NoSuchPage)?;
    Ok(([(header::CONTENT_TYPE, "text/calendar; charset=utf-8")], file).into_response())
}
