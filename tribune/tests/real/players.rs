//! What people hear with: each real player plays each output, and the tone that went in comes out.

use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::node::{Node, until};
use crate::sources::{OPUS, Sender};
use crate::tone;

/// The shortest header of a WAV file.
const WAV_HEADER_BYTES: u64 = 44;

/// Hears an address with ffmpeg for so many seconds: mono samples at 48 kHz.
pub fn ffmpeg(url: &str, seconds: u32) -> Vec<f32> {
    let seconds = seconds.to_string();
    tone::samples(&run(
        "ffmpeg",
        &[
            "-nostdin",
            "-loglevel",
            "error",
            "-i",
            url,
            "-t",
            &seconds,
            "-ac",
            "1",
            "-ar",
            "48000",
            "-f",
            "s16le",
            "-",
        ],
    ))
}

/// An Ogg Vorbis file of a tone.
pub fn make_tone(file: &Path, hz: u32, seconds: u32) {
    let input = format!("sine=frequency={hz}:sample_rate=44100:duration={seconds}");
    let path = file.to_str().expect("a plain path");
    run(
        "ffmpeg",
        &[
            "-nostdin",
            "-loglevel",
            "error",
            "-f",
            "lavfi",
            "-i",
            &input,
            "-c:a",
            "libvorbis",
            "-ac",
            "2",
            path,
        ],
    );
}

/// Stereo samples of a tone, 16 bit at 44.1 kHz, as a sound card gives them.
pub fn make_raw(file: &Path, hz: u32, seconds: u32) {
    let input = format!("sine=frequency={hz}:sample_rate=44100:duration={seconds}");
    let path = file.to_str().expect("a plain path");
    let from = ["-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", &input];
    run("ffmpeg", &[&from[..], &["-ac", "2", "-f", "s16le", path]].concat());
}

/// Runs a program to its end: what it wrote.
fn run(program: &str, args: &[&str]) -> Vec<u8> {
    let done = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}; `make setup` installs it"));
    done.stdout
}

/// Samples that a player is heard for: 4 s.
const HEARD_SAMPLES: usize = 4 * 48_000;

/// Starts a player that writes mono 16-bit samples at 48 kHz to its standard output, takes what is wanted of
/// them, and ends it. A player that says nothing is ended by timeout(1), and what came is too short.
fn hear(player: &[&str]) -> Vec<f32> {
    let mut child = Command::new("timeout")
        .args(["--kill-after=1", "60"])
        .args(player)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("timeout(1) is part of every Debian");
    let mut bytes = Vec::new();
    let stdout = child.stdout.take().expect("stdout is piped");
    stdout.take(WAV_HEADER_BYTES + HEARD_SAMPLES as u64 * 2).read_to_end(&mut bytes).expect("a pipe is read");
    let group = format!("-{}", child.id());
    let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
    let ended = child.wait().expect("a child can be waited for");
    // 127: timeout(1) did not find the program.
    assert_ne!(ended.code(), Some(127), "{player:?} is missing; `make setup` installs it");
    tone::samples(&bytes)
}

fn by_ffmpeg(url: &str) -> Vec<f32> {
    ffmpeg(url, 4)
}

pub fn mpv(url: &str) -> Vec<f32> {
    let rate = ["--audio-samplerate=48000", "--audio-channels=mono", "--audio-format=s16"];
    let to = ["--no-config", "--no-terminal", "--no-video", "--ao=pcm", "--ao-pcm-file=/dev/stdout"];
    hear(&[&["mpv"], &to[..], &rate[..], &[url]].concat())
}

/// VLC refuses to run as root, so it is given another user then.
fn vlc(url: &str) -> Vec<f32> {
    let as_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.starts_with(b"0\n"));
    let user: &[&str] = match as_root {
        true => &["setpriv", "--reuid=65534", "--clear-groups", "env", "HOME=/tmp"],
        false => &[],
    };
    let to = "#transcode{acodec=s16l,channels=1,samplerate=48000}:std{access=file,mux=wav,dst=-}";
    hear(&[user, &["cvlc", "-I", "dummy", "--no-video", "--sout", to, url, "vlc://quit"]].concat())
}

fn gstreamer(url: &str) -> Vec<f32> {
    let from = format!("uri={url}");
    let form = "audio/x-raw,format=S16LE,channels=1,rate=48000";
    let decode = ["gst-launch-1.0", "-q", "uridecodebin", &from, "!", "audioconvert", "!", "audioresample"];
    hear(&[&decode[..], &["!", form, "!", "fdsink", "fd=1"]].concat())
}

#[test]
fn every_player_plays_every_output() {
    let node = Node::start();
    let room = node.live_room("played");
    let _sender = Sender::tone(&node, &room, "", 700, OPUS);
    let at = |output: &str| format!("{}/{}/{output}", node.public, room.name);
    until("the program carries the tone", || {
        tone::share(&ffmpeg(&at("live.opus"), 1), 48_000.0, 700.0) > 0.8
    });
    type Play = fn(&str) -> Vec<f32>;
    let players: [(&str, Play); 4] =
        [("ffmpeg", by_ffmpeg), ("mpv", mpv), ("vlc", vlc), ("gstreamer", gstreamer)];
    for (player, play) in players {
        for output in ["live.opus", "live.aac", "live.m3u8"] {
            let sound = play(&at(output));
            let share = tone::share(&sound, 48_000.0, 700.0);
            assert!(sound.len() > 96_000, "{player} {output}: only {} samples", sound.len());
            assert!(share > 0.8, "{player} {output}: the tone is {share} of what came out");
        }
    }
}
