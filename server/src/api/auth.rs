//! Who asks: the key in `Authorization: Bearer`, held against the room's keys and the operator's.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, PoisonError};

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use tribune_core::reason::Refusal;
use tribune_core::room::{Act, Caller, Key, Role, may};

use super::guesses::TooMany;
use super::{Api, Failure};
use crate::net::ClientAddr;
use crate::rooms::Handle;

/// The key that came, if one did, and from where.
pub struct Shown {
    key: Option<Key>,
    from: IpAddr,
}

impl<S: Sync> FromRequestParts<S> for Shown {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failure> {
        let from = visitor(parts);
        bearer(&parts.headers).map(|key| Self { key, from })
    }
}

impl Api {
    /// The room of this name.
    pub(super) fn room(&self, name: &str) -> Result<Arc<Handle>, Failure> {
        self.rooms.get(name).ok_or(Failure::of(Refusal::RoomUnknown))
    }

    /// Who asks, as far as `room` (or, without one, the node) is concerned.
    pub(super) fn caller(&self, shown: &Shown, room: Option<&Handle>) -> Result<Caller, Failure> {
        let Some(key) = &shown.key else {
            return Err(Failure::new(Refusal::KeyWrong, "send the header `Authorization: Bearer KEY`"));
        };
        let operator = self.operator.matches(key);
        match (operator, room.and_then(|room| room.role_of(key))) {
            (true, _) => Ok(Caller::Operator),
            (false, Some(role)) => Ok(Caller::Of(role)),
            (false, None) => Err(self.wrong_key(shown.from)),
        }
    }

    /// Who asks, if they may do this.
    pub(super) fn allowed(&self, shown: &Shown, room: Option<&Handle>, act: Act) -> Result<Caller, Failure> {
        let caller = match (&shown.key, act) {
            (None, Act::Listen) => Caller::Of(Role::Listener),
            (None | Some(_), _) => self.caller(shown, room)?,
        };
        if may(caller, act) { Ok(caller) } else { Err(Failure::of(Refusal::RoleTooLow)) }
    }

    fn wrong_key(&self, from: IpAddr) -> Failure {
        let now = self.rooms.setup().world.now();
        let mut guesses = self.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        match guesses.wrong(now, from) {
            TooMany::Yes => Failure::of(Refusal::KeysGuessed),
            TooMany::No => Failure::of(Refusal::KeyWrong),
        }
    }
}

/// From where a request came.
pub(crate) fn visitor(parts: &Parts) -> IpAddr {
    parts.extensions.get().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ClientAddr(ip)| *ip)
}

/// A text that cannot be a key is a wrong key of its own kind: it is no guess, so it is said what is wrong
/// with it.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<Option<Key>, Failure> {
    let Some(value) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let (scheme, key) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Failure::new(Refusal::KeyWrong, "send the header `Authorization: Bearer KEY`"));
    }
    Key::parse(key.trim()).map(Some).map_err(|error| Failure::new(Refusal::KeyWrong, error.to_string()))
}
