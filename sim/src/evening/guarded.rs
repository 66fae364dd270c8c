//! What the guard of one node sees: an even sample of its visitors' addresses, each fact as the node tells
//! it.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use tribune_core::guard::Verdict;
use tribune_core::guard::live::{Asked, Audit, Fact, Guard, Happened, OnAir, Outcome, What};
use tribune_core::time::WallTime;

use super::scenario::Scenario;

/// So many visitors of one node are looked at, about.
const SAMPLED: u64 = 10_000;
/// The node.
const NODE: u64 = 0;

/// The guard, and whom it sees.
pub(super) struct Guarded {
    guard: Guard,
    audit: Audit,
    wall: WallTime,
    people_per_address: u32,
    nodes: u64,
    /// Of so many addresses of the node, one is looked at.
    one_in: u64,
    refused: BTreeSet<IpAddr>,
    /// From when on there is something to hear.
    on_air_ms: u32,
}

impl Guarded {
    pub fn new(scenario: &Scenario, (wall, on_air_ms): (WallTime, u32)) -> Self {
        let nodes = u64::from(scenario.nodes.count);
        let one_in = (u64::from(scenario.crowd.people) / nodes).div_ceil(SAMPLED).max(1);
        Self {
            guard: Guard::default(),
            audit: Audit::new([0x5a; 32]),
            wall,
            people_per_address: scenario.crowd.people_per_address,
            nodes,
            one_in,
            refused: BTreeSet::new(),
            on_air_ms,
        }
    }

    /// Its node dies, and forgets.
    pub fn forgets(&mut self) {
        self.guard = Guard::default();
        self.refused.clear();
    }

    /// Whether it is this node's.
    pub const fn is_of(node: u16) -> bool {
        node as u64 == NODE
    }

    /// The address somebody has, if this guard sees it.
    pub fn sees(&self, who: u32) -> Option<IpAddr> {
        self.address(who / self.people_per_address, 0x0a00_0000)
    }

    /// The same of an attacker.
    pub fn sees_attacker(&self, number: u32) -> Option<IpAddr> {
        self.address(number, 0xac00_0000)
    }

    fn address(&self, number: u32, from: u32) -> Option<IpAddr> {
        let number = u64::from(number);
        let is_seen = number % self.nodes == NODE && (number / self.nodes).is_multiple_of(self.one_in);
        // Addresses that follow one another in a sample lie in as many networks as in life.
        let spread = (number as u32).wrapping_mul(0x9e37_79b1) >> 8;
        is_seen.then(|| IpAddr::V4(Ipv4Addr::from_bits(from | spread)))
    }

    /// Of how many addresses one is looked at, of all nodes.
    pub fn one_in(&self) -> u64 {
        self.one_in * self.nodes
    }

    /// Something happened.
    pub fn tell(&mut self, now_ms: u32, from: IpAddr, happened: Happened) {
        self.guard.take(&Fact { at_ms: now_ms.into(), from, happened });
    }

    /// A request.
    pub fn asked(&mut self, now_ms: u32, from: IpAddr, (what, outcome, target): (What, Outcome, u32)) {
        let on_air = if now_ms >= self.on_air_ms { OnAir::Yes } else { OnAir::No };
        let asked = Asked { what, outcome, target, agent: 1, forwarded: None, on_air };
        self.tell(now_ms, from, Happened::Asked(asked));
    }

    /// Whether somebody is refused for a while.
    pub fn refuses(&self, from: &IpAddr) -> bool {
        self.refused.contains(from)
    }

    /// A second is over.
    pub fn second(&mut self, now_ms: u32) -> Verdict {
        let wall = WallTime(self.wall.0 + i64::from(now_ms));
        let said = self.guard.second(now_ms.into(), wall, &self.audit);
        self.refused = self.guard.refused(now_ms.into()).map(|(from, _)| from).collect();
        said.verdict
    }
}
