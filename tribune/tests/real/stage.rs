//! Speakers by WHIP and WebRTC against the real binary: what they say is heard, what they may not do is
//! named.

use std::f32::consts::TAU;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use tribune_core::time::FRAME_SAMPLES;
use tribune_rehearsal::speaker::{Over, Speaker, Target, Wants, an_offer, sound_of};

use crate::node::{Node, Room, agent, until};
use crate::sources::Sender;
use crate::{players, tone};

/// A speaker in their own thread who sounds until told to stop.
pub struct Talker {
    stop: Arc<AtomicBool>,
    pub thread: Option<JoinHandle<anyhow::Result<Speaker>>>,
}

impl Talker {
    pub fn start(mut speaker: Speaker, hz: f32) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let told = stop.clone();
        let mut wave = sine(hz);
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                speaker.speak(5, &mut wave)?;
            }
            Ok(speaker)
        });
        Self { stop, thread: Some(thread) }
    }

    pub fn stop(mut self) -> anyhow::Result<Speaker> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().expect("it runs until now").join().expect("a speaker never panics")
    }
}

impl Drop for Talker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

pub fn sine(hz: f32) -> impl FnMut(&mut [f32; FRAME_SAMPLES]) {
    let mut at = 0_u64;
    move |frame| {
        for sample in frame {
            *sample = 0.2 * (TAU * hz * (at % 48_000) as f32 / 48_000.0).sin();
            at += 1;
        }
    }
}

pub fn target<'a>(node: &'a Node, room: &'a Room, over: Over) -> Target<'a> {
    let (stage, key) = (node.stage.as_str(), room.speaker.as_str());
    Target { stage, room: &room.name, key, name: None, wants: Wants::ToSend, over, via: None }
}

pub fn hears(node: &Node, room: &Room, hz: f32) -> bool {
    let sound = players::ffmpeg(&format!("{}/{}/live.opus", node.public, room.name), 1);
    tone::share(&sound, 48_000.0, hz) > 0.8
}

#[test]
fn a_speaker_is_heard_over_udp_and_over_tcp() {
    let node = Node::start();
    for (over, name) in [(Over::Udp, "by-udp"), (Over::Tcp, "by-tcp")] {
        let room = node.live_room(name);
        let speaker = Speaker::join(&target(&node, &room, over)).expect("the node answers and is reached");
        let talker = Talker::start(speaker, 440.0);
        until(name, || hears(&node, &room, 440.0));
        assert_eq!(node.metric("tribune_speakers_connected"), 1.0);
        talker.stop().expect("the connection holds").leave().expect("the node knows the session");
        assert_eq!(node.metric("tribune_speakers_answered"), 0.0);
    }
}

/// The sound of the last second that came back to a speaker.
pub fn came_back(speaker: &mut Speaker) -> Vec<f32> {
    let sound = sound_of(&speaker.take_heard()).expect("what comes back is Opus");
    sound[sound.len().saturating_sub(48_000)..].to_vec()
}

#[test]
fn speakers_hear_each_other_and_not_themselves() {
    let node = Node::start();
    // Before it is live they hear each other already; the audience hears the hold sound.
    let room = node.room("two-ways");
    let both = |over| Target { wants: Wants::ToSendAndHear, ..target(&node, &room, over) };
    let join = |over| Speaker::join(&both(over)).expect("the node answers and is reached");
    let (high, low) = (join(Over::Udp), join(Over::Tcp));
    let mut silent = join(Over::Udp);
    let (high, low) = (Talker::start(high, 1_320.0), Talker::start(low, 440.0));
    until("the third hears both", || {
        silent.speak(100, |frame| frame.fill(0.0)).expect("the connection holds");
        let sound = came_back(&mut silent);
        let share = |hz| tone::share(&sound, 48_000.0, hz);
        share(440.0) > 0.2 && share(1_320.0) > 0.2 && share(440.0) + share(1_320.0) > 0.8
    });
    let (mut high, mut low) = (high.stop().expect("it holds"), low.stop().expect("it holds"));
    for (speaker, own, other) in [(&mut high, 1_320.0, 440.0), (&mut low, 440.0, 1_320.0)] {
        let sound = came_back(speaker);
        assert!(sound.len() >= 40_000, "{} samples came back", sound.len());
        let (of_other, of_own) = (tone::share(&sound, 48_000.0, other), tone::share(&sound, 48_000.0, own));
        assert!(of_other > 0.8 && of_own < 0.01, "{other} Hz: {of_other}, own {own} Hz: {of_own}");
    }
    node.api("POST", "/api/v1/rooms/two-ways/live", &serde_json::json!({}));
    let (_high, _low) = (Talker::start(high, 1_320.0), Talker::start(low, 440.0));
    until("a listener hears both", || {
        let sound = players::ffmpeg(&format!("{}/two-ways/live.opus", node.public), 1);
        let share = |hz| tone::share(&sound, 48_000.0, hz);
        share(440.0) > 0.2 && share(1_320.0) > 0.2 && share(440.0) + share(1_320.0) > 0.8
    });
}

#[test]
fn a_speaker_who_changes_their_network_is_heard_again_in_the_same_session() {
    let node = Node::start();
    let room = node.live_room("moved");
    let mut speaker = Speaker::join(&target(&node, &room, Over::Udp)).expect("the node answers");
    speaker.speak(10, sine(440.0)).expect("the connection holds");
    let before = speaker.local();
    speaker.change_network().expect("ICE begins anew");
    assert_ne!(speaker.local(), before);
    let talker = Talker::start(speaker, 880.0);
    until("they are heard from the other port", || hears(&node, &room, 880.0));
    assert_eq!(node.metric("tribune_speakers_answered"), 1.0);
    drop(talker);
}

/// What one request to WHIP is answered: status, the refusal's code, headers.
pub fn ask(
    method: &str,
    url: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> (u16, String, ureq::http::HeaderMap) {
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut answer =
        agent().run(request.body(body.to_owned()).expect("a request")).expect("the stage answers");
    let text = answer.body_mut().read_to_string().unwrap_or_default();
    let said: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let code = said["code"].as_str().unwrap_or_default().to_owned();
    (answer.status().as_u16(), code, answer.headers().clone())
}

pub const SDP: (&str, &str) = ("content-type", "application/sdp");
pub const FRAGMENT: (&str, &str) = ("content-type", "application/trickle-ice-sdpfrag");

#[test]
fn what_whip_refuses_it_names() {
    let node = Node::start();
    let room = node.live_room("whip-asks");
    let url = format!("{}/whip-asks/whip", node.stage);
    let key = format!("Bearer {}", room.speaker);
    let good = ("authorization", key.as_str());
    let bad = ("authorization", "Bearer wrong-wrong-wrong-wrong-wrong");
    let operator = format!("Bearer {}", crate::node::OPERATOR);
    let offer = an_offer(Wants::ToSend).expect("the library offers");
    let deaf = offer.replace("a=sendonly", "a=recvonly");
    let pcm = offer.replace("opus/48000/2", "PCMU/8000");
    let long = format!("{offer}{}", "a=x\r\n".repeat(200_000));
    let nowhere = format!("{}/no-such-room/whip", node.stage);
    for (headers, body, status, code) in [
        (&[SDP][..], offer.as_str(), 401, "key_wrong"),
        (&[SDP, bad], &offer, 401, "key_wrong"),
        (&[SDP, ("authorization", &operator)], &offer, 403, "role_too_low"),
        (&[good], &offer, 415, "type_wrong"),
        (&[good, FRAGMENT], &offer, 415, "type_wrong"),
        (&[good, SDP], "", 406, "offer_unfit"),
        (&[good, SDP], "hello", 400, "malformed"),
        (&[good, SDP], &deaf, 406, "offer_unfit"),
        (&[good, SDP], &pcm, 406, "offer_unfit"),
        (&[good, SDP], &long, 413, "too_large"),
    ] {
        let (got, said, _) = ask("POST", &url, headers, body);
        assert_eq!((got, said.as_str()), (status, code), "{:.60}", body);
    }
    assert_eq!(ask("POST", &nowhere, &[good, SDP], &offer).0, 404);
    assert_eq!(ask("POST", &format!("{url}?tune=up"), &[good, SDP], &offer).0, 400);
    for method in ["GET", "PUT", "DELETE", "PATCH"] {
        assert_eq!(ask(method, &url, &[good], "").0, 405, "{method}");
    }
    let (status, _, headers) = ask("OPTIONS", &url, &[], "");
    assert_eq!((status, &headers["accept-post"]), (200, &"application/sdp".parse().expect("a header")));
    assert_eq!(headers["access-control-allow-origin"], "*");

    let (status, _, headers) = ask("POST", &url, &[good, SDP], &offer);
    assert_eq!((status, &headers["content-type"]), (201, &"application/sdp".parse().expect("a header")));
    let made = format!("{}{}", node.stage, headers["location"].to_str().expect("plain text"));
    let tag = headers["etag"].to_str().expect("plain text").to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    let trickle = "a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host\r\na=end-of-candidates\r\n";
    let anew = "a=ice-ufrag:ysXw\r\na=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\n";
    for (headers, body, status) in [
        (&[good, FRAGMENT][..], trickle, 428),
        (&[good, FRAGMENT, ("if-match", "\"other\"")], trickle, 412),
        (&[good, SDP, ("if-match", &tag)], trickle, 415),
        (&[good, FRAGMENT, ("if-match", &tag)], "candidate", 400),
        (&[FRAGMENT, ("if-match", &tag)], trickle, 401),
        (&[good, FRAGMENT, ("if-match", &tag)], trickle, 204),
        (&[good, FRAGMENT, ("if-match", "*")], trickle, 400),
        (&[good, FRAGMENT, ("if-match", "*")], anew, 200),
        (&[good, FRAGMENT, ("if-match", &tag)], trickle, 412),
    ] {
        assert_eq!(ask("PATCH", &made, headers, body).0, status, "{headers:?} {body}");
    }
    for method in ["GET", "PUT", "POST"] {
        assert_eq!(ask(method, &made, &[good], "").0, 405, "{method}");
    }
    assert_eq!(ask("DELETE", &made, &[bad], "").0, 401);
    assert_eq!(ask("DELETE", &made, &[good], "").0, 200);
    assert_eq!(ask("DELETE", &made, &[good], "").0, 404);
    assert_eq!(ask("PATCH", &made, &[good, FRAGMENT, ("if-match", &tag)], trickle).0, 404);
}

/// Goal: OBS gets what it looks for (its `plugins/obs-webrtc/whip-output.cpp`): 201, a body from `v=0` on, a
/// place whose path it can put behind our host, and 200 when it leaves.
#[test]
fn obs_is_answered_as_it_expects() {
    const OFFER: &str = include_str!("../../../core/tests/sdp/obs-30.sdp");
    let node = Node::start();
    let room = node.live_room("obs");
    let key = format!("Bearer {}", room.speaker);
    let good = ("authorization", key.as_str());
    let url = format!("{}/obs/whip", node.stage);
    let answer = agent().post(&url).header("authorization", &key).header("content-type", "application/sdp");
    let mut answer = answer.send(OFFER).expect("the stage answers");
    assert_eq!(answer.status(), 201);
    assert_eq!(answer.headers()["content-type"], "application/sdp");
    let text = answer.body_mut().read_to_string().expect("text");
    assert!(text.starts_with("v=0\r\n"), "{text}");
    for line in ["a=ice-lite", "a=setup:passive", "a=recvonly", "a=rtcp-mux", "a=group:BUNDLE 0"] {
        assert!(text.lines().any(|said| said == line), "{line} is missing from:\n{text}");
    }
    let place = answer.headers()["location"].to_str().expect("plain text");
    assert!(place.starts_with("/obs/whip/") && !place.contains(['?', '#']), "{place}");
    assert_eq!(ask("DELETE", &format!("{}{place}", node.stage), &[good], "").0, 200);
}

#[test]
fn who_comes_back_is_not_there_twice() {
    let node = Node::start();
    let room = node.live_room("again");
    let url = format!("{}/again/whip", node.stage);
    let key = format!("Bearer {}", room.speaker);
    let good = ("authorization", key.as_str());
    let offer = an_offer(Wants::ToSend).expect("the library offers");
    let made = |url: &str| {
        let (status, _, headers) = ask("POST", url, &[good, SDP], &offer);
        assert_eq!(status, 201);
        headers["location"].to_str().expect("plain text").to_owned()
    };
    let first = made(&url);
    let name = first.rsplit('/').next().expect("a session has a name");
    let second = made(&format!("{url}?name=anna&again={name}"));
    assert_eq!(node.metric("tribune_speakers_answered"), 1.0);
    assert_eq!(ask("DELETE", &format!("{}{first}", node.stage), &[good], "").0, 404);
    // A session that is not known, as after a restart of the node, is no error; the name says enough.
    let third = made(&format!("{url}?name=anna&again=unknown"));
    until("the older of a name is gone", || node.metric("tribune_speakers_answered") == 1.0);
    for (left, status) in [(second, 404), (third, 200)] {
        assert_eq!(ask("DELETE", &format!("{}{left}", node.stage), &[good], "").0, status);
    }
}

#[test]
fn a_node_that_stops_says_goodbye_to_speakers() {
    let node = Node::start();
    let room = node.live_room("goodbye");
    let speaker = Speaker::join(&target(&node, &room, Over::Udp)).expect("the node answers");
    let talker = Talker::start(speaker, 440.0);
    until("the speaker is heard", || hears(&node, &room, 440.0));
    assert!(node.terminate().success());
    let thread = talker.thread.as_ref().expect("it runs until now");
    until("the speaker hears of it", || thread.is_finished());
    assert!(talker.stop().err().is_some_and(|why| why.to_string().contains("ended")));
}

#[test]
fn a_stage_is_full_when_the_mix_is() {
    let node = Node::start();
    let room = node.live_room("full-stage");
    let mut speakers: Vec<_> = (0..15)
        .map(|_| Speaker::join(&target(&node, &room, Over::Udp)).expect("there is room for 15"))
        .collect();
    let refused = Speaker::join(&target(&node, &room, Over::Udp)).err().expect("the last place is a host's");
    assert!(refused.to_string().contains("503"), "{refused}");
    let host = || Speaker::join(&Target { key: &room.host, ..target(&node, &room, Over::Udp) });
    let _host = host().expect("a host always gets in");
    let refused = host().err().expect("the mix has 16 inputs");
    assert!(refused.to_string().contains("503"), "{refused}");
    speakers.pop().expect("there are 15").leave().expect("the node knows the session");
    until("the place is free again", || Speaker::join(&target(&node, &room, Over::Udp)).is_ok());
}

#[test]
fn aiortc_speaks() {
    let node = Node::start();
    let room = node.live_room("aiortc");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/real/aiortc_speaker.py");
    let url = format!("{}/aiortc/whip", node.stage);
    // Debian's own Python has Debian's aiortc; another one in the path may not.
    let _speaker = Sender::start("/usr/bin/python3", &[script, &url, &room.speaker, "440"]);
    until("aiortc is heard", || hears(&node, &room, 440.0));
}
