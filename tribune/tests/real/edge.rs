//! The node's edges on the real binary: strangers who are slow, many, loud or wrong, and the end of the node.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::Command;

use serde_json::Value;

use crate::hls::part_of;
use crate::node::{Node, PATIENCE, agent, until};

/// Idle connections held at once.
const IDLE: usize = 10_000;
/// Wrong keys one address may try within a minute.
const WRONG_KEYS_MAX: usize = 10;
const PART_SAMPLES: u64 = 15_360;

fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address.trim_start_matches("http://")).expect("the node listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    stream
}

/// Everything until the node closes. A reset is an end as well.
fn to_the_end(mut stream: &TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Ok(_) => bytes,
        Err(error) if error.kind() == ErrorKind::ConnectionReset => bytes,
        Err(error) => panic!("the node did not close within {PATIENCE:?}: {error}"),
    }
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn code(&self) -> String {
        let document: Value = serde_json::from_str(&self.body).unwrap_or_default();
        document["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// One request of our own writing on a connection of its own, read to its end.
fn ask(address: &str, request: &[u8]) -> Answer {
    let mut stream = connect(address);
    // The node may refuse, and close, before all of it is sent.
    let _ = stream.write_all(request);
    let text = String::from_utf8_lossy(&to_the_end(&stream)).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

/// The same of curl, by HTTP/2 in the clear.
fn by_http2(url: &str, header: &str) -> Answer {
    let asked = ["--silent", "--show-error", "--include", "--http2-prior-knowledge", "--header", header, url];
    let done = Command::new("curl").args(asked).output();
    let done = done.unwrap_or_else(|error| panic!("curl: {error}; `make setup` installs it"));
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.get(7..10).and_then(|status| status.parse().ok()).unwrap_or(0);
    Answer { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

fn plain(method: &str, target: &str, headers: &str) -> Vec<u8> {
    format!("{method} {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}\r\n").into_bytes()
}

/// Granules of the next pages of an Ogg stream; the body may be chunked, so the pages are searched for.
fn granules(stream: &mut impl Read, pages: usize) -> Vec<u64> {
    let (mut bytes, mut found, mut at) = (Vec::new(), Vec::new(), 0);
    let mut piece = [0; 4_096];
    while found.len() < pages {
        let read = stream.read(&mut piece).expect("the program goes on");
        assert!(read > 0, "the program ended");
        bytes.extend_from_slice(&piece[..read]);
        while let Some(next) = bytes[at..].windows(4).position(|four| four == b"OggS") {
            let Some(granule) = bytes.get(at + next + 6..at + next + 14) else { break };
            found.push(u64::from_le_bytes(granule.try_into().expect("eight bytes")));
            at += next + 14;
        }
    }
    found.retain(|&granule| granule > 0);
    found
}

fn assert_without_gap(granules: &[u64]) {
    for pair in granules.windows(2) {
        assert_eq!(pair[1] - pair[0], PART_SAMPLES, "a part is missing: {granules:?}");
    }
}

#[test]
fn slow_heads_and_idle_thousands_end_and_disturb_nobody() {
    tribune_server::descriptors::raise().expect("the limit can be raised");
    let node = Node::start();
    node.live_room("calm");
    let mut listener = node.open("/calm/live.opus");
    let (shed, accepted) =
        (node.metric("tribune_shed_total"), node.metric("tribune_connections_accepted_total"));
    let idle: Vec<TcpStream> = (0..IDLE).map(|_| connect(&node.public)).collect();
    until("all of them are in", || {
        node.metric("tribune_connections_accepted_total") - accepted >= IDLE as f64
    });
    let mut slow = connect(&node.public);
    slow.write_all(b"GET /calm/status HTT").expect("taken");
    assert_without_gap(&granules(&mut listener, 20));
    assert!(to_the_end(&slow).is_empty(), "half a head gets no answer");
    for stream in &idle {
        assert!(to_the_end(stream).is_empty());
    }
    // Who sent nothing was shed; who began a head is the HTTP library's, which closes and does not count.
    until("each is counted", || node.metric("tribune_shed_total") - shed >= IDLE as f64);
    assert_without_gap(&granules(&mut listener, 5));
    assert_eq!(node.get("/calm/status").0, 200);
}

#[test]
fn a_full_listener_says_so_in_one_packet() {
    let keep = tempfile::tempdir().expect("a folder");
    let node = Node::start_with_descriptors(keep.path(), 1_024);
    node.live_room("full");
    let seats = 64;
    let mut inside: Vec<TcpStream> = (0..seats).map(|_| connect(&node.public)).collect();
    until("the hall is full", || node.metric("tribune_connections_open") >= f64::from(seats));
    let refused = ask(&node.public, b"");
    assert_eq!(refused.status, 503, "{}", refused.head);
    assert!(refused.head.contains("retry-after: 5"), "{}", refused.head);
    assert!(refused.body.contains("come back"), "{}", refused.body);
    let length = format!("content-length: {}", refused.body.len());
    assert!(refused.head.contains(&length), "{} is not {length}", refused.head);
    assert!(node.metric("tribune_shed_total") >= 1.0);
    // Who is inside is served, and who leaves makes room.
    inside[0].write_all(&plain("GET", "/full/status", "")).expect("taken");
    assert!(to_the_end(&inside[0]).starts_with(b"HTTP/1.1 200"));
    until("one place is free", || ask(&node.public, &plain("GET", "/full/status", "")).status == 200);
}

#[test]
fn only_trusted_proxies_are_believed() {
    let guess = |from: &str| {
        plain("GET", "/api/v1/rooms", &format!("Authorization: Bearer {:x<30}\r\n{from}", "wrong"))
    };
    // From a stranger, whatever the header says, all guesses are one address's.
    let node = Node::start();
    let codes: Vec<_> = (0..=WRONG_KEYS_MAX)
        .map(|n| ask(&node.stage, &guess(&format!("X-Forwarded-For: 192.0.2.{n}\r\n"))).code())
        .collect();
    assert_eq!((codes[0].as_str(), codes[WRONG_KEYS_MAX].as_str()), ("key_wrong", "keys_guessed"));
    let header = |last: u8| {
        let mut bytes = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c".to_vec();
        bytes.extend([192, 0, 2, last, 127, 0, 0, 1, 0, 80, 0, 80]);
        bytes
    };
    let stranger = ask(&node.stage, &[header(1), guess("")].concat());
    assert_eq!((stranger.status, stranger.head.as_str()), (0, ""), "a stranger's PROXY header ends it");
    drop(node);
    // From a trusted one each visitor has a count of their own.
    let keep = tempfile::tempdir().expect("a folder");
    let node = Node::start_with(keep.path(), &["--trusted-proxy", "127.0.0.0/8"]);
    for n in 0..=WRONG_KEYS_MAX {
        let last = u8::try_from(n).expect("few");
        assert_eq!(ask(&node.stage, &[header(last), guess("")].concat()).code(), "key_wrong", "{n}");
        let forwarded = format!("X-Forwarded-For: 198.51.100.{n}\r\n");
        assert_eq!(ask(&node.stage, &guess(&forwarded)).code(), "key_wrong", "{n}");
    }
    let codes: Vec<_> =
        (0..=WRONG_KEYS_MAX).map(|_| ask(&node.stage, &[header(99), guess("")].concat()).code()).collect();
    assert_eq!(codes[WRONG_KEYS_MAX], "keys_guessed");
}

#[test]
fn every_public_address_has_a_head() {
    let node = Node::start();
    let _room = node.live_room("odd");
    until("the program has begun", || node.get("/odd/hls/aac64.m3u8").0 == 200);
    for path in [
        "/odd",
        "/odd/status",
        "/odd/status/1",
        "/odd/live.m3u8",
        "/odd/hls/aac64.m3u8",
        &format!("/odd/hls/{}", part_of(&node, "/odd/hls/opus64.m3u8")),
        "/odd/replay.opus",
        "/odd/seal",
        "/none",
        "/none/status",
    ] {
        let (get, head) =
            (ask(&node.public, &plain("GET", path, "")), ask(&node.public, &plain("HEAD", path, "")));
        assert_eq!(head.status, get.status, "{path}");
        assert!(head.body.is_empty(), "{path}: {}", head.body);
    }
    for path in ["/odd/live.opus", "/odd/live.aac", "/odd/live.mp4"] {
        let head = ask(&node.public, &plain("HEAD", path, ""));
        assert_eq!((head.status, head.body.as_str()), (200, ""), "{path}");
    }
}

#[test]
fn a_status_is_the_same_by_the_short_way_and_by_the_long() {
    let node = Node::start();
    node.live_room("ready");
    let url = format!("{}/ready/status", node.public);
    let told = |answer: Answer| {
        let differs = |line: &&str| {
            ["date:", "x-request-id:", "content-length:"].iter().any(|name| line.starts_with(name))
        };
        let mut lines: Vec<String> =
            answer.head.lines().filter(|line| !differs(line)).map(str::to_owned).collect();
        lines[1..].sort();
        let length = format!("content-length: {}", answer.body.len());
        assert!(answer.head.lines().any(|line| line == length), "{}", answer.head);
        assert!(answer.head.contains("x-request-id: "), "{}", answer.head);
        let status: Value = serde_json::from_str(&answer.body).expect("a status is JSON");
        (lines, status["room"].clone(), status["state"].clone())
    };
    // A line that says who asks for whom has it answered by the router.
    let http1 = |headers: &str| told(ask(&node.public, &plain("GET", "/ready/status", headers)));
    assert_eq!(http1(""), http1("Via: 1.1 a\r\n"));
    let http2 = |header: &str| told(by_http2(&url, header));
    assert_eq!(http2("Accept: */*"), http2("Via: 1.1 a"));
    let counted = |status: &str| {
        let label = format!("route=\"/{{room}}/status\",status=\"{status}\"");
        node.metric_of("tribune_http_requests_total", &label)
    };
    assert_eq!(counted("200"), 4.0, "both ways count");
    assert_eq!(ask(&node.public, &plain("GET", "/nobody/status", "")).code(), "room_unknown");
}

#[test]
fn every_odd_request_gets_a_refusal_of_ours() {
    let node = Node::start();
    let _room = node.live_room("odd");
    until("the program has begun", || node.get("/odd/hls/aac64.m3u8").0 == 200);
    let part = part_of(&node, "/odd/hls/opus64.m3u8");
    let folder = format!("/odd/hls/{}", part.rsplit_once('/').expect("a folder and a file").0);
    for (method, target, status, code) in [
        ("BREW", "/odd/status", 405, "method_wrong"),
        ("POST", "/odd", 405, "method_wrong"),
        ("DELETE", "/odd/replay.opus", 405, "method_wrong"),
        ("GET", "/%ff/status", 400, "malformed"),
        ("GET", "/%00/status", 404, "room_unknown"),
        ("GET", "/odd%2fstatus/status", 404, "room_unknown"),
        ("GET", "/odd/status/first", 404, "no_such_page"),
        ("GET", "/odd/status/99999999999999999999", 404, "no_such_page"),
        ("GET", &format!("{folder}/%zz.mp4"), 404, "no_such_page"),
        ("GET", &format!("{folder}/18446744073709551615.part.mp4"), 404, "part_gone"),
        ("GET", &format!("{folder}/18446744073709551615.mp4"), 404, "part_gone"),
        ("GET", "/odd/hls/opus64/0/init.mp4", 404, "part_gone"),
        ("GET", "/odd/hls/opus64/init.mp4", 404, "no_such_page"),
        ("GET", "/odd/hls/opus64.m3u8?_HLS_msn=first", 400, "malformed"),
        ("GET", "/odd/hls/opus64.m3u8?_HLS_part=1", 400, "malformed"),
        ("GET", "/odd/hls/opus64.m3u8?_HLS_msn=18446744073709551615", 400, "malformed"),
        ("GET", "/odd/nothing/here", 404, "no_such_page"),
        ("GET", "/assets/none.js", 404, "no_such_page"),
        ("GET", "/metrics/status", 404, "room_unknown"),
    ] {
        let answer = ask(&node.public, &plain(method, target, ""));
        let wanted = (status, code.to_owned());
        assert_eq!((answer.status, answer.code()), wanted, "{method} {target}: {}", answer.body);
    }
    assert_eq!(
        ask(&node.public, &plain("GET", "/metrics", "")).status,
        404,
        "it is on the ops listener only"
    );
    for (method, target, status, code) in [
        ("BREW", "/odd/source", 405, "method_wrong"),
        ("GET", "/odd/source", 405, "method_wrong"),
        ("GET", "/odd/nothing/here", 404, "no_such_page"),
        ("GET", "/api/v1/rooms/%ff", 400, "malformed"),
        ("BREW", "/api/v1/rooms", 405, "method_wrong"),
    ] {
        let answer = ask(&node.stage, &plain(method, target, ""));
        let wanted = (status, code.to_owned());
        assert_eq!((answer.status, answer.code()), wanted, "{method} {target}: {}", answer.body);
    }
}

#[test]
fn nobody_changes_protocols_or_sends_heads_without_end() {
    let node = Node::start();
    let room = node.live_room("odd");
    for address in [&node.public, &node.stage] {
        let answer = ask(address, &plain("OPTIONS", "*", ""));
        assert_eq!(answer.status, 204);
        assert!(answer.head.contains("allow: get, head"), "{}", answer.head);
        let upgrade = "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
        let path = if *address == node.public { "/odd/status" } else { "/api/v1/rooms/odd" };
        let answer =
            ask(address, &plain("GET", path, &upgrade.replace("Upgrade", "Connection: upgrade\r\nUpgrade")));
        assert_eq!(answer.status, 200, "nobody here changes protocols: {}", answer.head);
        let long = format!("X: {}\r\n", "a".repeat(20_000));
        let many: String = (0..100).map(|n| format!("X-{n}: a\r\n")).collect();
        for headers in [long, many] {
            let status = ask(address, &plain("GET", "/odd/status", &headers)).status;
            assert!([0, 400, 431].contains(&status), "{status}");
        }
    }
    assert_eq!(node.status(&room)["state"], "live");
}

/// CVE-2023-44487: streams opened and reset faster than they are looked at.
#[test]
fn rapid_resets_end_the_connection_and_nothing_else() {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    const EMPTY_SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    /// `GET http://x/` by the static table of RFC 7541, appendix A; the authority is a literal.
    const HEADERS: [u8; 6] = [0x82, 0x86, 0x84, 0x41, 0x01, b'x'];
    let node = Node::start();
    node.live_room("resets");
    let mut listener = node.open("/resets/live.opus");
    let mut flood = [PREFACE, &EMPTY_SETTINGS].concat();
    for stream in (1_u32..2_001).step_by(2) {
        let id = stream.to_be_bytes();
        flood.extend([0, 0, HEADERS.len() as u8, 1, 5]);
        flood.extend(id);
        flood.extend(HEADERS);
        flood.extend([0, 0, 4, 3, 0]);
        flood.extend(id);
        flood.extend(8_u32.to_be_bytes());
    }
    let mut stream = connect(&node.public);
    // It may be closed before the last of it is written.
    let _ = stream.write_all(&flood);
    // Sooner than a connection that rests would be asked to end.
    stream.set_read_timeout(Some(PATIENCE / 2)).expect("a timeout can be set");
    to_the_end(&stream);
    assert_without_gap(&granules(&mut listener, 5));
    assert_eq!(node.get("/resets/status").0, 200);
}

#[test]
fn the_books_balance_in_every_scrape_while_listeners_come_and_go() {
    let node = Node::start();
    node.live_room("books");
    drop(node.open("/books/live.opus"));
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                for _ in 0..12 {
                    let mut listener = node.open("/books/live.opus");
                    listener.read_exact(&mut [0; 64]).expect("the program is heard");
                }
            });
        }
        for _ in 0..60 {
            let text = agent().get(format!("{}/metrics", node.ops)).call().expect("ops answers");
            let text = text.into_body().read_to_string().expect("text");
            let sum = |name: &str| -> f64 {
                let lines = text
                    .lines()
                    .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])));
                lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
            };
            let stand = sum("tribune_waiting") + sum("tribune_seated");
            let gone = sum("tribune_refused_total") + sum("tribune_left_total");
            assert_eq!(sum("tribune_arrived_total"), stand + gone, "{text}");
        }
    });
    assert!(node.metric("tribune_arrived_total") >= 73.0);
    until("all have left", || node.metric("tribune_seated") == 0.0);
    assert_eq!(node.metric("tribune_arrived_total"), node.metric("tribune_left_total"));
}

#[test]
fn a_node_that_stops_breaks_the_program_off_at_a_part() {
    const LAST_PAGE: u8 = 4;
    let node = Node::start();
    node.live_room("stopping");
    let mut idle = connect(&node.public);
    idle.write_all(b"GET /stopping/status HTTP/1.1\r\nHost: x\r\n\r\n").expect("taken");
    idle.read_exact(&mut [0; 12]).expect("answered");
    let mut listener = connect(&node.public);
    listener.write_all(b"GET /stopping/live.opus HTTP/1.1\r\nHost: x\r\n\r\n").expect("taken");
    assert_without_gap(&granules(&mut listener, 6));
    node.signal("TERM");
    let rest = to_the_end(&listener);
    assert!(!rest.ends_with(b"\r\n0\r\n\r\n"), "the answer is not whole: players are to come back");
    let page = rest.windows(4).rposition(|four| four == b"OggS").expect("at least the part in flight");
    assert_eq!(rest[page + 5] & LAST_PAGE, 0, "the stream does not say that it is over");
    let pieces = rest[..page].rsplit(|&byte| byte == b'\n').nth(1).expect("a chunk begins with its length");
    let length = str::from_utf8(pieces).ok().and_then(|text| usize::from_str_radix(text.trim(), 16).ok());
    assert_eq!(length, Some(rest.len() - page - 2), "the last part came whole");
    to_the_end(&idle);
    let _ = idle.shutdown(Shutdown::Both);
    assert!(node.wait().success(), "a polite end is no failure");
}
