//! Reads a node's verdict twice a second, on a connection and from an address of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use serde_json::Value;
use tribune_rehearsal::replay::Visitor;

/// Who reads it comes from here.
const WATCHER: Ipv4Addr = Ipv4Addr::new(127, 1, 1, 2);
const EVERY: Duration = Duration::from_millis(500);

/// What was told at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sample {
    /// When it was read, since the case began.
    pub at: Duration,
    /// Nothing when the node did not answer.
    pub told: Option<Told>,
}

/// A verdict.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Told {
    /// `calm`, `crowd`, `attack`, `both`, or `unknown`, which is also what no verdict at all is.
    pub kind: String,
    pub self_inflicted: bool,
    pub confidence: f64,
    /// The share of the requests that are an attack's: between these.
    pub share: (f64, f64),
}

impl Told {
    pub fn is_attack(&self) -> bool {
        matches!(self.kind.as_str(), "attack" | "both")
    }

    fn of(verdict: &Value) -> Self {
        let share = &verdict["attack_share"]["requests"];
        Self {
            kind: verdict["kind"].as_str().unwrap_or("unknown").to_owned(),
            self_inflicted: verdict["self_inflicted"].as_bool().unwrap_or(false),
            confidence: verdict["confidence"].as_f64().unwrap_or(0.0),
            share: (share[0].as_f64().unwrap_or(0.0), share[1].as_f64().unwrap_or(1.0)),
        }
    }
}

/// Reads until it is over.
pub(super) fn watch(
    node: SocketAddr,
    room: &str,
    began: Instant,
    is_over: impl Fn() -> bool,
) -> anyhow::Result<Vec<Sample>> {
    let mut visitor = Visitor::new(WATCHER, node)?;
    let (path, mut samples) = (format!("/{room}/status"), Vec::new());
    let mut due = began;
    while !is_over() {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let told = visitor.get(&path).ok().filter(|answer| answer.status == 200);
        let status = told.and_then(|answer| serde_json::from_slice::<Value>(&answer.body).ok());
        samples.push(Sample { at: began.elapsed(), told: status.map(|status| Told::of(&status["verdict"])) });
        due = (due + EVERY).max(Instant::now());
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_verdict_is_read_as_the_wire_has_it_and_none_is_unknown() {
        let verdict = json!({
            "kind": "attack", "self_inflicted": false, "confidence": 0.97,
            "attack_share": {"requests": [0.8, 0.9], "newcomers": [0.7, 1]}, "because": ["…"],
        });
        let told = Told::of(&verdict);
        assert_eq!((told.kind.as_str(), told.share, told.is_attack()), ("attack", (0.8, 0.9), true));
        for none in [Value::Null, json!({"kind": 7}), json!({})] {
            let told = Told::of(&none);
            assert_eq!((told.kind.as_str(), told.share, told.confidence), ("unknown", (0.0, 1.0), 0.0));
        }
    }
}
