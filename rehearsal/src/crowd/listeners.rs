//! Those who listen already: each on one connection, reading as fast as it comes.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::chunks::Chunks;
use super::pages::Pages;
use super::sockets::{connect, own, source};

/// The addresses listeners come from: 127.32.0.0/12.
const WING: u8 = 32;
/// Listeners that are asked in at a time, so that the kernel's queue of new connections is never the measure.
const AT_ONCE: usize = 500;
/// How long all of them may take to come in.
const COMING_MAX: Duration = Duration::from_secs(60);
const EVENTS_AT_ONCE: usize = 4_096;
const HEAD_BYTES_MAX: usize = 4_096;

/// Many listeners of one stream of Ogg pages.
pub struct Listeners {
    node: SocketAddr,
    path: String,
    poll: Poll,
    all: Vec<Listener>,
    buffer: Vec<u8>,
}

/// What they heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// Listeners who heard to the last moment.
    pub to_the_end: u64,
    /// Listeners whose connection ended before.
    pub cut_off: u64,
    /// Pages all of them heard together.
    pub pages: u64,
    /// Pages heard by who heard fewest.
    pub pages_least: u64,
    /// Pages that were left out for somebody.
    pub missing: u64,
    /// The longest time without a page for anybody, in milliseconds.
    pub silence_ms: u64,
    /// 99 of 100 waited no longer than this for a page, in milliseconds.
    pub silence_p99_ms: u64,
}

struct Listener {
    stream: TcpStream,
    request: Vec<u8>,
    head: Vec<u8>,
    is_in: bool,
    is_over: bool,
    chunks: Chunks,
    pages: Pages,
    last: Option<Instant>,
    silence: Duration,
}

impl Listeners {
    /// Nobody yet, at `path` (such as `/room/live.opus`).
    ///
    /// # Errors
    /// The node is not on this machine, or nothing can be waited for.
    pub fn at(node: SocketAddr, path: &str) -> anyhow::Result<Self> {
        let (node, poll) = (own(node)?, Poll::new()?);
        Ok(Self { node, path: path.to_owned(), poll, all: Vec::new(), buffer: vec![0; 65_536] })
    }

    /// More come until there are so many, while the others listen on; waits until each of them hears it.
    ///
    /// # Errors
    /// The node does not let all of them in.
    pub fn grow(&mut self, to: usize) -> anyhow::Result<()> {
        let until = Instant::now() + COMING_MAX;
        while self.all.len() < to {
            for _ in 0..AT_ONCE.min(to - self.all.len()) {
                self.one_more()?;
            }
            while self.all.iter().any(|listener| !listener.is_in) {
                self.listen(Duration::from_millis(10))?;
                if let Some(refused) = self.all.iter().find(|listener| listener.is_over) {
                    bail!("A listener was not let in, or sent away: {}", refused.says());
                }
                let inside = self.all.iter().filter(|listener| listener.is_in).count();
                if Instant::now() > until {
                    bail!("{inside} of {to} listeners are in after {} s.", COMING_MAX.as_secs());
                }
            }
        }
        Ok(())
    }

    /// How many came, those who were sent away among them.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// Listens until `is_enough`, which is asked many times a second, then says what was heard meanwhile.
    ///
    /// # Errors
    /// Nothing can be waited for.
    pub fn hear(&mut self, mut is_enough: impl FnMut() -> bool) -> anyhow::Result<Heard> {
        let began = Instant::now();
        for listener in &mut self.all {
            (listener.pages.heard, listener.pages.missing) = (0, 0);
            (listener.silence, listener.last) = (Duration::ZERO, Some(began));
        }
        while !is_enough() {
            self.listen(Duration::from_millis(20))?;
        }
        let now = Instant::now();
        let (mut heard, mut silences_ms) = (Heard::default(), Vec::new());
        heard.pages_least = self.all.iter().map(|listener| listener.pages.heard).min().unwrap_or(0);
        for listener in &self.all {
            let is_over = listener.is_over || listener.pages.is_broken;
            (heard.cut_off, heard.to_the_end) =
                (heard.cut_off + u64::from(is_over), heard.to_the_end + u64::from(!is_over));
            heard.pages += listener.pages.heard;
            heard.missing += listener.pages.missing;
            let silence = listener.silence.max(listener.last.map_or(Duration::ZERO, |last| now - last));
            silences_ms.push(silence.as_millis() as u64);
        }
        silences_ms.sort_unstable();
        let at = |share: f64| silences_ms.get((silences_ms.len() as f64 * share) as usize);
        heard.silence_p99_ms = at(0.99).copied().unwrap_or(0);
        heard.silence_ms = silences_ms.last().copied().unwrap_or(0);
        Ok(heard)
    }

    fn one_more(&mut self) -> anyhow::Result<()> {
        let (number, node, path) = (self.all.len(), self.node, &self.path);
        let mut stream = connect(source(WING, number as u32), node).context("a listener finds no port")?;
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, Token(number), both)?;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: {node}\r\nUser-Agent: a crowd\r\n\r\n").into_bytes();
        self.all.push(Listener {
            stream,
            request,
            head: Vec::new(),
            is_in: false,
            is_over: false,
            chunks: Chunks::default(),
            pages: Pages::default(),
            last: None,
            silence: Duration::ZERO,
        });
        Ok(())
    }

    fn listen(&mut self, at_most: Duration) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(EVENTS_AT_ONCE);
        match self.poll.poll(&mut events, Some(at_most)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        let now = Instant::now();
        for event in &events {
            self.all[event.token().0].go_on(now, &mut self.buffer);
        }
        Ok(())
    }
}

impl Listener {
    fn go_on(&mut self, now: Instant, buffer: &mut [u8]) {
        while !self.request.is_empty() && !self.is_over {
            match self.stream.write(&self.request) {
                Ok(sent) => drop(self.request.drain(..sent)),
                Err(error) => return self.failed(&error),
            }
        }
        while !self.is_over {
            match self.stream.read(buffer) {
                Ok(0) => self.is_over = true,
                Ok(read) => {
                    self.take(now, &buffer[..read]);
                    // What was less than there was room for was all there was (epoll(7)).
                    if read < buffer.len() {
                        return;
                    }
                }
                Err(error) => return self.failed(&error),
            }
        }
    }

    fn take(&mut self, now: Instant, bytes: &[u8]) {
        let mut bytes = bytes;
        if !self.is_in {
            self.head.extend_from_slice(bytes);
            let Some(end) = self.head.windows(4).position(|four| four == b"\r\n\r\n") else {
                self.is_over |= self.head.len() > HEAD_BYTES_MAX;
                return;
            };
            if !self.head.starts_with(b"HTTP/1.1 200") {
                self.is_over = true;
                return;
            }
            self.is_in = true;
            let body = self.head.split_off(end + 4);
            self.hear(now, &body);
            bytes = &[];
        }
        self.hear(now, bytes);
    }

    fn hear(&mut self, now: Instant, bytes: &[u8]) {
        let (mut finished, pages) = (0, &mut self.pages);
        self.chunks.take(bytes, |data| finished += pages.take(data));
        self.is_over |= self.chunks.is_over();
        if finished > 0 {
            if let Some(last) = self.last {
                self.silence = self.silence.max(now - last);
            }
            self.last = Some(now);
        }
    }

    fn failed(&mut self, error: &io::Error) {
        let waits = matches!(
            error.kind(),
            io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected | io::ErrorKind::Interrupted
        );
        self.is_over |= !waits;
    }

    fn says(&self) -> String {
        String::from_utf8_lossy(&self.head).lines().next().unwrap_or("the connection ended").to_owned()
    }
}
