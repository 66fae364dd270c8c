//! How well the node serves, looked at once a second, and the self-test, when it is time for it.

use std::sync::Arc;
use std::time::Duration;

use tribune_core::door::capacity::{LOOK_S, PART_LATE_MS, Tier};
use tribune_core::time::Time;

use super::kept::Known;
use super::machine::{self, Memory, Ticks};
use super::{Capacity, Channel, Costs, Seen, Trial, kept};
use crate::node::Node;
use crate::ops::capacity::{By, CapacityMetrics, Cost, Of};
use crate::ops::{Counted, Lateness, cpu_seconds};

const SECOND: Duration = Duration::from_secs(1);
/// With more people inside there is no self-test: it would take from them what it measures.
const PEOPLE_DURING_TEST_MAX: u64 = 50;
/// A test that could not be held is tried again after this.
const TEST_AGAIN: Duration = Duration::from_secs(60);

/// What was seen before, to tell what is new.
#[derive(Debug)]
pub struct Watch {
    late: Lateness,
    /// What was counted at the last looks, as many seconds ago as quality is looked at.
    counted: std::collections::VecDeque<Counted>,
    ticks: Option<Ticks>,
    used_s: f64,
    at: Time,
}

impl Watch {
    /// Nothing was seen yet.
    pub fn new(now: Time, late: Lateness) -> Self {
        let counted = [late.counted()].into();
        Self { late, counted, ticks: machine::ticks(), used_s: cpu_seconds().unwrap_or_default(), at: now }
    }

    /// How punctual the parts of the last seconds were, and what the machine did in the last one.
    pub fn look(&mut self, now: Time, to: &CapacityMetrics) -> Seen {
        let processor_ms = self.measure_machine(now, to);
        Seen { processor_ms, ..self.punctuality() }
    }

    fn punctuality(&mut self) -> Seen {
        let now = self.late.counted();
        let before = self.counted.front().copied().unwrap_or_default();
        self.counted.push_back(now);
        if self.counted.len() > LOOK_S as usize {
            self.counted.pop_front();
        }
        let lately = now.since(&before);
        let send_late_p99_ms = lately.quantile_ms(0.99);
        Seen { send_late_p99_ms, late_parts_share: lately.share_over(PART_LATE_MS), processor_ms: 0.0 }
    }

    /// Puts down what the machine does meanwhile; gives the processor this process used, in milliseconds a
    /// second.
    fn measure_machine(&mut self, now: Time, to: &CapacityMetrics) -> f64 {
        let passed_s = now.since(self.at).as_secs_f64().max(f64::MIN_POSITIVE);
        let used_s = cpu_seconds().unwrap_or_default();
        let processor_ms = (used_s - self.used_s) / passed_s * 1e3;
        to.busy.set(processor_ms / 1e3 / machine::cores());
        let ticks = machine::ticks();
        if let (Some(before), Some(after)) = (self.ticks, ticks) {
            let all = after.all.saturating_sub(before.all).max(1) as f64;
            to.stolen.set(after.stolen.saturating_sub(before.stolen) as f64 / all);
        }
        if let Some(memory) = machine::memory() {
            to.memory_available.set(i64::try_from(memory.available).unwrap_or(i64::MAX));
        }
        (self.at, self.used_s, self.ticks) = (now, used_s, ticks);
        processor_ms
    }
}

/// Looks once a second, on the runtime this is called from, until the node stops; holds the self-test first
/// if there is no result of an earlier one.
pub async fn keep(node: Arc<Node>) {
    let capacity = node.rooms.setup().capacity.clone();
    let metrics = node.metrics.capacity.clone();
    let mut watch = Watch::new(node.world.now(), metrics.send_late.clone());
    let mut test = Test::begin(&node, &capacity);
    let mut second = tokio::time::interval(SECOND);
    second.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! { _ = second.tick() => {}, () = node.shutdown.draining() => return }
        if test.look(&node, &capacity).await == Ran::Yes {
            // What the test took of the machine is nobody's.
            watch = Watch::new(node.world.now(), metrics.send_late.clone());
            continue;
        }
        let now = node.world.now();
        let told = capacity.look(now, watch.look(now, &metrics));
        let whole = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        metrics.seats.set(whole(told.seats));
        metrics.seats_measured.set(whole(told.measured.unwrap_or_default()));
        metrics.step.set(i64::from(told.step));
        metrics.late_allowed.set(whole(told.late_bytes_s));
        for tier in Tier::ALL {
            let inside = capacity.serving().inside()[tier as usize];
            metrics.inside.get_or_create(&By { tier: tier.word() }).set(whole(inside));
        }
    }
}

/// When the self-test is held.
enum Test {
    /// Not before this.
    At(Time),
    Held,
}

impl Test {
    fn begin(node: &Node, capacity: &Capacity) -> Self {
        if !node.config.self_test {
            return Self::Held;
        }
        match kept::read(&node.config.data, by(node)) {
            Some(Known::Still(costs)) => {
                tell(node, capacity, (&costs, machine::memory()));
                Self::Held
            }
            // A new version that starts while a house is full would carry nobody until it has emptied.
            Some(Known::Before(costs)) => {
                tell(node, capacity, (&costs, machine::memory()));
                Self::At(node.world.now())
            }
            None => Self::At(node.world.now()),
        }
    }

    async fn look(&mut self, node: &Arc<Node>, capacity: &Capacity) -> Ran {
        let now = node.world.now();
        let is_due = matches!(self, Self::At(at) if *at <= now);
        if !is_due || capacity.people() > PEOPLE_DURING_TEST_MAX {
            return Ran::No;
        }
        let memory = machine::memory();
        let trial = Trial::on(node.world, node.config.data.clone(), by(node));
        let ran = tokio::task::spawn_blocking(move || trial.run()).await;
        *self = match ran {
            Ok(Ok(costs)) if capacity.people() <= PEOPLE_DURING_TEST_MAX => {
                kept::write(&node.config.data, &costs);
                tell(node, capacity, (&costs, memory));
                Self::Held
            }
            Ok(Ok(_)) => Self::At(now + TEST_AGAIN),
            Ok(Err(error)) => {
                tracing::warn!(%error, "self_test_failed");
                Self::At(now + TEST_AGAIN)
            }
            Err(error) => {
                tracing::error!(%error, "self_test_failed");
                Self::Held
            }
        };
        Ran::Yes
    }
}

/// How the audience comes to this node.
fn by(node: &Node) -> Channel {
    if node.config.has_tls() { Channel::Tls } else { Channel::Clear }
}

/// Whether the test was run just now.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ran {
    Yes,
    No,
}

fn tell(node: &Node, capacity: &Capacity, (costs, memory): (&Costs, Option<Memory>)) {
    let measured = costs.on(node.config.egress().or_else(machine::egress_mbit), memory);
    capacity.measured(&measured);
    let metrics = &node.metrics.capacity;
    for one in &measured {
        let resource = one.resource.code();
        metrics.there_is.get_or_create(&Of { resource }).set(one.capacity);
        for tier in Tier::ALL {
            let cost = Cost { resource, tier: tier.word() };
            metrics.cost.get_or_create(&cost).set(one.each[tier as usize]);
        }
    }
    tracing::info!(
        seats = capacity.measured_seats(),
        processor_ms = costs.processor_ms[0],
        "capacity_measured"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quality_is_that_of_the_last_seconds() {
        let late = Lateness::default();
        let mut watch = Watch::new(Time::ZERO, late.clone());
        assert_eq!(
            watch.punctuality(),
            Seen { send_late_p99_ms: 0.0, late_parts_share: 0.0, processor_ms: 0.0 }
        );
        late.observe(Duration::from_secs(5));
        (0..3).for_each(|_| late.observe(Duration::from_millis(1)));
        let bad = Seen { send_late_p99_ms: f64::INFINITY, late_parts_share: 0.25, processor_ms: 0.0 };
        assert_eq!(watch.punctuality(), bad);
        (0..3).for_each(|_| assert_eq!(watch.punctuality(), bad, "it lasts until it was looked at"));
        watch.punctuality();
        assert_eq!(watch.punctuality().send_late_p99_ms, 0.0, "and no longer");
    }
}
