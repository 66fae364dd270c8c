//! What is said when: turns, phrases, syllables, and the sounds a syllable is made of.

use std::collections::VecDeque;

use super::Who;

/// A turn and the pause after it, in milliseconds.
const TURN_MS: (u32, u32) = (2_600, 7_000);
const TURN_GAP_MS: (u32, u32) = (180, 650);
/// Sounds begun later than this before the end of a turn would run into the other's.
const LAST_WORD_MS: u32 = 330;
const PHRASE_SYLLABLES: (u32, u32) = (4, 11);
const PHRASE_GAP_MS: (u32, u32) = (160, 420);

/// A small generator of numbers (SplitMix64): the demonstration must be the same on every machine.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Evenly in `0.0..1.0`.
    pub fn share(&mut self) -> f32 {
        (self.bits() >> 40) as f32 / (1u32 << 24) as f32
    }

    /// Evenly between the two bounds, both included.
    pub fn between(&mut self, (low, high): (u32, u32)) -> u32 {
        low + (self.bits() % u64::from(high - low + 1)) as u32
    }
}

/// Who has the floor, millisecond by millisecond; the same for everybody with the same seed.
pub struct Turns {
    dice: Dice,
    speaker: Who,
    turn_left_ms: u32,
    gap_left_ms: u32,
}

impl Turns {
    pub fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed ^ 0x7475_726e);
        let turn_left_ms = dice.between(TURN_MS);
        Self { dice, speaker: Who::Host, turn_left_ms, gap_left_ms: 400 }
    }

    pub fn next_millisecond(&mut self) {
        if self.gap_left_ms > 0 {
            self.gap_left_ms -= 1;
        } else if self.turn_left_ms > 0 {
            self.turn_left_ms -= 1;
        } else {
            self.speaker = match self.speaker {
                Who::Host => Who::Guest,
                Who::Guest => Who::Host,
            };
            self.turn_left_ms = self.dice.between(TURN_MS);
            self.gap_left_ms = self.dice.between(TURN_GAP_MS);
        }
    }

    /// Milliseconds `who` may still speak; `None` when it is somebody else's turn, or nobody's.
    pub fn left_ms(&self, who: Who) -> Option<u32> {
        (self.speaker == who && self.gap_left_ms == 0 && self.turn_left_ms > LAST_WORD_MS)
            .then_some(self.turn_left_ms)
    }
}

/// What the throat should be doing: targets it moves towards, as flesh does, without a jump.
#[derive(Clone, Copy, Debug)]
pub struct Sound {
    pub lasts_ms: u32,
    /// How strongly the folds vibrate, 0..=1.
    pub voicing: f32,
    /// How strongly air hisses, 0..=1.
    pub hiss: f32,
    /// Where the hiss sits, in Hz.
    pub hiss_hz: f32,
    /// The three resonances that make a vowel, in Hz, for a throat of scale 1.
    pub formants_hz: [f32; 3],
    /// The pitch, as a multiple of the voice's own.
    pub pitch: f32,
}

impl Sound {
    /// Nothing, for a moment.
    pub const SILENCE: Self = Self {
        lasts_ms: 10,
        voicing: 0.0,
        hiss: 0.0,
        hiss_hz: 2_500.0,
        formants_hz: [500.0, 1_500.0, 2_500.0],
        pitch: 1.0,
    };
}

const VOWELS_HZ: [[f32; 3]; 7] = [
    [730.0, 1_150.0, 2_440.0],
    [560.0, 1_800.0, 2_480.0],
    [300.0, 2_200.0, 2_900.0],
    [560.0, 900.0, 2_410.0],
    [340.0, 1_000.0, 2_240.0],
    [500.0, 1_450.0, 2_450.0],
    [650.0, 1_650.0, 2_400.0],
];

#[derive(Clone, Copy)]
enum Onset {
    Nasal,
    Glide,
    Stop,
    Hiss,
    None,
}

/// The syllables of one speaker.
pub struct Babble {
    dice: Dice,
    queue: VecDeque<Sound>,
    syllables_left: u32,
    syllables_in_phrase: u32,
    asks: bool,
}

impl Babble {
    pub fn new(who: Who, seed: u64) -> Self {
        let own = match who {
            Who::Host => 0x686f_7374,
            Who::Guest => 0x6775_6573,
        };
        let dice = Dice::new(seed ^ own);
        Self { dice, queue: VecDeque::new(), syllables_left: 0, syllables_in_phrase: 1, asks: false }
    }

    /// The next sound, when there are `left_ms` for it.
    pub fn next_sound(&mut self, left_ms: u32) -> Sound {
        if self.queue.is_empty() {
            if self.syllables_left == 0 {
                self.begin_phrase(left_ms);
            }
            self.say_syllable();
        }
        self.queue.pop_front().unwrap_or(Sound::SILENCE)
    }

    /// The turn is over: what is left unsaid stays unsaid.
    pub fn fall_silent(&mut self) {
        self.queue.clear();
        self.syllables_left = 0;
    }

    fn begin_phrase(&mut self, left_ms: u32) {
        let fits = (left_ms / 200).max(1);
        self.syllables_in_phrase = self.dice.between(PHRASE_SYLLABLES).min(fits);
        self.syllables_left = self.syllables_in_phrase;
        self.asks = self.dice.share() < 0.3;
    }

    /// Pitch falls through a phrase, rises on stressed syllables, and ends low, or high in a question.
    fn pitch(&mut self, stress: f32) -> f32 {
        let left = self.syllables_left as f32 / self.syllables_in_phrase as f32;
        let ending = match (self.syllables_left, self.asks) {
            (1, true) => 0.30,
            (1, false) => -0.12,
            _ => 0.0,
        };
        0.90 + 0.20 * left + 0.16 * stress + ending + 0.05 * (self.dice.share() - 0.5)
    }

    fn say_syllable(&mut self) {
        let stress = if self.dice.share() < 0.4 { 1.0 } else { 0.15 * self.dice.share() };
        let pitch = self.pitch(stress);
        let last = self.syllables_left == 1;
        self.syllables_left = self.syllables_left.saturating_sub(1);
        let vowel_hz = VOWELS_HZ[self.dice.between((0, VOWELS_HZ.len() as u32 - 1)) as usize];
        let vowel = Sound {
            lasts_ms: self.dice.between((80, 120)) + (45.0 * stress) as u32 + if last { 70 } else { 0 },
            voicing: 0.72 + 0.28 * stress,
            formants_hz: vowel_hz,
            pitch,
            ..Sound::SILENCE
        };
        self.say_onset(vowel);
        self.queue.push_back(vowel);
        if self.dice.share() < 0.25 {
            self.queue.push_back(nasal(vowel, 55));
        }
        if last {
            let lasts_ms = self.dice.between(PHRASE_GAP_MS);
            self.queue.push_back(Sound { lasts_ms, formants_hz: vowel_hz, pitch, ..Sound::SILENCE });
        }
    }

    fn say_onset(&mut self, vowel: Sound) {
        const ONSETS: [Onset; 8] = [
            Onset::Nasal,
            Onset::Nasal,
            Onset::Glide,
            Onset::Glide,
            Onset::Stop,
            Onset::Stop,
            Onset::Hiss,
            Onset::None,
        ];
        match ONSETS[self.dice.between((0, 7)) as usize] {
            Onset::Nasal => self.queue.push_back(nasal(vowel, 60)),
            Onset::Glide => {
                let second_hz = if self.dice.share() < 0.5 { 800.0 } else { 2_000.0 };
                let formants_hz = [300.0, second_hz, 2_500.0];
                self.queue.push_back(Sound { lasts_ms: 55, voicing: 0.45, formants_hz, ..vowel });
            }
            Onset::Stop => {
                self.queue.push_back(Sound { lasts_ms: 45, voicing: 0.04, ..vowel });
                let hiss_hz = 1_500.0 + 2_500.0 * self.dice.share();
                self.queue.push_back(Sound { lasts_ms: 14, voicing: 0.1, hiss: 0.5, hiss_hz, ..vowel });
            }
            Onset::Hiss => {
                let hiss_hz = 3_800.0 + 2_200.0 * self.dice.share();
                self.queue.push_back(Sound { lasts_ms: 75, voicing: 0.03, hiss: 0.4, hiss_hz, ..vowel });
            }
            Onset::None => {}
        }
    }
}

fn nasal(vowel: Sound, lasts_ms: u32) -> Sound {
    Sound { lasts_ms, voicing: 0.38, formants_hz: [260.0, 1_250.0, 2_300.0], ..vowel }
}
