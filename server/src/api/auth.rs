//! What a request shows of who asks: the key in `Authorization: Bearer`, and from where it came.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use tribune_core::reason::Refusal;
use tribune_core::room::Key;

use super::{Api, Failure};
use crate::net::ClientAddr;

/// The key that came, if one did, and from where.
pub struct Shown {
    pub(super) key: Option<Key>,
    pub(super) from: IpAddr,
}

impl FromRequestParts<Api> for Shown {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Failure> {
        std::future::ready(api.door.shown(parts)).await
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
