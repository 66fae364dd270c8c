#![allow(clippy::unwrap_used)]

mod model;

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::room::{Caller, KeyHash};
use crate::time::WallTime;

const HOST: Caller = Caller::Of(Role::Host);
const COHOST: Caller = Caller::Of(Role::CoHost);
const SPEAKER: Caller = Caller::Of(Role::Speaker);
const LISTENER: Caller = Caller::Of(Role::Listener);

fn at(s: u64) -> Moment {
    Moment { time: Time::from_millis(s * 1_000), wall: WallTime(s as i64 * 1_000) }
}

fn id(text: &str) -> PersonId {
    PersonId::parse(text).unwrap()
}

fn coming(who: &str, role: Role, lasting: Lasting) -> Coming {
    Coming { id: id(who), name: named(who), role, lasting }
}

fn named(text: &str) -> PersonName {
    PersonName::parse(text).unwrap()
}

/// A floor, and what its mix was told.
struct Tried {
    floor: Floor,
    heard: BTreeSet<u64>,
    ended: Vec<u64>,
    s: u64,
}

impl Tried {
    fn new() -> Self {
        Self {
            floor: Floor::new(at(0), State::Live, Vec::new()),
            heard: BTreeSet::new(),
            ended: Vec::new(),
            s: 0,
        }
    }

    fn input(&mut self, input: Input) -> Option<Result<Answer, Refusal>> {
        self.floor.handle_input(at(self.s), input);
        let mut answer = None;
        while let Some(output) = self.floor.poll_output() {
            match output {
                Output::Sound(visit, Sound::Heard) => assert!(self.heard.insert(visit.0), "told once"),
                Output::Sound(visit, Sound::LeftOut) => {
                    self.heard.remove(&visit.0);
                }
                Output::Disconnect(visit) => self.ended.push(visit.0),
                Output::Removed(_) | Output::Changed => {}
                Output::Answer(said) => assert!(answer.replace(said).is_none(), "answered once"),
            }
        }
        if let Some(Ok(Answer::Admitted(visit))) = answer
            && self.floor.person_of(visit).is_some_and(Person::is_heard)
        {
            self.heard.insert(visit.0);
        }
        let connected: BTreeSet<_> =
            self.floor.known().iter().filter_map(|person| Some(person.visit()?.0)).collect();
        self.heard.retain(|visit| connected.contains(visit));
        answer.map(|said| said.map_err(|refused| refused.reason))
    }

    fn come(&mut self, who: &str, role: Role) -> Result<Answer, Refusal> {
        self.come_as(who, role, Lasting::Yes)
    }

    fn come_as(&mut self, who: &str, role: Role, lasting: Lasting) -> Result<Answer, Refusal> {
        self.input(Input::Come(coming(who, role, lasting))).unwrap()
    }

    fn here(&mut self, who: &str, role: Role) -> Visit {
        let Ok(Answer::Admitted(visit)) = self.come(who, role) else { panic!("{who} may come") };
        self.input(Input::Reach(visit, Reach::Connected));
        visit
    }

    fn ask(&mut self, (caller, who): (Caller, &str), command: Command) -> Result<Answer, Refusal> {
        let person = (!who.is_empty() && caller != Caller::Operator).then(|| id(who));
        self.input(Input::Command { by: By { caller, person }, command }).unwrap()
    }

    fn listener_asks(&mut self, who: &str) -> Result<Answer, Refusal> {
        // Each of a network of their own.
        let from = who.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
        self.listener_asks_from(who, from)
    }

    fn listener_asks_from(&mut self, who: &str, from: u32) -> Result<Answer, Refusal> {
        let (name, grant, from) = (named(who), KeyHash([7; 32]), std::net::Ipv4Addr::from(from).into());
        self.ask((LISTENER, who), Command::Ask { name, grant, from })
    }

    fn standing(&self, who: &str) -> &'static str {
        self.floor.person(&id(who)).map_or("unknown", |person| person.standing().word())
    }
}

const DONE: Result<Answer, Refusal> = Ok(Answer::Done);
const SAME: Result<Answer, Refusal> = Ok(Answer::AlreadySo);

#[test]
fn a_listener_comes_to_the_stage_and_goes_back() {
    let mut tried = Tried::new();
    tried.here("host", Role::Host);
    assert_eq!(tried.come("eve", Role::Listener), Err(Refusal::RoleTooLow));
    assert_eq!(tried.listener_asks("eve"), DONE);
    assert_eq!(tried.listener_asks("eve"), SAME);
    assert_eq!(tried.listener_asks("bob"), DONE);
    let asking: Vec<_> = tried.floor.requests().iter().map(|person| person.id().to_string()).collect();
    assert_eq!(asking, ["eve", "bob"]);
    assert_eq!(tried.ask((SPEAKER, "eve"), Command::Grant(id("eve"))), Err(Refusal::RoleTooLow));
    assert_eq!(tried.ask((COHOST, "co"), Command::Decline(id("bob"))), DONE);
    assert_eq!(tried.ask((COHOST, "co"), Command::Grant(id("bob"))), Err(Refusal::WrongState));
    assert_eq!(tried.ask((COHOST, "co"), Command::Grant(id("eve"))), DONE);
    let visit = tried.here("eve", Role::Listener);
    assert!(tried.heard.contains(&visit.0));
    assert_eq!(tried.ask((HOST, "host"), Command::Revoke(id("eve"))), DONE);
    assert_eq!((tried.ended.last(), tried.heard.contains(&visit.0)), (Some(&visit.0), false));
    assert_eq!(tried.floor.person(&id("eve")).unwrap().last(), Last::Revoked);
    assert_eq!(tried.come("eve", Role::Listener), Err(Refusal::RoleTooLow));
    assert_eq!(tried.listener_asks("eve"), DONE);
}

#[test]
fn a_speaker_has_the_floor_when_they_come_and_as_long_as_they_come_back() {
    let mut tried = Tried::new();
    let first = tried.here("ann", Role::Speaker);
    tried.input(Input::Reach(first, Reach::Lost));
    tried.s = 30;
    tried.input(Input::Reach(first, Reach::Gone));
    tried.s = 59;
    let second = tried.here("ann", Role::Speaker);
    tried.input(Input::Reach(first, Reach::Gone));
    assert!(tried.floor.person(&id("ann")).unwrap().is_here(), "an old connection says nothing of the new");
    assert_eq!(tried.ask((HOST, "host"), Command::Revoke(id("ann"))), DONE);
    assert!(tried.heard.is_empty() && tried.ended.is_empty(), "who loses the floor goes on hearing");
    tried.input(Input::Reach(second, Reach::Gone));
    assert_eq!(tried.floor.poll_timeout(), Some((Time::from_millis(119_000), Why::AwayTooLong)));
    tried.s = 119;
    tried.input(Input::Timeout);
    assert_eq!(tried.floor.stage().count(), 0);
    tried.here("ann", Role::Speaker);
    assert_eq!(tried.standing("ann"), "none", "what was taken stays taken");
    assert_eq!(tried.ask((SPEAKER, "ann"), Command::Request), DONE);
    assert_eq!(tried.standing("ann"), "requested");
    assert_eq!(tried.ask((HOST, "host"), Command::Grant(id("ann"))), DONE);
    assert_eq!(tried.heard.len(), 1);
}

#[test]
fn a_microphone_opens_only_by_the_hand_that_may() {
    let mut tried = Tried::new();
    tried.here("ann", Role::Speaker);
    let own = |mute| ((SPEAKER, "ann"), Command::MuteSelf(mute));
    let hosts = |mute| ((HOST, "host"), Command::Mute(id("ann"), mute));
    for ((by, command), expected, muted) in [
        (hosts(Mute::On), DONE, MutedBy::Host),
        (hosts(Mute::On), SAME, MutedBy::Host),
        (hosts(Mute::Off), DONE, MutedBy::Nobody),
        (hosts(Mute::On), DONE, MutedBy::Host),
        (own(Mute::Off), DONE, MutedBy::Nobody),
        (own(Mute::On), DONE, MutedBy::Themselves),
        (hosts(Mute::On), SAME, MutedBy::Themselves),
        (hosts(Mute::Off), Err(Refusal::MutedThemselves), MutedBy::Themselves),
        (own(Mute::Off), DONE, MutedBy::Nobody),
        (hosts(Mute::On), DONE, MutedBy::Host),
        (own(Mute::On), DONE, MutedBy::Themselves),
    ] {
        let word = format!("{command:?}");
        assert_eq!(tried.ask(by, command), expected, "{word}");
        assert_eq!(tried.floor.person(&id("ann")).unwrap().muted(), muted, "{word}");
        assert_eq!(tried.heard.is_empty(), muted != MutedBy::Nobody, "{word}");
    }
}

#[test]
fn whoever_is_sent_away_stays_away() {
    let mut tried = Tried::new();
    let visit = tried.here("ann", Role::CoHost);
    assert_eq!(tried.ask((COHOST, "co"), Command::Remove(id("ann"))), Err(Refusal::RoleTooLow));
    assert_eq!(tried.ask((Caller::Operator, ""), Command::Remove(id("ann"))), DONE);
    assert_eq!(tried.ended, [visit.0]);
    assert_eq!(tried.come("ann", Role::CoHost), Err(Refusal::SentAway));
    assert_eq!(tried.ask((HOST, "host"), Command::Grant(id("ann"))), Err(Refusal::PersonUnknown));
    let mut again = Floor::new(at(9_000), State::Live, tried.floor.kept());
    again.handle_input(at(9_000), Input::Come(coming("ann", Role::CoHost, Lasting::Yes)));
    let refused = no(Refusal::SentAway, "");
    assert_eq!(again.poll_output(), Some(Output::Answer(Err(refused))), "also after a restart");
}

#[test]
fn every_limit_holds() {
    let mut tried = Tried::new();
    for n in 0..PEOPLE_MAX - HOST_CONNECTIONS {
        tried.here(&format!("s{n}"), Role::Speaker);
    }
    assert_eq!(tried.come("s15", Role::Speaker), Err(Refusal::InputsFull), "the last is a host's");
    tried.here("host", Role::Host);
    let holds = tried.floor.stage().filter(|person| person.standing() == Standing::Holds).count();
    assert_eq!(holds, PEOPLE_MAX - HOST_PLACES + 1);
    assert_eq!(tried.come("one-more", Role::Host), Err(Refusal::InputsFull));
    assert_eq!(tried.ask((HOST, ""), Command::Grant(id("s14"))), Err(Refusal::FloorFull));
    for n in 0..REQUESTS_MAX {
        assert_eq!(tried.listener_asks(&format!("l{n}")), DONE);
    }
    assert_eq!(tried.listener_asks("late"), Err(Refusal::RequestsFull));
    assert_eq!(
        tried.ask((SPEAKER, "s14"), Command::Request),
        DONE,
        "the audience fills no place of the stage's"
    );
    tried.s = REQUEST_S_MAX;
    tried.input(Input::Timeout);
    assert!(tried.floor.requests().is_empty());
    for n in 0..2 * KNOWN_MAX {
        tried.listener_asks(&format!("n{n}")).unwrap();
        tried.ask((HOST, ""), Command::Remove(id(&format!("n{n}")))).unwrap();
    }
    assert_eq!(tried.floor.known().len(), KNOWN_MAX);
    assert_eq!(tried.floor.stage().count(), PEOPLE_MAX);
    tried.input(Input::Room(State::Ended));
    assert_eq!((tried.floor.known().len(), tried.ended.len()), (0, PEOPLE_MAX));
    assert_eq!(tried.come("s0", Role::Speaker), Err(Refusal::RoomEnded));
}

#[test]
fn one_network_leaves_places_for_others_to_ask() {
    let mut tried = Tried::new();
    for n in 0..REQUESTS_OF_NETWORK_MAX {
        assert_eq!(tried.listener_asks_from(&format!("l{n}"), 1), DONE);
    }
    assert_eq!(tried.listener_asks_from("late", 1), Err(Refusal::SourceTooBusy));
    assert_eq!(tried.listener_asks_from("l0", 1), SAME);
    assert_eq!(tried.listener_asks_from("other", 2), DONE);
    tried.ask((HOST, ""), Command::Decline(id("l0"))).unwrap();
    assert_eq!(tried.listener_asks_from("late", 1), DONE, "an answer makes room");
}

#[test]
fn what_a_host_made_somebody_outweighs_every_key_but_the_hosts() {
    let mut tried = Tried::new();
    tried.here("co", Role::CoHost);
    tried.ask((HOST, ""), Command::Appoint(id("co"), Role::Speaker)).unwrap();
    tried.here("co", Role::CoHost);
    assert_eq!(tried.floor.person(&id("co")).unwrap().rank(), Role::Speaker);
    tried.here("co", Role::Host);
    assert_eq!(tried.floor.person(&id("co")).unwrap().rank(), Role::Host);
    assert_eq!(tried.floor.person(&id("co")).unwrap().appointed(), None);
}

#[test]
fn a_restart_keeps_floor_mute_requests_and_roles() {
    let mut tried = Tried::new();
    for (who, role) in [("ann", Role::Speaker), ("ben", Role::Speaker), ("cat", Role::CoHost)] {
        tried.here(who, role);
    }
    tried.listener_asks("eve").unwrap();
    tried.ask((HOST, ""), Command::Revoke(id("ann"))).unwrap();
    tried.ask((HOST, ""), Command::Mute(id("ben"), Mute::On)).unwrap();
    tried.ask((HOST, ""), Command::Appoint(id("cat"), Role::Speaker)).unwrap();
    let mut again = Tried { floor: Floor::new(at(0), State::Live, tried.floor.kept()), ..Tried::new() };
    for who in ["ann", "ben", "cat"] {
        again.here(who, if who == "cat" { Role::CoHost } else { Role::Speaker });
    }
    assert_eq!(
        [again.standing("ann"), again.standing("ben"), again.standing("eve")],
        ["none", "holds", "requested"]
    );
    assert_eq!(again.floor.person(&id("ben")).unwrap().muted(), MutedBy::Host);
    assert_eq!(again.floor.person(&id("cat")).unwrap().appointed(), Some(Role::Speaker));
    assert_eq!(again.heard.len(), 1, "only cat");
}

/// What may happen next, among few people so that it happens to the same ones.
#[derive(Clone, Debug)]
enum Step {
    Come(u8, Role, Lasting),
    Reach(u64, Reach),
    Command(Caller, u8, Command),
    Wait(u64),
    Restart,
}

const WHO: [&str; 6] = ["p0", "p1", "p2", "p3", "p4", "p5"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = 0..6_u8;
    let keyed = prop::sample::select(vec![Role::Speaker, Role::CoHost, Role::Host]);
    let callers = vec![LISTENER, SPEAKER, COHOST, HOST, HOST, Caller::Operator];
    let mute = prop::sample::select(vec![Mute::On, Mute::Off]);
    let reach = prop::sample::select(vec![Reach::Connected, Reach::Connected, Reach::Lost, Reach::Gone]);
    let lasting = prop::sample::select(vec![Lasting::Yes, Lasting::Yes, Lasting::No]);
    let whom = || (0..6_usize).prop_map(|at| id(WHO[at]));
    let command = prop_oneof![
        3 => (0..2_u8).prop_map(|net| {
            let from = [192, 0, 2, net].into();
            Command::Ask { name: named("n"), grant: KeyHash([1; 32]), from }
        }),
        1 => Just(Command::Request),
        1 => Just(Command::Release),
        3 => whom().prop_map(Command::Grant),
        1 => whom().prop_map(Command::Decline),
        2 => whom().prop_map(Command::Revoke),
        1 => mute.clone().prop_map(Command::MuteSelf),
        2 => (whom(), mute).prop_map(|(whom, mute)| Command::Mute(whom, mute)),
        1 => whom().prop_map(Command::Remove),
        1 => (whom(), keyed.clone()).prop_map(|(whom, role)| Command::Appoint(whom, role)),
    ];
    let step = prop_oneof![
        3 => (who.clone(), keyed, lasting).prop_map(|(who, role, lasting)| Step::Come(who, role, lasting)),
        3 => (1..40_u64, reach).prop_map(|(visit, reach)| Step::Reach(visit, reach)),
        8 => (prop::sample::select(callers), who, command)
            .prop_map(|(by, who, command)| Step::Command(by, who, command)),
        2 => prop_oneof![1..40_u64, Just(61), Just(1_801)].prop_map(Step::Wait),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..80)
}

fn same(tried: &Tried, model: &model::Model) -> Result<(), TestCaseError> {
    let known: Vec<_> = tried.floor.known().iter().map(|person| person.id().to_string()).collect();
    prop_assert_eq!(known.len(), model.people.len(), "{:?} {:?}", known, &model.people);
    for person in tried.floor.known() {
        let one = &model.people[person.id().as_str()];
        let floor = match one.floor {
            '+' => "holds",
            '?' => "requested",
            _ => "none",
        };
        let muted = match one.muted {
            's' => "self",
            'h' => "host",
            _ => "no",
        };
        let stage = one.visit.map(|visit| (visit, one.here));
        prop_assert_eq!(person.standing().word(), floor, "{}: {:?}", person.id(), one);
        prop_assert_eq!(person.muted().word(), muted, "{}: {:?}", person.id(), one);
        prop_assert_eq!(person.kept.role, one.role);
        prop_assert_eq!(person.visit().map(|visit| (visit.0, person.is_here())), stage);
        prop_assert_eq!(person.is_removed(), one.last == 'x');
    }
    let asking: Vec<_> = tried.floor.requests().iter().map(|person| person.id().to_string()).collect();
    prop_assert_eq!(asking, model.asking());
    prop_assert_eq!(&tried.heard, &model.heard());
    Ok(())
}

proptest! {
    /// Whatever happens, floor and model say the same: who is refused and why, who has the floor, who asks
    /// and in what order, and whom the mix takes. Now and then the node restarts and goes on from what was
    /// kept.
    #[test]
    fn the_floor_is_its_model(steps in steps()) {
        let (mut tried, mut model) = (Tried::new(), model::Model::default());
        for step in steps {
            let (real, wanted) = match step.clone() {
                Step::Come(who, role, lasting) => {
                    let who = WHO[usize::from(who)];
                    (tried.come_as(who, role, lasting), model.come(who, (role, lasting), tried.s))
                }
                Step::Reach(visit, reach) => {
                    tried.input(Input::Reach(Visit(visit), reach));
                    model.reach(visit, reach, tried.s);
                    (DONE, Ok(()))
                }
                Step::Command(Caller::Operator, _, command) if command.whom().is_none() => {
                    let said = tried.ask((Caller::Operator, ""), command);
                    let unnamed = said == Err(Refusal::NobodyNamed);
                    let expected = if unnamed { said } else { Err(Refusal::RoleTooLow) };
                    prop_assert_eq!(said, expected);
                    continue;
                }
                Step::Command(caller, who, command) => {
                    let who = WHO[usize::from(who)];
                    // The audience's door makes listeners ask, and the stage's never does.
                    let is_guest = tried.floor.person(&id(who)).is_none_or(Person::is_guest);
                    if matches!(command, Command::Ask { .. }) && !is_guest {
                        continue;
                    }
                    let said = tried.ask((caller, who), command.clone());
                    (said, model.command((caller, who), &command, tried.s))
                }
                Step::Wait(s) => {
                    tried.s += s;
                    tried.input(Input::Timeout);
                    (DONE, Ok(()))
                }
                Step::Restart => {
                    tried.floor = Floor::new(at(tried.s), State::Live, tried.floor.kept());
                    tried.heard.clear();
                    model.restart(tried.s);
                    (DONE, Ok(()))
                }
            };
            model.time(tried.s);
            prop_assert_eq!(real.map(|_| ()), wanted, "{:?}", step);
            same(&tried, &model)?;
        }
    }
}
