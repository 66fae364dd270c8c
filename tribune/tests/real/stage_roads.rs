//! Roads between a speaker and the node that lose, double, replay, damage and reorder packets.

use std::net::SocketAddr;
use std::time::Duration;

use tribune_rehearsal::loss::Loss;
use tribune_rehearsal::relay::{Relay, Road};
use tribune_rehearsal::speaker::{Over, Speaker, Target};

use crate::node::{Node, until};
use crate::sources::Sender;
use crate::stage::{Talker, hears, target};

fn media(node: &Node) -> SocketAddr {
    node.media.parse().expect("the node says an address")
}

#[test]
fn doubled_replayed_damaged_and_overtaking_packets_are_not_heard() {
    let node = Node::start();
    let room = node.live_room("replayed");
    let jitter = Duration::from_millis(30);
    let road = Road { twice: 0.3, replayed: 0.3, damaged: 0.3, jitter, ..Road::PLAIN };
    let relay = Relay::start(media(&node), road).expect("a port is free");
    let via = Target { via: Some(relay.at()), ..target(&node, &room, Over::Udp) };
    let talker = Talker::start(Speaker::join(&via).expect("the node is reached through it"), 440.0);
    until("they are heard", || hears(&node, &room, 440.0));
    until("there was much of it", || {
        let counts = relay.counts();
        counts.twice > 60 && counts.replayed > 60 && counts.damaged > 60
    });
    // The road stays as it is; a second of a machine that is busy elsewhere is not what is asked about.
    until("they are heard as before", || hears(&node, &room, 440.0));
    assert_eq!(node.metric("tribune_media_broken_total"), 0.0);
    assert_eq!(node.metric("tribune_speakers_connected"), 1.0);
    talker.stop().expect("the connection holds");
}

#[test]
fn aiortc_sends_again_what_was_lost() {
    let node = Node::start();
    let room = node.live_room("again");
    let (loss, delay) = (Loss::Bursts { share: 0.05, mean: 3.0 }, Duration::from_millis(20));
    let relay = Relay::start(media(&node), Road { loss, delay, ..Road::PLAIN }).expect("a port is free");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/aiortc_speaker.py");
    let (url, via) = (format!("{}/again/whip", node.stage), relay.at().to_string());
    let _speaker = Sender::start("/usr/bin/python3", &[script, &url, &room.speaker, "440", &via]);
    until("aiortc is heard", || hears(&node, &room, 440.0));
    until("enough was lost", || relay.counts().lost > 30);
    until("most of it came again", || {
        let counts = relay.counts();
        counts.again as f64 > 0.8 * counts.lost as f64
    });
}
