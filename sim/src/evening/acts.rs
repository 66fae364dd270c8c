//! What people do until they have a seat: come, take a ticket, wait, ask, claim; and how it ends for them.

use tribune_core::door::arrivals::Issued;
use tribune_core::door::doorkeeper::Claim;
use tribune_core::door::overload::Class;
use tribune_core::door::poll::{Standing, ask_again};
use tribune_core::door::ticket::Holder;
use tribune_core::guard::live::{Happened, Outcome as Became, What};

use super::crowd::Doing;
use super::machine::Answer;
use super::wheel::{Moment, STEP_MS};
use super::world::{DRAW_BEFORE_S, World, jitter};

/// Nobody waits longer for an answer, in milliseconds.
pub(super) const ANSWER_MS_MAX: f64 = 20_000.0;
/// Who was put off comes after this to twice as long, in milliseconds: as the node tells them.
const PUT_OFF_MS: u32 = 4_000;
/// A page looks at its place so soon after its second is over, at most 1.2 times, in milliseconds.
const SETTLED_MS: f64 = 200.0;
/// A page's connection is kept for so long after the last answer, in milliseconds.
const KEPT_MS: u32 = 5_000;
/// A page needs so many more files.
const ASSETS: u32 = 3;

impl World<'_> {
    /// The page, and with it a ticket.
    pub fn comes(&mut self, who: u32) {
        if self.now_ms >= self.end_ms {
            return;
        }
        let measured = &self.scenario.measured;
        let (page, ticket) = ((measured.handshake_us, measured.page_us), (0.0, measured.ticket_us));
        self.tell(who, Happened::Opened);
        self.tell(who, Happened::Handshake);
        let asked = self.is_answered(who, (Class::Page, What::Page), page);
        let both = asked.and_then(|first_ms| {
            let then_ms = self.is_answered(who, (Class::Ticket, What::Ticket), ticket)?;
            Some(first_ms + then_ms)
        });
        let Some(after_ms) = both else {
            self.tell(who, Happened::Closed);
            let again_ms = self.comes_again_ms();
            return self.put(self.now_ms + again_ms, who, Moment::Come);
        };
        (0..ASSETS).for_each(|number| self.tell_asked(who, (What::Asset, Became::Served, 100 + number)));
        if self.guarded.sees(who).is_some() {
            self.put(self.now_ms + KEPT_MS, who, Moment::HangsUp);
        }
        if after_ms < STEP_MS {
            self.takes_ticket(who)
        } else {
            self.put(self.now_ms + after_ms, who, Moment::Take)
        }
    }

    /// They have a ticket.
    pub fn takes_ticket(&mut self, who: u32) {
        let holder = Holder(std::array::from_fn(|place| (who >> (8 * (place % 4))) as u8));
        let now_ms = self.now_ms;
        let person = &mut self.people[who as usize];
        // Nobody has a ticket of a room that is over, or that has given out all there are.
        let Ok(Issued { serial, second }) = self.door.issue(now_ms / 1_000, holder) else { return };
        (person.serial, person.second, person.doing) = (serial, second, Doing::Waiting);
        person.looks_ms = (second + 1) * 1_000 + (SETTLED_MS * jitter(who)) as u32;
        let is_ghost = person.is_ghost();
        self.holders.push(who);
        if self.guarded.sees(who).is_some() && !is_ghost {
            self.put(now_ms + 1_000, who, Moment::Polls);
        }
    }

    /// Somebody asks their node; how long the answer takes, in milliseconds, if it is what they wanted.
    fn is_answered(&mut self, who: u32, (class, what): (Class, What), cost_us: (f64, f64)) -> Option<u32> {
        let lot = self.dice.bits() as u8;
        let node = self.front(who);
        let answer = self.nodes[node].asks(self.now_ms, (class, lot), cost_us);
        self.well_after_ms(who, what, answer)
    }

    /// The same of an answer that is there.
    pub fn well_after_ms(&mut self, who: u32, what: What, answer: Answer) -> Option<u32> {
        let (outcome, after_ms) = match answer {
            Answer::After(ms) if ms <= ANSWER_MS_MAX => (Became::Served, Some(ms as u32)),
            Answer::After(_) | Answer::Nobody => {
                self.outcome.error_pages += 1;
                (Became::Left, None)
            }
            Answer::PutOff => {
                self.outcome.put_off += 1;
                (Became::PutOff, None)
            }
        };
        self.tell_asked(who, (what, outcome, what as u32));
        after_ms
    }

    /// After how long somebody comes again who was put off, in milliseconds.
    pub fn comes_again_ms(&mut self) -> u32 {
        PUT_OFF_MS + (self.dice.even() * f64::from(PUT_OFF_MS)) as u32
    }

    /// The node that somebody asks: always the same one, and the next that is there when it is not.
    fn front(&self, who: u32) -> usize {
        let count = self.nodes.len();
        let first = (who / self.scenario.crowd.people_per_address) as usize % count;
        let mut order = (0..count).map(|step| (first + step) % count);
        order.find(|node| self.nodes[*node].is_there(self.now_ms)).unwrap_or(first)
    }

    /// Somebody who is called asks for their seat.
    pub fn asks(&mut self, who: u32) {
        let person = self.people[who as usize];
        let has_gone = person.is_to_leave(self.now_ms)
            || person.leaves_ms.is_none() && self.now_ms > person.patient_until_ms;
        if person.doing != Doing::Waiting || self.now_ms >= self.end_ms {
            return;
        }
        if has_gone {
            self.people[who as usize].doing = Doing::Gone;
            return;
        }
        let claim = (0.0, self.scenario.measured.claim_us);
        match self.is_answered(who, (Class::Claim, What::Claim), claim) {
            None => {
                let again_ms = self.comes_again_ms();
                self.put(self.now_ms + again_ms, who, Moment::Ask);
            }
            Some(after_ms) if after_ms < STEP_MS => self.claims(who),
            Some(after_ms) => self.put(self.now_ms + after_ms, who, Moment::Claim),
        }
    }

    /// The claim is looked at.
    pub fn claims(&mut self, who: u32) {
        let person = self.people[who as usize];
        if person.doing != Doing::Waiting {
            return;
        }
        let ticket = Issued { serial: person.serial, second: person.second };
        match self.door.claim(self.time(), ticket) {
            Ok(Claim::Seated { generation, .. }) => {
                if u64::from(person.rank) >= self.called {
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

    /// Somebody asks again when they are told to.
    pub fn asks_again(&mut self, who: u32, standing: Standing) {
        let wait_ms = ask_again(standing, jitter(who)).as_millis() as u32;
        self.put(self.now_ms + wait_ms, who, Moment::Ask);
    }

    /// A seat has lapsed.
    pub fn lapses(&mut self, serial: u32) {
        let who = self.holders[serial as usize];
        let person = &self.people[who as usize];
        let is_heard = person.doing == Doing::Hearing && !person.is_to_leave(self.now_ms);
        if is_heard && self.now_ms < self.end_ms {
            self.complain(format!("the seat of ticket {serial} lapsed while it was heard"));
        }
    }

    /// The room ends: who is in leaves, who waits hears the replay. Everybody is in one account.
    pub fn ends(&mut self) {
        for who in 0..self.people.len() as u32 {
            let person = self.people[who as usize];
            let outcome = &mut self.outcome;
            let account = match person {
                _ if person.was_in => &mut outcome.seated,
                _ if person.serial == u32::MAX => &mut outcome.no_ticket,
                _ if person.is_ghost() => &mut outcome.never_came_back,
                _ if person.patient_until_ms < self.now_ms => &mut outcome.gave_up,
                _ => &mut outcome.turned_away,
            };
            *account += 1;
            let waits = person.doing == Doing::Waiting && !person.is_ghost();
            self.outcome.replays += u64::from(waits && person.patient_until_ms >= self.now_ms);
            if matches!(person.doing, Doing::Hearing | Doing::Cut | Doing::Seated) {
                self.goes(who);
            }
        }
        self.door.end();
    }

    /// Somebody of the guard's sample asks where they stand.
    pub fn polls(&mut self, who: u32) {
        let person = self.people[who as usize];
        let has_gone = person.patient_until_ms < self.now_ms || self.now_ms >= self.end_ms;
        if person.doing != Doing::Waiting || has_gone {
            return;
        }
        self.polls += self.guarded.one_in();
        self.tell_asked(who, (What::Place, Became::Waits, What::Place as u32));
        let Some(place) = self.place(who) else { return };
        let draw_s = f64::from(self.start_ms) / 1_000.0 - f64::from(DRAW_BEFORE_S);
        let standing = self.door.standing(place, draw_s - f64::from(self.now_ms) / 1_000.0);
        let wait_ms = ask_again(standing, jitter(who)).as_millis() as u32;
        self.put(self.now_ms + wait_ms, who, Moment::Polls);
    }
}
