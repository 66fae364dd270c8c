//! What people hear with: each real player plays each output, and the tone that went in comes out.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::node::{Node, until};
use crate::sources::{OPUS, Sender};
use crate::tone;

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

/// Runs a player that writes a WAV file; timeout(1) ends those that do not end by themselves.
fn to_file(program: &str, args: impl Fn(&str) -> Vec<String>) -> Vec<f32> {
    let folder = tempfile::tempdir().expect("a folder");
    open_to_all(folder.path());
    let file = folder.path().join("out.wav");
    let path = file.to_str().expect("a plain path");
    let args = args(path);
    let status = Command::new("timeout")
        .args(["--signal=INT", "--kill-after=5", "20", program])
        .args(&args)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    status.unwrap_or_else(|error| panic!("{program}: {error}; `make setup` installs it"));
    tone::samples(&std::fs::read(&file).unwrap_or_default())
}

/// VLC refuses to run as root, so its folder must be writable for the user it is given.
fn open_to_all(folder: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o777)).expect("our own folder");
}

fn strings(args: &[&str]) -> Vec<String> {
    args.iter().map(|&arg| arg.to_owned()).collect()
}

fn by_ffmpeg(url: &str) -> Vec<f32> {
    ffmpeg(url, 4)
}

fn mpv(url: &str) -> Vec<f32> {
    to_file("mpv", |out| {
        strings(&[
            "--no-config",
            "--no-terminal",
            "--no-video",
            "--ao=pcm",
            "--audio-samplerate=48000",
            "--audio-channels=mono",
            "--audio-format=s16",
            "--length=4",
            &format!("--ao-pcm-file={out}"),
            url,
        ])
    })
}

fn vlc(url: &str) -> Vec<f32> {
    let as_root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.starts_with(b"0\n"));
    let program = if as_root { "setpriv" } else { "cvlc" };
    to_file(program, |out| {
        let mut args = Vec::new();
        if as_root {
            args.extend(strings(&["--reuid=65534", "--clear-groups", "env", "HOME=/tmp", "cvlc"]));
        }
        let sout = format!(
            "#transcode{{acodec=s16l,channels=1,samplerate=48000}}:std{{access=file,mux=wav,dst={out}}}"
        );
        args.extend(strings(&[
            "-I",
            "dummy",
            "--no-video",
            "--run-time=6",
            "--sout",
            &sout,
            url,
            "vlc://quit",
        ]));
        args
    })
}

fn gstreamer(url: &str) -> Vec<f32> {
    to_file("gst-launch-1.0", |out| {
        strings(&[
            "-e",
            "uridecodebin",
            &format!("uri={url}"),
            "!",
            "audioconvert",
            "!",
            "audioresample",
            "!",
            "audio/x-raw,format=S16LE,channels=1,rate=48000",
            "!",
            "identity",
            "eos-after=150",
            "!",
            "wavenc",
            "!",
            "filesink",
            &format!("location={out}"),
        ])
    })
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
