//! Bad input gets a sentence that names what is wrong; the room and the recording go on untouched.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::node::{Node, OPERATOR, Room, until};
use crate::players;
use crate::sources::{OPUS, Sender};
use crate::tone;

/// Sends raw bytes and reads what comes back until the node closes.
fn raw(address: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address.trim_start_matches("http://")).expect("the node listens");
    stream.set_read_timeout(Some(crate::node::PATIENCE)).expect("a timeout can be set");
    // The node may refuse, and close, before all of it is sent.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn source(node: &Node, room: &Room, kind: &str, body: &[u8]) -> String {
    let key = base64(&format!("source:{}", room.speaker));
    let mut request = format!(
        "PUT /{}/source HTTP/1.1\r\nHost: x\r\nAuthorization: Basic {key}\r\nContent-Type: {kind}\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        room.name,
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    raw(&node.stage, &request)
}

fn base64(text: &str) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in text.as_bytes().chunks(3) {
        let bits =
            three.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - three.len()));
        for place in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * place) & 63) as usize];
            out.push(if place <= three.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

/// A page of noise that is no sound in any container.
fn nonsense(len: usize) -> Vec<u8> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    })
    .take(len)
    .collect()
}

#[test]
fn sources_that_send_nonsense_are_told_and_the_room_goes_on() {
    let node = Node::start();
    let room = node.live_room("bad-sources");
    let _good = Sender::tone(&node, &room, "good", 440, OPUS);
    let hears = || {
        let sound = players::ffmpeg(&format!("{}/bad-sources/live.opus", node.public), 1);
        tone::share(&sound, 48_000.0, 440.0) > 0.8
    };
    until("the good source is heard", hears);
    let mut flac = b"OggS\0\x02\0\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\0\0\0\0\x01\x33".to_vec();
    flac.extend_from_slice(b"\x7fFLAC");
    flac.resize(28 + 51, 0);
    for (kind, body) in [
        ("audio/ogg", nonsense(100_000)),
        ("audio/mpeg", nonsense(100_000)),
        ("audio/aac", nonsense(100_000)),
        ("text/html", b"<html>hello</html>".repeat(4_000)),
        ("audio/ogg", flac),
    ] {
        let answer = source(&node, &room, kind, &body);
        assert!(answer.starts_with("HTTP/1.1 4"), "{kind}: {answer:?}");
        assert!(answer.contains("\"message\""), "{kind}: a sentence says what is wrong: {answer:?}");
    }
    until("the good source is heard as before", hears);
    let (code, _) = node.get("/bad-sources/status");
    assert_eq!(code, 200);
}

#[test]
fn bad_keys_bodies_paths_and_ranges_get_a_sentence() {
    let node = Node::start();
    let room = node.live_room("bad-asks");
    let api = |method: &str, path: &str, body: &str| node.try_api(method, path, body);
    for (method, path, body, status) in [
        ("POST", "/api/v1/rooms", "{", 400),
        ("POST", "/api/v1/rooms", "[1,2]", 400),
        ("POST", "/api/v1/rooms", "{\"title\": 5}", 400),
        ("POST", "/api/v1/rooms", "{\"title\":\"x\",\"room\":\"No Such Name!\"}", 400),
        ("POST", "/api/v1/rooms", "{\"title\":\"x\",\"room\":\"api\"}", 400),
        ("POST", "/api/v1/rooms", "{\"title\":\"x\",\"room\":\"bad-asks\"}", 409),
        ("POST", "/api/v1/rooms", "{\"title\":\"x\",\"starts_at\":\"soon\"}", 400),
        ("POST", "/api/v1/rooms/none-such/live", "{}", 404),
        ("POST", "/api/v1/rooms/bad-asks/cap", "{\"cap\":-1}", 400),
        ("GET", "/api/v1/nothing-here", "", 404),
    ] {
        let (got, text) = api(method, path, body);
        assert_eq!(got, status, "{method} {path} {body}: {text}");
        let said: serde_json::Value =
            serde_json::from_str(&text).unwrap_or_else(|_| panic!("{path} {body}: {text}"));
        assert!(said["code"].is_string() && said["message"].is_string(), "{path} {body}: {text}");
    }
    let wrong_key =
        format!("POST /api/v1/rooms HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {OPERATOR}x\r\n");
    for request in [
        format!("{wrong_key}Content-Length: 2\r\nConnection: close\r\n\r\n{{}}"),
        "PUT /bad-asks/source HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            .to_owned(),
        "PUT /bad-asks/source HTTP/1.1\r\nHost: x\r\nAuthorization: Basic !!!\r\nConnection: close\r\n\r\n"
            .to_owned(),
        "SOURCE /bad-asks/source HTTP/1.0\r\n\r\n".to_owned(),
        "SOURCE /no-room/source ICE/1.0\r\nAuthorization: Basic eDp5\r\n\r\n".to_owned(),
        "\0\0\0\0\r\n\r\n".to_owned(),
        format!("GET /{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "a".repeat(100_000)),
    ] {
        let answer = raw(&node.stage, request.as_bytes());
        let first = answer.lines().next().unwrap_or_default();
        assert!(first.contains(" 4") || answer.is_empty(), "{:.80}: {first}", request);
    }
    for (path, status) in [
        ("/no-such-room", 404),
        ("/no-such-room/status", 404),
        ("/no-such-room/live.opus", 404),
        ("/bad-asks/replay.opus", 404),
        ("/bad-asks/seal", 404),
        ("/bad-asks/hls/none.m3u8", 404),
        ("/bad-asks/live.opus?rendition=gold", 400),
        ("/bad-asks/../../etc/passwd", 404),
        ("/%2e%2e/%2e%2e/etc/passwd", 404),
    ] {
        let (got, _) = node.get(path);
        assert_eq!(got, status, "{path}");
    }
    assert_eq!(node.status(&room)["state"], "live");
}

#[test]
fn ranges_of_a_replay_are_served_or_refused() {
    let node = Node::start();
    let room = node.live_room("ranges");
    let sender = Sender::tone(&node, &room, "", 440, OPUS);
    until("some of it is sealed", || {
        node.status(&room)["program"]["parts"].as_u64().is_some_and(|parts| parts >= 6)
    });
    node.end(&room);
    drop(sender);
    let (_, whole) = node.get("/ranges/replay.opus");
    let ask = |range: &str| {
        let mut answer = crate::node::agent()
            .get(format!("{}/ranges/replay.opus", node.public))
            .header("range", range)
            .call()
            .expect("the node answers");
        (answer.status().as_u16(), answer.body_mut().read_to_vec().unwrap_or_default())
    };
    let end = whole.len();
    assert_eq!(ask("bytes=0-99"), (206, whole[..100].to_vec()));
    assert_eq!(ask("bytes=100-"), (206, whole[100..].to_vec()));
    assert_eq!(ask("bytes=-7"), (206, whole[end - 7..].to_vec()));
    assert_eq!(ask(&format!("bytes={end}-")).0, 416);
    for odd in
        ["bytes=", "bytes=5-1", "potatoes=1-2", "bytes=a-b", "bytes=0-0,5-9", "bytes=99999999999999999999-"]
    {
        let (status, _) = ask(odd);
        assert!([200, 206, 416].contains(&status), "{odd}: {status}");
    }
}

/// What the binary says on standard error, and its exit code.
fn says(args: &[&str]) -> (Option<i32>, String) {
    let done = std::process::Command::new(env!("CARGO_BIN_EXE_tribune")).args(args).output();
    let done = done.expect("the binary runs");
    assert!(done.stdout.is_empty(), "{args:?}: nothing but the error is said");
    (done.status.code(), String::from_utf8(done.stderr).expect("words are text"))
}

#[test]
fn bad_files_and_flags_are_named_with_their_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tribune.toml");
    let file = path.to_str().expect("a plain path");
    for (text, expected) in [
        (&b"listen = \"127.0.0.1:0\"\nlisten ="[..], "tribune.toml:2: this is not TOML"),
        (b"\n\nseats_max = \"many\"", "tribune.toml:3: seats_max must be a whole number"),
        (b"\nlissten = \"x\"", "tribune.toml:2: \"lissten\" is not an option; did you mean \"listen\"?"),
        (b"listen = \"nowhere\"", "tribune.toml:1: "),
        (b"operator_key = \"short\"", "tribune.toml:1: a key has 22"),
        (b"title = \"\xff\"", "is not UTF-8"),
        (b"\nlog_filter = \"warning\"", "tribune.toml:2: \"warning\" is no level"),
        (b"listen = \"127.0.0.1:9090\"", "tribune.toml:1: ops and listen cannot both be"),
    ] {
        std::fs::write(file, text).expect("our own folder");
        for args in [&["check-config", file][..], &["serve", "--config", file]] {
            let (code, words) = says(args);
            assert!(code == Some(2) && words.contains(expected), "{args:?}: {code:?} {words}");
        }
    }
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../tribune.example.toml");
    assert_eq!(says(&["check-config", example]), (Some(0), String::new()));
    for (args, expected) in [
        (&["check-config", "/no/such/file.toml"][..], "cannot be opened"),
        (&["check-config"], "<FILE>"),
        (&["serve", "--lissten", "127.0.0.1:0"], "--lissten"),
        (&["serve", "--listen", "nowhere"], "--listen"),
        (&["serve", "--operator-key", "short"], "a key has 22"),
        (&["sing"], "sing"),
        (&["verify", "/no/such/file.opus"], "seal"),
        (&["room", "cap", "x", "many"], "many"),
        (&["room", "new", "--title", ""], "no title"),
        (&["room", "new", "--title", "x", "--room", "Bad Name"], "\"Bad Name\" is no room"),
        (&["room", "new", "--title", "x", "--starts", "soon"], "\"soon\" is no time"),
    ] {
        let (code, words) = says(args);
        assert!(code == Some(2) && words.contains(expected), "{args:?}: {code:?} {words}");
    }
}

#[test]
fn files_that_a_configuration_names_are_read_before_they_are_needed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).to_str().expect("a plain path").to_owned();
    let (config, text) = (path("tribune.toml"), path("text"));
    std::fs::write(&text, "This is neither a sound nor a certificate.").expect("our own folder");
    for (lines, expected) in [
        (format!("\nhold_sound = \"{text}\""), "tribune.toml:2: "),
        ("hold_sound = \"/no/such/hold.wav\"".to_owned(), "cannot read the hold sound /no/such/hold.wav"),
        (format!("tls_cert = \"{text}\"\ntls_key = \"{text}\""), "holds no certificate"),
        ("tls_cert = \"/no/cert\"\ntls_key = \"/no/key\"".to_owned(), "tribune.toml:1: cannot read /no/cert"),
    ] {
        std::fs::write(&config, &lines).expect("our own folder");
        let (code, words) = says(&["check-config", &config]);
        assert!(code == Some(2) && words.contains(expected), "{lines}: {code:?} {words}");
    }
}
