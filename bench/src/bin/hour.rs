//! A node that is full for an hour: whether somebody starves, and whether it grows.
//!
//! `hour [LISTENERS] [MINUTES]` prints one line of JSON; what each minute brought goes to standard error. The
//! node runs on the first processor, the listeners on the other.

use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use serde_json::json;
use tribune_bench::beeps::spread;
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
    let (spent, idle) = (node.cpu_s()?, Idle::watch());
    ears.mark();
    let mut memory = Vec::new();
    for number in 1..=minutes {
        ears.go_on(MINUTE)?;
        let (node_mib, kernel_mib) = (node.resident_mib()?, kernel_tcp_mib()?);
        memory.push((node_mib, kernel_mib));
        let gone = ears.heard().over;
        writeln!(
            std::io::stderr(),
            "minute {number} of {minutes}: node {node_mib:.0} MiB, kernel {kernel_mib:.0} MiB, {gone} gone"
        )?;
    }
    let (heard, seconds) = (ears.heard(), f64::from(minutes) * MINUTE.as_secs_f64());
    let (first, last) = memory.first().zip(memory.last()).context("a minute")?;
    let most = |of: fn(&(f64, f64)) -> f64| memory.iter().map(of).fold(f64::NAN, f64::max);
    tell(&json!({
        "measured": "hour", "listeners": listeners, "minutes": minutes,
        "cores": (node.cpu_s()? - spent) / seconds, "gone": heard.over,
        "bytes_per_listener_s": heard.bytes as f64 / f64::from(listeners) / seconds,
        "fewest_bytes_per_listener_s": heard.fewest_bytes as f64 / seconds,
        "longest_gap_ms": spread(&heard.gaps_ms),
        "node_mib": {"first": first.0, "last": last.0, "max": most(|mib| mib.0)},
        "kernel_mib": {"first": first.1, "last": last.1, "max": most(|mib| mib.1)},
        "parts_skipped": node.metric("tribune_parts_skipped_total")?,
        "counted": node.metric("tribune_listeners")?, "idle_late_ms": idle.late_ms(),
    }))
}
