//! What can be asked of the floor, act by act: who may, on whom, and what comes of it.

use std::net::IpAddr;

use super::person::{Last, MutedBy, Place, RoleBy, Standing};
use super::said::{Answer, By, Command, Mute, Output, no};
use super::{Floor, REQUESTS_MAX, REQUESTS_OF_NETWORK_MAX};
use crate::reason::Refusal;
use crate::room::{Caller, KeyHash, PersonId, PersonName, Refused, Role, State, may, may_touch};

const NOBODY: Refused = no(Refusal::NobodyNamed, "");
const UNKNOWN: Refused = no(Refusal::PersonUnknown, "");

impl Floor {
    pub(super) fn command(&mut self, by: &By, command: Command) -> Result<Answer, Refused> {
        if !may(by.caller, command.act(by.caller)) {
            return Err(no(Refusal::RoleTooLow, "the role of this key may not do this"));
        }
        if self.state == State::Ended {
            return Err(no(Refusal::RoomEnded, "the room has ended, and its stage with it"));
        }
        let answer = match command {
            Command::Ask { name, grant, from } => self.ask(by, name, (grant, from)),
            Command::Request => self.request(by),
            Command::Release => self.release(by),
            Command::Grant(whom) => self.grant(by.caller, &whom),
            Command::Decline(whom) => self.decline(by.caller, &whom),
            Command::Revoke(whom) => self.revoke(by.caller, &whom),
            Command::MuteSelf(mute) => self.mute_self(by, mute),
            Command::Mute(whom, mute) => self.mute(by.caller, &whom, mute),
            Command::Remove(whom) => self.remove(by.caller, &whom),
            Command::Appoint(whom, role) => self.appoint(by.caller, &whom, role),
            Command::Rename(name) => self.rename(by, name),
        }?;
        if answer != Answer::AlreadySo {
            self.outputs.push_back(Output::Changed);
        }
        Ok(answer)
    }

    fn ask(
        &mut self,
        by: &By,
        name: PersonName,
        (grant, from): (KeyHash, IpAddr),
    ) -> Result<Answer, Refused> {
        let id = by.person.clone().ok_or(NOBODY)?;
        let at = self.find(&id);
        match at.map(|at| (&self.people[at], self.people[at].kept.standing)) {
            Some((person, _)) if person.is_removed() => return Err(no(Refusal::SentAway, "")),
            Some((_, Standing::Asks(_) | Standing::Holds)) => return Ok(Answer::AlreadySo),
            Some((_, Standing::Out)) | None => {}
        }
        if self.state == State::Scheduled {
            return Err(no(Refusal::NotOpenYet, "the floor can be asked for once the room is open"));
        }
        let asking = self.people.iter().filter(|person| person.is_guest() && person.request().is_some());
        if asking.clone().count() >= REQUESTS_MAX {
            return Err(no(Refusal::RequestsFull, ""));
        }
        if asking.filter(|person| person.from == Some(from)).count() >= REQUESTS_OF_NETWORK_MAX {
            return Err(no(Refusal::SourceTooBusy, "as many of your network ask to speak as may at once"));
        }
        let at = at.unwrap_or_else(|| self.meet(id, name.clone(), Role::Listener));
        let standing = self.asks();
        self.people[at].from = Some(from);
        let person = &mut self.people[at].kept;
        (person.name, person.grant, person.standing) = (name, Some(grant), standing);
        person.last = Last::Nothing;
        Ok(Answer::Done)
    }

    fn request(&mut self, by: &By) -> Result<Answer, Refused> {
        let at = self.oneself(by)?;
        match self.people[at].kept.standing {
            Standing::Asks(_) | Standing::Holds => Ok(Answer::AlreadySo),
            Standing::Out => {
                self.people[at].kept.standing = self.asks();
                Ok(Answer::Done)
            }
        }
    }

    fn release(&mut self, by: &By) -> Result<Answer, Refused> {
        let id = by.person.as_ref().ok_or(NOBODY)?;
        let at = self.find(id).filter(|at| !self.people[*at].is_removed()).ok_or(UNKNOWN)?;
        if self.people[at].kept.standing == Standing::Out {
            return Ok(Answer::AlreadySo);
        }
        if self.people[at].is_guest() {
            let person = self.people.remove(at);
            self.disconnect(&person);
            return Ok(Answer::Done);
        }
        self.people[at].kept.last = Last::Released;
        self.stand(at, Standing::Out);
        Ok(Answer::Done)
    }

    fn grant(&mut self, by: Caller, whom: &PersonId) -> Result<Answer, Refused> {
        let at = self.other(by, whom)?;
        let person = &self.people[at];
        match person.kept.standing {
            Standing::Holds => return Ok(Answer::AlreadySo),
            Standing::Asks(_) => {}
            // Nobody's microphone is asked for who did not ask to speak.
            Standing::Out if person.is_guest() => {
                return Err(no(Refusal::WrongState, "they do not ask to speak"));
            }
            Standing::Out => {}
        }
        if !self.has_place_for(person.kept.role) {
            return Err(no(Refusal::FloorFull, ""));
        }
        if !person.is_on_stage() {
            self.people[at].place = Place::Away(self.now.time);
        }
        self.people[at].kept.last = Last::Nothing;
        self.stand(at, Standing::Holds);
        Ok(Answer::Done)
    }

    fn decline(&mut self, by: Caller, whom: &PersonId) -> Result<Answer, Refused> {
        let at = self.other(by, whom)?;
        match (self.people[at].kept.standing, self.people[at].kept.last) {
            (Standing::Asks(_), _) => {}
            (Standing::Out, Last::Declined) => return Ok(Answer::AlreadySo),
            (Standing::Out | Standing::Holds, _) => {
                return Err(no(Refusal::WrongState, "they do not ask for the floor"));
            }
        }
        let last = self.people[at].kept.last;
        // That it was taken from them before weighs more: it is not theirs again when they come back.
        self.people[at].kept.last = if last == Last::Revoked { last } else { Last::Declined };
        self.stand(at, Standing::Out);
        Ok(Answer::Done)
    }

    fn revoke(&mut self, by: Caller, whom: &PersonId) -> Result<Answer, Refused> {
        let at = self.other(by, whom)?;
        match (self.people[at].kept.standing, self.people[at].kept.last) {
            (Standing::Holds, _) => {}
            (Standing::Out | Standing::Asks(_), Last::Revoked) => return Ok(Answer::AlreadySo),
            (Standing::Out | Standing::Asks(_), _) => {
                return Err(no(Refusal::WrongState, "they do not have the floor"));
            }
        }
        self.people[at].kept.last = Last::Revoked;
        self.stand(at, Standing::Out);
        if self.people[at].is_guest() {
            let person = self.people[at].clone();
            self.disconnect(&person);
            self.people[at].place = Place::Outside;
            self.people[at].kept.muted = MutedBy::Nobody;
        }
        Ok(Answer::Done)
    }

    fn mute_self(&mut self, by: &By, mute: Mute) -> Result<Answer, Refused> {
        let at = self.oneself(by)?;
        let muted = match mute {
            Mute::On => MutedBy::Themselves,
            Mute::Off => MutedBy::Nobody,
        };
        Ok(self.set_muted(at, muted))
    }

    fn mute(&mut self, by: Caller, whom: &PersonId, mute: Mute) -> Result<Answer, Refused> {
        let at = self.other(by, whom)?;
        if !self.people[at].is_on_stage() {
            return Err(no(Refusal::WrongState, "they are not on the stage"));
        }
        let muted = match (self.people[at].kept.muted, mute) {
            (MutedBy::Nobody | MutedBy::Host, Mute::On) => MutedBy::Host,
            // A host who muted them as well could lift it, and open a microphone that they closed.
            (MutedBy::Themselves, Mute::On) => MutedBy::Themselves,
            (MutedBy::Nobody | MutedBy::Host, Mute::Off) => MutedBy::Nobody,
            (MutedBy::Themselves, Mute::Off) => return Err(no(Refusal::MutedThemselves, "")),
        };
        Ok(self.set_muted(at, muted))
    }

    fn remove(&mut self, by: Caller, whom: &PersonId) -> Result<Answer, Refused> {
        let at = self.other(by, whom)?;
        let person = self.people[at].clone();
        self.disconnect(&person);
        let id = person.kept.id.clone();
        let removed = &mut self.people[at];
        removed.place = Place::Outside;
        (removed.kept.standing, removed.kept.last) = (Standing::Out, Last::Removed);
        self.outputs.push_back(Output::Removed(id));
        Ok(Answer::Done)
    }

    fn appoint(&mut self, by: Caller, whom: &PersonId, role: Role) -> Result<Answer, Refused> {
        let at = self.other(by, whom)?;
        match (self.people[at].kept.role, role) {
            (_, Role::Listener | Role::Host) => {
                return Err(no(Refusal::Malformed, "a role is given as speaker or cohost"));
            }
            (Role::Listener, _) => {
                return Err(no(Refusal::WrongState, "they came from the audience; send them an invitation"));
            }
            (Role::Host, _) => return Err(no(Refusal::WrongState, "whose room it is stays host")),
            (before, _) if before == role => return Ok(Answer::AlreadySo),
            (Role::Speaker | Role::CoHost, Role::Speaker | Role::CoHost) => {}
        }
        let person = &mut self.people[at].kept;
        (person.role, person.role_by) = (role, RoleBy::Host);
        Ok(Answer::Done)
    }

    fn rename(&mut self, by: &By, name: PersonName) -> Result<Answer, Refused> {
        let at = self.oneself(by)?;
        if self.people[at].kept.name == name {
            return Ok(Answer::AlreadySo);
        }
        self.people[at].kept.name = name;
        Ok(Answer::Done)
    }

    fn set_muted(&mut self, at: usize, muted: MutedBy) -> Answer {
        if self.people[at].kept.muted == muted {
            return Answer::AlreadySo;
        }
        let before = self.people[at].is_heard();
        self.people[at].kept.muted = muted;
        self.tell_mix(at, before);
        Answer::Done
    }

    /// Whoever asks, who must be on the stage.
    fn oneself(&self, by: &By) -> Result<usize, Refused> {
        let id = by.person.as_ref().ok_or(NOBODY)?;
        self.find(id).filter(|at| self.people[*at].is_on_stage()).ok_or(UNKNOWN)
    }

    /// Somebody on whom `by` may act.
    fn other(&self, by: Caller, whom: &PersonId) -> Result<usize, Refused> {
        let at = self.find(whom).filter(|at| !self.people[*at].is_removed()).ok_or(UNKNOWN)?;
        if may_touch(by, self.people[at].kept.role) {
            return Ok(at);
        }
        Err(no(Refusal::RoleTooLow, "nobody acts on one of their own rank or above"))
    }
}
