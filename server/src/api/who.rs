//! The stage door: tells who asks. Every request to the stage's side comes by here, those to the API as
//! those with sound.
//!
//! Whoever shows a key is whoever the key is for. A browser shows its cookie instead, and what changes
//! anything must then be asked by a page of ours. A right key is found right before anything is counted, so
//! that nobody's guesses ever shut it out.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::request::Parts;
use tokio::sync::watch;
use tribune_core::reason::Refusal;
use tribune_core::room::{
    Act, Asks, Badge, Caller, Cookie, Holds, Key, KeyHash, Moment, Name, PersonId, PersonName, Role, SignIn,
    SignIns, may,
};
use tribune_core::time::Time;

use super::Failure;
use super::auth::{self, Method, Shown};
use super::guesses::Guesses;
use super::kept::{self, Held, Written};
use super::pace::TooMany;
use crate::rooms::{self, Handle, Rooms};
use crate::store::{PasskeyMark, StoreError};

/// Who asks.
#[derive(Clone, Debug)]
pub struct Who {
    /// What they are to the room.
    pub caller: Caller,
    /// Who they are on its stage; a program that shows a room's key is nobody in particular.
    pub person: Option<(PersonId, PersonName)>,
    /// What they showed: the key's hash or the sign-in's mark. Who began something may change it. Nobody's is
    /// all zeros, which is no key's hash.
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
pub struct StageDoor(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) rooms: Rooms,
    operator: KeyHash,
    guesses: Mutex<Guesses>,
    held: Mutex<Held>,
    changes: watch::Sender<u64>,
    /// The round that is to be written.
    pub(super) asked: watch::Sender<u64>,
    /// The round that was.
    pub(super) written: watch::Sender<Written>,
}

impl StageDoor {
    /// To these rooms, with everybody who is signed in; `operator` is the hash of the operator's key.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn open(rooms: Rooms, operator: KeyHash) -> Result<Self, StoreError> {
        let setup = rooms.setup();
        let now = Moment { time: setup.world.now(), wall: setup.world.wall() };
        let kept = setup.store.sign_ins(now).await?;
        let passkeys = setup.store.passkey_marks().await?;
        let opens = |room: Option<&Name>, by: &KeyHash| match room {
            Some(room) => rooms.get(room.as_str()).is_some_and(|room| room.role_by(by).is_some()),
            None => operator.is(by),
        };
        let holds = |room: Option<&Name>, by: &KeyHash| {
            let made = |one: &&PasskeyMark| one.room.as_ref() == room && one.mark.is(by);
            let by_passkey = passkeys.iter().find(made).is_some_and(|made| opens(room, &made.opened_by));
            if opens(room, by) || by_passkey { Holds::Yes } else { Holds::No }
        };
        let table = SignIns::restore(now.time, kept, holds);
        let inner = Inner {
            operator,
            guesses: Mutex::default(),
            held: Mutex::new(Held::new(table)),
            changes: watch::Sender::default(),
            asked: watch::Sender::default(),
            written: watch::Sender::default(),
            rooms,
        };
        let door = Self(Arc::new(inner));
        tokio::spawn(kept::keep(Arc::downgrade(&door.0), door.0.asked.subscribe()));
        Ok(door)
    }

    /// What a request shows of who asks.
    ///
    /// # Errors
    /// `KeyWrong` for a text that cannot be a key.
    pub fn shown(&self, parts: &Parts) -> Result<Shown, Failure> {
        auth::shown(parts, &self.0.rooms.setup().config.stage_base())
    }

    /// Who asks, as far as `room` (or, without one, the node) is concerned.
    ///
    /// # Errors
    /// `KeyWrong`, or `KeysGuessed` after too many of those; `SignedOut`; `OriginWrong`.
    pub fn who(&self, shown: &Shown, room: Option<&Handle>) -> Result<Who, Failure> {
        self.each(shown, room)?.into_iter().next().ok_or(Failure::of(Refusal::SignedOut))
    }

    /// Who asks, if they may do this.
    ///
    /// # Errors
    /// As `who`, `RoleTooLow`, and `TooOften` for changes.
    pub fn allowed(&self, shown: &Shown, room: Option<&Handle>, act: Act) -> Result<Who, Failure> {
        if act == Act::Listen && shown.key.is_none() {
            let known = shown.cookie.as_ref().and_then(|cookie| self.of_cookie(cookie, room).pop());
            return Ok(known.unwrap_or(Who::NOBODY));
        }
        let each = self.each(shown, room)?;
        if shown.method == Method::Changes {
            each.first().map_or(Ok(()), |who| self.pace(who))?;
        }
        who_may(each, act)
    }

    /// Who asks to send sound. Packets are limited elsewhere, and one key may be many encoders'.
    ///
    /// # Errors
    /// As `who`, and `RoleTooLow`.
    pub fn sends(&self, shown: &Shown, room: &Handle) -> Result<Who, Failure> {
        who_may(self.each(shown, Some(room))?, Act::SendSound)
    }

    /// Who sends a source by this key, from this address.
    ///
    /// # Errors
    /// `KeyWrong`, or `KeysGuessed` after too many of those; `RoleTooLow`.
    pub fn sends_by(&self, (key, from): (&Key, IpAddr), room: &Handle) -> Result<Who, Failure> {
        let hash = key.hash();
        let caller = self.caller_by(&hash, Some(room)).ok_or_else(|| self.wrong_key(from))?;
        who_may(vec![Who::with_key(caller, hash)], Act::SendSound)
    }

    /// Counts a change that `who` asks for. Whoever runs the node is not counted.
    ///
    /// # Errors
    /// `TooOften`.
    pub(super) fn pace(&self, who: &Who) -> Result<(), Failure> {
        let now = self.now();
        let counts = who.caller != Caller::Operator;
        match counts.then(|| self.guesses().act(now, &who.by)) {
            Some(TooMany::Yes) => Err(Failure::of(Refusal::TooOften)),
            Some(TooMany::No) | None => Ok(()),
        }
    }

    /// What whoever showed this is by now. `None`: it opens nothing any longer.
    pub fn still(&self, room: &Handle, by: &KeyHash) -> Option<Who> {
        if by.is(&Who::NOBODY.by) {
            return Some(Who::NOBODY);
        }
        let by_key = self.caller_by(by, Some(room)).map(|caller| Who::with_key(caller, *by));
        by_key.or_else(|| guest_by(by, room)).or_else(|| {
            let held = self.held();
            let found = held.table.find(self.now(), by)?;
            as_whom(found, Some(room)).into_iter().find(|who| !is_sent_away(who, Some(room)))
        })
    }

    /// Wakes when somebody's key, cookie, role or name may have changed: whoever serves something long asks
    /// `still` again, and ends what is no longer theirs.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    /// Gives somebody who is signed in to a room another role there, by their passkeys too.
    ///
    /// # Errors
    /// `OurFault` when the disk does not take it; it is their role all the same, until a restart.
    pub(super) async fn set_role(&self, room: &Name, person: &PersonId, role: Role) -> Result<(), Failure> {
        self.with(|_, table| table.set_role(room, person, role));
        self.passkeys_of(room, person, Some(role)).await
    }

    /// Gives somebody's passkeys another role, or takes them away. Who came by one that is taken away, and is
    /// signed in still, counts as come by what it was made by.
    pub(super) async fn passkeys_of(
        &self,
        room: &Name,
        person: &PersonId,
        role: Option<Role>,
    ) -> Result<(), Failure> {
        let store = &self.0.rooms.setup().store;
        let gone = store.set_passkeys(room.clone(), person.clone(), role).await;
        for passkey in gone.map_err(|error| rooms::refusal_of(&error))? {
            self.with(|_, table| table.reopen(room, &passkey.mark(), passkey.opened_by));
        }
        self.kept().await
    }

    /// Everybody it may be who asks, the room's own role first.
    fn each(&self, shown: &Shown, room: Option<&Handle>) -> Result<Vec<Who>, Failure> {
        match (&shown.key, &shown.cookie) {
            (Some(key), _) => {
                let hash = key.hash();
                let by_key = self.caller_by(&hash, room).map(|caller| Who::with_key(caller, hash));
                let who =
                    by_key.or_else(|| guest_by(&hash, room?)).ok_or_else(|| self.wrong_key(shown.from))?;
                Ok(vec![who])
            }
            (None, Some(cookie)) => {
                self.page_of(shown)?;
                let all = self.of_cookie(cookie, room);
                let (away, here): (Vec<_>, Vec<_>) = all.into_iter().partition(|who| is_sent_away(who, room));
                if here.is_empty() && !away.is_empty() {
                    return Err(Failure::of(Refusal::SentAway));
                }
                Ok(here)
            }
            (None, None) => Err(Failure::new(
                Refusal::KeyWrong,
                "sign in, or send the header `Authorization: Bearer KEY`",
            )),
        }
    }

    /// What changes anything by a cookie is asked by a page of ours.
    pub(super) fn page_of(&self, shown: &Shown) -> Result<(), Failure> {
        match (shown.method, shown.asks) {
            (Method::Reads, _) | (Method::Changes, Asks::OurPage) => Ok(()),
            (Method::Changes, Asks::OtherPage | Asks::Unsaid) => Err(Failure::of(Refusal::OriginWrong)),
        }
    }

    fn of_cookie(&self, cookie: &Cookie, room: Option<&Handle>) -> Vec<Who> {
        let found = self.with(|now, table| table.look(now, cookie).map(|found| as_whom(found, room)));
        found.unwrap_or_default()
    }

    /// What a key opens.
    fn caller_by(&self, hash: &KeyHash, room: Option<&Handle>) -> Option<Caller> {
        let operator = self.is_operator(hash);
        match (operator, room.and_then(|room| room.role_by(hash))) {
            (true, _) => Some(Caller::Operator),
            (false, role) => role.map(Caller::Of),
        }
    }

    pub(super) fn is_operator(&self, hash: &KeyHash) -> bool {
        self.0.operator.is(hash)
    }

    /// The key that opens a room, or the operator's; whoever shows another has guessed.
    pub(super) fn opens(&self, shown: &Shown, key: &Key, room: Option<&Handle>) -> Result<Caller, Failure> {
        self.caller_by(&key.hash(), room).ok_or_else(|| self.wrong_key(shown.from))
    }

    fn wrong_key(&self, from: IpAddr) -> Failure {
        let now = self.now();
        match self.guesses().wrong(now, from) {
            TooMany::Yes => Failure::of(Refusal::KeysGuessed),
            TooMany::No => Failure::of(Refusal::KeyWrong),
        }
    }

    /// Looks into the sign-ins or changes them; what changed is told and written.
    pub(super) fn with<T>(&self, work: impl FnOnce(Time, &mut SignIns) -> T) -> T {
        let now = self.now();
        let mut held = self.held();
        let answer = work(now, &mut held.table);
        let drained = held.drain();
        drop(held);
        if let Some(round) = drained.round {
            self.0.asked.send_replace(round);
        }
        if drained.changed {
            self.look_again();
        }
        answer
    }

    /// Whoever serves something long looks again.
    pub(super) fn look_again(&self) {
        self.0.changes.send_modify(|changes| *changes += 1);
    }

    pub(super) fn held(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn guesses(&self) -> MutexGuard<'_, Guesses> {
        self.0.guesses.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Time {
        self.0.rooms.setup().world.now()
    }
}

/// What the wearer of a badge is. What a host made them counts, whatever link they open after it; but the
/// key of whose room it is outweighs everything.
pub(super) fn role_in(room: &Handle, badge: &Badge) -> Role {
    let appointed = room.floor().shown().appointed.get(&badge.person).copied();
    appointed.filter(|_| badge.role != Role::Host).unwrap_or(badge.role)
}

/// A host has sent them away: from then on, whether or not it is on the disk yet.
fn is_sent_away(who: &Who, room: Option<&Handle>) -> bool {
    let person = who.person.as_ref().zip(room);
    person.is_some_and(|((id, _), room)| room.floor().shown().removed.contains(id))
}

fn who_may(each: Vec<Who>, act: Act) -> Result<Who, Failure> {
    let refused = if each.is_empty() { Refusal::SignedOut } else { Refusal::RoleTooLow };
    each.into_iter().find(|who| may(who.caller, act)).ok_or(Failure::of(refused))
}

/// Who a browser is in a room: by its badge first, then as operator.
fn as_whom(sign_in: &SignIn, room: Option<&Handle>) -> Vec<Who> {
    let by = sign_in.id.mark();
    let badge = room.and_then(|room| sign_in.badges.get(room.name()));
    let badge = room.zip(badge).map(|(room, badge)| Who {
        caller: Caller::Of(role_in(room, badge)),
        person: Some((badge.person.clone(), badge.name.clone())),
        by,
    });
    let operator = sign_in.operator.map(|_| Who::with_key(Caller::Operator, by));
    badge.into_iter().chain(operator).collect()
}

/// Somebody from the audience who has the floor: a speaker for as long as it is theirs.
fn guest_by(hash: &KeyHash, room: &Handle) -> Option<Who> {
    let shown = room.floor().shown();
    let guest = shown.granted(hash)?;
    let person = Some((guest.id.clone(), guest.name.clone()));
    Some(Who { caller: Caller::Of(Role::Speaker), person, by: *hash })
}
