//! Is the self-test right? A node with little of one resource says how many listeners it carries; then really
//! so many come, and more, until it breaks.
//!
//! `capacity BINARY [descriptors|processor|memory|egress]…` prints a line of JSON for each. It is too full
//! when parts are as late as makes a node lower its own cap, twice in a row; a processor with nothing left
//! may go on well beyond that, since the later parts are, the more of them are sent at once. It breaks when a
//! listener is refused, when more than 1 % of the parts are missing or later than a second, or when 99 of 100
//! are not within that. The node's share of the machine is bounded by control groups and, for the network, by
//! a namespace of its own with a slow loopback: both need root. Nothing but loopback is ever loaded.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde_json::{Value, json};
use tribune_bench::node::Node;
use tribune_core::door::capacity::{LATE_PARTS_SHARE_MAX, PART_LATE_MS, SEND_LATE_P99_MS_MAX};
use tribune_core::program::PART_MS;
use tribune_rehearsal::crowd::{Heard, Listeners};

/// Descriptors of the node where they are what there is least of.
const DESCRIPTORS: u32 = 4_000;
/// Of one processor, in percent.
const PROCESSOR_PERCENT: u32 = 25;
/// What is left of a period is waited for: short ones are most like a slow processor. In microseconds.
const PERIOD_US: u32 = 10_000;
/// Memory, in bytes.
const MEMORY_BYTES: u64 = 384 << 20;
/// The network, in Mbit/s.
const EGRESS_MBIT: u32 = 100;
/// Set in the namespace with the slow loopback.
const INSIDE: &str = "TRIBUNE_BENCH_INSIDE";
/// Each step has so much of the cap more, and lasts so long.
const STEP_SHARE: f64 = 0.05;
const STEP: Duration = Duration::from_secs(4);
/// Those who came new have what one is given on joining after this.
const SETTLE_STEP: Duration = Duration::from_secs(1);
/// The first step, as a share of the cap.
const FIRST_SHARE: f64 = 0.6;
/// Beyond so many caps nobody believes the self-test any more.
const CAPS_MAX: f64 = 2.5;
/// A ladder that serves newcomers otherwise would move the breaking point.
const WITHOUT_LADDER: &str = "export TRIBUNE_LADDER=false; ";
/// All steps together.
const SPAN_MAX: Duration = Duration::from_secs(170);
/// More missing or late than this is broken.
const BAD_SHARE_MAX: f64 = 0.01;
const LATE_P99_MS_MAX: u64 = 1_000;
/// What lies beyond the 99th percentile that a node looks at.
const LATE_PART_SHARE_MAX: f64 = 0.01;
/// How long the self-test may take.
const TEST_WAIT: Duration = Duration::from_secs(30);

/// How long is waited after it.
const SETTLE: Duration = Duration::from_secs(12);

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (binary, resources) = arguments.split_first().context("capacity BINARY [RESOURCE]…")?;
    let all = ["descriptors", "processor", "memory", "egress"].map(str::to_owned);
    for resource in if resources.is_empty() { &all[..] } else { resources } {
        if resource == "egress" && std::env::var_os(INSIDE).is_none() {
            slow_network(&arguments[0])?;
            continue;
        }
        let line = match measure(Path::new(binary), resource) {
            Ok(line) => line,
            Err(error) => json!({"resource": resource, "not_measured": format!("{error:#}")}),
        };
        #[expect(clippy::print_stdout, reason = "a bench prints its figures")]
        {
            println!("{line}");
        }
    }
    Ok(())
}

/// The same program again, in a namespace whose loopback is slow.
fn slow_network(binary: &str) -> anyhow::Result<()> {
    let name = format!("tribune-bench-{}", std::process::id());
    let rate = format!("{EGRESS_MBIT}mbit");
    // Only what goes to listeners is slow: the self-test's own crowd is on this machine wherever it runs.
    let steps = [
        format!("ip netns add {name}"),
        format!("ip -n {name} link set lo mtu 1500 up"),
        format!("tc -n {name} qdisc add dev lo root handle 1: htb default 2"),
        format!("tc -n {name} class add dev lo parent 1: classid 1:1 htb rate {rate} burst 64kb"),
        format!("tc -n {name} class add dev lo parent 1: classid 1:2 htb rate 20gbit burst 1mb"),
        format!("tc -n {name} qdisc add dev lo parent 1:1 bfifo limit 2500000"),
        format!(
            "tc -n {name} filter add dev lo parent 1: protocol ip u32 match ip dst 127.32.0.0/12 flowid 1:1"
        ),
    ];
    let made = steps.iter().all(|step| ran(&step.split(' ').collect::<Vec<_>>()));
    let own = std::env::current_exe()?;
    if made {
        let own = own.display().to_string();
        let inside = format!("{INSIDE}=yes");
        ran(&["ip", "netns", "exec", &name, "env", &inside, &own, binary, "egress"]);
    } else {
        let line =
            json!({"resource": "egress", "not_measured": "no namespace with a slow loopback can be made"});
        #[expect(clippy::print_stdout, reason = "a bench prints its figures")]
        {
            println!("{line}");
        }
    }
    ran(&["ip", "netns", "del", &name]);
    Ok(())
}

fn ran(words: &[&str]) -> bool {
    Command::new(words[0]).args(&words[1..]).status().is_ok_and(|status| status.success())
}

fn measure(binary: &Path, resource: &str) -> anyhow::Result<Value> {
    let bounds = Bounds::of(resource)?;
    let node = Node::start_by(bounds.command(binary))?;
    node.live_room("capacity")?;
    let began = Instant::now();
    let seats = loop {
        let seats = node.status("capacity")?["seats"].clone();
        if seats["measured"].is_u64() {
            // It is seen by and by what the node uses without listeners.
            std::thread::sleep(SETTLE);
            break node.status("capacity")?["seats"].clone();
        }
        ensure!(began.elapsed() < TEST_WAIT, "the self-test is not over after {TEST_WAIT:?}");
        std::thread::sleep(Duration::from_millis(100));
    };
    let cap = seats["cap"].as_u64().context("a cap is a number")?;
    node.api("/api/v1/rooms/capacity/cap", &json!({"cap": 1_000_000, "override": true}))?;
    let at: SocketAddr = node.public.trim_start_matches("http://").parse()?;
    let ramp = ramp(&node, at, cap)?;
    let too_full_at = ramp.too_full_at.unwrap_or(ramp.broke_at).min(ramp.broke_at);
    let ratio = |count: usize| (cap as f64 / count as f64 * 1e3).round() / 1e3;
    Ok(json!({
        "resource": resource,
        "cap": cap,
        "why": seats["cap_why"],
        "too_full_at": too_full_at,
        "held_at": ramp.held_at,
        "broke_at": ramp.broke_at,
        "broke_by": ramp.broke_by,
        "cap_to_too_full": ratio(too_full_at),
        "cap_to_broke": ratio(ramp.broke_at),
    }))
}

/// How it went.
struct Ramp {
    /// Parts are too late from so many listeners on, if they ever were before it broke.
    too_full_at: Option<usize>,
    held_at: usize,
    broke_at: usize,
    broke_by: String,
}

/// More and more come, until it breaks.
fn ramp(node: &Node, at: SocketAddr, cap: u64) -> anyhow::Result<Ramp> {
    let mut crowd = Listeners::at(at, "/capacity/live.opus?rendition=opus64")?;
    let (began, mut last) = (Instant::now(), 0);
    let (mut late_at, mut too_full_at) = (None, None);
    let idle_s = node.cpu_s()?;
    std::thread::sleep(STEP);
    let idle_ms = (node.cpu_s()? - idle_s) / STEP.as_secs_f64() * 1e3;
    let mut next = cap as f64 * FIRST_SHARE;
    while next < cap as f64 * CAPS_MAX && began.elapsed() < SPAN_MAX {
        if let Err(error) = crowd.grow(next as usize) {
            let broke_by = format!("refused: {error}");
            return Ok(Ramp { too_full_at, held_at: last, broke_at: crowd.count(), broke_by });
        }
        listen(&mut crowd, SETTLE_STEP)?;
        let before = Sent::of(node);
        let used_s = node.cpu_s().unwrap_or_default();
        let heard = listen(&mut crowd, STEP)?;
        // A node that ran out of memory is no more.
        if let (Ok(after_s), Ok(mib)) = (node.cpu_s(), node.resident_mib()) {
            let each_ms = ((after_s - used_s) / STEP.as_secs_f64() * 1e3 - idle_ms) / crowd.count() as f64;
            progress(&format!(
                "{} listeners: {each_ms:.4} ms of processor each, {idle_ms:.0} without them; {mib:.0} MiB; \
                 99 of 100 within {} ms",
                crowd.count(),
                heard.silence_p99_ms,
            ));
        }
        let late = Sent::of(node).ok().zip(before.ok()).map(|(after, before)| after.since(&before));
        if let Some(broke_by) = broken(&heard, late) {
            let broke_at = heard.to_the_end as usize;
            return Ok(Ramp { too_full_at, held_at: last, broke_at, broke_by });
        }
        last = crowd.count();
        // Once may be the machine's.
        let is_late = late.is_some_and(|late| late.is_too_late());
        too_full_at = too_full_at.or(late_at.filter(|_| is_late));
        late_at = is_late.then_some(last);
        next += cap as f64 * STEP_SHARE;
    }
    bail!("it did not break with {last} listeners, and the cap was {cap}")
}

fn progress(line: &str) {
    #[expect(clippy::print_stderr, reason = "somebody waits for it")]
    {
        eprintln!("capacity: {line}");
    }
}

fn listen(crowd: &mut Listeners, span: Duration) -> anyhow::Result<Heard> {
    let began = Instant::now();
    crowd.hear(|| began.elapsed() >= span)
}

fn broken(heard: &Heard, late: Option<Late>) -> Option<String> {
    if heard.cut_off > 0 {
        return Some(format!("{} were sent away", heard.cut_off));
    }
    let missing_share = heard.missing as f64 / (heard.pages + heard.missing).max(1) as f64;
    if missing_share > BAD_SHARE_MAX {
        return Some(format!("{:.1} % of the parts did not come", missing_share * 100.0));
    }
    if heard.silence_p99_ms > LATE_P99_MS_MAX + PART_MS {
        return Some(format!("one of 100 waited {} ms for a part", heard.silence_p99_ms));
    }
    match late {
        Some(Late { over_second_share, .. }) if over_second_share > BAD_SHARE_MAX => {
            Some(format!("{:.1} % of the parts were sent over a second late", over_second_share * 100.0))
        }
        Some(_) => None,
        None => Some("the node does not answer its operator".to_owned()),
    }
}

/// What the node says of how late it sends.
struct Sent {
    all: f64,
    within_part: f64,
    within_second: f64,
}

/// Shares of the parts that were sent later than a part lasts, and than a second.
#[derive(Clone, Copy)]
struct Late {
    over_part_share: f64,
    over_second_share: f64,
}

impl Late {
    /// The node lowers its own cap.
    fn is_too_late(self) -> bool {
        self.over_part_share > LATE_PART_SHARE_MAX || self.over_second_share > LATE_PARTS_SHARE_MAX
    }
}

impl Sent {
    fn of(node: &Node) -> anyhow::Result<Self> {
        let scrape = node.scrape()?;
        let within = |seconds: f64| {
            scrape.metric_of("tribune_send_lateness_seconds_bucket", &format!("le=\"{seconds:?}\""))
        };
        Ok(Self {
            all: scrape.metric("tribune_send_lateness_seconds_count"),
            within_part: within(SEND_LATE_P99_MS_MAX / 1e3),
            within_second: within(PART_LATE_MS as f64 / 1e3),
        })
    }

    fn since(&self, before: &Self) -> Late {
        let all = self.all - before.all;
        let over = |now: f64, before: f64| if all > 0.0 { 1.0 - (now - before) / all } else { 1.0 };
        Late {
            over_part_share: over(self.within_part, before.within_part),
            over_second_share: over(self.within_second, before.within_second),
        }
    }
}

/// What is taken from the node, so that it breaks where this machine can break it.
struct Bounds {
    before: String,
    group: Option<Group>,
}

impl Bounds {
    fn of(resource: &str) -> anyhow::Result<Self> {
        let mut bounds = Self { before: String::new(), group: None };
        match resource {
            "descriptors" => bounds.before = format!("ulimit -n {DESCRIPTORS}; "),
            "processor" => {
                let quota = (PERIOD_US * PROCESSOR_PERCENT / 100).to_string();
                let period = PERIOD_US.to_string();
                let rows = [("cpu.cfs_period_us", period.as_str()), ("cpu.cfs_quota_us", quota.as_str())];
                bounds.group = Some(Group::make("cpu", &rows)?);
            }
            "memory" => {
                let bytes = MEMORY_BYTES.to_string();
                bounds.group = Some(Group::make("memory", &[("memory.limit_in_bytes", bytes.as_str())])?);
            }
            "egress" => bounds.before = format!("export TRIBUNE_EGRESS_MBIT={EGRESS_MBIT}; "),
            other => bail!("{other:?} is none of descriptors, processor, memory, egress"),
        }
        Ok(bounds)
    }

    fn command(&self, binary: &Path) -> Command {
        let mut shell = Command::new("bash");
        let join = self.group.as_ref().map(|group| format!("echo $$ > {}/cgroup.procs; ", group.0.display()));
        let before = format!("{}{}{WITHOUT_LADDER}exec \"$@\"", self.before, join.unwrap_or_default());
        shell.args(["-c", &before, "bounded"]).arg(binary);
        shell
    }
}

/// A control group of version 1 of our own, gone when this is.
struct Group(PathBuf);

impl Group {
    fn make(controller: &str, rows: &[(&str, &str)]) -> anyhow::Result<Self> {
        let at = PathBuf::from(format!("/sys/fs/cgroup/{controller}/tribune-bench-{}", std::process::id()));
        std::fs::create_dir(&at).with_context(|| format!("no control group {} can be made", at.display()))?;
        let group = Self(at);
        for (name, value) in rows {
            std::fs::write(group.0.join(name), value).with_context(|| format!("{name} cannot be set"))?;
        }
        Ok(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Whoever was in it has ended; if not, it stays until the machine restarts.
        let _ = std::fs::remove_dir(&self.0);
    }
}
