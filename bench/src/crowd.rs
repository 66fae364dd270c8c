//! Very many progressive listeners in one thread: each takes what it is sent, throws it away, and remembers
//! how much it was and when something last came.
//!
//! They come from many addresses of 127/8, since one has only so many ports, and go nowhere else.

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};

/// Events taken from the kernel at a time.
const EVENTS: usize = 1_024;
/// Bytes thrown away at a time.
const DISCARD_BYTES: usize = 1 << 20;
/// Listeners from one address.
const PER_ADDRESS: usize = 200;
/// A part of the program lasts so long, in seconds.
const PART_S: f64 = 0.32;
/// The kernel's queue of connections is not overrun by so many a second.
const COME_PER_S: f64 = 1_500.0;

/// Listeners of one address of the node's.
pub struct Crowd {
    at: SocketAddr,
    request: String,
    poll: OwnedFd,
    listeners: Vec<Listener>,
    gone: usize,
}

struct Listener {
    socket: TcpStream,
    bytes: u64,
    last: Instant,
    gap: Duration,
    is_gone: bool,
}

/// What the crowd noticed in a span of time.
#[derive(Clone, Copy, Debug)]
pub struct Noticed {
    /// Listeners.
    pub listeners: usize,
    /// Those who were refused or sent away.
    pub gone: usize,
    /// Bytes a second that half of them got at least.
    pub bytes_per_s: f64,
    /// The share of the bytes of an even stream that did not come.
    pub missing_share: f64,
    /// 99 of 100 listeners waited no longer than this for something, in milliseconds.
    pub gap_p99_ms: f64,
}

impl Crowd {
    /// Nobody yet.
    ///
    /// # Errors
    /// `at` is not on loopback, or the system refuses.
    pub fn new(at: SocketAddr, path: &str) -> anyhow::Result<Self> {
        ensure!(at.ip().is_loopback(), "{at} is not on loopback, and nobody else is ever loaded");
        // SAFETY: the call takes a flag and gives a new descriptor or -1.
        let poll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if poll < 0 {
            return Err(io::Error::last_os_error().into());
        }
        // SAFETY: the descriptor is new and nobody else's.
        let poll = unsafe { OwnedFd::from_raw_fd(poll) };
        let request = format!("GET {path} HTTP/1.1\r\nHost: {at}\r\n\r\n");
        Ok(Self { at, request, poll, listeners: Vec::new(), gone: 0 })
    }

    /// How many there are, those who were sent away among them.
    pub fn len(&self) -> usize {
        self.listeners.len()
    }

    /// Whether nobody came yet.
    pub fn is_empty(&self) -> bool {
        self.listeners.is_empty()
    }

    /// More come until there are so many, while the others listen.
    ///
    /// # Errors
    /// A connection is refused by the kernel.
    pub fn grow(&mut self, to: usize) -> anyhow::Result<()> {
        let (began, before) = (Instant::now(), self.listeners.len());
        while self.listeners.len() < to {
            let due = before + (began.elapsed().as_secs_f64() * COME_PER_S) as usize + 1;
            while self.listeners.len() < due.min(to) {
                self.come()?;
            }
            self.drain(Duration::from_millis(5))?;
        }
        Ok(())
    }

    /// Listens for a while, and says what was noticed of a stream of so many bytes a second.
    ///
    /// # Errors
    /// The system refuses.
    pub fn listen(&mut self, span: Duration, due_per_s: f64) -> anyhow::Result<Noticed> {
        let began = Instant::now();
        for listener in &mut self.listeners {
            (listener.bytes, listener.gap, listener.last) = (0, Duration::ZERO, began);
        }
        while began.elapsed() < span {
            self.drain(Duration::from_millis(20))?;
        }
        let (now, span_s) = (Instant::now(), began.elapsed().as_secs_f64());
        let here: Vec<&Listener> = self.listeners.iter().filter(|one| !one.is_gone).collect();
        let mut bytes: Vec<u64> = here.iter().map(|one| one.bytes).collect();
        let mut gaps: Vec<Duration> = here.iter().map(|one| one.gap.max(now - one.last)).collect();
        bytes.sort_unstable();
        gaps.sort_unstable();
        let place = |share: f64| ((here.len() as f64 * share) as usize).min(here.len().saturating_sub(1));
        // A part more or less falls into the span by chance.
        let due = (due_per_s * (span_s - PART_S)).max(0.0);
        let missing: f64 = bytes.iter().map(|one| (due - *one as f64).max(0.0)).sum();
        let median = bytes.get(place(0.5)).copied().unwrap_or_default() as f64;
        Ok(Noticed {
            listeners: self.listeners.len(),
            gone: self.gone,
            bytes_per_s: median / span_s,
            missing_share: missing / (due * here.len() as f64).max(1.0),
            gap_p99_ms: gaps.get(place(0.99)).map_or(0.0, |gap| gap.as_secs_f64() * 1e3),
        })
    }

    fn come(&mut self) -> anyhow::Result<()> {
        let number = self.listeners.len() / PER_ADDRESS;
        let source = Ipv4Addr::new(127, 1, (number / 250) as u8, (number % 250) as u8 + 1);
        let mut socket = connect(source, self.at)?;
        socket.write_all(self.request.as_bytes())?;
        socket.set_nonblocking(true)?;
        let mut event = libc::epoll_event { events: libc::EPOLLIN as u32, u64: self.listeners.len() as u64 };
        // SAFETY: both descriptors are open, and the event lives through the call.
        let added = unsafe {
            libc::epoll_ctl(self.poll.as_raw_fd(), libc::EPOLL_CTL_ADD, socket.as_raw_fd(), &raw mut event)
        };
        if added != 0 {
            bail!(io::Error::last_os_error());
        }
        let now = Instant::now();
        self.listeners.push(Listener { socket, bytes: 0, last: now, gap: Duration::ZERO, is_gone: false });
        Ok(())
    }

    /// Takes what came, or waits so long for something.
    fn drain(&mut self, wait: Duration) -> anyhow::Result<()> {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; EVENTS];
        // SAFETY: the kernel writes no more events than the array has.
        let count = unsafe {
            libc::epoll_wait(
                self.poll.as_raw_fd(),
                events.as_mut_ptr(),
                EVENTS as libc::c_int,
                wait.as_millis() as libc::c_int,
            )
        };
        for event in &events[..usize::try_from(count).unwrap_or(0)] {
            let listener = &mut self.listeners[event.u64 as usize];
            // SAFETY: with MSG_TRUNC a TCP socket throws the bytes away and writes none (tcp(7)).
            let took = unsafe {
                libc::recv(
                    listener.socket.as_raw_fd(),
                    std::ptr::null_mut(),
                    DISCARD_BYTES,
                    libc::MSG_TRUNC | libc::MSG_DONTWAIT,
                )
            };
            let now = Instant::now();
            match took {
                1.. => {
                    listener.bytes += took as u64;
                    listener.gap = listener.gap.max(now - listener.last);
                    listener.last = now;
                }
                _ if io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock && took < 0 => {}
                _ => {
                    self.gone += usize::from(!listener.is_gone);
                    listener.is_gone = true;
                    // SAFETY: both descriptors are open; a null event is allowed for EPOLL_CTL_DEL.
                    unsafe {
                        libc::epoll_ctl(
                            self.poll.as_raw_fd(),
                            libc::EPOLL_CTL_DEL,
                            listener.socket.as_raw_fd(),
                            std::ptr::null_mut(),
                        )
                    };
                }
            }
        }
        Ok(())
    }
}

fn connect(from: Ipv4Addr, to: SocketAddr) -> anyhow::Result<TcpStream> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
    socket.bind(&SocketAddr::new(IpAddr::V4(from), 0).into())?;
    socket.connect(&to.into())?;
    Ok(socket.into())
}
