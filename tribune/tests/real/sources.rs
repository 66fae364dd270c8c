//! What people send with: each real encoder, its sound heard by a real listener.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use crate::node::{Node, Room, until};
use crate::players;
use crate::tone;

/// A sending program; ended with the test.
pub struct Sender(Child);

impl Drop for Sender {
    fn drop(&mut self) {
        // It may have ended by itself. What it started itself (xvfb-run does) ends with its group.
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.0.wait();
    }
}

impl Sender {
    /// Starts any program as a sender.
    pub fn start(program: &str, args: &[&str]) -> Self {
        let child = Command::new(program)
            .args(args)
            .process_group(0)
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

/// butt has a window and wants a sound card: it gets a virtual screen, and a card that plays a file.
#[test]
fn butt_sends_what_its_sound_card_hears() {
    let node = Node::start();
    let room = node.live_room("butt");
    let home = tempfile::tempdir().expect("a folder");
    let raw = home.path().join("tone.raw");
    players::make_raw(&raw, 840, 60);
    let card = format!(
        "pcm.!default {{ type plug slave {{ pcm \"tone\" format S16_LE channels 2 rate 44100 }} }}\n\
         pcm.tone {{ type file slave.pcm {{ type null }} file \"/dev/null\" infile \"{}\" format \"raw\" }}\n\
         ctl.!default {{ type null }}\n",
        raw.display()
    );
    std::fs::write(home.path().join(".asoundrc"), card).expect("the card is described");
    let (host, port) = node.stage.trim_start_matches("http://").split_once(':').expect("a port");
    let config = format!(
        "[main]\nserver = tribune\nnum_of_srv = 1\nsrv_ent = tribune\nicy =\nnum_of_icy = 0\nicy_ent =\n\
         gain = 1.0\nconnect_at_startup = 1\n[audio]\ndevice = default\nsamplerate = 44100\nbitrate = 128\n\
         channel = 2\ncodec = mp3\n[record]\nsamplerate = 44100\nbitrate = 128\nchannel = 2\n\
         codec = mp3\nfilename = tone.mp3\nfolder = /tmp/\n[tribune]\naddress = {host}\nport = {port}\n\
         password = {}\ntype = 1\ntls = 0\nmount = butt/source\nusr = source\n",
        room.speaker
    );
    let path = home.path().join("buttrc");
    std::fs::write(&path, config).expect("the configuration is written");
    let (home, path) = (home.path().display(), path.display());
    let _sender = Sender::start(
        "xvfb-run",
        &["-a", "env", &format!("HOME={home}"), "butt", "-x", "-c", &path.to_string()],
    );
    heard(&node, &room, 840.0);
}

/// A file sent with curl has a length and so goes another way than a live source; it is paced by the mix.
#[test]
fn curl_sends_a_file() {
    let node = Node::start();
    let room = node.live_room("file");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("tone.ogg");
    players::make_tone(&file, 720, 20);
    let (user, to) = (format!("source:{}", room.speaker), format!("{}/file/source", node.stage));
    let path = file.to_str().expect("a plain path");
    let _sender = Sender::start("curl", &["--fail", "--user", &user, "--upload-file", path, &to]);
    heard(&node, &room, 720.0);
}

#[test]
fn a_finished_mix_keeps_its_level() {
    let node = Node::start();
    let room = node.live_room("finished");
    let loudness = || {
        let sound = players::ffmpeg(&format!("{}/finished/live.opus", node.public), 1);
        20.0 * tone::loudest(&sound, 48_000.0).log10()
    };
    let faint: Vec<&str> = [&["-af", "volume=-18dB"], OPUS].concat();
    let levelled = Sender::tone(&node, &room, "", 440, &faint);
    until("a faint source is raised", || loudness() > -25.0);
    drop(levelled);
    // ffmpeg's tone is at -21 dB; 18 dB below that is -39 dB.
    let _finished = Sender::tone(&node, &room, "?mix=finished", 440, &faint);
    until("a finished mix is left alone", || (loudness() + 39.0).abs() < 1.0);
    let later: Vec<f32> = (0..3).map(|_| loudness()).collect();
    assert!(later.iter().all(|level| (level + 39.0).abs() < 1.0), "{later:?}");
}

/// Sends bytes, says what came back.
fn exchange(node: &Node, request: &str) -> String {
    let address = node.stage.trim_start_matches("http://");
    let mut socket = TcpStream::connect(address).expect("the stage listens");
    socket.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).expect("an answer in words");
    answer
}

#[test]
fn a_refused_source_is_told_why() {
    let node = Node::start();
    let room = node.live_room("told");
    let curl = |user: &str, query: &str| {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--include", "--user", user, "--request", "PUT", "--data", "OggS"]);
        let done = curl.arg(format!("{}/told/source{query}", node.stage)).output();
        let done = done.unwrap_or_else(|error| panic!("curl: {error}; `make setup` installs it"));
        String::from_utf8_lossy(&done.stdout).into_owned()
    };
    let key = format!("source:{}", room.speaker);
    for (answer, words) in [
        (exchange(&node, "SOURCE /told/source HTTP/1.0\r\n\r\n"), ["401", "Basic realm", "no Authorization"]),
        (exchange(&node, "PUT /told/source HTTP/1.1\r\n\r\n"), ["401", "Basic realm", "no Authorization"]),
        (curl("root:x", ""), ["401", "Basic realm", "user name that goes with"]),
        (curl("source:wrong", ""), ["401", "Basic realm", "request_id"]),
        (curl(&key, "?loud=yes"), ["400", "malformed", "not loud=yes"]),
        (curl(&key, "/a%20b"), ["400", "malformed", "a source's name has"]),
    ] {
        assert!(words.iter().all(|word| answer.contains(word)), "{words:?} in {answer}");
    }
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

/// What a source that shows `key` and sends nothing is answered.
fn knock(node: &Node, room: &Room, key: &str) -> u16 {
    let (user, to) = (format!("source:{key}"), format!("{}/{}/source/knock", node.stage, room.name));
    let args = ["--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--user", &user];
    let knocked =
        Command::new("curl").args(args).args(["--request", "PUT", "--data-binary", "", &to]).output();
    let status = knocked.unwrap_or_else(|error| panic!("curl: {error}; `make setup` installs it")).stdout;
    String::from_utf8_lossy(&status).parse().expect("a status is a number")
}

#[test]
fn sources_that_guess_keys_are_slowed_down_and_a_right_key_is_not() {
    let node = Node::start();
    let room = node.live_room("guessed");
    let wrong = "nobody-nobody-nobody-nobody";
    for n in 0..10 {
        assert_eq!(knock(&node, &room, wrong), 401, "{n}");
    }
    assert_eq!(knock(&node, &room, wrong), 429);
    assert!(![401, 429].contains(&knock(&node, &room, &room.speaker)));
}

#[test]
fn a_source_ends_with_its_key() {
    let node = Node::start();
    let room = node.live_room("revoked");
    let _sender = Sender::tone(&node, &room, "", 500, OPUS);
    let stage = || node.api("GET", "/api/v1/rooms/revoked/stage", &serde_json::json!({}));
    until("it sends", || stage()["sources"][0]["name"] == "main");
    let keys = serde_json::json!({"roles": ["speaker"]});
    node.api("POST", "/api/v1/rooms/revoked/keys", &keys);
    until("it is sent away", || stage()["sources"] == serde_json::json!([]));
    assert_eq!(knock(&node, &room, &room.speaker), 401);
}
