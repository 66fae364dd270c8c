//! Sound from a source to `live.opus`: how late, how true, how whole, and at what cost. Method:
//! `docs/sound.md`.
//!
//! `sound latency` measures a beep a second; `sound quality` writes what went in and what came out as WAV
//! files for PESQ; `sound drift` listens for minutes to a tone whose sender's clock is 0.1 % fast; each
//! prints one JSON line.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tribune_bench::node::Node;
use tribune_bench::source::{Sender, Speech, send};
use tribune_rehearsal::listener::{Heard, listen};

const RATE: usize = 48_000;
/// Samples of a part.
const PART: u64 = 15_360;
/// A beep this long, every second.
const BEEP_MS: usize = 40;

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let binary =
        PathBuf::from(std::env::var("TRIBUNE").unwrap_or_else(|_| "target/release/tribune".to_owned()));
    let seconds: usize = args.get(2).and_then(|text| text.parse().ok()).unwrap_or(60);
    let measured = match args.get(1).map(String::as_str) {
        Some("latency") => latency(&binary, seconds)?,
        Some("quality") => {
            let folder =
                args.get(3).context("sound quality SECONDS FOLDER (with speech.wav, 48 kHz mono)")?;
            quality(&binary, seconds, Path::new(folder))?
        }
        Some("drift") => drift(&binary, seconds)?,
        Some("inputs") => inputs(&binary, seconds)?,
        _ => bail!("usage: sound latency|quality|drift|inputs SECONDS [FOLDER]"),
    };
    writeln!(std::io::stdout(), "{measured}")?;
    Ok(())
}

/// One run: a source says `speech` into a live room, a listener hears until the source's end.
struct Run {
    began: Instant,
    heard: Vec<Heard>,
    cpu_cores: f64,
}

fn run(binary: &Path, speech: &Speech, ppm: f64, seconds: usize) -> anyhow::Result<Run> {
    let node = Node::start(binary)?;
    let key = node.live_room("bench")?;
    let began = Instant::now();
    let until = began + Duration::from_secs(seconds as u64);
    let cpu = node.cpu_s()?;
    let heard = std::thread::scope(|scope| -> anyhow::Result<Vec<Heard>> {
        let url = format!("{}/bench/live.opus", node.public);
        let listener = scope.spawn(move || listen(&url, |part| part.at >= until));
        let target = Sender { stage: &node.stage, path: "/bench/source", key: &key, ppm };
        send(&target, speech, began)?;
        listener.join().map_err(|_| anyhow::anyhow!("the listener died"))?
    })?;
    let cpu_cores = (node.cpu_s()? - cpu) / began.elapsed().as_secs_f64();
    Ok(Run { began, heard, cpu_cores })
}

fn latency(binary: &Path, seconds: usize) -> anyhow::Result<Value> {
    let beeps: Vec<f32> = (0..seconds * RATE)
        .map(|n| if n % RATE < RATE / 1_000 * BEEP_MS { 0.3 * tone(n, 1_000.0) } else { 0.0 })
        .collect();
    let run = run(binary, &Speech::code(&beeps, 96_000)?, 0.0, seconds)?;
    let mut late_ms = Vec::new();
    let mut quiet = 0_usize;
    for part in &run.heard {
        for (n, sample) in part.samples.iter().enumerate() {
            if sample.abs() < 0.02 {
                quiet += 1;
                continue;
            }
            if quiet > RATE / 2 {
                // A player without a buffer plays sample n of a part n samples after the part came.
                let heard_s = (part.at - run.began).as_secs_f64() + n as f64 / RATE as f64;
                late_ms.push((heard_s.fract() * 1_000.0 * 10.0).round() / 10.0);
            }
            quiet = 0;
        }
    }
    late_ms.sort_by(f64::total_cmp);
    let at = |share: f64| {
        late_ms.get(((late_ms.len() as f64 * share) as usize).min(late_ms.len().saturating_sub(1)))
    };
    Ok(json!({
        "measured": "latency_ms", "beeps": late_ms.len(),
        "p50": at(0.5), "p99": at(0.99), "max": late_ms.last(),
        "server_cores": run.cpu_cores, "holes": holes(&run.heard),
    }))
}

fn quality(binary: &Path, seconds: usize, folder: &Path) -> anyhow::Result<Value> {
    let speech = read_wav(&folder.join("speech.wav"))?;
    let speech = Speech::code(&speech[..speech.len().min(seconds * RATE)], 128_000)?;
    let run = run(binary, &speech, 0.0, seconds)?;
    write_wav(&folder.join("reference.wav"), &speech.decoded()?)?;
    let out: Vec<f32> = run.heard.iter().flat_map(|part| part.samples.iter().copied()).collect();
    write_wav(&folder.join("heard.wav"), &out)?;
    let (reference, heard) = (folder.join("reference.wav"), folder.join("heard.wav"));
    Ok(json!({"measured": "quality", "reference": reference, "heard": heard}))
}

fn drift(binary: &Path, seconds: usize) -> anyhow::Result<Value> {
    let sound: Vec<f32> = (0..seconds * RATE).map(|n| 0.1 * tone(n, 1_000.0)).collect();
    let run = run(binary, &Speech::code(&sound, 96_000)?, 1_000.0, seconds)?;
    let out: Vec<f32> = run.heard.iter().flat_map(|part| part.samples.iter().copied()).collect();
    // After the first seconds the tone must never pause: 10 ms of it always has power.
    let settled = out.get(RATE * 10..out.len().saturating_sub(RATE)).unwrap_or_default();
    let quiet = settled.chunks_exact(RATE / 100).filter(|chunk| rms(chunk) < 0.3 * rms(settled)).count();
    let early = lag_ms(&run, 0.1);
    let late = lag_ms(&run, 0.9);
    Ok(json!({
        "measured": "drift", "seconds": seconds, "ppm": 1_000,
        "holes": holes(&run.heard), "quiet_10ms": quiet,
        "part_age_early_ms": early, "part_age_late_ms": late, "server_cores": run.cpu_cores,
    }))
}

fn inputs(binary: &Path, seconds: usize) -> anyhow::Result<Value> {
    let node = Node::start(binary)?;
    let key = node.live_room("bench")?;
    let tones: Vec<Speech> = (0..16)
        .map(|input| {
            let hz = 200.0 + 100.0 * f64::from(input);
            let sound: Vec<f32> = (0..seconds * RATE).map(|n| 0.1 * tone(n, hz)).collect();
            Speech::code(&sound, 64_000)
        })
        .collect::<anyhow::Result<_>>()?;
    let (idle, began) = (node.cpu_s()?, Instant::now());
    std::thread::scope(|scope| {
        for (input, speech) in tones.iter().enumerate() {
            let path = format!("/bench/source/input-{input}");
            let (node, key) = (&node, &key);
            scope.spawn(move || {
                let target = Sender { stage: &node.stage, path: &path, key, ppm: 0.0 };
                send(&target, speech, began)
            });
        }
    });
    let cores = (node.cpu_s()? - idle) / began.elapsed().as_secs_f64();
    Ok(json!({"measured": "inputs", "inputs": 16, "seconds": seconds, "server_cores": cores}))
}

/// How far behind the clock parts arrive, at a place in the run: grows when a listener would slowly run dry.
fn lag_ms(run: &Run, place: f64) -> f64 {
    let Some((first, part)) = run.heard.first().zip(run.heard.get((run.heard.len() as f64 * place) as usize))
    else {
        return f64::NAN;
    };
    let media_s = (part.granule - first.granule) as f64 / RATE as f64;
    ((part.at - first.at).as_secs_f64() - media_s) * 1_000.0
}

/// Places where media time does not go on from one part to the next.
fn holes(heard: &[Heard]) -> usize {
    heard.windows(2).filter(|pair| pair[1].granule != pair[0].granule + PART).count()
}

fn tone(n: usize, hz: f64) -> f32 {
    (std::f64::consts::TAU * hz * n as f64 / RATE as f64).sin() as f32
}

fn rms(samples: &[f32]) -> f32 {
    (samples.iter().map(|s| s * s).sum::<f32>() / samples.len().max(1) as f32).sqrt()
}

fn read_wav(path: &Path) -> anyhow::Result<Vec<f32>> {
    let bytes = std::fs::read(path).with_context(|| format!("{} is missing", path.display()))?;
    let at = bytes.windows(4).position(|four| four == b"data").context("a WAV file has data")?;
    let samples = bytes[at + 8..].chunks_exact(2);
    Ok(samples.map(|two| f32::from(i16::from_le_bytes([two[0], two[1]])) / 32_768.0).collect())
}

fn write_wav(path: &Path, samples: &[f32]) -> anyhow::Result<()> {
    let len = u32::try_from(samples.len() * 2)?;
    let rate = RATE as u32;
    let mut out = Vec::with_capacity(44 + samples.len() * 2);
    out.extend_from_slice(b"RIFF");
    out.extend_from_slice(&(36 + len).to_le_bytes());
    out.extend_from_slice(b"WAVEfmt ");
    for (value, bytes) in [(16, 4), (1, 2), (1, 2), (rate, 4), (rate * 2, 4), (2, 2), (16, 2)] {
        out.extend_from_slice(&value.to_le_bytes()[..bytes]);
    }
    out.extend_from_slice(b"data");
    out.extend_from_slice(&len.to_le_bytes());
    for sample in samples {
        out.extend_from_slice(&((sample.clamp(-1.0, 1.0) * 32_767.0) as i16).to_le_bytes());
    }
    Ok(std::fs::write(path, out)?)
}
