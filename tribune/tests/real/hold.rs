//! What people hear before the start is the host's when the host has given one, and else the node's.

use std::path::Path;
use std::process::Command;

use crate::node::{Node, OPERATOR, until};
use crate::players;
use crate::tone;

const HZ: f32 = 997.0;

/// Two seconds of a tone, 16 bit at 48 kHz.
fn make_wav(file: &Path) {
    let samples = (0..96_000_u32).map(|n| (std::f32::consts::TAU * HZ * n as f32 / 48_000.0).sin() * 3_000.0);
    let data: Vec<u8> = samples.flat_map(|sample| (sample as i16).to_le_bytes()).collect();
    let mut wav =
        b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x80\xbb\0\0\0\x77\x01\0\x02\0\x10\0data".to_vec();
    wav.extend((data.len() as u32).to_le_bytes());
    wav.extend(data);
    std::fs::write(file, wav).expect("the disk takes a small file");
}

/// How much of what is heard now is the tone.
fn tone_heard(node: &Node) -> f32 {
    let sound = players::ffmpeg(&format!("{}/waiting/live.opus", node.public), 1);
    assert!(tone::loudest(&sound, 48_000.0) > 0.001, "something is heard before the start");
    tone::share(&sound, 48_000.0, HZ)
}

/// `tribune room hold waiting ...`: its exit code and what it says of a failure.
fn hold(node: &Node, what: &str) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tribune"));
    command.args(["room", "hold", "waiting", what, "--stage", &node.stage, "--operator-key", OPERATOR]);
    let done = command.output().expect("the binary was built by this very test run");
    (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
}

/// Goal: the host's sound is heard at once in a program that runs, also after a restart, until it is taken
/// back.
/// Method: the built-in chord has nothing at 997 Hz; a player listens before and after each step.
#[test]
fn before_the_start_people_hear_the_hosts_own_hold_sound() {
    let data = tempfile::tempdir().expect("a folder for the node's data");
    let file = data.path().join("tone.wav");
    make_wav(&file);
    let node = Node::start_in(data.path());
    node.room("waiting");
    assert!(tone_heard(&node) < 0.05, "the node's own sound, in a program that now runs");
    assert_eq!(hold(&node, file.to_str().expect("a plain path")), (Some(0), String::new()));
    until("the host's sound is heard", || tone_heard(&node) > 0.8);

    assert!(node.terminate().success());
    let node = Node::start_in(data.path());
    assert!(tone_heard(&node) > 0.8, "after a restart too");
    assert_eq!(hold(&node, "--none"), (Some(0), String::new()));
    until("the host's sound is no longer heard", || tone_heard(&node) < 0.05);

    assert!(node.terminate().success());
    let node = Node::start_in(data.path());
    assert!(tone_heard(&node) < 0.05, "nor after a restart");
    std::fs::write(&file, b"OggS").expect("the disk takes a small file");
    let (code, said) = hold(&node, file.to_str().expect("a plain path"));
    assert!(code == Some(1) && said.contains("this is not a WAV file"), "{code:?} {said}");
}
