//! What the guard says, for the operator: the verdict, the ledger, and what was done by itself, with an undo.

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::{Map, Value, json};
use tribune_core::guard::live::{Account, Said, Sums, Unit};
use tribune_core::reason::Refusal;
use tribune_core::room::Act;

use super::auth::Shown;
use super::{Api, Failure};
use crate::answer::{Path, json_of};

pub async fn show(State(api): State<Api>, shown: Shown) -> Result<Response, Failure> {
    api.door.allowed(&shown, None, Act::RunNode)?;
    let said = api.rooms.setup().watch.said();
    let document = said.map_or_else(|| json!({"verdict": null}), |said| document(&said));
    Ok(json_of(StatusCode::OK, &document))
}

/// The verdict with everything it rests on.
pub(super) fn document(said: &Said) -> Value {
    json!({
        "verdict": said.verdict,
        "people": said.people,
        "usual": said.usual,
        "newcomers": {"became_listeners": said.newcomers.0, "known": said.newcomers.1},
        "sources": said.sources,
        "proofs": said.proofs,
        "onset_ms": said.onset,
        "ledger": {"last_second": ledger(&said.sums), "ever": ledger(&said.ever)},
        "acts": said.acts,
    })
}

fn ledger(sums: &Sums) -> Value {
    let accounts = |unit| -> Map<String, Value> {
        Account::ALL
            .into_iter()
            .map(|account| (account.word().to_owned(), sums.get(unit, account).into()))
            .collect()
    };
    Unit::ALL.into_iter().map(|unit| (unit.word().to_owned(), Value::from(accounts(unit)))).collect()
}

pub async fn undo(
    State(api): State<Api>,
    Path(number): Path<String>,
    shown: Shown,
) -> Result<StatusCode, Failure> {
    let who = api.door.allowed(&shown, None, Act::RunNode)?;
    let number: u64 = number.parse().map_err(|_| Failure::malformed("an act has a number"))?;
    let watch = &api.rooms.setup().watch;
    let is_there = watch.said().is_some_and(|said| said.acts.iter().any(|act| act.number == number));
    if !is_there {
        return Err(Failure::new(Refusal::NoSuchPage, "the guard did nothing of this number"));
    }
    watch.undo(number);
    tracing::info!(number, by = ?who.caller, "act_undone");
    Ok(StatusCode::NO_CONTENT)
}
