//! The least that anybody can do: one thread, one `epoll`, one `send` for each listener and interval, of the
//! same bytes for all. It neither looks at what is asked nor at who takes what.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};
use rustls::{ServerConfig, ServerConnection};

use super::secure::Sealer;

const LISTENS: Token = Token(usize::MAX);
const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: audio/ogg\r\nConnection: close\r\n\r\n";
const EVENTS_MAX: usize = 1_024;
const REQUEST_BYTES: usize = 2_048;

/// Sends `bytes` to everybody every so often, for ever; `ready` is told where. With a certificate it does
/// so by TLS: it seals each record for each, and does nothing else for them.
///
/// # Errors
/// There are no sockets to be had.
pub fn serve(
    (every, bytes): (Duration, usize),
    tls: Option<Arc<ServerConfig>>,
    ready: impl FnOnce(SocketAddr),
) -> anyhow::Result<()> {
    let mut poll = Poll::new()?;
    let mut listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    poll.registry().register(&mut listener, LISTENS, Interest::READABLE)?;
    ready(listener.local_addr()?);
    let (mut events, part, mut record) = (Events::with_capacity(EVENTS_MAX), vec![0x55; bytes], Vec::new());
    let mut all: Vec<Option<Visitor>> = Vec::new();
    let mut next = Instant::now() + every;
    loop {
        poll.poll(&mut events, Some(next.saturating_duration_since(Instant::now())))?;
        for event in &events {
            if event.token() == LISTENS {
                accept(&listener, (&poll, tls.as_ref()), &mut all)?;
                continue;
            }
            let Token(number) = event.token();
            if all[number].as_mut().is_some_and(|visitor| !visitor.reads()) {
                all[number] = None;
            }
        }
        if Instant::now() >= next {
            next += every;
            for visitor in all.iter_mut().flatten().filter(|visitor| visitor.hears) {
                match &mut visitor.seals {
                    Some(seals) => {
                        seals.seal(&part, &mut record)?;
                        send(&visitor.stream, &record);
                    }
                    None => send(&visitor.stream, &part),
                }
            }
        }
    }
}

/// One connection.
struct Visitor {
    stream: TcpStream,
    shakes: Option<ServerConnection>,
    seals: Option<Sealer>,
    hears: bool,
}

impl Visitor {
    /// Reads what came; whether they are still there.
    fn reads(&mut self) -> bool {
        let Some(shakes) = &mut self.shakes else {
            return match self.stream.read(&mut [0; REQUEST_BYTES]) {
                Ok(0) => false,
                Ok(_) => {
                    if !self.hears {
                        send(&self.stream, HEAD);
                    }
                    self.hears = true;
                    true
                }
                Err(error) => error.kind() == io::ErrorKind::WouldBlock,
            };
        };
        let shook = shook(shakes, &mut self.stream);
        if shook.is_ok_and(|asks| asks)
            && let Some(connection) = self.shakes.take()
        {
            self.seals = Sealer::of(connection).ok();
            self.hears = self.seals.is_some();
            return self.hears;
        }
        shook.is_ok()
    }
}

/// Goes on with a handshake; whether it is done, and something was asked and answered.
fn shook(shakes: &mut ServerConnection, stream: &mut TcpStream) -> Result<bool, io::ErrorKind> {
    loop {
        while shakes.wants_write() {
            shakes.write_tls(stream).map_err(|error| error.kind())?;
        }
        match shakes.read_tls(stream) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.kind()),
        }
        let state = shakes.process_new_packets().map_err(|_| io::ErrorKind::InvalidData)?;
        if state.plaintext_bytes_to_read() > 0 {
            shakes.writer().write_all(HEAD).map_err(|error| error.kind())?;
            while shakes.wants_write() {
                shakes.write_tls(stream).map_err(|error| error.kind())?;
            }
            let _ = shakes.reader().read(&mut [0; REQUEST_BYTES]);
            return Ok(true);
        }
    }
}

fn accept(
    listener: &TcpListener,
    (poll, tls): (&Poll, Option<&Arc<ServerConfig>>),
    all: &mut Vec<Option<Visitor>>,
) -> anyhow::Result<()> {
    loop {
        match listener.accept() {
            Ok((mut stream, _)) => {
                poll.registry().register(&mut stream, Token(all.len()), Interest::READABLE)?;
                let shakes = tls.map(|tls| ServerConnection::new(tls.clone())).transpose()?;
                all.push(Some(Visitor { stream, shakes, seals: None, hears: false }));
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
