//! Sound from a source to `live.opus` and LL-HLS: how late, how true, how whole, and at what cost. Method:
//! `docs/sound.md`. Each measurement prints one JSON line, with an idle thread's lateness beside it.

use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tribune_bench::beeps::{self, Player, RATE, lateness_ms, spread, tone};
use tribune_bench::icecast::{BURST_BYTES_DEFAULT, Icecast, PASSWORD};
use tribune_bench::idle::Idle;
use tribune_bench::node::{Node, binary};
use tribune_bench::source::{Sender, Speech, send};
use tribune_bench::wav;
use tribune_rehearsal::hls::follow;
use tribune_rehearsal::listener::{Heard, listen};
use tribune_rehearsal::source::Framing;

/// Samples of a part.
const PART: u64 = 15_360;
/// Listeners that join one after another, and the time between them: no multiple of a part.
const JOINS: usize = 30;
const JOIN_EVERY: Duration = Duration::from_millis(370);
/// Until a source that came is settled.
const SETTLE: Duration = Duration::from_secs(10);
const INPUTS: usize = 16;
const USAGE: &str = "usage: sound latency|hls|drift|inputs|icecast SECONDS, or sound quality SECONDS FOLDER";

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let binary = binary();
    let seconds: usize = args.get(2).and_then(|text| text.parse().ok()).context(USAGE)?;
    let idle = Idle::watch();
    let mut measured = match args.get(1).map(String::as_str) {
        Some("latency") => latency(&binary, seconds)?,
        Some("hls") => hls(&binary, seconds)?,
        Some("quality") => quality(&binary, seconds, Path::new(args.get(3).context(USAGE)?))?,
        Some("drift") => drift(&binary, seconds)?,
        Some("inputs") => inputs(&binary, seconds)?,
        Some("icecast") => icecast(&binary, seconds)?,
        _ => bail!(USAGE),
    };
    measured["idle_late_ms"] = idle.late_ms();
    writeln!(std::io::stdout(), "{measured}")?;
    Ok(())
}

/// A node with a live room, and a source that says `speech` into it until the end.
struct Stage<'a> {
    node: &'a Node,
    key: &'a str,
    speech: &'a Speech,
    ppm: f64,
}

impl Stage<'_> {
    fn speak(&self, began: Instant) -> anyhow::Result<()> {
        let target = Sender {
            stage: &self.node.stage,
            path: "/bench/source",
            key: self.key,
            framing: Framing::Chunked,
            ppm: self.ppm,
        };
        send(&target, self.speech, began)
    }

    fn url(&self) -> String {
        format!("{}/bench/live.opus", self.node.public)
    }

    /// Speaks while a listener hears `live.opus`.
    fn heard(&self, began: Instant, seconds: usize) -> anyhow::Result<Vec<Heard>> {
        let until = began + Duration::from_secs(seconds as u64);
        std::thread::scope(|scope| {
            let listener = scope.spawn(move || listen(&self.url(), |part| part.at >= until));
            self.speak(began)?;
            joined(listener)
        })
    }
}

fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, anyhow::Result<T>>) -> anyhow::Result<T> {
    thread.join().map_err(|_| anyhow::anyhow!("a thread of the measurement died"))?
}

/// One after another, people join: milliseconds to the first sound, and parts between it and the newest.
struct Join {
    ms: f64,
    first: Heard,
}

fn join(url: &str) -> anyhow::Result<Join> {
    let began = Instant::now();
    let mut heard = listen(url, |_| true)?;
    let first = heard.pop().context("the program ended")?;
    Ok(Join { ms: (first.at - began).as_secs_f64() * 1_000.0, first })
}

fn latency(binary: &Path, seconds: usize) -> anyhow::Result<Value> {
    let node = Node::start(binary)?;
    let key = node.live_room("bench")?;
    let speech = Speech::code(&beeps::sound(seconds), 96_000)?;
    let stage = Stage { node: &node, key: &key, speech: &speech, ppm: 0.0 };
    let (began, cpu) = (Instant::now(), node.cpu_s()?);
    let (heard, joins) = std::thread::scope(|scope| {
        let joins = scope.spawn(|| -> anyhow::Result<Vec<Join>> {
            std::thread::sleep(SETTLE);
            let joins = (0..JOINS).map(|_| {
                std::thread::sleep(JOIN_EVERY);
                join(&stage.url())
            });
            joins.collect()
        });
        anyhow::Ok((stage.heard(began, seconds)?, joined(joins)?))
    })?;
    let cores = (node.cpu_s()? - cpu) / began.elapsed().as_secs_f64();
    let mut join_ms: Vec<f64> = joins.iter().map(|join| join.ms).collect();
    join_ms.sort_by(f64::total_cmp);
    let behind = joins.iter().map(|join| {
        let newest = heard.iter().take_while(|part| part.at <= join.first.at).last();
        newest.map_or(0, |newest| newest.granule.saturating_sub(join.first.granule) / PART)
    });
    Ok(json!({
        "measured": "latency", "live_opus_ms": spread(&lateness_ms(&heard, began, Player::AtTheEdge)),
        "holes": holes(&heard), "join_ms": spread(&join_ms), "join_parts_behind_max": behind.max(),
        "server_cores": cores,
    }))
}

fn hls(binary: &Path, seconds: usize) -> anyhow::Result<Value> {
    let node = Node::start(binary)?;
    let key = node.live_room("bench")?;
    let speech = Speech::code(&beeps::sound(seconds), 96_000)?;
    let stage = Stage { node: &node, key: &key, speech: &speech, ppm: 0.0 };
    let began = Instant::now();
    let until = began + Duration::from_secs(seconds as u64);
    let followed = std::thread::scope(|scope| {
        let base = format!("{}/bench", node.public);
        let listener = scope.spawn(move || {
            // The playlist names no part before the first is cut.
            std::thread::sleep(Duration::from_secs(1));
            follow(&base, "opus64", |part| part.at >= until)
        });
        stage.speak(began)?;
        joined(listener)
    })?;
    let arrival_ms = lateness_ms(&followed.parts, began, Player::AtTheEdge);
    let hold_back_ms = followed.part_hold_back_s * 1_000.0;
    let with_hold_back: Vec<f64> = arrival_ms.iter().map(|late| late + hold_back_ms).collect();
    Ok(json!({
        "measured": "hls", "part_arrival_ms": spread(&arrival_ms), "part_hold_back_ms": hold_back_ms,
        "ll_hls_ms": spread(&with_hold_back), "holes": holes(&followed.parts),
    }))
}

fn quality(binary: &Path, seconds: usize, folder: &Path) -> anyhow::Result<Value> {
    let samples = wav::read(&folder.join("speech.wav"))?;
    let seconds = seconds.min(samples.len() / RATE);
    let speech = Speech::code(&samples[..seconds * RATE], 128_000)?;
    let node = Node::start(binary)?;
    let key = node.live_room("bench")?;
    let stage = Stage { node: &node, key: &key, speech: &speech, ppm: 0.0 };
    let heard = stage.heard(Instant::now(), seconds)?;
    wav::write(&folder.join("reference.wav"), &speech.decoded()?)?;
    let out: Vec<f32> = heard.iter().flat_map(|part| part.samples.iter().copied()).collect();
    wav::write(&folder.join("heard.wav"), &out)?;
    Ok(json!({
        "measured": "quality", "seconds": seconds, "holes": holes(&heard),
        "underruns": node.metric("tribune_source_underruns_total")?,
        "frames_late": node.metric("tribune_program_frames_late_total")?,
    }))
}

fn drift(binary: &Path, seconds: usize) -> anyhow::Result<Value> {
    const PPM: f64 = 1_000.0;
    const HZ: f64 = 1_000.0;
    let sound: Vec<f32> = (0..seconds * RATE).map(|n| 0.1 * tone(n, HZ)).collect();
    let speech = Speech::code(&sound, 96_000)?;
    let node = Node::start(binary)?;
    let key = node.live_room("bench")?;
    let stage = Stage { node: &node, key: &key, speech: &speech, ppm: PPM };
    let (began, cpu) = (Instant::now(), node.cpu_s()?);
    let heard = stage.heard(began, seconds)?;
    let cores = (node.cpu_s()? - cpu) / began.elapsed().as_secs_f64();
    let out: Vec<f32> = heard.iter().flat_map(|part| part.samples.iter().copied()).collect();
    // Until a minute has passed, the loop may still be finding the source's clock; the last second ends it.
    let settled = out.get(RATE * 60.min(seconds / 2)..out.len().saturating_sub(RATE)).unwrap_or_default();
    let quiet_below = 0.3 * rms(settled);
    let quiet = settled.chunks_exact(RATE / 100).filter(|chunk| rms(chunk) < quiet_below).count();
    Ok(json!({
        "measured": "drift", "seconds": seconds, "ppm": PPM, "holes": holes(&heard), "quiet_10ms": quiet,
        "tone_ppm": (pitch_hz(settled) / HZ - 1.0) * 1e6,
        "part_age_early_ms": age_ms(&heard, 0.1), "part_age_late_ms": age_ms(&heard, 0.9),
        "underruns": node.metric("tribune_source_underruns_total")?,
        "frames_late": node.metric("tribune_program_frames_late_total")?, "server_cores": cores,
    }))
}

fn inputs(binary: &Path, seconds: usize) -> anyhow::Result<Value> {
    let node = Node::start(binary)?;
    let key = node.live_room("bench")?;
    let tones: Vec<Speech> = (0..INPUTS)
        .map(|input| {
            let hz = 200.0 + 100.0 * input as f64;
            let sound: Vec<f32> = (0..seconds * RATE).map(|n| 0.1 * tone(n, hz)).collect();
            Speech::code(&sound, 64_000)
        })
        .collect::<anyhow::Result<_>>()?;
    let (cpu, began) = (node.cpu_s()?, Instant::now());
    std::thread::scope(|scope| {
        let senders = tones.iter().enumerate().map(|(input, speech)| {
            let path = format!("/bench/source/input-{input}");
            let (node, key) = (&node, &key);
            scope.spawn(move || {
                let framing = Framing::Chunked;
                send(&Sender { stage: &node.stage, path: &path, key, framing, ppm: 0.0 }, speech, began)
            })
        });
        senders.collect::<Vec<_>>().into_iter().try_for_each(joined)
    })?;
    let cores = (node.cpu_s()? - cpu) / began.elapsed().as_secs_f64();
    Ok(json!({
        "measured": "inputs", "inputs": INPUTS, "seconds": seconds, "server_cores": cores,
        "underruns": node.metric("tribune_source_underruns_total")?,
    }))
}

/// The same source to Icecast and to the node at once, the same listener at both.
fn icecast(binary: &Path, seconds: usize) -> anyhow::Result<Value> {
    let rows = [0, BURST_BYTES_DEFAULT].map(|burst_bytes| beside_icecast(binary, seconds, burst_bytes));
    Ok(json!({"measured": "icecast", "rows": rows.into_iter().collect::<anyhow::Result<Vec<_>>>()?}))
}

fn beside_icecast(binary: &Path, seconds: usize, burst_bytes: u32) -> anyhow::Result<Value> {
    let icecast = Icecast::start(burst_bytes)?;
    let node = Node::start(binary)?;
    let key = node.live_room("bench")?;
    let speech = Speech::code(&beeps::sound(seconds), 96_000)?;
    let stage = Stage { node: &node, key: &key, speech: &speech, ppm: 0.0 };
    let mount = format!("{}/live.opus", icecast.url);
    let began = Instant::now();
    let until = began + Duration::from_secs(seconds as u64 - 2);
    let after_settling = |url: String| {
        std::thread::sleep(SETTLE);
        listen(&url, |part| part.at >= until)
    };
    let (ours, theirs) = std::thread::scope(|scope| {
        let ours = scope.spawn(|| after_settling(stage.url()));
        let theirs = scope.spawn(|| after_settling(mount.clone()));
        let beside = scope.spawn(|| {
            let framing = Framing::Bare;
            let to = Sender { stage: &icecast.url, path: "/live.opus", key: PASSWORD, framing, ppm: 0.0 };
            send(&to, &speech, began)
        });
        stage.speak(began)?;
        joined(beside)?;
        anyhow::Ok((joined(ours)?, joined(theirs)?))
    })?;
    let of = |heard: &[Heard], player| spread(&lateness_ms(heard, began, player));
    let (tribune, icecast) = (of(&ours, Player::InOrder), of(&theirs, Player::InOrder));
    Ok(json!({
        "burst_bytes": burst_bytes, "tribune_ms": tribune, "icecast_ms": icecast,
        "ratio": tribune["p50"].as_f64().zip(icecast["p50"].as_f64()).map(|(ours, theirs)| ours / theirs),
        "tribune_edge_ms": of(&ours, Player::AtTheEdge), "icecast_edge_ms": of(&theirs, Player::AtTheEdge),
    }))
}

/// How far behind the clock parts arrive, at a place in the run, against the earliest part: grows when a
/// listener would slowly run dry. The median of a hundred parts, so that one late wake-up does not count.
fn age_ms(heard: &[Heard], place: f64) -> Option<f64> {
    let first = heard.first()?;
    let from = (heard.len() as f64 * place) as usize;
    let mut ages: Vec<f64> = heard
        .iter()
        .skip(from.saturating_sub(50))
        .take(100)
        .map(|part| {
            let media_s = (part.granule - first.granule) as f64 / RATE as f64;
            ((part.at - first.at).as_secs_f64() - media_s) * 1_000.0
        })
        .collect();
    ages.sort_by(f64::total_cmp);
    ages.get(ages.len() / 2).copied()
}

/// Places where media time does not go on from one part to the next.
fn holes(heard: &[Heard]) -> usize {
    heard.windows(2).filter(|pair| pair[1].granule != pair[0].granule + PART).count()
}

/// The mean pitch between the first and the last upward crossing of zero, in Hz. A piece left out or heard
/// twice shows in it: 20 ms in ten minutes are 33 parts in a million.
fn pitch_hz(samples: &[f32]) -> f64 {
    let mut crossings = samples.windows(2).enumerate().filter(|(_, pair)| pair[0] < 0.0 && pair[1] >= 0.0);
    let place = |(at, pair): (usize, &[f32])| at as f64 + f64::from(pair[0] / (pair[0] - pair[1]));
    let Some(first) = crossings.next().map(place) else { return f64::NAN };
    let (mut count, mut last) = (0, first);
    for crossing in crossings {
        (count, last) = (count + 1, place(crossing));
    }
    f64::from(count) * RATE as f64 / (last - first)
}

fn rms(samples: &[f32]) -> f32 {
    (samples.iter().map(|s| s * s).sum::<f32>() / samples.len().max(1) as f32).sqrt()
}
