//! The listener's page: one HTML answer per room, language and encoding, the same for everybody for a second;
//! and for whoever's cookie holds a ticket of the room, one of their own.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header;
use serde_json::Value;
use tribune_core::reason::Refusal;
use tribune_core::room::State as RoomState;

use super::{Answer, Asked, At, door, room};
use crate::answer::Path;
use crate::node::Node;
use crate::page::{self, Encoding, Key, Lang, Site, Ticketed, calendar as ics, missing, render};
use crate::rooms::Handle;

/// The page of a room, or one that says there is none.
pub(super) async fn page(State(node): At, Path(name): Path<String>, asked: Asked) -> Response {
    let text = |name| asked.headers.get(name).and_then(|value| value.to_str().ok());
    let lang = Lang::choose(asked.parameter("lang"), text(header::ACCEPT_LANGUAGE));
    let encoding = Encoding::choose(text(header::ACCEPT_ENCODING));
    let site = || Site { public: node.config.public_base(), stage: node.config.stage_base() };
    let room = room(&node, &name).ok();
    let view = room.as_ref().map(|room| room.view());
    let status = || present(&node, &view.as_ref()?.status.bytes);
    if let Some(ticketed) = room.as_ref().and_then(|room| ticketed(&asked, room))
        && let Some(status) = status()
    {
        let page = page::render_personal(&ticketed, &status, lang, &site());
        return page.respond(encoding, page.encode(encoding));
    }
    let key = Key { room: view.as_ref().map(|view| (name, view.status.seq)), lang, encoding };
    let render = || match status() {
        Some(status) => render(&status, lang, &site()),
        None => missing(lang, &site()),
    };
    node.pages.get(node.world.now(), key, render).respond()
}

/// Where the ticket stands that the visitor's cookie holds; none after the end, or when it is worth nothing.
fn ticketed(asked: &Asked, room: &Handle) -> Option<Ticketed> {
    let held =
        door::shown_ticket(&asked.headers, room).filter(|_| room.view().facts.state != RoomState::Ended)?;
    let stands = room.desk().place(&held.ticket).ok()?;
    let is_seated = door::shown_pass(asked, room).is_some_and(|pass| room.desk().is_seated(pass));
    Some(Ticketed { place: door::place_of(&stands), again_s: door::retry_after_s(&stands), is_seated })
}

/// The worker that keeps the page of a room for who holds a ticket.
pub(super) async fn worker(State(node): At, Path(name): Path<String>) -> Answer {
    let scope = format!("/{}", room(&node, &name)?.name());
    std::future::ready(Ok(page::worker(&scope))).await
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
