//! One open input with everything the mix knows about it: its sound, its loudness, its place, its health.

use super::backup::{Duty, Pulse};
use super::event::Event;
use super::inlet::{Inlet, Played};
use super::level::{Level, ramp};
use super::loudest::{Place, Standing};
use super::pace::Sending;
use super::speaker::{Muted, OnStage, SpeakerSpec};
use super::{InletId, Levelling, Spec, TICKS_PER_S};
use crate::ingest::speaker::Heard;
use crate::time::{FRAME_SAMPLES, Time};

/// An input without anything in its sound for so long is reported as silent.
pub const SILENT_TICKS_MIN: u32 = 10 * TICKS_PER_S;
/// Below this there is nothing in the sound, in LUFS.
pub const SILENT_LUFS: f64 = -70.0;
/// A voice that comes into the mix is faded in over 10 ms, so that no beginning of a word is lost.
const COME_SAMPLES: usize = 480;

/// What was last reported about a voice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Health {
    New,
    Well,
    Silent,
    Dead,
}

/// Where a voice's sound comes from.
#[derive(Debug)]
pub(crate) enum Origin {
    /// A source by its own clock.
    Source(Box<Inlet>),
    /// A speaker's packets.
    Stage(Box<OnStage>),
}

/// One open input.
#[derive(Debug)]
pub(crate) struct Voice {
    pub id: InletId,
    pub name: String,
    pub levelling: Levelling,
    pub backup_for: Option<String>,
    pub duty: Duty,
    pub origin: Origin,
    pub level: Level,
    pub standing: Standing,
    pub pulse: Pulse,
    pub closed: bool,
    /// Nothing waits any more and the source is gone.
    pub over: bool,
    heard: bool,
    added: bool,
    gave_sound: bool,
    health: Health,
    silent_ticks: u32,
    frame: [f32; FRAME_SAMPLES],
}

impl Voice {
    /// A speaker who has not been heard.
    pub fn speaker(now: Time, id: InletId, spec: SpeakerSpec) -> Self {
        let stage = Box::new(OnStage::new(now, id, spec.hears));
        let spec = Spec { name: spec.name, levelling: Levelling::On, backup_for: None };
        Self { origin: Origin::Stage(stage), ..Self::new(now, id, spec) }
    }

    /// A source that has not been heard.
    pub fn new(now: Time, id: InletId, spec: Spec) -> Self {
        Self {
            id,
            name: spec.name,
            levelling: spec.levelling,
            backup_for: spec.backup_for,
            duty: Duty::Standby,
            origin: Origin::Source(Box::new(Inlet::new(now))),
            level: Level::new(),
            standing: Standing::new(),
            pulse: Pulse::new(),
            closed: false,
            over: false,
            heard: false,
            added: false,
            gave_sound: false,
            health: Health::New,
            silent_ticks: 0,
            frame: [0.0; FRAME_SAMPLES],
        }
    }

    /// Reads, measures and levels its next 20 ms; says what there is to report.
    pub fn tick(&mut self, now: Time, mut report: impl FnMut(Event)) {
        let inlet = self.id;
        let played = self.read(now, &mut report);
        match played {
            Played::Sound => self.pulse.beat(),
            Played::Skipped(ms) => {
                self.pulse.beat();
                report(Event::Skipped { inlet, ms: ms as u64 });
            }
            Played::RanShort => {
                self.pulse.miss();
                if !self.closed {
                    report(Event::Underrun { inlet });
                }
            }
            Played::Nothing => self.pulse.miss(),
            Played::Over => {
                self.pulse.miss();
                self.over = true;
                report(Event::Over { inlet });
            }
        }
        self.gave_sound = matches!(played, Played::Sound | Played::Skipped(_) | Played::RanShort);
        let lufs = self.level.measure(&self.frame);
        let levelled_lufs = lufs + self.gain_db();
        if let Origin::Stage(stage) = &mut self.origin
            && let Some(speaking) = stage.hear(lufs, levelled_lufs - lufs, &mut self.frame)
        {
            report(Event::Speaking { inlet, speaking });
        }
        self.standing.hear(levelled_lufs);
        match self.levelling {
            Levelling::On => self.level.apply(&mut self.frame),
            Levelling::Off => {}
        }
        if let Some(event) = self.examine(played) {
            report(event);
        }
    }

    fn read(&mut self, now: Time, report: &mut impl FnMut(Event)) -> Played {
        match &mut self.origin {
            Origin::Source(inlet) => inlet.tick(now, &mut self.frame),
            // A speaker's connection is gone, and with it whoever would have said the rest.
            Origin::Stage(_) if self.closed => {
                self.frame.fill(0.0);
                Played::Over
            }
            Origin::Stage(stage) => match stage.tick((now, self.id), &mut self.frame, report) {
                Heard::Sound | Heard::Pause | Heard::Concealed => Played::Sound,
                Heard::Nothing => Played::Nothing,
            },
        }
    }

    /// Nothing more comes; what a source sent is played to its end.
    pub fn close(&mut self) {
        self.closed = true;
        match &mut self.origin {
            Origin::Source(inlet) => inlet.close(),
            Origin::Stage(_) => {}
        }
    }

    /// The speaker, if it is one.
    pub fn stage(&self) -> Option<&OnStage> {
        match &self.origin {
            Origin::Source(_) => None,
            Origin::Stage(stage) => Some(stage),
        }
    }

    /// The same, to be changed.
    pub fn stage_mut(&mut self) -> Option<&mut OnStage> {
        match &mut self.origin {
            Origin::Source(_) => None,
            Origin::Stage(stage) => Some(stage),
        }
    }

    /// Sound that waits, in milliseconds.
    pub fn waiting_ms(&self) -> f64 {
        match &self.origin {
            Origin::Source(inlet) => inlet.waiting_ms(),
            Origin::Stage(stage) => stage.held_back_ms(),
        }
    }

    /// The least that should wait in milliseconds, the correction of its clock, and whether it sends ahead.
    pub fn pace(&self) -> (f64, f64, bool) {
        match &self.origin {
            Origin::Source(inlet) => {
                let pace = inlet.pace();
                (pace.margin_ms(), pace.correction(), pace.sending() == Sending::Ahead)
            }
            Origin::Stage(_) => (0.0, 0.0, false),
        }
    }

    /// Whether somebody is heard to speak there.
    pub fn speaks(&self) -> bool {
        match &self.origin {
            Origin::Source(_) => self.standing.speaks() && self.sounds(),
            Origin::Stage(stage) => stage.speaks(),
        }
    }

    /// Whether it is the same source or the same speaker as another voice.
    pub fn is_named_as(&self, other: &Self) -> bool {
        self.name == other.name && self.stage().is_some() == other.stage().is_some()
    }

    /// Leaves a speaker out of the mix, or no more. Their place goes to whoever needs it.
    pub fn mute(&mut self, muted: Muted) {
        let Some(stage) = self.stage_mut() else { return };
        stage.muted = muted;
        match muted {
            Muted::Yes => self.standing.place = Place::Out,
            Muted::No => {}
        }
    }

    /// Whether it is left out.
    pub fn is_muted(&self) -> bool {
        self.stage().is_some_and(|stage| stage.muted == Muted::Yes)
    }

    /// Whether its frame is in the sum of this tick, be it fading.
    pub fn was_added(&self) -> bool {
        self.added
    }

    /// Its frame as it was added to the sum.
    pub fn frame(&self) -> &[f32; FRAME_SAMPLES] {
        &self.frame
    }

    /// Whether it gave sound in this tick.
    pub fn gave_sound(&self) -> bool {
        self.gave_sound
    }

    /// What levelling adds, in decibels.
    pub fn gain_db(&self) -> f64 {
        match self.levelling {
            Levelling::On => self.level.gain_db(),
            Levelling::Off => 0.0,
        }
    }

    /// Whether it has given sound lately.
    pub fn sounds(&self) -> bool {
        self.pulse.is_sounding() && !self.over
    }

    /// Whether it has a place in the mix by its own standing.
    pub fn has_place(&self) -> bool {
        match self.levelling {
            Levelling::On => self.standing.place == Place::In,
            Levelling::Off => true,
        }
    }

    /// Adds its frame to the sum if it is to be heard, fading where that has changed.
    pub fn add_to(&mut self, sum: &mut [f32; FRAME_SAMPLES], heard: bool) {
        self.added = self.heard || heard;
        match (self.heard, heard) {
            (false, false) => return,
            (false, true) => ramp(&mut self.frame[..COME_SAMPLES], 0.0, 1.0),
            (true, false) => ramp(&mut self.frame, 1.0, 0.0),
            (true, true) => {}
        }
        self.heard = heard;
        for (total, sample) in sum.iter_mut().zip(&self.frame) {
            *total += sample;
        }
    }

    fn examine(&mut self, played: Played) -> Option<Event> {
        let inlet = self.id;
        let quiet = self.level.momentary_lufs() < SILENT_LUFS;
        self.silent_ticks = if quiet { self.silent_ticks.saturating_add(1) } else { 0 };
        let health = if self.closed || self.over || (self.is_muted() && self.pulse.is_alive()) {
            self.silent_ticks = 0;
            return None;
        } else if !self.pulse.is_alive() {
            Health::Dead
        } else if played == Played::Nothing {
            return None;
        } else if self.silent_ticks >= SILENT_TICKS_MIN || (quiet && self.health == Health::Silent) {
            Health::Silent
        } else {
            Health::Well
        };
        let before = std::mem::replace(&mut self.health, health);
        match (before, health) {
            (Health::Dead | Health::Silent, Health::Well) => Some(Event::Returned { inlet }),
            (Health::New | Health::Well | Health::Silent, Health::Dead) => Some(Event::Dead { inlet }),
            (Health::New | Health::Well | Health::Dead, Health::Silent) => Some(Event::Silent { inlet }),
            (_, Health::New)
            | (Health::New | Health::Well, Health::Well)
            | (Health::Dead, Health::Dead)
            | (Health::Silent, Health::Silent) => None,
        }
    }
}
