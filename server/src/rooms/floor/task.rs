//! The task that owns one room's stage: walks the machine, turns the mix's knobs, shows everybody the result.
//!
//! It waits for nobody: connections and the mix are read as they are, the disk is told by another task.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior};
use tribune_core::ingest::speaker::Way;
use tribune_core::mix::Muted;
use tribune_core::room::floor::{Answer, Floor as Machine, Input, Kept, Output, Reach, Standing, Visit};
use tribune_core::room::{Caller, Name, PersonId, PersonName, Refused, Role};
use tribune_core::time::Time;

use super::connection::Connection;
use super::keeper::{Answering, Place, WRITINGS_MAX, Writing, keep};
use super::shown::{Shown, is_heard, speaks};
use super::turns::{Turns, live_part};
use super::{ASKS_MAX, AUDIENCE_ASKS_MAX, Ask, Attendance, Floor};
use crate::ops::stage::StageMetrics;
use crate::program::ears::{Heard, Position, Voice};
use crate::program::{Ears, Given, Knob, Sort};
use crate::rooms::Node;
use crate::rooms::handle::View;
use crate::store::Audit;

/// A knob that the clock had no time for is turned again after a frame.
const TURN_AGAIN: Duration = Duration::from_millis(20);
/// What the audit calls it.
const COMES: &str = "come";
const LEAVES: &str = "leave";
/// Sources come and go without a word to the stage; they are looked at this often.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What a stage begins with.
pub(in crate::rooms) struct Begin {
    /// Who was known.
    pub kept: Vec<Kept>,
    /// What the room says.
    pub room: watch::Receiver<Arc<View>>,
    /// Where its recording lies.
    pub folder: PathBuf,
}

/// One stage.
pub(in crate::rooms) struct Task {
    node: Arc<Node>,
    name: Name,
    machine: Machine,
    asks: mpsc::Receiver<Ask>,
    audience: mpsc::Receiver<Ask>,
    room: watch::Receiver<Arc<View>>,
    changed: Arc<Notify>,
    ears: Ears,
    heard: Arc<Heard>,
    attending: BTreeMap<Visit, Attending>,
    shown: watch::Sender<Arc<Shown>>,
    speaking: watch::Sender<Arc<BTreeSet<PersonId>>>,
    writings: mpsc::Sender<Writing>,
    turns: Turns,
    /// While somebody is on the stage or asks to be.
    metrics: Option<StageMetrics>,
    turn_again: Option<Time>,
    /// Who has come on the stage and not left it, as the audit has it.
    present: BTreeMap<PersonId, Present>,
}

/// Somebody on the stage.
struct Present {
    caller: Caller,
    name: PersonName,
}

/// One connection.
struct Attending {
    connection: Arc<Connection>,
    reach: Option<Reach>,
    knob: Option<Knob>,
    turned: Muted,
    counted: Counted,
}

/// What of a connection is in the metrics already.
#[derive(Clone, Copy, Default)]
struct Counted {
    lost: u64,
    concealed_samples: u64,
    echoes: u64,
    clippings: u64,
}

enum Woken {
    Ask(Option<Ask>),
    Changed,
    Room(bool),
    Deadline,
    Look,
}

impl Task {
    /// A stage that does not go yet, with what it is spoken to by and what its programs are heard by.
    pub(in crate::rooms) fn new(node: &Arc<Node>, begin: Begin) -> (Self, Floor, Ears) {
        let (asks, asked) = mpsc::channel(ASKS_MAX);
        let (audience, audience_asked) = mpsc::channel(AUDIENCE_ASKS_MAX);
        let changed = Arc::new(Notify::new());
        let ears = Ears::new(changed.clone());
        let facts = begin.room.borrow().facts.clone();
        let machine = Machine::new(node.now(), facts.state, begin.kept);
        let (shown, watching) =
            watch::channel(Arc::new(Shown::new(&machine, &BTreeMap::new(), (facts.state, Vec::new()))));
        let (speaking, listening) = watch::channel(Arc::new(BTreeSet::new()));
        let (writings, written) = mpsc::channel(WRITINGS_MAX);
        let store = node.setup.store.clone();
        let place = Place { store, room: facts.name.clone(), folder: begin.folder };
        tokio::spawn(keep(place, written));
        let task = Self {
            name: facts.name.clone(),
            metrics: None,
            node: node.clone(),
            machine,
            asks: asked,
            audience: audience_asked,
            room: begin.room,
            changed,
            ears: ears.clone(),
            heard: Arc::default(),
            attending: BTreeMap::new(),
            shown,
            speaking,
            writings,
            turns: Turns::default(),
            turn_again: None,
            present: BTreeMap::new(),
        };
        (task, Floor { asks, audience, shown: watching, speaking: listening }, ears)
    }

    /// Until the room is removed or the node stops.
    pub(in crate::rooms) async fn run(mut self) {
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let deadline = self.deadline();
            let woken = tokio::select! {
                biased;
                ask = self.asks.recv() => Woken::Ask(ask),
                () = self.changed.notified() => Woken::Changed,
                room = self.room.changed() => Woken::Room(room.is_ok()),
                () = sleep_until(deadline) => Woken::Deadline,
                Some(ask) = self.audience.recv() => Woken::Ask(Some(ask)),
                _ = look.tick() => Woken::Look,
            };
            match woken {
                Woken::Ask(None) | Woken::Room(false) => return,
                Woken::Ask(Some(ask)) => self.obey(ask),
                Woken::Changed => self.listen(),
                Woken::Room(true) => {
                    let state = self.room.borrow_and_update().facts.state;
                    self.input(Input::Room(state));
                }
                Woken::Deadline => self.input(Input::Timeout),
                Woken::Look => {}
            }
            self.turn_knobs();
            self.show();
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let due = self.machine.poll_timeout().map(|(at, _)| at).into_iter().chain(self.turn_again).min();
        due.and_then(|at| self.node.setup.world.instant(at)).map(Instant::from)
    }

    fn obey(&mut self, ask: Ask) {
        match ask {
            Ask::Command { by, command, answer } => {
                self.machine.handle_input(self.node.now(), Input::Command { by, command });
                match self.drain() {
                    Some(Ok(_)) => self.keep(Some(Answering { answer })),
                    Some(Err(refused)) => {
                        let _ = answer.send(Err(refused));
                    }
                    None => {}
                }
            }
            Ask::Come { coming, answer } => {
                // Whoever has just gone makes room.
                self.listen();
                self.machine.handle_input(self.node.now(), Input::Come(coming));
                if let Some(said) = self.drain() {
                    // Whoever comes may have left; then what stands for their connection goes with it.
                    let _ = answer.send(said.and_then(|said| self.attend(said)));
                    self.keep(None);
                }
            }
            Ask::Opened { attendance, knob } => {
                if let Some(attending) = self.attending.get_mut(&attendance) {
                    attending.knob = Some(knob);
                }
            }
        }
    }

    fn attend(&mut self, said: Answer) -> Result<Attendance, Refused> {
        let Answer::Admitted(visit) = said else { unreachable!("who comes is admitted or refused") };
        for (before, attending) in &self.attending {
            if self.machine.person_of(*before).is_none() {
                attending.connection.replace();
            }
        }
        let connection = Connection::new(self.changed.clone());
        let attendance = connection.attendance(visit);
        let attending = Attending {
            connection,
            reach: None,
            knob: None,
            turned: Muted::Yes,
            counted: Counted::default(),
        };
        self.attending.insert(visit, attending);
        Ok(attendance)
    }

    /// Reads how connections stand, and what the mix hears.
    fn listen(&mut self) {
        let mut reached = Vec::new();
        for (visit, attending) in &mut self.attending {
            let reach = attending.connection.reach();
            if reach != attending.reach {
                attending.reach = reach;
                reached.extend(reach.map(|reach| (*visit, reach)));
            }
        }
        for (visit, reach) in reached {
            self.input(Input::Reach(visit, reach));
            if reach == Reach::Gone {
                self.attending.remove(&visit);
            }
        }
        self.heard = self.ears.now();
        self.count_sound();
    }

    fn input(&mut self, input: Input) {
        self.machine.handle_input(self.node.now(), input);
        self.drain();
    }

    fn drain(&mut self) -> Option<Result<Answer, Refused>> {
        let (mut answer, mut is_changed) = (None, false);
        while let Some(output) = self.machine.poll_output() {
            match output {
                // Which way is read off the machine when the knobs are turned, right after this.
                Output::Sound(..) => {}
                Output::Disconnect(visit) => {
                    if let Some(attending) = self.attending.get(&visit) {
                        attending.connection.end();
                        self.node.setup.programs.to_stage.look();
                    }
                }
                Output::Removed(_) => {}
                Output::Changed => is_changed = true,
                Output::Answer(said) => answer = Some(said),
            }
        }
        self.turn_knobs();
        if is_changed && answer.is_none() {
            self.keep(None);
        }
        answer
    }

    /// Has the mix take the sound of who is heard, and of nobody else.
    fn turn_knobs(&mut self) {
        self.turn_again = None;
        let now = self.node.setup.world.now();
        for (visit, attending) in &mut self.attending {
            let wanted = if is_heard(&self.machine, *visit) { Muted::No } else { Muted::Yes };
            let Some(knob) = attending.knob.as_ref().filter(|_| attending.turned != wanted) else { continue };
            match knob.turn(wanted) {
                Given::Yes | Given::Over => attending.turned = wanted,
                Given::Full => self.turn_again = Some(now + TURN_AGAIN),
            }
        }
    }

    fn keep(&mut self, answering: Option<Answering>) {
        self.show();
        let writing = Writing::Floor(self.machine.kept(), answering);
        if let Err(refused) = self.writings.try_send(writing) {
            // A disk that far behind is in the log already; what comes next is kept with this.
            if let Writing::Floor(_, Some(answering)) = refused.into_inner() {
                answering.give();
            }
        }
    }

    /// What the mix hears of each person on the stage.
    fn voices(&self) -> BTreeMap<PersonId, &Voice> {
        let mut voices = BTreeMap::new();
        for (visit, attending) in &self.attending {
            let person = self.machine.person_of(*visit);
            let voice = attending.knob.as_ref().and_then(|knob| self.heard.voice(knob.place()));
            if let (Some(person), Some(voice)) = (person, voice) {
                voices.insert(person.id().clone(), voice);
            }
        }
        voices
    }

    /// Shows everybody what is new.
    fn show(&mut self) {
        let voices = self.voices();
        let mut speaking = BTreeSet::new();
        let mut on_air: BTreeMap<PersonId, (String, Position)> = BTreeMap::new();
        for person in self.machine.stage() {
            let voice = voices.get(person.id()).copied();
            if !speaks(person, voice) {
                continue;
            }
            speaking.insert(person.id().clone());
            if let Some(since) = voice.and_then(|voice| voice.speaking).flatten() {
                on_air.insert(person.id().clone(), (person.name().as_str().to_owned(), since));
            }
        }
        let view = self.room.borrow().clone();
        let sources = view.program.as_ref().map(|program| program.sources().names(Sort::Source));
        let state = (view.facts.state, sources.unwrap_or_default());
        let mut shown = Shown::new(&self.machine, &voices, state);
        self.turns.hear(self.heard.live, on_air);
        (shown.turns, shown.live_part) = (self.turns.recent(), live_part(self.heard.live));
        let fresh = self.turns.take_fresh();
        if !fresh.is_empty() {
            // Turns that the disk has no time for are heard all the same.
            let _ = self.writings.try_send(Writing::Turns(fresh));
        }
        self.note_who_is_here();
        self.count_people();
        if **self.speaking.borrow() != speaking {
            self.speaking.send_replace(Arc::new(speaking));
        }
        if !self.shown.borrow().is_same(&shown) {
            self.shown.send_replace(Arc::new(shown));
        }
    }

    /// Writes down who came on the stage and who left it. Whoever is away for a moment has not left.
    fn note_who_is_here(&mut self) {
        let mut lines = Vec::new();
        for person in self.machine.stage().filter(|person| person.is_here()) {
            if self.present.contains_key(person.id()) {
                continue;
            }
            let caller = Caller::Of(if person.is_guest() { Role::Listener } else { person.rank() });
            lines.push((person.id().clone(), person.name().clone(), caller, COMES));
            let present = Present { caller, name: person.name().clone() };
            self.present.insert(person.id().clone(), present);
        }
        let on_stage: BTreeSet<_> = self.machine.stage().map(tribune_core::room::floor::Person::id).collect();
        for (id, Present { caller, name }) in self.present.extract_if(.., |id, _| !on_stage.contains(id)) {
            lines.push((id, name, caller, LEAVES));
        }
        for (id, name, caller, act) in lines {
            let at = self.node.setup.world.wall();
            let person = Some((id, name));
            let line = Audit { at, caller, person, act, whom: None, outcome: "done" };
            if self.writings.try_send(Writing::Audit(line)).is_err() {
                tracing::warn!(room = %self.name, act, "audit_not_kept");
            }
        }
    }

    fn count_people(&mut self) {
        let metrics = &self.node.setup.programs.metrics;
        let requests = self.machine.requests().len();
        if self.machine.stage().next().is_none() && requests == 0 {
            if self.metrics.take().is_some() {
                metrics.forget_stage(self.name.as_str());
            }
            return;
        }
        let told = self.metrics.get_or_insert_with(|| metrics.stage(self.name.as_str()));
        let here = self.machine.stage().filter(|person| person.is_here()).count();
        let holds = self.machine.stage().filter(|person| person.standing() == Standing::Holds).count();
        for (gauge, count) in [(&told.people, here), (&told.holders, holds), (&told.requests, requests)] {
            gauge.set(count as i64);
        }
    }

    /// Adds what the mix has counted since to the metrics.
    fn count_sound(&mut self) {
        let Some(metrics) = &self.metrics else { return };
        let mut worst = Way { held_back_ms: 0.0, lost_share: 0.0 };
        for attending in self.attending.values_mut() {
            let Some(voice) = attending.knob.as_ref().and_then(|knob| self.heard.voice(knob.place())) else {
                continue;
            };
            let before = std::mem::replace(&mut attending.counted, Counted::of(voice));
            metrics.echoes.inc_by(voice.echo.times - before.echoes);
            metrics.clippings.inc_by(voice.clipping.times - before.clippings);
            metrics.lost.inc_by(attending.counted.lost - before.lost);
            metrics.concealed_samples.inc_by(attending.counted.concealed_samples - before.concealed_samples);
            if let Some(way) = voice.way {
                worst.held_back_ms = worst.held_back_ms.max(way.held_back_ms);
                worst.lost_share = worst.lost_share.max(way.lost_share);
            }
        }
        metrics.held_back.set(worst.held_back_ms / 1_000.0);
        metrics.lost_share.set(worst.lost_share);
    }
}

impl Counted {
    fn of(voice: &Voice) -> Self {
        Self {
            lost: voice.counts.lost,
            concealed_samples: voice.counts.concealed_samples,
            echoes: voice.echo.times,
            clippings: voice.clipping.times,
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
