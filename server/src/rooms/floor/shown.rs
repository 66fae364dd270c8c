//! What a room's stage shows: to those on it, to those who ask to be, and to everybody.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use tribune_core::mix::{Health, Quality};
use tribune_core::room::floor::{Floor, Last, PEOPLE_MAX, Person, REQUESTS_MAX, Standing, Visit};
use tribune_core::room::{KeyHash, PersonId, PersonName, Role, State};

use super::turns::Turn;
use crate::program::ears::Voice;

/// Everything about a stage at one moment; never changes.
#[derive(Clone, Debug)]
pub struct Shown {
    /// What everybody on it sees.
    pub stage: StageView,
    /// Who from the audience asked, and what came of it.
    pub guests: Vec<Guest>,
    /// Who was sent away.
    pub removed: BTreeSet<PersonId>,
    /// Whose role is the host's word and not their key's.
    pub appointed: BTreeMap<PersonId, Role>,
    /// What everybody who is known is called.
    pub names: BTreeMap<PersonId, PersonName>,
    /// Who spoke in the last minute of the program.
    pub turns: Vec<Turn>,
    /// The part that is being made, while the conversation is on air.
    pub live_part: Option<u64>,
}

/// What everybody on the stage sees.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StageView {
    state: State,
    people: Vec<PersonView>,
    requests: Vec<RequestView>,
    sources: Vec<SourceView>,
    limits: Limits,
}

impl StageView {
    /// What somebody on the stage is.
    pub fn role_of(&self, whom: &PersonId) -> Option<Role> {
        let person = self.people.iter().find(|person| person.id == whom.as_str())?;
        Role::from_word(person.role)
    }
}

/// Somebody on the stage.
#[derive(Clone, Debug, PartialEq, Serialize)]
struct PersonView {
    id: String,
    name: String,
    role: &'static str,
    floor: &'static str,
    muted: &'static str,
    here: bool,
    speaking: bool,
    sound: &'static str,
    echo: bool,
    clipping: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct RequestView {
    id: String,
    name: String,
    since: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct SourceView {
    name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
struct Limits {
    people_max: usize,
    requests_max: usize,
}

/// Somebody from the audience who asked for the floor.
#[derive(Clone, Debug)]
pub struct Guest {
    /// Who.
    pub id: PersonId,
    /// What others read.
    pub name: PersonName,
    /// How it stands.
    pub state: Asked,
    /// How many asked before them and wait.
    pub ahead: usize,
    /// While they are on the stage: how they are heard there.
    pub you: Option<Own>,
    grant: KeyHash,
}

/// How somebody is heard, for themselves.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Own {
    muted: Option<&'static str>,
    sound: &'static str,
    echo: bool,
    clipping: bool,
    silent: bool,
}

/// How a listener's request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nobody has answered.
    Requested,
    /// The floor is theirs.
    Granted,
    /// No.
    Declined,
    /// It was theirs.
    Revoked,
}

impl Asked {
    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Requested => "requested",
            Self::Granted => "granted",
            Self::Declined => "declined",
            Self::Revoked => "revoked",
        }
    }
}

/// What the mix says of those on the stage.
pub(super) type Voices<'a> = &'a BTreeMap<PersonId, &'a Voice>;

impl Shown {
    /// Somebody from the audience, by the hash of the key that opens the stage to them when they have the
    /// floor.
    pub fn guest(&self, key: &KeyHash) -> Option<&Guest> {
        self.guests.iter().find(|guest| guest.grant.is(key))
    }

    /// Whom this key lets on the stage as a guest.
    pub fn granted(&self, key: &KeyHash) -> Option<&Guest> {
        self.guest(key).filter(|guest| guest.state == Asked::Granted)
    }

    pub(super) fn new(floor: &Floor, voices: Voices<'_>, (state, sources): (State, Vec<String>)) -> Self {
        let people = floor.stage().map(|person| person_view(person, voices)).collect();
        let requests = floor.requests().into_iter().filter_map(|person| {
            let since = person.request()?.since.rfc3339();
            Some(RequestView { id: person.id().to_string(), name: person.name().as_str().to_owned(), since })
        });
        let stage = StageView {
            state,
            people,
            requests: requests.collect(),
            sources: sources.into_iter().map(|name| SourceView { name }).collect(),
            limits: Limits { people_max: PEOPLE_MAX, requests_max: REQUESTS_MAX },
        };
        let known = floor.known();
        let removed = known.iter().filter(|person| person.is_removed());
        let appointed = known.iter().filter_map(|person| Some((person.id().clone(), person.appointed()?)));
        Self {
            stage,
            guests: guests(floor, voices),
            removed: removed.map(|person| person.id().clone()).collect(),
            appointed: appointed.collect(),
            names: known.iter().map(|person| (person.id().clone(), person.name().clone())).collect(),
            turns: Vec::new(),
            live_part: None,
        }
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        let guests = |shown: &Self| -> Vec<_> {
            let guests = shown.guests.iter();
            guests.map(|guest| (guest.id.clone(), guest.state, guest.ahead, guest.you.clone())).collect()
        };
        self.stage == other.stage
            && guests(self) == guests(other)
            && self.removed == other.removed
            && self.appointed == other.appointed
            && self.names == other.names
            && self.turns == other.turns
            && self.live_part == other.live_part
    }

    /// Who has the floor, for everybody to read: name and role.
    pub fn on_the_floor(&self) -> impl Iterator<Item = (&str, &'static str)> {
        let has_it = self.stage.people.iter().filter(|person| person.floor == Standing::Holds.word());
        has_it.map(|person| (person.name.as_str(), person.role))
    }
}

fn person_view(person: &Person, voices: Voices<'_>) -> PersonView {
    let voice = voices.get(person.id());
    let (health, way) = voice.map_or((Health::Well, None), |voice| (voice.health, voice.way));
    let quality = if person.is_here() { Quality::of(health, way) } else { Quality::None };
    PersonView {
        id: person.id().to_string(),
        name: person.name().as_str().to_owned(),
        role: person.rank().word(),
        floor: person.standing().word(),
        muted: person.muted().word(),
        here: person.is_here(),
        speaking: speaks(person, voice.copied()),
        sound: quality.word(),
        echo: voice.is_some_and(|voice| voice.echo.is_now),
        clipping: voice.is_some_and(|voice| voice.clipping.is_now),
    }
}

pub(super) fn speaks(person: &Person, voice: Option<&Voice>) -> bool {
    person.is_heard() && voice.is_some_and(|voice| voice.speaking.is_some())
}

impl Own {
    fn of(person: PersonView) -> Self {
        let muted = match person.muted {
            "no" => None,
            by => Some(by),
        };
        let PersonView { sound, echo, clipping, .. } = person;
        Self { muted, sound, echo, clipping, silent: sound == Quality::Silent.word() }
    }
}

fn guests(floor: &Floor, voices: Voices<'_>) -> Vec<Guest> {
    let asking: Vec<_> = floor.requests().iter().map(|person| person.id().clone()).collect();
    let guests = floor.known().iter().filter(|person| person.is_guest());
    let guests = guests.filter_map(|person| {
        let state = match (person.standing(), person.last()) {
            (Standing::Asks(_), _) => Asked::Requested,
            (Standing::Holds, _) => Asked::Granted,
            (Standing::Out, Last::Declined) => Asked::Declined,
            (Standing::Out, Last::Revoked | Last::Removed) => Asked::Revoked,
            (Standing::Out, Last::Nothing | Last::Released) => return None,
        };
        let ahead = asking.iter().position(|id| id == person.id()).unwrap_or_default();
        let (id, name, grant) = (person.id().clone(), person.name().clone(), *person.grant()?);
        let you = person.is_on_stage().then(|| Own::of(person_view(person, voices)));
        Some(Guest { id, name, state, ahead, you, grant })
    });
    guests.collect()
}

/// The connections whose sound is to be left out or heard, as the floor has it now.
pub(super) fn is_heard(floor: &Floor, visit: Visit) -> bool {
    floor.person_of(visit).is_some_and(Person::is_heard)
}
