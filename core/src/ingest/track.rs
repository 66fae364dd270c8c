//! What every kind of decoding hands on: sound, titles, formats and damage, in the order in which they happened.

use std::collections::VecDeque;

use super::outcome::{Error, Format, Lost};
use super::pcm::Pcm;
use super::title::Title;

/// Beyond this (18 dB over full scale) a sample is damage, not sound.
const SAMPLE_MAX: f32 = 8.0;

/// What comes out of a source.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// The sound from here on has this format. Always before the first sound, and again when it changes.
    Format(Format),
    /// Sound, mixed down to mono.
    Sound(Pcm),
    /// What is heard from here on; told when it changes.
    Title(Title),
    /// Damage that was survived.
    Lost(Lost),
    /// The end: nothing can be heard from this source any more.
    Failed(Error),
}

/// Collects outputs; tells format and title only when they change.
#[derive(Debug, Default)]
pub struct Outputs {
    queue: VecDeque<Output>,
    format: Option<Format>,
    title: Title,
    heard: bool,
}

impl Outputs {
    /// The next output.
    pub fn pop(&mut self) -> Option<Output> {
        self.queue.pop_front()
    }

    /// The format of the sound that follows.
    pub fn format(&mut self, format: Format) {
        if self.format.replace(format) != Some(format) {
            self.queue.push_back(Output::Format(format));
        }
    }

    /// Sound in the format told last. Samples that are no numbers become silence.
    pub fn sound(&mut self, mut samples: Vec<f32>) {
        let Some(format) = self.format else {
            return;
        };
        if samples.is_empty() {
            return;
        }
        for sample in &mut samples {
            *sample = if sample.is_finite() { sample.clamp(-SAMPLE_MAX, SAMPLE_MAX) } else { 0.0 };
        }
        self.heard = true;
        self.queue.push_back(Output::Sound(Pcm { rate_hz: format.rate_hz, samples }));
    }

    /// What is heard from here on.
    pub fn title(&mut self, title: Title) {
        if self.title != title {
            self.title = title.clone();
            self.queue.push_back(Output::Title(title));
        }
    }

    /// Damage.
    pub fn lost(&mut self, lost: Lost) {
        self.queue.push_back(Output::Lost(lost));
    }

    /// The end.
    pub fn failed(&mut self, error: Error) {
        self.queue.push_back(Output::Failed(error));
    }

    /// Whether any sound came.
    pub const fn heard(&self) -> bool {
        self.heard
    }
}
