//! The recording of an evening on the real binary: proved, witnessed, there at once, taken home, redacted,
//! deleted; a stop in the middle loses nothing.

use std::io::Read;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::node::{Node, OPERATOR, Room, agent, gaps, until};
use crate::program::Pages;
use crate::sources::Sender;

/// Of one page's body.
pub type Hash = [u8; 32];

/// The packets of a page, in 32 bytes.
pub fn hash_of(body: &[u8]) -> Hash {
    Sha256::digest(body).into()
}

/// What `tribune verify` says: its exit code and its JSON.
pub fn verify(args: &[&str]) -> (i32, Value) {
    let done = Command::new(env!("CARGO_BIN_EXE_tribune")).arg("verify").args(args).arg("--json").output();
    let done = done.expect("the binary runs");
    let json = serde_json::from_slice(&done.stdout).unwrap_or_else(|_| {
        // A file that is no recording anymore has no report, only a sentence.
        json!({"says": String::from_utf8_lossy(&done.stderr)})
    });
    (done.status.code().unwrap_or(-1), json)
}

/// Noise, so that no two pages are alike; sent as fast as the node takes it, which is at live pace.
pub fn noise(folder: &Path) -> String {
    let path = folder.join("noise.ogg").to_str().expect("a plain path").to_owned();
    let made = Command::new("ffmpeg")
        .args([
            "-nostdin",
            "-loglevel",
            "error",
            "-y",
            "-f",
            "lavfi",
            "-i",
            "anoisesrc=a=0.2:d=60:r=48000:seed=7",
        ])
        .args(["-c:a", "libopus", "-b:a", "64k", "-page_duration", "100000", &path])
        .status();
    assert!(made.is_ok_and(|status| status.success()), "ffmpeg makes the noise");
    path
}

/// Sends a file with curl.
pub fn send(node: &Node, room: &Room, file: &str) -> Sender {
    let url = format!("{}/{}/source", node.stage, room.name);
    let key = format!("source:{}", room.speaker);
    Sender::start(
        "curl",
        &["-sS", "-T", file, "-u", &key, "-H", "Content-Type: audio/ogg", "-H", "Expect:", &url],
    )
}

/// Waits until so many parts are sealed.
pub fn until_sealed(node: &Node, room: &Room, parts: u64) {
    until("so many parts are sealed", || {
        node.status(room)["program"]["parts"].as_u64().is_some_and(|sealed| sealed >= parts)
    });
}

/// A node, a live room with a source of noise, and a folder for files.
fn evening(name: &str) -> (Node, Room, Sender, tempfile::TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let node = Node::start();
    let room = node.live_room(name);
    let sender = send(&node, &room, &noise(folder.path()));
    (node, room, sender, folder)
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> String {
    let path = folder.join(name);
    std::fs::write(&path, bytes).expect("our own folder");
    path.to_str().expect("a plain path").to_owned()
}

#[test]
#[allow(clippy::print_stdout, reason = "a figure to be read with --nocapture")]
fn the_replay_is_there_at_once_and_a_kept_status_is_its_witness() {
    let (node, room, _sender, folder) = evening("witnessed");
    until_sealed(&node, &room, 12);
    let early = write(folder.path(), "early.json", &node.get("/witnessed/status").1);
    let began = Instant::now();
    node.end(&room);
    assert_eq!(node.get("/witnessed/replay.opus").0, 200);
    let took = began.elapsed();
    println!("from the end to the replay, its whole bytes fetched: {} ms", took.as_millis());
    assert!(took.as_millis() < 1_000, "{took:?}");
    let late = write(folder.path(), "late.json", &node.get("/witnessed/status").1);
    for form in ["opus", "m4a"] {
        for witness in [&early, &late] {
            let url = format!("{}/witnessed/replay.{form}", node.public);
            let (code, verdict) = verify(&[&url, "--witness", witness]);
            assert_eq!((code, &verdict["witnessed"]), (0, &json!(true)), "{form}: {verdict}");
        }
    }
    // A status of another evening, and one that was changed, prove nothing.
    let other = node.live_room("another");
    let _other_sender = send(&node, &other, &noise(folder.path()));
    until_sealed(&node, &other, 6);
    let foreign = write(folder.path(), "foreign.json", &node.get("/another/status").1);
    let forged = String::from_utf8(node.get("/witnessed/status").1).expect("JSON").replace("ended", "live");
    let forged = write(folder.path(), "forged.json", forged.as_bytes());
    for witness in [&foreign, &forged] {
        let url = format!("{}/witnessed/replay.opus", node.public);
        let (code, verdict) = verify(&[&url, "--witness", witness]);
        assert_ne!((code, &verdict["witnessed"]), (0, &json!(true)), "{witness}: {verdict}");
    }
}

#[test]
fn any_changed_byte_of_a_recording_is_found() {
    let (node, room, sender, folder) = evening("sealed");
    until_sealed(&node, &room, 12);
    node.end(&room);
    drop(sender);
    let seal = write(folder.path(), "seal.json", &node.get("/sealed/seal").1);
    for form in ["opus", "m4a"] {
        let whole = node.get(&format!("/sealed/replay.{form}")).1;
        let good = write(folder.path(), &format!("good.{form}"), &whole);
        let (code, verdict) = verify(&[&good, "--seal", &seal]);
        assert_eq!(code, 0, "{form}: {verdict}");
        // From the first byte to the last; a test of the library walks every single one.
        for at in (0..24).map(|step| step * (whole.len() - 1) / 23) {
            let mut changed = whole.clone();
            changed[at] ^= 0x10;
            let file = write(folder.path(), &format!("changed.{form}"), &changed);
            let (code, _) = verify(&[&file, "--seal", &seal]);
            assert_ne!(code, 0, "{form}: byte {at} of {} was changed and nobody noticed", whole.len());
        }
        let file = write(folder.path(), &format!("cut.{form}"), &whole[..whole.len() / 2]);
        let (code, verdict) = verify(&[&file, "--seal", &seal]);
        assert_ne!(code, 0, "{form}: half of it is missing: {verdict}");
    }
}

#[test]
#[allow(clippy::print_stdout, reason = "a figure to be read with --nocapture")]
fn a_stop_in_the_middle_loses_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let node = Node::start_in(&data);
    let room = node.live_room("stopped");
    let _sender = send(&node, &room, &noise(folder.path()));
    let pages = Pages(node.open("/stopped/live.opus")).skip(2);
    // The page that ends the stream holds no part.
    let parts = pages.filter(|page| page.flags & 4 == 0);
    let listener = std::thread::spawn(move || parts.map(|page| hash_of(&page.body)).collect::<Vec<_>>());
    until_sealed(&node, &room, 12);
    let began = Instant::now();
    let status = node.terminate();
    let took = began.elapsed();
    assert!(status.success(), "{status}");
    println!("from SIGTERM to the end: {} ms", took.as_millis());
    assert!(took.as_secs() < 8, "{took:?}");
    let heard = listener.join().expect("the listener ends");
    assert!(heard.len() > 6, "{} parts", heard.len());
    let node = Node::start_in(&data);
    assert_eq!(node.status(&room)["state"], "live");
    node.end(&room);
    let (_, replay) = node.get("/stopped/replay.opus");
    let kept: Vec<Hash> = Pages(replay.as_slice()).map(|page| hash_of(&page.body)).collect();
    // The hold sound before the first word is counted, not kept; it sounds the same each time a node starts,
    // so that only the first page after the two headers says where the conversation began.
    let said: Vec<Hash> = heard.iter().copied().skip_while(|part| *part != kept[2]).collect();
    assert!(said.len() > 6, "{} of {} parts are there", said.len(), heard.len());
    let places: Vec<_> = said.iter().map(|part| kept.iter().position(|one| one == part)).collect();
    let whole = kept.windows(said.len()).any(|window| window == said);
    assert!(whole, "every part that was sent is there, one after the other: {places:?} of {}", kept.len());
    let (code, verdict) = verify(&[&format!("{}/stopped/replay.opus", node.public)]);
    assert_eq!((code, gaps(&verdict)), (0, vec!["restart"]), "{verdict}");
}

#[test]
fn a_recording_is_shown_taken_home_redacted_and_deleted() {
    let (node, room, _sender, folder) = evening("kept");
    let path = "/api/v1/rooms/kept/recording";
    until_sealed(&node, &room, 12);
    let open = node.api("GET", path, &Value::Null);
    assert_eq!((&open["state"], &open["failing"]), (&json!("open"), &Value::Null));
    assert_eq!(gaps(&open).len(), 0, "{open}");
    assert!(open["parts"].as_u64() >= Some(12) && open["bytes"].as_u64() > Some(10_000), "{open}");
    let redaction = json!({"from_s": 1.0, "to_s": 2.0, "why": "A name was said."});
    let redact = |body: &Value| node.try_api("POST", &format!("{path}/redact"), &body.to_string());
    for (method, to, body) in [("DELETE", "", &Value::Null), ("POST", "/redact", &redaction)] {
        let (code, text) = node.try_api(method, &format!("{path}{to}"), &body.to_string());
        assert!(code == 409 && text.contains("has not ended"), "{method} {to}: {code} {text}");
    }
    node.end(&room);
    let before = node.get("/kept/replay.opus").1;
    for (body, says) in [
        (json!({"from_s": 2.0, "to_s": 1.0, "why": "x"}), "to_s is after it"),
        (json!({"from_s": 9_000.0, "to_s": 9_001.0, "why": "x"}), "outside the recording"),
        (json!({"from_s": 1.0, "to_s": 2.0, "why": ""}), "why has 1 to 200"),
        (json!({"from_s": "now", "to_s": 2.0, "why": "x"}), "expected f64"),
        (json!({"from_s": 1.0, "to_s": 2.0}), "why"),
    ] {
        let (code, text) = redact(&body);
        assert!(code == 400 && text.contains(says), "{body}: {code} {text}");
    }
    assert_eq!(node.get("/kept/replay.opus").1, before, "what was refused changed nothing");
    let (code, mark) = redact(&redaction);
    assert!(code == 200 && mark.contains("A name was said."), "{code} {mark}");
    let after = node.get("/kept/replay.opus").1;
    assert!(after != before && after.len() == before.len(), "the passage is gone, its length is not");
    let (code, verdict) = verify(&[&format!("{}/kept/replay.opus", node.public)]);
    assert_eq!((code, &verdict["redactions"][0]["why"]), (1, &redaction["why"]), "{verdict}");
    let found = (&verdict["complete"], &verdict["unedited"], &verdict["wrong"]);
    assert_eq!(found, (&json!(true), &json!(false), &json!([])), "cut, marked, and nothing else: {verdict}");
    assert!(String::from_utf8_lossy(&node.get("/kept").1).contains("with a passage taken out"));
    let tar = write(folder.path(), "kept.tar", &export(&node, path));
    let names = Command::new("tar").args(["tf", &tar]).output().expect("tar runs").stdout;
    let names = String::from_utf8(names).expect("names are text");
    for name in ["replay.opus", "replay.m4a", "seal.json"] {
        assert!(names.lines().any(|line| line == name), "{name} in {names}");
    }
    for _ in 0..2 {
        assert_eq!(node.try_api("DELETE", path, "").0, 204);
        assert_eq!(node.status(&room)["replay"], Value::Null);
        assert_eq!(node.get("/kept/replay.opus").0, 404);
        assert_eq!(node.api("GET", path, &Value::Null)["state"], "deleted");
    }
    let lines = node.api("GET", "/api/v1/rooms/kept/audit", &Value::Null).to_string();
    for act in ["redact", "export", "delete_recording"] {
        assert!(lines.contains(&format!("\"{act}\"")), "{act} in {lines}");
    }
}

fn export(node: &Node, path: &str) -> Vec<u8> {
    let request = agent()
        .get(format!("{}{path}/export", node.stage))
        .header("authorization", format!("Bearer {OPERATOR}"));
    let mut answer = request.call().expect("the stage answers");
    assert_eq!(answer.status(), 200);
    let mut tar = Vec::new();
    answer.body_mut().as_reader().read_to_end(&mut tar).expect("the tar has an end");
    tar
}
