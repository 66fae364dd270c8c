//! A node that is to stop and leaves time to go elsewhere: players that come again by themselves are sent
//! away one after another, the others hear on, and nobody new is to be sent here.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::node::{Node, PATIENCE, until};
use crate::sources::{OPUS, Sender};

/// They are sent away from the end of its first quarter to that of its third, so that there is time to look
/// before all of it is over.
const LEAVE_S: u32 = 24;
/// The first of them in the middle of their share of the time, one after another.
const FIRST: Duration = Duration::from_secs(6);
const BETWEEN: Duration = Duration::from_secs(4);
/// Scripts of pages that hear.
const SCRIPTS: usize = 6;
/// About a second of the program, in bytes.
const SECOND: usize = 8_000;

/// Hears as a page's script does, or as a player without one.
fn hears(node: &Node, is_script: bool) -> TcpStream {
    let address = node.public.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).expect("the node listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    let dest = if is_script { "empty" } else { "audio" };
    let request = format!("GET /leaving/live.opus HTTP/1.1\r\nHost: x\r\nSec-Fetch-Dest: {dest}\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("it is open");
    stream.read_exact(&mut [0; SECOND]).expect("the program is there");
    stream
}

/// The last bytes before the connection ended.
fn end_of(mut stream: TcpStream) -> Vec<u8> {
    let mut heard = Vec::new();
    match stream.read_to_end(&mut heard) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("it does not end: {error}"),
        Ok(_) | Err(_) => heard.split_off(heard.len().saturating_sub(8)),
    }
}

#[test]
fn who_comes_again_is_sent_elsewhere_and_who_does_not_hears_on() {
    let data = tempfile::tempdir().expect("a folder");
    let file = data.path().join("tribune.toml");
    std::fs::write(&file, format!("leave_s = {LEAVE_S}\n")).expect("our own folder");
    let node = Node::start_with(data.path(), &["--config", file.to_str().expect("a plain path")]);
    let room = node.live_room("leaving");
    let _sender = Sender::tone(&node, &room, "", 440, OPUS);
    let scripts: Vec<TcpStream> = (0..SCRIPTS).map(|_| hears(&node, true)).collect();
    let mut player = hears(&node, false);
    assert_eq!(node.ops_json("/readyz").0, 200);
    let mut kept = TcpStream::connect(node.public.trim_start_matches("http://")).expect("the node listens");
    kept.set_read_timeout(Some(PATIENCE)).expect("a timeout can be set");
    let told = Instant::now();
    node.signal("TERM");
    until("nobody is to be sent here", || node.ops_json("/readyz").0 == 503);
    let says = node.ops_json("/readyz").1;
    assert!(says.to_string().contains("send nobody here any more"), "{says}");
    let asks = "GET /leaving/status HTTP/1.1\r\nHost: x\r\n\r\n";
    kept.write_all(asks.as_bytes()).expect("it was kept");
    let mut answer = String::new();
    kept.read_to_string(&mut answer).expect("it ends behind the answer");
    assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    let gone = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for script in scripts {
            scope.spawn(|| {
                let end = end_of(script);
                assert!(!end.ends_with(b"\r\n0\r\n\r\n"), "it is no end of the program");
                gone.lock().expect("no panic").push(Instant::now());
            });
        }
        while gone.lock().expect("no panic").is_empty() {
            player.read_exact(&mut [0; SECOND]).expect("it hears on");
        }
        // There is nowhere else for this one, who stays.
        let mut newcomer = hears(&node, true);
        while gone.lock().expect("no panic").len() < SCRIPTS {
            player.read_exact(&mut [0; SECOND]).expect("it hears on");
            newcomer.read_exact(&mut [0; SECOND]).expect("so does the one who came last");
        }
    });
    let gone = gone.into_inner().expect("no panic");
    let (first, last) = (gone[0] - told, gone[SCRIPTS - 1] - gone[0]);
    assert!(first > FIRST && last > BETWEEN, "the first after {first:?}, all of them within {last:?}");
    assert_eq!(node.status(&room)["state"], "live", "the program goes on");
    player.read_exact(&mut [0; SECOND]).expect("the node is there");
    // The next signal is the end.
    assert!(node.terminate().success());
    end_of(player);
}
