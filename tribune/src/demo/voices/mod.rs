//! Two people in conversation, without a recording of anybody: pulses and noise through four resonances of a
//! throat.
//!
//! They babble in syllables, with melody, stress and pauses, and take turns. The turns come from the seed
//! alone, so two voices made from one seed never need to hear each other to let each other finish.

mod plan;
mod throat;

#[cfg(test)]
mod tests;

use plan::{Babble, Sound, Turns};
use throat::Throat;

/// Samples between two looks at the plan: 1 ms at 48 kHz.
const STEP_SAMPLES: u32 = 48;

/// Which of the two is speaking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The host: the higher voice, and the one who begins.
    Host,
    /// The guest: the lower one.
    Guest,
}

/// One of the two voices: mono, 48 kHz, full scale ±1.0, about −23 LUFS over a conversation.
pub struct Voice {
    who: Who,
    turns: Turns,
    babble: Babble,
    throat: Throat,
    target: Sound,
    sound_left_ms: u32,
    step_left_samples: u32,
}

impl Voice {
    /// The same `who` and `seed` always say the same thing; give both voices of a conversation one seed.
    pub fn new(who: Who, seed: u64) -> Self {
        Self {
            who,
            turns: Turns::new(seed),
            babble: Babble::new(who, seed),
            throat: Throat::new(who, seed),
            target: Sound::SILENCE,
            sound_left_ms: 0,
            step_left_samples: 0,
        }
    }

    /// The next `frame.len()` samples; how the samples are divided into frames changes nothing.
    pub fn fill(&mut self, frame: &mut [f32]) {
        for sample in frame {
            if self.step_left_samples == 0 {
                self.next_millisecond();
                self.step_left_samples = STEP_SAMPLES;
            }
            self.step_left_samples -= 1;
            *sample = self.throat.next_sample();
        }
    }

    fn next_millisecond(&mut self) {
        if self.sound_left_ms == 0 {
            self.target = self.next_sound();
            self.sound_left_ms = self.target.lasts_ms.max(1);
        }
        self.sound_left_ms -= 1;
        self.turns.next_millisecond();
        self.throat.steer(&self.target);
    }

    /// A sound is finished once begun; the turn is looked at between sounds.
    fn next_sound(&mut self) -> Sound {
        match self.turns.left_ms(self.who) {
            Some(left_ms) => self.babble.next_sound(left_ms),
            None => {
                self.babble.fall_silent();
                Sound::SILENCE
            }
        }
    }
}
