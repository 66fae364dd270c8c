//! Answers: JSON that no cache keeps, and refusals from the table, each with the number of its request.

use std::borrow::Cow;

use axum::body::Body;
use axum::extract::path::ErrorKind;
use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, LINK, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tribune_core::reason::Refusal;
use tribune_core::room::Refused;

use crate::world::World;

/// The header with the number of the request.
const REQUEST_ID: &str = "x-request-id";

/// Why a request was refused.
#[derive(Clone, Debug)]
pub struct Failure {
    reason: Refusal,
    detail: Cow<'static, str>,
    replay: Option<Value>,
    page: Option<String>,
}

impl Failure {
    /// With the table's sentence only.
    pub const fn of(reason: Refusal) -> Self {
        Self { reason, detail: Cow::Borrowed(""), replay: None, page: None }
    }

    /// With what is wrong, in words.
    pub fn new(reason: Refusal, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, detail: detail.into(), replay: None, page: None }
    }

    /// A request that could not be understood.
    pub fn malformed(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Refusal::Malformed, detail)
    }

    /// With the links to the replay, as the room's `status` has them.
    #[must_use]
    pub fn with_replay(mut self, status: &[u8]) -> Self {
        let status: Value = serde_json::from_slice(status).unwrap_or_default();
        self.replay = status.get("replay").filter(|links| links.is_object()).cloned();
        self
    }

    /// With the address of the page on which a person can wait, also as a link in the head (RFC 8288).
    #[must_use]
    pub fn with_page(mut self, url: String) -> Self {
        self.page = Some(url);
        self
    }

    /// The row of the table.
    pub const fn reason(&self) -> Refusal {
        self.reason
    }

    /// The table's sentence and what is wrong, for a person.
    pub fn message(&self) -> String {
        let says = self.reason.row().says;
        if self.detail.is_empty() { says.to_owned() } else { format!("{says} ({})", self.detail) }
    }

    /// The body of the answer to the request of this number.
    pub(crate) fn document(self, number: &str) -> Value {
        let row = self.reason.row();
        let mut document = json!({
            "code": row.code,
            "message": self.message(),
            "retry_after_s": row.retry_after_s,
            "request_id": number,
        });
        if let Some(links) = self.replay {
            document["replay"] = links;
        }
        if let Some(url) = self.page {
            document["page"] = url.into();
        }
        document
    }
}

impl From<Refusal> for Failure {
    fn from(reason: Refusal) -> Self {
        Self::of(reason)
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        Self::new(refused.reason, refused.detail)
    }
}

/// The body is written by `name_requests`, which knows the request's number.
impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let row = self.reason.row();
        let mut answer = Response::new(Body::empty());
        *answer.status_mut() = StatusCode::from_u16(row.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        if row.retry_after_s > 0 {
            answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(row.retry_after_s));
        }
        if row.status == 401 {
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        let link = self.page.as_ref().map(|url| format!("<{url}>; rel=\"alternate\"; type=\"text/html\""));
        if let Some(Ok(link)) = link.map(HeaderValue::try_from) {
            answer.headers_mut().insert(LINK, link);
        }
        answer.extensions_mut().insert(self);
        answer
    }
}

/// What the address of a request says, read by axum, refused in our own words.
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(read)) => Ok(Self(read)),
            Err(PathRejection::FailedToDeserializePathParams(failed)) => Err(match failed.kind() {
                ErrorKind::InvalidUtf8InPathParam { .. } => {
                    Failure::malformed("the address is not UTF-8 once its percent signs are read")
                }
                // A word where a number belongs names nothing we have.
                _ => Failure::of(Refusal::NoSuchPage),
            }),
            Err(_) => Err(Failure::of(Refusal::OurFault)),
        }
    }
}

/// The address leads nowhere.
pub async fn no_such_page() -> Failure {
    Failure::of(Refusal::NoSuchPage)
}

/// The page is there, but not for this method.
pub async fn method_wrong() -> Failure {
    Failure::of(Refusal::MethodWrong)
}

/// Gives every request a number, and refusals their body with it.
pub async fn name_requests(State(world): State<World>, request: Request, next: Next) -> Response {
    let number = number(world);
    named(next.run(request).await, &number)
}

/// A request's number.
pub fn number(world: World) -> String {
    URL_SAFE_NO_PAD.encode(world.number())
}

/// An answer to the request of this number, with the body of a refusal if it is one.
pub fn named(mut answer: Response, number: &str) -> Response {
    if let Some(failure) = answer.extensions_mut().remove::<Failure>() {
        let row = failure.reason.row();
        tracing::debug!(request_id = number, code = row.code, detail = %failure.detail, "refused");
        let reason = failure.reason;
        let document = failure.document(number);
        *answer.body_mut() = Body::from(document.to_string());
        seal_json(&mut answer);
        answer.extensions_mut().insert(reason);
    }
    if let Ok(value) = HeaderValue::from_str(number) {
        answer.headers_mut().insert(REQUEST_ID, value);
    }
    answer
}

/// A document as JSON.
pub fn json_of(status: StatusCode, document: &impl Serialize) -> Response {
    match serde_json::to_vec(document) {
        Ok(bytes) => json_bytes(status, bytes.into()),
        Err(error) => {
            tracing::error!(%error, "answer_not_written");
            Failure::of(Refusal::OurFault).into_response()
        }
    }
}

/// Bytes that are JSON already.
pub fn json_bytes(status: StatusCode, bytes: Bytes) -> Response {
    let mut answer = Response::new(Body::from(bytes));
    *answer.status_mut() = status;
    seal_json(&mut answer);
    answer
}

fn seal_json(answer: &mut Response) {
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}
