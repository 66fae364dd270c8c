//! `/api/v1` on the stage listener: rooms by key. Parse, ask the room, render.
//!
//! `ROUTES` is the whole surface; a test walks it against `openapi.json` in both directions.

mod audit;
mod auth;
mod body;
mod commands;
mod events;
mod floor;
mod guard;
mod guesses;
mod hold;
mod invitations;
mod kept;
mod keys;
mod links;
mod manage;
pub(crate) mod outside;
mod pace;
mod passkeys;
mod recording;
mod removal;
mod report;
mod shares;
mod sign_in;
mod webhooks;
mod who;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodRouter, any, delete, get, patch, post, put};
use http::Method;
use tokio::sync::Semaphore;
use tribune_core::reason::Refusal;

use crate::answer::{self, Failure};
use crate::recording::Shelf;
use crate::rooms::{Handle, Rooms};

pub use auth::Shown;
pub(crate) use auth::visitor;
pub(crate) use events::alive;
pub use links::Links;
pub(crate) use pace::{Pace, TooMany};
pub(crate) use shares::{Share, Shares};
pub use who::{StageDoor, Who};

#[cfg(test)]
mod tests;

/// What handlers share.
#[derive(Clone)]
pub struct Api {
    rooms: Rooms,
    shelf: Shelf,
    door: StageDoor,
    passkeys: Arc<passkeys::Passkeys>,
    listeners: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
    /// Of the listeners by what they showed, of the strangers by their network.
    shares: Shares<events::Listener>,
    holds: Arc<Semaphore>,
    /// One hold sound is written at a time, so that each is written whole.
    hold_writing: Arc<tokio::sync::Mutex<()>>,
}

impl Api {
    /// Over these rooms and their recordings; everybody comes in by `door`.
    pub fn new(rooms: Rooms, shelf: Shelf, door: StageDoor) -> Self {
        let setup = rooms.setup();
        let passkeys = Arc::new(passkeys::Passkeys::new(&setup.config.stage_base(), setup.world));
        Self {
            rooms,
            shelf,
            door,
            passkeys,
            listeners: Arc::new(Semaphore::new(events::LISTENERS_MAX)),
            strangers: Arc::new(Semaphore::new(events::STRANGERS_MAX)),
            shares: Shares::new(events::SHARE_MAX),
            holds: Arc::new(Semaphore::new(hold::HOLDS_TAKEN_MAX)),
            hold_writing: Arc::default(),
        }
    }

    /// The room of this name.
    fn room(&self, name: &str) -> Result<Arc<Handle>, Failure> {
        self.rooms.get(name).ok_or(Failure::of(Refusal::RoomUnknown))
    }
}

/// One path and method.
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, as the OpenAPI document writes it too.
    pub path: &'static str,
    serve: fn() -> MethodRouter<Api>,
}

const fn route(method: Method, path: &'static str, serve: fn() -> MethodRouter<Api>) -> Route {
    Route { method, path, serve }
}

/// Every route.
pub const ROUTES: [Route; 52] = [
    route(Method::GET, "/api/v1/openapi.json", || get(openapi)),
    route(Method::POST, "/api/v1/rooms", || post(manage::create)),
    route(Method::GET, "/api/v1/rooms", || get(manage::list)),
    route(Method::GET, "/api/v1/rooms/{room}", || get(manage::show)),
    route(Method::PATCH, "/api/v1/rooms/{room}", || patch(commands::change)),
    route(Method::DELETE, "/api/v1/rooms/{room}", || delete(manage::remove)),
    route(Method::GET, "/api/v1/rooms/{room}/links", || get(manage::links)),
    route(Method::GET, "/api/v1/rooms/{room}/audit", || get(manage::audit)),
    route(Method::POST, "/api/v1/rooms/{room}/live", || post(commands::live)),
    route(Method::POST, "/api/v1/rooms/{room}/end", || post(commands::end)),
    route(Method::POST, "/api/v1/rooms/{room}/cap", || post(commands::cap)),
    route(Method::PUT, "/api/v1/rooms/{room}/cap", || put(commands::cap)),
    route(Method::POST, "/api/v1/rooms/{room}/notice", || post(commands::notice)),
    route(Method::PUT, "/api/v1/rooms/{room}/hold", || put(hold::set)),
    route(Method::DELETE, "/api/v1/rooms/{room}/hold", || delete(hold::unset)),
    route(Method::GET, "/api/v1/rooms/{room}/recording", || get(recording::show)),
    route(Method::DELETE, "/api/v1/rooms/{room}/recording", || delete(recording::delete)),
    route(Method::POST, "/api/v1/rooms/{room}/recording/redact", || post(recording::redact)),
    route(Method::GET, "/api/v1/rooms/{room}/recording/export", || get(recording::export)),
    route(Method::POST, "/api/v1/rooms/{room}/report", || post(report::publish)),
    route(Method::GET, "/api/v1/rooms/{room}/events", || get(events::events)),
    route(Method::GET, "/api/v1/rooms/{room}/stage", || get(floor::show)),
    route(Method::POST, "/api/v1/rooms/{room}/floor/request", || post(floor::request)),
    route(Method::POST, "/api/v1/rooms/{room}/floor/release", || post(floor::release)),
    route(Method::POST, "/api/v1/rooms/{room}/floor/grant", || post(floor::grant)),
    route(Method::POST, "/api/v1/rooms/{room}/floor/decline", || post(floor::decline)),
    route(Method::POST, "/api/v1/rooms/{room}/floor/revoke", || post(floor::revoke)),
    route(Method::POST, "/api/v1/rooms/{room}/mute", || post(floor::mute)),
    route(Method::POST, "/api/v1/rooms/{room}/remove", || post(floor::remove)),
    route(Method::POST, "/api/v1/rooms/{room}/role", || post(floor::role)),
    route(Method::GET, "/api/v1/rooms/{room}/keys", || get(keys::whoami)),
    route(Method::POST, "/api/v1/rooms/{room}/keys", || post(keys::rotate)),
    route(Method::POST, "/api/v1/session", || post(sign_in::sign_in)),
    route(Method::GET, "/api/v1/session", || get(sign_in::show)),
    route(Method::DELETE, "/api/v1/session", || delete(sign_in::sign_out)),
    route(Method::POST, "/api/v1/passkeys/register/start", || post(passkeys::register_start)),
    route(Method::POST, "/api/v1/passkeys/register/finish", || post(passkeys::register_finish)),
    route(Method::POST, "/api/v1/passkeys/login/start", || post(passkeys::login_start)),
    route(Method::POST, "/api/v1/passkeys/login/finish", || post(passkeys::login_finish)),
    route(Method::GET, "/api/v1/passkeys", || get(passkeys::list)),
    route(Method::DELETE, "/api/v1/passkeys/{id}", || delete(passkeys::remove)),
    route(Method::POST, "/api/v1/rooms/{room}/name", || post(sign_in::rename)),
    route(Method::GET, "/api/v1/rooms/{room}/sessions", || get(sign_in::list)),
    route(Method::DELETE, "/api/v1/rooms/{room}/sessions/{id}", || delete(sign_in::revoke)),
    route(Method::GET, "/api/v1/rooms/{room}/invitations", || get(invitations::list)),
    route(Method::POST, "/api/v1/rooms/{room}/invitations", || post(invitations::add)),
    route(Method::DELETE, "/api/v1/rooms/{room}/invitations/{id}", || delete(invitations::remove)),
    route(Method::GET, "/api/v1/guard", || get(guard::show)),
    route(Method::POST, "/api/v1/guard/acts/{number}/undo", || post(guard::undo)),
    route(Method::GET, "/api/v1/rooms/{room}/webhooks", || get(webhooks::list)),
    route(Method::POST, "/api/v1/rooms/{room}/webhooks", || post(webhooks::add)),
    route(Method::DELETE, "/api/v1/rooms/{room}/webhooks/{id}", || delete(webhooks::remove)),
];

/// The OpenAPI document.
pub const OPENAPI: &str = include_str!("openapi.json");

/// The router of the stage listener's API.
pub fn router(api: Api) -> Router {
    let mut router = Router::new();
    for route in ROUTES {
        router = router.route(route.path, (route.serve)());
    }
    router
        .route("/api/{*rest}", any(answer::no_such_page))
        .method_not_allowed_fallback(answer::method_wrong)
        .layer(from_fn_with_state(api.rooms.setup().world, answer::name_requests))
        .with_state(api)
}

async fn openapi() -> axum::response::Response {
    answer::json_bytes(http::StatusCode::OK, OPENAPI.as_bytes().into())
}
