//! A node that is full for an hour: whether somebody starves, and whether it grows.
//!
//! `hour [LISTENERS] [MINUTES]` prints one line of JSON; what each minute brought goes to standard error. The
//! node runs on the first processor, the listeners on the other.

use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use tribune_bench::beside::{on_first, tell};
use tribune_bench::fanout::ears::Ears;
use tribune_bench::idle::{Idle, stay_on};
use tribune_bench::node::{Node, binary, kernel_tcp_mib};

const ROOM: &str = "hour";
const LISTENERS: u32 = 17_000;
const MINUTES: u32 = 60;
/// The bit rate next above 24 kbit/s.
const PATH: &str = "/hour/live.opus?rendition=opus32";
const CAP: u32 = 20_000;
const COMING: Duration = Duration::from_secs(20);
const SETTLE: Duration = Duration::from_secs(10);
const MINUTE: Duration = Duration::from_secs(60);

fn main() -> anyhow::Result<()> {
    let number = |at: usize, or: u32| std::env::args().nth(at).map_or(Ok(or), |text| text.parse());
    let (listeners, minutes) = (number(1, LISTENERS)?, number(2, MINUTES)?);
    stay_on(1);
    let node = Node::start_by(on_first(&binary()))?;
    node.live_room(ROOM)?;
    node.is_measured(ROOM)?;
    node.api(&format!("/api/v1/rooms/{ROOM}/cap"), &json!({"cap": CAP, "override": true}))?;
    let (_, at) = node.public.split_once("://").context("an address has a scheme")?;
    let mut ears = Ears::new(None)?;
    ears.come((at.parse()?, PATH), listeners, COMING)?;
    ears.go_on(SETTLE)?;
    let spent = node.cpu_s()?;
    let mut all = Vec::new();
    for number in 1..=minutes {
        let minute = minute(&node, &mut ears)?;
        writeln!(std::io::stderr(), "minute {number} of {minutes}: {minute}")?;
        all.push(minute);
    }
    let of = |name: &'static str| all.iter().filter_map(move |minute| minute[name].as_f64());
    let most = |name| of(name).fold(f64::NAN, f64::max);
    let (first, last) = (all.first().context("a minute")?, all.last().context("a minute")?);
    tell(&json!({
        "measured": "hour", "listeners": listeners, "minutes": minutes,
        "cores": (node.cpu_s()? - spent) / (MINUTE * minutes).as_secs_f64(),
        "gone": most("gone"), "fewest_bytes_per_listener_s": of("fewest_bytes_s").fold(f64::NAN, f64::min),
        "gap_ms": {
            "median_minute": median(of("gap_max_ms").collect()), "max": most("gap_max_ms"),
            "minutes_over_640": of("gap_max_ms").filter(|ms| *ms > 640.0).count(),
        },
        "node_mib": [first["node_mib"], last["node_mib"]],
        "kernel_mib": [first["kernel_mib"], last["kernel_mib"]],
        "parts_skipped": node.metric("tribune_parts_skipped_total")?,
        "counted": node.metric("tribune_listeners")?, "idle_late_ms": {"max": most("idle_late_ms")},
    }))
}

fn minute(node: &Node, ears: &mut Ears) -> anyhow::Result<Value> {
    let idle = Idle::watch();
    let heard = ears.hear(MINUTE)?;
    let late_ms = idle.late_ms();
    Ok(json!({
        "gap_max_ms": heard.gaps_ms.last(), "gone": heard.over,
        "fewest_bytes_s": heard.fewest_bytes as f64 / MINUTE.as_secs_f64(),
        "node_mib": node.resident_mib()?, "kernel_mib": kernel_tcp_mib()?, "idle_late_ms": late_ms["max"],
    }))
}

fn median(mut of: Vec<f64>) -> Option<f64> {
    of.sort_by(f64::total_cmp);
    of.get(of.len() / 2).copied()
}
