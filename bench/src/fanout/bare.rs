//! The least that anybody can do: one thread, one `epoll`, one `send` for each listener and interval, of the
//! same bytes for all. It neither looks at what is asked nor at who takes what.

use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

const LISTENS: Token = Token(usize::MAX);
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: audio/ogg\r\nConnection: close\r\n\r\n";
const EVENTS_MAX: usize = 1_024;
const REQUEST_BYTES: usize = 2_048;

/// Sends `bytes` to everybody every so often, for ever; `ready` is told where.
///
/// # Errors
/// There are no sockets to be had.
pub fn serve((every, bytes): (Duration, usize), ready: impl FnOnce(SocketAddr)) -> anyhow::Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    poll.registry().register(&mut listener, LISTENS, Interest::READABLE)?;
    ready(listener.local_addr()?);
    let (mut events, part) = (Events::with_capacity(EVENTS_MAX), vec![0x55; bytes]);
    let mut all: Vec<Option<TcpStream>> = Vec::new();
    let mut hears: Vec<usize> = Vec::new();
    let mut next = Instant::now() + every;
    loop {
        poll.poll(&mut events, Some(next.saturating_duration_since(Instant::now())))?;
        for event in &events {
            if event.token() == LISTENS {
                accept(&listener, &poll, &mut all)?;
                continue;
            }
            let Token(number) = event.token();
            let Some(stream) = all[number].as_mut() else { continue };
            match stream.read(&mut [0; REQUEST_BYTES]) {
                Ok(0) => all[number] = None,
                Ok(_) => {
                    send(stream, HEAD);
                    hears.push(number);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => all[number] = None,
            }
        }
        if Instant::now() >= next {
            next += every;
            for number in &hears {
                if let Some(stream) = &all[*number] {
                    send(stream, &part);
                }
            }
        }
    }
}

fn accept(listener: &TcpListener, poll: &Poll, all: &mut Vec<Option<TcpStream>>) -> anyhow::Result<()> {
    loop {
        match listener.accept() {
            Ok((mut stream, _)) => {
                poll.registry().register(&mut stream, Token(all.len()), Interest::READABLE)?;
                all.push(Some(stream));
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// What does not fit is left out.
fn send(stream: &TcpStream, bytes: &[u8]) {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: the descriptor is open while its stream is borrowed, and the kernel reads so many bytes.
    unsafe { libc::send(stream.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), flags) };
}
