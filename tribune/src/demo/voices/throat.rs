//! The throat: a buzzing source, a hissing one, and four resonances in a row (Klatt 1980, the cascade
//! branch).

use std::f32::consts::{PI, TAU};

use super::Who;
use super::plan::{Dice, Sound};

const RATE_HZ: f32 = 48_000.0;
/// How far a target is approached in 1 ms: lips and tongue take some 15 ms, the folds somewhat less, hiss
/// least.
const FORMANT_EASE: f32 = 0.055;
const VOICING_EASE: f32 = 0.09;
const HISS_EASE: f32 = 0.2;
const PITCH_EASE: f32 = 0.025;
/// No two pulses of a living voice are equally long.
const JITTER_SHARE: f32 = 0.012;
/// Share of a pulse in which the folds are open, and of that in which they are still opening.
const OPEN_SHARE: f32 = 0.62;
const OPENING_SHARE: f32 = 0.66;
const FORMANT_WIDTHS_HZ: [f32; 4] = [80.0, 95.0, 140.0, 220.0];
const FOURTH_FORMANT_HZ: f32 = 3_500.0;

/// What makes a voice recognisable.
struct Anatomy {
    pitch_hz: f32,
    scale: f32,
    loudness: f32,
    breath: f32,
}

impl Anatomy {
    const fn of(who: Who) -> Self {
        match who {
            Who::Host => Self { pitch_hz: 192.0, scale: 1.16, loudness: 0.145, breath: 0.05 },
            Who::Guest => Self { pitch_hz: 106.0, scale: 0.97, loudness: 0.19, breath: 0.03 },
        }
    }
}

/// Two poles: lets one frequency ring.
#[derive(Clone, Copy, Default)]
struct Resonance {
    gain: f32,
    first: f32,
    second: f32,
    was: [f32; 2],
}

impl Resonance {
    /// Unity gain at 0 Hz, so that a cascade keeps the level of its source.
    fn tune(&mut self, centre_hz: f32, width_hz: f32) {
        let radius = (-PI * width_hz / RATE_HZ).exp();
        self.second = -radius * radius;
        self.first = 2.0 * radius * (TAU * centre_hz / RATE_HZ).cos();
        self.gain = 1.0 - self.first - self.second;
    }

    fn pass(&mut self, sample: f32) -> f32 {
        let out = self.gain * sample + self.first * self.was[0] + self.second * self.was[1];
        self.was = [out, self.was[0]];
        out
    }
}

pub(super) struct Throat {
    anatomy: Anatomy,
    dice: Dice,
    formants_hz: [f32; 3],
    voicing: f32,
    hiss: f32,
    hiss_hz: f32,
    pitch: f32,
    phase: f32,
    jitter: f32,
    flow_was: f32,
    tilt: f32,
    cascade: [Resonance; 4],
    hissing: Resonance,
}

impl Throat {
    pub fn new(who: Who, seed: u64) -> Self {
        let mut throat = Self {
            anatomy: Anatomy::of(who),
            dice: Dice::new(seed ^ 0x6169_7221),
            formants_hz: Sound::SILENCE.formants_hz,
            voicing: 0.0,
            hiss: 0.0,
            hiss_hz: Sound::SILENCE.hiss_hz,
            pitch: 1.0,
            phase: 0.0,
            jitter: 1.0,
            flow_was: 0.0,
            tilt: 0.0,
            cascade: [Resonance::default(); 4],
            hissing: Resonance::default(),
        };
        throat.steer(&Sound::SILENCE);
        throat
    }

    /// Once a millisecond: everything moves a little towards what the plan wants.
    pub fn steer(&mut self, target: &Sound) {
        ease(&mut self.voicing, target.voicing, VOICING_EASE);
        ease(&mut self.hiss, target.hiss, HISS_EASE);
        ease(&mut self.hiss_hz, target.hiss_hz, HISS_EASE);
        ease(&mut self.pitch, target.pitch, PITCH_EASE);
        for (formant, &wanted) in self.formants_hz.iter_mut().zip(&target.formants_hz) {
            ease(formant, wanted, FORMANT_EASE);
        }
        let [first, second, third] = self.formants_hz;
        let centres_hz = [first, second, third, FOURTH_FORMANT_HZ];
        for ((resonance, centre_hz), width_hz) in
            self.cascade.iter_mut().zip(centres_hz).zip(FORMANT_WIDTHS_HZ)
        {
            resonance.tune(centre_hz * self.anatomy.scale, width_hz);
        }
        self.hissing.tune(self.hiss_hz, 1_400.0);
    }

    pub fn next_sample(&mut self) -> f32 {
        let air = 2.0 * self.dice.share() - 1.0;
        let flow = self.flow();
        let pulse = (flow - self.flow_was) * RATE_HZ / 1_000.0 / self.anatomy.pitch_hz * 100.0;
        self.flow_was = flow;
        let buzz = self.voicing * (pulse + self.anatomy.breath * air * flow);
        self.tilt += 0.42 * (buzz - self.tilt);
        let voiced = self.cascade.iter_mut().fold(self.tilt, |sample, resonance| resonance.pass(sample));
        let hissed = self.hissing.pass(air * self.hiss);
        soft(self.anatomy.loudness * voiced + 0.08 * hissed)
    }

    /// The air through the folds (Rosenberg's pulse): opens slowly, closes fast, rests.
    fn flow(&mut self) -> f32 {
        self.phase += self.anatomy.pitch_hz * self.pitch * self.jitter / RATE_HZ;
        if self.phase >= 1.0 {
            self.phase -= 1.0;
            self.jitter = 1.0 + JITTER_SHARE * (2.0 * self.dice.share() - 1.0);
        }
        let opening = OPEN_SHARE * OPENING_SHARE;
        if self.phase < opening {
            0.5 - 0.5 * (PI * self.phase / opening).cos()
        } else if self.phase < OPEN_SHARE {
            (0.5 * PI * (self.phase - opening) / (OPEN_SHARE - opening)).cos()
        } else {
            0.0
        }
    }
}

fn ease(value: &mut f32, target: f32, share: f32) {
    *value += share * (target - *value);
    // What has died away is zero: numbers too small to hear are slow to calculate with.
    if value.abs() < 1e-6 {
        *value = 0.0;
    }
}

/// Never beyond ±0.9; straight where speech usually is.
fn soft(sample: f32) -> f32 {
    0.9 * (sample / 0.9).tanh()
}
