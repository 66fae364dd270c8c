//! Ten minutes at many times what the door carries, then back: how soon is everybody served again, by itself?
//!
//! A steady crowd comes throughout, and second by second it is counted how many of it are answered with a
//! success within a second. A second crowd, a process of its own that goes behind all others (`nice` 19),
//! comes in between. Prints one line of JSON. Method: `docs/door.md`.

use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use tribune_bench::evening::{Evening, asks, merge, of_crowd};
use tribune_rehearsal::crowd::{ARRIVALS, Came, Crowd, MORE_ARRIVALS, Second};

const USAGE: &str = "usage: overload STEADY_PER_S FLOOD_PER_S FLOOD_SECONDS LISTENERS
Example: overload 5000 50000 600 10000";
/// The steady crowd alone, before the flood and after it.
const BEFORE: Duration = Duration::from_secs(10);
const AFTER: Duration = Duration::from_secs(60);
/// Everybody is served while so many of those who come are answered soon.
const SERVED: f64 = 0.999;
/// The first word of the arguments of the process that floods.
const FLOOD: &str = "flood";
const KIND: &str = "both";

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let number = |at: usize| args.get(at).and_then(|text| text.parse::<u32>().ok()).context(USAGE);
    if args.get(1).map(String::as_str) == Some(FLOOD) {
        let address = args.get(2).and_then(|text| text.parse().ok()).context(USAGE)?;
        return flood(address, number(3)?, number(4)?);
    }
    let plan = Plan { steady: number(1)?, flood: number(2)?, seconds: number(3)?, listeners: number(4)? };
    let lasting = BEFORE + Duration::from_secs(u64::from(plan.seconds)) + AFTER;
    let evening = Evening { lasting, listeners: plan.listeners };
    let ((steady, flood), inside) = evening.around(|address| plan.come(address, lasting))?;
    let mut measured = json!({
        "measured": "door_overload", "steady_per_s": plan.steady, "flood_per_s": plan.flood,
        "flood_seconds": plan.seconds, "flood": flood,
    });
    merge(&mut measured, plan.phases(&steady));
    merge(&mut measured, inside);
    writeln!(std::io::stdout(), "{measured}")?;
    Ok(())
}

/// The second crowd, and what became of it.
fn flood(address: SocketAddr, per_s: u32, seconds: u32) -> anyhow::Result<()> {
    let lasting = Duration::from_secs(u64::from(seconds));
    let came =
        Crowd { node: address, wing: MORE_ARRIVALS, asks: asks(KIND, address)?, per_s, lasting }.come()?;
    writeln!(std::io::stdout(), "{}", of_crowd(&came))?;
    Ok(())
}

#[derive(Clone, Copy)]
struct Plan {
    steady: u32,
    flood: u32,
    seconds: u32,
    listeners: u32,
}

impl Plan {
    fn come(self, address: SocketAddr, lasting: Duration) -> anyhow::Result<(Came, Value)> {
        let own = std::env::current_exe()?;
        std::thread::scope(|scope| {
            let flooding = scope.spawn(move || {
                std::thread::sleep(BEFORE);
                let flood = Command::new("nice")
                    .args(["-n", "19"])
                    .arg(own)
                    .args([FLOOD, &address.to_string(), &self.flood.to_string(), &self.seconds.to_string()])
                    .stderr(Stdio::inherit())
                    .output()
                    .context("nice does not start")?;
                ensure!(flood.status.success(), "the flood ended with {}", flood.status);
                Ok(serde_json::from_slice(&flood.stdout)?)
            });
            let asks = asks(KIND, address)?;
            let came = Crowd { node: address, wing: ARRIVALS, asks, per_s: self.steady, lasting }.come()?;
            let flood = flooding.join().map_err(|_| anyhow::anyhow!("the flood died"))??;
            Ok((came, flood))
        })
    }

    /// The steady crowd before, during and after the flood.
    fn phases(self, steady: &Came) -> Value {
        let began = BEFORE.as_secs() as usize;
        let ended = (began + self.seconds as usize).min(steady.seconds.len());
        let (before, rest) = steady.seconds.split_at(began.min(ended));
        let (during, after) = rest.split_at(ended - before.len());
        let is_served = |second: &Second| second.soon as f64 >= SERVED * second.due as f64;
        let recovered_s = after.iter().rposition(|second| !is_served(second)).map_or(0, |last| last + 1);
        json!({
            "steady": of_crowd(steady),
            "before": share(before), "during": share(during), "after": share(after),
            // Equal to the seconds after it when it never recovered.
            "recovered_s": recovered_s, "after_s": after.len(),
        })
    }
}

/// How many of those who were due were served, and put off.
fn share(seconds: &[Second]) -> Value {
    let sum = |of: fn(&Second) -> u64| seconds.iter().map(of).sum::<u64>() as f64;
    let due = sum(|second| second.due).max(1.0);
    let share = |of| sum(of) / due;
    json!({"due": due, "soon": share(|second| second.soon), "put_off": share(|second| second.put_off)})
}
