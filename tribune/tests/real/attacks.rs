//! The programs that people attack with, against a node that somebody listens to: it says so, and who hears
//! notices nothing. Method: `tribune_rehearsal::attack`.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use tribune_rehearsal::attack::{Order, Tool};

use crate::guard::{connect, verdict};
use crate::node::{Node, PATIENCE, until};
use crate::sources::{OPUS, Sender};

/// The one who hears comes from here, and those who attack from elsewhere.
const HEARS: Ipv4Addr = Ipv4Addr::new(127, 41, 0, 1);
const ATTACKS: Ipv4Addr = Ipv4Addr::new(127, 42, 0, 1);
/// Connections of who asks as often as it can, and of who holds them; what more a node stands is measured
/// elsewhere.
const FAST: u32 = 4;
const SLOW: u32 = 900;
/// Each ends by then in any case; it is ended as soon as it is told.
const LASTING: Duration = Duration::from_secs(30);
/// Half a second of sound at least.
const SOME: usize = 6_000;

/// Somebody who takes the program as one long answer, for as long as there is one: how many bytes came.
struct Hears(Receiver<usize>);

impl Hears {
    fn begins(node: &Node) -> Self {
        let mut stream = connect(node, HEARS);
        write!(stream, "GET /attacked/live.opus HTTP/1.1\r\nHost: a\r\n\r\n").expect("it is open");
        let ((bytes, heard), mut some) = (channel(), [0; 4_096]);
        std::thread::spawn(move || {
            while let Ok(read @ 1..) = stream.read(&mut some)
                && bytes.send(read).is_ok()
            {}
        });
        let hears = Self(heard);
        hears.on();
        hears
    }

    /// More comes than had when this was asked.
    fn on(&self) {
        self.0.try_iter().for_each(drop);
        let mut heard = 0;
        while heard < SOME {
            heard += self.0.recv_timeout(PATIENCE).expect("they hear on");
        }
    }
}

fn is_told_and_nobody_notices(tools: &[Tool]) {
    for tool in tools {
        let node = Arc::new(Node::start());
        let room = node.live_room("attacked");
        let _source = Sender::tone(&node, &room, "tone", 440, OPUS);
        let hears = Hears::begins(&node);
        until("it is calm", || verdict(&node)["kind"] == "calm");
        let at: SocketAddr = node.public.trim_start_matches("http://").parse().expect("an address");
        assert!(at.ip().is_loopback() && ATTACKS.is_loopback(), "attacks stay on this machine");
        let order = Order {
            node: at,
            // A claim's body is waited for.
            path: if *tool == Tool::SlowBody { "/attacked/claim" } else { "/attacked" }.to_owned(),
            connections: if tool.is_slow() { SLOW } else { FAST },
            lasting: LASTING,
            from: ATTACKS,
        };
        let mut attack = tool.start(&order).expect("`make setup` installs it");
        until(tool.name(), || verdict(&node)["kind"] == "attack" || attack.has_ended());
        let told = verdict(&node);
        hears.on();
        let said = attack.stop();
        assert_eq!(told["kind"], "attack", "{tool:?}: {told}; {said}");
        assert_eq!(node.metric("tribune_parts_skipped_total"), 0.0, "{tool:?}");
        assert_eq!(node.metric("tribune_guard_unbalanced_total"), 0.0, "{tool:?}");
    }
}

#[test]
fn who_asks_without_end_is_told() {
    is_told_and_nobody_notices(&[Tool::Wrk, Tool::Ab, Tool::Siege, Tool::H2load, Tool::Hey]);
}

#[test]
fn who_holds_connections_is_told() {
    is_told_and_nobody_notices(&[Tool::SlowHead, Tool::SlowBody, Tool::SlowRead]);
}
