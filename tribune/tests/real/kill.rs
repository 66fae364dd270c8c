//! `kill -9` at a hundred moments: every recording verifies, and what a listener heard is in it but for the
//! part in flight.

use std::collections::BTreeSet;
use std::process::Command;

use sha2::{Digest, Sha256};

use crate::node::{Node, OPERATOR, Room};
use crate::program::Pages;
use crate::sources::Sender;

/// Kills. Each leaves the node a life of up to `PAGES_MAX` parts.
const KILLS: u64 = 100;
const PAGES_MAX: u64 = 5;

/// What `tribune verify` says: its exit code and its JSON.
pub fn verify(args: &[&str]) -> (i32, serde_json::Value) {
    let done = Command::new(env!("CARGO_BIN_EXE_tribune")).arg("verify").args(args).arg("--json").output();
    let done = done.expect("the binary runs");
    let json = serde_json::from_slice(&done.stdout).unwrap_or_else(|error| {
        panic!("{error}: {} {}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr))
    });
    (done.status.code().unwrap_or(-1), json)
}

fn packets_of(body: &[u8]) -> [u8; 32] {
    Sha256::digest(body).into()
}

/// Noise, so that no two pages are alike; sent as fast as the node takes it, which is at live pace.
fn noise(folder: &std::path::Path) -> String {
    let path = folder.join("noise.ogg").to_str().expect("a plain path").to_owned();
    let made = Command::new("ffmpeg")
        .args(["-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", "anoisesrc=a=0.2:d=20:r=48000:seed=7"])
        .args(["-c:a", "libopus", "-b:a", "64k", "-page_duration", "100000", &path])
        .status();
    assert!(made.is_ok_and(|status| status.success()), "ffmpeg makes the noise");
    path
}

fn send(node: &Node, room: &Room, file: &str) -> Sender {
    let url = format!("{}/{}/source", node.stage, room.name);
    let key = format!("source:{}", room.speaker);
    Sender::start(
        "curl",
        &["-sS", "-T", file, "-u", &key, "-H", "Content-Type: audio/ogg", "-H", "Expect:", &url],
    )
}

#[test]
fn a_hundred_kills_lose_at_most_the_part_in_flight() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = noise(folder.path());
    let data = folder.path().join("data");
    let mut node = Node::start_in(&data);
    let room = node.live_room("killed");
    let mut heard: Vec<Vec<[u8; 32]>> = Vec::new();
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    for _ in 0..KILLS {
        let _sender = send(&node, &room, &file);
        let mut pages = Pages(node.open("/killed/live.opus")).skip(2);
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let wanted = 1 + (seed >> 33) % PAGES_MAX;
        let got: Vec<_> = pages.by_ref().take(wanted as usize).map(|page| packets_of(&page.body)).collect();
        node.kill();
        heard.push(got.into_iter().chain(pages.map(|page| packets_of(&page.body))).collect());
        node = Node::start_in(&data);
        assert_eq!(node.status(&room)["state"], "live", "the room is as it was");
    }
    node.end(&room);
    let (code, verdict) = verify(&[&format!("{}/killed/replay.opus", node.public)]);
    assert_eq!(code, 0, "{verdict}");
    let gaps = verdict["gaps"].as_array().expect("gaps are listed");
    assert!(gaps.iter().all(|gap| gap["why"] == "restart"), "{verdict}");
    assert!(gaps.len() as u64 <= KILLS, "{} gaps", gaps.len());
    let (_, replay) = node.get("/killed/replay.opus");
    let kept: BTreeSet<_> = Pages(replay.as_slice()).map(|page| packets_of(&page.body)).collect();
    for (kill, pages) in heard.iter().enumerate() {
        let missing = pages.iter().filter(|page| !kept.contains(*page)).count();
        assert!(
            missing <= 1,
            "kill {kill}: {missing} of {} parts that were heard are not in the recording",
            pages.len()
        );
    }
    assert!(!OPERATOR.is_empty());
}

#[test]
fn any_changed_byte_of_a_recording_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = noise(folder.path());
    let node = Node::start();
    let room = node.live_room("sealed");
    let sender = send(&node, &room, &file);
    let pages = Pages(node.open("/sealed/live.opus")).skip(2);
    assert_eq!(pages.take(12).count(), 12);
    let witness = node.get("/sealed/status").1;
    node.end(&room);
    drop(sender);
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).expect("our own folder");
        path.to_str().expect("a plain path").to_owned()
    };
    let seal = write("seal.json", &node.get("/sealed/seal").1);
    let witness = write("witness.json", &witness);
    for form in ["opus", "m4a"] {
        let whole = node.get(&format!("/sealed/replay.{form}")).1;
        let good = write(&format!("good.{form}"), &whole);
        let (code, verdict) = verify(&[&good, "--seal", &seal, "--witness", &witness]);
        assert_eq!((code, &verdict["witnessed"]), (0, &serde_json::Value::Bool(true)), "{form}: {verdict}");
        // Away from the container's own header, every byte of sound counts.
        for step in 1..20 {
            let mut changed = whole.clone();
            let at = whole.len() - 1 - step * whole.len() / 32;
            changed[at] ^= 0x10;
            let (code, _) = verify(&[&write(&format!("changed.{form}"), &changed), "--seal", &seal]);
            assert_ne!(code, 0, "{form}: byte {at} of {} was changed and nobody noticed", whole.len());
        }
        let (code, verdict) =
            verify(&[&write(&format!("cut.{form}"), &whole[..whole.len() / 2]), "--seal", &seal]);
        assert_ne!(code, 0, "{form}: half of it is missing: {verdict}");
    }
}
