//! What people send with: each real encoder, its sound heard by a real listener.

use std::process::{Child, Command, Stdio};

use crate::node::{Node, Room, until};
use crate::players;
use crate::tone;

/// A sending program; ended with the test.
pub struct Sender(Child);

impl Drop for Sender {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Sender {
    /// Starts any program as a sender.
    pub fn start(program: &str, args: &[&str]) -> Self {
        let child = Command::new(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}; `make setup` installs it"));
        Self(child)
    }

    /// A tone from ffmpeg at live pace, coded as `coding` says.
    pub fn tone(node: &Node, room: &Room, name: &str, hz: u32, coding: &[&str]) -> Self {
        let (input, url) = (format!("sine=frequency={hz}:sample_rate=48000"), node.source_url(room, name));
        let mut args = vec!["-nostdin", "-loglevel", "error", "-re", "-f", "lavfi", "-i", &input];
        args.extend_from_slice(coding);
        args.push(&url);
        Self::start("ffmpeg", &args)
    }

    /// Waits until the program has ended by itself.
    pub fn wait(mut self) {
        self.0.wait().expect("a child can be waited for");
    }
}

/// Ogg Opus in pages of 100 ms.
pub const OPUS: &[&str] = &[
    "-c:a",
    "libopus",
    "-b:a",
    "96k",
    "-page_duration",
    "100000",
    "-content_type",
    "audio/ogg",
    "-f",
    "ogg",
];
const VORBIS: &[&str] = &["-c:a", "libvorbis", "-content_type", "audio/ogg", "-f", "ogg"];
const MP3: &[&str] = &["-c:a", "libmp3lame", "-b:a", "128k", "-content_type", "audio/mpeg", "-f", "mp3"];
const AAC: &[&str] = &["-c:a", "aac", "-b:a", "128k", "-content_type", "audio/aac", "-f", "adts"];

/// The tone of `hz` is heard by a listener, alone.
fn heard(node: &Node, room: &Room, hz: f32) {
    until("the tone is heard", || {
        let sound = players::ffmpeg(&format!("{}/{}/live.opus", node.public, room.name), 2);
        tone::share(&sound, 48_000.0, hz) > 0.8
    });
}

#[test]
fn ffmpeg_sends_every_codec() {
    let node = Node::start();
    for (name, coding, hz) in
        [("opus", OPUS, 440), ("vorbis", VORBIS, 550), ("mp3", MP3, 660), ("aac", AAC, 770)]
    {
        let room = node.live_room(name);
        let _sender = Sender::tone(&node, &room, "", hz, coding);
        heard(&node, &room, hz as f32);
    }
}

#[test]
fn ffmpeg_sends_by_the_old_method_too() {
    let node = Node::start();
    let room = node.live_room("old");
    let coding: Vec<&str> = [OPUS, &["-legacy_icecast", "1"]].concat();
    let _sender = Sender::tone(&node, &room, "", 880, &coding);
    heard(&node, &room, 880.0);
}

#[test]
fn ices_sends_a_file() {
    let node = Node::start();
    let room = node.live_room("ices");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("tone.ogg");
    players::make_tone(&file, 500, 30);
    let list = folder.path().join("list.txt");
    std::fs::write(&list, format!("{}\n", file.display())).expect("the list is written");
    let host = node.stage.trim_start_matches("http://");
    let (host, port) = host.split_once(':').expect("an address has a port");
    let config = format!(
        "<ices><background>0</background><logpath>{folder}</logpath><logfile>ices.log</logfile>\
         <loglevel>4</loglevel><consolelog>0</consolelog><stream><metadata><name>tone</name></metadata>\
         <input><module>playlist</module><param name=\"type\">basic</param>\
         <param name=\"file\">{list}</param><param name=\"random\">0</param></input>\
         <instance><hostname>{host}</hostname><port>{port}</port><password>{key}</password>\
         <mount>/{room}/source</mount></instance></stream></ices>",
        folder = folder.path().display(),
        list = list.display(),
        key = room.speaker,
        room = room.name,
    );
    let path = folder.path().join("ices.xml");
    std::fs::write(&path, config).expect("the configuration is written");
    let _sender = Sender::start("ices2", &[path.to_str().expect("a plain path")]);
    heard(&node, &room, 500.0);
}

#[test]
fn liquidsoap_sends_a_tone() {
    let node = Node::start();
    let room = node.live_room("liquid");
    let host = node.stage.trim_start_matches("http://");
    let (host, port) = host.split_once(':').expect("an address has a port");
    let script = format!(
        "settings.init.allow_root.set(true)\n\
         output.icecast(%vorbis(samplerate=44100, channels=2, quality=0.4), host=\"{host}\", port={port}, \
         user=\"source\", password=\"{}\", mount=\"/{}/source\", sine(600.))",
        room.speaker, room.name
    );
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("tone.liq");
    std::fs::write(&path, script).expect("the script is written");
    let _sender = Sender::start("liquidsoap", &[path.to_str().expect("a plain path")]);
    heard(&node, &room, 600.0);
}

#[test]
fn two_sources_are_heard_together() {
    let node = Node::start();
    let room = node.live_room("duet");
    let _low = Sender::tone(&node, &room, "low", 400, OPUS);
    let _high = Sender::tone(&node, &room, "high", 1_300, MP3);
    until("both tones are heard", || {
        let sound = players::ffmpeg(&format!("{}/{}/live.opus", node.public, room.name), 2);
        let (low, high) = (tone::share(&sound, 48_000.0, 400.0), tone::share(&sound, 48_000.0, 1_300.0));
        low > 0.25 && high > 0.25
    });
}
