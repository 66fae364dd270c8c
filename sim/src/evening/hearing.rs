//! What people do who have a seat: begin, hear, lose the connection, come again, leave.

use std::num::NonZeroU32;

use tribune_core::door::overload::Class;
use tribune_core::door::poll::Standing;
use tribune_core::door::seats::Connection;
use tribune_core::guard::live::{Happened, What};
use tribune_core::time::Time;

use super::crowd::Doing;
use super::machine::Answer;
use super::wheel::{Moment, STEP_MS, Whose};
use super::world::World;

/// Who got no answer tries again after this, in milliseconds.
const TRIES_AGAIN_MS: u32 = 3_000;
/// A page whose connection was cut off comes again within this, in milliseconds (`web/wire/pace.ts`).
const REJOINS_MS: u64 = 500;
/// Who lost their seat's connection has it for so long, in milliseconds.
const SEAT_KEPT_MS: u32 = 60_000;
/// What a page's player holds, in milliseconds.
const HELD_MS: u32 = 960;
/// A listener of the guard's sample says first after so long that they hear, then every so often, in
/// milliseconds; and how many parts it was.
const TOLD_FIRST: (u32, u16) = (960, 3);
const TOLD: (u32, u16) = (9_920, 31);

impl World<'_> {
    /// Somebody has a seat at the door, and looks for a node.
    pub fn sits(&mut self, who: u32) {
        let Some(node) = self.finds_node(who) else {
            self.outcome.found_full += 1;
            return self.asks_again(who, Standing::AtDoor);
        };
        let (now_ms, boards_ms) = (self.now_ms, self.boards_ms());
        let person = &mut self.people[who as usize];
        if !std::mem::replace(&mut person.was_in, true) {
            let from_ms = person.came_ms.max(boards_ms).min(now_ms);
            self.outcome.waited_ms.add(now_ms - from_ms);
        }
        person.doing = Doing::Seated;
        if person.leaves_ms.is_none() {
            person.since_ms = now_ms;
        }
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
        if !self.nodes[node].takes(who) {
            return None;
        }
        let seats = self.nodes[node].seats();
        self.outcome.over_cap += u64::from(seats.taken() > seats.cap());
        self.people[who as usize].node = Some(node as u16);
        self.placed += 1;
        Some(node)
    }

    /// The place at a node is free again.
    fn gives_back(&mut self, who: u32) {
        let person = &mut self.people[who as usize];
        person.connection = person.connection.wrapping_add(1);
        if let Some(node) = person.node.take() {
            self.nodes[usize::from(node)].releases(who);
            self.placed -= 1;
        }
    }

    /// The program is asked for, where the place is.
    fn begins(&mut self, who: u32, node: usize) {
        let measured = &self.scenario.measured;
        let (cost_us, lot) = ((measured.handshake_us, measured.begin_us), self.dice.bits() as u8);
        let answer: Answer = self.nodes[node].asks(self.now_ms, (Class::Seated, lot), cost_us);
        self.tell(who, Happened::Opened);
        self.tell(who, Happened::Handshake);
        let Some(waited_ms) = self.well_after_ms(who, What::Begin, answer) else {
            self.gives_back(who);
            self.tell(who, Happened::Closed);
            self.people[who as usize].doing = Doing::Cut;
            return self.put(self.now_ms + TRIES_AGAIN_MS, who, Moment::Rejoin);
        };
        let [nearest, farthest] = self.scenario.crowd.way_ms;
        // The connection, its handshake, and the request: three times there and back.
        let way_ms = 3 * self.dice.between(nearest.into(), farthest.into()) as u32;
        let person = &self.people[who as usize];
        let part = match person.leaves_ms {
            Some(_) => self.program.goes_on(person.since_ms),
            None => self.program.begins(),
        };
        let part_ms = if part.is_some() { 0 } else { self.program.next_in_ms(self.now_ms) };
        let sound_ms = self.now_ms.saturating_add(waited_ms).saturating_add(way_ms).saturating_add(part_ms);
        self.people[who as usize].sound_ms = sound_ms;
        self.is_told(who, [node as u64, part.map_or(u64::MAX, |part| part.0)]);
        self.put(sound_ms, who, Moment::Hear);
    }

    /// Somebody has sound.
    pub fn hears(&mut self, who: u32) {
        let person = self.people[who as usize];
        let is_begun = matches!(person.doing, Doing::Seated | Doing::Cut) && person.node.is_some();
        if !is_begun || self.now_ms >= self.end_ms {
            return;
        }
        let (time, pass) = (self.time(), (person.serial, person.generation));
        if self.door.join(time, pass, Connection(who.into())).is_err() {
            self.tell(who, Happened::Closed);
            return self.waits_again(who);
        }
        self.has_sound(who);
        self.people[who as usize].doing = Doing::Hearing;
        self.hear_until(who);
        self.tell(who, Happened::StreamBegan);
        if self.guarded.sees(who).is_some() {
            self.tell(who, Happened::Heard(1));
            self.put(self.now_ms + TOLD_FIRST.0, who, Moment::Hears);
        }
    }

    /// The first sound of all, or the first after a break.
    fn has_sound(&mut self, who: u32) {
        let end_ms = self.end_ms;
        let person = &mut self.people[who as usize];
        let silent_ms = person.sound_ms.saturating_sub(person.since_ms);
        if person.leaves_ms.is_some() {
            if silent_ms > HELD_MS {
                self.outcome.gaps_ms.add(silent_ms - HELD_MS);
            }
            return;
        }
        self.outcome.first_sound_ms.add(silent_ms);
        // It is a moment in which something can happen, so that it is then over.
        let stays_until_ms = person.sound_ms.saturating_add(person.stay_ms).min(end_ms + 1_000);
        let leaves_ms = (stays_until_ms / STEP_MS + 1) * STEP_MS;
        person.leaves_ms = NonZeroU32::new(leaves_ms);
        let heard_ms = person.sound_ms;
        self.put(leaves_ms, who, Moment::Leave);
        self.first_heard_ms = Some(self.first_heard_ms.map_or(heard_ms, |first| first.min(heard_ms)));
    }

    /// The door is told that somebody hears until they leave, or until something is to break.
    fn hear_until(&mut self, who: u32) {
        let person = &self.people[who as usize];
        let leaves_ms = person.leaves_ms.map_or(self.end_ms, NonZeroU32::get);
        let until_ms = leaves_ms.min(self.next_fault_ms()).min(self.end_ms).max(self.now_ms);
        let until = Time::from_millis(until_ms.into());
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

    /// The connection of somebody who has a place at a node broke.
    pub fn is_cut(&mut self, who: u32) {
        let person = &mut self.people[who as usize];
        if person.doing == Doing::Hearing {
            person.since_ms = self.now_ms;
            self.tell(who, Happened::StreamEnded);
        }
        self.people[who as usize].doing = Doing::Cut;
        self.gives_back(who);
        self.tell(who, Happened::Closed);
        let back_ms = self.dice.between(0, REJOINS_MS) as u32;
        self.put(self.now_ms + back_ms, who, Moment::Rejoin);
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
                self.put(self.now_ms + again_ms, who, Moment::Rejoin);
            }
        }
    }

    /// The seat is lost; the ticket has the right to the next one.
    fn waits_again(&mut self, who: u32) {
        self.gives_back(who);
        self.people[who as usize].doing = Doing::Waiting;
        self.put(self.now_ms + 200, who, Moment::Ask);
    }

    /// Somebody leaves when it is time.
    pub fn leaves(&mut self, who: u32) {
        let person = &self.people[who as usize];
        // Who waits for a seat once more finds out by asking that it is too late.
        if matches!(person.doing, Doing::Hearing | Doing::Cut | Doing::Seated)
            && person.is_to_leave(self.now_ms)
        {
            self.goes(who);
        }
    }

    /// Somebody goes.
    pub fn goes(&mut self, who: u32) {
        let person = &mut self.people[who as usize];
        let (serial, was_heard, had_place) =
            (person.serial, person.doing == Doing::Hearing, person.node.is_some());
        person.doing = Doing::Gone;
        self.gives_back(who);
        self.door.hang_up(serial, Connection(who.into()));
        if was_heard {
            self.tell(who, Happened::StreamEnded);
        }
        if had_place {
            self.tell(who, Happened::Closed);
        }
    }

    /// Somebody of the guard's sample still hears.
    pub fn goes_on_hearing(&mut self, who: u32) {
        let person = &self.people[who as usize];
        if person.doing != Doing::Hearing {
            return;
        }
        let is_first = self.now_ms.saturating_sub(person.sound_ms) < TOLD.0;
        let parts = if is_first { TOLD_FIRST.1 } else { TOLD.1 };
        self.tell(who, Happened::Heard(parts));
        self.put(self.now_ms + TOLD.0, who, Moment::Hears);
    }

    /// Something is to happen to somebody by the connection that they have now.
    pub fn put(&mut self, at_ms: u32, who: u32, moment: Moment) {
        let connection = self.people[who as usize].connection;
        self.wheel.put(at_ms, Whose { who, connection }, moment);
    }
}
