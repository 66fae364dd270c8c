//! Who comes to the door: so many a second, each on a connection of their own.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::sockets::{connect, free_descriptors, own, source};

/// Who comes, comes from 127.16.0.0/12.
pub const ARRIVALS: u8 = 16;
/// A second crowd comes from 127.48.0.0/12.
pub const MORE_ARRIVALS: u8 = 48;
/// An answer within this came soon.
const SOON: Duration = Duration::from_secs(1);
/// Whoever is not answered within this is not answered.
const PATIENCE: Duration = Duration::from_secs(30);
/// Descriptors left to whatever else the process does.
const DESCRIPTORS_LEFT: usize = 512;
const EVENTS_AT_ONCE: usize = 1_024;
/// The generator looks at the clock at least so often.
const LOOK: Duration = Duration::from_millis(1);

/// What somebody asks at the door.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The request, which ends the connection (`Connection: close`).
    pub request: Vec<u8>,
}

/// A crowd that comes.
#[derive(Clone, Debug)]
pub struct Crowd {
    /// Where to, on this machine.
    pub node: SocketAddr,
    /// Where from: below 127.`wing`.0.0/12.
    pub wing: u8,
    /// What they ask, in turn.
    pub asks: Vec<Ask>,
    /// People a second.
    pub per_s: u32,
    /// For so long.
    pub lasting: Duration,
}

/// What became of a crowd.
#[derive(Clone, Debug, Default)]
pub struct Came {
    /// People who were due.
    pub due: u64,
    /// Answers by HTTP status.
    pub answered: BTreeMap<u16, u64>,
    /// Bytes of all answers.
    pub bytes: u64,
    /// Connections that were refused, or that no port was left for.
    pub refused: u64,
    /// Connections that broke before a whole answer.
    pub broken: u64,
    /// Not answered in time.
    pub waited_in_vain: u64,
    /// Who could not come because the generator had no descriptor left.
    pub kept_home: u64,
    /// From the moment each was due to the end of their answer, in microseconds, rising.
    pub waits_us: Vec<u32>,
    /// How far behind its own schedule the generator was at worst, in microseconds.
    pub late_us: u32,
    /// The same crowd, second by second of when they were due.
    pub seconds: Vec<Second>,
}

/// What became of those who were due in one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Second {
    /// People.
    pub due: u64,
    /// Answered with a success within a second.
    pub soon: u64,
    /// Told to come again (503).
    pub put_off: u64,
}

impl Came {
    /// The wait that a share of those who were answered did not exceed, in milliseconds; 0 without any.
    pub fn wait_ms(&self, share: f64) -> f64 {
        let place = (self.waits_us.len() as f64 * share) as usize;
        let at = place.min(self.waits_us.len().saturating_sub(1));
        self.waits_us.get(at).map_or(0.0, |us| f64::from(*us) / 1_000.0)
    }

    fn went_wrong(&mut self, end: &End) {
        self.refused += u64::from(matches!(end, End::Refused));
        self.broken += u64::from(matches!(end, End::Broken));
    }

    /// Answers of a hundred of statuses, such as 5 for all that begin with 5.
    pub fn hundred(&self, first: u16) -> u64 {
        self.answered.iter().filter(|(status, _)| **status / 100 == first).map(|(_, count)| count).sum()
    }
}

impl Crowd {
    /// Has everybody come, and waits for the last answer.
    ///
    /// # Errors
    /// The node is not on this machine, or nothing can be waited for.
    pub fn come(&self) -> anyhow::Result<Came> {
        let mut door = AtDoor {
            node: own(self.node)?,
            poll: Poll::new()?,
            open: Vec::new(),
            free: Vec::new(),
            here: 0,
            here_max: free_descriptors()?.saturating_sub(DESCRIPTORS_LEFT),
            buffer: vec![0; 65_536],
            came: Came::default(),
        };
        let mut events = Events::with_capacity(EVENTS_AT_ONCE);
        let (began, all) = (Instant::now(), u64::from(self.per_s) * self.lasting.as_secs());
        let due_at =
            |number: u64| began + Duration::from_secs(1).mul_f64(number as f64 / f64::from(self.per_s));
        let mut swept = began;
        while door.came.due < all || door.here > 0 {
            let now = Instant::now();
            while door.came.due < all && due_at(door.came.due) <= now {
                let number = door.came.due;
                let second = (number / u64::from(self.per_s)) as usize;
                let from = source(self.wing, number as u32);
                door.let_come((from, due_at(number), second), &self.asks[number as usize % self.asks.len()]);
            }
            door.poll.poll(&mut events, Some(LOOK)).or_else(again)?;
            events.iter().for_each(|event| door.attend(event.token().0));
            if now.duration_since(swept) > Duration::from_secs(1) {
                swept = now;
                door.send_home(now);
            }
        }
        door.came.waits_us.sort_unstable();
        Ok(door.came)
    }
}

fn again(error: io::Error) -> io::Result<()> {
    if error.kind() == io::ErrorKind::Interrupted { Ok(()) } else { Err(error) }
}

/// One person at the door.
struct Person {
    stream: TcpStream,
    due: Instant,
    second: usize,
    request: Vec<u8>,
    sent: usize,
    /// The beginning of the answer, until its status is known.
    head: [u8; 12],
    got: usize,
}

struct AtDoor {
    node: SocketAddr,
    poll: Poll,
    open: Vec<Option<Person>>,
    free: Vec<usize>,
    here: usize,
    /// People at the door at once: beyond it the generator itself has no descriptors left.
    here_max: usize,
    buffer: Vec<u8>,
    came: Came,
}

/// What became of one visit.
enum End {
    Waits,
    Answered,
    Refused,
    Broken,
}

impl AtDoor {
    fn let_come(&mut self, (from, due, second): (Ipv4Addr, Instant, usize), ask: &Ask) {
        self.came.due += 1;
        self.came.seconds.resize(second + 1, Second::default());
        self.came.seconds[second].due += 1;
        self.came.late_us = self.came.late_us.max(micros(due.elapsed()));
        if self.here >= self.here_max {
            self.came.kept_home += 1;
            return;
        }
        let Ok(stream) = connect(from, self.node) else {
            self.came.refused += 1;
            return;
        };
        let request = ask.request.clone();
        let mut person = Person { stream, due, second, request, sent: 0, head: [0; 12], got: 0 };
        // On one machine a connection mostly stands at once; then only the answer is waited for.
        let waits = match person.ask().map_err(|error| failed(&error)) {
            Ok(()) => Interest::READABLE,
            Err(End::Waits) => Interest::READABLE | Interest::WRITABLE,
            Err(end) => return self.came.went_wrong(&end),
        };
        let place = self.free.pop().unwrap_or_else(|| {
            self.open.push(None);
            self.open.len() - 1
        });
        if self.poll.registry().register(&mut person.stream, Token(place), waits).is_err() {
            self.came.broken += 1;
            self.free.push(place);
            return;
        }
        self.open[place] = Some(person);
        self.here += 1;
    }

    fn attend(&mut self, place: usize) {
        let Some(person) = self.open.get_mut(place).and_then(Option::as_mut) else { return };
        let end = person.go_on(&mut self.buffer);
        match end {
            End::Waits => return,
            End::Answered => {
                let (status, waited) = (person.status(), person.due.elapsed());
                let second = &mut self.came.seconds[person.second];
                second.soon += u64::from(status / 100 == 2 && waited <= SOON);
                second.put_off += u64::from(status == 503);
                *self.came.answered.entry(status).or_default() += 1;
                self.came.bytes += person.got as u64;
                self.came.waits_us.push(micros(waited));
            }
            end => self.came.went_wrong(&end),
        }
        self.leave(place);
    }

    fn leave(&mut self, place: usize) {
        // Closing takes it out of what is waited for.
        self.open[place] = None;
        self.free.push(place);
        self.here -= 1;
    }

    fn send_home(&mut self, now: Instant) {
        for place in 0..self.open.len() {
            if self.open[place].as_ref().is_some_and(|person| now.duration_since(person.due) > PATIENCE) {
                self.came.waited_in_vain += 1;
                self.leave(place);
            }
        }
    }
}

impl Person {
    /// Sends what is to be sent.
    fn ask(&mut self) -> io::Result<()> {
        while self.sent < self.request.len() {
            self.sent += self.stream.write(&self.request[self.sent..])?;
        }
        Ok(())
    }

    /// Sends what is to be sent, else reads what has come.
    fn go_on(&mut self, buffer: &mut [u8]) -> End {
        if self.sent < self.request.len()
            && let Err(error) = self.ask()
        {
            return failed(&error);
        }
        loop {
            match self.stream.read(buffer) {
                Ok(0) if self.status() > 0 => return End::Answered,
                Ok(0) => return End::Broken,
                Ok(read) => {
                    let known = self.got.min(self.head.len());
                    let more = read.min(self.head.len() - known);
                    self.head[known..known + more].copy_from_slice(&buffer[..more]);
                    self.got += read;
                }
                Err(error) => return failed(&error),
            }
        }
    }

    /// The answer's status; 0 while it is not known.
    fn status(&self) -> u16 {
        let text = std::str::from_utf8(&self.head[9..12]).ok();
        text.filter(|_| self.head.starts_with(b"HTTP/1.")).and_then(|text| text.parse().ok()).unwrap_or(0)
    }
}

fn failed(error: &io::Error) -> End {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected | io::ErrorKind::Interrupted => End::Waits,
        io::ErrorKind::ConnectionRefused => End::Refused,
        _ => End::Broken,
    }
}

fn micros(wait: Duration) -> u32 {
    u32::try_from(wait.as_micros()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    /// A door that answers every fourth with 503, and drops every eighth without a word.
    fn door() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let node = listener.local_addr().expect("an address");
        std::thread::spawn(move || {
            for (number, stream) in listener.incoming().enumerate() {
                let Ok(mut stream) = stream else { return };
                let mut asked = [0; 64];
                let _ = stream.read(&mut asked);
                let status = if number % 4 == 3 { "503 Busy" } else { "200 OK" };
                if number % 8 != 7 {
                    let _ = write!(stream, "HTTP/1.1 {status}\r\nconnection: close\r\n\r\nhere");
                }
            }
        });
        node
    }

    #[test]
    fn everybody_who_comes_is_accounted_for() {
        let asks = vec![Ask { request: b"GET / HTTP/1.1\r\n\r\n".to_vec() }];
        let (lasting, wing) = (Duration::from_secs(1), ARRIVALS);
        let crowd = Crowd { node: door(), wing, asks, per_s: 400, lasting };
        let came = crowd.come().expect("it is on this machine");
        assert_eq!((came.due, came.refused, came.kept_home, came.waited_in_vain), (400, 0, 0, 0));
        assert_eq!((came.hundred(2), came.hundred(5), came.broken), (300, 50, 50), "{:?}", came.answered);
        assert_eq!(came.waits_us.len(), 350);
        let [second] = came.seconds[..] else { panic!("{:?}", came.seconds) };
        assert_eq!((second.due, second.put_off), (400, 50));
        let soon = came.waits_us.iter().filter(|us| **us <= micros(SOON)).count() as u64;
        assert!((soon.saturating_sub(50)..=soon.min(300)).contains(&second.soon), "{second:?} of {soon}");
        assert!(came.wait_ms(0.5) <= came.wait_ms(0.99) && came.wait_ms(1.0) > 0.0);
        let crowd = Crowd { node: "192.0.2.1:80".parse().expect("an address"), ..crowd };
        assert!(crowd.come().is_err());
    }
}
