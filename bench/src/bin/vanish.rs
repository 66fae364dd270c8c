//! Listeners who vanish without closing, as behind a cable that was pulled: what those who stay notice of it,
//! what is kept for those who are gone, and whether the books are right when the node has given them up.
//!
//! `vanish [STAY] [GO]` prints one line of JSON. The node runs on the first processor, listeners on the
//! other.

use std::time::Duration;

use anyhow::Context;
use serde_json::json;
use tribune_bench::beside::{on_first, tell};
use tribune_bench::fanout::ears::Ears;
use tribune_bench::idle::{Idle, stay_on};
use tribune_bench::node::{Node, binary, kernel_tcp_mib};

const ROOM: &str = "vanish";
const STAY: u32 = 5_000;
const GO: u32 = 5_000;
const CAP: u32 = 20_000;
const COMING: Duration = Duration::from_secs(10);
const SETTLE: Duration = Duration::from_secs(4);
/// It is looked so often, so many times: longer than the minute for which a node waits.
const LOOK: Duration = Duration::from_secs(5);
const LOOKS: u32 = 18;

fn main() -> anyhow::Result<()> {
    let number = |at: usize, or: u32| std::env::args().nth(at).map_or(Ok(or), |text| text.parse());
    let (stay, go) = (number(1, STAY)?, number(2, GO)?);
    stay_on(1);
    let node = Node::start_by(on_first(&binary()))?;
    node.live_room(ROOM)?;
    node.is_measured(ROOM)?;
    node.api(&format!("/api/v1/rooms/{ROOM}/cap"), &json!({"cap": CAP, "override": true}))?;
    let (_, at) = node.public.split_once("://").context("an address has a scheme")?;
    let mut ears = Ears::new(None)?;
    ears.come((at.parse()?, &format!("/{ROOM}/live.opus")), stay + go, COMING)?;
    ears.go_on(SETTLE)?;
    let before = ears.hear(LOOK)?;
    let (user_mib, kernel_mib) = (node.resident_mib()?, kernel_tcp_mib()?);
    let counted_before = node.metric("tribune_listeners")?;
    let idle = Idle::watch();
    ears.vanish(go as usize)?;
    let (mut user_max, mut kernel_max) = (user_mib, kernel_mib);
    let mut gone_after_s = None;
    ears.mark();
    for look in 1..=LOOKS {
        ears.go_on(LOOK)?;
        user_max = user_max.max(node.resident_mib()?);
        kernel_max = kernel_max.max(kernel_tcp_mib()?);
        if gone_after_s.is_none() && node.metric("tribune_listeners")? <= f64::from(stay) {
            gone_after_s = Some((LOOK * look).as_secs());
        }
    }
    let (gaps_ms, status) = (ears.gaps_ms(stay as usize), node.status(ROOM)?);
    let measured = json!({
        "measured": "vanish", "stay": stay, "go": go, "counted_before": counted_before,
        "gap_before_max_ms": before.gaps_ms.last(),
        "gap_max_ms": gaps_ms.last(), "still_there": gaps_ms.len(),
        "node_mib": user_mib, "node_mib_max": user_max,
        "kernel_mib": kernel_mib, "kernel_mib_max": kernel_max,
        "gone_after_s": gone_after_s, "counted_after": node.metric("tribune_listeners")?,
        "listening_after": status["listening"], "idle_late_ms": idle.late_ms(),
    });
    tell(&measured)
}
