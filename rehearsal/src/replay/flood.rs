//! Those who attack, as an open loop: each line is sent when it is due, whatever became of those before.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::answers::{Body, Reader};
use super::attackers::{Attacker, Pace, Step};
use super::line::Version;
use super::own;
use super::requests::{DRIP, Request};
use super::site::Site;
use super::tally::Side;
use crate::crowd::sockets::{connect, free_descriptors};

/// Requests under way at once on one connection of HTTP/2; with HTTP/1 it is one, as with the tools that
/// attack.
pub const STREAMS_MAX: usize = 16;
/// What would be sent later than this after it was due is not sent.
pub const LATE_MAX: Duration = Duration::from_secs(5);
/// Connections at once.
const OPEN_MAX: usize = 11_000;
/// Descriptors left to those who listen, and to whatever else the process does.
const DESCRIPTORS_LEFT: usize = 4_000;
/// A head or body without an end goes on so often.
const DRIP_EVERY: Duration = Duration::from_secs(4);
/// A slow reader takes so many bytes at a time, and has room for little more.
const SIP_BYTES: usize = 512;
/// Lines that are sent before answers are read again.
const LINES_AT_ONCE: usize = 256;
const EVENTS_AT_ONCE: usize = 4_096;
const LOOK: Duration = Duration::from_millis(1);

/// Sends all of it; at most until `until` after `began`.
pub(super) fn play(
    attackers: &[Attacker],
    site: &Site,
    began: Instant,
    until: Duration,
) -> anyhow::Result<Side> {
    own(site.node())?;
    let mut order: Vec<(Duration, usize, usize)> = Vec::new();
    for (number, attacker) in attackers.iter().enumerate() {
        order.extend(attacker.steps.iter().enumerate().map(|(place, step)| (step.at, number, place)));
    }
    order.sort_unstable();
    let mut flood = Flood {
        attackers,
        site,
        host: site.node().to_string(),
        poll: Poll::new()?,
        connections: attackers.iter().map(|_| Connection::default()).collect(),
        open: 0,
        open_max: free_descriptors()?.saturating_sub(DESCRIPTORS_LEFT).min(OPEN_MAX),
        parked: VecDeque::new(),
        drips: BinaryHeap::new(),
        side: Side::default(),
        buffer: vec![0; 65_536],
    };
    let (mut events, mut next) = (Events::with_capacity(EVENTS_AT_ONCE), 0);
    loop {
        let now = began.elapsed();
        let is_done = next == order.len() && flood.open == 0 && flood.parked.is_empty();
        if is_done || now >= until {
            break;
        }
        for _ in 0..LINES_AT_ONCE {
            let Some((at, number, place)) = order.get(next).filter(|(at, ..)| *at <= now) else { break };
            flood.hand(now, (*at, *number, *place));
            next += 1;
        }
        flood.let_in(now);
        flood.drip(now);
        let is_behind = order.get(next).is_some_and(|(at, ..)| *at <= now);
        flood.poll.poll(&mut events, Some(if is_behind { Duration::ZERO } else { LOOK })).or_else(again)?;
        let now = began.elapsed();
        events.iter().for_each(|event| flood.attend(now, event.token().0));
    }
    Ok(flood.finish())
}

pub(super) fn again(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) }
}

/// One connection of the case; when it broke, the next line opens it again.
#[derive(Default)]
struct Connection {
    stream: Option<TcpStream>,
    out: Vec<u8>,
    /// Requests that are not answered, in order.
    under_way: VecDeque<UnderWay>,
    /// Steps that are due and not sent.
    waiting: VecDeque<usize>,
    handed: usize,
    is_parked: bool,
    reader: Reader,
    slow: Option<Slow>,
}

#[derive(Clone, Copy)]
struct UnderWay {
    place: usize,
    /// When its last byte was sent; not yet, or it never ends.
    sent_at: Option<Duration>,
}

#[derive(Clone, Copy)]
struct Slow {
    pace: Pace,
    from: Duration,
    until: Duration,
}

struct Flood<'a> {
    attackers: &'a [Attacker],
    site: &'a Site,
    host: String,
    poll: Poll,
    connections: Vec<Connection>,
    open: usize,
    open_max: usize,
    /// Connections for which there was no descriptor.
    parked: VecDeque<usize>,
    drips: BinaryHeap<Reverse<(Duration, usize)>>,
    side: Side,
    buffer: Vec<u8>,
}

impl<'a> Flood<'a> {
    fn hand(&mut self, now: Duration, (at, number, place): (Duration, usize, usize)) {
        self.side.at(at).due += 1;
        let connection = &mut self.connections[number];
        connection.waiting.push_back(place);
        connection.handed += 1;
        self.advance(now, number);
    }

    /// Sends what is due as far as it may be.
    fn advance(&mut self, now: Duration, number: usize) {
        let attackers = self.attackers;
        while let Some(step) = self.next(now, number) {
            let attacker = &attackers[number];
            let connection = &mut self.connections[number];
            let Some(place) = connection.waiting.pop_front() else { break };
            connection.out.extend(request(attacker, step, self.site, &self.host));
            let is_head = step.method == "HEAD";
            connection.reader.asked(if is_head { Body::None } else { Body::Dropped });
            connection.under_way.push_back(UnderWay { place, sent_at: None });
            self.side.at(now).begun += u64::from(!step.pace.ends());
            if step.pace != Pace::Quick {
                let until = now + step.lasting();
                connection.slow = Some(Slow { pace: step.pace, from: now, until });
                self.drips.push(Reverse((until.min(now + DRIP_EVERY), number)));
            }
        }
        self.flush(now, number);
    }

    /// The step that can be sent now, over a connection that is open.
    fn next(&mut self, now: Duration, number: usize) -> Option<&'a Step> {
        let attackers = self.attackers;
        loop {
            let connection = &mut self.connections[number];
            let step = &attackers[number].steps[*connection.waiting.front()?];
            if now.saturating_sub(step.at) > LATE_MAX {
                connection.waiting.pop_front();
                self.side.not_sent += 1;
                continue;
            }
            let depth = if step.version == Version::Http2 { STREAMS_MAX } else { 1 };
            let is_alone = step.pace != Pace::Quick && !connection.under_way.is_empty();
            if connection.slow.is_some() || connection.under_way.len() >= depth || is_alone {
                return None;
            }
            if connection.stream.is_some() {
                return Some(step);
            }
            if self.open >= self.open_max {
                if !std::mem::replace(&mut connection.is_parked, true) {
                    self.parked.push_back(number);
                }
                return None;
            }
            match self.connect(number, step.pace) {
                Ok(()) => return Some(step),
                Err(_) => {
                    self.connections[number].waiting.pop_front();
                    self.side.refused += 1;
                }
            }
        }
    }

    fn connect(&mut self, number: usize, pace: Pace) -> io::Result<()> {
        let mut stream = connect(self.attackers[number].from, self.site.node())?;
        if matches!(pace, Pace::SlowRead(_)) {
            socket2::SockRef::from(&stream).set_recv_buffer_size(SIP_BYTES)?;
        }
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut stream, Token(number), both)?;
        self.connections[number].stream = Some(stream);
        self.open += 1;
        Ok(())
    }

    fn flush(&mut self, now: Duration, number: usize) {
        let connection = &mut self.connections[number];
        let Some(stream) = &mut connection.stream else { return };
        while !connection.out.is_empty() {
            match stream.write(&connection.out) {
                Ok(sent) => drop(connection.out.drain(..sent)),
                Err(error) if waits(&error) => return,
                Err(_) => return self.broke(now, number),
            }
        }
        let steps = &self.attackers[number].steps;
        for request in connection.under_way.iter_mut().filter(|one| one.sent_at.is_none()) {
            let step = &steps[request.place];
            if step.pace.ends() {
                request.sent_at = Some(now);
                self.side.sent((step.at, now));
            }
        }
    }

    fn attend(&mut self, now: Duration, number: usize) {
        self.flush(now, number);
        if matches!(self.connections[number].slow, Some(Slow { pace: Pace::SlowRead(_), .. })) {
            return;
        }
        self.read(now, number, usize::MAX);
    }

    /// Reads what has come, at most about so many bytes.
    fn read(&mut self, now: Duration, number: usize, bytes_max: usize) {
        let room = bytes_max.min(self.buffer.len());
        let mut taken = 0;
        while taken < bytes_max {
            let connection = &mut self.connections[number];
            let Some(stream) = &mut connection.stream else { return };
            let read = match stream.read(&mut self.buffer[..room]) {
                Ok(0) => return self.broke(now, number),
                Ok(read) => read,
                Err(error) if waits(&error) => break,
                Err(_) => return self.broke(now, number),
            };
            taken += read;
            let (side, under_way, mut is_last) = (&mut self.side, &mut connection.under_way, false);
            let took = connection.reader.take(&self.buffer[..read], |answer| {
                side.answered(now, answer.status);
                under_way.pop_front();
                is_last |= answer.is_last;
            });
            if is_last {
                self.take_back(number);
            }
            if took.is_err() || is_last {
                return self.broke(now, number);
            }
        }
        let connection = &self.connections[number];
        let is_done = connection.waiting.is_empty() && connection.under_way.is_empty();
        if is_done && connection.handed == self.attackers[number].steps.len() {
            self.close(now, number);
        } else {
            self.advance(now, number);
        }
    }

    /// The node has said that this was its last answer here: what was asked after it, it has not read, and it
    /// is asked again (RFC 9112, section 9.3.2).
    fn take_back(&mut self, number: usize) {
        let connection = &mut self.connections[number];
        while let Some(request) = connection.under_way.pop_back() {
            connection.waiting.push_front(request.place);
            if let Some(sent_at) = request.sent_at {
                self.side.at(sent_at).sent -= 1;
            }
        }
    }

    /// The connection has ended; what is due goes over a new one.
    fn broke(&mut self, now: Duration, number: usize) {
        let connection = &mut self.connections[number];
        if let Some(answer) = connection.reader.end() {
            self.side.answered(now, answer.status);
            connection.under_way.pop_front();
        }
        self.close(now, number);
        if !self.connections[number].waiting.is_empty() {
            self.advance(now, number);
        }
    }

    fn close(&mut self, now: Duration, number: usize) {
        let connection = &mut self.connections[number];
        if connection.stream.take().is_none() {
            return;
        }
        self.open -= 1;
        if let Some(slow) = connection.slow.take() {
            // It was to end so.
            self.side.held((slow.from, now));
            self.side.at(now).given_up += u64::from(!slow.pace.ends());
            connection.under_way.clear();
        }
        for request in connection.under_way.drain(..) {
            match request.sent_at {
                Some(_) => self.side.broken += 1,
                None => self.side.not_sent += 1,
            }
        }
        connection.out.clear();
        connection.reader = Reader::default();
    }

    /// Those for whom there was no descriptor.
    fn let_in(&mut self, now: Duration) {
        while self.open < self.open_max
            && let Some(number) = self.parked.pop_front()
        {
            self.connections[number].is_parked = false;
            self.advance(now, number);
        }
    }

    /// Slow ones go on, or give up.
    fn drip(&mut self, now: Duration) {
        while let Some(Reverse((at, number))) = self.drips.peek().copied()
            && at <= now
        {
            self.drips.pop();
            let Some(slow) = self.connections[number].slow else { continue };
            if now >= slow.until {
                self.broke(now, number);
                continue;
            }
            match slow.pace {
                Pace::SlowRead(_) => self.read(now, number, SIP_BYTES),
                Pace::SlowHead(_) | Pace::SlowBody(_) | Pace::Quick => {
                    self.connections[number].out.extend_from_slice(DRIP.as_bytes());
                    self.flush(now, number);
                }
            }
            self.drips.push(Reverse((slow.until.min(now + DRIP_EVERY), number)));
        }
    }

    /// Whoever is not answered by now is not.
    fn finish(mut self) -> Side {
        for connection in &self.connections {
            self.side.not_sent += connection.waiting.len() as u64;
            if connection.slow.is_none() {
                self.side.unanswered += connection.under_way.len() as u64;
            }
        }
        self.side
    }
}

fn request(attacker: &Attacker, step: &Step, site: &Site, host: &str) -> Vec<u8> {
    let path = site.path(&step.ask);
    let version = if step.version == Version::Http10 { "1.0" } else { "1.1" };
    let (agent, referer) = (&attacker.agent[..], &attacker.referer[..]);
    let request =
        Request { method: &step.method, path: &path, host, version, agent, referer, ..Request::EMPTY };
    match step.pace {
        Pace::Quick | Pace::SlowRead(_) => request.whole(),
        Pace::SlowHead(_) => request.unfinished_head(),
        Pace::SlowBody(_) => request.unfinished_body(),
    }
}

pub(super) fn waits(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::{Ipv4Addr, SocketAddr, TcpListener};

    use super::*;
    use crate::replay::map::Ask;

    /// A server that ends the connection with every second answer, and with a head that does not end.
    fn server() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let node = listener.local_addr().expect("an address");
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                std::thread::spawn(move || {
                    let Ok(read) = stream.try_clone() else { return };
                    let mut lines = BufReader::new(read).lines().map_while(Result::ok);
                    for last in ["", "connection: close\r\n"] {
                        while lines.next().is_some_and(|line| !line.is_empty() && !line.starts_with("X-a")) {}
                        let _ = write!(stream, "HTTP/1.1 200 OK\r\n{last}content-length: 2\r\n\r\nok");
                    }
                    // To close with something unread would take the answer back.
                    let _ = stream.shutdown(std::net::Shutdown::Write);
                    lines.for_each(drop);
                });
            }
        });
        node
    }

    fn attacker(number: u8, version: Version, paces: &[Pace]) -> Attacker {
        let step = |(place, pace): (usize, &Pace)| Step {
            at: Duration::from_millis(place as u64),
            ask: Ask::Page,
            method: "GET".to_owned(),
            version,
            pace: *pace,
        };
        let steps = paces.iter().enumerate().map(step).collect();
        let from = Ipv4Addr::new(127, 66, 0, number);
        Attacker { from, agent: String::new(), referer: String::new(), steps }
    }

    #[test]
    fn every_line_is_sent_once_and_accounted_for() {
        let site = Site::imagined(server());
        let slow = Pace::SlowHead(Duration::from_millis(20));
        let attackers = [
            attacker(1, Version::Http11, &[Pace::Quick; 30]),
            attacker(2, Version::Http2, &[Pace::Quick; 30]),
            attacker(3, Version::Http10, &[Pace::Quick; 5]),
            attacker(4, Version::Http11, &[slow]),
        ];
        let until = Duration::from_secs(20);
        let side = play(&attackers, &site, Instant::now(), until).expect("it is on this machine");
        let [window, ..] = side.windows[..] else { panic!("{side:?}") };
        assert_eq!((window.due, window.begun, window.given_up, window.held_open), (66, 1, 1, 1), "{side:?}");
        assert_eq!(
            (side.total(), side.hundred(2), side.not_sent, side.unanswered),
            (65, 65, 0, 0),
            "{side:?}"
        );
    }

    #[test]
    fn nobody_else_is_attacked() {
        let site = Site::imagined("192.0.2.1:80".parse().expect("an address"));
        let refused = play(&[], &site, Instant::now(), Duration::ZERO);
        assert!(refused.is_err_and(|says| says.to_string().contains("only to a node of this machine")));
    }
}
