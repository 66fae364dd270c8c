//! What breaks, and who attacks.

use std::net::IpAddr;

use tribune_core::door::overload::Class;
use tribune_core::guard::live::{Happened, Outcome as Became, What};

use super::crowd::Person;
use super::guarded::Guarded;
use super::machine::Machine;
use super::scenario::{Attack, Fault};
use super::wheel::STEP_MS;
use super::world::World;
use crate::dice::Dice;

impl World<'_> {
    /// Faults that are due.
    pub fn breaks(&mut self) {
        let start_ms = i64::from(self.start_ms);
        let is_due = |fault: &Fault, now_ms: u32| start_ms + i64::from(fault.at_s()) * 1_000 <= now_ms.into();
        let mut is_broken = false;
        while let Some(fault) = self.faults.pop_if(|fault| is_due(fault, self.now_ms)) {
            is_broken = true;
            match fault {
                Fault::NodeDies { node, away_s, .. } => {
                    self.cuts(|person, _| person.node == Some(node));
                    self.nodes[usize::from(node)].dies(self.now_ms.saturating_add(away_s * 1_000));
                    if Guarded::is_of(node) {
                        self.guarded.forgets();
                    }
                }
                Fault::Cut { percent, .. } => self.cuts(|_, dice| dice.chance(percent.into())),
                Fault::Cap { seats, .. } => {
                    let count = self.nodes.len() as u64;
                    for (number, node) in (0..).zip(&mut self.nodes) {
                        node.set_at_most(seats / count + u64::from(number < seats % count));
                    }
                }
            }
        }
        if is_broken {
            self.hear_on();
        }
    }

    fn cuts(&mut self, is_cut: impl Fn(&Person, &mut Dice) -> bool) {
        for who in 0..self.people.len() as u32 {
            let person = &self.people[who as usize];
            if person.node.is_some() && is_cut(person, &mut self.dice) {
                self.is_cut(who);
            }
        }
    }

    /// When the next fault is, in milliseconds; the end where there is none.
    pub fn next_fault_ms(&self) -> u32 {
        let at_ms = |fault: &Fault| i64::from(self.start_ms) + i64::from(fault.at_s()) * 1_000;
        let next = self.faults.last().map(at_ms).and_then(|at_ms| u32::try_from(at_ms).ok());
        next.unwrap_or(u32::MAX)
    }

    /// Attacks that are under way.
    pub fn is_attacked(&mut self) {
        for number in 0..self.scenario.attacks.len() {
            let Attack { at_s, lasts_s, requests_per_s, addresses } = self.scenario.attacks[number];
            let from_ms = i64::from(self.start_ms) + i64::from(at_s) * 1_000;
            let passed_ms = i64::from(self.now_ms) - from_ms;
            if !(0..i64::from(lasts_s) * 1_000).contains(&passed_ms) {
                continue;
            }
            let seen = std::mem::take(&mut self.attackers[number]);
            let refused = seen.iter().filter(|from| self.guarded.refuses(from)).count();
            let comes_through = 1.0 - refused as f64 / seen.len().max(1) as f64;
            let each = f64::from(requests_per_s) * f64::from(STEP_MS) / 1_000.0;
            let of_node = each * comes_through / self.nodes.len() as f64;
            let cost_us = (self.scenario.measured.handshake_us, self.scenario.measured.page_us);
            let now_ms = self.now_ms;
            let mut are_asked = |node: &mut Machine| node.are_asked(now_ms, Class::Page, of_node, cost_us);
            let answered: Vec<f64> = self.nodes.iter_mut().map(&mut are_asked).collect();
            if self.nodes[0].is_there(now_ms) {
                self.is_flooded(&seen, (each / f64::from(addresses), answered[0]));
            }
            self.attackers[number] = seen;
        }
    }

    /// What the guard sees of a flood: each source asks so often, and such a share is answered.
    fn is_flooded(&mut self, seen: &[IpAddr], (of_one, answered): (f64, f64)) {
        let now_ms = self.now_ms;
        for from in seen.iter().copied() {
            let times = of_one.floor() as u32 + u32::from(self.dice.even() < of_one.fract());
            for _ in 0..times {
                if self.guarded.refuses(&from) {
                    self.guarded.tell(now_ms, from, Happened::TurnedAway);
                    continue;
                }
                let is_answered = self.dice.even() < answered;
                let outcome = if is_answered { Became::Served } else { Became::PutOff };
                self.guarded.tell(now_ms, from, Happened::Opened);
                self.guarded.tell(now_ms, from, Happened::Handshake);
                self.guarded.asked(now_ms, from, (What::Page, outcome, What::Page as u32));
                self.guarded.tell(now_ms, from, Happened::Closed);
            }
        }
    }
}
