//! The floor against the real binary: who is heard, who is not any more, and how soon.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tribune_core::codec::opus::Decoder;
use tribune_rehearsal::speaker::{Heard, Over, Speaker, Target, Wants};

use crate::node::{Node, OPERATOR, PATIENCE, Room, agent, until};
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

/// Server-sent events as they come: when, which, what.
struct Events(Receiver<(Instant, String, Value)>);

impl Events {
    fn open(url: &str, (header, value): (&str, &str)) -> Self {
        let request = agent().get(url).header("accept", "text/event-stream").header(header, value);
        let answer = request.call().expect("the node answers");
        assert_eq!(answer.status(), 200, "{url}");
        let lines = BufReader::new(answer.into_body().into_reader().take(1 << 24)).lines();
        let (tell, told) = channel();
        std::thread::spawn(move || {
            let mut name = String::new();
            for line in lines.map_while(Result::ok) {
                if let Some(event) = line.strip_prefix("event: ") {
                    name = event.to_owned();
                } else if let Some(data) = line.strip_prefix("data: ") {
                    let said = serde_json::from_str(data).unwrap_or(Value::Null);
                    if tell.send((Instant::now(), name.clone(), said)).is_err() {
                        return;
                    }
                }
            }
        });
        Self(told)
    }

    /// When the first event came of which this is true.
    fn first(&self, name: &str, is_it: impl Fn(&Value) -> bool) -> (Instant, Value) {
        loop {
            let (at, event, said) = self.0.recv_timeout(PATIENCE).expect("the event comes");
            if event == name && is_it(&said) {
                return (at, said);
            }
        }
    }
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
    let bearer = format!("Bearer {OPERATOR}");
    let url = format!("{}/api/v1/rooms/muted/events", two.node.stage);
    let [events, speaking] = [(); 2].map(|()| Events::open(&url, ("authorization", &bearer)));
    let (_, first) = events.first("stage", |_| true);
    assert_eq!(
        (&first["you"], &first["role"], &first["state"]),
        (&Value::Null, &json!("operator"), &json!("live"))
    );
    let asked = Instant::now();
    let view = two.falls_silent(("mute", &muted(true)));
    let (told, _) = events.first("stage", |view| of(view, "speaker.ann")["muted"] == "host");
    assert!(told - asked <= AT_ONCE, "the stage is told after {:?}", told - asked);
    let (told, _) =
        speaking.first("speaking", |said| said == &json!({"id": "speaker.ann", "speaking": false}));
    assert!(told - asked <= AT_ONCE, "who speaks is told after {:?}", told - asked);
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
    assert_eq!(view["still_opens"], "key", "the host is told by what they may come as somebody new");
    come(&two.node, &two.room, "cat").expect("by the same key another may");
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

/// Status, cookie and body of the audience's answer.
fn audience(
    node: &Node,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, Option<String>, Value) {
    let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", node.public));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let client: ureq::Agent =
        ureq::Agent::config_builder().http_status_as_error(false).max_redirects(0).build().into();
    let mut answer = client.run(request.body(body.to_owned()).expect("a request")).expect("the node answers");
    let cookie = answer.headers().get("set-cookie").and_then(|line| line.to_str().ok()).map(str::to_owned);
    let text = answer.body_mut().read_to_string().unwrap_or_default();
    (answer.status().as_u16(), cookie, serde_json::from_str(&text).unwrap_or(Value::Null))
}

const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
fn a_listener_is_given_the_floor_and_goes_back() {
    let node = Node::start();
    let room = node.live_room("guests");
    let floor = |method| (method, "/guests/floor");
    let (status, _, said) = audience(&node, floor("GET"), &[], "");
    assert_eq!((status, &said), (200, &json!({"state": "none", "ahead": 0, "stage": null, "you": null})));
    let evil = [JSON, ("origin", "https://elsewhere.example")];
    let (status, _, said) = audience(&node, floor("POST"), &evil, r#"{"name": "Eve"}"#);
    assert_eq!((status, &said["code"]), (403, &json!("origin_wrong")));
    let ours = [JSON, ("origin", node.public.as_str())];
    let (status, cookie, said) = audience(&node, floor("POST"), &ours, r#"{"name": "Eve <3"}"#);
    assert_eq!((status, &said["state"]), (201, &json!("requested")), "{said}");
    let cookie = cookie.expect("a cookie comes");
    assert!(
        cookie.contains("Path=/guests/floor")
            && cookie.contains("HttpOnly")
            && cookie.contains("SameSite=Strict")
    );
    let cookie = cookie.split(';').next().expect("a cookie has a value").to_owned();
    let mine = [JSON, ("cookie", cookie.as_str())];
    assert_eq!(audience(&node, floor("POST"), &mine, r#"{"name": "Eve <3"}"#).0, 200, "the same again");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    assert_eq!(audience(&node, floor("POST"), &form, "name=Bob+Builder").0, 303);
    let view = stage(&node, &room);
    let asking: Vec<_> =
        view["requests"].as_array().expect("a list").iter().map(|one| &one["name"]).collect();
    assert_eq!(asking, ["Eve <3", "Bob Builder"]);
    let id = |at: usize| json!({"person": view["requests"][at]["id"]});
    let events = Events::open(&format!("{}/guests/floor", node.public), ("cookie", &cookie));
    events.first("floor", |said| said["state"] == "requested");
    say(&node, &room, ("floor/decline", &id(1)));
    let asked = Instant::now();
    say(&node, &room, ("floor/grant", &id(0)));
    let (told, granted) = events.first("floor", |said| said["state"] == "granted");
    assert!(told - asked <= AT_ONCE, "Eve is told after {:?}", told - asked);
    let key = granted["stage"]["key"].as_str().expect("a key comes with the floor").to_owned();
    let speaks = speaks_as_guest(&node, &room, &key);
    let asked = Instant::now();
    say(&node, &room, ("floor/revoke", &id(0)));
    let (told, _) = events.first("floor", |said| said["state"] == "revoked");
    assert!(told - asked <= AT_ONCE, "Eve is told after {:?}", told - asked);
    let thread = speaks.thread.as_ref().expect("it runs until now");
    until("Eve is back in the audience", || thread.is_finished());
    let again = Target { key: &key, ..target(&node, &room, Over::Udp) };
    assert!(Speaker::join(&again).is_err(), "the key opens nothing any more");
    node.end(&room);
    until("the replay has her chapter", || {
        let (status, chapters) = node.get("/guests/replay.vtt");
        let chapters = String::from_utf8(chapters).expect("WebVTT is UTF-8");
        status == 200 && chapters.starts_with("WEBVTT\n") && chapters.contains("\nEve &lt;3\n")
    });
    let (_, _, said) = audience(&node, floor("GET"), &mine, "");
    assert_eq!(said["state"], "closed");
}

/// Eve speaks until the audience can read that she does.
fn speaks_as_guest(node: &Node, room: &Room, key: &str) -> Talker {
    let eve = Target { key, wants: Wants::ToSendAndHear, ..target(node, room, Over::Udp) };
    let eve = Talker::start(Speaker::join(&eve).expect("Eve may come"), 440.0);
    until("everybody can read that Eve speaks", || {
        let (_, said) = node.get("/guests/speaking");
        let said: Value = serde_json::from_slice(&said).expect("it is JSON");
        let turn = &said["turns"][0];
        let parts = said["live_part"].as_u64().zip(turn["from_part"].as_u64());
        let has_gone_on = parts.is_some_and(|(live, from)| live > from + 1);
        let on_the_floor = json!([{"name": "Eve <3", "role": "speaker"}]);
        has_gone_on && turn["name"] == "Eve <3" && said["people"] == on_the_floor
    });
    eve
}

/// Asks for the floor as somebody new; status, cookie and answer.
fn asks(node: &Node, room: &str, name: &str) -> (u16, String, Value) {
    let body = json!({"name": name}).to_string();
    let (status, cookie, said) = audience(node, ("POST", &format!("/{room}/floor")), &[JSON], &body);
    let cookie = cookie.unwrap_or_default().split(';').next().unwrap_or_default().to_owned();
    (status, cookie, said)
}

#[test]
fn a_listener_on_the_floor_is_told_how_they_are_heard_and_mutes_themselves() {
    let node = Node::start();
    let room = node.live_room("own-sound");
    let (_, cookie, _) = asks(&node, "own-sound", "Eve");
    let mine = [JSON, ("cookie", cookie.as_str()), ("origin", node.public.as_str())];
    let mute = |muted: bool| {
        audience(&node, ("POST", "/own-sound/floor/mute"), &mine, &json!({"muted": muted}).to_string())
    };
    assert_eq!(mute(true).0, 403, "before the floor is theirs");
    let eve = json!({"person": stage(&node, &room)["requests"][0]["id"]});
    let id = eve["person"].as_str().expect("an id").to_owned();
    say(&node, &room, ("floor/grant", &eve));
    let events = Events::open(&format!("{}/own-sound/floor", node.public), ("cookie", &cookie));
    let (_, granted) = events.first("floor", |said| said["state"] == "granted");
    let key = granted["stage"]["key"].as_str().expect("a key comes with the floor").to_owned();
    let target = Target { key: &key, wants: Wants::ToSendAndHear, ..target(&node, &room, Over::Udp) };
    let _eve = Talker::start(Speaker::join(&target).expect("Eve may come"), 440.0);
    let well = json!({"muted": null, "sound": "good", "echo": false, "clipping": false, "silent": false});
    events.first("floor", |said| said["you"] == well);
    let (status, _, said) = mute(true);
    assert_eq!((status, &said["you"]["muted"]), (200, &json!("self")));
    assert_eq!(of(&stage(&node, &room), &id)["muted"], "self", "a host sees it");
    assert_eq!(mute(false).0, 200);
    let elsewhere = [JSON, ("cookie", cookie.as_str()), ("origin", "https://elsewhere.example")];
    let (status, _, _) = audience(&node, ("POST", "/own-sound/floor/mute"), &elsewhere, r#"{"muted": true}"#);
    assert_eq!(status, 403, "nobody else's page mutes them");
    let asked = Instant::now();
    say(&node, &room, ("mute", &json!({"person": id, "muted": true})));
    let (told, _) = events.first("floor", |said| said["you"]["muted"] == "host");
    assert!(told - asked <= AT_ONCE, "Eve is told after {:?}", told - asked);
}

#[test]
fn one_network_asks_six_times_at_once() {
    let node = Node::start();
    node.live_room("one-network");
    for n in 0..6 {
        assert_eq!(asks(&node, "one-network", &format!("l{n}")).0, 201, "{n}");
    }
    let (status, _, said) = asks(&node, "one-network", "late");
    assert_eq!((status, &said["code"]), (429, &json!("source_too_busy")));
}

/// A page is told of no comment of a stream, so that its life must be an event.
#[test]
fn streams_say_that_they_live() {
    let node = Node::start();
    node.live_room("alive");
    let (_, cookie, _) = asks(&node, "alive", "Eve");
    let bearer = format!("Bearer {OPERATOR}");
    let of_stage =
        Events::open(&format!("{}/api/v1/rooms/alive/events", node.stage), ("authorization", &bearer));
    let of_floor = Events::open(&format!("{}/alive/floor", node.public), ("cookie", &cookie));
    for events in [of_stage, of_floor] {
        let (_, said) = events.first("alive", |_| true);
        assert_eq!(said, json!({}));
    }
}

/// Offers to speak as ann, in place of an earlier session; the answer's status, code and session.
fn offer_again(node: &Node, room: &Room, again: &str) -> (u16, String) {
    let offer = tribune_rehearsal::speaker::an_offer(Wants::ToSendAndHear).expect("an offer");
    let url = format!("{}/{}/whip?name=ann&again={again}", node.stage, room.name);
    let request = agent().post(&url).header("content-type", "application/sdp");
    let mut answer = request
        .header("authorization", format!("Bearer {}", room.speaker))
        .send(offer.as_str())
        .expect("the node answers");
    let text = answer.body_mut().read_to_string().expect("it is text");
    let said: Value = serde_json::from_str(&text).unwrap_or(Value::Null);
    (answer.status().as_u16(), said["code"].as_str().unwrap_or_default().to_owned())
}

/// Goal: of two windows of one person the later has the stage, and the earlier does not take it back by
/// itself; a page that lost its line, or the answer to its offer, comes back.
#[test]
fn of_two_windows_of_one_person_the_later_stays() {
    let node = Node::start();
    let room = node.live_room("two-windows");
    let session =
        |speaker: &Speaker| speaker.location().rsplit('/').next().expect("a session has a name").to_owned();
    let first = come(&node, &room, "ann").expect("ann may come");
    let earlier = session(&first);
    let first = Talker::start(first, 440.0);
    let second = come(&node, &room, "ann").expect("ann may come from elsewhere");
    let later = session(&second);
    let second = Talker::start(second, 440.0);
    let thread = first.thread.as_ref().expect("it runs until now");
    until("the first hears that it is over", || thread.is_finished());
    assert_eq!(offer_again(&node, &room, &earlier), (409, "taken_over".to_owned()));
    assert!(!second.thread.as_ref().expect("it runs").is_finished());
    assert_eq!(of(&stage(&node, &room), "speaker.ann")["here"], true, "nothing was taken from the second");
    for times in 1..3 {
        assert_eq!(offer_again(&node, &room, &later).0, 201, "its own page, for the {times}. time");
    }
    assert_eq!(offer_again(&node, &room, &earlier).0, 409, "and still not the first");
}
