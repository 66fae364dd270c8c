//! Who asked for what, and what came of it: one line of the audit for each act that changes something.

use std::future::Future;

use super::manage::wall;
use super::{Api, Failure, Who};
use crate::rooms::Handle;
use crate::store::Audit;

/// Writes down that `who` asked for `act`, and what came of it. An act that happened is not undone because
/// it could not be written down; the log says so.
pub(super) fn note<'a, T>(
    api: &'a Api,
    room: &'a Handle,
    (who, act): (&Who, &'static str),
    result: &Result<T, Failure>,
) -> impl Future<Output = ()> + Send + use<'a, T> {
    let outcome = result.as_ref().map_or_else(|failure| failure.reason().row().code, |_| "done");
    let line = Audit { at: wall(api), caller: who.caller, person: who.person.clone(), act, outcome };
    async move {
        if let Err(error) = api.rooms.setup().store.audit(room.name().clone(), line).await {
            tracing::warn!(room = %room.name(), %error, "audit_not_kept");
        }
    }
}
