//! What every kind of decoding hands on: sound, titles, formats and damage, in the order in which they
//! happened.

use std::collections::VecDeque;

use super::outcome::{Error, Format, Lost};
use super::pcm::Pcm;
use super::title::Title;

/// Over how long a step between two streams of a chain is smoothed, in milliseconds.
const SEAM_MS: u32 = 3;
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
    /// The last two samples, once sound has come.
    last: Option<[f32; 2]>,
    seam: Seam,
}

/// Where one stream ends and the next begins, the first samples of the new one are bent towards where the old
/// one was heading. Encoders that start afresh leave a step there, which would be heard as a click; where
/// there is no step nothing changes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Seam {
    #[default]
    None,
    /// The next sound begins a new stream.
    Next,
    /// So many samples of it are bent already, by a step of this size.
    Bending { step: f32, done: u32 },
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
        self.bend(&mut samples, format.rate_hz * SEAM_MS / 1_000);
        let [.., before] = self.last.unwrap_or_default();
        self.last = Some(match samples[..] {
            [.., before, last] => [before, last],
            [last] => [before, last],
            [] => [before, before],
        });
        self.queue.push_back(Output::Sound(Pcm { rate_hz: format.rate_hz, samples }));
    }

    /// The next sound begins a new stream, which is to be heard as the continuation of the one before.
    pub fn seam(&mut self) {
        self.seam = Seam::Next;
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
        self.last.is_some()
    }

    /// Adds the step over the seam, dying away over `span` samples.
    fn bend(&mut self, samples: &mut [f32], span: u32) {
        if let (Seam::Next, Some([before, last])) = (self.seam, self.last) {
            self.seam = Seam::Bending { step: 2.0 * last - before - samples[0], done: 0 };
        }
        let Seam::Bending { step, mut done } = self.seam else {
            self.seam = Seam::None;
            return;
        };
        for sample in samples {
            if done >= span {
                break;
            }
            let along = std::f32::consts::PI * done as f32 / span as f32;
            *sample += step * 0.5 * (1.0 + along.cos());
            done += 1;
        }
        self.seam = if done < span { Seam::Bending { step, done } } else { Seam::None };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::Codec;

    fn joined(chunk: usize) -> Vec<f32> {
        let mut out = Outputs::default();
        out.format(Format { codec: Codec::Opus, rate_hz: 48_000, channels: 1 });
        for piece in [0.5, -0.25].iter().flat_map(|&level| [vec![level; 300], Vec::new()]) {
            if piece.is_empty() {
                out.seam();
            }
            piece.chunks(chunk).for_each(|piece| out.sound(piece.to_vec()));
        }
        std::iter::from_fn(|| out.pop())
            .filter_map(|output| match output {
                Output::Sound(pcm) => Some(pcm.samples),
                _ => None,
            })
            .flatten()
            .collect()
    }

    #[test]
    fn a_step_between_two_streams_is_smoothed_and_dies_away() {
        let sound = joined(300);
        assert_eq!(sound.len(), 600);
        assert_eq!(sound[..300], [0.5; 300]);
        assert_eq!(sound[300 + 144..], [-0.25; 300 - 144]);
        let worst = sound.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
        assert!(worst < 0.01, "{worst}");
        assert_eq!(joined(1), sound);
        assert_eq!(joined(77), sound);
    }

    #[test]
    fn what_is_no_number_is_silence() {
        let mut out = Outputs::default();
        out.format(Format { codec: Codec::Mp3, rate_hz: 44_100, channels: 1 });
        out.sound(vec![f32::NAN, f32::INFINITY, 1e9, -0.5]);
        out.pop();
        assert_eq!(
            out.pop(),
            Some(Output::Sound(Pcm { rate_hz: 44_100, samples: vec![0.0, 0.0, 8.0, -0.5] }))
        );
    }
}
