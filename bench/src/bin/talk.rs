//! The stage over real sockets: what the node adds between speakers and until the audience hears them, what a
//! full stage costs it, and Janus' AudioBridge beside it. Method: `docs/sound.md`.
//!
//! Each prints one line of JSON, with an idle thread's lateness beside it. `TRIBUNE` names the binary, else
//! `target/release/tribune`.

use std::io::Write;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tribune_bench::beeps::{self, Player, lateness_ms, spread};
use tribune_bench::chirps::{beep, delays_ms, hum};
use tribune_bench::idle::Idle;
use tribune_bench::janus::Janus;
use tribune_bench::node::{Node, binary, cpu_s};
use tribune_core::time::FRAME_SAMPLES;
use tribune_rehearsal::listener::listen;
use tribune_rehearsal::speaker::{Heard, Over, Speaker, Target, Wants};

const USAGE: &str = "usage: talk delay|janus|program|cost SECONDS";
/// On stage while the delay is measured.
const ON_STAGE: usize = 8;
/// The most speakers a room is built for, with some to spare.
const FULL_STAGE: usize = 13;
const FRAMES_PER_S: usize = 50;
/// A packet's wait for the next tick depends on the moment at which its sender began. The beeper comes anew
/// so often, each time later in the 20 ms by an equal share of them.
const PHASES: u32 = 8;
/// Beeps before this are of a path that settles.
const SETTLE_BEEPS: usize = 4;
/// Between two speakers with nothing between them there is not much to vary.
const DIRECT_S: usize = 10;

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let seconds: usize = args.get(2).and_then(|text| text.parse().ok()).context(USAGE)?;
    let idle = Idle::watch();
    let mut measured = match args.get(1).map(String::as_str) {
        Some("delay") => with_node(|node, key| {
            delay("talk_delay", node.pid(), || join(node, key, Wants::ToSendAndHear), seconds)
        })?,
        Some("janus") => match Janus::start()? {
            Some(janus) => delay("talk_janus", janus.pid(), || janus.join(), seconds)?,
            None => json!({"measured": "talk_janus", "is_missing": true}),
        },
        Some("program") => with_node(|node, key| program(node, key, seconds))?,
        Some("cost") => with_node(|node, key| cost(node, key, seconds, &idle))?,
        _ => bail!(USAGE),
    };
    let stalls = idle.stalls();
    measured["idle_late_ms"] = stalls.late_ms;
    measured["idle_late_20_ms"] = json!(stalls.over_20_ms);
    writeln!(std::io::stdout(), "{measured}")?;
    Ok(())
}

fn with_node<T>(measure: impl FnOnce(&Node, &str) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let node = Node::start(&binary())?;
    let key = node.live_room("bench")?;
    measure(&node, &key)
}

fn join(node: &Node, key: &str, wants: Wants) -> anyhow::Result<Speaker> {
    let target =
        Target { stage: &node.stage, room: "bench", key, name: None, wants, over: Over::Udp, via: None };
    Speaker::join(&target)
}

/// What a server adds between two of eight speakers over the same two connected directly.
fn delay(
    name: &str,
    pid: u32,
    join: impl Fn() -> anyhow::Result<Speaker>,
    seconds: usize,
) -> anyhow::Result<Value> {
    let direct = direct_ms()?;
    let direct_ms = direct[direct.len() / 2];
    let speakers = (1..ON_STAGE).map(|_| join()).collect::<Result<Vec<_>, _>>()?;
    let (began, cpu) = (Instant::now(), cpu_s(pid)?);
    let until = began + Duration::from_secs(seconds as u64 + 2 + u64::from(PHASES));
    let (said, heard) = std::thread::scope(|scope| {
        let humming: Vec<_> = speakers
            .into_iter()
            .enumerate()
            .map(|(number, mut speaker)| scope.spawn(move || hum(&mut speaker, number, until)))
            .collect();
        let mut said = Vec::new();
        for phase in 0..PHASES {
            let mut beeper = join()?;
            beeper.attend(at_phase(began, phase))?;
            said.push(beep(&mut beeper, seconds * FRAMES_PER_S / PHASES as usize)?);
            // Janus' sessions have no address to leave at; whoever is silent is not mixed.
            drop(beeper.leave());
        }
        let first = humming.into_iter().next().context("somebody listens")?;
        anyhow::Ok((said, first.join().map_err(|_| anyhow::anyhow!("a speaker died"))??))
    })?;
    let cores = (cpu_s(pid)? - cpu) / began.elapsed().as_secs_f64();
    let mut added_ms = Vec::new();
    for said in said {
        let settled = said.get(SETTLE_BEEPS..).unwrap_or_default();
        added_ms.extend(delays_ms(settled, &heard)?.iter().map(|ms| ms - direct_ms));
    }
    added_ms.sort_by(f64::total_cmp);
    Ok(json!({
        "measured": name, "on_stage": ON_STAGE, "direct_ms": spread(&direct), "added_ms": spread(&added_ms),
        "server_cores": cores,
    }))
}

/// The next moment that lies `phase` eighths of 20 ms after a whole number of them.
fn at_phase(began: Instant, phase: u32) -> Instant {
    let frame = Duration::from_millis(20);
    let since = began.elapsed();
    let whole =
        Duration::from_nanos((since.as_nanos() / frame.as_nanos() + 1) as u64 * frame.as_nanos() as u64);
    began + whole + frame * phase / PHASES
}

/// From one speaker to another with nothing between them, in milliseconds in rising order.
fn direct_ms() -> anyhow::Result<Vec<f64>> {
    let (mut one, mut other) = Speaker::pair()?;
    let until = Instant::now() + Duration::from_secs(DIRECT_S as u64 + 1);
    let (said, heard) = std::thread::scope(|scope| {
        let listening = scope.spawn(move || hum(&mut other, 0, until));
        let said = beep(&mut one, DIRECT_S * FRAMES_PER_S)?;
        one.attend(until)?;
        anyhow::Ok((said, listening.join().map_err(|_| anyhow::anyhow!("a speaker died"))??))
    })?;
    let mut delays = delays_ms(said.get(SETTLE_BEEPS..).unwrap_or_default(), &heard)?;
    delays.sort_by(f64::total_cmp);
    Ok(delays)
}

/// A speaker's beeps until they are in `live.opus`, from the moment the first sample of each was spoken.
fn program(node: &Node, key: &str, seconds: usize) -> anyhow::Result<Value> {
    let mut speaker = join(node, key, Wants::ToSend)?;
    let url = format!("{}/bench/live.opus", node.public);
    let sound = beeps::sound(seconds);
    let began = Instant::now();
    let until = began + Duration::from_secs(seconds as u64);
    let heard = std::thread::scope(|scope| {
        let listening = scope.spawn(move || listen(&url, |part| part.at >= until));
        let silence = [0.0; FRAME_SAMPLES];
        let pause = std::iter::repeat_n(&silence[..], 2 * FRAMES_PER_S);
        // A frame is sent when its last sample was spoken.
        for (number, frame) in (1..).zip(sound.chunks_exact(FRAME_SAMPLES).chain(pause)) {
            speaker.attend(began + Duration::from_millis(20 * number))?;
            speaker.say(frame.try_into().context("a frame")?)?;
        }
        listening.join().map_err(|_| anyhow::anyhow!("a listener died"))?
    })?;
    let late_ms = lateness_ms(&heard, began, Player::AtTheEdge);
    Ok(json!({"measured": "talk_program", "live_opus_ms": spread(&late_ms)}))
}

/// Thirteen speak and hear at once.
fn cost(node: &Node, key: &str, seconds: usize, idle: &Idle) -> anyhow::Result<Value> {
    let speakers =
        (0..FULL_STAGE).map(|_| join(node, key, Wants::ToSendAndHear)).collect::<Result<Vec<_>, _>>()?;
    let start = Barrier::new(FULL_STAGE + 1);
    let (cores, heard, late) = std::thread::scope(|scope| {
        let start = &start;
        let humming: Vec<_> = speakers
            .into_iter()
            .enumerate()
            .map(|(number, mut speaker)| {
                scope.spawn(move || {
                    start.wait();
                    let until = Instant::now() + Duration::from_secs(seconds as u64);
                    Ok::<_, anyhow::Error>(Came::of(&hum(&mut speaker, number, until)?))
                })
            })
            .collect();
        start.wait();
        let (began, cpu) = (Instant::now(), node.cpu_s()?);
        let late = Late::watch(node, idle, seconds)?;
        let heard = humming
            .into_iter()
            .map(|humming| humming.join().map_err(|_| anyhow::anyhow!("a speaker died"))?)
            .collect::<Result<Vec<Came>, _>>()?;
        let cores = (node.cpu_s()? - cpu) / began.elapsed().as_secs_f64();
        anyhow::Ok((cores, heard, late))
    })?;
    Ok(json!({
        "measured": "talk_cost", "speakers": FULL_STAGE, "seconds": seconds, "server_cores": cores,
        "frames_late": late.frames, "frames_late_alone": late.alone,
        "packets_dropped": node.metric("tribune_speaker_packets_dropped_total")?,
        "stage_frames_dropped": node.metric("tribune_stage_frames_dropped_total")?,
        "heard_packets_least": heard.iter().map(|came| came.packets).min(),
        "heard_packets_missing": heard.iter().map(|came| came.missing).sum::<u64>(),
    }))
}

/// Frames of the program that were made more than 20 ms late.
#[derive(Default)]
struct Late {
    frames: f64,
    /// Those of seconds in which no idle thread was woken late.
    alone: f64,
}

impl Late {
    /// Looks once a second.
    fn watch(node: &Node, idle: &Idle, seconds: usize) -> anyhow::Result<Self> {
        let counted = || node.metric("tribune_program_frames_late_total");
        let (began, mut before, mut from) = (Instant::now(), counted()?, Instant::now());
        let mut late = Self::default();
        for second in 1..=seconds as u64 {
            std::thread::sleep(
                (began + Duration::from_secs(second)).saturating_duration_since(Instant::now()),
            );
            let (now, to) = (counted()?, Instant::now());
            let frames = now - before;
            // What stood still just before is caught up with in this second.
            let is_excused = idle.was_stalled(from - Duration::from_secs(1), to);
            late.frames += frames;
            late.alone += if is_excused { 0.0 } else { frames };
            (before, from) = (now, to);
        }
        Ok(late)
    }
}

/// What came back to one speaker.
struct Came {
    packets: u64,
    /// Numbers that never came.
    missing: u64,
}

impl Came {
    fn of(heard: &[Heard]) -> Self {
        let numbers = heard.iter().map(|packet| packet.seq);
        let packets = heard.len() as u64;
        let missing = match (numbers.clone().min(), numbers.max()) {
            (Some(first), Some(last)) => (last - first + 1).saturating_sub(packets),
            (None, _) | (_, None) => 0,
        };
        Self { packets, missing }
    }
}
