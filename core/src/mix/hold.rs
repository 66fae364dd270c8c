//! The hold sound: what people hear before the start and when nobody is there to be heard.
//!
//! The built-in one is a soft chord that swells slowly, computed as it plays; it has no beginning and no end.
//! A host's own sound is a loop whose end is cross-faded into its beginning.

use std::f64::consts::TAU;
use std::sync::Arc;

use crate::time::{FRAME_SAMPLES, RATE_HZ};

/// The longest hold sound a host may give, in seconds; what is beyond is left out.
pub const HOLD_SOUND_S_MAX: usize = 300;

/// The chord's tones in Hz and their shares: A2, E3, A3, C♯4, E4.
const TONES: [(f64, f64); 5] = [(110.0, 1.0), (164.814, 0.7), (220.0, 0.6), (277.183, 0.45), (329.628, 0.3)];
/// Each tone swells at a pace of its own, once in so many seconds.
const SWELLS_S: [f64; 5] = [11.0, 13.0, 17.0, 7.0, 9.0];
/// Brings the chord to −40 LUFS.
const CHORD_GAIN: f64 = 0.0163;
/// End and beginning of a host's loop overlap by 50 ms.
const SEAM_SAMPLES: usize = 2_400;
/// The hold sound comes in over half a second.
const RISE_PER_SAMPLE: f32 = 1.0 / 24_000.0;
/// And goes within the first 10 ms of a frame, so that with the limiter's delay nothing of it is left in the
/// next one.
const FALL_SAMPLES: usize = 480;

/// A hand that turns by the same angle every sample: sine and cosine without computing either.
#[derive(Clone, Debug)]
struct Turn {
    place: (f64, f64),
    step: (f64, f64),
}

impl Turn {
    fn new(hz: f64) -> Self {
        let (sin, cos) = (TAU * hz / f64::from(RATE_HZ)).sin_cos();
        Self { place: (1.0, 0.0), step: (cos, sin) }
    }

    fn next(&mut self) -> f64 {
        let ((x, y), (cos, sin)) = (self.place, self.step);
        self.place = (x * cos - y * sin, x * sin + y * cos);
        self.place.1
    }

    /// Rounding makes the hand's length creep; this sets it to 1 again.
    fn steady(&mut self) {
        let length = self.place.0.hypot(self.place.1);
        self.place = (self.place.0 / length, self.place.1 / length);
    }
}

/// The tones and how loud each is just now.
#[derive(Clone, Debug)]
struct Chord {
    tones: [Turn; 5],
    swells: [Turn; 5],
}

/// A hold sound ready to be played. Copies share the samples, so that handing one over costs nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct HoldSound(Option<Arc<[f32]>>);

impl HoldSound {
    /// The built-in chord.
    pub const fn built_in() -> Self {
        Self(None)
    }

    /// A host's own, 48 kHz mono, made into a loop; the built-in one when there are no samples. Takes time in
    /// proportion to its length, so that the program's clock need not.
    pub fn of(mut samples: Vec<f32>) -> Self {
        samples.truncate(HOLD_SOUND_S_MAX * RATE_HZ as usize);
        for sample in &mut samples {
            *sample = if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 };
        }
        close_loop(&mut samples);
        Self((!samples.is_empty()).then(|| samples.into()))
    }
}

#[derive(Clone, Debug)]
enum Sound {
    Chord(Box<Chord>),
    Loop { samples: Arc<[f32]>, at: usize },
}

/// The hold sound and how far it is faded in.
#[derive(Clone, Debug)]
pub(crate) struct Hold {
    sound: Sound,
    gain: f32,
    /// The sound that was replaced while it was heard, and how loud it was: the next frame ends it.
    replaced: Option<(Sound, f32)>,
}

impl Hold {
    /// The built-in sound, silent.
    pub fn new() -> Self {
        Self { sound: chord(), gain: 0.0, replaced: None }
    }

    /// Plays this sound from now on.
    pub fn replace(&mut self, sound: HoldSound) {
        let sound = sound.0.map_or_else(chord, |samples| Sound::Loop { samples, at: 0 });
        let before = std::mem::replace(&mut self.sound, sound);
        if self.gain > 0.0 {
            self.replaced = Some((before, self.gain));
        }
        self.gain = 0.0;
    }

    /// Fills a frame with the hold sound, fading in where it was silent before.
    pub fn play(&mut self, frame: &mut [f32; FRAME_SAMPLES]) {
        self.sound.fill(frame);
        if self.gain < 1.0 {
            for sample in frame.iter_mut() {
                self.gain = (self.gain + RISE_PER_SAMPLE).min(1.0);
                *sample *= self.gain;
            }
        }
        self.end_replaced(frame);
    }

    /// Adds the end of the hold sound to a frame of something else: it is gone after 10 ms.
    pub fn leave(&mut self, frame: &mut [f32; FRAME_SAMPLES]) {
        self.end_replaced(frame);
        if self.gain > 0.0 {
            self.sound.fall(self.gain, frame);
            self.gain = 0.0;
        }
    }

    fn end_replaced(&mut self, frame: &mut [f32; FRAME_SAMPLES]) {
        if let Some((mut sound, gain)) = self.replaced.take() {
            sound.fall(gain, frame);
        }
    }
}

impl Sound {
    /// Adds its last 10 ms to a frame, falling from `gain` to nothing.
    fn fall(&mut self, gain: f32, frame: &mut [f32; FRAME_SAMPLES]) {
        let mut tail = [0.0; FRAME_SAMPLES];
        self.fill(&mut tail);
        for (at, (sample, held)) in frame.iter_mut().zip(&tail[..FALL_SAMPLES]).enumerate() {
            *sample += held * gain * (1.0 - (at + 1) as f32 / FALL_SAMPLES as f32);
        }
    }

    fn fill(&mut self, frame: &mut [f32; FRAME_SAMPLES]) {
        match self {
            Self::Chord(chord) => {
                let Chord { tones, swells } = &mut **chord;
                for sample in frame {
                    let voices = tones.iter_mut().zip(swells.iter_mut()).zip(TONES);
                    let sum: f64 = voices
                        .map(|((tone, swell), (_, share))| share * tone.next() * (0.6 + 0.4 * swell.next()))
                        .sum();
                    *sample = (sum * CHORD_GAIN) as f32;
                }
                tones.iter_mut().chain(swells).for_each(Turn::steady);
            }
            Self::Loop { samples, at } => {
                for sample in frame {
                    *sample = samples[*at];
                    *at = (*at + 1) % samples.len();
                }
            }
        }
    }
}

fn chord() -> Sound {
    Sound::Chord(Box::new(Chord {
        tones: TONES.map(|(hz, _)| Turn::new(hz)),
        swells: SWELLS_S.map(|seconds| Turn::new(1.0 / seconds)),
    }))
}

/// Cuts the end off a loop and cross-fades it over the beginning, so that the last sample leads into the
/// first.
fn close_loop(samples: &mut Vec<f32>) {
    let seam = SEAM_SAMPLES.min(samples.len() / 2);
    let kept = samples.len() - seam;
    for at in 0..seam {
        let share = at as f32 / seam as f32;
        samples[at] = samples[at] * share + samples[kept + at] * (1.0 - share);
    }
    samples.truncate(kept);
}
