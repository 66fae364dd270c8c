//! The program in a microphone: what a speaker sends rises and falls as what was sent to them did, always so
//! much later.
//!
//! The loudness of both is compared in steps of 5 ms over four seconds, at every delay up to 800 ms. People
//! who take turns rise when the other falls, people who talk at once do so independently; only a loudspeaker
//! follows syllable by syllable, and only it does so at the same delay each time.

use std::collections::VecDeque;

use super::TICKS_PER_S;
use crate::time::FRAME_SAMPLES;

/// The longest delay that is looked at, in steps: 800 ms.
pub const DELAYS: usize = 160;

/// 5 ms.
const STEP_SAMPLES: usize = 240;
const STEPS_PER_FRAME: usize = FRAME_SAMPLES / STEP_SAMPLES;
/// Four seconds.
const WINDOW: usize = 800;
/// Looked at once a second.
const EVERY_TICKS: u32 = TICKS_PER_S;
/// What counts as the same course, from −1 to 1, and as another one.
const ALIKE_MIN: f32 = 0.65;
const UNLIKE_MAX: f32 = 0.45;
/// Looks in a row that must agree: on an echo, on its delay within two steps; on its end.
const LOOKS_ECHO: u32 = 3;
const LOOKS_GONE: u32 = 4;
const DELAY_STEPS: usize = 2;
/// What is quieter is silence, in decibels below full scale.
const SILENCE_DB: f32 = -65.0;
/// Nothing can be said while what was sent hardly moves: its standard deviation, in decibels.
const MOVES_DB_MIN: f32 = 4.0;

/// What a look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    /// What was sent comes back.
    Echo,
    /// It does no more.
    Gone,
}

/// Compares what one speaker sends with what was sent to them.
#[derive(Debug)]
pub(crate) struct Echo {
    heard: VecDeque<f32>,
    sent: VecDeque<f32>,
    ticks: u32,
    delay: usize,
    looks: u32,
    echoes: bool,
}

impl Echo {
    /// Nothing was heard. `turn` spreads the work of many over a second.
    pub fn new(turn: u32) -> Self {
        Self {
            heard: VecDeque::with_capacity(WINDOW),
            sent: VecDeque::with_capacity(WINDOW + DELAYS),
            ticks: turn % EVERY_TICKS,
            delay: 0,
            looks: 0,
            echoes: false,
        }
    }

    /// The speaker sent this frame.
    pub fn heard(&mut self, frame: &[f32; FRAME_SAMPLES]) -> Option<Finding> {
        note(&mut self.heard, WINDOW, course(frame));
        self.ticks += 1;
        if self.ticks < EVERY_TICKS || self.heard.len() < WINDOW || self.sent.len() < WINDOW + DELAYS {
            return None;
        }
        self.ticks = 0;
        self.look()
    }

    /// This frame was sent to the speaker.
    pub fn sent(&mut self, course: [f32; STEPS_PER_FRAME]) {
        note(&mut self.sent, WINDOW + DELAYS, course);
    }

    fn look(&mut self) -> Option<Finding> {
        let (heard, sent) = (centred(self.heard.make_contiguous()), centred(self.sent.make_contiguous()));
        let moves = (dot(&sent, &sent) / sent.len() as f32).sqrt();
        if moves < MOVES_DB_MIN {
            return None;
        }
        let (delay, alike) = most_alike(&heard, &sent);
        let agrees = match self.echoes {
            false => alike >= ALIKE_MIN && (self.looks == 0 || delay.abs_diff(self.delay) <= DELAY_STEPS),
            true => alike <= UNLIKE_MAX,
        };
        self.delay = delay;
        self.looks = if agrees { self.looks + 1 } else { u32::from(!self.echoes && alike >= ALIKE_MIN) };
        let (needed, finding) =
            if self.echoes { (LOOKS_GONE, Finding::Gone) } else { (LOOKS_ECHO, Finding::Echo) };
        if self.looks < needed {
            return None;
        }
        (self.echoes, self.looks) = (!self.echoes, 0);
        Some(finding)
    }
}

/// The loudness of a frame in steps of 5 ms, in decibels below full scale.
pub(crate) fn course(frame: &[f32; FRAME_SAMPLES]) -> [f32; STEPS_PER_FRAME] {
    std::array::from_fn(|step| {
        let piece = &frame[step * STEP_SAMPLES..(step + 1) * STEP_SAMPLES];
        let power = piece.iter().map(|x| x * x).sum::<f32>() / STEP_SAMPLES as f32;
        (10.0 * power.max(1e-12).log10()).max(SILENCE_DB)
    })
}

fn note(line: &mut VecDeque<f32>, length: usize, course: [f32; STEPS_PER_FRAME]) {
    line.extend(course);
    line.drain(..line.len().saturating_sub(length));
}

fn centred(values: &[f32]) -> Vec<f32> {
    let mean = values.iter().sum::<f32>() / values.len() as f32;
    values.iter().map(|value| value - mean).collect()
}

/// The delay in steps at which `heard` follows `sent` best, and how well.
fn most_alike(heard: &[f32], sent: &[f32]) -> (usize, f32) {
    let own = dot(heard, heard).max(1e-3);
    (0..=DELAYS)
        .map(|delay| {
            let earlier = &sent[DELAYS - delay..][..WINDOW];
            (delay, dot(heard, earlier) / (own * dot(earlier, earlier).max(1e-3)).sqrt())
        })
        .max_by(|(_, a), (_, b)| a.total_cmp(b))
        .unwrap_or((0, 0.0))
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    super::kernel::dot(a, b)
}
