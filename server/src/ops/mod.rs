//! How the node is seen by those who run it: health, metrics, logs. Nothing here decides anything.

/// The metrics of what the node carries.
pub mod capacity;
/// The metrics of the guard.
pub mod guard;
/// Named conditions for `/readyz`.
pub mod health;
mod lateness;
mod ledger;
mod lines;
/// What is written to the log, and how.
pub mod logs;
/// Every metric there is, in one place.
pub mod metrics;
mod observed;
/// The metrics of a room's stage.
pub mod stage;

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

pub use capacity::CapacityMetrics;
pub use guard::GuardMetrics;
pub use health::Checks;
pub use lateness::{Counted, Lateness};
pub use ledger::{Keeps, Ledger};
pub use metrics::{Metrics, OutputMetrics, RoomMetrics};
pub(crate) use observed::{cpu_seconds, open_descriptors};

use crate::guard::Watch;

/// Prometheus asks for it by this type; the text ends with `# EOF`.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the ops listener serves: `/healthz`, `/readyz`, `/metrics`, `/guard/refused`.
pub fn router(metrics: Arc<Metrics>, checks: Checks, watch: Watch) -> Router {
    Router::new()
        .route("/healthz", get(async || uncached(StatusCode::OK, "text/plain", "alive\n".to_owned())))
        .route("/readyz", get(ready).with_state(checks))
        .route("/metrics", get(scrape).with_state(metrics))
        .route("/guard/refused", get(refused).with_state(watch))
}

async fn ready(State(checks): State<Checks>) -> Response {
    let report = checks.report();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::to_string(&report).expect("names and sentences are JSON");
    uncached(status, "application/json", body)
}

/// Who is refused, a network a line, for a firewall or a scrubber upstream.
async fn refused(State(watch): State<Watch>) -> Response {
    uncached(StatusCode::OK, "text/plain", watch.refused_networks())
}

async fn scrape(State(metrics): State<Arc<Metrics>>) -> Response {
    uncached(StatusCode::OK, OPENMETRICS, metrics.text())
}

fn uncached(status: StatusCode, kind: &'static str, body: String) -> Response {
    (status, [(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-store")], body).into_response()
}

#[cfg(test)]
mod tests;
