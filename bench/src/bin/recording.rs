//! Four hours of made-up parts at full speed: how long from the end to the replay, how large the seal is, how
//! long `verify` takes, how long a restart in the middle.
//!
//! Run it with `cargo run --release -p tribune-bench --bin recording`; it writes some 240 MB into the
//! temporary folder and prints one JSON document.

use std::time::Instant;

use serde_json::json;
use tribune_core::mix::Kind;
use tribune_core::program::seal::Seal;
use tribune_core::program::verify::{Answer, verify};
use tribune_core::program::{PART_MS, PartNo, synthetic};
use tribune_core::time::WallTime;
use tribune_server::recording::{Disk, Form, Opening, Recorded, Replay, Stored, Tape};

const HOURS: u64 = 4;
const PARTS: u64 = HOURS * 3_600_000 / PART_MS;

#[allow(clippy::print_stdout, reason = "the figures are its output")]
fn main() -> anyhow::Result<()> {
    let folder = std::env::temp_dir().join(format!("tribune-bench-recording-{}", std::process::id()));
    let figures = measure(&folder);
    std::fs::remove_dir_all(&folder)?;
    println!("{}", figures?);
    Ok(())
}

fn measure(folder: &std::path::Path) -> anyhow::Result<serde_json::Value> {
    let (opus, aac) = synthetic::tracks();
    let opening = Opening {
        room: "evening".into(),
        title: "An evening".into(),
        id: [3; 16],
        key: ed25519_dalek::SigningKey::from_bytes(&[7; 32]),
        opus: Recorded { index: 0, track: opus },
        aac: Recorded { index: 1, track: aac },
    };
    let (mut tape, _) = Tape::open(folder, &opening, Disk::Real)?;
    let (mut append_s, mut append_ms_max) = (0.0, 0.0_f64);
    for no in 0..PARTS {
        let part = synthetic::part(PartNo(no), Kind::Conversation, 1);
        let began = Instant::now();
        tape.append(&part);
        let took = began.elapsed().as_secs_f64();
        append_s += took;
        append_ms_max = append_ms_max.max(took * 1e3);
    }
    drop(tape);
    let began = Instant::now();
    let (mut tape, recovered) = Tape::open(folder, &opening, Disk::Real)?;
    let restart_ms = began.elapsed().as_secs_f64() * 1e3;
    anyhow::ensure!(recovered.parts == PARTS, "{} of {PARTS} parts came back", recovered.parts);
    let began = Instant::now();
    tape.end(WallTime(synthetic::BEGAN_AT.0 + (PARTS * PART_MS) as i64))?;
    let replay = Replay::open(folder)?;
    let end_to_replay_ms = began.elapsed().as_secs_f64() * 1e3;
    let seal_bytes = std::fs::read(Stored::Seal.path(folder))?;
    let mut verify_s = serde_json::Map::new();
    for (name, head, body, tail) in [
        ("opus", Stored::OpusHead, Stored::Pages, Some(Stored::OpusTail)),
        ("m4a", Stored::M4aHead, Stored::Chunks, None),
    ] {
        let mut file = std::fs::read(head.path(folder))?;
        file.extend(std::fs::read(body.path(folder))?);
        if let Some(tail) = tail {
            file.extend(std::fs::read(tail.path(folder))?);
        }
        let began = Instant::now();
        let report = verify(&Seal::from_json(&seal_bytes)?, &file, None)?;
        anyhow::ensure!(report.answer() == Answer::Yes, "{:?}", report.wrong);
        verify_s.insert(name.into(), (began.elapsed().as_secs_f64() / HOURS as f64).into());
    }
    Ok(json!({
        "hours": HOURS,
        "parts": PARTS,
        "append_ms_mean": append_s * 1e3 / PARTS as f64,
        "append_ms_max": append_ms_max,
        "restart_ms": restart_ms,
        "end_to_replay_ms": end_to_replay_ms,
        "seal_bytes": seal_bytes.len(),
        "replay_opus_bytes": replay.layout(Form::Opus).map(|layout| layout.len()),
        "verify_s_per_hour": verify_s,
    }))
}
