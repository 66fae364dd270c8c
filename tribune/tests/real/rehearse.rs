//! `tribune rehearse` as somebody at a terminal has it: against a node, and against what only looks like one.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output};

use serde_json::{Value, json};

use crate::node::Node;
use crate::sources::{OPUS, Sender};

fn rehearse(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tribune")).arg("rehearse").args(words).output().expect("it runs")
}

#[test]
fn a_crowd_comes_is_let_in_hears_and_is_counted() {
    let node = Node::start();
    let room = node.live_room("dress");
    let _sender = Sender::tone(&node, &room, "", 440, OPUS);
    let url = format!("{}/dress", node.public);
    let ran = rehearse(&[&url, "--people", "150", "--over", "1", "--stay", "15", "--json"]);
    let said: Value = serde_json::from_slice(&ran.stdout).expect("one document");
    for name in ["people", "came", "seated", "heard"] {
        assert_eq!(said[name], 150, "{name}: {said}");
    }
    assert_eq!(
        (&said["simulated"], &said["whole"], &said["errors"]),
        (&json!(false), &json!(true), &json!({}))
    );
    assert!(said["first_sound_ms"]["p99"].is_number() && said["waited_s"]["p99"].is_number(), "{said}");
    let (told, known) = (said["counts"]["told"].as_u64(), said["counts"]["known"].as_u64());
    let is_near = |(told, known): (u64, u64)| told.abs_diff(known) <= 5 && known > 100;
    assert!(told.zip(known).is_some_and(is_near), "{said}");
    // How long something took is this machine's; whether it is as promised follows from what is said.
    assert_eq!(said["pass"], json!(said["why"].as_array().expect("a list").is_empty()), "{said}");
    assert_eq!(ran.status.code(), Some(i32::from(said["pass"] == false)));
}

/// It has a room of which it tells that seven hear it. Who asks for a ticket there is told that it is over,
/// or is let in and hears one page and nothing after it.
fn pretender(lets_in: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/dress", listener.local_addr().expect("an address"));
    std::thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut asked = [0; 1_024];
            let read = stream.read(&mut asked).unwrap_or_default();
            let asks = |what: &[u8]| asked[..read].starts_with(what);
            let (status, body) = match () {
                () if asks(b"GET /dress/status") => ("200 OK", "{\"listening\": 7}"),
                () if !lets_in => ("410 Gone", "{}"),
                () if asks(b"POST /dress/ticket") => ("201 Created", "{\"ticket\":\"T\",\"secret\":\"S\"}"),
                () if asks(b"POST /dress/claim") => ("200 OK", "{\"pass\":\"P\"}"),
                () => {
                    let mut page = b"OggS\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\x01\x01".to_vec();
                    page.push(0);
                    let head = format!("HTTP/1.1 200 OK\r\n\r\n{:x}\r\n", page.len());
                    let _ = stream.write_all(&[head.as_bytes(), &page, b"\r\n"].concat());
                    kept.push(stream);
                    continue;
                }
            };
            let length = body.len();
            let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
            let _ = stream.write_all((head + body).as_bytes());
        }
    });
    url
}

#[test]
fn what_is_wrong_is_said() {
    let ran = rehearse(&[&pretender(false), "--people", "20", "--over", "3", "--stay", "1"]);
    let told = String::from_utf8_lossy(&ran.stdout).into_owned();
    assert_eq!(ran.status.code(), Some(1), "{told}");
    assert!(
        told.contains("20 of 20 heard nothing.") && told.contains("said that 7 listen when 0 did"),
        "{told}"
    );
    let ran = rehearse(&[&pretender(true), "--people", "7", "--over", "0", "--stay", "5", "--json"]);
    let said: Value = serde_json::from_slice(&ran.stdout).expect("one document");
    let longest_ms = said["gaps"]["longest_ms"].as_u64().expect("a number");
    assert!((4_500..=5_000).contains(&longest_ms) && said["gaps"]["count"] == 7, "it froze: {said}");
    assert_eq!((&said["heard"], &said["pass"]), (&json!(7), &json!(false)));
    for (url, says) in [
        ("http://127.0.0.1:9/dress", "There is no room to rehearse in"),
        ("http://192.0.2.1/dress", "this machine only"),
        ("https://127.0.0.1/dress", "https is not there yet"),
    ] {
        let ran = rehearse(&[url]);
        let told = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.code() == Some(2) && told.contains(says), "{url}: {told}");
        assert_eq!(told.trim_end().lines().count(), 1, "{told}");
    }
}
