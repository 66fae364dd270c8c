//! The guard of a real node: who floods it is told from who comes, and who hears notices nothing.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use socket2::{Domain, Socket, Type};

use crate::node::{Node, agent, until};
use crate::sources::{OPUS, Sender};

/// On the machine itself whoever is answered is so at once.
const ANSWERED_WITHIN: Duration = Duration::from_secs(1);

/// A connection from an address of this machine's own, to a node of this machine; none where the kernel drops
/// what they send.
pub fn try_connect(node: &Node, from: Ipv4Addr) -> Option<TcpStream> {
    let at: SocketAddr = node.public.trim_start_matches("http://").parse().expect("the node says an address");
    assert!(at.ip().is_loopback(), "floods stay on this machine");
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.bind(&SocketAddr::from((from, 0)).into()).expect("loopback has all of 127/8");
    let connected = socket.connect_timeout(&at.into(), ANSWERED_WITHIN);
    connected.ok().map(|()| socket.into())
}

/// The same, to a node that answers.
pub fn connect(node: &Node, from: Ipv4Addr) -> TcpStream {
    try_connect(node, from).expect("the node listens")
}

/// Asks once, whatever comes of it.
pub fn ask(node: &Node, from: Ipv4Addr, head: &str) {
    let Some(mut stream) = try_connect(node, from) else { return };
    // Whoever is refused may be so at any moment.
    let _ = write!(stream, "{head}Host: a\r\nConnection: close\r\n\r\n");
    let _ = stream.read_to_end(&mut Vec::new());
}

/// Asks over and over until told to stop.
pub struct Flood {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Flood {
    /// Four threads ask, each with numbers of its own.
    pub fn start(node: &Arc<Node>, ask: impl Fn(&Node, u32) + Clone + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = |number: u32| {
            let (node, stop, ask) = (node.clone(), stop.clone(), ask.clone());
            std::thread::spawn(move || {
                let numbers = (number..).step_by(4);
                numbers.take_while(|_| !stop.load(Ordering::Relaxed)).for_each(|n| ask(&node, n));
            })
        };
        let threads = (0..4).map(thread).collect();
        Self { stop, threads }
    }

    /// Until here.
    pub fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.drain(..).for_each(|thread| thread.join().expect("no panic"));
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// What the guard says; asked on the stage's side, for whoever asks the public one so often is a flood.
pub fn guard(node: &Node) -> Value {
    node.api("GET", "/api/v1/guard", &json!({}))
}

pub fn verdict(node: &Node) -> Value {
    guard(node)["verdict"].clone()
}

#[test]
fn a_flood_is_told_and_who_hears_notices_nothing() {
    let node = Arc::new(Node::start());
    let room = node.live_room("flooded");
    let _source = Sender::tone(&node, &room, "tone", 440, OPUS);
    let mut hears = node.open("/flooded/live.opus");
    let mut some = [0; 4_096];
    hears.read_exact(&mut some).expect("the program is there");
    until("it is calm", || verdict(&node)["kind"] == "calm");
    let flood = Flood::start(&node, |node, number| {
        let from = Ipv4Addr::from_bits(0x7f20_0000 + number % 200);
        ask(node, from, "GET /flooded HTTP/1.1\r\n");
    });
    until("it is told", || verdict(&node)["kind"] == "attack");
    let said = verdict(&node);
    let low = said["attack_share"]["requests"][0].as_f64().expect("a share");
    assert!(low > 0.15, "{said}");
    assert!(said["because"][0].as_str().is_some_and(|says| says.contains("explains")), "{said}");
    hears.read_exact(&mut some).expect("they hear on");
    flood.stop();
    until("it is over", || verdict(&node)["kind"] == "calm");
    hears.read_exact(&mut some).expect("they hear on");
    assert_eq!(node.metric("tribune_parts_skipped_total"), 0.0);
    assert_eq!(node.metric("tribune_guard_unbalanced_total"), 0.0, "everything is in one account");
}

#[test]
fn who_breaks_the_rules_is_refused_until_somebody_takes_it_back() {
    let node = Arc::new(Node::start());
    let room = node.live_room("broken");
    let from = Ipv4Addr::new(127, 33, 0, 9);
    let flood = Flood::start(&node, move |node, _| ask(node, from, "NONSENSE\r\n"));
    until("it is refused", || guard(&node)["acts"].as_array().is_some_and(|acts| !acts.is_empty()));
    flood.stop();
    let act = guard(&node)["acts"][0].clone();
    assert_eq!(act["source"], "127.33.0.9");
    until("the export has it", || {
        let mut answer = agent().get(format!("{}/guard/refused", node.ops)).call().expect("ops answers");
        answer.body_mut().read_to_string().expect("text") == "127.33.0.9/32\n"
    });
    let answer = |from| {
        let Some(mut stream) = try_connect(&node, from) else { return 0 };
        let _ = write!(stream, "GET /broken HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        let mut text = Vec::new();
        let _ = stream.read_to_end(&mut text);
        text.len()
    };
    assert_eq!(answer(from), 0, "it is closed without a word");
    until("who knocks on and on is not even accepted", || try_connect(&node, from).is_none());
    assert!(answer(Ipv4Addr::new(127, 33, 0, 10)) > 1_000, "its neighbour is answered");
    let (status, _) = node.try_api("POST", "/api/v1/guard/acts/99999/undo", "{}");
    assert_eq!(status, 404);
    node.api("POST", &format!("/api/v1/guard/acts/{}/undo", act["number"]), &json!({}));
    until("it is let in", || answer(from) > 1_000);
    assert_eq!(guard(&node)["acts"][0]["undone"], true);
    let public = node.status(&room);
    assert_eq!(public["verdict"]["attack_share"]["requests"].as_array().map(Vec::len), Some(2));
    assert_eq!(public["guard"]["audit"].as_str().map(str::len), Some(43), "SHA-256 in base64url");
}

#[test]
fn behind_a_proxy_visitors_are_told_apart_only_if_it_is_trusted() {
    for is_trusted in [true, false] {
        let keep = tempfile::tempdir().expect("a folder");
        let flags: &[&str] = if is_trusted { &["--trusted-proxy", "127.0.0.7/32"] } else { &[] };
        let node = Arc::new(Node::start_with(keep.path(), flags));
        drop(node.live_room("proxied"));
        let flood = Flood::start(&node, |node, number| {
            let whom = Ipv4Addr::from_bits(0x0a00_0000 + number % 300);
            let head = format!("GET /proxied HTTP/1.1\r\nX-Forwarded-For: {whom}\r\n");
            ask(node, Ipv4Addr::new(127, 0, 0, 7), &head);
        });
        let expected = if is_trusted { "attack" } else { "unknown" };
        until(expected, || verdict(&node)["kind"] == expected);
        let because = verdict(&node)["because"].to_string();
        flood.stop();
        assert_eq!(because.contains("--trusted-proxy"), !is_trusted, "{because}");
    }
}

#[test]
fn connections_held_half_open_are_seen_and_closed() {
    let node = Arc::new(Node::start());
    drop(node.live_room("held"));
    let mut held: Vec<_> = (0..80)
        .map(|number| {
            let mut stream = connect(&node, Ipv4Addr::new(127, 34, 0, number));
            stream.write_all(b"GET /held HTTP/1.1\r\nHost: a\r\n").expect("it is open");
            stream
        })
        .collect();
    until("it is told", || verdict(&node)["kind"] == "attack");
    let because = verdict(&node)["because"].to_string();
    assert!(because.contains("held open"), "{because}");
    for stream in &mut held {
        stream.set_read_timeout(Some(crate::node::PATIENCE)).expect("a timeout can be set");
        let read = stream.read(&mut [0; 64]);
        assert!(read.as_ref().is_ok_and(|bytes| *bytes == 0), "it is closed without a word: {read:?}");
    }
    until("the node has let all of them go", || node.metric("tribune_connections_open") < 20.0);
}
