//! Who asked for what, to whom, and what came of it: one line of the audit for each act that changes
//! something.

use std::future::Future;

use tribune_core::reason::Refusal;
use tribune_core::room::{Act, PersonId};

use super::manage::wall;
use super::{Api, Failure, Who};
use crate::rooms::Handle;
use crate::store::{Audit, Invitation, Whom};

/// Who asked for what.
pub(super) struct Asked<'w> {
    who: &'w Who,
    act: &'static str,
    whom: Option<Whom>,
}

impl<'w> Asked<'w> {
    /// Of nobody in particular.
    pub const fn of(who: &'w Who, act: &'static str) -> Self {
        Self { who, act, whom: None }
    }

    /// Done to somebody, or to something of theirs.
    pub const fn to(who: &'w Who, act: &'static str, whom: Option<Whom>) -> Self {
        Self { who, act, whom }
    }

    /// An invitation is made.
    pub fn invites(who: &'w Who, act: Act, made: &Invitation) -> Self {
        Self::to(who, act.word(), Some(of_invitation(made)))
    }

    /// An invitation is taken back.
    pub fn takes_back(who: &'w Who, act: Act, made: &Invitation) -> Self {
        let word = if act == Act::InviteSpeaker { "uninvite_speaker" } else { "uninvite_cohost" };
        Self::to(who, word, Some(of_invitation(made)))
    }
}

fn of_invitation(made: &Invitation) -> Whom {
    Whom { id: made.id.clone(), name: made.label.clone() }
}

/// Somebody the stage knows, or an id that nobody has.
pub(super) fn person(room: &Handle, id: &PersonId) -> Whom {
    let name = room.floor().shown().names.get(id).map(|name| name.as_str().to_owned());
    Whom { id: id.to_string(), name }
}

/// The sentence for what came of an act, if it was refused.
pub(super) fn message(outcome: &str) -> Option<&'static str> {
    let row = Refusal::ALL.iter().map(|refusal| refusal.row()).find(|row| row.code == outcome);
    row.map(|row| row.says)
}

/// Writes down what was asked for, and what came of it. An act that happened is not undone because it could
/// not be written down; the log says so.
pub(super) fn note<'a, T>(
    api: &'a Api,
    room: &'a Handle,
    Asked { who, act, whom }: Asked<'_>,
    result: &Result<T, Failure>,
) -> impl Future<Output = ()> + Send + use<'a, T> {
    let outcome = result.as_ref().map_or_else(|failure| failure.reason().row().code, |_| "done");
    let line = Audit { at: wall(api), caller: who.caller, person: who.person.clone(), act, whom, outcome };
    async move {
        if let Err(error) = api.rooms.setup().store.audit(room.name().clone(), line).await {
            tracing::warn!(room = %room.name(), %error, "audit_not_kept");
        }
    }
}
