//! Sending somebody away for good: they are signed out everywhere, and what they came by goes with them where
//! it was theirs alone. Where it is not, whoever asked is told what still lets them in as somebody new.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tribune_core::room::{KeyHash, PersonId, Role};

use super::audit::{self, Asked};
use super::{Api, Failure, Who, invitations};
use crate::rooms::{self, Handle};
use crate::store::{Invitation, Passkey, PasskeyOpens};

/// What still opens the stage to somebody who was sent away.
#[derive(Debug, PartialEq, Eq)]
pub enum Still {
    /// Nothing that is known.
    Nothing,
    /// An invitation by which others are here as well.
    Invitation(String),
    /// The room's key of this role.
    Key(Role),
}

/// What somebody came by.
enum Way {
    Invitation(Invitation),
    Key(Role),
}

impl Still {
    /// Adds itself to what is answered.
    pub fn say(&self, view: &mut Value) {
        let (still_opens, id, opens_as) = match self {
            Self::Nothing => (Value::Null, None, None),
            Self::Invitation(id) => (json!("invitation"), Some(id), None),
            Self::Key(role) => (json!("key"), None, Some(role)),
        };
        view["still_opens"] = still_opens;
        if let Some(id) = id {
            view["id"] = json!(id);
        }
        if let Some(role) = opens_as {
            view["opens_as"] = json!(role);
        }
    }
}

/// Signs a person whom the floor has sent away out of the room, in every browser, takes their passkeys, and
/// takes back the invitations that nobody else came by. `role` is what they were.
///
/// # Errors
/// `OurFault` when the disk does not take it; they are out all the same, until a restart.
pub async fn send_away(
    api: &Api,
    room: &Handle,
    (who, person, role): (&Who, &PersonId, Option<Role>),
) -> Result<Still, Failure> {
    let taken = api.door.with(|_, table| table.take_person(room.name(), person));
    let store = &api.rooms.setup().store;
    let passkeys = store.passkeys(Some(room.name().clone())).await;
    let passkeys = passkeys.map_err(|error| rooms::refusal_of(&error))?;
    let made_by = |by: &KeyHash| {
        let passkey = passkeys.iter().find(|passkey| passkey.mark().is(by));
        passkey.map_or(*by, |passkey| passkey.opened_by)
    };
    let worn = taken.iter().map(|badge| made_by(&badge.opened.by).0);
    let theirs = passkeys.iter().filter(|passkey| is_of(passkey, person));
    let ways: BTreeSet<_> = worn.chain(theirs.map(|passkey| passkey.opened_by.0)).collect();
    let mut still = match role {
        // Who is signed in nowhere showed a key itself.
        Some(role) if ways.is_empty() && !person.is_guest() => Still::Key(role),
        Some(_) | None => Still::Nothing,
    };
    for by in ways.into_iter().map(KeyHash) {
        let others = passkeys.iter().filter(|passkey| !is_of(passkey, person));
        let opens_others = others.clone().any(|passkey| passkey.opened_by.is(&by));
        let is_worn = |_, table: &mut tribune_core::room::SignIns| {
            table.of_room(room.name()).any(|(_, badge)| made_by(&badge.opened.by).is(&by))
        };
        match way_of(room, &by) {
            Some(Way::Invitation(made)) if opens_others || api.door.with(is_worn) => {
                still = Still::Invitation(made.id);
            }
            Some(Way::Invitation(made)) => {
                let back = invitations::take_back(api, room, &made).await;
                let act = invitations::act_for(made.role);
                audit::note(api, room, Asked::takes_back(who, act, &made), &back).await;
                back?;
            }
            Some(Way::Key(role)) => still = Still::Key(role),
            None => {}
        }
    }
    api.door.passkeys_of(room.name(), person, None).await?;
    Ok(still)
}

fn is_of(passkey: &Passkey, whom: &PersonId) -> bool {
    matches!(&passkey.opens, PasskeyOpens::Room { person, .. } if person == whom)
}

fn way_of(room: &Handle, by: &KeyHash) -> Option<Way> {
    let invitation = room.invitations().iter().find(|made| made.key.is(by)).cloned();
    invitation.map(Way::Invitation).or_else(|| room.role_by(by).map(Way::Key))
}
