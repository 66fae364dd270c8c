//! Any source rate to 48 kHz, by a ratio that may change a little with every frame.
//!
//! A [`Run`] holds the samples of one source at one rate and a place between two of them. Each output sample is interpolated
//! there by a windowed sinc (64 taps, more above 48 kHz), and the place moves on by the ratio. The filter passes 20 kHz of a
//! 44.1 kHz source and stops its image at 24.1 kHz; above 48 kHz it also stops what would fold back below 20 kHz.

use std::sync::Arc;

use super::kernel::{Kernel, Shape, dot_between};
use crate::time::RATE_HZ;

/// Lowest source rate that is accepted, in Hz.
pub const SOURCE_RATE_HZ_MIN: u32 = 8_000;
/// Highest source rate that is accepted, in Hz.
pub const SOURCE_RATE_HZ_MAX: u32 = 96_000;

const PHASE_BITS: u32 = 8;
const PHASES: usize = 1 << PHASE_BITS;
const TAPS: usize = 64;
const BETA: f64 = 9.0;
/// Filters for rates above 48 kHz are shared by all rates within an eighth of 48 kHz.
const STEPS_PER_OCTAVE_ABOVE: usize = 8;
/// One source sample in the fixed-point place.
const ONE: u64 = 1 << 32;
/// Samples already used are dropped once there are this many, so that dropping costs little per sample.
const USED_MAX: usize = 16_384;

/// The filters, made when a rate first needs one and shared by all inlets.
#[derive(Debug, Default)]
pub(crate) struct Kernels {
    by_step: [Option<Arc<Kernel>>; STEPS_PER_OCTAVE_ABOVE + 1],
}

impl Kernels {
    /// The filter for a source of `rate_hz`, which lies within the accepted rates.
    pub fn of(&mut self, rate_hz: u32) -> Arc<Kernel> {
        let above = rate_hz.saturating_sub(RATE_HZ) as usize * STEPS_PER_OCTAVE_ABOVE;
        let step = above.div_ceil(RATE_HZ as usize).min(STEPS_PER_OCTAVE_ABOVE);
        let stretch = 1.0 + step as f64 / STEPS_PER_OCTAVE_ABOVE as f64;
        let kernel = self.by_step[step].get_or_insert_with(|| {
            let taps = TAPS + TAPS * step / STEPS_PER_OCTAVE_ABOVE;
            Arc::new(Kernel::new(Shape { phases: PHASES, taps, cutoff: 0.5 / stretch, beta: BETA }))
        });
        Arc::clone(kernel)
    }
}

/// Samples of one source at one rate, and how far they have been played.
#[derive(Debug)]
pub(crate) struct Run {
    kernel: Arc<Kernel>,
    rate_hz: u32,
    samples: Vec<f32>,
    /// Index of the first sample under the filter.
    head: usize,
    /// How far between two samples the filter stands, in 1/2³² sample.
    fraction: u64,
    ended: bool,
}

impl Run {
    /// An empty run; its first output sample is its first input sample.
    pub fn new(kernel: Arc<Kernel>, rate_hz: u32) -> Self {
        let samples = vec![0.0; kernel.taps() / 2 - 1];
        Self { kernel, rate_hz, samples, head: 0, fraction: 0, ended: false }
    }

    /// Samples a second by the source's own clock.
    pub fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// Adds samples at the end.
    pub fn push(&mut self, samples: &[f32]) {
        debug_assert!(!self.ended, "a run that ended takes nothing more");
        self.samples.extend_from_slice(samples);
    }

    /// Nothing more will come: what lies under the filter's far half may be played too.
    pub fn end(&mut self) {
        if !self.ended {
            self.ended = true;
            let half = self.kernel.taps() / 2;
            self.samples.resize(self.samples.len() + half, 0.0);
        }
    }

    /// Source samples that can still be played, with their fraction.
    pub fn left(&self) -> f64 {
        let whole = (self.samples.len() - self.head) as f64 - (self.kernel.taps() - 1) as f64;
        (whole - self.fraction as f64 / ONE as f64).max(0.0)
    }

    /// The same in milliseconds by the source's own clock.
    pub fn left_ms(&self) -> f64 {
        self.left() * 1_000.0 / f64::from(self.rate_hz)
    }

    /// Output samples that can be played at `speed` (1.0 is the source's nominal speed).
    pub fn playable(&self, speed: f64) -> usize {
        let places = (self.samples.len() - self.head + 1).saturating_sub(self.kernel.taps()) as u64 * ONE;
        places.saturating_sub(self.fraction).div_ceil(self.step(speed)) as usize
    }

    /// Fills `out`, which is at most [`Run::playable`] long, at `speed`.
    pub fn play(&mut self, speed: f64, out: &mut [f32]) {
        let step = self.step(speed);
        let taps = self.kernel.taps();
        let (mut head, mut fraction) = (self.head, self.fraction);
        for sample in out {
            let phase = (fraction >> (32 - PHASE_BITS)) as usize;
            let between = fraction & ((ONE >> PHASE_BITS) - 1);
            let weight = between as f32 * (PHASES as f32 / ONE as f32);
            *sample = dot_between(&self.samples[head..head + taps], self.kernel.pair(phase), weight);
            fraction += step;
            head += (fraction >> 32) as usize;
            fraction &= ONE - 1;
        }
        (self.head, self.fraction) = (head, fraction);
        self.drop_used();
    }

    /// Leaves out up to `samples` source samples; returns how many it left out.
    pub fn skip(&mut self, samples: usize) -> usize {
        let skipped = samples.min(self.left() as usize);
        self.head += skipped;
        self.drop_used();
        skipped
    }

    /// The last `count` samples (fewer if fewer are left) that have not been touched by the filter, for fading.
    pub fn tail_mut(&mut self, count: usize) -> &mut [f32] {
        let untouched = (self.head + self.kernel.taps()).min(self.samples.len());
        let from = self.samples.len().saturating_sub(count).max(untouched);
        &mut self.samples[from..]
    }

    fn step(&self, speed: f64) -> u64 {
        (f64::from(self.rate_hz) / f64::from(RATE_HZ) * speed * ONE as f64).round() as u64
    }

    fn drop_used(&mut self) {
        if self.head >= USED_MAX {
            self.samples.copy_within(self.head.., 0);
            self.samples.truncate(self.samples.len() - self.head);
            self.head = 0;
        }
    }
}
