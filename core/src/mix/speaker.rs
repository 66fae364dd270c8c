//! What the mix knows about a speaker beyond any other voice: their path, whether they are muted, what
//! is wrong with their sound, and the encoder of what they hear.

use super::InletId;
use super::clipping::{self, Clipping};
use super::echo::{self, Echo};
use super::event::Event;
use super::minus::Coder;
use super::noise::{Background, Expander};
use super::talk::{Speaking, Talk};
use crate::ingest::speaker::{Heard, Packet, Speaker};
use crate::time::{FRAME_SAMPLES, Time};

/// A speaker on the stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpeakerSpec {
    /// Their name among the inputs.
    pub name: String,
    /// What they get back.
    pub hears: Hears,
}

/// What a speaker gets back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hears {
    /// The mix without themselves.
    MixMinus,
    /// Nothing: they only send.
    Nothing,
}

/// Whether a speaker's sound is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Muted {
    /// It is, everywhere.
    Yes,
    /// It is not.
    No,
}

/// One speaker.
#[derive(Debug)]
pub(crate) struct OnStage {
    pub hears: Hears,
    pub muted: Muted,
    pub echo: Echo,
    pub coder: Coder,
    speaker: Speaker,
    talk: Talk,
    background: Background,
    expander: Expander,
    clipping: Clipping,
    /// The moment of the last tick.
    ticked_at: Time,
}

impl OnStage {
    /// A speaker of whom nothing has come.
    pub fn new(now: Time, inlet: InletId, hears: Hears) -> Self {
        Self {
            hears,
            muted: Muted::No,
            echo: Echo::new(inlet.0),
            coder: Coder::new(),
            speaker: Speaker::new().expect("a decoder needs nothing but memory"),
            talk: Talk::new(),
            background: Background::new(),
            expander: Expander::new(),
            clipping: Clipping::default(),
            ticked_at: now,
        }
    }

    /// Takes a packet.
    pub fn push(&mut self, packet: Packet) {
        self.speaker.push(packet);
    }

    /// Fills `frame` with the next 20 ms and looks for what is wrong with them.
    pub fn tick(
        &mut self,
        (now, inlet): (Time, InletId),
        frame: &mut [f32; FRAME_SAMPLES],
        report: &mut impl FnMut(Event),
    ) -> Heard {
        self.ticked_at = now;
        let heard = self.speaker.tick(now, frame);
        for sample in frame.iter_mut() {
            *sample = if sample.is_finite() { sample.clamp(-SAMPLE_MAX, SAMPLE_MAX) } else { 0.0 };
        }
        match self.clipping.hear(frame) {
            Some(clipping::Finding::Clips) => report(Event::Clipping { inlet }),
            Some(clipping::Finding::Gone) => report(Event::ClippingGone { inlet }),
            None => {}
        }
        match self.echo.heard(frame) {
            Some(echo::Finding::Echo) => report(Event::Echo { inlet }),
            Some(echo::Finding::Gone) => report(Event::EchoGone { inlet }),
            None => {}
        }
        heard
    }

    /// A frame of theirs is as loud as `lufs`, and will be so much louder by levelling. Lowers the background
    /// and says whether they began or ended to speak.
    pub fn hear(&mut self, lufs: f64, gain_db: f64, frame: &mut [f32; FRAME_SAMPLES]) -> Option<Speaking> {
        let background = self.background.lufs();
        self.background.hear(lufs);
        self.expander.apply(lufs, background, frame);
        match self.muted {
            Muted::Yes => self.talk.hear(f64::MIN, f64::MIN, background),
            Muted::No => self.talk.hear(lufs, lufs + gain_db, background),
        }
    }

    /// Whether they are speaking.
    pub fn speaks(&self) -> bool {
        self.talk.speaks()
    }

    /// The way their packets come.
    pub fn speaker(&self) -> &Speaker {
        &self.speaker
    }

    /// How long their sound is held back, in milliseconds.
    pub fn held_back_ms(&self) -> f64 {
        self.speaker.way(self.ticked_at).map_or(0.0, |way| way.held_back_ms)
    }
}

/// Decoders may overshoot full scale, but not by more than this.
const SAMPLE_MAX: f32 = 8.0;
