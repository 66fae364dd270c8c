//! The floor against the real binary: who is heard, who is not any more, and how soon.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tribune_core::codec::opus::Decoder;
use tribune_rehearsal::speaker::{Heard, Over, Speaker, Target, Wants};

use crate::node::{Node, Room, until};
use crate::stage::{Talker, target};

/// Whatever a host does to somebody is heard everywhere within this.
const AT_ONCE: Duration = Duration::from_millis(200);
/// So long is listened on afterwards.
const AND_LONGER: Duration = Duration::from_millis(600);
/// Below this a packet has nothing in it.
const QUIET_RMS: f32 = 0.005;

fn come(node: &Node, room: &Room, name: &str) -> anyhow::Result<Speaker> {
    let named = Target { name: Some(name), wants: Wants::ToSendAndHear, ..target(node, room, Over::Udp) };
    Speaker::join(&named)
}

/// A stage's person says something about somebody; `(status, body)`.
fn say(node: &Node, room: &Room, (act, body): (&str, &Value)) -> Value {
    node.api("POST", &format!("/api/v1/rooms/{}/{act}", room.name), body)
}

fn stage(node: &Node, room: &Room) -> Value {
    node.api("GET", &format!("/api/v1/rooms/{}/stage", room.name), &json!({}))
}

fn of<'v>(view: &'v Value, id: &str) -> &'v Value {
    let people = view["people"].as_array().expect("a stage has people");
    people.iter().find(|person| person["id"] == id).unwrap_or(&Value::Null)
}

/// When each packet with something in it came.
fn loud(heard: &[Heard]) -> Vec<Instant> {
    let mut decoder = Decoder::new().expect("a decoder needs nothing but memory");
    let mut loud = Vec::new();
    for packet in heard {
        let mut sound = Vec::new();
        decoder.decode(&packet.payload, &mut sound).expect("what comes back is Opus");
        let power = sound.iter().map(|sample| sample * sample).sum::<f32>() / sound.len().max(1) as f32;
        if power.sqrt() > QUIET_RMS {
            loud.push(packet.at);
        }
    }
    loud
}

/// Two on the stage: one sounds, the other listens.
struct Two {
    node: Node,
    room: Room,
    ann: Talker,
    ben: Option<Talker>,
}

impl Two {
    fn meet(node: Node, name: &str) -> Self {
        let room = node.live_room(name);
        let ann = Talker::start(come(&node, &room, "ann").expect("ann may come"), 440.0);
        let ben = come(&node, &room, "ben").expect("ben may come");
        let mut two = Self { node, room, ann, ben: Some(Talker::start(ben, 0.0)) };
        until("ben hears ann", || {
            let began = Instant::now();
            two.listen(began);
            !two.heard_since(began).is_empty()
        });
        two
    }

    /// Ben listens on for a while after `since`.
    fn listen(&self, since: Instant) {
        until("a while has passed", || {
            stage(&self.node, &self.room);
            since.elapsed() > AND_LONGER
        });
    }

    /// When what ben has heard since `since` had something in it.
    fn heard_since(&mut self, since: Instant) -> Vec<Instant> {
        let mut ben = self.ben.take().expect("ben is here").stop().expect("the connection holds");
        let heard = loud(&ben.take_heard());
        self.ben = Some(Talker::start(ben, 0.0));
        heard.into_iter().filter(|at| *at > since).collect()
    }

    /// Does something to ann, after which ben hears her no more, and soon.
    fn falls_silent(&mut self, act: (&str, &Value)) -> Value {
        let asked = Instant::now();
        let view = say(&self.node, &self.room, act);
        self.listen(asked);
        let last = self.heard_since(asked).last().map(|at| *at - asked).unwrap_or_default();
        assert!(last <= AT_ONCE, "{} is heard after {last:?}", act.0);
        view
    }

    /// And is heard again, and soon.
    fn sounds(&mut self, act: (&str, &Value)) -> Value {
        let asked = Instant::now();
        let view = say(&self.node, &self.room, act);
        self.listen(asked);
        let first = self.heard_since(asked).first().map(|at| *at - asked).expect("ben hears ann");
        assert!(first <= AT_ONCE, "{} is heard after {first:?}", act.0);
        view
    }
}

#[test]
fn whoever_is_muted_or_loses_the_floor_is_heard_no_more_at_once() {
    let mut two = Two::meet(Node::start(), "muted");
    let ann = json!({"person": "speaker.ann"});
    let muted = |muted: bool| json!({"person": "speaker.ann", "muted": muted});
    until("the stage knows who speaks", || {
        of(&stage(&two.node, &two.room), "speaker.ann")["speaking"] == true
    });
    assert_eq!(of(&stage(&two.node, &two.room), "speaker.ann")["sound"], "good");
    let view = two.falls_silent(("mute", &muted(true)));
    assert_eq!(
        (&of(&view, "speaker.ann")["muted"], &of(&view, "speaker.ann")["floor"]),
        (&json!("host"), &json!("holds"))
    );
    two.sounds(("mute", &muted(false)));
    let view = two.falls_silent(("floor/revoke", &ann));
    assert_eq!(of(&view, "speaker.ann")["floor"], "none");
    assert_eq!(of(&view, "speaker.ann")["here"], true, "she goes on hearing");
    let view = two.sounds(("floor/grant", &ann));
    assert_eq!(of(&view, "speaker.ann")["floor"], "holds");
}

#[test]
fn whoever_is_sent_away_is_cut_off_and_does_not_come_back() {
    let mut two = Two::meet(Node::start(), "sent-away");
    let view = two.falls_silent(("remove", &json!({"person": "speaker.ann"})));
    assert_eq!(of(&view, "speaker.ann"), &Value::Null);
    let thread = two.ann.thread.as_ref().expect("it runs until now");
    until("ann hears of it", || thread.is_finished());
    let refused = come(&two.node, &two.room, "ann").err().expect("ann may not come again");
    assert!(refused.to_string().contains("sent_away"), "{refused}");
    come(&two.node, &two.room, "cat").expect("another may");
}

#[test]
fn the_floor_is_as_it_was_after_a_restart() {
    let data = tempfile::tempdir().expect("a folder for the node's data");
    let two = Two::meet(Node::start_in(data.path()), "restarted");
    say(&two.node, &two.room, ("mute", &json!({"person": "speaker.ann", "muted": true})));
    say(&two.node, &two.room, ("floor/revoke", &json!({"person": "speaker.ben"})));
    let Two { node, room, ann, ben } = two;
    node.kill();
    drop((ann, ben));
    let node = Node::start_in(Path::new(data.path()));
    let view = stage(&node, &room);
    assert_eq!(
        (&of(&view, "speaker.ann")["muted"], &of(&view, "speaker.ann")["here"]),
        (&json!("host"), &json!(false))
    );
    let _ann = Talker::start(come(&node, &room, "ann").expect("ann may come"), 440.0);
    let _ben = Talker::start(come(&node, &room, "ben").expect("ben may come"), 880.0);
    until("both are back", || {
        let view = stage(&node, &room);
        of(&view, "speaker.ann")["here"] == true && of(&view, "speaker.ben")["here"] == true
    });
    let view = stage(&node, &room);
    assert_eq!(
        (&of(&view, "speaker.ann")["muted"], &of(&view, "speaker.ann")["floor"]),
        (&json!("host"), &json!("holds"))
    );
    assert_eq!(of(&view, "speaker.ben")["floor"], "none");
}
