//! `kill -9` at a hundred moments: every recording verifies, and what a listener heard is in it but for the
//! part in flight.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::node::{Node, Room, gaps};
use crate::program::Pages;
use crate::recording::{Hash, hash_of, noise, send, verify};

/// Kills, each at a moment of its own within the life of the node that it ends.
const KILLS: u64 = 100;
const LIFE_MS_MAX: u64 = 1_500;

/// What a listener gets, as it comes.
fn listen(node: &Node, room: &Room) -> Receiver<Hash> {
    let pages = Pages(node.open(&format!("/{}/live.opus", room.name))).skip(2);
    let (heard, hearing) = channel();
    std::thread::spawn(move || pages.map(|page| hash_of(&page.body)).try_for_each(|page| heard.send(page)));
    hearing
}

#[test]
fn a_hundred_kills_lose_at_most_the_part_in_flight() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = noise(folder.path());
    let data = folder.path().join("data");
    let mut node = Node::start_in(&data);
    let room = node.live_room("killed");
    let mut lives: Vec<Vec<Hash>> = Vec::new();
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    for _ in 0..KILLS {
        let _sender = send(&node, &room, &file);
        let hearing = listen(&node, &room);
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let moment = Instant::now() + Duration::from_millis((seed >> 33) % LIFE_MS_MAX);
        let left = || moment.saturating_duration_since(Instant::now());
        let mut heard: Vec<Hash> = std::iter::from_fn(|| hearing.recv_timeout(left()).ok()).collect();
        node.kill();
        heard.extend(hearing);
        lives.push(heard);
        node = Node::start_in(&data);
        assert_eq!(node.status(&room)["state"], "live", "the room is as it was");
    }
    node.end(&room);
    let (code, verdict) = verify(&[&format!("{}/killed/replay.opus", node.public)]);
    assert_eq!(code, 0, "{verdict}");
    let gaps = gaps(&verdict);
    assert!(gaps.iter().all(|why| *why == "restart"), "{verdict}");
    assert!(!gaps.is_empty() && gaps.len() as u64 <= KILLS, "{} gaps", gaps.len());
    let (_, replay) = node.get("/killed/replay.opus");
    let kept: BTreeSet<Hash> = Pages(replay.as_slice()).map(|page| hash_of(&page.body)).collect();
    for (kill, heard) in lives.iter().enumerate() {
        let whole = heard.len().saturating_sub(1);
        let missing = heard[..whole].iter().filter(|page| !kept.contains(*page)).count();
        assert_eq!(missing, 0, "kill {kill}: of {} parts heard, more than the last are missing", heard.len());
    }
    let heard: usize = lives.iter().map(Vec::len).sum();
    assert!(heard as u64 > KILLS, "{heard} parts were heard in {KILLS} lives");
}
