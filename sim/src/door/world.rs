//! The world: a queue of moments, a million people, one node.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use tribune_core::door::doorkeeper::{Claim, Place};
use tribune_core::door::poll::{Standing, ask_again};
use tribune_core::door::seats::Connection;
use tribune_core::door::ticket::Holder;

use super::Planted;
use super::node::Node;
use super::oracle::{Outcome, Waits, Watch};
use super::person::{Doing, Nature, Person, Told};
use super::story::{DRAW_BEFORE_S, Story};
use crate::dice::Dice;

/// Somebody who gets no answer asks again after this, in milliseconds.
const TIMEOUT_MS: u64 = 4_000;
/// How long a message takes, in milliseconds.
const WAY_MS: (u64, u64) = (15, 350);
/// A player acknowledges bytes this often, in milliseconds; a real one does so all the time.
const HEARD_MS: u64 = 14_000;
/// A lost connection is back after this, in milliseconds.
const BACK_MS: (u64, u64) = (1_000, 35_000);
/// A sleeping phone wakes after this on average, in seconds.
const SLEEP_S: f64 = 240.0;
/// Whoever has left must have lost their seat by then, in milliseconds.
const GONE_MS: u64 = 100_000;
/// After the start, a restart, a raised cap or a moved start the seats have so long to fill, in seconds.
const FILLING_S: u64 = 45;
/// After the start, the measure of who comes needs so long, in seconds.
const STARTING_S: u64 = 60;
/// Of so many tickets, a connection without one comes.
const LOOSE_EVERY: u64 = 40;

/// Something that happens to one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    /// A request for a ticket reaches the node.
    Come,
    /// A claim reaches the node.
    Ask,
    /// The same claim reaches it once more.
    Echo,
    /// A player shows its pass.
    Join,
    /// A player acknowledges bytes.
    Heard,
    /// Whoever left must have no seat any more.
    Check,
    /// A connection without a ticket comes.
    Loose,
    /// One that was seated goes.
    LooseGone,
}

/// A node and its people.
pub struct World {
    story: Story,
    node: Node,
    watch: Watch,
    dice: Dice,
    people: Vec<Person>,
    queue: BinaryHeap<Reverse<(u64, u32, Moment)>>,
    now_ms: u64,
    /// People who are awake, have a ticket and no seat.
    waiting_awake: u64,
    judged_from_s: u64,
    down_until_ms: Option<u64>,
    loose_seated: Vec<u32>,
}

impl World {
    /// The evening of this story.
    pub fn new(story: Story, planted: Planted) -> Self {
        let mut world = Self {
            node: Node::new(&story, planted),
            watch: Watch::default(),
            dice: Dice::new(story.seed ^ 0x0d00_0d00),
            people: Vec::with_capacity(story.people as usize),
            queue: BinaryHeap::new(),
            now_ms: 0,
            waiting_awake: 0,
            judged_from_s: u64::from(story.starts_s()) + STARTING_S,
            down_until_ms: None,
            loose_seated: Vec::new(),
            story,
        };
        (0..world.story.people).for_each(|_| world.invite());
        let loose = u64::from(world.story.people) / LOOSE_EVERY;
        for n in 0..loose {
            let at_ms = world.dice.between(0, u64::from(world.story.end_s) * 1_000);
            world.queue.push(Reverse((at_ms, n as u32, Moment::Loose)));
        }
        world
    }

    /// Lives it.
    pub fn run(mut self) -> Outcome {
        for second in 0..u64::from(self.story.end_s) {
            self.now_ms = second * 1_000;
            self.trouble(second as u32);
            self.tick(second);
            while let Some(Reverse((at_ms, _, _))) = self.queue.peek() {
                if *at_ms >= (second + 1) * 1_000 {
                    break;
                }
                let Some(Reverse((at_ms, who, moment))) = self.queue.pop() else { break };
                self.now_ms = at_ms;
                self.happen(who, moment);
            }
        }
        let Some(door) = self.node.door() else { return Outcome::default() };
        let (arrivals, said) = (door.arrivals().clone(), door.snapshot());
        self.node.end();
        self.watch.judge(&arrivals, &said)
    }

    /// Somebody who will come.
    fn invite(&mut self) {
        let dice = &mut self.dice;
        let nature = if dice.chance(self.story.ghosts_percent) {
            Nature::Ghost
        } else if dice.chance(self.story.sleepers_percent) {
            Nature::Sleeper
        } else {
            Nature::Awake
        };
        let ms = |seconds: u32| u64::from(seconds) * 1_000;
        let (start_ms, end_ms) = (ms(self.story.starts_s()), ms(self.story.end_s));
        let at_ms = if dice.chance(self.story.early_percent) {
            dice.between(0, start_ms)
        } else if dice.chance(50) {
            dice.between(start_ms, (start_ms + 600_000).min(end_ms))
        } else {
            dice.between(start_ms, end_ms)
        };
        let jitter = 0.8 + 0.4 * dice.between(0, 65_535) as f32 / 65_535.0;
        let person = Person {
            nature,
            doing: Doing::Coming,
            ticket: None,
            generation: 0,
            jitter,
            skew_ms: Story::skew_ms(dice) as i32,
            patient_until_ms: at_ms.max(start_ms) + dice.exponential_ms(self.story.patience_s),
            stays_until_ms: u64::MAX,
            first_told: None,
            any_told: None,
            tellings: 0,
            seated_once: false,
        };
        let who = self.people.len() as u32;
        self.people.push(person);
        self.queue.push(Reverse((at_ms, who, Moment::Come)));
    }

    /// What the host, the clock and the machine do at this second.
    fn trouble(&mut self, second: u32) {
        if self.down_until_ms.is_some_and(|until_ms| self.now_ms >= until_ms) {
            self.down_until_ms = None;
            self.node.start(self.now_ms);
            self.fill_anew(30);
        }
        if let Some((_, down_s)) = self.story.kills.iter().find(|(at, _)| *at == second) {
            self.down_until_ms = Some(self.now_ms + u64::from(*down_s) * 1_000);
            self.node.kill();
            self.watch.killed();
            self.loose_seated.clear();
        }
        if let Some((_, cap)) = self.story.caps.iter().find(|(at, _)| *at == second).copied() {
            if cap > self.node.cap() {
                // Those far behind ask once a minute.
                self.fill_anew(45);
            }
            self.node.set_cap(cap);
        }
        if let Some((_, by_ms)) = self.story.clock_set.iter().find(|(at, _)| *at == second) {
            self.node.set_clock(*by_ms);
            // Until the start the clock on the wall is what everything goes by.
            let start_ms = i64::from(self.story.starts_s()) * 1_000 - by_ms;
            self.judged_from_s =
                self.judged_from_s.max((start_ms.max(0) / 1_000).unsigned_abs() + STARTING_S);
        }
        if let Some((_, to)) = self.story.start_moved.filter(|(at, _)| *at == second) {
            self.node.set_start(to);
        }
    }

    fn fill_anew(&mut self, more_s: u64) {
        self.judged_from_s = self.judged_from_s.max(self.now_ms / 1_000 + FILLING_S + more_s);
    }

    fn tick(&mut self, second: u64) {
        for (serial, why) in self.node.tick(self.now_ms) {
            self.watch.lapsed(serial, why);
        }
        let judged = second >= self.judged_from_s && self.down_until_ms.is_none();
        let waits = if judged { Waits::Judged { people: self.waiting_awake } } else { Waits::NotJudged };
        self.watch.tick(&self.node, waits);
    }

    fn happen(&mut self, who: u32, moment: Moment) {
        match moment {
            Moment::Come => self.come(who),
            Moment::Ask => self.ask(who),
            Moment::Echo => self.echo(who),
            Moment::Join => self.join(who),
            Moment::Heard => self.heard(who),
            Moment::Check => self.check_gone(who),
            Moment::Loose => self.come_loose(who),
            Moment::LooseGone => self.go_loose(who),
        }
    }

    /// Whoever left long ago has no seat; one that the node keeps for nobody is seen here.
    fn check_gone(&mut self, who: u32) {
        let person = &self.people[who as usize];
        let Some(ticket) = person.ticket else { return };
        if person.doing == Doing::Gone || self.node.leaks(ticket.serial) {
            self.watch.still_inside(ticket.serial);
        }
    }

    fn come(&mut self, who: u32) {
        let holder = Holder(std::array::from_fn(|place| (who >> (8 * (place % 4))) as u8));
        let lost = self.dice.chance(self.story.lost_percent);
        let issued = if lost { None } else { self.node.issue(self.now_ms, holder) };
        let Some(ticket) = issued else { return self.again(who, Moment::Come, TIMEOUT_MS) };
        self.watch.message();
        self.watch.issued(ticket);
        if self.dice.chance(self.story.doubled_percent) {
            // Without a cookie yet, the second one is another visitor, whom nobody ever sees.
            if let Some(ghost) = self.node.issue(self.now_ms, holder) {
                self.watch.issued(ghost);
            }
        }
        let person = &mut self.people[who as usize];
        person.ticket = Some(ticket);
        match person.nature {
            Nature::Ghost => person.doing = Doing::Gone,
            Nature::Awake | Nature::Sleeper => {
                self.wait(who, Doing::Waiting);
                self.again(who, Moment::Ask, 100);
            }
        }
    }

    fn ask(&mut self, who: u32) {
        let person = self.people[who as usize];
        let Some(ticket) = person.ticket.filter(|_| person.doing == Doing::Waiting) else { return };
        if self.now_ms > person.patient_until_ms {
            return self.wait(who, Doing::Gone);
        }
        if self.dice.chance(self.story.lost_percent) {
            return self.again(who, Moment::Ask, TIMEOUT_MS);
        }
        self.watch.message();
        let published = self.node.published();
        let Some((claim, rank)) = self.node.claim(self.now_ms, ticket) else {
            return self.again(who, Moment::Ask, TIMEOUT_MS);
        };
        let unheard = self.dice.chance(self.story.lost_percent);
        if self.dice.chance(self.story.doubled_percent) {
            self.again(who, Moment::Echo, 0);
        }
        match claim {
            Claim::NotYet(place) => self.told(who, place, published, unheard),
            Claim::Seated { generation, .. } => {
                self.watch.seated(ticket, rank, &self.node);
                if unheard { self.again(who, Moment::Ask, TIMEOUT_MS) } else { self.sit(who, generation) }
            }
            Claim::Full => {
                self.watch.turned();
                self.ask_later(who, Standing::AtDoor);
            }
            Claim::Ended => self.wait(who, Doing::Gone),
        }
    }

    /// Somebody hears where they stand.
    fn told(&mut self, who: u32, place: Place, published: u64, unheard: bool) {
        let Some(ticket) = self.people[who as usize].ticket else { return };
        if let Place::InLine { rank, eta, .. } = place {
            self.watch.told_rank(ticket, rank);
            self.watch.told_to_wait(rank, published);
            let told = eta.map(|range| Told { at_ms: self.now_ms, range });
            let person = &mut self.people[who as usize];
            if let Some(told) = told.filter(|_| !unheard && !person.seated_once) {
                person.tellings += 1;
                person.first_told.get_or_insert(told);
                if self.dice.between(1, u64::from(person.tellings)) == 1 {
                    person.any_told = Some(told);
                }
            }
        }
        let draw_s = self.story.starts_s().saturating_sub(DRAW_BEFORE_S);
        let clock_ms = self.now_ms as i64 + i64::from(self.people[who as usize].skew_ms);
        let draw_in_s = (i64::from(draw_s) * 1_000 - clock_ms) as f64 / 1_000.0;
        let Some(door) = self.node.door() else { return };
        let standing = door.standing(place, draw_in_s);
        self.ask_later(who, standing);
    }

    fn ask_later(&mut self, who: u32, standing: Standing) {
        let person = self.people[who as usize];
        let polite_ms = ask_again(standing, f64::from(person.jitter)).as_millis() as u64;
        let wait_ms = match person.nature {
            Nature::Sleeper => polite_ms.max(self.dice.exponential_ms(SLEEP_S)),
            Nature::Awake | Nature::Ghost => polite_ms,
        };
        self.again(who, Moment::Ask, wait_ms);
    }

    /// A claim that came twice raises the pass, so that the first answer's is displaced.
    fn echo(&mut self, who: u32) {
        let Some(ticket) = self.people[who as usize].ticket else { return };
        if let Some((Claim::Seated { .. }, rank)) = self.node.claim(self.now_ms, ticket) {
            self.watch.seated(ticket, rank, &self.node);
        }
    }

    fn sit(&mut self, who: u32, generation: u32) {
        self.wait(who, Doing::Inside);
        let stay_ms = self.dice.exponential_ms(self.story.stay_s);
        let first = !std::mem::replace(&mut self.people[who as usize].seated_once, true);
        let person = &mut self.people[who as usize];
        person.generation = generation;
        if first {
            person.stays_until_ms = self.now_ms + stay_ms;
            let person = *person;
            self.watch.held(&person, self.now_ms);
        }
        self.again(who, Moment::Join, 300);
    }

    fn join(&mut self, who: u32) {
        let person = self.people[who as usize];
        let Some(ticket) = person.ticket.filter(|_| person.doing == Doing::Inside) else { return };
        if self.now_ms >= person.stays_until_ms {
            return self.go(who);
        }
        self.watch.message();
        let connection = Connection(u64::from(who));
        if self.node.join(self.now_ms, (ticket.serial, person.generation), connection) {
            self.watch.seated(ticket, None, &self.node);
            self.again(who, Moment::Heard, HEARD_MS);
        } else if self.node.door().is_some() {
            // Displaced by an echo, or lapsed while away: the ticket takes the seat again.
            self.wait(who, Doing::Waiting);
            self.again(who, Moment::Ask, 200);
        } else {
            self.again(who, Moment::Join, TIMEOUT_MS);
        }
    }

    fn heard(&mut self, who: u32) {
        let person = self.people[who as usize];
        let Some(ticket) = person.ticket.filter(|_| person.doing == Doing::Inside) else { return };
        if self.now_ms >= person.stays_until_ms {
            return self.go(who);
        }
        let dropped = self.dice.chance(self.story.lost_percent);
        if dropped || !self.node.heard(self.now_ms, (ticket.serial, person.generation)) {
            let back_ms = self.dice.between(BACK_MS.0, BACK_MS.1);
            return self.again(who, Moment::Join, back_ms);
        }
        self.watch.seated(ticket, None, &self.node);
        let wait_ms = HEARD_MS.min(person.stays_until_ms - self.now_ms);
        self.queue.push(Reverse((self.now_ms + wait_ms.max(1), who, Moment::Heard)));
    }

    fn go(&mut self, who: u32) {
        let Some(ticket) = self.people[who as usize].ticket else { return };
        if self.node.leaks(ticket.serial) {
            // The node takes them for somebody who still listens.
            let pass = (ticket.serial, self.people[who as usize].generation);
            self.node.heard(self.now_ms, pass);
            self.people[who as usize].stays_until_ms = u64::MAX;
            self.queue.push(Reverse((self.now_ms + HEARD_MS, who, Moment::Heard)));
            self.queue.push(Reverse((self.now_ms + GONE_MS, who, Moment::Check)));
            return;
        }
        self.wait(who, Doing::Gone);
        self.queue.push(Reverse((self.now_ms + GONE_MS, who, Moment::Check)));
    }

    fn come_loose(&mut self, who: u32) {
        let Some(seated) = self.node.come_without_ticket(Connection(u64::from(who) + (1 << 40))) else {
            return;
        };
        self.watch.came_loose(seated, &self.node);
        if seated {
            self.loose_seated.push(who);
            let stay_ms = self.dice.exponential_ms(self.story.stay_s);
            self.again(who, Moment::LooseGone, stay_ms);
        }
    }

    fn go_loose(&mut self, who: u32) {
        let Some(place) = self.loose_seated.iter().position(|seated| *seated == who) else { return };
        self.loose_seated.swap_remove(place);
        self.node.go_without_ticket(Connection(u64::from(who) + (1 << 40)));
        self.watch.went_loose();
    }

    fn wait(&mut self, who: u32, doing: Doing) {
        let person = &mut self.people[who as usize];
        let counts = |doing| u64::from(doing == Doing::Waiting);
        if person.nature == Nature::Awake {
            self.waiting_awake = self.waiting_awake + counts(doing) - counts(person.doing);
        }
        person.doing = doing;
    }

    fn again(&mut self, who: u32, moment: Moment, wait_ms: u64) {
        let way_ms = self.dice.between(WAY_MS.0, WAY_MS.1);
        self.queue.push(Reverse((self.now_ms + wait_ms + way_ms, who, moment)));
    }
}
