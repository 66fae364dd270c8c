//! Who is signed in, in which browser, and as whom.
//!
//! A browser shows a key once and gets a cookie for it: a sign-in. For each room it has a badge, which says
//! what its wearer is there and who they are. A badge lives as long as what it was opened with: when the key
//! is replaced or the invitation taken back, the badge is gone at once.
//!
//! Signing in again with another link of the same room makes nobody less than they are, and keeps who they
//! are; the secret is new each time, so that a cookie somebody planted is worth nothing after it.

mod ago;
mod cookie;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::time::Time;

use super::{KeyHash, Name, PersonId, PersonName, Role};

pub use ago::Ago;
pub use cookie::{Cookie, SignInId};

#[cfg(test)]
mod tests;

/// How long a badge lasts, used or not.
pub const AGE_MAX: Duration = Duration::from_hours(30 * 24);
/// How long a browser may be away.
pub const IDLE_MAX: Duration = Duration::from_hours(7 * 24);
/// Browsers that are signed in to one node.
pub const SIGN_INS_MAX: usize = 16_384;
/// Badges one browser wears.
pub const BADGES_MAX: usize = 32;
/// Badges of one room.
pub const BADGES_ROOM_MAX: usize = 512;
/// Characters of a browser's own name that are kept.
pub const AGENT_CHARS_MAX: usize = 160;
/// That somebody was here is kept at most this often.
const SEEN_KEPT_EVERY: Duration = Duration::from_mins(10);

/// What opened something, and when.
#[derive(Clone, Copy, Debug)]
pub struct Opened {
    /// The key's hash, or a passkey's mark.
    pub by: KeyHash,
    /// When.
    pub began: Ago,
}

/// What somebody is in one room.
#[derive(Clone, Debug)]
pub struct Badge {
    /// Names it in the list that hosts see; opens nothing.
    pub id: String,
    /// What they may do.
    pub role: Role,
    /// Who they are on the stage.
    pub person: PersonId,
    /// What others read.
    pub name: PersonName,
    /// What it was opened with.
    pub opened: Opened,
}

/// One browser.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// Which one.
    pub id: SignInId,
    /// The hash of its cookie.
    pub secret: KeyHash,
    /// What the browser calls itself.
    pub agent: String,
    /// When it last asked for anything.
    pub seen: Ago,
    /// Whether it is the operator's.
    pub operator: Option<Opened>,
    /// What it is in each room.
    pub badges: BTreeMap<Name, Badge>,
}

/// Somebody showed something that opens.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The cookie they get: of their sign-in, renewed, or of a new one.
    pub cookie: Cookie,
    /// What the browser calls itself.
    pub agent: String,
    /// What it opened with: the key's hash, or a passkey's mark.
    pub by: KeyHash,
    /// What it opens.
    pub opens: Opens,
}

/// What a key or a passkey opens.
#[derive(Clone, Debug)]
pub enum Opens {
    /// The node.
    Node,
    /// One room.
    Room(Entrance),
}

/// Into one room.
#[derive(Clone, Debug)]
pub struct Entrance {
    /// Which.
    pub room: Name,
    /// As what.
    pub role: Role,
    /// As whom.
    pub person: Person,
    /// The name they gave.
    pub name: Option<PersonName>,
    /// The name of somebody who never gave one.
    pub name_else: PersonName,
    /// The badge's id, if it is a new one.
    pub badge: String,
}

/// Whether it is known who comes in.
#[derive(Clone, Debug)]
pub enum Person {
    /// Whoever this browser was in the room before, or else this new person.
    Drawn(PersonId),
    /// This person: a passkey says so.
    Known(PersonId),
}

/// What the server is to do.
#[derive(Clone, Debug)]
pub enum Output {
    /// Somebody may less, or is called something else: whoever waits on a sign-in looks again.
    Changed,
    /// Keep this.
    Keep(SignIn),
    /// Forget this.
    Forget(SignInId),
}

/// All sign-ins of a node.
#[derive(Debug, Default)]
pub struct SignIns {
    by_id: BTreeMap<SignInId, SignIn>,
    by_mark: BTreeMap<[u8; 32], SignInId>,
    by_room: BTreeMap<Name, BTreeSet<SignInId>>,
    unkept: BTreeSet<SignInId>,
    seen_kept: BTreeMap<SignInId, Time>,
    changed: Changed,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Changed {
    #[default]
    No,
    Yes,
}

impl SignIns {
    /// As they were kept. Whatever was opened with something that is worth nothing now is left out: `holds`
    /// says for a room, or for the node, whether its key's hash still does.
    pub fn restore(now: Time, kept: Vec<SignIn>, holds: impl Fn(Option<&Name>, &KeyHash) -> Holds) -> Self {
        let mut all = Self::default();
        for sign_in in kept {
            all.by_mark.insert(sign_in.id.mark().0, sign_in.id.clone());
            all.seen_kept.insert(sign_in.id.clone(), now);
            for room in sign_in.badges.keys() {
                all.by_room.entry(room.clone()).or_default().insert(sign_in.id.clone());
            }
            all.by_id.insert(sign_in.id.clone(), sign_in);
        }
        all.retain(|room, opened| match holds(room, &opened.by) {
            Holds::Yes => is_fresh(now, opened),
            Holds::No => false,
        });
        all.expire(now);
        all
    }

    /// Lets somebody in, and gives way where a limit is reached: the longest unseen goes.
    pub fn enter(&mut self, now: Time, entry: Entry) {
        let Entry { cookie, agent, by, opens } = entry;
        let id = cookie.id().clone();
        if !self.by_id.contains_key(&id) {
            self.give_way(now);
        }
        let opened = Opened { by, began: Ago::now(now) };
        let sign_in = self.by_id.entry(id.clone()).or_insert_with(|| SignIn {
            id: id.clone(),
            secret: cookie.hash(),
            agent: String::new(),
            seen: Ago::now(now),
            operator: None,
            badges: BTreeMap::new(),
        });
        sign_in.secret = cookie.hash();
        sign_in.agent = agent.chars().filter(|char| !char.is_control()).take(AGENT_CHARS_MAX).collect();
        sign_in.seen = Ago::now(now);
        match opens {
            Opens::Node => sign_in.operator = Some(opened),
            Opens::Room(entrance) => {
                let room = entrance.room.clone();
                let dropped = sign_in.wear(now, entrance, opened);
                self.by_room.entry(room.clone()).or_default().insert(id.clone());
                self.lose(&id, dropped);
                self.give_way_in(now, &room, &id);
            }
        }
        self.by_mark.insert(id.mark().0, id.clone());
        self.seen_kept.insert(id.clone(), now);
        // Who they are, and what they may, can have changed.
        self.changed = Changed::Yes;
        self.unkept.insert(id);
    }

    /// The sign-in of a cookie; that it was here is noted.
    pub fn look(&mut self, now: Time, cookie: &Cookie) -> Option<&SignIn> {
        let sign_in = self.by_id.get_mut(cookie.id()).filter(|sign_in| cookie.is(&sign_in.secret))?;
        if sign_in.is_away(now) {
            return None;
        }
        sign_in.seen = Ago::now(now);
        let kept = self.seen_kept.entry(cookie.id().clone()).or_insert(now);
        if now.since(*kept) >= SEEN_KEPT_EVERY {
            *kept = now;
            self.unkept.insert(cookie.id().clone());
        }
        Some(sign_in)
    }

    /// The sign-in of a mark.
    pub fn find(&self, now: Time, mark: &KeyHash) -> Option<&SignIn> {
        let sign_in = self.by_id.get(self.by_mark.get(&mark.0)?)?;
        (!sign_in.is_away(now)).then_some(sign_in)
    }

    /// The badges of a room, and whose they are.
    pub fn of_room(&self, room: &Name) -> impl Iterator<Item = (&SignIn, &Badge)> {
        let worn = self.by_room.get(room).into_iter().flatten().filter_map(|id| self.by_id.get(id));
        worn.filter_map(move |sign_in| Some((sign_in, sign_in.badges.get(room)?)))
    }

    /// How many browsers are signed in.
    pub fn count(&self) -> usize {
        self.by_id.len()
    }

    /// Signs a browser out of everything.
    pub fn leave(&mut self, id: &SignInId) {
        if let Some(sign_in) = self.by_id.get_mut(id) {
            sign_in.operator = None;
            let badges = std::mem::take(&mut sign_in.badges);
            self.lose(id, badges.into_keys());
        }
    }

    /// Takes away one badge of a room; whose it was.
    pub fn take_badge(&mut self, room: &Name, badge: &str) -> Option<Badge> {
        self.take_badges(room, |worn| worn.id == badge).pop()
    }

    /// Takes away every badge that somebody has in a room.
    pub fn take_person(&mut self, room: &Name, person: &PersonId) -> Vec<Badge> {
        self.take_badges(room, |worn| worn.person == *person)
    }

    /// What was opened with `by` is opened no longer: in a room, or on the node.
    pub fn close(&mut self, room: Option<&Name>, by: &KeyHash) {
        self.retain(|of, opened| of != room || !opened.by.is(by));
    }

    /// A badge that was opened with one key counts as opened with the one that took its place.
    pub fn move_badge(&mut self, mark: &KeyHash, room: &Name, by: KeyHash) {
        let Some(id) = self.by_mark.get(&mark.0) else { return };
        if let Some(badge) = self.by_id.get_mut(id).and_then(|sign_in| sign_in.badges.get_mut(room)) {
            badge.opened.by = by;
            self.unkept.insert(id.clone());
        }
    }

    /// What was opened with `by` in a room counts as opened with `instead`.
    pub fn reopen(&mut self, room: &Name, by: &KeyHash, instead: KeyHash) {
        for sign_in in self.by_id.values_mut() {
            let worn = sign_in.badges.get_mut(room).filter(|badge| badge.opened.by.is(by));
            if let Some(badge) = worn {
                badge.opened.by = instead;
                self.unkept.insert(sign_in.id.clone());
            }
        }
    }

    /// The room is gone.
    pub fn close_room(&mut self, room: &Name) {
        self.take_badges(room, |_| true);
    }

    /// Gives somebody another name in a room, in all their browsers.
    pub fn rename(&mut self, room: &Name, person: &PersonId, name: &PersonName) {
        self.change(room, person, |badge| badge.name = name.clone());
    }

    /// Gives somebody another role in a room, in all their browsers.
    pub fn set_role(&mut self, room: &Name, person: &PersonId, role: Role) {
        self.change(room, person, |badge| badge.role = role);
    }

    /// Lets go what has lasted too long.
    pub fn expire(&mut self, now: Time) {
        let away = self.by_id.values().filter(|sign_in| sign_in.is_away(now));
        for id in away.map(|sign_in| sign_in.id.clone()).collect::<Vec<_>>() {
            self.leave(&id);
        }
        self.retain(|_, opened| is_fresh(now, opened));
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<Output> {
        if std::mem::take(&mut self.changed) == Changed::Yes {
            return Some(Output::Changed);
        }
        let id = self.unkept.pop_first()?;
        Some(match self.by_id.get(&id) {
            Some(sign_in) => Output::Keep(sign_in.clone()),
            None => Output::Forget(id),
        })
    }

    fn change(&mut self, room: &Name, person: &PersonId, change: impl Fn(&mut Badge)) {
        for sign_in in self.by_id.values_mut() {
            let worn = sign_in.badges.get_mut(room).filter(|badge| badge.person == *person);
            if let Some(badge) = worn {
                change(badge);
                self.unkept.insert(sign_in.id.clone());
                self.changed = Changed::Yes;
            }
        }
    }

    fn take_badges(&mut self, room: &Name, is_one: impl Fn(&Badge) -> bool) -> Vec<Badge> {
        let worn = self.of_room(room).filter(|(_, badge)| is_one(badge));
        let of: Vec<_> = worn.map(|(sign_in, _)| sign_in.id.clone()).collect();
        let take = |id: &SignInId| {
            let badge = self.by_id.get_mut(id).and_then(|sign_in| sign_in.badges.remove(room));
            self.lose(id, [room.clone()]);
            badge
        };
        of.iter().filter_map(take).collect()
    }

    fn retain(&mut self, keep: impl Fn(Option<&Name>, &Opened) -> bool) {
        let mut less = Vec::new();
        for sign_in in self.by_id.values_mut() {
            let closed = sign_in.operator.take_if(|opened| !keep(None, opened));
            let gone = sign_in.badges.extract_if(.., |room, badge| !keep(Some(room), &badge.opened));
            let gone: Vec<_> = gone.map(|(room, _)| room).collect();
            if closed.is_some() || !gone.is_empty() {
                less.push((sign_in.id.clone(), gone));
            }
        }
        for (id, rooms) in less {
            self.lose(&id, rooms);
        }
    }

    /// After badges were taken from a sign-in: one that opens nothing is none.
    fn lose(&mut self, id: &SignInId, rooms: impl IntoIterator<Item = Name>) {
        self.changed = Changed::Yes;
        self.unkept.insert(id.clone());
        for room in rooms {
            if let Some(worn) = self.by_room.get_mut(&room) {
                worn.remove(id);
                if worn.is_empty() {
                    self.by_room.remove(&room);
                }
            }
        }
        let empty = |sign_in: &SignIn| sign_in.operator.is_none() && sign_in.badges.is_empty();
        if self.by_id.get(id).is_some_and(empty) {
            self.by_id.remove(id);
            self.by_mark.remove(&id.mark().0);
            self.seen_kept.remove(id);
        }
    }

    /// Makes room for one more browser.
    fn give_way(&mut self, now: Time) {
        if self.by_id.len() < SIGN_INS_MAX {
            return;
        }
        // Whoever runs the node is not pushed out by guests.
        let first =
            self.by_id.values().max_by_key(|sign_in| (sign_in.operator.is_none(), sign_in.seen.since(now)));
        if let Some(id) = first.map(|sign_in| sign_in.id.clone()) {
            self.leave(&id);
        }
    }

    /// Makes room in a room: of the lowest role there, never the one who came just now.
    fn give_way_in(&mut self, now: Time, room: &Name, came: &SignInId) {
        if self.of_room(room).count() <= BADGES_ROOM_MAX {
            return;
        }
        let others = self.of_room(room).filter(|(sign_in, _)| sign_in.id != *came);
        let first =
            others.max_by_key(|(sign_in, badge)| (std::cmp::Reverse(badge.role), sign_in.seen.since(now)));
        if let Some(badge) = first.map(|(_, badge)| badge.id.clone()) {
            self.take_badge(room, &badge);
        }
    }
}

/// Whether a key is still one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// It opens.
    Yes,
    /// It was replaced or taken back.
    No,
}

impl SignIn {
    fn is_away(&self, now: Time) -> bool {
        self.seen.since(now) >= IDLE_MAX
    }

    /// Puts a badge on; the room whose badge had to go for it. Who comes by a lower link than before stays
    /// what they are.
    fn wear(&mut self, now: Time, entrance: Entrance, opened: Opened) -> Option<Name> {
        let Entrance { room, role, person, name, name_else, badge: id } = entrance;
        let fresh = |person: PersonId, name: Option<PersonName>| Badge {
            id,
            role,
            person,
            name: name.unwrap_or(name_else),
            opened,
        };
        let worn = self.badges.remove(&room);
        let badge = match (worn, person) {
            (None, Person::Drawn(person) | Person::Known(person)) => fresh(person, name),
            (Some(worn), Person::Known(person)) if worn.person != person && role >= worn.role => {
                fresh(person, name)
            }
            (Some(worn), Person::Known(_) | Person::Drawn(_)) => {
                let (role, opened) =
                    if role >= worn.role { (role, opened) } else { (worn.role, worn.opened) };
                Badge { role, opened, name: name.unwrap_or(worn.name), ..worn }
            }
        };
        self.badges.insert(room, badge);
        if self.badges.len() <= BADGES_MAX {
            return None;
        }
        let oldest = self.badges.iter().max_by_key(|(_, badge)| badge.opened.began.since(now));
        let oldest = oldest.map(|(room, _)| room.clone())?;
        self.badges.remove(&oldest);
        Some(oldest)
    }
}

fn is_fresh(now: Time, opened: &Opened) -> bool {
    opened.began.since(now) < AGE_MAX
}
