//! The delayed tier as real players meet it: without a seat while the house is full, half a minute behind,
//! to the end and on to the replay.

use std::io::Read;

use serde_json::{Value, json};

use crate::hls::part_of;
use crate::node::{Node, agent, until};
use crate::players::{ffmpeg, mpv};
use crate::sources::{OPUS, Sender};
use crate::tone;

/// Bytes of half a minute of the AAC at 64 kbit/s, with its frames' heads.
const HALF_A_MINUTE_BYTES: u64 = 31 * 8_300;
const HLS: &str = "application/vnd.apple.mpegurl";

/// What a cache and a player go by.
#[derive(Debug, PartialEq)]
struct Head {
    status: u16,
    kind: String,
    cache: String,
    connection: String,
}

fn fetch(node: &Node, path: &str) -> (Head, Vec<u8>) {
    let mut answer = agent().get(format!("{}{path}", node.public)).call().expect("the node answers");
    let text = |name: &str| {
        answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
    };
    let (kind, cache, connection) = (text("content-type"), text("cache-control"), text("connection"));
    let head = Head { status: answer.status().as_u16(), kind, cache, connection };
    (head, answer.body_mut().read_to_vec().expect("the answer has an end"))
}

fn head(status: u16, kind: &str, cache: &str, connection: &str) -> Head {
    let (kind, cache, connection) = (kind.into(), cache.into(), connection.into());
    Head { status, kind, cache, connection }
}

fn text(node: &Node, path: &str) -> String {
    String::from_utf8(node.get(path).1).expect("text")
}

/// The segments that a playlist names.
fn named(playlist: &str) -> Vec<String> {
    playlist.lines().filter(|line| line.ends_with(".mp4")).map(str::to_owned).collect()
}

/// The number in the name of a file.
fn number(file: &str) -> u64 {
    let name = file.rsplit('/').next().and_then(|name| name.split('.').next());
    name.and_then(|name| name.parse().ok()).expect("a number")
}

#[test]
fn a_full_house_is_heard_half_a_minute_late_by_who_has_no_seat() {
    let keep = tempfile::tempdir().expect("a folder");
    let node = Node::start_in(keep.path());
    let room = node.live_room("late");
    let _sender = Sender::tone(&node, &room, "", 700, OPUS);
    let mut early = agent().get(format!("{}/late/late.m3u8", node.public)).call().expect("it answers");
    let again = early.headers().get("retry-after").and_then(|value| value.to_str().ok());
    assert_eq!((early.status().as_u16(), again), (503, Some("6")));
    let said: Value = serde_json::from_str(&early.body_mut().read_to_string().expect("text")).expect("JSON");
    let page = format!("{}/late", node.public);
    assert_eq!((&said["code"], &said["page"]), (&json!("late_not_yet"), &json!(page)));
    assert_eq!(node.status(&room)["late"]["state"], "soon");
    node.api("POST", "/api/v1/rooms/late/cap", &json!({"cap": 1}));
    until("the cap is shown", || node.status(&room)["seats"]["cap"] == 1);
    let mut seated = node.open("/late/live.aac");
    std::io::copy(&mut (&mut seated).take(HALF_A_MINUTE_BYTES), &mut std::io::sink()).expect("it is heard");
    assert_eq!(node.get("/late/live.opus").0, 503, "the house is full");
    until("half a minute has passed", || node.get("/late/late.m3u8").0 == 200);

    let (first, multivariant) = fetch(&node, "/late/late.m3u8");
    assert_eq!(first, head(200, HLS, "public, max-age=2", ""));
    assert!(String::from_utf8_lossy(&multivariant).ends_with("\nlate/aac64.m3u8\n"));
    let (second, _) = fetch(&node, "/late/late/aac64.m3u8");
    assert_eq!(second, first);
    let playlist = text(&node, "/late/late/aac64.m3u8");
    for tag in ["PART", "PRELOAD", "SKIP", "SERVER-CONTROL", "ENDLIST"] {
        assert!(!playlist.contains(tag), "plain HLS has no {tag}: {playlist}");
    }
    let segments = named(&playlist);
    let begins = number(&segments[segments.len() - 3]) * 18;
    let behind_s = (number(&part_of(&node, "/late/hls/aac64.m3u8")) - begins) as f64 * 0.32;
    assert!((28.0..38.0).contains(&behind_s), "{behind_s} s behind");
    let (got, sound) = fetch(&node, &format!("/late/late/{}", segments[0]));
    assert_eq!(got, head(200, "audio/mp4", "public, max-age=3600, immutable", "close"));
    assert!(sound.len() > 18 * 2_000, "{} bytes in 5.76 s", sound.len());
    assert_eq!(node.metric("tribune_arrived_total"), 2.0, "nobody is counted for hearing late");

    until("it is told", || node.status(&room)["late"]["state"] == "open");
    let told = node.status(&room)["late"].clone();
    let url = format!("{}/late/late.m3u8", node.public);
    assert_eq!((&told["hls"], &told["behind_s"]), (&json!(url), &json!([28, 35])));
    assert!(node.metric("tribune_late_segments_total") >= 1.0);
    for (player, sound) in [("ffmpeg", ffmpeg(&url, 8)), ("mpv", mpv(&url))] {
        let share = tone::share(&sound, 48_000.0, 700.0);
        assert!(sound.len() > 96_000, "{player}: only {} samples", sound.len());
        assert!(share > 0.8, "{player}: the tone is {share} of what came out");
    }

    node.end(&room);
    assert_eq!(node.status(&room)["late"], Value::Null);
    let playlist = text(&node, "/late/late/aac64.m3u8");
    assert!(playlist.ends_with("#EXT-X-ENDLIST\n"), "{playlist}");
    for segment in named(&playlist) {
        assert_eq!(node.get(&format!("/late/late/{segment}")).0, 200, "{segment}");
    }
    drop(seated);
    assert!(node.terminate().success());
    let node = Node::start_in(keep.path());
    let replay = text(&node, "/late/late.m3u8");
    assert!(replay.contains("replay.mp4") && replay.ends_with("#EXT-X-ENDLIST\n"), "{replay}");
}

#[test]
fn an_address_of_the_delayed_tier_means_one_thing_or_nothing() {
    let node = Node::start();
    let _room = node.live_room("strict");
    until("the program has begun", || node.get("/strict/hls/aac64.m3u8").0 == 200);
    let part = part_of(&node, "/strict/hls/aac64.m3u8");
    let folder = part.rsplit_once('/').expect("a folder and a file").0;
    for (path, status) in [
        (format!("{folder}/init.mp4"), 200),
        (format!("{folder}/999999999.mp4"), 404),
        (format!("{folder}/18446744073709551616.mp4"), 404),
        (format!("{folder}/x.mp4"), 404),
        ("aac64/1/init.mp4".to_owned(), 404),
        ("opus64.m3u8".to_owned(), 404),
        ("aac64.m3u8".to_owned(), 503),
    ] {
        assert_eq!(node.get(&format!("/strict/late/{path}")).0, status, "{path}");
    }
    assert_eq!(node.get("/nobody/late.m3u8").0, 404);
}

#[test]
fn where_live_listeners_leave_nothing_it_says_so() {
    let keep = tempfile::tempdir().expect("a folder");
    let config = keep.path().join("small.toml");
    std::fs::write(&config, "seats_max = 1\n").expect("our own folder");
    let config = config.to_str().expect("a plain path");
    let data = keep.path().join("data");
    std::fs::create_dir(&data).expect("our own folder");
    let node = Node::start_with(&data, &["--config", config]);
    let room = node.live_room("small");
    let mut seated = node.open("/small/live.aac");
    std::io::copy(&mut (&mut seated).take(HALF_A_MINUTE_BYTES), &mut std::io::sink()).expect("it is heard");
    until("half a minute has passed", || node.get("/small/late/aac64.m3u8").0 == 200);
    let segment = named(&text(&node, "/small/late/aac64.m3u8")).remove(0);
    for path in ["late.m3u8".to_owned(), format!("late/{segment}")] {
        let (status, body) = node.get(&format!("/small/{path}"));
        let said: Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!((status, &said["code"], &said["retry_after_s"]), (503, &json!("late_full"), &json!(10)));
    }
    until("it is told", || node.status(&room)["late"]["state"] == "full");
    drop(seated);
    until("there is room again", || node.get("/small/late.m3u8").0 == 200);
    assert_eq!(node.get(&format!("/small/late/{segment}")).0, 200);
    until("that is told too", || node.status(&room)["late"]["state"] == "open");
}
