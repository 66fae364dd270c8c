//! The report of a real evening: made from what the node wrote down, computed again by a program that shares
//! nothing with it, and shown to everybody when its host says so.

use std::fs;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use serde_json::{Value, json};
use tribune_core::guard::live::Audit;

use crate::guard::{Flood, ask, verdict};
use crate::node::{Node, Room, agent, until};
use crate::sources::{OPUS, Sender};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `tribune report`.
fn report(data: &Path, room: &str, more: &[&str]) -> Output {
    let mut tribune = Command::new(env!("CARGO_BIN_EXE_tribune"));
    tribune.arg("report").arg(room).arg("--data").arg(data).args(more);
    tribune.output().expect("the binary runs")
}

/// The bundle's own program: its exit status and what it says.
fn verify(folder: &Path, more: &[&str]) -> (Option<i32>, String) {
    let ran = Command::new("python3").arg("-B").arg(folder.join("verify.py")).args(more).output();
    let ran = ran.expect("python3 is there");
    (ran.status.code(), text(&ran.stdout) + &text(&ran.stderr))
}

/// One byte of a file is another; then it is as it was.
fn altered(path: &Path, at: usize, check: impl FnOnce()) {
    let whole = fs::read(path).expect("readable");
    let mut other = whole.clone();
    other[at] ^= 1;
    fs::write(path, other).expect("writable");
    check();
    fs::write(path, whole).expect("writable");
}

/// What the bundle's own program says of addresses and a key is what the rules do with them.
fn both_draw_alike(folder: &Path) {
    const AT_MS: i64 = 1_795_464_000_000;
    const DRAWN: &str = "import sys; sys.path.insert(0, sys.argv[1]); import verify\n\
                         for address in sys.stdin.read().split():\n    \
                         print(int(verify.is_sampled(bytes([7] * 32), address, 1_795_464_000_000)))";
    let addresses: Vec<IpAddr> = (0..2_000_u32)
        .flat_map(|number| -> [IpAddr; 3] {
            let four = Ipv4Addr::from_bits(number.wrapping_mul(2_654_435_761));
            let six = Ipv6Addr::new(0x2001, 0xdb8, (number % 7) as u16, number as u16, 0, 0, 1, 2);
            [four.into(), six.into(), four.to_ipv6_mapped().into()]
        })
        .collect();
    let list = folder.join("addresses");
    let lines: String = addresses.iter().map(|address| format!("{address}\n")).collect();
    fs::write(&list, lines).expect("writable");
    let python = Command::new("python3")
        .args(["-B", "-c", DRAWN])
        .arg(folder)
        .stdin(fs::File::open(&list).expect("written"))
        .output()
        .expect("python3 is there");
    let audit = Audit::new([7; 32]);
    let ours: String =
        addresses.iter().map(|address| format!("{}\n", u8::from(audit.samples(*address, AT_MS)))).collect();
    assert_eq!(text(&python.stdout), ours, "{}", text(&python.stderr));
    assert!(ours.contains('1') && ours.contains('0'));
}

fn an_altered_byte_is_told(out: &Path) {
    for name in ["ledger.jsonl", "report.json", "report.html"] {
        let path = out.join(name);
        let bytes = fs::read(&path).expect("written").len();
        for at in [0, bytes / 5, bytes / 3, bytes / 2, bytes - 40, bytes - 1] {
            altered(&path, at, || {
                let (code, says) = verify(out, &[]);
                assert!(code == Some(1) && says.starts_with("No: "), "{name} at {at}: {says}");
            });
        }
    }
}

/// Publishes it, or takes it back: the status of the answer.
fn publish(node: &Node, key: &str, is_published: bool) -> u16 {
    let request = agent().post(format!("{}/api/v1/rooms/evening/report", node.stage));
    let request = request.header("authorization", format!("Bearer {key}"));
    let request = request.header("content-type", "application/json");
    let answer = request.send(json!({"publish": is_published}).to_string());
    answer.expect("the stage answers").status().as_u16()
}

fn it_is_shown_when_its_host_says_so(node: &Node, room: &Room) {
    assert_eq!(node.get("/evening/report").0, 404);
    assert_eq!(node.status(room)["report"], Value::Null);
    assert_eq!((publish(node, &room.speaker, true), publish(node, &room.host, true)), (403, 200));
    let (code, page) = node.get("/evening/report");
    assert!(code == 200 && text(&page).contains("here was an attack"), "{code}");
    let address = format!("{}/evening/report", node.public);
    until("the status leads to it", || node.status(room)["report"] == address);
    let (_, page) = node.get("/evening");
    assert!(text(&page).contains("href=\"/evening/report\""), "and the room's page");
    assert_eq!(publish(node, &room.host, false), 200);
    assert_eq!(node.get("/evening/report").0, 404);
}

#[test]
fn an_evening_is_reported_and_anybody_can_check_it() {
    let keep = tempfile::tempdir().expect("a folder");
    let node = Arc::new(Node::start_in(keep.path()));
    let room = node.live_room("evening");
    let source = Sender::tone(&node, &room, "tone", 440, OPUS);
    let mut hears = node.open("/evening/live.opus");
    hears.read_exact(&mut [0; 4_096]).expect("the program is there");
    let flood = Flood::start(&node, |node, number| {
        let from = Ipv4Addr::from_bits(0x7f23_0000 + number % 100);
        ask(node, from, "GET /evening HTTP/1.1\r\n");
    });
    until("it is told", || verdict(&node)["kind"] == "attack");
    flood.stop();
    let mut kept = Value::Null;
    until("a status names the ledger", || {
        kept = node.api("GET", "/api/v1/rooms/evening", &json!({}))["guard"].clone();
        kept["ledger"]["lines"].as_u64().is_some_and(|lines| lines > 3)
    });
    assert_eq!(publish(&node, &room.host, true), 409, "the evening is not over");
    drop((hears, source));
    node.end(&room);

    let out = keep.path().join("bundle");
    let more = ["--out", out.to_str().expect("a path that is text")];
    until("the audit's key is told", || {
        let made = report(keep.path(), "evening", &[&more[..], &["--json"]].concat());
        let document: Value = serde_json::from_slice(&made.stdout).expect("JSON");
        assert_eq!(document["audit"][0]["sha256"], kept["audit"], "the one of which every status told");
        document["audit"][0]["key"].is_string()
    });
    let made = report(keep.path(), "evening", &more);
    let says = text(&made.stdout);
    assert!(made.status.success() && says.contains("here was an attack"), "{says}{}", text(&made.stderr));
    let head = kept["ledger"]["head"].as_str().expect("a hash");
    let (code, says) = verify(&out, &["--head", head]);
    assert_eq!(code, Some(0), "{says}");
    assert!(says.contains("Yes:") && says.contains("every line up to it"), "{says}");
    let (code, says) = verify(&out, &["--head", &"A".repeat(43)]);
    assert!(code == Some(1) && says.contains("not in this ledger"), "{says}");
    let (code, says) = verify(&out, &["--address", "127.35.0.7"]);
    assert!(code == Some(0) && says.contains("seconds of which the key was told"), "{says}");
    both_draw_alike(&out);
    an_altered_byte_is_told(&out);
    assert_eq!(verify(&out, &[]).0, Some(0));
    let everything =
        ["ledger.jsonl", "report.json", "report.html"].map(|name| fs::read(out.join(name)).expect("there"));
    let everything = text(&everything.concat());
    assert!(!["127.35.0", "127.0.0"].iter().any(|address| everything.contains(address)), "nobody's address");

    it_is_shown_when_its_host_says_so(&node, &room);
    drop(node);
    let made = report(keep.path(), "evening", &[&more[..], &["--json"]].concat());
    let document: Value = serde_json::from_slice(&made.stdout).expect("JSON");
    assert!(
        document["totals"]["requests"]["unexplained"].as_u64().is_some_and(|count| count > 0),
        "{document}"
    );
}

#[test]
fn what_is_not_there_is_said_in_a_sentence() {
    let keep = tempfile::tempdir().expect("a folder");
    for (room, says) in [("nowhere", "cannot be read"), ("Not A Room", "is no room")] {
        let made = report(keep.path(), room, &[]);
        assert_eq!(made.status.code(), Some(2));
        assert!(text(&made.stderr).contains(says), "{}", text(&made.stderr));
    }
}
