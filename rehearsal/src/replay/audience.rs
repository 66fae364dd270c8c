//! Those who came to listen, as a closed loop over real connections: one connection each.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::answers::{Answer, Body, Reader};
use super::flood::{again, waits};
use super::listener::{Act, Listener};
use super::own;
use super::people::Comer;
use super::site::Site;
use super::tally::{Heard, Side};
use crate::crowd::sockets::connect;

/// People at once; each has a connection.
const PEOPLE_MAX: usize = 3_000;
const EVENTS_AT_ONCE: usize = 1_024;
/// Everybody looks at the clock so often.
const LOOK: Duration = Duration::from_millis(2);

/// Plays all of them; at most until `until` after `began`.
pub(super) fn play(
    people: &[Comer],
    site: &Site,
    began: Instant,
    until: Duration,
) -> anyhow::Result<(Side, Vec<Heard>)> {
    own(site.node())?;
    anyhow::ensure!(
        people.len() <= PEOPLE_MAX,
        "A case has at most {PEOPLE_MAX} people who listen; this one has {}.",
        people.len()
    );
    let mut room = Audience { site, poll: Poll::new()?, side: Side::default(), buffer: vec![0; 65_536] };
    let mut all: Vec<Person<'_>> = people.iter().map(|comer| Person::new(comer, site)).collect();
    let mut events = Events::with_capacity(EVENTS_AT_ONCE);
    while began.elapsed() < until && all.iter().any(|one| !one.listener.is_gone()) {
        let now = began.elapsed();
        for (number, person) in all.iter_mut().enumerate() {
            room.let_act(now, number, person);
        }
        room.poll.poll(&mut events, Some(LOOK)).or_else(again)?;
        let now = began.elapsed();
        for event in &events {
            room.attend(now, event.token().0, &mut all[event.token().0]);
        }
    }
    Ok((room.side, all.iter().map(|one| one.listener.heard()).collect()))
}

struct Person<'a> {
    comer: &'a Comer,
    listener: Listener<'a>,
    stream: Option<TcpStream>,
    /// Requests that this connection has answered.
    answers: u64,
    request: Vec<u8>,
    body: Body,
    sent: usize,
    due: Duration,
    reader: Reader,
}

impl<'a> Person<'a> {
    fn new(comer: &'a Comer, site: &'a Site) -> Self {
        Self {
            comer,
            listener: Listener::new(comer, site),
            stream: None,
            answers: 0,
            request: Vec::new(),
            body: Body::Dropped,
            sent: 0,
            due: Duration::ZERO,
            reader: Reader::default(),
        }
    }

    fn hang_up(&mut self) {
        self.stream = None;
        self.reader = Reader::default();
        (self.sent, self.answers) = (0, 0);
        self.request.clear();
    }
}

struct Audience<'a> {
    site: &'a Site,
    poll: Poll,
    side: Side,
    buffer: Vec<u8>,
}

impl Audience<'_> {
    fn let_act(&mut self, now: Duration, number: usize, person: &mut Person<'_>) {
        while let Some(act) = person.listener.act(now, &mut self.side.unanswered) {
            match act {
                Act::Leave => person.hang_up(),
                Act::Ask(request, body) => {
                    self.side.at(now).due += 1;
                    person.due = person.listener.due().max(now.saturating_sub(LOOK * 2));
                    (person.request, person.body, person.sent) = (request, body, 0);
                    self.ask(now, number, person);
                }
            }
        }
    }

    fn ask(&mut self, now: Duration, number: usize, person: &mut Person<'_>) {
        if person.stream.is_none() {
            let Ok(mut stream) = connect(person.comer.from, self.site.node()) else {
                self.side.refused += 1;
                return person.listener.broken(now);
            };
            let both = Interest::READABLE | Interest::WRITABLE;
            if self.poll.registry().register(&mut stream, Token(number), both).is_err() {
                self.side.refused += 1;
                return person.listener.broken(now);
            }
            (person.stream, person.answers) = (Some(stream), 0);
        }
        person.reader.asked(person.body);
        self.send(now, number, person);
    }

    fn send(&mut self, now: Duration, number: usize, person: &mut Person<'_>) {
        let Some(stream) = &mut person.stream else { return };
        while person.sent < person.request.len() {
            match stream.write(&person.request[person.sent..]) {
                Ok(sent) => person.sent += sent,
                Err(error) if waits(&error) => return,
                Err(_) => return self.broke(now, number, person),
            }
            if person.sent == person.request.len() {
                self.side.sent((person.due, now));
            }
        }
    }

    fn attend(&mut self, now: Duration, number: usize, person: &mut Person<'_>) {
        self.send(now, number, person);
        loop {
            let Some(stream) = &mut person.stream else { return };
            let read = match stream.read(&mut self.buffer) {
                Ok(0) => return self.broke(now, number, person),
                Ok(read) => read,
                Err(error) if waits(&error) => return,
                Err(_) => return self.broke(now, number, person),
            };
            let mut found: Option<Answer> = None;
            if person.reader.take(&self.buffer[..read], |answer| found = Some(answer)).is_err() {
                return self.broke(now, number, person);
            }
            if let Some(answer) = found {
                self.answered(now, person, &answer);
                if answer.is_last {
                    person.hang_up();
                }
                self.let_act(now, number, person);
            }
        }
    }

    fn answered(&mut self, now: Duration, person: &mut Person<'_>, answer: &Answer) {
        self.side.answered(now, answer.status);
        person.answers += 1;
        person.request.clear();
        person.sent = 0;
        person.listener.answered(now, answer);
    }

    /// The connection has ended. One that rested between two requests may have been closed for that; then a
    /// browser asks again over a new one (RFC 9112, section 9.3.1).
    fn broke(&mut self, now: Duration, number: usize, person: &mut Person<'_>) {
        if let Some(answer) = person.reader.end() {
            self.answered(now, person, &answer);
            return person.hang_up();
        }
        let (was_asked, has_begun) = (person.reader.due() > 0, person.reader.has_begun());
        let may_ask_again = was_asked && !has_begun && person.answers > 0;
        let request = std::mem::take(&mut person.request);
        person.hang_up();
        if may_ask_again {
            person.request = request;
            self.ask(now, number, person);
        } else if was_asked {
            self.side.broken += 1;
            person.listener.broken(now);
        }
    }
}
