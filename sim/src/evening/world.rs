//! Time goes on: the doorkeeper looks at its clock, nodes answer, people do what they do.

use std::net::IpAddr;

use sha2::{Digest, Sha256};
use tribune_core::books::Column;
use tribune_core::door::Doorkeeper;
use tribune_core::door::arrivals::Issued;
use tribune_core::door::doorkeeper::{Announced, Opening, Place};
use tribune_core::door::draw::{Source, commitment};
use tribune_core::door::line::BOARDING_FROM_S;
use tribune_core::door::poll::{Standing, ask_again};
use tribune_core::door::seats::Output;
use tribune_core::guard::live::{Happened, Outcome as Became, What};
use tribune_core::program::synthetic::BEGAN_AT;
use tribune_core::reason::Departure;
use tribune_core::time::{Time, WallTime};

use super::crowd::{Arrivals, Doing, Person, SLEEP_S};
use super::guarded::Guarded;
use super::machine::Machine;
use super::outcome::{self, Held, Outcome};
use super::program::Program;
use super::scenario::{Attack, Fault, Scenario};
use super::wheel::{Moment, STEP_MS, Wheel, Whose};
use crate::dice::Dice;

/// The draw is held so long before the start, in seconds.
pub(super) const DRAW_BEFORE_S: u32 = 60;
/// The program begins to be heard so long before the start, in seconds.
const OPEN_BEFORE_S: u32 = 600;
/// New connections a second that one node lets be called for.
const CLAIMS_PER_S_MAX: u32 = 5_000;
/// The evening goes on for so long after its end, in milliseconds: until the last seat has lapsed.
const AFTER_MS: u32 = 70_000;
/// The course is noted so often, in seconds.
const COURSE_S: u32 = 10;
/// It is told how far it is so often, in steps.
const TOLD_STEPS: u32 = 10;
/// How far before the front a place is looked at, to know within what people there ask.
const AHEAD: [u64; 8] = [0, 100, 1_000, 10_000, 100_000, 400_000, 1_600_000, 6_400_000];

/// The world of one evening.
pub(super) struct World<'s> {
    pub scenario: &'s Scenario,
    pub dice: Dice,
    pub now_ms: u32,
    pub start_ms: u32,
    pub end_ms: u32,
    arrivals: Arrivals<'s>,
    pub people: Vec<Person>,
    pub wheel: Wheel,
    pub door: Doorkeeper,
    pub nodes: Vec<Machine>,
    pub guarded: Guarded,
    pub program: Program,
    /// Whose a ticket is, by its number.
    pub holders: Vec<u32>,
    /// Whose turn it is, by rank.
    pub by_rank: Vec<u32>,
    /// So many of those were told that they are called, and the number that was published then.
    told: usize,
    pub called: u64,
    /// People who have a place at a node.
    pub placed: u64,
    /// When somebody heard something for the first time.
    pub first_heard_ms: Option<u32>,
    /// Addresses of each attack that the guard sees.
    pub attackers: Vec<Vec<IpAddr>>,
    /// Faults that are still to come, the next one last.
    pub faults: Vec<Fault>,
    /// Requests by which those who wait asked in this second, by the sample.
    pub polls: u64,
    pub outcome: Outcome,
    digest: Sha256,
    /// The operator's number.
    lot: [u8; 32],
}

impl<'s> World<'s> {
    /// The evening of this seed.
    pub fn new(scenario: &'s Scenario, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let (crowd, mut draw) = (dice.fork(), dice.fork());
        let lot: [u8; 32] = std::array::from_fn(|_| draw.bits() as u8);
        let start_s = scenario.evening.door_opens_before_s;
        let (start_ms, end_ms) = (start_s * 1_000, (start_s + scenario.evening.lasts_s) * 1_000);
        let wall = WallTime(BEGAN_AT.0 - i64::from(start_ms));
        let closes_before = start_s - DRAW_BEFORE_S;
        let announced = Announced {
            at: WallTime(wall.0 + i64::from(closes_before) * 1_000),
            closes_before,
            source: Source::Operator,
            commitment: Some(commitment(&lot)),
        };
        let nodes = u32::from(scenario.nodes.count);
        let opening = Opening {
            announced,
            start: Some(Time::from_millis(start_ms.into())),
            cap: 0,
            claims_per_s_max: CLAIMS_PER_S_MAX.saturating_mul(nodes),
        };
        let on_air_ms = start_ms.saturating_sub(OPEN_BEFORE_S * 1_000);
        let guarded = Guarded::new(scenario, (wall, on_air_ms));
        let seen =
            |attack: &Attack| (0..attack.addresses).filter_map(|one| guarded.sees_attacker(one)).collect();
        let attackers = scenario.attacks.iter().map(seen).collect();
        let mut faults = scenario.faults.clone();
        faults.sort_by_key(|fault| std::cmp::Reverse(fault.at_s()));
        let mut digest = Sha256::new();
        digest.update(lot);
        Self {
            scenario,
            arrivals: Arrivals::new(scenario, crowd),
            dice,
            now_ms: 0,
            start_ms,
            end_ms,
            people: Vec::with_capacity(scenario.crowd.people as usize),
            wheel: Wheel::new(end_ms + AFTER_MS),
            door: Doorkeeper::open(opening),
            nodes: (0..nodes).map(|_| Machine::new(&scenario.nodes, &scenario.measured)).collect(),
            guarded,
            program: Program::new(on_air_ms),
            holders: Vec::new(),
            by_rank: Vec::new(),
            told: 0,
            called: 0,
            placed: 0,
            first_heard_ms: None,
            attackers,
            faults,
            polls: 0,
            outcome: Outcome { books_balanced: true, order_kept: true, ..Outcome::default() },
            digest,
            lot,
        }
    }

    /// Lives it, and says what came of it.
    pub fn run(mut self, told: &mut dyn FnMut(f64) -> bool) -> Outcome {
        let last_ms = self.end_ms + AFTER_MS;
        self.outcome.is_whole = true;
        for step in 0..=last_ms / STEP_MS {
            self.now_ms = step * STEP_MS;
            self.step();
            if step % TOLD_STEPS == 0 && !told(f64::from(self.now_ms) / f64::from(last_ms)) {
                self.outcome.is_whole = false;
                break;
            }
        }
        self.outcome.lived_s = self.now_ms / 1_000;
        self.sums()
    }

    fn step(&mut self) {
        self.nodes.iter_mut().for_each(Machine::works);
        self.program.cuts(self.now_ms);
        if self.now_ms.is_multiple_of(1_000) {
            self.second();
        }
        self.breaks();
        self.is_attacked();
        while let Some(person) = self.arrivals.before(self.now_ms + STEP_MS) {
            self.people.push(person);
            self.comes((self.people.len() - 1) as u32);
        }
        for (Whose { who, connection }, moment) in self.wheel.take(self.now_ms) {
            let is_of_now = self.people[who as usize].connection == connection;
            match moment {
                Moment::Come => self.comes(who),
                Moment::Take => self.takes_ticket(who),
                Moment::Ask => self.asks(who),
                Moment::Claim => self.claims(who),
                Moment::Hear if is_of_now => self.hears(who),
                Moment::Rejoin if is_of_now => self.rejoins(who),
                Moment::Hears if is_of_now => self.goes_on_hearing(who),
                Moment::Hear | Moment::Rejoin | Moment::Hears => {}
                Moment::Leave => self.leaves(who),
                Moment::Polls => self.polls(who),
                Moment::HangsUp => self.tell(who, Happened::Closed),
            }
        }
    }

    /// What a node's clock brings about.
    fn second(&mut self) {
        let second = self.now_ms / 1_000;
        if self.now_ms == self.end_ms {
            self.ends();
        }
        let asked = self.asked_within();
        self.door.tick(self.time(), second);
        self.draws();
        let settled = self.by_rank.len();
        self.settles();
        while let Some(output) = self.door.poll_output() {
            if let Output::Lapsed { serial, .. } = output {
                self.lapses(serial);
            }
        }
        self.calls(&asked, settled);
        self.looks();
        self.works_off_polls();
        self.is_judged();
        self.is_noted(second);
    }

    /// Within what those ask who are so far from the front, in milliseconds, as they were told last.
    fn asked_within(&self) -> [u32; AHEAD.len()] {
        AHEAD.map(|ahead| {
            let rank = (self.door.now_serving() + ahead).min((self.by_rank.len() as u64).saturating_sub(1));
            let who = self.by_rank.get(rank as usize).filter(|who| **who != u32::MAX);
            let place = who.and_then(|who| self.place(*who));
            let standing = place.map_or(Standing::AtDoor, |place| self.door.standing(place, 0.0));
            ask_again(standing, 1.0).as_millis() as u32
        })
    }

    /// Where somebody stands.
    pub fn place(&self, who: u32) -> Option<Place> {
        let person = &self.people[who as usize];
        let ticket = Issued { serial: person.serial, second: person.second };
        self.door.place(self.time(), ticket).ok()
    }

    fn draws(&mut self) {
        if self.door.to_draw().is_none() {
            return;
        }
        self.door.hold_draw(&self.lot).expect("the list is closed");
        let tickets = u64::from(self.door.arrivals().issued());
        for who in &self.holders {
            let drawn = Standing::BeforeDraw { draw_in_s: 0.0, tickets };
            let looks_in_ms = ask_again(drawn, jitter(*who)).as_millis() as u32;
            self.people[*who as usize].looks_ms = self.now_ms + looks_in_ms;
        }
    }

    /// Ranks of tickets whose second is over.
    fn settles(&mut self) {
        if self.door.to_draw().is_some() || self.door.snapshot().draw.is_none_or(|draw| draw.held.is_none()) {
            return;
        }
        let (from, to) = (self.by_rank.len(), self.door.arrivals().settled() as usize);
        self.by_rank.resize(to.max(from), u32::MAX);
        for serial in from..to {
            let who = self.holders[serial];
            let rank = match self.place(who) {
                Some(Place::InLine { rank, .. } | Place::Called { rank }) => rank.0 as usize,
                Some(Place::NotDrawn | Place::Settling) | None => usize::MAX,
            };
            match self.by_rank.get_mut(rank) {
                Some(place) if *place == u32::MAX => {
                    *place = who;
                    self.people[who as usize].rank = rank as u32;
                }
                Some(_) | None => self.complain(format!("the ticket {serial} has no rank of its own")),
            }
        }
    }

    /// Whoever is called asks when they were told to ask again.
    fn calls(&mut self, asked_ms: &[u32; AHEAD.len()], settled: usize) {
        self.called = self.door.now_serving();
        let called = (self.called as usize).min(self.by_rank.len());
        let before = self.told;
        for rank in before..called {
            let who = self.by_rank[rank];
            if who == u32::MAX {
                continue;
            }
            let ahead = (rank - before) as u64;
            let at = AHEAD.iter().rposition(|from| *from <= ahead).unwrap_or_default();
            // Who is called with their rank finds it when they look, as they do by then.
            let within_ms = if rank < settled { f64::from(asked_ms[at]) * jitter(who) } else { 0.0 };
            self.is_called(who, within_ms);
        }
        self.told = called.max(before);
    }

    fn is_called(&mut self, who: u32, within_ms: f64) {
        let waits_ms = (within_ms * self.dice.even()) as u32;
        let (now_ms, person) = (self.now_ms, &mut self.people[who as usize]);
        if person.doing != Doing::Waiting || person.is_ghost() {
            return;
        }
        let mut at_ms = person.looks_ms.max(now_ms.saturating_add(waits_ms));
        if person.is_sleeper {
            at_ms = at_ms.max(now_ms.saturating_add(self.dice.exponential_ms(SLEEP_S) as u32));
        }
        self.put(at_ms, who, Moment::Ask);
    }

    fn looks(&mut self) {
        let there = self.nodes.iter().filter(|node| node.is_there(self.now_ms)).count().max(1) as u64;
        let wanting = self.door.wanting() / there;
        let (now_ms, nodes) = (self.now_ms, &mut self.nodes);
        let cap = nodes.iter_mut().map(|node| node.looks(now_ms, wanting)).sum();
        self.door.set_cap(cap);
        self.outcome.cap_max = self.outcome.cap_max.max(cap);
    }

    /// Seats of all nodes that are taken.
    pub fn inside(&self) -> u64 {
        self.nodes.iter().map(|node| node.seats().taken()).sum()
    }

    fn works_off_polls(&mut self) {
        let polls = std::mem::take(&mut self.polls);
        self.outcome.polls += polls;
        let each_us = polls as f64 / self.nodes.len() as f64 * self.scenario.measured.place_us;
        self.nodes.iter_mut().for_each(|node| node.is_asked(each_us));
    }

    fn is_judged(&mut self) {
        let verdict = self.guarded.second(self.now_ms);
        let at_s = (i64::from(self.now_ms) - i64::from(self.start_ms)) / 1_000;
        let (kind, self_inflicted) = (verdict.kind.word(), verdict.self_inflicted);
        self.digest.update(kind);
        match self.outcome.verdicts.last_mut() {
            Some(held) if held.kind == kind && held.self_inflicted == self_inflicted => {
                held.to_s = at_s;
                held.confidence = held.confidence.max(verdict.confidence);
            }
            Some(_) | None => {
                let confidence = verdict.confidence;
                self.outcome.verdicts.push(Held {
                    from_s: at_s,
                    to_s: at_s,
                    kind,
                    self_inflicted,
                    confidence,
                });
            }
        }
    }

    fn is_noted(&mut self, second: u32) {
        let books = self.door.books();
        let (taken, cap, listening) = (self.door.seats().taken(), self.door.seats().cap(), self.inside());
        let (tickets, now_serving) = (books.arrived(), self.door.now_serving());
        let is_told = books.is_balanced() && books.count(Column::Seated) == taken;
        let is_known = tickets == self.holders.len() as u64 && listening == self.placed;
        self.outcome.books_balanced &= is_told && is_known;
        let beyond = self.nodes.iter().map(Machine::beyond_measured).sum();
        self.outcome.beyond_measured = self.outcome.beyond_measured.max(beyond);
        self.outcome.seated_max = self.outcome.seated_max.max(taken);
        let waiting = books.count(Column::Waiting);
        for figure in [tickets, now_serving, taken, cap, listening, waiting] {
            self.digest.update(figure.to_be_bytes());
        }
        if second.is_multiple_of(COURSE_S) {
            let waited = self.nodes.iter_mut().map(Machine::waited_max_ms).fold(0.0, f64::max);
            let ladder = self.nodes.iter().map(Machine::step).max().unwrap_or_default();
            let at_s = i64::from(second) - i64::from(self.start_ms / 1_000);
            let answer_ms = waited as u32;
            let moment = outcome::Moment {
                at_s,
                tickets,
                now_serving,
                waiting,
                taken,
                listening,
                cap,
                ladder,
                answer_ms,
            };
            self.outcome.course.push(moment);
        }
    }

    /// The guard is told of something that somebody did, if it sees them.
    pub fn tell(&mut self, who: u32, happened: Happened) {
        if let Some(from) = self.guarded.sees(who) {
            self.guarded.tell(self.now_ms, from, happened);
        }
    }

    /// The same of a request.
    pub fn tell_asked(&mut self, who: u32, asked: (What, Became, u32)) {
        if let Some(from) = self.guarded.sees(who) {
            self.guarded.asked(self.now_ms, from, asked);
        }
    }

    fn sums(mut self) -> Outcome {
        let books = self.door.books();
        self.outcome.tickets = books.arrived();
        self.outcome.never_claimed = books.left(Departure::NeverClaimed);
        let from_ms = self.people.first().map_or(self.start_ms, |first| first.came_ms.max(self.start_ms));
        let late_ms = self.first_heard_ms.map(|heard_ms| heard_ms.saturating_sub(from_ms));
        self.outcome.started_late_s = late_ms.map(|ms| f64::from(ms) / 1_000.0);
        self.outcome.people = self.people.len() as u64;
        let drawn = self.scenario.evening.door_opens_before_s - DRAW_BEFORE_S;
        let in_order = |two: &[u32]| {
            let [one, other] =
                [two[0], two[1]].map(|who| self.people.get(who as usize).map(|person| person.second));
            one.is_some() && other.is_some() && (other < Some(drawn) || one <= other)
        };
        if !self.by_rank.windows(2).all(in_order) {
            self.complain("somebody who came late is before somebody who came earlier".to_owned());
        }
        self.outcome.order_kept = self.outcome.wrong.is_empty();
        self.outcome.digest =
            self.digest.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        self.outcome
    }

    /// Something is not as it must be.
    pub fn complain(&mut self, what: String) {
        if self.outcome.wrong.len() < 10 {
            self.outcome.wrong.push(what);
        }
    }

    /// What somebody got, for the digest.
    pub fn is_told(&mut self, who: u32, figures: [u64; 2]) {
        self.digest.update(who.to_be_bytes());
        figures.iter().for_each(|figure| self.digest.update(figure.to_be_bytes()));
    }

    /// The moment, as the rules count it.
    pub fn time(&self) -> Time {
        Time::from_millis(self.now_ms.into())
    }

    /// When boarding begins, in milliseconds.
    pub fn boards_ms(&self) -> u32 {
        self.start_ms - BOARDING_FROM_S as u32 * 1_000
    }
}

/// How often somebody asks, from 0.8 to 1.2 of what is told.
pub(super) fn jitter(who: u32) -> f64 {
    0.8 + 0.4 * f64::from(who.wrapping_mul(0x9e37_79b1) >> 8) / f64::from(1_u32 << 24)
}
