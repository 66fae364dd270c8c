//! The program to many at once: who takes nothing, takes it byte by byte or is gone costs nobody else
//! anything, and the books are right afterwards.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use tribune_rehearsal::crowd::Listeners;

use crate::node::{Node, until};
use crate::sources::{OPUS, Sender};

/// They hear all the time.
const HEARS: usize = 200;
/// They never read.
const STUCK: u32 = 40;
/// They go without a word.
const GOERS: u32 = 200;
/// What a socket of theirs takes, in bytes: the kernel makes it a little more.
const SMALL: usize = 2_048;
/// Parts that everybody hears meanwhile.
const PAGES: u64 = 20;
/// It is looked no oftener than that whether they have: some fifty times a second.
const LOOKS_MAX: usize = 6_000;

fn at(node: &Node) -> SocketAddr {
    node.public.trim_start_matches("http://").parse().expect("the node says an address")
}

/// Somebody who asks for the program, with room for next to nothing.
fn asks(node: &Node, number: u32) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(SMALL).expect("a small one");
    let from = Ipv4Addr::from_bits(0x7f46_0001 + number * 256);
    socket.bind(&SocketAddr::from((from, 0)).into()).expect("loopback has all of 127/8");
    socket.connect(&at(node).into()).expect("the node listens");
    let mut stream = TcpStream::from(socket);
    stream.write_all(b"GET /many/live.opus HTTP/1.1\r\nHost: a\r\n\r\n").expect("it is open");
    stream
}

#[test]
fn who_takes_nothing_costs_nobody_else_anything() {
    let node = Node::start();
    let room = node.live_room("many");
    let _source = Sender::tone(&node, &room, "tone", 440, OPUS);
    let listening = || node.metric("tribune_listeners");
    let mut crowd = Listeners::at(at(&node), "/many/live.opus").expect("this machine");
    crowd.grow(HEARS).expect("there is room");
    let stuck: Vec<TcpStream> = (0..STUCK).map(|number| asks(&node, number)).collect();
    let mut slow = asks(&node, STUCK);
    let goers: Vec<TcpStream> = (0..GOERS).map(|number| asks(&node, STUCK + 1 + number)).collect();
    until("all of them are in", || listening() == HEARS as f64 + f64::from(STUCK + GOERS + 1));
    drop(goers);
    let begun = node.metric("tribune_program_sent_bytes_total");
    let mut read = 0;
    let enough = begun + (HEARS as u64 * PAGES * 2_000) as f64;
    let mut heard_enough = || {
        // A byte now and then, as the crowd looks.
        read += slow.read(&mut [0]).expect("it is open");
        assert!(read < LOOKS_MAX, "the crowd hears nothing");
        node.metric("tribune_program_sent_bytes_total") > enough
    };
    let heard = crowd.hear(&mut heard_enough).expect("it listens");
    assert!(read > 0);
    assert_eq!((heard.cut_off, heard.missing), (0, 0), "{heard:?}");
    assert!(heard.pages_least >= 2, "{heard:?}");
    until("those who went are gone", || listening() == HEARS as f64 + f64::from(STUCK + 1));
    drop((stuck, slow, crowd));
    until("nobody is left", || listening() == 0.0);
    until("every seat is free", || node.status(&room)["seats"]["taken"] == 0);
}

#[test]
fn what_comes_in_the_middle_of_an_answer_is_read_away_and_an_end_ends_it() {
    let node = Node::start();
    let room = node.live_room("many");
    let mut hears = asks(&node, 1);
    hears.set_read_timeout(Some(Duration::from_secs(60))).expect("it can be set");
    let mut first = [0; 512];
    hears.read_exact(&mut first).expect("the program is there");
    let head = String::from_utf8_lossy(&first);
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("transfer-encoding: chunked"), "{head}");
    hears.write_all(b"GET /many/status HTTP/1.1\r\nHost: a\r\n\r\n").expect("it is open");
    hears.read_exact(&mut [0; 8_192]).expect("the program goes on");
    node.end(&room);
    let mut rest = Vec::new();
    hears.read_to_end(&mut rest).expect("it ends");
    assert!(rest.ends_with(b"\r\n0\r\n\r\n"), "the answer is whole");
}
