//! A speaker with a clock of their own, the road their packets take, and what is heard at the other end.

use bytes::Bytes;

use super::super::{Heard, Packet, Speaker, Taken};
use crate::codec::opus::{Encoder, Prediction};
use crate::time::{FRAME_SAMPLES, Time};

/// Small, and the same everywhere: xorshift64*.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Evenly in 0..1.
    pub fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Evenly in −1..1.
    pub fn sample(&mut self) -> f32 {
        (self.unit() * 2.0 - 1.0) as f32
    }
}

/// How packets get lost.
#[derive(Clone, Copy)]
pub enum Loss {
    No,
    /// Each with this probability.
    Random(f64),
    /// Gilbert: the share that is lost, and the mean length of a burst.
    Bursts(f64, f64),
}

/// What the road does.
#[derive(Clone, Copy)]
pub struct Road {
    pub loss: Loss,
    /// Each packet is held up by up to so much, evenly drawn; they may overtake each other.
    pub jitter_ms: f64,
    /// The share that comes twice.
    pub twice: f64,
    /// The speaker's clock runs faster by this share.
    pub fast: f64,
    /// A packet that is lost comes again so much later.
    pub again_ms: Option<f64>,
    pub seed: u64,
}

/// As on a wire of a few metres: 1 ms of jitter.
pub const CLEAN: Road =
    Road { loss: Loss::No, jitter_ms: 1.0, twice: 0.0, fast: 0.0, again_ms: None, seed: 7 };

/// What was heard.
pub struct Journey {
    pub sound: Vec<f32>,
    pub heard: Vec<Heard>,
    pub speaker: Speaker,
    /// At each tick, how long sound is held back.
    pub held_back_ms: Vec<f64>,
}

impl Journey {
    /// What was heard in the ticks from second to second.
    pub fn between(&self, from_s: f64, to_s: f64) -> &[Heard] {
        &self.heard[(from_s * 50.0) as usize..((to_s * 50.0) as usize).min(self.heard.len())]
    }

    pub fn sound_between(&self, from_s: f64, to_s: f64) -> &[f32] {
        &self.sound[(from_s * 48_000.0) as usize..((to_s * 48_000.0) as usize).min(self.sound.len())]
    }

    /// The mean time that sound was held back in these seconds.
    pub fn delay_ms(&self, from_s: f64, to_s: f64) -> f64 {
        let some = &self.held_back_ms[(from_s * 50.0) as usize..(to_s * 50.0) as usize];
        some.iter().sum::<f64>() / some.len() as f64
    }
}

/// 20 ms packets of `sound`. With `dtx` a silence begins with a packet of one byte, and every 400 ms come a
/// whole one and another of one byte, as browsers do.
pub fn packets(sound: &[f32], dtx: bool) -> Vec<Packet> {
    let mut encoder = Encoder::talk(48_000).expect("the settings are valid");
    let (mut sent, mut seq, mut silent) = (Vec::new(), 1_000, 0);
    for (at, frame) in sound.chunks_exact(FRAME_SAMPLES).enumerate() {
        let mut payload = Vec::new();
        let frame = frame.try_into().expect("a whole frame");
        encoder.encode(frame, Prediction::Carry, &mut payload).expect("frames can be coded");
        let quiet = frame.iter().all(|x| x.abs() < 1e-4);
        silent = if quiet { silent + 1 } else { 0 };
        match silent % 20 {
            1 if dtx => payload.truncate(1),
            2.. if dtx => continue,
            _ => {}
        }
        let timestamp = 5_000_000 + (at * FRAME_SAMPLES) as u64;
        sent.push(Packet { arrived: Time::ZERO, seq, timestamp, payload: Bytes::from(payload) });
        seq += 1;
    }
    sent
}

/// When each packet comes, in order; those that are lost are not there.
pub fn travel(sent: &[Packet], road: Road) -> Vec<Packet> {
    let mut random = Random::new(road.seed);
    let (mut bad, mut came) = (false, Vec::new());
    for packet in sent {
        let made_ms = (packet.timestamp - sent[0].timestamp) as f64 / 48.0 / (1.0 + road.fast) + 20.0;
        let mut lost = || match road.loss {
            Loss::No => false,
            Loss::Random(share) => random.unit() < share,
            Loss::Bursts(share, mean) => {
                let (into, out) = (share / (1.0 - share) / mean, 1.0 / mean);
                bad = if bad { random.unit() >= out } else { random.unit() < into };
                bad
            }
        };
        let first_lost = lost();
        let again_ms = match (first_lost, road.again_ms) {
            (false, _) => 0.0,
            (true, Some(again_ms)) => 20.0 + again_ms,
            (true, None) => continue,
        };
        let copies = if random.unit() < road.twice { 2 } else { 1 };
        for _ in 0..copies {
            let at_ms = made_ms + again_ms + 5.0 + random.unit() * road.jitter_ms;
            came.push(Packet { arrived: Time::from_nanos((at_ms * 1e6) as u64), ..packet.clone() });
        }
    }
    came.sort_by_key(|packet| packet.arrived);
    came
}

/// Plays packets as they come, for `seconds`; ticks fall `phase_ms` after the packets are made.
pub fn play(came: &[Packet], seconds: f64, phase_ms: f64) -> Journey {
    let mut speaker = Speaker::new().expect("a decoder needs nothing but memory");
    let (mut sound, mut heard, mut held_back_ms) = (Vec::new(), Vec::new(), Vec::new());
    let mut came = came.iter().peekable();
    for tick in 0..(seconds * 50.0) as u64 {
        let now = Time::from_nanos(((tick as f64 * 20.0 + phase_ms) * 1e6) as u64);
        while let Some(packet) = came.next_if(|packet| packet.arrived <= now) {
            assert_ne!(speaker.push(packet.clone()), Taken::Refused);
        }
        let mut frame = [0.0; FRAME_SAMPLES];
        heard.push(speaker.tick(now, &mut frame));
        held_back_ms.push(speaker.way(now).map_or(0.0, |way| way.held_back_ms));
        sound.extend(frame);
    }
    Journey { sound, heard, speaker, held_back_ms }
}

/// A voice of sorts: pulses at a wandering pitch, syllables of random length and loudness, pauses between
/// words.
pub fn voice(seed: u64, seconds: f64) -> Vec<f32> {
    let mut random = Random::new(seed);
    let samples = (seconds * 48_000.0) as usize;
    let mut sound = Vec::with_capacity(samples + 48_000);
    let mut phase = 0.0_f64;
    while sound.len() < samples {
        let length = 4_000 + (random.unit() * 12_000.0) as usize;
        let (hz, peak) = (90.0 + 120.0 * random.unit(), 0.1 + 0.3 * random.unit());
        let pause = random.unit() < 0.2;
        for n in 0..length {
            let share = n as f64 / length as f64;
            phase += hz * (1.1 - 0.2 * share) / 48_000.0;
            let shape = (share * std::f64::consts::PI).sin().powi(2) * if pause { 0.0 } else { peak };
            let tone = |k: f64, strength: f64| strength * (phase * k * std::f64::consts::TAU).sin();
            let breath = 0.02 * (random.unit() - 0.5);
            let all = tone(1.0, 0.5) + tone(2.0, 0.3) + tone(4.0, 0.25) + tone(9.0, 0.15) + tone(17.0, 0.05);
            sound.push((shape * (all + breath)) as f32);
        }
    }
    sound.truncate(samples);
    sound
}

/// By how many samples `heard` comes later than `sent`, to 48 samples, and how alike they then are.
pub fn lag(sent: &[f32], heard: &[f32], most: usize) -> (usize, f64) {
    let length = sent.len().min(heard.len()) - most;
    let alike = |lag: usize| {
        let (mut cross, mut own, mut other) = (0.0, 1e-9, 1e-9);
        for at in (0..length).step_by(3) {
            let (x, y) = (f64::from(sent[at]), f64::from(heard[at + lag]));
            cross += x * y;
            own += x * x;
            other += y * y;
        }
        (lag, cross / f64::sqrt(own * other))
    };
    (0..most).step_by(16).map(alike).max_by(|(_, a), (_, b)| a.total_cmp(b)).expect("some lag")
}
