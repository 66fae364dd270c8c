//! The world: a queue of moments, and what happens at each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest, Sha256};
use tribune_core::egress::{Cursor, Step};
use tribune_core::mix::{InletId, Input, Kind, Levelling, OnAir, Spec};
use tribune_core::program::{Part, PartNo, Renditions};
use tribune_core::time::{FRAME_MS, Time, WallTime};

use crate::Planted;
use crate::dice::Dice;
use crate::history::{Heard, History};
use crate::node::{Node, renditions};
use crate::recorder::Recorder;
use crate::source::Source;
use crate::story::{Act, Story};

/// What the mix may still play of a source after its sound should be over: its margin, and the two seconds
/// before the hold sound.
const LINGER_MS: u64 = 2_600;
/// How long a client takes to come back after the process was killed.
const RECONNECT_MS: (u64, u64) = (50, 600);
/// The clock on the wall when it begins.
const WALL_MS: i64 = 1_723_507_200_000;

/// Something that happens at a moment.
#[derive(Clone, Copy, Debug)]
enum Moment {
    Act(Act),
    /// A packet of a source arrives; only while it still has the inlet it was sent to.
    Packet(usize, InletId),
    /// The clock's thread wakes in the life of this number.
    Wake(usize),
    /// A new process starts.
    Start,
    /// From here on everything is well.
    Heal,
    /// The host ends the room.
    End,
}

/// A listener's connection.
struct Ear {
    cursor: Option<Cursor>,
    asleep_until: Time,
    heard: Vec<Heard>,
}

/// A room, its people and its machine.
pub struct World {
    planted: Planted,
    story: Story,
    dice: Dice,
    now: Time,
    wall_offset_ms: i64,
    queue: BTreeMap<(Time, u64), Moment>,
    queued: u64,
    renditions: Arc<Renditions>,
    node: Option<Node>,
    recorder: Recorder,
    sources: Vec<Source>,
    inlets: u32,
    ears: Vec<Ear>,
    /// For each source, when the sound it has sent so far is over.
    sound_until: Vec<Time>,
    last_part: Option<(Time, PartNo)>,
    live_from: Option<Time>,
    history: History,
}

impl World {
    /// The world of a story, with a fault planted in its wiring or none.
    pub fn new(story: Story, planted: Planted) -> Self {
        let renditions = renditions();
        let ear = || Ear { cursor: None, asleep_until: Time::ZERO, heard: Vec::new() };
        let history = History {
            wake_ms_max: story.swarm.wake_ms_max,
            live_from: None,
            healed_from: story.healed_from(),
            fed_at_end: true,
            lives: Vec::new(),
            ears: Vec::new(),
            kept: Vec::new(),
            complaints: Vec::new(),
        };
        let mut world = Self {
            planted,
            dice: story.dice.clone(),
            now: Time::ZERO,
            wall_offset_ms: WALL_MS,
            queue: BTreeMap::new(),
            queued: 0,
            node: None,
            recorder: Recorder::new(&renditions, [0, 1]),
            renditions,
            sources: story.sources.iter().cloned().map(Source::new).collect(),
            inlets: 0,
            ears: (0..story.listeners).map(|_| ear()).collect(),
            sound_until: vec![Time::ZERO; story.sources.len()],
            last_part: None,
            live_from: None,
            history,
            story,
        };
        world.schedule();
        world
    }

    /// Lives it to the end.
    pub fn run(mut self) -> History {
        while let Some(((at, _), moment)) = self.queue.pop_first() {
            self.now = at;
            match moment {
                Moment::Act(act) => self.act(act),
                Moment::Packet(source, inlet) => self.packet(source, inlet),
                Moment::Wake(life) => self.wake(life),
                Moment::Start => self.start(),
                Moment::Heal => self.sources.iter_mut().for_each(Source::heal),
                Moment::End => {
                    self.end();
                    break;
                }
            }
        }
        let (kept, complaints) = self.recorder.read_back(&self.renditions);
        let ears = self.ears.into_iter().map(|ear| ear.heard).collect();
        History { live_from: self.live_from, ears, kept, complaints, ..self.history }
    }

    fn schedule(&mut self) {
        self.at(Time::ZERO, Moment::Start);
        for (at, act) in self.story.acts.clone() {
            self.at(at, Moment::Act(act));
        }
        self.at(self.story.healed_from(), Moment::Heal);
        self.at(self.story.ends(), Moment::End);
    }

    fn at(&mut self, at: Time, moment: Moment) {
        self.queued += 1;
        self.queue.insert((at, self.queued), moment);
    }

    fn in_ms(&self, ms: u64) -> Time {
        self.now + Duration::from_millis(ms)
    }

    fn wall(&self) -> WallTime {
        WallTime(self.wall_offset_ms + (self.now.nanos() / 1_000_000) as i64)
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Open(source) => self.open(source),
            Act::Stall(source, ms) => {
                let until = self.in_ms(ms).min(self.story.healed_from());
                self.sources[source].stall(until);
            }
            Act::Die(source) => self.close(source),
            Act::Replace(source) => {
                self.close(source);
                self.sources[source].replace_sender();
                self.open(source);
            }
            Act::GoLive => self.go_live(),
            Act::Join(listener) => self.join(listener),
            Act::Sleep(listener, ms) => self.ears[listener].asleep_until = self.in_ms(ms),
            Act::Leave(listener) => self.ears[listener].cursor = None,
            Act::WallJumps(ms) => self.wall_offset_ms += ms,
            Act::Crash(down_ms) => self.crash(down_ms),
        }
    }

    /// A source that finds no process tries again.
    fn open(&mut self, source: usize) {
        if self.sources[source].inlet().is_some() {
            return;
        }
        let Some(node) = &mut self.node else {
            let later = self.dice.between(RECONNECT_MS.0, RECONNECT_MS.1);
            self.at(self.in_ms(later), Moment::Act(Act::Open(source)));
            return;
        };
        let inlet = InletId(self.inlets);
        self.inlets += 1;
        let spec = Spec { name: format!("source{source}"), levelling: Levelling::On, backup_for: None };
        node.tell(self.now, Input::Open { inlet, spec });
        self.sources[source].connect(self.now, inlet);
        self.send_next(source, inlet);
    }

    fn close(&mut self, source: usize) {
        if let (Some(inlet), Some(node)) = (self.sources[source].disconnect(), &mut self.node) {
            node.tell(self.now, Input::Close { inlet });
        }
    }

    fn send_next(&mut self, source: usize, inlet: InletId) {
        let arrives = self.sources[source].next_arrival(&mut self.dice);
        self.at(arrives, Moment::Packet(source, inlet));
    }

    fn packet(&mut self, source: usize, inlet: InletId) {
        if self.sources[source].inlet() != Some(inlet) {
            return;
        }
        let pcm = self.sources[source].packet();
        let lasts = Duration::from_micros((pcm.millis() * 1_000.0) as u64);
        self.sound_until[source] = self.sound_until[source].max(self.now) + lasts;
        let deaf = self.planted == Planted::Deaf && inlet.0 as usize >= self.sources.len();
        if let (Some(node), false) = (&mut self.node, deaf) {
            node.tell(self.now, Input::Sound { inlet, pcm });
        }
        self.send_next(source, inlet);
    }

    fn go_live(&mut self) {
        self.live_from.get_or_insert(self.now);
        if let Some(node) = &mut self.node {
            node.tell(self.now, Input::OnAir(OnAir::Program));
        }
    }

    fn start(&mut self) {
        let first = match (self.last_part, self.planted) {
            (None, _) => PartNo(0),
            (Some((_, last)), Planted::NumbersReused) => last.next(),
            (Some((cut_at, last)), _) => {
                let lost_ms = self.now.since(cut_at).as_millis() as u64;
                PartNo(last.0 + 1 + lost_ms.div_ceil(tribune_core::program::PART_MS))
            }
        };
        self.node = Some(Node::start(self.now, &self.renditions, first));
        if self.live_from.is_some() {
            self.go_live();
        }
        self.at(self.in_ms(FRAME_MS), Moment::Wake(self.history.lives.len()));
    }

    /// The clock's thread: makes every frame that is due, then sleeps until the next, or a little longer.
    fn wake(&mut self, life: usize) {
        let Some(began) = self.node.as_ref().map(|node| node.life.began) else { return };
        if life != self.history.lives.len() {
            return;
        }
        let uptime_ms = self.now.since(began).as_millis() as u64;
        let due = uptime_ms / FRAME_MS;
        while self.node.as_ref().is_some_and(|node| (node.life.frames.len() as u64) < due) {
            self.tick();
        }
        if self.planted == Planted::FrameTwice && uptime_ms % 1_000 < FRAME_MS {
            self.tick();
        }
        let next = began + Duration::from_millis((due + 1) * FRAME_MS);
        let late = self.dice.between(0, self.story.swarm.wake_ms_max);
        self.at(next + Duration::from_millis(late), Moment::Wake(life));
    }

    fn tick(&mut self) {
        let (now, wall) = (self.now, self.wall());
        let linger = Duration::from_millis(LINGER_MS);
        let fed = self.sound_until.iter().any(|&until| now <= until + linger);
        let Some(part) = self.node.as_mut().and_then(|node| node.tick(now, wall, fed)) else { return };
        self.last_part = Some((now, part.no));
        self.record(&part);
        for listener in 0..self.ears.len() {
            self.listen(listener);
        }
    }

    fn record(&mut self, part: &Part) {
        match self.planted {
            Planted::PartLost if part.no.0 % 17 == 16 => {}
            Planted::HoldAsConversation if part.kind == Kind::Hold => {
                self.recorder.part(&Part { kind: Kind::Conversation, ..part.clone() });
            }
            _ => self.recorder.part(part),
        }
    }

    fn join(&mut self, listener: usize) {
        let Some(node) = &self.node else {
            let later = self.dice.between(RECONNECT_MS.0, RECONNECT_MS.1);
            self.at(self.in_ms(later), Moment::Act(Act::Join(listener)));
            return;
        };
        self.ears[listener].cursor = Some(Cursor::join(node.window()));
        self.ears[listener].heard.push(Heard::Joined);
    }

    fn listen(&mut self, listener: usize) {
        let (Some(node), ear) = (&self.node, &mut self.ears[listener]) else { return };
        let Some(cursor) = ear.cursor.as_mut().filter(|_| self.now >= ear.asleep_until) else { return };
        loop {
            match cursor.step(node.window()) {
                Step::Part(part) => {
                    let old = self.planted == Planted::OldPage && part.no.0 % 13 == 12;
                    let from = if old { node.life.parts.iter().rev().nth(1) } else { None };
                    let page = from.map_or(&part.tracks[0].stream, |seen| &seen.page);
                    ear.heard.push(Heard::Part(part.no, page.clone()));
                }
                Step::Skipped { .. } if self.planted == Planted::SkipUntold => {}
                Step::Skipped { parts } => ear.heard.push(Heard::Skipped(parts)),
                // No simulated node pauses: it dies, or the room ends.
                Step::Wait | Step::Paused => return,
                Step::Ended => {
                    ear.heard.push(Heard::Ended);
                    ear.cursor = None;
                    return;
                }
            }
        }
    }

    /// Everything the process knew is gone; sources and listeners come back once there is a new one.
    fn crash(&mut self, down_ms: u64) {
        let Some(node) = self.node.take() else { return };
        self.bury(node);
        self.recorder.crash(&mut self.dice);
        self.sound_until.fill(self.now);
        for source in 0..self.sources.len() {
            if self.sources[source].disconnect().is_some() {
                self.at(self.in_ms(down_ms), Moment::Act(Act::Open(source)));
            }
        }
        for listener in 0..self.ears.len() {
            if self.ears[listener].cursor.take().is_some() {
                self.at(self.in_ms(down_ms + RECONNECT_MS.0), Moment::Act(Act::Join(listener)));
            }
        }
        self.at(self.in_ms(down_ms), Moment::Start);
    }

    fn end(&mut self) {
        let Some(mut node) = self.node.take() else { return };
        node.end();
        self.node = Some(node);
        for listener in 0..self.ears.len() {
            self.ears[listener].asleep_until = self.now;
            self.listen(listener);
        }
        self.recorder.end(self.wall());
        if let Some(node) = self.node.take() {
            self.bury(node);
        }
    }

    fn bury(&mut self, mut node: Node) {
        node.life.ended = self.now;
        self.history.lives.push(node.life);
    }
}

/// A hash over everything that came out: equal for equal seeds.
pub fn digest(history: &History) -> String {
    let mut hash = Sha256::new();
    for frame in history.lives.iter().flat_map(|life| &life.frames) {
        hash.update(frame.at.nanos().to_be_bytes());
        hash.update(frame.peak.to_be_bytes());
    }
    for part in history.parts() {
        hash.update(part.no.0.to_be_bytes());
        hash.update(&part.page);
    }
    hash.update(format!("{:?}{:?}", history.ears, history.kept));
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
