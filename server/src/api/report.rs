//! The report of an evening: its host says whether everybody may read it.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use tribune_core::guard::report::Broken;
use tribune_core::reason::Refusal;
use tribune_core::room::{self, Act};

use super::audit::{self, Asked};
use super::auth::Shown;
use super::body::Json;
use super::{Api, Failure};
use crate::answer::{Path, json_of};
use crate::guard::ledger::{self, EveningError};
use crate::rooms::Handle;

/// The words in the audit.
const PUBLISH: &str = "publish_report";
const TAKE_BACK: &str = "take_report_back";

/// Whether everybody may read it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    publish: bool,
}

/// Who may take the recording home may say so: both are the evening, for others to have.
pub async fn publish(
    State(api): State<Api>,
    Path(name): Path<String>,
    shown: Shown,
    Json(body): Json<Publish>,
) -> Result<Response, Failure> {
    let room = api.room(&name)?;
    let who = api.door.allowed(&shown, Some(&room), Act::ExportRecording)?;
    let (word, done) = if body.publish {
        (PUBLISH, write(&api, &room).await)
    } else {
        (TAKE_BACK, take_back(&api, &room).await)
    };
    audit::note(&api, &room, Asked::of(&who, word), &done).await;
    done?;
    let address = format!("{}/{}/report", api.rooms.setup().config.public_base(), room.name());
    Ok(json_of(StatusCode::OK, &json!({"report": body.publish.then_some(address)})))
}

/// Computes the report and shows it to everybody, as it is now.
async fn write(api: &Api, room: &Handle) -> Result<(), Failure> {
    if room.view().facts.state != room::State::Ended {
        return Err(Failure::new(Refusal::WrongState, "the room has not ended"));
    }
    let setup = api.rooms.setup();
    let (data, reports, name) = (setup.config.data.clone(), setup.reports.clone(), room.name().clone());
    let written = tokio::task::spawn_blocking(move || {
        let evening = ledger::evening(&data, name.as_str())?;
        let page = evening.bundle(env!("CARGO_PKG_VERSION")).page;
        reports.publish(&name, page).map_err(|source| EveningError::Io { path: data, source })
    });
    match written.await.map_err(|error| ours(&error))? {
        Ok(()) => Ok(()),
        Err(error @ EveningError::Ledger(Broken::NoRoom)) => {
            Err(Failure::new(Refusal::WrongState, error.to_string()))
        }
        Err(error) => Err(ours(&error)),
    }
}

async fn take_back(api: &Api, room: &Handle) -> Result<(), Failure> {
    let (reports, name) = (api.rooms.setup().reports.clone(), room.name().clone());
    let taken = tokio::task::spawn_blocking(move || reports.take_back(&name)).await;
    taken.map_err(|error| ours(&error))?.map_err(|error| ours(&error))
}

fn ours(error: &dyn std::error::Error) -> Failure {
    tracing::error!(%error, "report_failed");
    Failure::new(Refusal::OurFault, error.to_string())
}
