//! A node that begins again: nobody is refused, and the program goes on after it.

use std::fs::Permissions;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::node::{Node, PATIENCE, until};
use crate::sources::{OPUS, Sender};

/// Asks for the status on a connection of its own: the answer's first line.
fn asks(address: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("nobody is refused");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    let request = "GET /again/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("nobody is cut off");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("everybody is answered");
    answer.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn who_comes_while_a_node_begins_again_is_answered_by_the_next_one() {
    let node = Node::start();
    let room = node.live_room("again");
    let sender = Sender::tone(&node, &room, "", 440, OPUS);
    let mut listener = node.open("/again/live.opus");
    let (address, is_over) = (node.public.trim_start_matches("http://"), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut answers = 0;
            while !is_over.load(Ordering::Relaxed) {
                assert_eq!(asks(address), "HTTP/1.1 200 OK");
                answers += 1;
            }
            answers
        });
        node.signal("USR2");
        let mut heard = Vec::new();
        // The program breaks off where this one stops.
        let _ = listener.read_to_end(&mut heard);
        assert!(!heard.is_empty());
        let is_next = || {
            let said = std::fs::read(format!("/proc/{}/environ", node.pid())).unwrap_or_default();
            let begins = format!("LISTEN_SOCKETS={} ", node.pid());
            said.split(|byte| *byte == 0).any(|word| word.starts_with(begins.as_bytes()))
                && node.ops_json("/readyz").0 == 200
        };
        until("the next one is ready", is_next);
        is_over.store(true, Ordering::Relaxed);
        assert!(asking.join().expect("nobody was refused") > 1);
    });
    // What was sent to ended with the process; who sends comes again.
    drop(sender);
    let _sender = Sender::tone(&node, &room, "", 440, OPUS);
    let mut listener = node.open("/again/live.opus");
    listener.read_exact(&mut [0; 20_000]).expect("the program goes on");
    assert!(node.terminate().success());
}

#[test]
fn what_cannot_begin_is_not_begun_and_what_was_handed_over_wrongly_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let program = folder.path().join("tribune");
    std::fs::copy(env!("CARGO_BIN_EXE_tribune"), &program).expect("a copy");
    let node = Node::start_program(&program, &folder.path().join("data"));
    // What takes its place notes that it was tried, and fails.
    let tried = folder.path().join("tried");
    let next = folder.path().join("next");
    std::fs::write(&next, format!("#!/bin/sh\necho >> {}; exit 1\n", tried.display()))
        .expect("our own folder");
    std::fs::set_permissions(&next, Permissions::from_mode(0o755)).expect("our own file");
    std::fs::rename(&next, &program).expect("our own folder");
    let times = || std::fs::read(&tried).map_or(0, |lines| lines.len());
    for time in 1..=2 {
        node.signal("USR2");
        until("it was tried", || times() == time);
    }
    assert_eq!(node.ops_json("/readyz").0, 200, "it goes on");

    for (count, says) in [("many", "no number of sockets"), ("1", "descriptor 3 was handed over")] {
        let script = format!("exec 3<&-; LISTEN_FDS={count} LISTEN_PID=$$ exec \"$@\"");
        let data = folder.path().join(count);
        let ran = Command::new("bash")
            .args(["-c", &script, "bash", env!("CARGO_BIN_EXE_tribune"), "serve", "--data"])
            .arg(data)
            .output()
            .expect("bash is there");
        let wrong = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.code() == Some(2) && wrong.contains(says), "{wrong}");
    }
}
