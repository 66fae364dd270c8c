//! The stage without a network: what a path with losses does to a voice, and what thirteen speakers cost.
//!
//! `stage quality FOLDER VOICE SEEDS` reads `VOICE.wav` there, sends it over each road as often as `SEEDS`
//! says, and writes `stage-VOICE-*.wav` for `quality.py` beside its reference; `stage cost` prints one line
//! of JSON.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::json;
use tribune_bench::road::{Loss, Road, Sent};
use tribune_bench::wav;
use tribune_core::codec::opus::{Decoder, Encoder};
use tribune_core::ingest::speaker::Packet;
use tribune_core::mix::{Hears, InletId, Input, Mixer, OnAir, Output, SpeakerSpec};
use tribune_core::time::{FRAME_MS, Time};

/// What our answer asks browsers for, in bits a second: below 40,000 libopus repeats nothing at 5 % loss.
const BROWSER_BITS_PER_S: u32 = 48_000;
/// Five packets in a hundred, three in a row in the mean.
const BURSTS: Loss = Loss::Bursts { share: 0.05, mean: 3.0 };
const SPEAKERS: usize = 13;
const COST_S: usize = 60;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["quality", folder, voice, seeds] => quality(Path::new(folder), voice, seeds.parse()?),
        ["cost"] => {
            print(&cost()?);
            Ok(())
        }
        _ => anyhow::bail!("stage quality FOLDER VOICE SEEDS | stage cost"),
    }
}

fn print(line: &serde_json::Value) {
    #[expect(clippy::print_stdout, reason = "a bench prints its figures")]
    {
        println!("{line}");
    }
}

/// One speaker over several roads; another who listens to them.
fn quality(folder: &Path, voice: &str, seeds: u64) -> anyhow::Result<()> {
    let samples = wav::read(&folder.join(format!("{voice}.wav")))?;
    let sent = Sent::coded(&samples, Encoder::talk(BROWSER_BITS_PER_S)?)?;
    wav::write(&folder.join(format!("stage-{voice}-reference.wav")), &sent.decoded()?)?;
    for (name, road) in roads() {
        let several = if matches!(road.loss, Loss::No) { 1 } else { seeds };
        for seed in 1..=several {
            let heard = hear(&sent.travel(Road { seed, ..road }))?;
            wav::write(&folder.join(format!("stage-{voice}-{name}.{seed}.wav")), &heard.minus)?;
            print(&json!({"measured": format!("stage_{voice}_{name}_{seed}"),
                "held_back_ms": heard.held_back_ms,
                "lost": heard.lost, "repaired_ms": heard.repaired_ms, "concealed_ms": heard.concealed_ms}));
        }
    }
    Ok(())
}

fn roads() -> [(&'static str, Road); 6] {
    let clean = Road { loss: Loss::No, jitter_ms: 1.0, again_ms: None, seed: 1 };
    let random = Loss::Random(0.05);
    [
        ("clean", clean),
        ("jitter-60", Road { jitter_ms: 60.0, ..clean }),
        ("random-5", Road { loss: random, ..clean }),
        ("bursts-5", Road { loss: BURSTS, ..clean }),
        ("random-5-again", Road { loss: random, again_ms: Some(40.0), ..clean }),
        ("bursts-5-again", Road { loss: BURSTS, again_ms: Some(40.0), ..clean }),
    ]
}

struct Heard {
    minus: Vec<f32>,
    held_back_ms: f64,
    lost: u64,
    repaired_ms: u64,
    concealed_ms: u64,
}

const SPEAKS: InletId = InletId(1);
const LISTENS: InletId = InletId(2);

fn hear(came: &[Packet]) -> anyhow::Result<Heard> {
    let mut mixer = Mixer::new();
    mixer.handle_input(Time::ZERO, Input::OnAir(OnAir::Program));
    for (inlet, name) in [(SPEAKS, "speaks"), (LISTENS, "listens")] {
        let spec = SpeakerSpec { name: name.into(), hears: Hears::MixMinus };
        mixer.handle_input(Time::ZERO, Input::OpenSpeaker { inlet, spec });
    }
    let (mut decoder, mut minus) = (Decoder::new()?, Vec::new());
    let mut held_back = (0.0, 0.0);
    let end = came.last().context("packets came")?.arrived;
    let mut came = came.iter().peekable();
    for tick in 0..=end.nanos() / 1_000_000 / FRAME_MS {
        // Ticks fall 9 ms after the packets are made.
        let now = Time::from_millis(tick * FRAME_MS + 9);
        while let Some(packet) = came.next_if(|packet| packet.arrived <= now) {
            mixer.handle_input(packet.arrived, Input::Packet { inlet: SPEAKS, packet: packet.clone() });
        }
        mixer.handle_input(now, Input::Tick);
        while let Some(output) = mixer.poll_output() {
            match output {
                Output::Minus { whose: Some(LISTENS), packet } => {
                    decoder.decode(&packet, &mut minus)?;
                }
                Output::Frame(frame) => mixer.give_back(frame),
                Output::Minus { .. } | Output::Event(_) => {}
            }
        }
        if let Some((way, _)) = mixer.way(SPEAKS, now) {
            held_back = (held_back.0 + way.held_back_ms, held_back.1 + 1.0);
        }
    }
    let (_, counts) = mixer.way(SPEAKS, end).context("packets came")?;
    Ok(Heard {
        minus,
        held_back_ms: held_back.0 / held_back.1,
        lost: counts.lost,
        repaired_ms: counts.repaired_samples / 48,
        concealed_ms: counts.concealed_samples / 48,
    })
}

/// Thirteen people who all speak, each of whom hears the others.
fn cost() -> anyhow::Result<serde_json::Value> {
    let voices: Vec<Vec<Packet>> = (0..SPEAKERS as u64)
        .map(|seed| {
            let sent = Sent::coded(
                &tribune_bench::road::voice(seed + 1, COST_S),
                Encoder::talk(BROWSER_BITS_PER_S)?,
            )?;
            Ok(sent.travel(Road { loss: BURSTS, jitter_ms: 10.0, again_ms: None, seed }))
        })
        .collect::<anyhow::Result<_>>()?;
    let mut mixer = Mixer::new();
    mixer.handle_input(Time::ZERO, Input::OnAir(OnAir::Program));
    for inlet in 0..SPEAKERS as u32 {
        let spec = SpeakerSpec { name: format!("speaker {inlet}"), hears: Hears::MixMinus };
        mixer.handle_input(Time::ZERO, Input::OpenSpeaker { inlet: InletId(inlet), spec });
    }
    let mut voices: Vec<_> = voices.iter().map(|came| came.iter().peekable()).collect();
    let (mut worked, mut slowest, mut packets) = (Duration::ZERO, Duration::ZERO, 0_u64);
    for tick in 0..COST_S as u64 * 1_000 / FRAME_MS {
        let now = Time::from_millis(tick * FRAME_MS + 9);
        let came: Vec<Input> = voices
            .iter_mut()
            .enumerate()
            .flat_map(|(at, came)| {
                let inlet = InletId(at as u32);
                std::iter::from_fn(move || came.next_if(|packet| packet.arrived <= now))
                    .map(move |packet| Input::Packet { inlet, packet: packet.clone() })
            })
            .collect();
        let began = Instant::now();
        for input in came {
            mixer.handle_input(now, input);
        }
        mixer.handle_input(now, Input::Tick);
        while let Some(output) = mixer.poll_output() {
            match output {
                Output::Frame(frame) => mixer.give_back(frame),
                Output::Minus { .. } => packets += 1,
                Output::Event(_) => {}
            }
        }
        let took = began.elapsed();
        (worked, slowest) = (worked + took, slowest.max(took));
    }
    Ok(json!({"measured": "stage_cost", "speakers": SPEAKERS, "cores": worked.as_secs_f64() / COST_S as f64,
        "slowest_tick_ms": slowest.as_secs_f64() * 1_000.0,
        "minus_packets_per_tick": packets as f64 / (COST_S as f64 * 1_000.0 / FRAME_MS as f64)}))
}
