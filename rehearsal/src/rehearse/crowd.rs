//! The loop: connections, clocks, and what came by them.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use super::person::{Malformed, Person, Stage};
use super::{Felt, Progress, Rehearsal};
use crate::crowd::chunks::Chunks;
use crate::crowd::pages::Pages;
use crate::crowd::sockets::{connect, free_descriptors, own, source};
use crate::replay::answers::{Answer, Body, Reader};

/// The addresses people come from: 127.64.0.0/12.
const WING: u8 = 64;
/// Whoever is not answered within this is not answered.
const PATIENCE: Duration = Duration::from_secs(30);
/// Descriptors left to whatever else the process does.
const DESCRIPTORS_LEFT: usize = 256;
const EVENTS_AT_ONCE: usize = 4_096;
/// So many are let come before anybody is attended to, and so often one connection is read from.
const DUE_AT_ONCE: usize = 256;
const READS_AT_ONCE: usize = 16;
/// The clock is looked at so often.
const LOOK: Duration = Duration::from_millis(1);
/// It is told how far it is so often, and looked who waits too long.
const TOLD: Duration = Duration::from_secs(1);
/// A room's count may be of any moment within so many of these.
const COUNTS_OF: usize = 10;
/// Less than this is no answer's head.
const HEAD_BYTES_MAX: usize = 16_384;

/// A connection of somebody.
struct Line {
    stream: TcpStream,
    out: Vec<u8>,
    sent: usize,
    asked: Duration,
    hears: Option<Box<Hears>>,
    reader: Reader,
}

/// Somebody's program.
#[derive(Default)]
struct Hears {
    head: Vec<u8>,
    is_in: bool,
    chunks: Chunks,
    pages: Pages,
    /// Whether a part has come since this was looked at last, and ever.
    is_fresh: bool,
    has_sound: bool,
}

/// How it goes on with a connection.
enum Goes {
    On,
    Answered(Answer),
    /// There may be more to read.
    More,
    /// The program is over.
    Ended,
    Refused,
    Broke,
}

struct Crowd<'r> {
    rehearsal: &'r Rehearsal,
    host: String,
    poll: Poll,
    began: Instant,
    people: Vec<Person>,
    lines: Vec<Option<Line>>,
    due: BinaryHeap<Reverse<(Duration, usize)>>,
    /// Whose connections may have more to read.
    more: Vec<usize>,
    open: usize,
    open_max: usize,
    hearing: u32,
    /// The fewest and the most who heard in each of the last seconds.
    heard_lately: VecDeque<(u32, u32)>,
    buffer: Vec<u8>,
    felt: Felt,
}

/// Has everybody come, hear and leave. `told` is told how far it is, about once a second, and says whether
/// to go on; `asked` is asked as often how many the room says hear it.
///
/// # Errors
/// The node is not on this machine, or nothing can be waited for.
pub fn rehearse(
    rehearsal: &Rehearsal,
    told: &mut dyn FnMut(&Progress) -> bool,
    asked: &mut dyn FnMut() -> Option<u64>,
) -> anyhow::Result<Felt> {
    let node = own(rehearsal.node)?;
    let each = |number: u32| {
        Duration::from_secs_f64(
            rehearsal.over.as_secs_f64() * f64::from(number) / f64::from(rehearsal.people.max(1)),
        )
    };
    let people: Vec<Person> = (0..rehearsal.people).map(|number| Person::new(each(number))).collect();
    let mut crowd = Crowd {
        rehearsal,
        host: node.to_string(),
        poll: Poll::new()?,
        began: Instant::now(),
        lines: people.iter().map(|_| None).collect(),
        due: people.iter().enumerate().map(|(number, person)| Reverse((person.due, number))).collect(),
        people,
        more: Vec::new(),
        open: 0,
        open_max: free_descriptors()?.saturating_sub(DESCRIPTORS_LEFT),
        hearing: 0,
        heard_lately: VecDeque::from([(0, 0)]),
        buffer: vec![0; 65_536],
        felt: Felt::default(),
    };
    crowd.run(told, asked)?;
    Ok(crowd.ends())
}

impl Crowd<'_> {
    fn run(
        &mut self,
        told: &mut dyn FnMut(&Progress) -> bool,
        asked: &mut dyn FnMut() -> Option<u64>,
    ) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(EVENTS_AT_ONCE);
        let mut looked = Duration::ZERO;
        loop {
            for _ in 0..DUE_AT_ONCE {
                let now = self.began.elapsed();
                let next = self.due.peek().copied().filter(|Reverse((at, _))| *at <= now);
                let Some(Reverse((at, who))) = next else { break };
                self.due.pop();
                self.is_due(now, (at, who));
            }
            let is_busy = !self.more.is_empty();
            match self.poll.poll(&mut events, Some(if is_busy { Duration::ZERO } else { LOOK })) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error.into()),
                Ok(()) | Err(_) => {}
            }
            std::mem::take(&mut self.more).into_iter().for_each(|who| self.attend(who));
            events.iter().for_each(|event| self.attend(event.token().0));
            let now = self.began.elapsed();
            if now.saturating_sub(looked) >= TOLD {
                looked = now;
                self.gives_up(now);
                if let Some(said) = asked() {
                    self.compares(said);
                }
                let (came, let_in, hearing) = (self.felt.came, self.felt.let_in, self.hearing);
                if !told(&Progress { passed: now, came, let_in, hearing }) {
                    return Ok(());
                }
            }
            let is_over = self.due.is_empty() && self.open == 0;
            if is_over || now >= self.rehearsal.lasting {
                self.felt.is_whole = is_over;
                return Ok(());
            }
        }
    }

    /// It is time for somebody to ask, or to leave.
    fn is_due(&mut self, now: Duration, (at, who): (Duration, usize)) {
        let person = &mut self.people[who];
        if person.leaves.is_some_and(|leaves| leaves <= now) {
            person.stage = Stage::Gone;
            return self.closes(who);
        }
        if person.stage == Stage::Gone || self.lines[who].is_some() {
            return;
        }
        self.felt.came += u32::from(at == person.due);
        self.felt.late_ms.push(ms(now.saturating_sub(at)));
        if self.open >= self.open_max {
            self.felt.kept_home += 1;
            person.stage = Stage::Gone;
            return;
        }
        let Ok(stream) = connect(source(WING, who as u32), self.rehearsal.node) else {
            // No port, or no memory: that is ours.
            self.felt.kept_home += 1;
            self.people[who].stage = Stage::Gone;
            return;
        };
        let out = self.people[who].request(at, (&self.rehearsal.room, &self.host));
        let is_program = self.people[who].stage == Stage::Program;
        let hears = is_program.then(Box::<Hears>::default);
        let mut reader = Reader::default();
        reader.asked(Body::Kept);
        let mut line = Line { stream, out, sent: 0, asked: now, hears, reader };
        let both = Interest::READABLE | Interest::WRITABLE;
        if self.poll.registry().register(&mut line.stream, Token(who), both).is_err() {
            return self.broke(now, who, "broken");
        }
        self.lines[who] = Some(line);
        self.open += 1;
    }

    fn attend(&mut self, who: usize) {
        let Some(line) = self.lines.get_mut(who).and_then(Option::as_mut) else { return };
        let goes = line.goes_on(&mut self.buffer);
        let now = self.began.elapsed();
        if line.hears.as_mut().is_some_and(|hears| std::mem::take(&mut hears.is_fresh)) {
            self.has_sound(now, who);
        }
        match goes {
            Goes::On => {}
            Goes::More => self.more.push(who),
            Goes::Answered(answer) => {
                self.closes(who);
                self.is_answered(now, who, &answer);
            }
            Goes::Ended => {
                self.closes(who);
                let wait = self.people[who].broken();
                self.due.push(Reverse((now + wait, who)));
            }
            Goes::Refused => {
                self.closes(who);
                self.broke(now, who, "refused");
            }
            Goes::Broke => {
                self.closes(who);
                self.broke(now, who, "broken");
            }
        }
    }

    fn is_answered(&mut self, now: Duration, who: usize, answer: &Answer) {
        self.counts(answer);
        let had_pass = self.people[who].let_in.is_some();
        match self.people[who].answered(now, answer) {
            Ok(again) => self.due.extend(again.map(|wait| Reverse((now + wait, who)))),
            Err(Malformed) => self.broke(now, who, "malformed"),
        }
        self.felt.let_in += u32::from(!had_pass && self.people[who].let_in.is_some());
    }

    fn counts(&mut self, answer: &Answer) {
        match answer.status {
            200..300 | 410 => {}
            503 => self.felt.put_off += 1,
            status => *self.felt.errors.entry(status.to_string()).or_default() += 1,
        }
    }

    fn has_sound(&mut self, now: Duration, who: usize) {
        let Some(hears) = self.lines[who].as_mut().and_then(|line| line.hears.as_mut()) else { return };
        if !std::mem::replace(&mut hears.has_sound, true) {
            self.hearing += 1;
            self.notes_hearing();
        }
        let person = &mut self.people[who];
        person.sounds(now);
        if person.heard.is_none() {
            person.heard = Some(now);
            self.felt.heard += 1;
            let leaves = now + self.rehearsal.stay;
            person.leaves = Some(leaves);
            self.due.push(Reverse((leaves, who)));
        }
    }

    fn notes_hearing(&mut self) {
        let hearing = self.hearing;
        self.felt.hearing_max = self.felt.hearing_max.max(hearing);
        if let Some((least, most)) = self.heard_lately.back_mut() {
            (*least, *most) = ((*least).min(hearing), (*most).max(hearing));
        }
    }

    /// Holds what the room says against what was so within the seconds of which it tells.
    fn compares(&mut self, said: u64) {
        let least = self.heard_lately.iter().map(|(least, _)| *least).min().unwrap_or_default();
        let most = self.heard_lately.iter().map(|(_, most)| *most).max().unwrap_or_default();
        let nearest = u32::try_from(said).unwrap_or(u32::MAX).clamp(least, most);
        let off = |(said, nearest): (u64, u32)| said.abs_diff(nearest.into());
        // Of moments that are as far off the one in which most heard it says most.
        let weight = |counts: (u64, u32)| (off(counts), counts.1);
        if self.felt.counts.is_none_or(|counts| weight((said, nearest)) > weight(counts)) {
            self.felt.counts = Some((said, nearest));
        }
        self.heard_lately.push_back((self.hearing, self.hearing));
        if self.heard_lately.len() > COUNTS_OF {
            self.heard_lately.pop_front();
        }
    }

    fn broke(&mut self, now: Duration, who: usize, how: &str) {
        *self.felt.errors.entry(how.to_owned()).or_default() += 1;
        let wait = self.people[who].broken();
        self.due.push(Reverse((now + wait, who)));
    }

    fn closes(&mut self, who: usize) {
        let Some(line) = self.lines[who].take() else { return };
        self.open -= 1;
        if let Some(hears) = line.hears.filter(|hears| hears.has_sound) {
            self.hearing -= 1;
            self.notes_hearing();
            self.felt.missing += hears.pages.missing;
        }
    }

    /// Whoever waits too long for an answer, or for sound.
    fn gives_up(&mut self, now: Duration) {
        for who in 0..self.lines.len() {
            let is_vain = self.lines[who].as_ref().is_some_and(|line| {
                let since = self.people[who].last.filter(|_| line.hears.is_some()).unwrap_or(line.asked);
                now.saturating_sub(since.max(line.asked)) > PATIENCE
            });
            if is_vain {
                self.closes(who);
                self.broke(now, who, "unanswered");
            }
        }
    }

    fn ends(mut self) -> Felt {
        let now = self.began.elapsed();
        for who in 0..self.lines.len() {
            self.closes(who);
        }
        let mut felt = self.felt;
        for person in &mut self.people {
            person.is_silent_until(now);
            felt.silence_ms.extend(person.heard.map(|_| ms(person.silence)));
            felt.still_waiting += u32::from(person.stage != Stage::Gone && person.heard.is_none());
            let since_due = |at: Duration| ms(at.saturating_sub(person.due));
            felt.waited_ms.extend(person.let_in.map(since_due));
            felt.to_sound_ms.extend(person.heard.map(since_due));
            let first = person.heard.zip(person.asked).map(|(heard, asked)| ms(heard.saturating_sub(asked)));
            felt.first_sound_ms.extend(first);
        }
        let lists = [&mut felt.waited_ms, &mut felt.to_sound_ms, &mut felt.first_sound_ms];
        lists
            .into_iter()
            .chain([&mut felt.silence_ms, &mut felt.late_ms])
            .for_each(|list| list.sort_unstable());
        felt
    }
}

impl Line {
    fn goes_on(&mut self, buffer: &mut [u8]) -> Goes {
        while self.sent < self.out.len() {
            match self.stream.write(&self.out[self.sent..]) {
                Ok(sent) => self.sent += sent,
                Err(error) => return failed(&error),
            }
        }
        for _ in 0..READS_AT_ONCE {
            match self.stream.read(buffer) {
                Ok(0) => {
                    let whole = self.reader.end().filter(|_| self.hears.is_none());
                    return whole.map_or(Goes::Broke, Goes::Answered);
                }
                Ok(read) => {
                    let goes = self.takes(&buffer[..read]);
                    if !matches!(goes, Goes::On) {
                        return goes;
                    }
                }
                Err(error) => return failed(&error),
            }
        }
        Goes::More
    }

    fn takes(&mut self, bytes: &[u8]) -> Goes {
        let Some(hears) = &mut self.hears else {
            let mut found = None;
            return match self.reader.take(bytes, |answer| found = Some(answer)) {
                Ok(()) => found.map_or(Goes::On, Goes::Answered),
                Err(_) => Goes::Broke,
            };
        };
        if hears.is_in {
            return hears.takes(bytes);
        }
        hears.head.extend_from_slice(bytes);
        let Some(end) = hears.head.windows(4).position(|four| four == b"\r\n\r\n") else {
            return if hears.head.len() > HEAD_BYTES_MAX { Goes::Broke } else { Goes::On };
        };
        if hears.head.starts_with(b"HTTP/1.1 200") {
            hears.is_in = true;
            let body = hears.head.split_off(end + 4);
            return hears.takes(&body);
        }
        // A refusal is an answer like any other.
        let head = std::mem::take(&mut hears.head);
        self.hears = None;
        self.takes(&head)
    }
}

impl Hears {
    fn takes(&mut self, bytes: &[u8]) -> Goes {
        let (mut finished, pages) = (0, &mut self.pages);
        self.chunks.take(bytes, |data| finished += pages.take(data));
        self.is_fresh |= finished > 0;
        match (self.pages.is_broken, self.chunks.is_over()) {
            (true, _) => Goes::Broke,
            (false, true) => Goes::Ended,
            (false, false) => Goes::On,
        }
    }
}

fn failed(error: &io::Error) -> Goes {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected | io::ErrorKind::Interrupted => Goes::On,
        io::ErrorKind::ConnectionRefused => Goes::Refused,
        _ => Goes::Broke,
    }
}

fn ms(time: Duration) -> u32 {
    u32::try_from(time.as_millis()).unwrap_or(u32::MAX)
}
