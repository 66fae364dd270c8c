//! What strangers and broken clients send to the stage: every answer is clear, memory is bounded, and who
//! speaks never notices.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tribune_rehearsal::speaker::{Over, Speaker, Target, Wants, an_offer};

use crate::node::{Node, Room, agent, until};
use crate::stage::{SDP, Talker, ask, came_back, hears, sine, target};
use crate::tone;

/// Bytes that are like STUN, DTLS, RTP and RTCP at first sight, and nonsense after it.
fn nonsense() -> impl Iterator<Item = Vec<u8>> {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut draw = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0_usize..).map(move |number| {
        let mut bytes: Vec<u8> = (0..draw() % 300).map(|_| draw() as u8).collect();
        let first = [0, 1, 22, 20, 128, 144, 200, 255][number % 8];
        if let Some(byte) = bytes.first_mut() {
            *byte = first;
        }
        if number % 8 < 2 && bytes.len() >= 20 {
            // A STUN request with its cookie and a length that is right: read further before it is refused.
            let len = ((bytes.len() - 20) & !3) as u16;
            bytes.truncate(20 + usize::from(len));
            bytes[..2].copy_from_slice(&[0, 1]);
            bytes[2..4].copy_from_slice(&len.to_be_bytes());
            bytes[4..8].copy_from_slice(&[0x21, 0x12, 0xa4, 0x42]);
        }
        bytes
    })
}

/// Resident memory of the node, in KiB.
fn resident_kib(node: &Node) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", node.pid())).expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("a process has memory");
    line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).expect("a number")
}

/// Two who speak and hear each other while something is done to the node.
struct Conversation {
    high: Talker,
    low: Talker,
}

/// What each says while it is looked whether the other hears it, in frames of 20 ms.
const FRAMES: usize = 100;

impl Conversation {
    fn begin(node: &Node, room: &Room) -> Self {
        let both = Target { wants: Wants::ToSendAndHear, ..target(node, room, Over::Udp) };
        let join = || Speaker::join(&both).expect("the node answers and is reached");
        let (high, low) = (join(), join());
        Self { high: Talker::start(high, 1_320.0), low: Talker::start(low, 440.0) }
    }

    /// They are connected still, and hear each other. How well, while it is done to the node, is for the
    /// measurements: here everything shares two processors.
    fn goes_on(self, node: &Node) {
        until("both are connected", || node.metric("tribune_speakers_connected") == 2.0);
        let stop = |talker: Talker| talker.stop().expect("the connection holds");
        let (mut high, mut low) = (stop(self.high), stop(self.low));
        until("they hear each other", || {
            drop((high.take_heard(), low.take_heard()));
            std::thread::scope(|scope| {
                scope.spawn(|| high.speak(FRAMES, sine(1_320.0)).expect("the connection holds"));
                low.speak(FRAMES, sine(440.0)).expect("the connection holds");
            });
            let hears = |speaker: &mut Speaker, hz| tone::share(&came_back(speaker), 48_000.0, hz) > 0.8;
            hears(&mut high, 440.0) && hears(&mut low, 1_320.0)
        });
    }
}

/// Offers that are wrong in one place each, with what they are answered.
fn wrong_offers() -> Vec<(&'static str, String, u16)> {
    let good = an_offer(Wants::ToSend).expect("the library offers");
    let without = |start: &str| -> String {
        good.lines().filter(|line| !line.starts_with(start)).map(|line| format!("{line}\r\n")).collect()
    };
    let audio = good[good.find("m=audio").expect("it has one")..].to_owned();
    vec![
        ("no version", good.replacen("v=0", "v=1", 1), 400),
        ("nothing but a version", "v=0\r\n".to_owned(), 406),
        ("no audio", good.replace("m=audio", "m=text"), 406),
        ("two of audio", format!("{good}{}", audio.replace("a=mid:", "a=mid:x")), 406),
        ("audio that is refused by the offer itself", good.replacen("m=audio 9 ", "m=audio 0 ", 1), 406),
        ("nine media", format!("{good}{}", "m=video 0 UDP/TLS/RTP/SAVPF 0\r\n".repeat(9)), 406),
        ("no name for ICE", without("a=ice-ufrag"), 400),
        ("no password for ICE", without("a=ice-pwd"), 400),
        (
            "a name of 300 letters",
            good.replacen("a=ice-ufrag:", &format!("a=ice-ufrag:{}", "x".repeat(300)), 1),
            400,
        ),
        ("no fingerprint", without("a=fingerprint"), 400),
        ("DTLS' part left to us", good.replace("a=setup:actpass", "a=setup:passive"), 406),
        ("an inactive track", good.replace("a=sendonly", "a=inactive"), 406),
        ("a line without an equals sign", format!("{good}hello\r\n"), 400),
        ("an empty name of an attribute", format!("{good}a=:\r\n"), 201),
        ("3,000 lines", format!("{good}{}", "a=x\r\n".repeat(3_000)), 400),
        ("one line of 30 kB", format!("{good}a=x:{}\r\n", "y".repeat(30_000)), 201),
        ("a zero byte", good.replacen("s=-", "s=\0", 1), 201),
        ("an array of brackets", "[".repeat(10_000), 400),
        ("JSON", r#"{"type":"offer","sdp":"v=0"}"#.to_owned(), 400),
    ]
}

#[test]
fn wrong_offers_are_named_and_nobody_hears_them() {
    let node = Node::start();
    let room = node.live_room("wrong-offers");
    let talk = Conversation::begin(&node, &room);
    let url = format!("{}/wrong-offers/whip", node.stage);
    let key = format!("Bearer {}", room.speaker);
    let good = ("authorization", key.as_str());
    let mut made = Vec::new();
    let mut offer = |what: &str, body: &str| -> (u16, String) {
        let (status, code, headers) = ask("POST", &url, &[good, SDP], body);
        if status == 201 {
            let session = headers["location"].to_str().expect("plain text");
            assert_eq!(ask("DELETE", &format!("{}{session}", node.stage), &[good], "").0, 200, "{what}");
        } else {
            assert!(!code.is_empty(), "{what}: {status} without a reason");
        }
        made.push(status);
        (status, code)
    };
    for (what, body, status) in wrong_offers() {
        let (got, code) = offer(what, &body);
        assert_eq!(got, status, "{what}: {code}");
    }
    let whole = an_offer(Wants::ToSend).expect("the library offers");
    let mut draw = draws();
    for round in 0..300 {
        let mut bytes = whole.clone().into_bytes();
        for _ in 0..=draw() % 6 {
            let at = draw() as usize % bytes.len();
            match draw() % 4 {
                0 => bytes.truncate(at.max(1)),
                1 => bytes[at] = draw() as u8 & 0x7f,
                2 => bytes.insert(at, b'\n'),
                _ => bytes.extend_from_within(at..),
            }
        }
        let damaged = String::from_utf8(bytes).expect("its letters stay below 128");
        let (status, code) = offer("damaged", &damaged);
        assert!([201, 400, 406].contains(&status), "round {round}: {status} {code}:\n{damaged}");
    }
    // A megabyte, with its length told and in chunks.
    let long = format!("{whole}{}", "a=x\r\n".repeat(200_000));
    assert_eq!(offer("1 MB", &long), (413, "too_large".to_owned()));
    let chunked = ureq::SendBody::from_owned_reader(std::io::Cursor::new(long.into_bytes()));
    let request = agent().post(&url).header("authorization", &key).header("content-type", "application/sdp");
    match request.send(chunked) {
        Ok(answer) => assert_eq!(answer.status(), 413),
        // The node closes over the rest; the answer may be lost with it.
        Err(error) => assert!(error.to_string().contains("io"), "{error}"),
    }
    assert_eq!(node.metric("tribune_media_broken_total"), 0.0);
    talk.goes_on(&node);
}

/// Numbers that are the same every time.
fn draws() -> impl FnMut() -> u64 {
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}

#[test]
fn a_thousand_offers_a_second_without_a_key_are_not_heard() {
    const EACH: usize = 2_500;
    const AT_ONCE: usize = 4;
    let node = Node::start();
    let room = node.live_room("offers");
    let talk = Conversation::begin(&node, &room);
    let before = resident_kib(&node);
    let url = format!("{}/offers/whip", node.stage);
    let offer = an_offer(Wants::ToSend).expect("the library offers");
    let (refused, guessed) = (AtomicU64::new(0), AtomicU64::new(0));
    let began = Instant::now();
    std::thread::scope(|scope| {
        for sender in 0..AT_ONCE {
            let (url, offer, refused, guessed) = (&url, &offer, &refused, &guessed);
            scope.spawn(move || {
                let client = agent();
                for number in 0..EACH {
                    // Four times 250 a second, or as many as the machine manages.
                    let due = began + Duration::from_millis(4 * number as u64);
                    std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
                    let mut request = client.post(url).header("content-type", "application/sdp");
                    if sender % 2 == 1 {
                        request = request.header("authorization", format!("Bearer {number:0>32}"));
                    }
                    match request.send(offer).expect("the stage answers").status().as_u16() {
                        401 => refused.fetch_add(1, Ordering::Relaxed),
                        429 => guessed.fetch_add(1, Ordering::Relaxed),
                        other => panic!("an offer without a key was answered {other}"),
                    };
                }
            });
        }
    });
    let (refused, guessed) = (refused.into_inner(), guessed.into_inner());
    assert_eq!(refused + guessed, (EACH * AT_ONCE) as u64);
    assert!(refused >= (EACH * AT_ONCE / 2) as u64 && guessed > 0, "{refused} refused, {guessed} guessed");
    let grown = resident_kib(&node).saturating_sub(before);
    assert!(grown < 32 * 1_024, "{grown} KiB more than before");
    assert_eq!(node.metric("tribune_speakers_answered"), 2.0);
    talk.goes_on(&node);
}

#[test]
fn nonsense_at_the_media_port_is_not_heard() {
    let node = Node::start();
    let room = node.live_room("strangers");
    let talk = Conversation::begin(&node, &room);
    let before = resident_kib(&node);
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port is free");
    for datagram in nonsense().take(20_000) {
        // One that does not fit into the kernel's buffer is one that does not arrive.
        let _ = socket.send_to(&datagram, &node.media);
    }
    for datagram in nonsense().take(200) {
        let mut stream = TcpStream::connect(&node.media).expect("the node listens");
        let _ = stream.write_all(&[&(datagram.len() as u16).to_be_bytes()[..], &datagram].concat());
    }
    let mut never_ends = TcpStream::connect(&node.media).expect("the node listens");
    let _ = never_ends.write_all(&[0xff; 70_000]);
    until("it was counted", || node.metric("tribune_media_datagrams_dropped_total") > 1_000.0);
    assert_eq!(node.metric("tribune_media_broken_total"), 0.0);
    let grown = resident_kib(&node).saturating_sub(before);
    assert!(grown < 32 * 1_024, "{grown} KiB more than before");
    talk.goes_on(&node);
}

#[test]
fn silent_connections_keep_no_speaker_out() {
    let node = Node::start();
    let room = node.live_room("half-open");
    let before = Speaker::join(&target(&node, &room, Over::Tcp)).expect("the node answers and is reached");
    let talker = Talker::start(before, 440.0);
    until("they are heard", || hears(&node, &room, 440.0));
    // More than there is room for; half of them begin a datagram and do not go on.
    let silent: Vec<TcpStream> = (0..1_100)
        .map(|number| {
            let mut stream = TcpStream::connect(&node.media).expect("the node listens");
            if number % 2 == 0 {
                // The node may have closed it already.
                let _ = stream.write_all(&[1, 0, 7]);
            }
            stream
        })
        .collect();
    until("some had to go", || node.metric("tribune_media_datagrams_dropped_total") > 50.0);
    let after = Speaker::join(&target(&node, &room, Over::Tcp)).expect("there is room for who speaks");
    let first_is_closed = {
        let mut first = &silent[0];
        first.set_read_timeout(Some(crate::node::PATIENCE)).expect("a timeout can be set");
        match first.read(&mut [0]) {
            Ok(read) => read == 0,
            Err(error) => error.kind() == ErrorKind::ConnectionReset,
        }
    };
    assert!(first_is_closed, "whoever came first and said nothing went");
    until("who spoke before is heard as before", || hears(&node, &room, 440.0));
    assert_eq!(node.metric("tribune_speakers_connected"), 2.0);
    after.leave().expect("the node knows the session");
    talker.stop().expect("the connection holds");
}
