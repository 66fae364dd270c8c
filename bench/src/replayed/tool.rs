//! A real program attacks a room that is live and listened to, and what it sent is counted by the node.
//!
//! How much it sent in which second it does not say, so that is what the public listener answered or turned
//! away less what those who listen were answered.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tribune_rehearsal::attack::{Order, Running, Tool};
use tribune_rehearsal::replay::{Side, WINDOW, Window};

use super::made::{ATTACK_AT, ATTACK_LASTING};
use crate::node::{Node, Scrape};

/// Programs that can choose come from so many addresses.
const ADDRESSES: u8 = 8;
/// Connections at a time, of all of them; of slow ones so many in all.
const CONNECTIONS: u32 = 48;
const SLOW_CONNECTIONS: u32 = 800;
const LOOK: Duration = Duration::from_millis(50);
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// A program that attacks.
#[derive(Clone, Debug)]
pub struct Attack {
    tool: Tool,
    /// When it starts, since the case began.
    pub at: Duration,
    lasting: Duration,
}

/// What came of it.
pub(super) struct Attacked {
    /// When the last of them had ended, since the case began.
    ended: Duration,
    said: String,
}

impl Attack {
    /// As it is played in every such case.
    pub fn by(tool: Tool) -> Self {
        Self { tool, at: ATTACK_AT, lasting: ATTACK_LASTING }
    }

    /// Why it cannot be played here.
    pub fn missing(&self) -> Option<String> {
        let (program, package) = (self.tool.program(), self.tool.package());
        (!self.tool.is_installed())
            .then(|| format!("{program} is not installed (Debian: apt install {package})"))
    }

    /// Starts it when it is time, and returns when all of it is over.
    pub(super) fn play(&self, room: (SocketAddr, &str), began: Instant) -> anyhow::Result<Attacked> {
        std::thread::sleep((began + self.at).saturating_duration_since(Instant::now()));
        let mut running = self.start(room)?;
        let until = began + self.at + self.lasting;
        while Instant::now() < until && !running.iter_mut().all(Running::has_ended) {
            std::thread::sleep(LOOK);
        }
        let ended = began.elapsed();
        let said: Vec<String> = running.into_iter().map(Running::stop).collect();
        Ok(Attacked { ended, said: said.first().cloned().unwrap_or_default() })
    }

    fn start(&self, (node, room): (SocketAddr, &str)) -> anyhow::Result<Vec<Running>> {
        let addresses = if self.tool.can_choose_source() { ADDRESSES } else { 1 };
        let connections = if self.tool.is_slow() { SLOW_CONNECTIONS } else { CONNECTIONS };
        let order = |number| Order {
            node,
            // A claim's body is waited for.
            path: if self.tool == Tool::SlowBody { format!("/{room}/claim") } else { format!("/{room}") },
            connections: connections / u32::from(addresses),
            lasting: self.lasting,
            from: Ipv4Addr::new(127, 61, number, 1),
        };
        (0..addresses).map(|number| self.tool.start(&order(number))).collect()
    }

    /// What it sent, by windows.
    pub(super) fn side(&self, attacked: &Attacked, counts: &[Count], honest: &Side) -> Side {
        let mut side = Side::default();
        let number = |at: Duration| (at.as_millis() / WINDOW.as_millis()) as usize;
        let lasts = |at: Duration| at >= self.at && at < attacked.ended;
        for pair in counts.windows(2) {
            let at = number(pair[0].at);
            side.windows.resize(side.windows.len().max(at + 1), Window::default());
            side.windows[at].sent += pair[1].answered - pair[0].answered;
            if lasts(pair[0].at) && self.tool.is_slow() {
                // While it is at it, those it tried to hold are the attack, also when they were not let in.
                side.windows[at].held_open = u64::from(SLOW_CONNECTIONS);
            }
        }
        for (at, window) in side.windows.iter_mut().enumerate() {
            let honest = honest.windows.get(at).map_or(0, |window| window.answered);
            let is_in = at >= number(self.at) && at <= number(attacked.ended);
            window.sent = if is_in { window.sent.saturating_sub(honest) } else { 0 };
            (window.due, window.answered) = (window.sent, window.sent);
        }
        side
    }

    /// What is to be told of it beside the score.
    pub(super) fn told(&self, attacked: &Attacked, counts: &[Count]) -> Value {
        let last = counts.last().copied().unwrap_or_default();
        let most_open = counts.iter().map(|count| count.open).max();
        let lasting = attacked.ended.saturating_sub(self.at);
        json!({
            "tool": {
                "program": self.tool.name(), "ran_s": lasting.as_secs_f64(), "said": attacked.said,
                "node_answered": last.answered, "node_put_off": last.put_off,
                "node_accepted": last.accepted, "connections_open_max": most_open,
            },
        })
    }
}

/// What the public listener has counted by a moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Count {
    /// Since the case began.
    at: Duration,
    /// Requests, those among them that were put off.
    answered: u64,
    put_off: u64,
    accepted: u64,
    open: u64,
}

impl Count {
    fn of(at: Duration, scrape: &Scrape) -> Self {
        let public = |name| scrape.metric_of(name, "listener=\"public\"") as u64;
        let put_off = scrape.metric_of("tribune_shed_total", "reason=\"put_off\"") as u64;
        Self {
            at,
            answered: public("tribune_http_requests_total{") + put_off,
            put_off,
            accepted: public("tribune_connections_accepted_total{"),
            open: public("tribune_connections_open{"),
        }
    }
}

/// Counts once a second until it is over.
pub(super) fn count(node: &Node, began: Instant, is_over: impl Fn() -> bool) -> anyhow::Result<Vec<Count>> {
    let (mut counts, mut due) = (Vec::new(), began);
    while !is_over() {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let scrape = node.scrape()?;
        counts.push(Count::of(began.elapsed(), &scrape));
        due += COUNT_EVERY;
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_else_asked_the_program_did() {
        let attack = Attack::by(Tool::Wrk);
        let attacked = Attacked { ended: Duration::from_secs(45), said: String::new() };
        // Ten requests a second of those who listen, and a thousand of the program while it runs.
        let answered = |at: u64| 10 * at + 1_000 * at.clamp(25, 45).saturating_sub(25);
        let count = |at| Count { at: Duration::from_secs(at), answered: answered(at), ..Count::default() };
        let counts: Vec<Count> = (0..=60).map(count).collect();
        let window = Window { answered: 50, ..Window::default() };
        let honest = Side { windows: vec![window; 12], ..Side::default() };
        let sent = |side: &Side| side.windows.iter().map(|window| window.sent).collect::<Vec<_>>();
        let side = attack.side(&attacked, &counts, &honest);
        assert_eq!(sent(&side)[..], [0, 0, 0, 0, 0, 5_000, 5_000, 5_000, 5_000, 0, 0, 0]);
        assert_eq!(side.windows[6].held_open, 0);
        let slow = Attack::by(Tool::SlowHead).side(&attacked, &counts, &honest);
        let held: Vec<bool> = slow.windows.iter().map(|window| window.held_open > 0).collect();
        assert_eq!(held.iter().filter(|is| **is).count(), 4, "{held:?}");
    }
}
