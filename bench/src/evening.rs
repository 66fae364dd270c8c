//! A live evening around what is measured: two people speak, listeners hear them, and a host mutes one.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tribune_core::codec::opus::Decoder;
use tribune_rehearsal::crowd::{Ask, Came, Listeners};
use tribune_rehearsal::speaker::{Heard, Over, Speaker, Target, Wants};

use crate::chirps::hum;
use crate::idle::Idle;
use crate::node::{Node, binary};

/// The room of the evening.
pub const ROOM: &str = "bench";
/// Somebody is muted, and no more, this often.
const TURN: Duration = Duration::from_secs(2);
/// Of a hum's power, what is left is silence, in decibels below it.
const SILENCE_DB: f64 = 20.0;
/// So long everybody who came in has to catch up with what they missed while the last ones came.
const SETTLE: Duration = Duration::from_secs(5);
/// For everybody to come in, and for the last answers.
const SLACK: Duration = Duration::from_secs(120);
/// How long a mute may take to be found.
const MUTE_MAX: Duration = Duration::from_millis(1_500);

/// How long an evening may last, and how many listen.
#[derive(Clone, Copy, Debug)]
pub struct Evening {
    /// What happens meanwhile.
    pub lasting: Duration,
    /// Listeners of `live.opus`.
    pub listeners: u32,
}

impl Evening {
    /// Starts a node with as many seats as listeners, has two people speak and everybody listen, then does
    /// `meanwhile`; gives what that gives, and what was lost and measured inside, with an idle thread's
    /// lateness beside it.
    ///
    /// # Errors
    /// The node does not start, or refuses a speaker or a listener, or `meanwhile` fails.
    pub fn around<T>(
        self,
        meanwhile: impl FnOnce(SocketAddr) -> anyhow::Result<T>,
    ) -> anyhow::Result<(T, Value)> {
        let idle = Idle::watch();
        let mut command = Command::new(binary());
        command.env("TRIBUNE_SEATS_MAX", self.listeners.to_string());
        let (gave, mut inside) = self.on(&Node::start_by(command)?, meanwhile)?;
        let stalls = idle.stalls();
        inside["idle_late_ms"] = stalls.late_ms;
        inside["idle_late_20_ms"] = json!(stalls.over_20_ms);
        Ok((gave, inside))
    }

    fn on<T>(
        self,
        node: &Node,
        meanwhile: impl FnOnce(SocketAddr) -> anyhow::Result<T>,
    ) -> anyhow::Result<(T, Value)> {
        let key = node.live_room(ROOM)?;
        let address: SocketAddr = node.public.trim_start_matches("http://").parse()?;
        // The generator takes its share of the processors from the node, which would count it as lost seats.
        let cap = json!({"cap": self.listeners, "override": true});
        node.api(&format!("/api/v1/rooms/{ROOM}/cap"), &cap)?;
        let (mut ann, mut bob) = (join(node, &key, "ann")?, join(node, &key, "bob")?);
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let until = Instant::now() + SETTLE + self.lasting + SLACK;
            let over = || is_over.load(Ordering::Relaxed);
            let annie = scope.spawn(move || hum_until(&mut ann, 0, until, over));
            let bobby = scope.spawn(move || hum_until(&mut bob, 9, until, over));
            let done = || is_over.store(true, Ordering::Relaxed);
            let path = format!("/{ROOM}/live.opus");
            let mut hearing = Listeners::at(address, &path)
                .and_then(|mut all| all.grow(self.listeners as usize).map(|()| all))
                .inspect_err(|_| done())?;
            let heard = scope.spawn(move || hearing.hear(over));
            std::thread::sleep(SETTLE);
            let before = Seen::of(node).inspect_err(|_| done())?;
            let muting = scope.spawn(move || mutes(node, over));
            let gave = meanwhile(address);
            done();
            let (gave, after) = (gave?, Seen::of(node)?);
            let heard = heard.join().map_err(|_| anyhow::anyhow!("a listener died"))??;
            let muted = muting.join().map_err(|_| anyhow::anyhow!("the host died"))??;
            annie.join().map_err(|_| anyhow::anyhow!("a speaker died"))??;
            let by_bob = bobby.join().map_err(|_| anyhow::anyhow!("a speaker died"))??;
            let node_cores = (after.cpu_s - before.cpu_s) / (after.at - before.at).as_secs_f64();
            let inside = json!({
                "listeners": self.listeners, "listeners_cut_off": heard.cut_off, "pages_heard": heard.pages,
                "pages_heard_least": heard.pages_least, "pages_missing": heard.missing,
                "longest_silence_ms": heard.silence_ms, "server_cores": node_cores,
                "server_mib": after.mib, "server_grew_kib": (after.mib - before.mib) * 1_024.0,
                "kernel_refused": after.overflows - before.overflows,
                "frames_late": after.late - before.late,
                "mute_ms": spread(&mut effects_ms(&muted, &by_bob)?),
            });
            Ok((gave, inside))
        })
    }
}

/// What people ask at the door of the evening: the page, a ticket, or both in turn.
///
/// # Errors
/// Something else is asked for.
pub fn asks(kind: &str, node: SocketAddr) -> anyhow::Result<Vec<Ask>> {
    let head = format!(
        "HTTP/1.1\r\nHost: {node}\r\nUser-Agent: a crowd\r\nAccept-Encoding: br\r\nConnection: close\r\n"
    );
    let page = Ask { request: format!("GET /{ROOM} {head}Accept: text/html\r\n\r\n").into_bytes() };
    let ticket = Ask { request: format!("POST /{ROOM}/ticket {head}Content-Length: 0\r\n\r\n").into_bytes() };
    match kind {
        "page" => Ok(vec![page]),
        "ticket" => Ok(vec![ticket]),
        "both" => Ok(vec![page, ticket]),
        _ => bail!("page, ticket or both, not {kind:?}"),
    }
}

/// Counts of a crowd, as JSON.
pub fn of_crowd(came: &Came) -> Value {
    json!({
        "due": came.due, "answered_2xx": came.hundred(2), "answered_5xx": came.hundred(5),
        "answers": came.answered,
        "refused": came.refused, "broken": came.broken, "not_answered": came.waited_in_vain,
        "kept_home": came.kept_home, "generator_late_ms": f64::from(came.late_us) / 1_000.0,
        "wait_ms": {"p50": came.wait_ms(0.5), "p90": came.wait_ms(0.9), "p99": came.wait_ms(0.99),
            "p999": came.wait_ms(0.999), "worst": came.wait_ms(1.0)},
    })
}

/// Adds members to an object.
pub fn merge(into: &mut Value, more: Value) {
    if let (Some(into), Value::Object(more)) = (into.as_object_mut(), more) {
        into.extend(more);
    }
}

fn join(node: &Node, key: &str, name: &str) -> anyhow::Result<Speaker> {
    let wants = Wants::ToSendAndHear;
    Speaker::join(&Target {
        stage: &node.stage,
        room: ROOM,
        key,
        name: Some(name),
        wants,
        over: Over::Udp,
        via: None,
    })
}

fn hum_until(
    speaker: &mut Speaker,
    number: usize,
    until: Instant,
    is_over: impl Fn() -> bool,
) -> anyhow::Result<Vec<Heard>> {
    let mut heard = Vec::new();
    while !is_over() && Instant::now() < until {
        heard.append(&mut hum(speaker, number, Instant::now() + Duration::from_millis(500))?);
    }
    Ok(heard)
}

/// The host mutes the one who hums and lets them speak again, until all is over: when each was asked for.
fn mutes(node: &Node, is_over: impl Fn() -> bool) -> anyhow::Result<Vec<Instant>> {
    let (mut asked, mut next) = (Vec::new(), Instant::now() + TURN);
    let mut turns = [true, false].into_iter().cycle();
    while !is_over() {
        std::thread::sleep(Duration::from_millis(20));
        if Instant::now() < next {
            continue;
        }
        let muted = turns.next() == Some(true);
        let at = Instant::now();
        node.api(&format!("/api/v1/rooms/{ROOM}/mute"), &json!({"person": "speaker.ann", "muted": muted}))?;
        if muted {
            asked.push(at);
        }
        next += TURN;
    }
    Ok(asked)
}

/// From each mute to the last packet in which the other still hears them, in milliseconds. A mute that is not
/// heard within `MUTE_MAX` counts as that.
fn effects_ms(asked: &[Instant], heard: &[Heard]) -> anyhow::Result<Vec<f64>> {
    let mut decoder = Decoder::new()?;
    let mut loud = Vec::new();
    for packet in heard {
        let mut samples = Vec::new();
        decoder.decode(&packet.payload, &mut samples)?;
        let power = samples.iter().map(|x| f64::from(x * x)).sum::<f64>() / samples.len().max(1) as f64;
        loud.push((packet.at, power));
    }
    let mut powers: Vec<f64> = loud.iter().map(|(_, power)| *power).collect();
    powers.sort_by(f64::total_cmp);
    let humming = powers.get(powers.len() * 3 / 4).copied().unwrap_or(0.0);
    let silence = humming / 10_f64.powf(SILENCE_DB / 10.0);
    Ok(asked
        .iter()
        .map(|asked| {
            let within = loud.iter().filter(|(at, _)| *at > *asked && *at - *asked < MUTE_MAX);
            let last = within.filter(|(_, power)| *power > silence).map(|(at, _)| *at - *asked).max();
            last.unwrap_or_default().as_secs_f64() * 1_000.0
        })
        .collect())
}

fn spread(ms: &mut [f64]) -> Value {
    ms.sort_by(f64::total_cmp);
    let at = |share: f64| ms.get(((ms.len() as f64 * share) as usize).min(ms.len().saturating_sub(1)));
    json!({"count": ms.len(), "p50": at(0.5), "worst": at(1.0)})
}

/// What is counted of the node and the kernel at one moment.
struct Seen {
    at: Instant,
    cpu_s: f64,
    mib: f64,
    late: f64,
    overflows: u64,
}

impl Seen {
    fn of(node: &Node) -> anyhow::Result<Self> {
        Ok(Self {
            at: Instant::now(),
            cpu_s: node.cpu_s()?,
            mib: node.resident_mib()?,
            late: node.metric("tribune_program_frames_late_total")?,
            overflows: overflows()?,
        })
    }
}

/// Connections the kernel dropped because a listener's queue was full (`ListenOverflows` and `ListenDrops` of
/// /proc/net/netstat, of the whole machine).
fn overflows() -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/proc/net/netstat")?;
    let mut lines = text.lines().filter(|line| line.starts_with("TcpExt:"));
    let (names, values) = (lines.next().context("no TcpExt")?, lines.next().context("no TcpExt")?);
    let counted = names.split_whitespace().zip(values.split_whitespace());
    let wanted = counted.filter(|(name, _)| ["ListenOverflows", "ListenDrops"].contains(name));
    Ok(wanted.filter_map(|(_, value)| value.parse::<u64>().ok()).sum())
}
