//! Many listeners on one thread, who discard what they hear and note when it came.

use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use rustls::{ClientConfig, ClientConnection};
use rustls_pki_types::ServerName;
use socket2::{Domain, Protocol, SockFilter, SockRef, Socket, Type};

use super::secure::NAME;

/// Listeners come from so many addresses, each with ports of its own.
const ADDRESSES: u32 = 64;
const EVENTS_MAX: usize = 4_096;
/// Bytes discarded at a time: more than a socket holds.
const DISCARD_BYTES: usize = 1 << 20;
const HEAD_BYTES: usize = 2_048;
/// A filter's only instruction (`linux/filter.h`, `BPF_RET | BPF_K`): of each packet it keeps so many bytes.
const RETURN: u16 = 0x06;
const NOTHING: u32 = 0;

/// They.
pub struct Ears {
    poll: Poll,
    tls: Option<Arc<ClientConfig>>,
    all: Vec<Ear>,
    /// Open, and deaf.
    gone: Vec<TcpStream>,
}

struct Ear {
    stream: TcpStream,
    /// Until it is sent.
    request: Option<String>,
    /// Until the handshake is done and the request is sent: what comes after is not read by anybody.
    shakes: Option<Box<ClientConnection>>,
    due: Instant,
    first: Option<Instant>,
    last: Option<Instant>,
    longest: Duration,
    /// Since gaps are noted.
    bytes: u64,
    is_over: bool,
}

/// What was heard in a while.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// Bytes, all together.
    pub bytes: u64,
    /// Of who is still there and was sent the fewest.
    pub fewest_bytes: u64,
    /// Longest time without any, in milliseconds, ascending, one for each who is still there.
    pub gaps_ms: Vec<f64>,
    /// Who is gone.
    pub over: usize,
}

impl Ears {
    /// Nobody yet; they come by TLS when they are told what to believe.
    ///
    /// # Errors
    /// Nothing can be waited for.
    pub fn new(tls: Option<Arc<ClientConfig>>) -> anyhow::Result<Self> {
        Ok(Self { poll: Poll::new()?, tls, all: Vec::new(), gone: Vec::new() })
    }

    /// So many more come within `span`, each at a moment of their own, and ask for `path`; until the last of
    /// them is due.
    ///
    /// # Errors
    /// The server is not on this machine; there is no port, or no descriptor.
    pub fn come(&mut self, (at, path): (SocketAddr, &str), count: u32, span: Duration) -> anyhow::Result<()> {
        ensure!(at.ip().is_loopback(), "only a server of this machine is loaded");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {at}\r\nUser-Agent: ears\r\n\r\n");
        let began = Instant::now();
        for number in 0..count {
            let due = began + span * number / count.max(1);
            while Instant::now() < due {
                self.listen(due.saturating_duration_since(Instant::now()))?;
            }
            self.one_more(at, &request, due)?;
            if number % 64 == 0 {
                self.listen(Duration::ZERO)?;
            }
        }
        Ok(())
    }

    fn one_more(&mut self, at: SocketAddr, request: &str, due: Instant) -> anyhow::Result<()> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
        let from = Ipv4Addr::from_bits(0x7f01_0001 + (self.all.len() as u32 % ADDRESSES) * 256);
        socket.bind(&SocketAddr::from((from, 0)).into())?;
        match socket.connect(&at.into()) {
            Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => {
                return Err(error).context("the server takes no connection");
            }
            Ok(()) | Err(_) => {}
        }
        let mut stream = TcpStream::from_std(socket.into());
        let token = Token(self.all.len());
        self.poll.registry().register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        let name = ServerName::try_from(NAME)?;
        let shakes = self.tls.as_ref().map(|tls| ClientConnection::new(tls.clone(), name)).transpose()?;
        let (request, shakes, longest) = (Some(request.to_owned()), shakes.map(Box::new), Duration::ZERO);
        self.all.push(Ear {
            stream,
            request,
            shakes,
            due,
            first: None,
            last: None,
            longest,
            bytes: 0,
            is_over: false,
        });
        Ok(())
    }

    /// From now on gaps are noted.
    pub fn mark(&mut self) {
        let now = Instant::now();
        for ear in &mut self.all {
            (ear.last, ear.longest, ear.bytes) = (Some(now), Duration::ZERO, 0);
        }
    }

    /// Listens for so long.
    ///
    /// # Errors
    /// Nothing can be waited for.
    pub fn go_on(&mut self, span: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        while began.elapsed() < span {
            self.listen(span.saturating_sub(began.elapsed()))?;
        }
        Ok(())
    }

    /// Longest time without sound since it was marked, of so many who came first and are still there, in
    /// milliseconds, ascending.
    pub fn gaps_ms(&self, first: usize) -> Vec<f64> {
        let now = Instant::now();
        let present = self.all.iter().take(first).filter(|ear| !ear.is_over);
        let since = |last: Option<Instant>| last.map_or(Duration::ZERO, |last| now.duration_since(last));
        let mut gaps_ms: Vec<f64> = present.map(|ear| ms(ear.longest.max(since(ear.last)))).collect();
        gaps_ms.sort_by(f64::total_cmp);
        gaps_ms
    }

    /// Listens for so long, and says what was heard.
    ///
    /// # Errors
    /// Nothing can be waited for.
    pub fn hear(&mut self, span: Duration) -> anyhow::Result<Heard> {
        self.mark();
        self.go_on(span)?;
        Ok(self.heard())
    }

    /// What was heard since it was marked.
    pub fn heard(&self) -> Heard {
        let gaps_ms = self.gaps_ms(self.all.len());
        let present = self.all.iter().filter(|ear| !ear.is_over);
        Heard {
            bytes: self.all.iter().map(|ear| ear.bytes).sum(),
            fewest_bytes: present.map(|ear| ear.bytes).min().unwrap_or_default(),
            over: self.all.len() - gaps_ms.len(),
            gaps_ms,
        }
    }

    /// How long each of those who came last waited for sound, from the moment they were due, in milliseconds,
    /// ascending; and how many wait yet.
    pub fn waits_ms(&self, last: usize) -> (Vec<f64>, usize) {
        let who = &self.all[self.all.len().saturating_sub(last)..];
        let mut waits: Vec<f64> =
            who.iter().filter_map(|ear| Some(ms(ear.first?.duration_since(ear.due)))).collect();
        waits.sort_by(f64::total_cmp);
        let silent = who.len() - waits.len();
        (waits, silent)
    }

    /// So many who came last are gone without a word, as behind a cable that was pulled: whatever is sent to
    /// them is dropped before their kernel sees it, so that nothing is acknowledged, refused or ended.
    ///
    /// # Errors
    /// The kernel takes no filter.
    pub fn vanish(&mut self, count: usize) -> io::Result<()> {
        for ear in self.all.split_off(self.all.len().saturating_sub(count)) {
            SockRef::from(&ear.stream).attach_filter(&[SockFilter::new(RETURN, 0, 0, NOTHING)])?;
            self.gone.push(ear.stream);
        }
        Ok(())
    }

    fn listen(&mut self, at_most: Duration) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        match self.poll.poll(&mut events, Some(at_most)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        for event in &events {
            let now = Instant::now();
            if let Some(ear) = self.all.get_mut(event.token().0)
                && ear.shook()
            {
                ear.asks();
                ear.bytes += ear.takes(now);
            }
        }
        Ok(())
    }
}

impl Ear {
    /// Shakes hands, and asks then; whether it is done.
    fn shook(&mut self) -> bool {
        let Some(shakes) = &mut self.shakes else { return true };
        match goes_on(shakes, &mut self.stream, &mut self.request) {
            Ok(false) => false,
            Ok(true) => {
                self.shakes = None;
                true
            }
            Err(()) => {
                self.is_over = true;
                false
            }
        }
    }

    fn asks(&mut self) {
        if let Some(request) = self.request.take_if(|_| self.stream.peer_addr().is_ok()) {
            self.is_over |= self.stream.write_all(request.as_bytes()).is_err();
        }
    }

    fn takes(&mut self, now: Instant) -> u64 {
        // Of a head it is looked at whether sound comes with it.
        let mut head = [0_u8; HEAD_BYTES];
        let is_head = self.last.is_none() && self.first.is_none();
        let flags = libc::MSG_DONTWAIT | if is_head { 0 } else { libc::MSG_TRUNC };
        let room = if is_head { HEAD_BYTES } else { DISCARD_BYTES };
        let into = if is_head { head.as_mut_ptr().cast() } else { std::ptr::null_mut() };
        // SAFETY: the descriptor is open while its stream is borrowed. A head has room for so many bytes;
        // what is discarded is not written anywhere (tcp(7), MSG_TRUNC).
        let read = unsafe { libc::recv(self.stream.as_raw_fd(), into, room, flags) };
        match read {
            0 => self.is_over = true,
            1.. => self.hears(now, &head[..if is_head { read as usize } else { 0 }]),
            _ if io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock => {}
            _ => self.is_over = true,
        }
        if read > 0 && is_head {
            // There may be more than a head has room for.
            return read as u64 + self.takes(now);
        }
        read.max(0) as u64
    }

    fn hears(&mut self, now: Instant, head: &[u8]) {
        let head_end = head.windows(4).position(|four| four == b"\r\n\r\n");
        if head.is_empty() || head_end.is_some_and(|at| at + 4 < head.len()) {
            self.first.get_or_insert(now);
        }
        if let Some(last) = self.last {
            self.longest = self.longest.max(now.duration_since(last));
        }
        self.last = Some(now);
    }
}

/// Goes on with a handshake; whether it is done, and the request sent.
fn goes_on(
    shakes: &mut ClientConnection,
    stream: &mut TcpStream,
    request: &mut Option<String>,
) -> Result<bool, ()> {
    let waits =
        |error: &io::Error| matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected);
    loop {
        while shakes.wants_write() {
            match shakes.write_tls(stream) {
                Ok(_) => {}
                Err(error) if waits(&error) => return Ok(false),
                Err(_) => return Err(()),
            }
        }
        if request.is_none() {
            return Ok(true);
        }
        if !shakes.is_handshaking() {
            let request = request.take().unwrap_or_default();
            shakes.writer().write_all(request.as_bytes()).map_err(|_| ())?;
            continue;
        }
        match shakes.read_tls(stream) {
            Ok(0) => return Err(()),
            Ok(_) => {
                shakes.process_new_packets().map_err(|_| ())?;
            }
            Err(error) if waits(&error) => return Ok(false),
            Err(_) => return Err(()),
        }
    }
}

fn ms(span: Duration) -> f64 {
    span.as_secs_f64() * 1e3
}
