//! What the mix costs: 16 open inputs at 44.1 and 48 kHz, as a share of one core, and its stages one by one.
//!
//! Run with `cargo run --release -p tribune-bench --bin mix`; `--json` prints one document. Sound is made
//! before the clock starts.

use std::time::{Duration, Instant};

use tribune_core::ingest::Pcm;
use tribune_core::mix::{InletId, Input, Levelling, Mixer, OPEN_INLETS_MAX, OnAir, Output, Spec};
use tribune_core::time::{FRAME_MS, Time};

const PROGRAM_S: u64 = 120;
const PAGE_MS: u64 = 100;

/// One line of the table.
struct Case {
    name: &'static str,
    inlets: usize,
    rate_hz: u32,
    levelling: Levelling,
    amplitude: f32,
}

fn main() {
    let on = |name, inlets, rate_hz, amplitude| Case {
        name,
        inlets,
        rate_hz,
        levelling: Levelling::On,
        amplitude,
    };
    let cases = [
        on("no input: hold sound, limiter idle", 0, 48_000, 0.0),
        on("1 input, 48 kHz", 1, 48_000, 0.2),
        on("16 inputs, 48 kHz", OPEN_INLETS_MAX, 48_000, 0.2),
        on("16 inputs, 44.1 kHz", OPEN_INLETS_MAX, 44_100, 0.2),
        on("16 inputs, 96 kHz", OPEN_INLETS_MAX, 96_000, 0.2),
        Case {
            name: "16 finished mixes, 44.1 kHz: limiter at work",
            inlets: OPEN_INLETS_MAX,
            rate_hz: 44_100,
            levelling: Levelling::Off,
            amplitude: 0.9,
        },
    ];
    let shares: Vec<(&str, f64)> = cases.iter().map(|case| (case.name, share_of_core(case))).collect();
    show(&shares);
}

/// Seconds of work for each second of program.
fn share_of_core(case: &Case) -> f64 {
    let page = noise(case.rate_hz, case.amplitude);
    let mut mixer = Mixer::new();
    mixer.handle_input(Time::ZERO, Input::OnAir(OnAir::Program));
    for inlet in 0..case.inlets {
        let spec = Spec { name: "voice".into(), levelling: case.levelling, backup_for: None };
        mixer.handle_input(Time::ZERO, Input::Open { inlet: InletId(inlet as u32), spec });
    }
    let mut worked = Duration::ZERO;
    for at_ms in (0..PROGRAM_S * 1_000).step_by(FRAME_MS as usize) {
        let now = Time::from_millis(at_ms);
        let pages: Vec<Input> = if at_ms % PAGE_MS == 0 {
            let sound = |inlet| Input::Sound { inlet: InletId(inlet as u32), pcm: page.clone() };
            (0..case.inlets).map(sound).collect()
        } else {
            Vec::new()
        };
        let began = Instant::now();
        for page in pages {
            mixer.handle_input(now, page);
        }
        mixer.handle_input(now, Input::Tick);
        while let Some(output) = mixer.poll_output() {
            match output {
                Output::Frame(frame) => mixer.give_back(frame),
                Output::Minus { .. } => {}
                Output::Event(_) => {}
            }
        }
        worked += began.elapsed();
    }
    worked.as_secs_f64() / PROGRAM_S as f64
}

/// A page of noise; what it sounds like does not change the cost, how loud it is does.
fn noise(rate_hz: u32, amplitude: f32) -> Pcm {
    let mut state = 0x9E37_79B9_u32;
    let samples = (0..u64::from(rate_hz) * PAGE_MS / 1_000).map(|_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        amplitude * (state as f32 / u32::MAX as f32 * 2.0 - 1.0)
    });
    Pcm { rate_hz, samples: samples.collect() }
}

#[expect(clippy::print_stdout, reason = "a bench prints its table")]
fn show(shares: &[(&str, f64)]) {
    if std::env::args().any(|arg| arg == "--json") {
        let rows: Vec<_> =
            shares.iter().map(|(case, cores)| serde_json::json!({"case": case, "cores": cores})).collect();
        println!("{}", serde_json::json!({"mix": rows}));
    } else {
        for (case, cores) in shares {
            println!("{:6.2} % of a core  {case}", cores * 100.0);
        }
    }
}
