//! The stage over real sockets: what the node adds between two speakers, and what a full stage costs it.
//!
//! `talk delay SECONDS` has eight on stage, one of whom beeps; `talk cost SECONDS` has thirteen who all speak
//! and hear. Each prints one line of JSON. `TRIBUNE` names the binary, else `target/release/tribune`.

use std::io::Write;
use std::path::PathBuf;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tribune_bench::beeps::{RATE, tone};
use tribune_bench::idle::Idle;
use tribune_bench::node::Node;
use tribune_core::codec::opus::{Decoder, Encoder, Prediction};
use tribune_core::time::FRAME_SAMPLES;
use tribune_rehearsal::speaker::{Heard, Over, Speaker, Target, Wants};

const USAGE: &str = "usage: talk delay|cost SECONDS";
/// On stage while the delay is measured, as the issue of Janus' figures has it.
const ON_STAGE: usize = 8;
/// The most speakers a room is built for, with some to spare.
const FULL_STAGE: usize = 13;
const FRAMES_PER_S: usize = 50;
/// A beep every half second, at a pitch nobody hums.
const BEEP_EVERY_FRAMES: usize = 25;
const BEEP_FRAMES: usize = 2;
const BEEP_HZ: f64 = 2_500.0;
/// Beeps before this are of a path that settles.
const SETTLE_BEEPS: usize = 8;
/// Where a beep begins is looked for in windows of 5 ms, every 0.5 ms.
const WINDOW: usize = RATE * 5 / 1_000;
const STEP: usize = RATE / 2_000;

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let binary =
        PathBuf::from(std::env::var("TRIBUNE").unwrap_or_else(|_| "target/release/tribune".to_owned()));
    let seconds: usize = args.get(2).and_then(|text| text.parse().ok()).context(USAGE)?;
    let node = Node::start(&binary)?;
    let key = node.live_room("bench")?;
    let idle = Idle::watch();
    let mut measured = match args.get(1).map(String::as_str) {
        Some("delay") => delay(&node, &key, seconds)?,
        Some("cost") => cost(&node, &key, seconds)?,
        _ => bail!(USAGE),
    };
    measured["idle_late_ms"] = idle.late_ms();
    writeln!(std::io::stdout(), "{measured}")?;
    Ok(())
}

fn join(node: &Node, key: &str) -> anyhow::Result<Speaker> {
    let (wants, over) = (Wants::ToSendAndHear, Over::Udp);
    let target = Target { stage: &node.stage, room: "bench", key, name: None, wants, over, via: None };
    Speaker::join(&target)
}

/// What the node adds between two speakers, over the same two connected directly: the beep's way through both
/// codecs and the node, less its way through one encoder and one decoder.
fn delay(node: &Node, key: &str, seconds: usize) -> anyhow::Result<Value> {
    let mut speakers = (0..ON_STAGE).map(|_| join(node, key)).collect::<Result<Vec<_>, _>>()?;
    let frames = seconds * FRAMES_PER_S;
    let beeper = speakers.pop().context("eight came")?;
    let listener = speakers.pop().context("eight came")?;
    let (said, heard) = std::thread::scope(|scope| {
        for (number, speaker) in speakers.into_iter().enumerate() {
            scope.spawn(move || hum(speaker, number, frames));
        }
        let listening = scope.spawn(move || hum(listener, ON_STAGE, frames));
        let said = beep(beeper, frames)?;
        let heard = listening.join().map_err(|_| anyhow::anyhow!("a speaker died"))??;
        anyhow::Ok((said, heard))
    })?;
    let direct_ms = direct_ms()?;
    let mut added_ms: Vec<f64> = delays_ms(&said, &heard)?.iter().map(|ms| ms - direct_ms).collect();
    added_ms.sort_by(f64::total_cmp);
    let at = |share: f64| added_ms.get(((added_ms.len() as f64 - 1.0) * share).round() as usize);
    Ok(json!({
        "measured": "talk_delay", "on_stage": ON_STAGE, "beeps": added_ms.len(), "direct_ms": direct_ms,
        "added_ms": {"p50": at(0.5), "p99": at(0.99), "max": at(1.0)},
    }))
}

fn hum(mut speaker: Speaker, number: usize, frames: usize) -> anyhow::Result<Vec<Heard>> {
    let hz = 150.0 + 25.0 * number as f64;
    let mut at = 0;
    speaker.speak(frames, |frame| {
        for sample in frame {
            *sample = 0.03 * tone(at, hz);
            at += 1;
        }
    })?;
    Ok(speaker.take_heard())
}

/// Beeps, and says when each began.
fn beep(mut speaker: Speaker, frames: usize) -> anyhow::Result<Vec<Instant>> {
    let (began, mut said) = (Instant::now(), Vec::new());
    for number in 0..frames {
        speaker.attend(began + Duration::from_millis(20 * number as u64))?;
        if number % BEEP_EVERY_FRAMES == 0 {
            said.push(Instant::now());
        }
        speaker.say(&beep_frame(number))?;
    }
    Ok(said)
}

fn beep_frame(number: usize) -> [f32; FRAME_SAMPLES] {
    let mut frame = [0.0; FRAME_SAMPLES];
    if number % BEEP_EVERY_FRAMES < BEEP_FRAMES {
        for (n, sample) in frame.iter_mut().enumerate() {
            *sample = 0.3 * tone(number * FRAME_SAMPLES + n, BEEP_HZ);
        }
    }
    frame
}

/// From a beep's beginning to where it begins in what was heard, each packet played the moment it came.
fn delays_ms(said: &[Instant], heard: &[Heard]) -> anyhow::Result<Vec<f64>> {
    let (mut decoder, mut sound, mut came) = (Decoder::new()?, Vec::new(), Vec::new());
    for packet in heard {
        came.push((sound.len(), packet.at));
        decoder.decode(&packet.payload, &mut sound)?;
    }
    let played = |sample: usize| -> Option<Instant> {
        let (from, at) = came.iter().rev().find(|(from, _)| *from <= sample)?;
        Some(*at + Duration::from_secs_f64((sample - from) as f64 / RATE as f64))
    };
    let played: Vec<Instant> = onsets(&sound).into_iter().filter_map(played).collect();
    let delays = said.iter().skip(SETTLE_BEEPS).filter_map(|said| {
        let next = played.iter().find(|played| *played > said)?;
        Some(next.saturating_duration_since(*said).as_secs_f64() * 1_000.0)
    });
    // A beep that was lost would be taken for the next one's.
    let within = (BEEP_EVERY_FRAMES * 20) as f64 * 0.8;
    Ok(delays.filter(|ms| *ms < within).collect())
}

/// The same of one encoder and one decoder with nothing between them.
fn direct_ms() -> anyhow::Result<f64> {
    let (mut encoder, mut decoder) = (Encoder::new(32_000)?, Decoder::new()?);
    let mut sound = Vec::new();
    for number in 0..20 * BEEP_EVERY_FRAMES {
        let mut packet = Vec::new();
        encoder.encode(&beep_frame(number), Prediction::Carry, &mut packet)?;
        decoder.decode(&packet, &mut sound)?;
    }
    let every = BEEP_EVERY_FRAMES * FRAME_SAMPLES;
    let found = onsets(&sound);
    let late: usize = found.iter().map(|at| at % every).sum();
    Ok(late as f64 / found.len().max(1) as f64 / RATE as f64 * 1_000.0)
}

/// Where beeps begin: where the power at their pitch passes half of its most.
fn onsets(sound: &[f32]) -> Vec<usize> {
    let powers: Vec<f64> = (0..sound.len().saturating_sub(WINDOW))
        .step_by(STEP)
        .map(|from| power(&sound[from..from + WINDOW], BEEP_HZ))
        .collect();
    let most = powers.iter().skip(powers.len() / 4).copied().fold(0.0, f64::max);
    let (mut found, mut quiet) = (Vec::new(), true);
    for (at, power) in powers.iter().enumerate() {
        if quiet && *power > most / 4.0 {
            found.push(at * STEP);
            quiet = false;
        }
        quiet |= *power < most / 40.0;
    }
    found
}

fn power(samples: &[f32], hz: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let turn = std::f64::consts::TAU * hz * n as f64 / RATE as f64;
        re += f64::from(*sample) * turn.cos();
        im += f64::from(*sample) * turn.sin();
    }
    re * re + im * im
}

/// Thirteen speak and hear at once.
fn cost(node: &Node, key: &str, seconds: usize) -> anyhow::Result<Value> {
    let speakers = (0..FULL_STAGE).map(|_| join(node, key)).collect::<Result<Vec<_>, _>>()?;
    let frames = seconds * FRAMES_PER_S;
    let start = Barrier::new(FULL_STAGE + 1);
    let (cores, heard) = std::thread::scope(|scope| {
        let start = &start;
        let humming: Vec<_> = speakers
            .into_iter()
            .enumerate()
            .map(|(number, speaker)| {
                scope.spawn(move || {
                    start.wait();
                    hum(speaker, number, frames)
                })
            })
            .collect();
        start.wait();
        let (began, cpu) = (Instant::now(), node.cpu_s()?);
        let heard: Vec<Vec<Heard>> = humming
            .into_iter()
            .map(|humming| humming.join().map_err(|_| anyhow::anyhow!("a speaker died"))?)
            .collect::<Result<_, _>>()?;
        anyhow::Ok(((node.cpu_s()? - cpu) / began.elapsed().as_secs_f64(), heard))
    })?;
    let missing: u64 = heard.iter().map(|heard| missing(heard)).sum();
    let least = heard.iter().map(Vec::len).min().unwrap_or(0);
    Ok(json!({
        "measured": "talk_cost", "speakers": FULL_STAGE, "seconds": seconds, "server_cores": cores,
        "frames_late": node.metric("tribune_program_frames_late_total")?,
        "packets_dropped": node.metric("tribune_speaker_packets_dropped_total")?,
        "stage_frames_dropped": node.metric("tribune_stage_frames_dropped_total")?,
        "heard_packets_least": least, "heard_packets_missing": missing,
    }))
}

/// Numbers that never came.
fn missing(heard: &[Heard]) -> u64 {
    let numbers = heard.iter().map(|packet| packet.seq);
    match (numbers.clone().min(), numbers.max()) {
        (Some(first), Some(last)) => (last - first + 1).saturating_sub(heard.len() as u64),
        (None, _) | (_, None) => 0,
    }
}
