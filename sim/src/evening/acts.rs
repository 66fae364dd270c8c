//! What people do: come, wait, ask, hear, lose the connection, leave.

use tribune_core::door::arrivals::Issued;
use tribune_core::door::doorkeeper::{Claim, Place};
use tribune_core::door::overload::Class;
use tribune_core::door::poll::{Standing, ask_again};
use tribune_core::door::seats::Connection;
use tribune_core::door::ticket::Holder;
use tribune_core::guard::live::{Happened, Outcome as Became, What};

use super::crowd::{Doing, even};
use super::machine::Answer;
use super::wheel::Moment;
use super::world::{World, jitter};

/// Nobody waits longer for an answer, in milliseconds.
const ANSWER_MS_MAX: f64 = 20_000.0;
/// Who got none tries again after this, in milliseconds.
const TRIES_AGAIN_MS: u32 = 3_000;
/// Who was put off comes after this to twice as long, in milliseconds: as the node tells them.
const PUT_OFF_MS: u32 = 4_000;
/// A page whose connection was cut off comes again within this, in milliseconds (`web/wire/pace.ts`).
const REJOINS_MS: u64 = 500;
/// Who lost their seat's connection has it for so long, in milliseconds.
const SEAT_KEPT_MS: u32 = 60_000;
/// What a page's player holds, in milliseconds.
const HELD_MS: u32 = 960;
/// A listener of the guard's sample says so often that they hear, in milliseconds, and how many parts it was.
const TOLD_MS: u32 = 9_920;
const TOLD_PARTS: u16 = 31;
/// A page's connection is kept for so long after the last answer, in milliseconds.
const KEPT_MS: u32 = 5_000;
/// A page needs so many more files.
const ASSETS: usize = 3;

impl World<'_> {
    /// The page, and with it a ticket.
    pub fn comes(&mut self, who: u32) {
        let measured = &self.scenario.measured;
        let page_us = measured.handshake_us + measured.page_us;
        let ticket_us = measured.ticket_us;
        self.tell(who, Happened::Opened);
        self.tell(who, Happened::Handshake);
        let is_answered = self.is_answered(who, (Class::Page, What::Page), page_us)
            && self.is_answered(who, (Class::Ticket, What::Ticket), ticket_us);
        if !is_answered {
            self.tell(who, Happened::Closed);
            let again_ms = self.comes_again_ms();
            return self.wheel.put(self.now_ms + again_ms, who, Moment::Come);
        }
        (0..ASSETS).for_each(|_| self.tell_asked(who, What::Asset, Became::Served));
        if self.guarded.sees(who).is_some() {
            self.wheel.put(self.now_ms + KEPT_MS, who, Moment::HangsUp);
        }
        self.takes_ticket(who);
    }

    fn takes_ticket(&mut self, who: u32) {
        let holder = Holder(std::array::from_fn(|place| (who >> (8 * (place % 4))) as u8));
        let second = self.now_ms / 1_000;
        let person = &mut self.people[who as usize];
        match self.door.issue(second, holder) {
            Ok(Issued { serial, second }) => {
                (person.serial, person.second, person.doing) = (serial, second, Doing::Waiting);
                // A later ticket is looked at when its second is over.
                person.looks_ms = self.now_ms + 1_000;
                self.holders.push(who);
                if self.guarded.sees(who).is_some() && person.patient_until_ms > 0 {
                    self.wheel.put(self.now_ms + 1_000, who, Moment::Polls);
                }
            }
            // The room is over, or has no ticket left.
            Err(_) => person.doing = Doing::Gone,
        }
    }

    /// Somebody asks their node; whether they are answered as they wanted.
    fn is_answered(&mut self, who: u32, (class, what): (Class, What), cost_us: f64) -> bool {
        let lot = self.dice.bits() as u8;
        let node = self.front(who);
        let answer = self.nodes[node].asks(self.now_ms, (class, lot), cost_us);
        self.is_well(who, what, answer)
    }

    fn is_well(&mut self, who: u32, what: What, answer: Answer) -> bool {
        match answer {
            Answer::After(ms) if ms <= ANSWER_MS_MAX => {
                self.tell_asked(who, what, Became::Served);
                true
            }
            Answer::After(_) | Answer::Nobody => {
                self.outcome.error_pages += 1;
                self.tell_asked(who, what, Became::Left);
                false
            }
            Answer::PutOff => {
                self.outcome.put_off += 1;
                self.tell_asked(who, what, Became::PutOff);
                false
            }
        }
    }

    fn comes_again_ms(&mut self) -> u32 {
        PUT_OFF_MS + (even(&mut self.dice) * f64::from(PUT_OFF_MS)) as u32
    }

    /// The node that somebody asks: always the same one, and the next that is there when it is not.
    fn front(&self, who: u32) -> usize {
        let count = self.nodes.len();
        let first = (who / self.scenario.crowd.people_per_address) as usize % count;
        let order = (0..count).map(|step| (first + step) % count);
        order.into_iter().find(|node| self.nodes[*node].is_there(self.now_ms)).unwrap_or(first)
    }

    /// Somebody who is called claims their seat.
    pub fn asks(&mut self, who: u32) {
        let person = self.people[who as usize];
        if person.doing != Doing::Waiting {
            return;
        }
        if self.now_ms > person.patient_until_ms && !person.was_in {
            self.outcome.gave_up += 1;
            self.people[who as usize].doing = Doing::Gone;
            return;
        }
        if !self.is_answered(who, (Class::Claim, What::Claim), self.scenario.measured.claim_us) {
            let again_ms = self.comes_again_ms();
            return self.wheel.put(self.now_ms + again_ms, who, Moment::Ask);
        }
        let ticket = Issued { serial: person.serial, second: person.second };
        let place = self.place(who);
        match self.door.claim(self.time(), ticket) {
            Ok(Claim::Seated { generation, .. }) => {
                if !matches!(place, Some(Place::Called { rank }) if rank.0 < self.door.now_serving()) {
                    self.complain(format!("the ticket {} was let in before its turn", person.serial));
                }
                self.people[who as usize].generation = generation;
                self.sits(who);
            }
            Ok(Claim::Full) => {
                self.outcome.found_full += 1;
                self.asks_again(who, Standing::AtDoor);
            }
            Ok(Claim::NotYet(place)) => self.asks_again(who, self.door.standing(place, 0.0)),
            Ok(Claim::Ended) => {}
            Err(wrong) => self.complain(format!("the ticket {} is refused: {wrong}", person.serial)),
        }
    }

    fn asks_again(&mut self, who: u32, standing: Standing) {
        let wait_ms = ask_again(standing, jitter(who)).as_millis() as u32;
        self.wheel.put(self.now_ms + wait_ms, who, Moment::Ask);
    }

    /// Somebody has a seat, and asks for the program.
    fn sits(&mut self, who: u32) {
        let Some(node) = self.finds_node(who) else {
            self.outcome.found_full += 1;
            return self.asks_again(who, Standing::AtDoor);
        };
        let boards_ms = self.boards_ms();
        let person = &mut self.people[who as usize];
        if !std::mem::replace(&mut person.was_in, true) {
            self.outcome.seated += 1;
            self.outcome.waited_ms.add(self.now_ms - person.came_ms.max(boards_ms).min(self.now_ms));
        }
        (person.doing, person.since_ms) = (Doing::Seated, self.now_ms);
        self.begins(who, node);
    }

    /// Of two nodes by lot the one with more room; any with some, if those have none.
    fn finds_node(&mut self, who: u32) -> Option<usize> {
        let last = self.nodes.len() as u64 - 1;
        let [one, other] = [(); 2].map(|()| self.dice.between(0, last) as usize);
        let room = |node: &usize| match self.nodes[*node].is_there(self.now_ms) {
            true => self.nodes[*node].seats().free(),
            false => 0,
        };
        let best = [one, other].into_iter().max_by_key(room).filter(|node| room(node) > 0);
        let node = best.or_else(|| (0..self.nodes.len()).find(|node| room(node) > 0))?;
        let seats = self.nodes[node].seats();
        let over = seats.taken() >= seats.cap();
        self.outcome.over_cap += u64::from(over);
        if !self.nodes[node].takes(who) {
            return None;
        }
        self.people[who as usize].node = node as u16;
        Some(node)
    }

    /// The program is asked for, where the seat is.
    fn begins(&mut self, who: u32, node: usize) {
        let measured = &self.scenario.measured;
        let (cost_us, lot) = (measured.handshake_us + measured.begin_us, self.dice.bits() as u8);
        let answer = self.nodes[node].asks(self.now_ms, (Class::Seated, lot), cost_us);
        self.tell(who, Happened::Opened);
        self.tell(who, Happened::Handshake);
        let is_well = self.is_well(who, What::Begin, answer);
        let Answer::After(waited_ms) = answer else {
            self.nodes[node].releases(who);
            self.tell(who, Happened::Closed);
            self.people[who as usize].doing = Doing::Cut;
            return self.wheel.put(self.now_ms + TRIES_AGAIN_MS, who, Moment::Rejoin);
        };
        let [nearest, farthest] = self.scenario.crowd.way_ms;
        // The connection, its handshake, and the request: three times there and back.
        let way_ms = 3 * self.dice.between(nearest.into(), farthest.into()) as u32;
        let heard_until_ms = self.people[who as usize].since_ms;
        let is_back = self.people[who as usize].doing == Doing::Cut;
        let part = if is_back { self.program.goes_on(heard_until_ms) } else { self.program.begins() };
        let part_ms = if part.is_some() { 0 } else { self.program.next_in_ms(self.now_ms) };
        let sound_ms = waited_ms as u32 + way_ms + part_ms;
        let asked_ms = self.people[who as usize].since_ms;
        if is_back {
            let silent_ms = (self.now_ms + sound_ms - asked_ms).saturating_sub(HELD_MS);
            if silent_ms > 0 {
                self.outcome.gaps_ms.add(silent_ms);
            }
        } else if is_well {
            self.outcome.first_sound_ms.add(self.now_ms - asked_ms + sound_ms);
        }
        self.is_told(who, [node as u64, part.map_or(u64::MAX, |part| part.0)]);
        self.wheel.put(self.now_ms + sound_ms, who, Moment::Hear);
    }

    /// Somebody has the first sound.
    pub fn hears(&mut self, who: u32) {
        let person = self.people[who as usize];
        if !matches!(person.doing, Doing::Seated | Doing::Cut) || self.now_ms >= self.end_ms {
            return;
        }
        let (time, pass) = (self.time(), (person.serial, person.generation));
        if self.door.join(time, pass, Connection(who.into())).is_err() {
            self.nodes[usize::from(person.node)].releases(who);
            return self.waits_again(who);
        }
        let end_ms = self.end_ms;
        let person = &mut self.people[who as usize];
        if person.doing == Doing::Seated && person.leaves_ms != u32::MAX {
            // From how long they stay to when they leave.
            person.leaves_ms = self.now_ms.saturating_add(person.leaves_ms);
            self.wheel.put(person.leaves_ms.min(end_ms + 1_000), who, Moment::Leave);
        }
        person.doing = Doing::Hearing;
        self.hear_until(who);
        if self.outcome.started_late_s == 0.0 && self.outcome.first_sound_ms.count() == 1 {
            let late_ms = self.now_ms.saturating_sub(self.start_ms);
            self.outcome.started_late_s = f64::from(late_ms) / 1_000.0;
        }
        self.tell(who, Happened::StreamBegan);
        if self.guarded.sees(who).is_some() {
            self.tell(who, Happened::Heard(1));
            self.wheel.put(self.now_ms + TOLD_MS, who, Moment::Hears);
        }
    }

    /// The door is told that somebody hears until they leave, or until something is to break.
    fn hear_until(&mut self, who: u32) {
        let person = &self.people[who as usize];
        let until_ms = person.leaves_ms.min(self.next_fault_ms()).min(self.end_ms).max(self.now_ms);
        let until = tribune_core::time::Time::from_millis(until_ms.into());
        if self.door.heard(until, (person.serial, person.generation)).is_err() {
            self.complain(format!("the ticket {} lost its seat while it was heard", person.serial));
        }
    }

    /// After something broke: all others hear on.
    pub fn hear_on(&mut self) {
        for who in 0..self.people.len() as u32 {
            if self.people[who as usize].doing == Doing::Hearing {
                self.hear_until(who);
            }
        }
    }

    /// Somebody's connection broke.
    pub fn is_cut(&mut self, who: u32) {
        let person = &mut self.people[who as usize];
        if person.doing == Doing::Seated && person.leaves_ms != u32::MAX {
            // They have heard nothing yet, so that they begin to stay now.
            person.leaves_ms = self.now_ms.saturating_add(person.leaves_ms);
            self.wheel.put(person.leaves_ms.min(self.end_ms + 1_000), who, Moment::Leave);
        }
        (person.doing, person.since_ms) = (Doing::Cut, self.now_ms);
        let node = usize::from(person.node);
        self.nodes[node].releases(who);
        self.tell(who, Happened::StreamEnded);
        self.tell(who, Happened::Closed);
        let back_ms = self.dice.between(0, REJOINS_MS) as u32;
        self.wheel.put(self.now_ms + back_ms, who, Moment::Rejoin);
    }

    /// Somebody whose connection broke comes again.
    pub fn rejoins(&mut self, who: u32) {
        let person = self.people[who as usize];
        if person.doing != Doing::Cut || self.now_ms >= self.end_ms {
            return;
        }
        if self.now_ms.saturating_sub(person.since_ms) > SEAT_KEPT_MS {
            return self.waits_again(who);
        }
        match self.finds_node(who) {
            Some(node) => self.begins(who, node),
            None => {
                let again_ms = self.comes_again_ms();
                self.wheel.put(self.now_ms + again_ms, who, Moment::Rejoin);
            }
        }
    }

    /// The seat is lost; the ticket has the right to the next one.
    fn waits_again(&mut self, who: u32) {
        self.people[who as usize].doing = Doing::Waiting;
        self.wheel.put(self.now_ms + 200, who, Moment::Ask);
    }

    /// A seat has lapsed.
    pub fn lapses(&mut self, serial: u32) {
        let who = self.holders[serial as usize];
        let person = &self.people[who as usize];
        if person.doing == Doing::Hearing && person.leaves_ms > self.now_ms && self.now_ms < self.end_ms {
            self.complain(format!("the seat of ticket {serial} lapsed while it was heard"));
        }
    }

    /// Somebody leaves.
    pub fn leaves(&mut self, who: u32) {
        let person = &mut self.people[who as usize];
        if !matches!(person.doing, Doing::Hearing | Doing::Cut | Doing::Seated) {
            return;
        }
        let (serial, node, was_heard) = (person.serial, person.node, person.doing == Doing::Hearing);
        person.doing = Doing::Gone;
        self.nodes[usize::from(node)].releases(who);
        self.door.hang_up(serial, Connection(who.into()));
        if was_heard {
            self.tell(who, Happened::StreamEnded);
            self.tell(who, Happened::Closed);
        }
    }

    /// The room ends: who is in leaves, who waits hears the replay.
    pub fn ends(&mut self) {
        for who in 0..self.people.len() as u32 {
            let person = self.people[who as usize];
            match person.doing {
                Doing::Hearing | Doing::Cut | Doing::Seated => self.leaves(who),
                Doing::Waiting if person.patient_until_ms >= self.now_ms => self.outcome.replays += 1,
                Doing::Waiting | Doing::Coming | Doing::Gone => {}
            }
        }
        self.door.end();
    }

    /// Somebody of the guard's sample asks where they stand.
    pub fn polls(&mut self, who: u32) {
        let person = self.people[who as usize];
        if person.doing != Doing::Waiting
            || person.patient_until_ms < self.now_ms
            || self.now_ms >= self.end_ms
        {
            return;
        }
        self.polls += self.guarded.one_in();
        self.tell_asked(who, What::Place, Became::Waits);
        let Some(place) = self.place(who) else { return };
        let draw_s = f64::from(self.start_ms) / 1_000.0 - f64::from(super::world::DRAW_BEFORE_S);
        let standing = self.door.standing(place, draw_s - f64::from(self.now_ms) / 1_000.0);
        let wait_ms = ask_again(standing, jitter(who)).as_millis() as u32;
        self.wheel.put(self.now_ms + wait_ms, who, Moment::Polls);
    }

    /// Somebody of the guard's sample still hears.
    pub fn goes_on_hearing(&mut self, who: u32) {
        match self.people[who as usize].doing {
            Doing::Hearing => self.tell(who, Happened::Heard(TOLD_PARTS)),
            // They hear again in a moment, or wait once more.
            Doing::Cut => {}
            Doing::Coming | Doing::Waiting | Doing::Seated | Doing::Gone => return,
        }
        self.wheel.put(self.now_ms + TOLD_MS, who, Moment::Hears);
    }
}
