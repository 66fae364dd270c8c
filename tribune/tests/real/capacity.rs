//! What a node carries: measured, lowered, overridden, shared.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use serde_json::{Value, json};
use tribune_core::program::PART_SAMPLES;
use tribune_rehearsal::listener::{self, Heard};

use crate::door::{draw, pass, place};
use crate::node::{Node, Room, measure, until};
use crate::pause::pauses;
use crate::players;
use crate::program::Pages;
use crate::sources::{OPUS, Sender};
use crate::tone;

fn seats(node: &Node, room: &Room) -> Value {
    node.status(room)["seats"].clone()
}

fn code(text: &str) -> Value {
    serde_json::from_str::<Value>(text).unwrap_or_default()["code"].clone()
}

#[test]
fn a_node_with_few_descriptors_says_that_they_bind() {
    let data = tempfile::tempdir().expect("a folder for the node's data");
    measure();
    let node = Node::start_with_descriptors(data.path(), 700);
    let room = node.live_room("debate");
    until("the node is measured", || seats(&node, &room)["measured"].is_u64());
    let said = seats(&node, &room);
    let cap = said["cap"].as_u64().expect("a number");
    assert!(cap > 0 && cap <= 700 - 512, "{said}");
    let why = said["cap_why"].as_str().expect("a sentence");
    assert!(why.starts_with("File descriptors: ") && why.contains("700 less"), "{why}");
    assert!(node.metric("tribune_listener_cost") > 0.0, "what was measured is exported");
    assert_eq!(node.metric("tribune_seats_measured"), cap as f64);

    // The host may lower, and above it only say so.
    let over = json!({"cap": cap + 1});
    let (status, text) = node.try_api("POST", "/api/v1/rooms/debate/cap", &over.to_string());
    assert_eq!((status, code(&text)), (409, json!("cap_over_measured")), "{text}");
    assert_eq!(seats(&node, &room)["cap"], cap, "a refusal changes nothing");
    let said = node.api("POST", "/api/v1/rooms/debate/cap", &json!({"cap": 5}));
    assert_eq!((&said["seats"]["cap"], &said["seats"]["cap_why"]), (&json!(5), &json!("Set by the host.")));
    let over = json!({"cap": cap + 1, "override": true});
    let said = node.api("POST", "/api/v1/rooms/debate/cap", &over)["seats"].clone();
    assert_eq!((said["cap"].as_u64(), said["measured"].as_u64()), (Some(cap + 1), Some(cap)), "{said}");
    assert!(said["cap_why"].as_str().is_some_and(|why| why.starts_with("Set by the host, above the")));
    let acts = node.api("GET", "/api/v1/rooms/debate/audit", &Value::Null)["audit"].clone();
    let acts: Vec<_> =
        acts.as_array().expect("lines").iter().map(|line| (&line["act"], &line["outcome"])).collect();
    assert!(acts.contains(&(&json!("cap_override"), &json!("done"))), "{acts:?}");
    assert!(acts.contains(&(&json!("cap"), &json!("cap_over_measured"))), "{acts:?}");

    // A restart remembers both: the measurement, and the host's word.
    drop(node);
    let node = Node::start_with_descriptors(data.path(), 700);
    until("the room says it", || seats(&node, &room) == said);
}

#[test]
fn the_self_test_alone_measures_in_the_clear_and_by_tls() {
    // It takes the whole machine for seconds; the evenings of other tests come first.
    let last = ["-n", "10", env!("CARGO_BIN_EXE_tribune"), "capacity", "--json"];
    for (flags, by) in [(&[][..], "clear"), (&["--tls"], "tls")] {
        let done = Command::new("nice").args(last).args(flags).output().expect("it runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let said: Value = serde_json::from_slice(&done.stdout).expect("JSON");
        let costs = &said["costs"];
        assert_eq!(costs["by"], by, "{said}");
        let ways = costs["processor_ms"].as_array().expect("one for each way of being served");
        assert!(ways.iter().all(|ms| ms.as_f64().is_some_and(|ms| ms > 0.0)), "{costs}");
        assert!(costs["process_bytes"].as_f64() > Some(0.0) && said["seats"].as_u64() > Some(0), "{said}");
    }
}

#[test]
fn the_ladder_makes_room_before_anybody_is_refused_and_goes_back_by_itself() {
    let data = tempfile::tempdir().expect("a folder for the node's data");
    measure();
    let config = data.path().join("tribune.toml");
    std::fs::write(&config, "egress_mbit = 1\n").expect("our own folder");
    let node = Node::start_with(data.path(), &["--config", config.to_str().expect("a plain path")]);
    let room = node.live_room("debate");
    until("the node is measured", || seats(&node, &room)["measured"].is_u64());
    let said = seats(&node, &room);
    let cap = said["cap"].as_u64().expect("a number");
    assert!((5..40).contains(&cap) && said["cap_why"].to_string().contains("Network"), "{said}");
    let step = || node.status(&room)["ladder"].clone();
    assert_eq!(step()["step"], 0);
    let bytes_of = |query: &str| {
        let mut pages = Pages(node.open(&format!("/debate/live.opus{query}"))).skip(2);
        let bytes = pages.next().expect("a page").body.len();
        (pages, bytes)
    };
    let _source = Sender::tone(&node, &room, "tone", HZ, OPUS);
    let (early, full) = bytes_of("");
    let stays = |path: &str| Stays::begin(format!("{}/debate/{path}", node.public));
    // Who asks for a bit rate by its name hears it throughout.
    let named = ["live.opus?rendition=opus64", "live.opus?rendition=opus16"].map(stays);
    let (stays, in_mp4) = (stays("live.opus"), stays("live.mp4"));
    let served = |tier: &str| node.metric_of("tribune_listeners_by_tier", tier);
    let counts = || (served("full"), served("low_bit_rate"));
    until("all are served in full", || counts() == (5.0, 0.0));
    // More than fit come, and nobody sits down yet.
    let waiting: Vec<Value> = (0..cap + cap / 3).map(|_| draw(&node, &room)).collect();
    until("room is made", || {
        waiting.iter().for_each(|ticket| drop(place(&node, &room, ticket)));
        step()["step"] == 1
    });
    assert!(step()["why"].as_str().is_some_and(|why| why.contains("lower bit rate")), "{}", step());
    until("who is inside is served so too", || counts() == (1.0, 4.0));
    let passes = waiting.iter().map(|ticket| format!("?pass={}", pass(&node, &room, ticket)));
    let (later, low): (Vec<_>, Vec<_>) = passes.map(|pass| bytes_of(&pass)).unzip();
    let most = low.iter().max().expect("some");
    assert!(most * 3 / 2 < full, "a page of who came early has {full} bytes, of newcomers {low:?}");
    until("more are in than would have fitted", || seats(&node, &room)["taken"].as_u64() > Some(cap));
    drop((early, later));
    until("they have left", || seats(&node, &room)["taken"] == 4);
    until("it goes back", || step()["step"] == 0);
    until("so does who stayed", || counts() == (4.0, 0.0));
    let (_, again) = bytes_of("");
    assert!(again > *most, "{again} bytes");
    let parts = || node.status(&room)["program"]["parts"].as_u64().expect("a number");
    let then = parts();
    until("they hear some of it", || parts() > then + 12);
    let (named, in_mp4) = (named.map(Stays::end), in_mp4.end());
    is_unbroken(&[&stays.end(), &named[0], &named[1]]);
    is_unbroken(&[&in_mp4, &named[0], &named[1]]);
}

/// Who was moved between two bit rates missed no part and never heard a click or a gap: what they heard is as
/// pure as what those heard at the same samples who had one of the two throughout. And they did hear both.
fn is_unbroken(all: &[&[Heard]; 3]) {
    for heard in all {
        let follows = |two: &[Heard]| two[1].granule == two[0].granule + PART_SAMPLES;
        assert!(heard.windows(2).all(follows), "a part is missing");
    }
    let from = all.iter().map(|heard| heard[BEGINS_PARTS].granule).max().expect("three");
    let to = all.iter().filter_map(|heard| Some(heard.last()?.granule)).min().expect("three");
    let [moved, full, low] = all.map(|heard| -> Vec<f32> {
        let together = heard.iter().filter(|part| (from..=to).contains(&part.granule));
        together.flat_map(|part| part.samples.iter().copied()).collect()
    });
    let shares = |sound| tone::shares(sound, 48_000.0, HZ as f32);
    let (mut all, mut impure) = (0, 0);
    for ((at, moved), (full, low)) in shares(&moved).enumerate().zip(shares(&full).zip(shares(&low))) {
        // The lower of the two alone is now and then less pure than that; and who sends may be late.
        let is_pure = moved > PURE || moved > full.min(low) - 0.01;
        assert!(is_pure, "{} ms: {moved} of it is the tone, {full} and {low} of the two", at * 5);
        all += 1;
        impure += usize::from(full < PURE || low < UNBROKEN);
    }
    assert!(impure * 100 < all, "of {all} times 20 ms {impure} are not the tone for who was not moved");
    let parts =
        |sound: &'_ [f32]| sound.chunks(PART_SAMPLES as usize).map(<[f32]>::to_vec).collect::<Vec<_>>();
    for named in [&full, &low] {
        let same = parts(&moved).iter().zip(parts(named)).filter(|(one, other)| *one == other).count();
        assert!(same > BEGINS_PARTS, "they heard {same} parts of one of the two");
    }
}

/// Of 20 ms of a tone at 32 or 64 kbit/s at least so much is the tone.
const PURE: f32 = 0.9;
/// At 16 kbit/s it is 0.865 in the worst of half a million (reckoned with the codec alone); a hole of 2.5 ms
/// leaves 0.84 at most.
const UNBROKEN: f32 = 0.85;
/// What is heard before the tone is at its level.
const BEGINS_PARTS: usize = 6;
const HZ: u32 = 440;

/// Somebody who hears all the time.
struct Stays {
    enough: Arc<AtomicBool>,
    hears: JoinHandle<Vec<Heard>>,
}

impl Stays {
    fn begin(url: String) -> Self {
        let enough = Arc::<AtomicBool>::default();
        let over = enough.clone();
        let hears = std::thread::spawn(move || {
            listener::listen(&url, |_| over.load(Ordering::Relaxed)).expect("it is Opus") //
        });
        Self { enough, hears }
    }

    /// What they heard.
    fn end(self) -> Vec<Heard> {
        self.enough.store(true, Ordering::Relaxed);
        self.hears.join().expect("no panic")
    }
}

#[test]
fn where_the_processor_is_scarce_everybody_hears_longer_parts_and_shorter_ones_again() {
    let data = tempfile::tempdir().expect("a folder for the node's data");
    measure();
    let node = Node::start_with(data.path(), &[]);
    until("the node is measured", || node.metric("tribune_seats_measured") > 0.0);
    assert!(node.terminate().success());
    // It remembers the processor as one that a dozen fill, or many with longer parts.
    let kept = data.path().join("capacity.json");
    let mut costs: Value = serde_json::from_slice(&std::fs::read(&kept).expect("it is kept")).expect("JSON");
    costs["costs"]["processor_ms"] = json!([150.0, 150.0, 10.0]);
    std::fs::write(&kept, costs.to_string()).expect("our own folder");
    let node = Node::start_with(data.path(), &[]);
    let room = node.live_room("debate");
    let said = || seats(&node, &room);
    until("it remembers", || said()["cap_why"].to_string().contains("Processor"));
    let cap = said()["cap"].as_u64().expect("a number");
    assert!((4..40).contains(&cap), "{}", said());

    let _source = Sender::tone(&node, &room, "tone", HZ, OPUS);
    let url = format!("{}/debate/live.opus", node.public);
    until("the tone is heard", || tone::share(&players::ffmpeg(&url, 1), 48_000.0, HZ as f32) > 0.8);
    let stays = Stays::begin(url);
    let served = |tier: &str| node.metric_of("tribune_listeners_by_tier", tier);
    until("it is served in full", || served("full") == 1.0);
    let waiting: Vec<Value> = (0..cap * 2).map(|_| draw(&node, &room)).collect();
    until("they hear longer parts", || {
        waiting.iter().for_each(|ticket| drop(place(&node, &room, ticket)));
        served("segments") == 1.0
    });
    let parts = || node.status(&room)["program"]["parts"].as_u64().expect("a number");
    let hear_some = || {
        let then = parts();
        until("they hear some of it", || parts() > then + 18);
    };
    hear_some();
    // Of those who wait the host lets none in, so that there is nobody to make room for.
    node.api("POST", "/api/v1/rooms/debate/cap", &json!({"cap": 1}));
    until("so does who stayed", || served("full") == 1.0);
    hear_some();
    let heard = stays.end();
    assert!(heard.windows(2).all(|two| two[1].granule == two[0].granule + PART_SAMPLES), "a part is missing");
    let came_ms: Vec<u128> =
        heard.windows(2).map(|two| two[1].at.duration_since(two[0].at).as_millis()).collect();
    let six_at_once = |came: &[u128]| came.iter().sum::<u128>() < 160;
    assert!(came_ms.windows(5).filter(|came| six_at_once(came)).count() >= 2, "{came_ms:?}");
    let last = &came_ms[came_ms.len() - 12..];
    assert!(last.iter().filter(|ms| **ms > 100).count() >= 6, "one after another again: {came_ms:?}");
    // Where they went over to longer parts, and back.
    let mut longer = (BEGINS_PARTS..came_ms.len() - 5).filter(|at| six_at_once(&came_ms[*at..at + 5]));
    let (first, last) = (longer.next().expect("they heard some"), longer.next_back().expect("and more"));
    for around in [first - BEGINS_PARTS..first + 18, last - 12..(last + 5 + BEGINS_PARTS).min(heard.len())] {
        let sound: Vec<f32> = heard[around].iter().flat_map(|part| part.samples.iter().copied()).collect();
        let least = tone::least_share(&sound, 48_000.0, HZ as f32);
        assert!(least > PURE || pauses() > 0, "there is a click or a gap: {least}");
    }
}

#[test]
fn two_rooms_share_one_nodes_seats() {
    let data = tempfile::tempdir().expect("a folder for the node's data");
    let node = Node::start_with(data.path(), &[]);
    let one = node.live_room("one");
    let all = seats(&node, &one)["cap"].as_u64().expect("a number");
    let made = json!({"room": "two", "title": "Two", "share": 3});
    node.api("POST", "/api/v1/rooms", &made);
    let two = Room { name: "two".into(), host: String::new(), speaker: String::new() };
    until("both have their shares", || {
        let cap = |room: &Room| seats(&node, room)["cap"].as_u64().expect("a number");
        (cap(&one), cap(&two)) == (all / 4, all * 3 / 4)
    });
    node.end(&one);
    until("the other has them all", || seats(&node, &two)["cap"] == all);
    let (status, text) =
        node.try_api("POST", "/api/v1/rooms", &json!({"title": "T", "share": 0}).to_string());
    assert_eq!((status, code(&text)), (400, json!("malformed")));
}
