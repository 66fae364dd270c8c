//! The floor once more, as plainly as it can be said: every rule is one look over everybody.

use std::collections::{BTreeMap, BTreeSet};

use super::super::*;
use crate::room::{Caller, may, may_touch};

/// One person: role, who made it so, floor ('-', '?', '+'), muted, last, and where they are.
#[derive(Clone, Debug)]
pub struct One {
    pub role: Role,
    by_host: bool,
    pub floor: char,
    asked: u64,
    asked_s: u64,
    pub muted: char,
    pub last: char,
    pub visit: Option<u64>,
    pub here: bool,
    away_s: Option<u64>,
    stays: bool,
    lasts: bool,
}

#[derive(Default)]
pub struct Model {
    pub people: BTreeMap<String, One>,
    pub over: bool,
    visits: u64,
    asked: u64,
}

type Said = Result<(), Refusal>;

impl Model {
    pub fn come(&mut self, id: &str, (role, lasting): (Role, Lasting), s: u64) -> Said {
        let visits = self.people.values().filter(|one| one.visit.is_some()).count();
        let before = self.people.get(id).cloned();
        let refused = |bad: bool, why| if bad { Err(why) } else { Ok(()) };
        refused(self.over, Refusal::RoomEnded)?;
        refused(before.as_ref().is_some_and(|one| one.last == 'x'), Refusal::SentAway)?;
        let guest = before.as_ref().map_or(role, |one| one.role) == Role::Listener;
        let holds = before.as_ref().is_some_and(|one| one.floor == '+');
        refused(guest && !holds, Refusal::RoleTooLow)?;
        let place = before.as_ref().filter(|one| guest || (one.by_host && role != Role::Host));
        let most = if place.map_or(role, |one| one.role) >= Role::CoHost { 16 } else { 15 };
        let is_new = before.as_ref().is_none_or(|one| one.visit.is_none());
        refused(visits >= most && is_new, Refusal::InputsFull)?;
        self.visits += 1;
        let mut one = before.unwrap_or_else(|| new(role));
        if !guest && (!one.by_host || role == Role::Host) {
            one.by_host &= one.role == role;
            one.role = role;
        }
        if one.floor == '-' && !"rv".contains(one.last) && self.is_free(one.role) {
            one.floor = '+';
        }
        one.lasts = lasting == Lasting::Yes;
        one.stays = one.here || one.away_s.is_some();
        (one.visit, one.here, one.away_s) = (Some(self.visits), false, Some(s));
        self.people.insert(id.to_owned(), one);
        Ok(())
    }

    pub fn reach(&mut self, visit: u64, how: Reach, s: u64) {
        for one in self.people.values_mut().filter(|one| one.visit == Some(visit)) {
            let since = one.away_s.or(Some(s));
            one.stays |= how == Reach::Connected;
            (one.here, one.visit, one.away_s) = match how {
                Reach::Connected => (true, one.visit, None),
                Reach::Lost => (false, one.visit, since),
                Reach::Gone if one.stays && one.lasts => (false, None, since),
                Reach::Gone => (false, None, None),
            };
            one.floor = if one.away_s.is_none() && !one.here { '-' } else { one.floor };
        }
    }

    pub fn command(&mut self, by: (Caller, &str), command: &Command, s: u64) -> Said {
        if !may(by.0, command.act(by.0)) {
            return Err(Refusal::RoleTooLow);
        }
        if self.over {
            return Err(Refusal::RoomEnded);
        }
        let whom = command.whom().map_or(by.1, PersonId::as_str).to_owned();
        let one = self.meant(by.0, command, &whom)?;
        let is_on_stage = one.visit.is_some() || one.away_s.is_some();
        let asks = matches!(command, Command::Ask { .. });
        let guests =
            self.people.values().filter(|one| one.role == Role::Listener && one.floor == '?').count();
        let mut after = one.clone();
        let wrong = Err(Refusal::WrongState);
        match command {
            Command::Ask { .. } if one.floor == '-' && guests >= REQUESTS_MAX => {
                return Err(Refusal::RequestsFull);
            }
            Command::Ask { .. } | Command::Request if one.floor == '-' => {
                self.asked += 1;
                (after.floor, after.asked, after.asked_s) = ('?', self.asked, s);
                after.last = if asks { ' ' } else { one.last };
            }
            Command::Release if one.floor != '-' => (after.floor, after.last) = ('-', 'r'),
            Command::Grant(_) if one.floor == '-' && one.role == Role::Listener => return wrong,
            Command::Grant(_) if one.floor != '+' && !self.is_free(one.role) => {
                return Err(Refusal::FloorFull);
            }
            Command::Grant(_) if one.floor != '+' => {
                (after.floor, after.last) = ('+', ' ');
                after.away_s = if is_on_stage { one.away_s } else { Some(s) };
            }
            Command::Decline(_) if one.floor == '?' => {
                (after.floor, after.last) = ('-', if one.last == 'v' { 'v' } else { 'd' });
            }
            Command::Decline(_) if (one.floor, one.last) != ('-', 'd') => return wrong,
            Command::Revoke(_) if one.floor == '+' => (after.floor, after.last) = ('-', 'v'),
            Command::Revoke(_) if one.last != 'v' => return wrong,
            Command::MuteSelf(mute) => after.muted = if *mute == Mute::On { 's' } else { '-' },
            Command::Mute(..) if !is_on_stage => return wrong,
            Command::Mute(_, Mute::On) if one.muted == '-' => after.muted = 'h',
            Command::Mute(_, Mute::Off) if one.muted == 's' => return Err(Refusal::MutedThemselves),
            Command::Mute(_, Mute::Off) => after.muted = '-',
            Command::Remove(_) => (after.floor, after.last) = ('-', 'x'),
            Command::Appoint(_, Role::Host | Role::Listener) => return Err(Refusal::Malformed),
            Command::Appoint(..) if matches!(one.role, Role::Host | Role::Listener) => return wrong,
            Command::Appoint(_, role) if *role != one.role => (after.role, after.by_host) = (*role, true),
            _ => {}
        }
        let guest_leaves = one.role == Role::Listener && one.floor == '+' && after.floor == '-';
        if guest_leaves || after.last == 'x' {
            (after.visit, after.here, after.away_s) = (None, false, None);
            after.muted = if after.last == 'x' { one.muted } else { '-' };
        }
        self.people.insert(whom.clone(), after.clone());
        if after.last == 'r' && after.role == Role::Listener {
            self.people.remove(&whom);
        }
        Ok(())
    }

    /// Whom a command is about, if it may be about them.
    fn meant(&self, by: Caller, command: &Command, whom: &str) -> Result<One, Refusal> {
        let others = command.whom().is_some();
        let asks = matches!(command, Command::Ask { .. });
        let known = self.people.get(whom).cloned().or_else(|| asks.then(|| new(Role::Listener)));
        let one = known.ok_or(Refusal::PersonUnknown)?;
        let is_on_stage = one.visit.is_some() || one.away_s.is_some();
        if one.last == 'x' {
            return Err(if asks { Refusal::SentAway } else { Refusal::PersonUnknown });
        }
        if others && !may_touch(by, one.role) {
            return Err(Refusal::RoleTooLow);
        }
        if !others && !asks && !matches!(command, Command::Release) && !is_on_stage {
            return Err(Refusal::PersonUnknown);
        }
        Ok(one)
    }

    pub fn time(&mut self, s: u64) {
        for one in self.people.values_mut() {
            let gone = one.away_s.is_some_and(|since| s - since >= AWAY_S_MAX);
            if gone || (one.floor == '?' && s - one.asked_s >= REQUEST_S_MAX) {
                one.floor = '-';
            }
            if gone {
                (one.visit, one.here, one.away_s) = (None, false, None);
            }
        }
        let known = |one: &One| {
            let decided = "dvx".contains(one.last) || one.muted == 'h' || one.by_host;
            one.away_s.is_some() || one.here || one.floor == '?' || decided
        };
        self.people.retain(|_, one| known(one));
    }

    pub fn restart(&mut self, s: u64) {
        self.visits = 0;
        self.asked =
            self.people.values().filter(|one| one.floor == '?').map(|one| one.asked).max().unwrap_or(0);
        for one in self.people.values_mut() {
            one.asked_s = s;
            if !one.lasts {
                (one.floor, one.visit, one.here, one.away_s) = ('-', None, false, None);
            }
            one.lasts = true;
        }
        for one in self.people.values_mut().filter(|one| one.here || one.away_s.is_some()) {
            (one.visit, one.here, one.away_s, one.stays) = (None, false, Some(s), true);
        }
        self.time(s);
    }

    pub fn heard(&self) -> BTreeSet<u64> {
        let heard = self.people.values().filter(|one| one.floor == '+' && one.muted == '-');
        heard.filter_map(|one| one.visit).collect()
    }

    pub fn asking(&self) -> Vec<String> {
        let mut asking: Vec<_> = self.people.iter().filter(|(_, one)| one.floor == '?').collect();
        asking.sort_by_key(|(_, one)| one.asked);
        asking.into_iter().map(|(id, _)| id.clone()).collect()
    }

    fn is_free(&self, role: Role) -> bool {
        let holds = self.people.values().filter(|one| one.floor == '+').count();
        holds < if role >= Role::CoHost { 16 } else { 14 }
    }
}

fn new(role: Role) -> One {
    One {
        role,
        by_host: false,
        floor: '-',
        asked: 0,
        asked_s: 0,
        muted: '-',
        last: ' ',
        visit: None,
        here: false,
        away_s: None,
        stays: false,
        lasts: true,
    }
}
