//! The floor: who is on the stage, who is heard, who asks to be. After BFCP (RFC 8855): request, grant,
//! release, revoke. Mute is not revoke: who is muted keeps their place.
//!
//! Speakers and hosts get the floor when they come, listeners when a host gives it to them. Whoever is cut
//! off keeps it for a while. What a host decided about somebody is remembered when they come again.

mod acts;
mod person;
mod said;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

pub use person::{Kept, Last, Lasting, MutedBy, OnStage, Person, Request, RoleBy, Standing, Visit};
pub use said::{Answer, By, Coming, Command, Input, Mute, Output, Reach, Sound, Why};

use person::{Place, Stay};
use said::no;

use crate::reason::Refusal;
use crate::room::{Moment, PersonId, PersonName, Refused, Role, State};
use crate::time::Time;

/// People on one stage, and so with the floor, at once; as many as the mix has inputs.
pub const PEOPLE_MAX: usize = 16;
/// Of these, places on the floor that only hosts and co-hosts take.
pub const HOST_PLACES: usize = 2;
/// Of the connections to one stage, so many are only hosts' and co-hosts': whoever runs the evening always
/// comes in.
pub const HOST_CONNECTIONS: usize = 1;
/// Listeners of one room who may ask for the floor at once.
pub const REQUESTS_MAX: usize = 32;
/// Of these, listeners of one network.
pub const REQUESTS_OF_NETWORK_MAX: usize = 6;
/// Whoever is cut off, or was given the floor and does not come, keeps their place so long, in seconds.
pub const AWAY_S_MAX: u64 = 60;
/// A request that nobody answers stands so long, in seconds.
pub const REQUEST_S_MAX: u64 = 1_800;
/// People who are known at once, most of them only because of what a host decided; the oldest are forgotten.
pub const KNOWN_MAX: usize = 256;

const AWAY_MAX: Duration = Duration::from_secs(AWAY_S_MAX);
const REQUEST_MAX: Duration = Duration::from_secs(REQUEST_S_MAX);

/// One room's machine.
#[derive(Debug)]
pub struct Floor {
    /// In the order in which they came.
    people: Vec<Person>,
    state: State,
    last_visit: Visit,
    last_request: u64,
    now: Moment,
    outputs: VecDeque<Output>,
}

impl Floor {
    /// The floor as it was kept; whoever was on the stage is given the time to come back.
    pub fn new(now: Moment, state: State, kept: Vec<Kept>) -> Self {
        let again = |kept: Kept| Kept { standing: asked_at(now.time, kept.standing), ..kept };
        let last_request = kept.iter().filter_map(|kept| number_of(kept.standing)).max().unwrap_or_default();
        let people = kept.into_iter().map(again).map(|kept| Person {
            place: place_after(now.time, &kept),
            lasting: Lasting::Yes,
            from: None,
            kept,
        });
        let people = people.take(KNOWN_MAX).collect();
        Self { people, state, last_visit: Visit(0), last_request, now, outputs: VecDeque::new() }
    }

    /// Takes one input; drain [`Floor::poll_output`] afterwards.
    pub fn handle_input(&mut self, now: Moment, input: Input) {
        self.now = now;
        match input {
            Input::Command { by, command } => {
                let answer = self.command(&by, command);
                self.outputs.push_back(Output::Answer(answer));
            }
            Input::Come(coming) => {
                let answer = self.come(coming);
                self.outputs.push_back(Output::Answer(answer));
            }
            Input::Reach(visit, reach) => self.reach(visit, reach),
            Input::Room(state) => self.follow(state),
            Input::Timeout => {}
        }
        self.let_go();
        self.forget_oldest();
    }

    /// What to do next; `None` when there is nothing.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to come back with `Input::Timeout`, and why.
    pub fn poll_timeout(&self) -> Option<(Time, Why)> {
        let away =
            self.people.iter().filter_map(Person::gone_since).map(|at| (at + AWAY_MAX, Why::AwayTooLong));
        let asks = self.people.iter().filter_map(Person::request);
        let lapse = asks.map(|request| (request.at + REQUEST_MAX, Why::RequestLapses));
        away.chain(lapse).min_by_key(|(at, _)| *at)
    }

    /// Everybody with a place on the stage, in the order in which they came.
    pub fn stage(&self) -> impl Iterator<Item = &Person> {
        self.people.iter().filter(|person| person.is_on_stage())
    }

    /// Everybody who asks for the floor, first who asked first.
    pub fn requests(&self) -> Vec<&Person> {
        let mut asking: Vec<_> = self.people.iter().filter(|person| person.request().is_some()).collect();
        asking.sort_by_key(|person| person.request().map(|request| request.number));
        asking
    }

    /// Everybody who is known, on the stage or not.
    pub fn known(&self) -> &[Person] {
        &self.people
    }

    /// The person of this id.
    pub fn person(&self, id: &PersonId) -> Option<&Person> {
        self.people.iter().find(|person| person.kept.id == *id)
    }

    /// Whose connection this is, while it is their newest.
    pub fn person_of(&self, visit: Visit) -> Option<&Person> {
        self.people.iter().find(|person| person.visit() == Some(visit))
    }

    /// All that a restart needs.
    pub fn kept(&self) -> Vec<Kept> {
        let known =
            self.people.iter().filter(|person| person.lasting == Lasting::Yes || person.is_memorable());
        let kept = known.map(|person| {
            let (on_stage, standing) = match person.lasting {
                Lasting::Yes if person.is_on_stage() => (OnStage::Yes, person.kept.standing),
                Lasting::Yes => (OnStage::No, person.kept.standing),
                Lasting::No => (OnStage::No, Standing::Out),
            };
            Kept { on_stage, standing, ..person.kept.clone() }
        });
        kept.collect()
    }

    fn come(&mut self, coming: Coming) -> Result<Answer, Refused> {
        if self.state == State::Ended {
            return Err(no(Refusal::RoomEnded, "the room has ended, and its stage with it"));
        }
        let at = self.find(&coming.id);
        let before = at.map(|at| &self.people[at]);
        if before.is_some_and(Person::is_removed) {
            return Err(no(Refusal::SentAway, ""));
        }
        let holds = before.is_some_and(|person| person.kept.standing == Standing::Holds);
        let is_guest =
            coming.id.is_guest() || before.map_or(coming.role, |person| person.kept.role) == Role::Listener;
        if is_guest && !holds {
            return Err(no(Refusal::RoleTooLow, "the floor is not theirs"));
        }
        let is_new = before.and_then(Person::visit).is_none();
        if is_new && !self.has_connection_for(role_after(before, &coming)) {
            return Err(no(Refusal::InputsFull, "as many are on this stage as it holds"));
        }
        self.last_visit = Visit(self.last_visit.0 + 1);
        let visit = self.last_visit;
        let at = at.unwrap_or_else(|| self.meet(coming.id.clone(), coming.name.clone(), coming.role));
        let stay = if self.people[at].is_on_stage() { Stay::Yes } else { Stay::No };
        self.people[at].place = Place::Between(visit, self.now.time, stay);
        self.people[at].lasting = coming.lasting;
        self.welcome(at, coming);
        self.outputs.push_back(Output::Changed);
        Ok(Answer::Admitted(visit))
    }

    /// Somebody who has come is given what their role gives them.
    fn welcome(&mut self, at: usize, coming: Coming) {
        let role = role_after(Some(&self.people[at]), &coming);
        let person = &mut self.people[at].kept;
        if role != person.role {
            (person.role, person.role_by) = (role, RoleBy::Key);
        }
        if role != Role::Listener {
            person.name = coming.name;
        }
        let (role, is_out) = (person.role, person.standing == Standing::Out);
        let gave_up = matches!(person.last, Last::Released | Last::Revoked);
        if is_out && !gave_up && self.has_place_for(role) {
            self.people[at].kept.standing = Standing::Holds;
        }
    }

    fn reach(&mut self, visit: Visit, reach: Reach) {
        let now = self.now.time;
        let Some(person) = self.people.iter_mut().find(|person| person.visit() == Some(visit)) else {
            return;
        };
        let place = match (person.place, reach) {
            (Place::Between(..), Reach::Connected) => Place::Here(visit),
            (Place::Here(_), Reach::Lost) => Place::Between(visit, now, Stay::Yes),
            (Place::Here(_) | Place::Between(..), Reach::Gone) if person.lasting == Lasting::No => {
                Place::Outside
            }
            (Place::Here(_), Reach::Gone) => Place::Away(now),
            (Place::Between(_, since, Stay::Yes), Reach::Gone) => Place::Away(since),
            (Place::Between(.., Stay::No), Reach::Gone) => Place::Outside,
            (place, Reach::Connected | Reach::Lost | Reach::Gone) => place,
        };
        if place != person.place {
            person.place = place;
            if place == Place::Outside {
                person.kept.standing = Standing::Out;
            }
            self.people.retain(is_to_be_known);
            self.outputs.push_back(Output::Changed);
        }
    }

    fn follow(&mut self, state: State) {
        self.state = state;
        if state == State::Ended && !self.people.is_empty() {
            for person in std::mem::take(&mut self.people) {
                self.disconnect(&person);
            }
            self.outputs.push_back(Output::Changed);
        }
    }

    fn stand(&mut self, at: usize, standing: Standing) {
        let before = self.people[at].is_heard();
        self.people[at].kept.standing = standing;
        self.tell_mix(at, before);
    }

    fn tell_mix(&mut self, at: usize, before: bool) {
        let person = &self.people[at];
        if let Some(visit) = person.visit().filter(|_| person.is_heard() != before) {
            let sound = if person.is_heard() { Sound::Heard } else { Sound::LeftOut };
            self.outputs.push_back(Output::Sound(visit, sound));
        }
    }

    fn disconnect(&mut self, person: &Person) {
        if let Some(visit) = person.visit() {
            self.outputs.push_back(Output::Sound(visit, Sound::LeftOut));
            self.outputs.push_back(Output::Disconnect(visit));
        }
    }

    fn asks(&mut self) -> Standing {
        self.last_request += 1;
        Standing::Asks(Request { number: self.last_request, since: self.now.wall, at: self.now.time })
    }

    fn has_connection_for(&self, role: Role) -> bool {
        let visits = self.people.iter().filter(|person| person.visit().is_some()).count();
        match role {
            Role::CoHost | Role::Host => visits < PEOPLE_MAX,
            Role::Listener | Role::Speaker => visits < PEOPLE_MAX - HOST_CONNECTIONS,
        }
    }

    fn has_place_for(&self, role: Role) -> bool {
        let holds = self.people.iter().filter(|person| person.kept.standing == Standing::Holds).count();
        match role {
            Role::CoHost | Role::Host => holds < PEOPLE_MAX,
            Role::Listener | Role::Speaker => holds < PEOPLE_MAX - HOST_PLACES,
        }
    }

    fn find(&self, id: &PersonId) -> Option<usize> {
        self.people.iter().position(|person| person.kept.id == *id)
    }

    fn meet(&mut self, id: PersonId, name: PersonName, role: Role) -> usize {
        let kept = Kept {
            id,
            name,
            role,
            role_by: RoleBy::Key,
            standing: Standing::Out,
            muted: MutedBy::Nobody,
            last: Last::Nothing,
            grant: None,
            on_stage: OnStage::No,
        };
        self.people.push(Person { kept, place: Place::Outside, lasting: Lasting::Yes, from: None });
        self.people.len() - 1
    }

    /// Whoever has been away too long loses their place, and a request that nobody answered lapses.
    fn let_go(&mut self) {
        let now = self.now.time;
        let mut is_changed = false;
        for at in 0..self.people.len() {
            let person = &self.people[at];
            let is_gone = person.gone_since().is_some_and(|since| now.since(since) >= AWAY_MAX);
            let lapses = person.request().is_some_and(|request| now.since(request.at) >= REQUEST_MAX);
            if is_gone {
                let gone = person.clone();
                self.disconnect(&gone);
                self.people[at].place = Place::Outside;
            }
            if is_gone || lapses {
                self.people[at].kept.standing = Standing::Out;
                is_changed = true;
            }
        }
        if is_changed {
            self.people.retain(is_to_be_known);
            self.outputs.push_back(Output::Changed);
        }
    }

    fn forget_oldest(&mut self) {
        while self.people.len() > KNOWN_MAX {
            let oldest =
                self.people.iter().position(|person| !person.is_on_stage() && person.request().is_none());
            let Some(oldest) = oldest else { return };
            self.people.remove(oldest);
        }
    }
}

/// What somebody is once they have come: what a host made them counts, and before it the key of whose room it
/// is.
fn role_after(before: Option<&Person>, coming: &Coming) -> Role {
    let kept = before.map(|person| &person.kept);
    let stays = |kept: &&Kept| {
        kept.role == Role::Listener || (kept.role_by == RoleBy::Host && coming.role != Role::Host)
    };
    kept.filter(stays).map_or(coming.role, |kept| kept.role)
}

fn is_to_be_known(person: &Person) -> bool {
    person.is_on_stage() || person.request().is_some() || person.is_memorable()
}

fn number_of(standing: Standing) -> Option<u64> {
    match standing {
        Standing::Asks(request) => Some(request.number),
        Standing::Out | Standing::Holds => None,
    }
}

/// A request that was kept stands its full time again: how long the node was away is not theirs to answer
/// for.
fn asked_at(now: Time, standing: Standing) -> Standing {
    match standing {
        Standing::Asks(request) => Standing::Asks(Request { at: now, ..request }),
        Standing::Out | Standing::Holds => standing,
    }
}

fn place_after(now: Time, kept: &Kept) -> Place {
    match kept.on_stage {
        OnStage::Yes => Place::Away(now),
        OnStage::No => Place::Outside,
    }
}
