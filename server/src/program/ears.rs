//! What the clock hears of those on the stage: who speaks, what is wrong with their sound, how their packets
//! come.
//!
//! The clock puts the newest picture where everybody can read it and goes on; who reads it late has missed
//! the ones between, and nothing more.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::Notify;
use tribune_core::ingest::speaker::{Counts, Way};
use tribune_core::mix::{Event, Health, InletId, Mixer, Speaking};
use tribune_core::program::PartNo;
use tribune_core::time::{FRAME_MS, Time};

use super::minus::ProgramId;

/// Without anything new, a picture is made once in so many frames: five a second.
const FRAMES_BETWEEN: u32 = 10;

/// A place in the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The part that is being made.
    pub part: PartNo,
    /// How much of it is made, in milliseconds.
    pub ms: u64,
}

/// Where one room's programs put what they hear. Copies are the same.
#[derive(Clone, Debug, Default)]
pub struct Ears(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    now: ArcSwap<Heard>,
    changed: Arc<Notify>,
}

/// What is heard at one moment.
#[derive(Clone, Debug, Default)]
pub struct Heard {
    /// In which program; `None` when none runs.
    pub program: Option<ProgramId>,
    /// Where the conversation is; `None` while the hold sound plays.
    pub live: Option<Position>,
    /// Everybody on the stage who is connected to the mix.
    pub voices: Vec<Voice>,
}

impl Heard {
    /// What is heard of this input of this program.
    pub fn voice(&self, (program, inlet): (ProgramId, InletId)) -> Option<&Voice> {
        let is_it = self.program == Some(program);
        self.voices.iter().find(|voice| is_it && voice.inlet == inlet)
    }
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub struct Voice {
    /// Which input.
    pub inlet: InletId,
    /// Since when they have been speaking, if they are; `Some(None)` off the air.
    pub speaking: Option<Option<Position>>,
    /// The program comes back through their microphone.
    pub echo: Trouble,
    /// Their microphone is turned up too far.
    pub clipping: Trouble,
    /// What was last reported of their sound.
    pub health: Health,
    /// How their packets came last, once some have.
    pub way: Option<Way>,
    /// What became of all their packets: never less than before.
    pub counts: Counts,
}

/// Something that is wrong, how often it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Trouble {
    /// It is so now.
    pub is_now: bool,
    /// Times it began.
    pub times: u64,
}

impl Trouble {
    const fn begin(&mut self) {
        self.is_now = true;
        self.times += 1;
    }

    const fn end(&mut self) {
        self.is_now = false;
    }
}

impl Ears {
    /// For a room; `changed` is told of every new picture.
    pub fn new(changed: Arc<Notify>) -> Self {
        Self(Arc::new(Inner { now: ArcSwap::default(), changed }))
    }

    /// The newest picture.
    pub fn now(&self) -> Arc<Heard> {
        self.0.now.load_full()
    }

    fn put(&self, heard: Heard) {
        self.0.now.store(Arc::new(heard));
        self.0.changed.notify_one();
    }
}

/// The clock's own notes, from which pictures are made.
pub(super) struct Notes {
    ears: Ears,
    program: ProgramId,
    voices: BTreeMap<InletId, Voice>,
    frames: u32,
}

impl Notes {
    pub(super) fn new(ears: Ears, program: ProgramId) -> Self {
        Self { ears, program, voices: BTreeMap::new(), frames: 0 }
    }

    pub(super) fn speaker_opened(&mut self, inlet: InletId) {
        let voice = Voice {
            inlet,
            speaking: None,
            echo: Trouble::default(),
            clipping: Trouble::default(),
            health: Health::default(),
            way: None,
            counts: Counts::default(),
        };
        self.voices.insert(inlet, voice);
        self.make_new();
    }

    pub(super) fn closed(&mut self, inlet: InletId) {
        if self.voices.remove(&inlet).is_some() {
            self.make_new();
        }
    }

    /// The mixer has said something; `live` is where the conversation is.
    pub(super) fn note(&mut self, event: Event, live: Option<Position>) {
        let inlet = match event {
            Event::Speaking { inlet, .. }
            | Event::Echo { inlet }
            | Event::EchoGone { inlet }
            | Event::Clipping { inlet }
            | Event::ClippingGone { inlet }
            | Event::Silent { inlet }
            | Event::Dead { inlet }
            | Event::Returned { inlet } => inlet,
            Event::Refused { .. }
            | Event::RateOutside { .. }
            | Event::Underrun { .. }
            | Event::Skipped { .. }
            | Event::Over { .. }
            | Event::TookOver { .. }
            | Event::GaveBack { .. }
            | Event::ClockLate { .. } => return,
        };
        let Some(voice) = self.voices.get_mut(&inlet) else { return };
        voice.health = voice.health.after(event);
        match event {
            Event::Speaking { speaking: Speaking::Began, .. } => voice.speaking = Some(live),
            Event::Speaking { speaking: Speaking::Ended, .. } => voice.speaking = None,
            Event::Echo { .. } => voice.echo.begin(),
            Event::EchoGone { .. } => voice.echo.end(),
            Event::Clipping { .. } => voice.clipping.begin(),
            Event::ClippingGone { .. } => voice.clipping.end(),
            _ => {}
        }
        self.make_new();
    }

    /// A frame is mixed: makes a picture when something is new, or when the last is old.
    pub(super) fn look(&mut self, now: Time, mixer: &Mixer, live: Option<Position>) {
        self.frames += 1;
        if self.frames < FRAMES_BETWEEN {
            return;
        }
        self.frames = 0;
        for voice in self.voices.values_mut() {
            // An input that has just closed is no longer in the mix; what was counted of it stays counted.
            if let Some((way, counts)) = mixer.way(voice.inlet, now) {
                (voice.way, voice.counts) = (Some(way), counts);
            }
            // What is said on hold is no part of the program; from the first word on air it is.
            if let (Some(since @ None), Some(_)) = (&mut voice.speaking, live) {
                *since = live;
            }
        }
        let voices = self.voices.values().copied().collect();
        self.ears.put(Heard { program: Some(self.program), live, voices });
    }

    /// The program is over.
    pub(super) fn end(&self) {
        self.ears.put(Heard::default());
    }

    const fn make_new(&mut self) {
        self.frames = FRAMES_BETWEEN;
    }
}

/// Where the next frame lies, so many frames into a part.
pub(super) const fn position(part: PartNo, frames: u64) -> Position {
    Position { part, ms: frames * FRAME_MS }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tribune_core::ingest::speaker::Packet;
    use tribune_core::mix::{Hears, Input, SpeakerSpec};
    use tribune_core::time::FRAME_SAMPLES;

    use super::*;

    const INLET: InletId = InletId(4);
    /// 20 ms of nothing, in Opus (RFC 6716, section 3.2.1).
    const PACKET: &[u8] = &[0xf8, 0xff, 0xfe];

    fn next(mixer: &mut Mixer, notes: &mut Notes, tick: u64) -> Voice {
        let now = Time::from_millis(tick * FRAME_MS);
        mixer.handle_input(now, Input::Tick);
        while let Some(_said) = mixer.poll_output() {}
        notes.make_new();
        notes.look(now, mixer, None);
        notes.ears.now().voices[0]
    }

    /// Goal: an input that closes while it is looked at takes back nothing that was counted of it.
    #[test]
    fn what_was_counted_stays_counted_when_an_input_closes() {
        let (mut mixer, ears) = (Mixer::new(), Ears::default());
        let mut notes = Notes::new(ears, super::super::minus::to_stage().0.new_program());
        let spec = SpeakerSpec { name: "Bert".to_owned(), hears: Hears::Nothing };
        mixer.handle_input(Time::ZERO, Input::OpenSpeaker { inlet: INLET, spec });
        notes.speaker_opened(INLET);
        assert_eq!(next(&mut mixer, &mut notes, 0).counts, Counts::default());
        for seq in (1..100_u64).filter(|seq| seq % 10 != 7) {
            let arrived = Time::from_millis(seq * FRAME_MS);
            let timestamp = seq * FRAME_SAMPLES as u64;
            let packet = Packet { arrived, seq, timestamp, payload: Bytes::from_static(PACKET) };
            mixer.handle_input(arrived, Input::Packet { inlet: INLET, packet });
            next(&mut mixer, &mut notes, seq);
        }
        let before = next(&mut mixer, &mut notes, 100);
        assert!(before.counts.lost > 0 && before.way.is_some(), "{before:?}");
        mixer.handle_input(Time::from_millis(100 * FRAME_MS), Input::Close { inlet: INLET });
        for tick in 101..200 {
            let after = next(&mut mixer, &mut notes, tick);
            assert!(after.counts.lost >= before.counts.lost, "{before:?} became {after:?}");
        }
        assert!(mixer.way(INLET, Time::ZERO).is_none(), "the mix has let it go");
    }
}
