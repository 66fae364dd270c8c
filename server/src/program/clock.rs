//! The 20 ms clock: obey what came in, mix one frame, hand a finished part on; never wait for anybody.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tribune_core::mix::{self, Event, HoldSound, InletId, Kind, Mixer, Muted};
use tribune_core::program::{self, Cutter, Part, PartNo, Renditions};
use tribune_core::reason::Refusal;
use tribune_core::room::Name;
use tribune_core::time::{FRAME_MS, Time};

use super::ears::{Notes, Position, position};
use super::inlet::Gauge;
use super::minus::{Minus, ProgramId, ToStage};
use super::{COMMANDS_MAX, Command, Env, Spec, Voice};
use crate::ops::RoomMetrics;
use crate::ops::logs::{Budget, Repeats};
use crate::recording::Recorder;
use crate::window::{Crossing, Halt};
use crate::world::World;

const FRAME: Duration = Duration::from_millis(FRAME_MS);
/// A stall up to this long is caught up frame by frame; after a longer one (a machine that slept) the program
/// goes on with a gap.
const CATCH_UP_MS_MAX: u64 = 2_000;

static ENCODER_FAILED: Repeats = Repeats::new();

/// What the clock starts with.
pub(super) struct Begin<'a> {
    /// Which run of which room's program this is.
    pub id: ProgramId,
    /// What is cut.
    pub renditions: &'a Arc<Renditions>,
    /// The number of the first part, the start of a segment.
    pub first: PartNo,
    /// Where parts are sealed and kept.
    pub recorder: Arc<Recorder>,
    /// Where parts cross to the audience.
    pub crossing: mpsc::Sender<Crossing>,
    /// What is to be obeyed.
    pub commands: Receiver<Command>,
    /// What is heard on hold.
    pub hold: HoldSound,
}

/// The way to those on stage.
struct Stage {
    to: ToStage,
    program: ProgramId,
    /// The frame in the making, counted from the program's first.
    frame: u64,
}

impl Stage {
    fn next(&mut self) -> Minus {
        self.frame += 1;
        Minus { program: self.program, frame: self.frame, own: Vec::new(), others: None }
    }
}

/// The thread's state; it has no other owner.
pub(super) struct Clock {
    world: World,
    metrics: RoomMetrics,
    room: Name,
    mixer: Mixer,
    cutter: Cutter,
    next: PartNo,
    recorder: Arc<Recorder>,
    crossing: mpsc::Sender<Crossing>,
    commands: Receiver<Command>,
    gauges: BTreeMap<InletId, Arc<Gauge>>,
    stage: Stage,
    notes: Notes,
    /// Frames in the part in flight.
    frames_cut: u64,
    last_kind: Kind,
    /// Sources that come and go all the time fill no log.
    events: Budget,
    /// Who waits until the hold sound before is over.
    held: Vec<oneshot::Sender<()>>,
    /// Why the thread stops with the part in flight, and who waits for it, once somebody does.
    stopping: Option<(Halt, oneshot::Sender<()>)>,
}

impl Clock {
    pub(super) fn new(env: &Env, spec: &Spec, begin: Begin<'_>) -> anyhow::Result<Self> {
        let now = env.world.now();
        let mut mixer = Mixer::new();
        mixer.handle_input(now, mix::Input::OnAir(spec.on_air));
        mixer.handle_input(now, mix::Input::HoldSound(begin.hold));
        Ok(Self {
            world: env.world,
            metrics: env.metrics.room(spec.room.as_str()),
            room: spec.room.clone(),
            mixer,
            cutter: Cutter::new(begin.renditions.clone(), begin.first)?,
            next: begin.first,
            recorder: begin.recorder,
            crossing: begin.crossing,
            commands: begin.commands,
            gauges: BTreeMap::new(),
            events: Budget::new(now),
            notes: Notes::new(spec.ears.clone(), begin.id),
            frames_cut: 0,
            last_kind: Kind::Hold,
            stage: Stage { to: env.to_stage.clone(), program: begin.id, frame: 0 },
            held: Vec::new(),
            stopping: None,
        })
    }

    pub(super) fn run(mut self) {
        let span = tracing::info_span!("program", room = %self.room);
        let _entered = span.enter();
        let mut due = self.world.now() + FRAME;
        loop {
            self.obey_until(due);
            let now = self.world.now();
            let late = now.since(due);
            self.count_lateness(late);
            if late > Duration::from_millis(CATCH_UP_MS_MAX) {
                due = self.skip(now, late);
                continue;
            }
            if self.frame(due) && self.stopping.is_some() {
                break;
            }
            due = due + FRAME;
        }
        self.close();
    }

    /// Takes commands until the next frame is due. When it is due already, those that wait are taken and no
    /// others: however much is sent, the frame comes.
    fn obey_until(&mut self, due: Time) {
        for _ in 0..COMMANDS_MAX {
            let wait = due.since(self.world.now());
            if wait.is_zero() {
                let Ok(command) = self.commands.try_recv() else { return };
                self.obey(command);
                continue;
            }
            match self.commands.recv_timeout(wait) {
                Ok(command) => self.obey(command),
                Err(RecvTimeoutError::Timeout) => return,
                // The handle is gone without a word: the node is being torn down, so finish as for a pause.
                Err(RecvTimeoutError::Disconnected) => {
                    self.stopping.get_or_insert_with(|| (Halt::Paused, oneshot::channel().0));
                    self.world.rest(wait);
                    return;
                }
            }
        }
    }

    fn obey(&mut self, command: Command) {
        let now = self.world.now();
        match command {
            Command::Open { inlet, spec, gauge, reply } => {
                let is_speaker = matches!(spec, Voice::Speaker(_));
                let input = match spec {
                    Voice::Source(spec) => mix::Input::Open { inlet, spec },
                    Voice::Speaker(spec) => mix::Input::OpenSpeaker { inlet, spec },
                };
                self.mixer.handle_input(now, input);
                let answer = self.opened(inlet);
                if answer.is_ok() && is_speaker {
                    // Nobody is heard before it is known that they may be.
                    self.mixer.handle_input(now, mix::Input::Mute { inlet, muted: Muted::Yes });
                    self.notes.speaker_opened(inlet);
                }
                if answer.is_ok() {
                    self.gauges.insert(inlet, gauge);
                    self.metrics.inlets_open.set(self.gauges.len() as i64);
                }
                // Whoever asked may have left; then the input closes with its gauge.
                let _ = reply.send(answer);
            }
            Command::Sound { inlet, pcm } => self.mixer.handle_input(now, mix::Input::Sound { inlet, pcm }),
            Command::Packet { inlet, packet } => {
                self.mixer.handle_input(now, mix::Input::Packet { inlet, packet });
            }
            Command::Mute { inlet, muted } => {
                self.mixer.handle_input(now, mix::Input::Mute { inlet, muted });
            }
            Command::OnAir(on_air) => self.mixer.handle_input(now, mix::Input::OnAir(on_air)),
            Command::Hold { sound, reply } => {
                self.mixer.handle_input(now, mix::Input::HoldSound(sound));
                self.held.push(reply);
            }
            Command::Stop { halt, reply } => self.stopping = Some((halt, reply)),
        }
    }

    /// What the mixer said to opening an input.
    fn opened(&mut self, opened: InletId) -> Result<(), Refusal> {
        let mut answer = Ok(());
        while let Some(output) = self.mixer.poll_output() {
            match output {
                mix::Output::Event(Event::Refused { inlet, refusal }) if inlet == opened => {
                    answer = Err(refusal)
                }
                mix::Output::Event(event) => self.note(event),
                mix::Output::Frame(_) | mix::Output::Minus { .. } => unreachable!("only a tick makes sound"),
            }
        }
        answer
    }

    /// Mixes the frame due at `due`; says whether it finished a part.
    fn frame(&mut self, due: Time) -> bool {
        self.close_left_inlets(due);
        self.mixer.handle_input(due, mix::Input::Tick);
        let (mut minus, mut mixed) = (self.stage.next(), None);
        while let Some(output) = self.mixer.poll_output() {
            match output {
                mix::Output::Frame(frame) => mixed = Some(frame),
                mix::Output::Event(event) => self.note(event),
                mix::Output::Minus { whose: Some(inlet), packet } => minus.own.push((inlet, packet)),
                mix::Output::Minus { whose: None, packet } => minus.others = Some(packet),
            }
        }
        self.last_kind = mixed.as_ref().map_or(Kind::Hold, |frame| frame.kind);
        let live = self.live();
        self.notes.look(due, &self.mixer, live);
        // First those who wait for an answer: the audience's encoders take their time.
        self.put_on_stage(minus);
        let finished = mixed.is_some_and(|frame| {
            let finished = self.cut(&frame);
            self.frames_cut = if finished { 0 } else { self.frames_cut + 1 };
            self.mixer.give_back(frame);
            finished
        });
        for told in self.held.drain(..) {
            // Who asked may have left.
            let _ = told.send(());
        }
        for (inlet, gauge) in &self.gauges {
            gauge.set_backlog(self.mixer.backlog_ms(*inlet));
        }
        finished
    }

    fn put_on_stage(&self, minus: Minus) {
        if minus.is_silent() {
            return;
        }
        if self.stage.to.put(minus).is_err() {
            self.metrics.stage_frames_dropped.inc();
        }
    }

    /// Adds a frame to the part in flight; says whether it finished it.
    fn cut(&mut self, frame: &mix::Frame) -> bool {
        let wall = self.world.wall();
        if let Err(error) = self.cutter.handle_input(program::Input::Frame { frame, wall }) {
            // An encoder that fails on our own frames is our bug; with fresh ones the program goes on after a
            // gap.
            if let Some(repeated) = ENCODER_FAILED.pass(self.world.now()) {
                tracing::error!(%error, repeated, "encoder_failed");
            }
            self.restart_cutter(self.next.next());
            return false;
        }
        let Some(part) = self.cutter.poll_output() else { return false };
        self.hand_on(Arc::new(part));
        true
    }

    fn restart_cutter(&mut self, first: PartNo) {
        if let Err(error) = self.cutter.restart(first) {
            tracing::error!(%error, "encoder_not_made");
        }
        self.next = self.cutter.next_part();
        self.frames_cut = 0;
    }

    /// Where the conversation is, while it is on air.
    fn live(&self) -> Option<Position> {
        (self.last_kind == Kind::Conversation).then(|| position(self.next, self.frames_cut))
    }

    fn note(&mut self, event: Event) {
        let live = self.live();
        self.notes.note(event, live);
        match event {
            Event::Underrun { .. } => {
                self.metrics.underruns.inc();
            }
            Event::Refused { .. }
            | Event::RateOutside { .. }
            | Event::Skipped { .. }
            | Event::Silent { .. }
            | Event::Dead { .. }
            | Event::Returned { .. }
            | Event::Over { .. }
            | Event::Speaking { .. }
            | Event::Echo { .. }
            | Event::EchoGone { .. }
            | Event::Clipping { .. }
            | Event::ClippingGone { .. }
            | Event::TookOver { .. }
            | Event::GaveBack { .. }
            | Event::ClockLate { .. } => {
                if let Some(held_back) = self.events.pass(self.world.now()) {
                    tracing::info!(?event, held_back, "mix_event");
                }
            }
        }
    }

    fn count_lateness(&self, late: Duration) {
        self.metrics.lateness.observe(late);
        if late > FRAME {
            self.metrics.frames_late.inc();
        }
    }

    fn close_left_inlets(&mut self, now: Time) {
        let (mixer, notes) = (&mut self.mixer, &mut self.notes);
        self.gauges.retain(|inlet, gauge| {
            let left = gauge.has_left();
            if left {
                mixer.handle_input(now, mix::Input::Close { inlet: *inlet });
                notes.closed(*inlet);
            }
            !left
        });
        self.metrics.inlets_open.set(self.gauges.len() as i64);
    }

    fn hand_on(&mut self, part: Arc<Part>) {
        self.next = part.no.next();
        self.recorder.part(part.clone());
        if self.crossing.try_send(Crossing::Part(part, self.world.now())).is_err() {
            tracing::error!(part = self.next.0, "part_not_crossed");
        }
        self.metrics.parts.inc();
    }

    /// The machine slept: what was lost is a gap, named as one.
    fn skip(&mut self, now: Time, late: Duration) -> Time {
        let lost = u64::try_from(late.as_millis()).unwrap_or(u64::MAX) / program::PART_MS + 1;
        self.restart_cutter(PartNo(self.next.0 + lost));
        self.stage.frame += u64::try_from(late.as_millis()).unwrap_or(u64::MAX) / FRAME_MS;
        self.metrics.stalls.inc();
        tracing::warn!(lost_ms = late.as_millis() as u64, "program_stalled");
        now + FRAME
    }

    fn close(self) {
        for gauge in self.gauges.values() {
            gauge.end();
        }
        self.notes.end();
        let Some((halt, waiting)) = self.stopping else { return };
        // When the audience's side is gone, nobody is left to be told.
        let _ = self.crossing.try_send(Crossing::Halt(halt));
        let _ = waiting.send(());
    }
}
