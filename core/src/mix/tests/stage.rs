//! Speakers around a mixer: each with a microphone, an encoder, and a decoder for what comes back.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::super::{Event, Frame, Hears, InletId, Input, Mixer, Muted, OnAir, Output, SpeakerSpec};
use crate::codec::opus::{Decoder, Encoder, Prediction};
use crate::ingest::speaker::Packet;
use crate::time::{FRAME_SAMPLES, Time};

/// Packets come so long before the tick.
pub const BEFORE_TICK_MS: u64 = 7;

/// One speaker.
pub struct Someone {
    encoder: Encoder,
    decoder: Decoder,
    hears: Hears,
    sent: u64,
    /// All they heard so far.
    pub heard: Vec<f32>,
    /// At each tick, whether the packet was theirs alone.
    pub own: Vec<bool>,
}

pub struct Stage {
    pub mixer: Mixer,
    pub ticks: u64,
    pub people: BTreeMap<u32, Someone>,
    pub program: Vec<Frame>,
    pub events: Vec<(u64, Event)>,
    /// Packets of mix-minus made in all.
    pub packets: usize,
}

impl Stage {
    pub fn new(on_air: OnAir) -> Self {
        let mut mixer = Mixer::new();
        mixer.handle_input(Time::ZERO, Input::OnAir(on_air));
        let (people, program, events) = (BTreeMap::new(), Vec::new(), Vec::new());
        Self { mixer, ticks: 0, people, program, events, packets: 0 }
    }

    pub fn with(people: u32, on_air: OnAir) -> Self {
        let mut stage = Self::new(on_air);
        (0..people).for_each(|who| stage.open(who, Hears::MixMinus));
        stage
    }

    fn now(&self) -> Time {
        Time::from_millis(100 + self.ticks * 20)
    }

    pub fn tell(&mut self, input: Input) {
        self.mixer.handle_input(self.now(), input);
        self.drain();
    }

    pub fn open(&mut self, who: u32, hears: Hears) {
        let spec = SpeakerSpec { name: format!("speaker {who}"), hears };
        self.tell(Input::OpenSpeaker { inlet: InletId(who), spec });
        let encoder = Encoder::talk(48_000).expect("the settings are valid");
        let decoder = Decoder::new().expect("a decoder needs nothing but memory");
        let someone = Someone { encoder, decoder, hears, sent: 0, heard: Vec::new(), own: Vec::new() };
        self.people.insert(who, someone);
    }

    pub fn mute(&mut self, who: u32, muted: Muted) {
        self.tell(Input::Mute { inlet: InletId(who), muted });
    }

    /// `seconds` during which each says what `says` gives for them, at a sample of time, after what they
    /// heard; nothing is sent for nothing.
    pub fn play(&mut self, seconds: f64, says: impl Fn(u32, usize, &[f32]) -> Option<Vec<f32>>) {
        for _ in 0..(seconds * 50.0).round() as usize {
            let arrived = Time::from_millis(100 + self.ticks * 20 - BEFORE_TICK_MS);
            let at = self.ticks as usize * FRAME_SAMPLES;
            for (who, someone) in &mut self.people {
                let seq = self.ticks;
                let Some(frame) = says(*who, at, &someone.heard) else { continue };
                let mut payload = Vec::new();
                let frame = frame[..].try_into().expect("a whole frame");
                someone.encoder.encode(frame, Prediction::Carry, &mut payload).expect("frames can be coded");
                someone.sent += 1;
                let packet = Packet { arrived, seq, timestamp: at as u64, payload: Bytes::from(payload) };
                self.mixer.handle_input(arrived, Input::Packet { inlet: InletId(*who), packet });
            }
            self.tell(Input::Tick);
            self.ticks += 1;
        }
    }

    fn drain(&mut self) {
        let (mut own, mut shared) = (BTreeMap::new(), None);
        let mut ticked = false;
        while let Some(output) = self.mixer.poll_output() {
            match output {
                Output::Frame(frame) => {
                    self.program.push(*frame);
                    ticked = true;
                }
                Output::Minus { whose: Some(InletId(who)), packet } => {
                    self.packets += 1;
                    assert_eq!(own.insert(who, packet), None, "one packet each");
                }
                Output::Minus { whose: None, packet } => {
                    self.packets += 1;
                    assert_eq!(shared.replace(packet), None, "one shared packet");
                }
                Output::Event(event) => self.events.push((self.ticks, event)),
            }
        }
        for (who, someone) in self.people.iter_mut().filter(|_| ticked) {
            match someone.hears {
                Hears::MixMinus => {
                    let packet =
                        own.get(who).or(shared.as_ref()).expect("everybody who listens gets a packet");
                    someone.own.push(own.contains_key(who));
                    someone.decoder.decode(packet, &mut someone.heard).expect("our packets can be decoded");
                }
                Hears::Nothing => assert!(!own.contains_key(who), "nothing for who does not listen"),
            }
        }
    }

    /// What somebody heard between two seconds.
    pub fn heard(&self, who: u32, from: f64, to: f64) -> &[f32] {
        &self.people[&who].heard[(from * 48_000.0) as usize..(to * 48_000.0) as usize]
    }

    /// What the program was between two seconds.
    pub fn program(&self, from: f64, to: f64) -> Vec<f32> {
        let frames = &self.program[(from * 50.0) as usize..(to * 50.0) as usize];
        frames.iter().flat_map(|frame| frame.samples).collect()
    }

    /// When something was told, in seconds.
    pub fn when(&self, what: impl Fn(&Event) -> bool) -> Vec<f64> {
        self.events.iter().filter(|(_, event)| what(event)).map(|(tick, _)| *tick as f64 / 50.0).collect()
    }
}

/// A frame of `sound`, which begins again at its end.
pub fn frame_of(sound: &[f32], at: usize) -> Option<Vec<f32>> {
    let at = at % (sound.len() / FRAME_SAMPLES * FRAME_SAMPLES);
    Some(sound[at..at + FRAME_SAMPLES].to_vec())
}
