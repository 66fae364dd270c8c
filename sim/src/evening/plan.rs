//! What an evening will take: nodes, network, money, from the same costs that an evening is lived with.

use tribune_core::door::capacity::{Resource, TIERS, Tier, cap_at};

use super::machine::costs;
use super::scenario::{Measured, Nodes};

/// A cap lies between these shares of the number at which parts really come too late, as they were measured
/// on one machine for each resource (`docs/rehearsals/2026-11-22-door.md`: 0.80 to 1.18).
pub const CAP_TO_BROKEN: [f64; 2] = [0.80, 1.18];
/// Listeners' ways of being served, in the order in which the ladder goes: none lasts longer than need be.
const STEPS: [(u8, Tier, &str); TIERS] = [
    (0, Tier::Full, "in the best bit rate"),
    (1, Tier::LowBitRate, "in a lower bit rate"),
    (2, Tier::Segments, "by whole segments, two seconds later"),
];

/// What is asked.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// People who hear at once.
    pub audience: u64,
    /// What one node has; how many there are counts only where `is_given`.
    pub nodes: &'a Nodes,
    /// Whether there are so many nodes, and no more.
    pub is_given: bool,
    /// What one of everything costs.
    pub measured: &'a Measured,
    /// For how long people hear, in hours.
    pub hours: f64,
    /// People who come within the busiest minute.
    pub in_a_minute: u64,
}

/// What serving everybody in one way takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Way {
    /// The step of the ladder.
    pub step: u8,
    /// In words.
    pub says: &'static str,
    /// Nodes.
    pub nodes: u64,
    /// The fewest and the most that it may be, by how far caps were from where parts came too late.
    pub nodes_range: [u64; 2],
    /// Listeners that one node carries.
    pub seats: u64,
    /// What a node has the least of.
    pub first_limit: Resource,
    /// Why, as a sentence.
    pub why: String,
    /// What everybody together takes of the network, in Gbit/s.
    pub gbit_s: f64,
    /// In all hours, in GB.
    pub gigabytes: f64,
}

/// What it takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Each way of serving everybody.
    pub ways: Vec<Way>,
    /// The one to plan with: the best that the nodes carry which there are, or the best. `None` where none
    /// does.
    pub chosen: Option<usize>,
    /// Of all processors of the chosen way's nodes, so much goes into letting people in within the busiest
    /// minute; more than 1 is a wait at the door.
    pub door_load: f64,
}

/// What an evening will take.
pub fn plan(asked: &Asked<'_>) -> Plan {
    let ways: Vec<Way> = STEPS.iter().filter_map(|step| way(asked, step)).collect();
    let fits = |way: &Way| !asked.is_given || way.nodes <= u64::from(asked.nodes.count);
    let chosen = ways.iter().position(fits);
    let measured = asked.measured;
    let each_us = 2.0 * measured.handshake_us
        + measured.page_us
        + measured.ticket_us
        + measured.claim_us
        + measured.begin_us;
    let nodes = match chosen {
        Some(_) if asked.is_given => f64::from(asked.nodes.count),
        Some(at) => ways[at].nodes as f64,
        None => f64::from(asked.nodes.count),
    };
    let door_load = asked.in_a_minute as f64 * each_us / (60e6 * asked.nodes.cores * nodes.max(1.0));
    Plan { ways, chosen, door_load }
}

fn way(asked: &Asked<'_>, (step, tier, says): &(u8, Tier, &'static str)) -> Option<Way> {
    let auto = cap_at(&costs(asked.nodes, asked.measured), [0; TIERS], *tier);
    let nodes = |share: f64| (asked.audience as f64 / (auto.seats as f64 * share)).ceil() as u64;
    let [least, most] = CAP_TO_BROKEN;
    let gbit_s = asked.audience as f64 * asked.measured.listener_kbit[*tier as usize] / 1e6;
    (auto.seats > 0).then(|| Way {
        step: *step,
        says,
        nodes: nodes(1.0).max(1),
        // Where a cap was 0.8 of what there was, there was more.
        nodes_range: [nodes(1.0 / least).max(1), nodes(1.0 / most).max(1)],
        seats: auto.seats,
        first_limit: auto.binds.unwrap_or(Resource::Processor),
        why: auto.why,
        gbit_s,
        gigabytes: gbit_s * asked.hours * 3_600.0 / 8.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evening::Scenario;

    fn planned(audience: u64, given: Option<u16>) -> Plan {
        let text = include_str!("../../../scenarios/2024-08-12.toml");
        let mut scenario = Scenario::parse(text).expect("it is one");
        scenario.nodes.count = given.unwrap_or(1);
        plan(&Asked {
            audience,
            nodes: &scenario.nodes,
            is_given: given.is_some(),
            measured: &scenario.measured,
            hours: 2.0,
            in_a_minute: audience / 10,
        })
    }

    #[test]
    fn what_it_takes_follows_from_costs() {
        // 85 % of 25 Gbit/s at 68 kbit/s each; 90 % of 16 processors at 35.9 and 6.5 us a second each.
        let plan = planned(1_000_000, None);
        let figures: Vec<_> = plan.ways.iter().map(|way| (way.seats, way.nodes, way.first_limit)).collect();
        let (egress, processor) = (Resource::Egress, Resource::Processor);
        assert_eq!(figures, [(312_500, 4, egress), (401_114, 3, processor), (321_969, 4, egress)]);
        assert_eq!((plan.chosen, plan.ways[0].nodes_range), (Some(0), [3, 4]));
        assert!(
            (plan.ways[0].gbit_s - 68.0).abs() < 1e-9 && (plan.ways[0].gigabytes - 61_200.0).abs() < 1e-6
        );
        assert!(
            (plan.door_load - 100_000.0 * 639.0 / (60e6 * 16.0 * 4.0)).abs() < 1e-9,
            "{}",
            plan.door_load
        );
    }

    #[test]
    fn given_nodes_say_which_step_it_takes_and_whether_any_does() {
        assert_eq!(planned(1_200_000, Some(3)).chosen, Some(1));
        assert_eq!(planned(2_000_000, Some(3)).chosen, None);
        assert_eq!(planned(100, Some(3)).chosen, Some(0));
    }
}
