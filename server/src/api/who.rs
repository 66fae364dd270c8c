//! The stage door: tells who asks. Every request to the stage's side comes by here, those to the API as
//! those with sound.
//!
//! A right key is found right before anything is counted, so that nobody's guesses ever shut it out.

use std::sync::{Arc, Mutex, PoisonError};

use http::request::Parts;
use tribune_core::reason::Refusal;
use tribune_core::room::{Act, Caller, Key, KeyHash, PersonId, PersonName, Role, may};

use super::Failure;
use super::auth::{Shown, bearer, visitor};
use super::guesses::{Guesses, TooMany};
use crate::rooms::{Handle, Rooms};

/// Who asks.
#[derive(Clone, Debug)]
pub struct Who {
    /// What they are to the room.
    pub caller: Caller,
    /// Who they are on its stage; a program that shows a room's key is nobody in particular.
    pub person: Option<(PersonId, PersonName)>,
    /// What they showed: who began something may change it. Nobody's is all zeros, which is no key's hash.
    pub by: KeyHash,
}

impl Who {
    /// Somebody who showed nothing.
    pub const NOBODY: Self = Self { caller: Caller::Of(Role::Listener), person: None, by: KeyHash([0; 32]) };

    const fn with_key(caller: Caller, by: KeyHash) -> Self {
        Self { caller, person: None, by }
    }
}

/// What tells who asks. Copies are the same.
#[derive(Clone)]
pub struct StageDoor(Arc<Inner>);

struct Inner {
    rooms: Rooms,
    operator: KeyHash,
    guesses: Mutex<Guesses>,
}

impl StageDoor {
    /// To these rooms; `operator` is the hash of the operator's key.
    pub fn new(rooms: Rooms, operator: KeyHash) -> Self {
        Self(Arc::new(Inner { rooms, operator, guesses: Mutex::default() }))
    }

    /// What a request shows of who asks.
    ///
    /// # Errors
    /// `KeyWrong` for a text that cannot be a key.
    pub fn shown(&self, parts: &Parts) -> Result<Shown, Failure> {
        bearer(&parts.headers).map(|key| Shown { key, from: visitor(parts) })
    }

    /// Who asks, as far as `room` (or, without one, the node) is concerned.
    ///
    /// # Errors
    /// `KeyWrong`, or `KeysGuessed` after too many of those.
    pub fn who(&self, shown: &Shown, room: Option<&Handle>) -> Result<Who, Failure> {
        let Some(key) = &shown.key else {
            return Err(Failure::new(Refusal::KeyWrong, "send the header `Authorization: Bearer KEY`"));
        };
        match self.caller_with(key, room) {
            Some(caller) => Ok(Who::with_key(caller, key.hash())),
            None => Err(self.wrong_key(shown)),
        }
    }

    /// Who asks, if they may do this.
    ///
    /// # Errors
    /// As `who`, and `RoleTooLow`.
    pub fn allowed(&self, shown: &Shown, room: Option<&Handle>, act: Act) -> Result<Who, Failure> {
        let who = match (&shown.key, act) {
            (None, Act::Listen) => Who::NOBODY,
            (None | Some(_), _) => self.who(shown, room)?,
        };
        if may(who.caller, act) { Ok(who) } else { Err(Failure::of(Refusal::RoleTooLow)) }
    }

    /// What a key opens. Every hash is compared, so that the time tells nothing.
    fn caller_with(&self, key: &Key, room: Option<&Handle>) -> Option<Caller> {
        let operator = self.0.operator.matches(key);
        match (operator, room.and_then(|room| room.role_of(key))) {
            (true, _) => Some(Caller::Operator),
            (false, role) => role.map(Caller::Of),
        }
    }

    fn wrong_key(&self, shown: &Shown) -> Failure {
        let now = self.0.rooms.setup().world.now();
        let mut guesses = self.0.guesses.lock().unwrap_or_else(PoisonError::into_inner);
        match guesses.wrong(now, shown.from) {
            TooMany::Yes => Failure::of(Refusal::KeysGuessed),
            TooMany::No => Failure::of(Refusal::KeyWrong),
        }
    }
}
