//! A disk that takes nothing more in the middle of an evening, and one that is damaged at the start:
//! everybody goes on hearing, the operator is told, and recording goes on by itself.

use std::process::Command;

use serde_json::{Value, json};

use crate::node::{Node, Room, gaps, until};
use crate::pause::pauses;
use crate::program::Pages;
use crate::recording::{noise, send, until_sealed, verify};

/// Samples of a part.
const PART: u64 = 15_360;

/// Limits how large the node's files may grow (setrlimit(2)): what it writes then fails as on a full disk.
fn limit_files(node: &Node, bytes: &str) {
    let args = ["--pid", &node.pid(), &format!("--fsize={bytes}:")];
    let limited = Command::new("prlimit").args(args).status();
    assert!(limited.is_ok_and(|status| status.success()), "prlimit sets the limit");
}

fn recording(node: &Node, room: &Room) -> Value {
    node.api("GET", &format!("/api/v1/rooms/{}/recording", room.name), &Value::Null)
}

#[test]
fn a_full_disk_is_said_and_outlived_while_everybody_goes_on_hearing() {
    let folder = tempfile::tempdir().expect("a folder");
    let node = Node::start();
    let room = node.live_room("full");
    let _sender = send(&node, &room, &noise(folder.path()));
    let pages = Pages(node.open("/full/live.opus")).skip(2);
    let listener = std::thread::spawn(move || {
        let pages: Vec<_> = pages.map(|page| (page.granule, page.sequence)).collect();
        let is_cut = |pair: &&[(u64, u32)]| pair[1] != (pair[0].0 + PART, pair[0].1 + 1);
        // The last page only ends the stream.
        (pages.len(), pages[..pages.len() - 1].windows(2).filter(is_cut).count())
    });
    until_sealed(&node, &room, 6);
    limit_files(&node, "1");
    until("parts are lost", || node.metric("tribune_recorder_parts_lost_total") >= 4.0);
    let (ready, checks) = node.ops_json("/readyz");
    let check = checks["checks"].as_array().and_then(|all| all.iter().find(|one| one["name"] == "recording"));
    let check = check.expect("the check is there");
    assert_eq!((ready, &check["ok"]), (200, &json!(false)), "it takes traffic, and says: {checks}");
    assert!(check["says"].as_str().is_some_and(|says| says.contains("not recorded")), "{check}");
    let failing = recording(&node, &room)["failing"].clone();
    assert!(failing["why"].is_string() && failing["since"].is_string(), "{failing}");
    assert!(node.metric("tribune_recorder_state") > 2.0);
    assert_eq!(node.status(&room)["state"], "live");
    limit_files(&node, "unlimited");
    until("recording goes on by itself", || recording(&node, &room)["failing"].is_null());
    let so_far = recording(&node, &room)["parts"].as_u64().expect("parts are counted");
    until_sealed(&node, &room, so_far + 6);
    node.end(&room);
    let (heard, cuts) = listener.join().expect("they listen to the end");
    assert!(heard > 12);
    assert!(cuts <= pauses(), "{cuts} cuts, and the machine itself stood still {} times", pauses());
    let (code, verdict) = verify(&[&format!("{}/full/replay.opus", node.public)]);
    assert_eq!((code, gaps(&verdict)), (0, vec!["disk"]), "{verdict}");
}

#[test]
fn a_damaged_recording_keeps_nobody_from_being_heard() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let file = noise(folder.path());
    let node = Node::start_in(&data);
    let room = node.live_room("damaged");
    let sender = send(&node, &room, &file);
    until_sealed(&node, &room, 12);
    drop(sender);
    node.kill();
    let log = data.join("rooms/damaged/seal.log");
    let good = std::fs::read(&log).expect("a log");
    let mut bad = good.clone();
    bad[300] ^= 1;
    std::fs::write(&log, &bad).expect("our own folder");
    let node = Node::start_in(&data);
    let heard = Pages(node.open("/damaged/live.opus")).skip(2).take(6).count();
    assert_eq!(heard, 6, "the room is heard");
    let failing = recording(&node, &room)["failing"].clone();
    assert!(failing["why"].as_str().is_some_and(|why| why.contains("is damaged")), "{failing}");
    assert_eq!(std::fs::read(&log).expect("a log"), bad, "it is left as it was");
    // The operator puts the file back from a copy; nobody restarts anything.
    std::fs::write(&log, &good).expect("our own folder");
    until("recording goes on by itself", || recording(&node, &room)["failing"].is_null());
    node.end(&room);
    let (code, verdict) = verify(&[&format!("{}/damaged/replay.opus", node.public)]);
    assert_eq!((code, gaps(&verdict)), (0, vec!["disk"]), "{verdict}");
}

#[test]
fn a_room_that_ended_while_the_disk_was_full_is_closed_at_the_next_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = folder.path().join("data");
    let node = Node::start_in(&data);
    let room = node.live_room("closing");
    let _sender = send(&node, &room, &noise(folder.path()));
    until_sealed(&node, &room, 6);
    let closing = data.join("rooms/closing/seal.unfinished");
    // The seal cannot be written while a folder is in its place.
    std::fs::create_dir(&closing).expect("our own folder");
    std::thread::scope(|scope| {
        scope.spawn(|| node.end(&room));
        until("the room has ended", || node.status(&room)["state"] == "ended");
        assert_eq!(node.status(&room)["replay"], Value::Null);
        until("it is asked to close", || recording(&node, &room)["head"].is_string());
    });
    node.kill();
    std::fs::remove_dir(&closing).expect("it is empty");
    let node = Node::start_in(&data);
    until("the replay is there", || !node.status(&room)["replay"].is_null());
    let (code, verdict) = verify(&[&format!("{}/closing/replay.opus", node.public)]);
    assert_eq!((code, gaps(&verdict).len()), (0, 0), "{verdict}");
}
