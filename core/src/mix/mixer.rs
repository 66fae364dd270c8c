//! The mixer: at every tick exactly one frame, whatever the inputs do.
//!
//! `inlets → level → loudest few, backups → sum → on air or hold → limiter → frame`. All inputs are read at
//! every tick, also when they are not heard, so that each is on time, measured and levelled the moment it is.

use std::collections::VecDeque;
use std::sync::Arc;

use super::backup::{Duty, Free, Primary};
use super::event::{Counters, Event};
use super::hold::{Hold, HoldSound};
use super::inlet::{Taken, fade_out};
use super::level::ramp;
use super::limiter::Limiter;
use super::loudest::{LOUDEST_MAX, Place, next_change};
use super::minus::Minus;
use super::resample::Kernels;
use super::speaker::{Muted, SpeakerSpec};
use super::voice::{Origin, Voice};
use super::{Frame, InletId, Kind, Levelling, TICKS_PER_S};
use crate::ingest::Pcm;
use crate::ingest::speaker::{Counts, Packet, Way};
use crate::reason::Refusal;
use crate::time::{FRAME_MS, FRAME_SAMPLES, Time};

/// Inputs that may be open at once.
pub const OPEN_INLETS_MAX: usize = 16;
/// Closed inputs whose last sound may still be playing; above this the oldest is cut short.
pub const CLOSING_INLETS_MAX: usize = 4;
/// On air with no input giving sound for so long, the hold sound is played.
pub const ALONE_TICKS_MAX: u32 = 2 * TICKS_PER_S;
/// A clock that is called later than this has lost the time in between; less is caught up.
pub const CLOCK_LATE_MS_MAX: u64 = 2_000;
/// Fades of the whole mix when it goes on or off the air: 10 ms, over before the limiter's delay could carry
/// it further.
const AIR_FADE_SAMPLES: usize = 480;
/// Frames given back that are kept for use again.
const SPARE_FRAMES_MAX: usize = 4;

/// What an input is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The source's name; a backup names its primary by it.
    pub name: String,
    /// Whether its loudness is evened out.
    pub levelling: Levelling,
    /// The name of the source it stands in for.
    pub backup_for: Option<String>,
}

/// Whether the room is live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnAir {
    /// Not yet, or no more: frames are the hold sound, and nothing of the inputs is in them.
    Hold,
    /// Frames are what the inputs give.
    Program,
}

/// What the mixer is told.
#[derive(Clone, Debug)]
pub enum Input {
    /// A source is there. Its name belongs to the one that asked last: the open input that has it closes and
    /// gives up its place, so that a sender who comes back is heard also when all places are taken.
    Open {
        /// A number that has not been used before; who asked for a name later has the higher one.
        inlet: InletId,
        /// What it is.
        spec: Spec,
    },
    /// Some of its sound. The moment it arrived matters: the source's clock is learned from it.
    Sound {
        /// Whose.
        inlet: InletId,
        /// The samples.
        pcm: Pcm,
    },
    /// A speaker is there.
    OpenSpeaker {
        /// A number that has not been used before.
        inlet: InletId,
        /// Who. The name belongs to the one that asked last, as among sources.
        spec: SpeakerSpec,
    },
    /// One of their packets.
    Packet {
        /// Whose.
        inlet: InletId,
        /// As it came.
        packet: Packet,
    },
    /// A speaker's sound is left out from the next tick on, or no more.
    Mute {
        /// Whose.
        inlet: InletId,
        /// Which of the two.
        muted: Muted,
    },
    /// The source is gone; what it sent is played to its end. A speaker falls silent at the next tick.
    Close {
        /// Which.
        inlet: InletId,
    },
    /// The room goes live, or stops being live.
    OnAir(OnAir),
    /// What is heard on hold from now on. One that is being heard ends within 10 ms.
    HoldSound(HoldSound),
    /// 20 ms have passed: make a frame.
    Tick,
}

/// What the mixer gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// The next 20 ms of the program.
    Frame(Box<Frame>),
    /// 20 ms of Opus for speakers to hear: the mix of this tick without themselves.
    Minus {
        /// For whom; `None` for every speaker who listens and got none of their own at this tick.
        whose: Option<InletId>,
        /// One packet.
        packet: Arc<[u8]>,
    },
    /// Something to count and perhaps to say.
    Event(Event),
}

/// Why the mixer wants to be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The next frame is due: `Input::Tick`.
    FrameDue,
}

/// How one input is doing now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InletLevel {
    /// Which.
    pub inlet: InletId,
    /// Whether someone is heard to speak there, short pauses included.
    pub speaking: bool,
    /// Whether it is in the mix.
    pub in_mix: bool,
    /// Loudness of its last 400 ms before levelling, in LUFS; −120 for silence.
    pub lufs: f64,
    /// What levelling adds, in decibels.
    pub gain_db: f64,
    /// Sound that waits, in milliseconds.
    pub backlog_ms: f64,
    /// The least that should wait, in milliseconds.
    pub margin_ms: f64,
    /// Its clock against the program's, in parts per million; positive when it is played faster than nominal.
    pub correction_ppm: f64,
    /// It sends faster than real time and is held back by the reader.
    pub ahead: bool,
}

/// The mixer of one room.
#[derive(Debug)]
pub struct Mixer {
    voices: Vec<Voice>,
    kernels: Kernels,
    hold: Hold,
    limiter: Limiter,
    minus: Minus,
    on_air: OnAir,
    last_kind: Kind,
    alone_ticks: u32,
    due: Option<Time>,
    counters: Counters,
    outputs: VecDeque<Output>,
    #[expect(clippy::vec_box, reason = "frames travel boxed, and a box that comes back is used again")]
    spare: Vec<Box<Frame>>,
}

impl Default for Mixer {
    fn default() -> Self {
        Self::new()
    }
}

impl Mixer {
    /// A mixer without inputs, on hold.
    pub fn new() -> Self {
        Self {
            voices: Vec::with_capacity(OPEN_INLETS_MAX + CLOSING_INLETS_MAX + 1),
            kernels: Kernels::default(),
            hold: Hold::new(),
            limiter: Limiter::new(),
            minus: Minus::default(),
            on_air: OnAir::Hold,
            last_kind: Kind::Hold,
            alone_ticks: ALONE_TICKS_MAX,
            due: None,
            counters: Counters::default(),
            outputs: VecDeque::with_capacity(64),
            spare: Vec::with_capacity(SPARE_FRAMES_MAX),
        }
    }

    /// Takes one input; drain [`Mixer::poll_output`] afterwards. Sound and `Close` of an inlet that is not
    /// open are ignored.
    pub fn handle_input(&mut self, now: Time, input: Input) {
        match input {
            Input::Open { inlet, spec } => self.open(Voice::new(now, inlet, spec)),
            Input::Sound { inlet, pcm } => self.sound(now, inlet, pcm),
            Input::OpenSpeaker { inlet, spec } => self.open(Voice::speaker(now, inlet, spec)),
            Input::Packet { inlet, packet } => {
                if let Some(stage) = self.voice_mut(inlet).and_then(Voice::stage_mut) {
                    stage.push(packet);
                }
            }
            Input::Mute { inlet, muted } => {
                if let Some(voice) = self.voice_mut(inlet) {
                    voice.mute(muted);
                }
            }
            Input::Close { inlet } => self.close(inlet),
            Input::OnAir(on_air) => self.on_air = on_air,
            Input::HoldSound(sound) => self.hold.replace(sound),
            Input::Tick => self.tick(now),
        }
    }

    /// What came of the last input, in order, until `None`.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When the next tick is due; `None` until the first, which may come at any time. Ticks that are late are
    /// made up for one after another, so that the program keeps its clock.
    pub fn poll_timeout(&self) -> Option<(Time, Why)> {
        self.due.map(|due| (due, Why::FrameDue))
    }

    /// Sound of one source that waits, in milliseconds; 0 when it is not open.
    pub fn backlog_ms(&self, inlet: InletId) -> u64 {
        self.voice(inlet).map_or(0, |voice| voice.waiting_ms() as u64)
    }

    /// How each input is doing.
    pub fn levels(&self) -> impl Iterator<Item = InletLevel> {
        self.voices.iter().filter(|voice| !voice.closed).map(|voice| {
            let (margin_ms, correction, ahead) = voice.pace();
            InletLevel {
                inlet: voice.id,
                speaking: voice.speaks(),
                in_mix: voice.has_place() && !self.is_stood_in_for(voice) && is_wanted(voice),
                lufs: voice.level.momentary_lufs(),
                gain_db: voice.gain_db(),
                backlog_ms: voice.waiting_ms(),
                margin_ms,
                correction_ppm: correction * 1e6,
                ahead,
            }
        })
    }

    /// How a speaker's packets come and what became of them; `None` when it is none, or nothing has come.
    pub fn way(&self, inlet: InletId, now: Time) -> Option<(Way, Counts)> {
        let speaker = self.voice(inlet)?.stage()?.speaker();
        Some((speaker.way(now)?, speaker.counts()))
    }

    /// Totals since the mixer was made.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Takes a frame back once it has been used, so that the next one needs no allocation. Optional.
    pub fn give_back(&mut self, frame: Box<Frame>) {
        if self.spare.len() < SPARE_FRAMES_MAX {
            self.spare.push(frame);
        }
    }

    fn open(&mut self, opened: Voice) {
        let inlet = opened.id;
        let named = self.voices.iter().find(|voice| !voice.closed && voice.is_named_as(&opened));
        match named.map(|voice| voice.id) {
            Some(newer) if newer > inlet => {
                return self.report(Event::Refused { inlet, refusal: Refusal::SourceReplaced });
            }
            Some(older) => self.close(older),
            None => {}
        }
        let open = self.voices.iter().filter(|voice| !voice.closed).count();
        if open >= OPEN_INLETS_MAX {
            self.report(Event::Refused { inlet, refusal: Refusal::InputsFull });
        } else {
            self.voices.push(opened);
        }
    }

    fn sound(&mut self, now: Time, inlet: InletId, pcm: Pcm) {
        let rate_hz = pcm.rate_hz;
        let Some(voice) = self.voices.iter_mut().find(|voice| voice.id == inlet) else {
            return;
        };
        let Origin::Source(source) = &mut voice.origin else { return };
        match source.push(now, pcm, &mut self.kernels) {
            Taken::Whole => {}
            Taken::Dropped(ms) => self.report(Event::Skipped { inlet, ms: ms as u64 }),
            Taken::RateOutside => self.report(Event::RateOutside { inlet, rate_hz }),
        }
    }

    fn close(&mut self, inlet: InletId) {
        let Some(voice) = self.voices.iter_mut().find(|voice| voice.id == inlet) else {
            return;
        };
        voice.close();
        let closing = self.voices.iter().filter(|voice| voice.closed).count();
        if closing > CLOSING_INLETS_MAX
            && let Some(oldest) = self.voices.iter().position(|voice| voice.closed)
        {
            let inlet = self.voices.remove(oldest).id;
            self.report(Event::Over { inlet });
        }
    }

    fn tick(&mut self, now: Time) {
        self.keep_time(now);
        let mut frame = self
            .spare
            .pop()
            .unwrap_or_else(|| Box::new(Frame { kind: Kind::Hold, samples: [0.0; FRAME_SAMPLES] }));
        self.read_voices(now);
        self.change_duties();
        self.change_places();
        self.sum_voices(&mut frame.samples);
        let outputs = &mut self.outputs;
        self.minus.send(&frame.samples, &mut self.voices, |output| outputs.push_back(output));
        frame.kind = self.put_on_air(&mut frame.samples);
        self.limiter.limit(&mut frame.samples);
        match frame.kind {
            Kind::Conversation => self.counters.frames_conversation += 1,
            Kind::Hold => self.counters.frames_hold += 1,
        }
        self.outputs.push_back(Output::Frame(frame));
    }

    fn keep_time(&mut self, now: Time) {
        let frame = std::time::Duration::from_millis(FRAME_MS);
        let due = self.due.unwrap_or(now);
        let late_ms = now.since(due).as_millis() as u64;
        if late_ms > CLOCK_LATE_MS_MAX {
            self.report(Event::ClockLate { ms: late_ms });
            self.due = Some(now + frame);
        } else {
            self.due = Some(due + frame);
        }
    }

    fn read_voices(&mut self, now: Time) {
        let (outputs, counters) = (&mut self.outputs, &mut self.counters);
        for voice in &mut self.voices {
            voice.tick(now, |event| {
                counters.count(event);
                outputs.push_back(Output::Event(event));
            });
        }
        self.voices.retain(|voice| !voice.over);
        let sounding = self.voices.iter().any(|voice| voice.gave_sound());
        self.alone_ticks = if sounding { 0 } else { self.alone_ticks.saturating_add(1) };
    }

    fn change_duties(&mut self) {
        for at in 0..self.voices.len() {
            let Some(name) = &self.voices[at].backup_for else { continue };
            let primary = self
                .voices
                .iter()
                .filter(|voice| voice.name == *name)
                .fold(Primary::default(), |primary, voice| primary.with(voice.pulse));
            let taken = self.voices.iter().enumerate().any(|(other, voice)| {
                other != at && voice.duty == Duty::OnDuty && voice.backup_for.as_ref() == Some(name)
            });
            let free = if taken { Free::No } else { Free::Yes };
            let voice = &mut self.voices[at];
            let inlet = voice.id;
            let before = voice.duty;
            voice.duty = before.next(primary, voice.pulse, free);
            match (before, voice.duty) {
                (Duty::Standby, Duty::OnDuty) => self.report(Event::TookOver { inlet }),
                (Duty::OnDuty, Duty::Standby) => {
                    voice.standing.place = Place::Out;
                    self.report(Event::GaveBack { inlet });
                }
                (Duty::Standby, Duty::Standby) | (Duty::OnDuty, Duty::OnDuty) => {}
            }
        }
    }

    fn change_places(&mut self) {
        for _ in 0..LOUDEST_MAX {
            let competing = self.voices.iter().enumerate().filter(|(_, voice)| competes(voice));
            let Some(change) = next_change(competing.map(|(at, voice)| (at, &voice.standing))) else {
                return;
            };
            self.voices[change.comes].standing.place = Place::In;
            if let Some(goes) = change.goes {
                self.voices[goes].standing.place = Place::Out;
            }
        }
    }

    fn sum_voices(&mut self, sum: &mut [f32; FRAME_SAMPLES]) {
        sum.fill(0.0);
        for at in 0..self.voices.len() {
            let voice = &self.voices[at];
            let heard = voice.has_place() && is_wanted(voice) && !self.is_stood_in_for(voice);
            self.voices[at].add_to(sum, heard);
        }
    }

    /// Turns the sum of the voices into what goes out, and says what that is.
    fn put_on_air(&mut self, samples: &mut [f32; FRAME_SAMPLES]) -> Kind {
        let kind = match self.on_air {
            OnAir::Program if self.alone_ticks < ALONE_TICKS_MAX => Kind::Conversation,
            OnAir::Program | OnAir::Hold => Kind::Hold,
        };
        let before = std::mem::replace(&mut self.last_kind, kind);
        match (before, kind) {
            (Kind::Conversation, Kind::Conversation) => kind,
            (Kind::Hold, Kind::Conversation) => {
                ramp(&mut samples[..AIR_FADE_SAMPLES], 0.0, 1.0);
                self.hold.leave(samples);
                kind
            }
            (Kind::Conversation, Kind::Hold) => {
                // The frame in which the voices go still holds some of them, so it is conversation.
                fade_out(&mut samples[..AIR_FADE_SAMPLES]);
                samples[AIR_FADE_SAMPLES..].fill(0.0);
                Kind::Conversation
            }
            (Kind::Hold, Kind::Hold) => {
                self.hold.play(samples);
                kind
            }
        }
    }

    /// Whether a backup is heard instead of this voice.
    fn is_stood_in_for(&self, voice: &Voice) -> bool {
        self.voices
            .iter()
            .any(|other| other.duty == Duty::OnDuty && other.backup_for.as_deref() == Some(&voice.name))
    }

    fn voice(&self, inlet: InletId) -> Option<&Voice> {
        self.voices.iter().find(|voice| voice.id == inlet)
    }

    fn voice_mut(&mut self, inlet: InletId) -> Option<&mut Voice> {
        self.voices.iter_mut().find(|voice| voice.id == inlet)
    }

    fn report(&mut self, event: Event) {
        self.counters.count(event);
        self.outputs.push_back(Output::Event(event));
    }
}

/// Whether a voice is to be heard as far as its own duty goes.
fn is_wanted(voice: &Voice) -> bool {
    (voice.backup_for.is_none() || voice.duty == Duty::OnDuty) && !voice.is_muted()
}

/// Whether a voice needs one of the places: finished mixes and waiting backups do not.
fn competes(voice: &Voice) -> bool {
    voice.levelling == Levelling::On && is_wanted(voice)
}
