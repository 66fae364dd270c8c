//! Bodies: JSON of a bounded length, every field known, and a sentence that says what is wrong with it.

use std::time::Duration;

use axum::extract::{FromRequest, Request};
use http::header::CONTENT_TYPE;
use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use tribune_core::reason::Refusal;
use tribune_core::time::WallTime;

use super::Failure;

/// Largest body, in bytes.
pub const BODY_BYTES_MAX: usize = 16 * 1_024;

/// How long a body may take to come.
const BODY_WAIT: Duration = Duration::from_secs(10);

/// A body read as JSON.
pub struct Json<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, _: &S) -> Result<Self, Failure> {
        let kind =
            request.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(Failure::malformed("the body must come with `Content-Type: application/json`"));
        }
        let reading = axum::body::to_bytes(request.into_body(), BODY_BYTES_MAX);
        let body = tokio::time::timeout(BODY_WAIT, reading)
            .await
            .map_err(|_| Failure::malformed(format!("the body did not come within {BODY_WAIT:?}")))?
            .map_err(|error| too_large(&error))?;
        read(&body).map(Self)
    }
}

/// What the bytes of a body say.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| Failure::malformed(format!("the body: {error}")))
}

/// A connection that broke looks the same here; nobody reads that answer.
fn too_large(_: &axum::Error) -> Failure {
    Failure::new(Refusal::TooLarge, format!("a body has at most {BODY_BYTES_MAX} bytes"))
}

/// Tells a field that is `null` from one that is not there.
pub fn present<'de, D, T>(from: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(from).map(Some)
}

/// A time of the wire.
pub fn time(field: &str, text: &str) -> Result<WallTime, Failure> {
    WallTime::parse(text).ok_or_else(|| {
        Failure::malformed(format!("{field} must be a time in RFC 3339, like 2026-11-03T20:00:00Z"))
    })
}
