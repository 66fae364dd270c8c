//! The limiter: no true peak above −1 dBTP reaches a listener, whatever is summed, and nothing is touched
//! that stays below the aim.
//!
//! Coding changes the waveform, so a coded peak lies above the one that went in. The aim leaves room for
//! that.
//!
//! The true peak (ITU-R BS.1770-4 annex 2) is the largest value at four times the sampling rate. The gain
//! each sample needs is known 5 ms before the sample leaves; the least gain of that time, smoothed by two
//! moving averages that together span exactly that time, arrives at what is needed just when it is needed,
//! without a corner that could be heard.

use super::kernel::{Kernel, Shape, dot};
use crate::time::FRAME_SAMPLES;

/// No true peak of what a listener hears lies above this, in dBTP.
pub const TRUE_PEAK_DBTP_MAX: f64 = -1.0;
/// No true peak of a frame lies above this, in dBTP: coding adds the rest.
pub const FRAME_PEAK_DBTP_MAX: f64 = TRUE_PEAK_DBTP_MAX - CODING_DB;
/// Samples by which the limiter delays the program: 5 ms of look-ahead and half the peak meter's filter.
pub const LIMITER_DELAY_SAMPLES: usize = AHEAD - 1 + TAPS / 2;

/// What a meter with another filter may read more.
const METER_DB: f64 = 0.2;
/// What coding adds to the largest peak of limited speech: 1.1 dB in Opus at 64 kbit/s, 0.9 at 32, 1.6 in
/// AAC at 64. Opus at 16 kbit/s adds 2.5, which would cost everybody loudness (docs/decisions/0021).
const CODING_DB: f64 = 1.6;
/// The gain aims lower than the promise by both.
const AIM_DBTP: f64 = FRAME_PEAK_DBTP_MAX - METER_DB;
/// 5 ms.
const AHEAD: usize = 240;
const SMOOTH_FIRST: usize = AHEAD / 2;
const SMOOTH_SECOND: usize = AHEAD - SMOOTH_FIRST + 1;
/// Gain comes back by this share of the way at each sample: 63 % in 60 ms.
const RELEASE: f64 = 1.0 / (0.060 * 48_000.0);
/// The peak meter: 4 phases of 16 taps. Longer filters read less of what lies at the very edge of the band
/// than common meters do.
const PHASES: usize = 4;
const TAPS: usize = 16;
const BETA: f64 = 5.0;
/// No set of samples within ±1 makes the meter read above this.
const OVERSHOOT_MAX: f32 = 4.0;
/// Samples kept from frame to frame: what the meter's filter and the look-ahead still need.
const KEPT: usize = AHEAD + TAPS;

/// The look-ahead limiter of one program.
#[derive(Debug)]
pub(crate) struct Limiter {
    meter: Kernel,
    aim: f64,
    /// The kept samples, then the new frame.
    line: [f32; KEPT + FRAME_SAMPLES],
    /// The peak between the last two samples that were metered.
    last_between: f32,
    least: SlidingMin,
    envelope: f64,
    first: MovingMean<SMOOTH_FIRST>,
    second: MovingMean<SMOOTH_SECOND>,
    /// Samples since the gain last was below 1; the averages are full of ones once this exceeds the
    /// look-ahead.
    calm: usize,
}

impl Limiter {
    /// A limiter through which nothing has gone.
    pub fn new() -> Self {
        Self {
            meter: Kernel::new(Shape { phases: PHASES, taps: TAPS, cutoff: 0.5, beta: BETA }),
            aim: 10.0_f64.powf(AIM_DBTP / 20.0),
            line: [0.0; KEPT + FRAME_SAMPLES],
            last_between: 0.0,
            least: SlidingMin::new(),
            envelope: 1.0,
            first: MovingMean::new(),
            second: MovingMean::new(),
            calm: 2 * AHEAD,
        }
    }

    /// Replaces `frame` by what came [`LIMITER_DELAY_SAMPLES`] before its end, limited. All of `frame` is
    /// finite.
    pub fn limit(&mut self, frame: &mut [f32; FRAME_SAMPLES]) {
        self.line.copy_within(FRAME_SAMPLES.., 0);
        self.line[KEPT..].copy_from_slice(frame);
        if self.nothing_to_do() {
            self.last_between = 0.0;
            frame.copy_from_slice(&self.line[KEPT - LIMITER_DELAY_SAMPLES..][..FRAME_SAMPLES]);
            return;
        }
        for (at, out) in frame.iter_mut().enumerate() {
            // The newest sample the meter's filter can stand on, and the sample whose turn it is to leave.
            let metered = KEPT - TAPS / 2 + at;
            let needed = (self.aim / f64::from(self.peak_at(metered))).min(1.0);
            let gain = self.gain(needed);
            *out = (f64::from(self.line[metered + 1 - AHEAD]) * gain) as f32;
        }
    }

    /// Whether neither this frame nor the gain so far asks for anything.
    fn nothing_to_do(&self) -> bool {
        let loudest = self.line[KEPT - TAPS..].iter().fold(0.0_f32, |most, sample| most.max(sample.abs()));
        self.calm >= 2 * AHEAD && f64::from(loudest * OVERSHOOT_MAX) <= self.aim
    }

    /// The largest value from the one before to the one after the sample at `at`, at four times the rate.
    fn peak_at(&mut self, at: usize) -> f32 {
        let samples = &self.line[at + 1 - TAPS / 2..=at + TAPS / 2];
        let between =
            (1..PHASES).map(|phase| dot(samples, self.meter.row(phase)).abs()).fold(0.0_f32, f32::max);
        let peak = self.line[at].abs().max(between).max(self.last_between);
        self.last_between = between;
        peak
    }

    fn gain(&mut self, needed: f64) -> f64 {
        let least = self.least.push(needed);
        self.envelope = least.min(self.envelope + (1.0 - self.envelope) * RELEASE);
        // Release approaches 1 and would never arrive: the last hundred-thousandth is given at once.
        if self.envelope > 1.0 - 1e-5 && least >= 1.0 {
            self.envelope = 1.0;
            self.calm += 1;
        } else {
            self.calm = 0;
        }
        self.second.push(self.first.push(self.envelope))
    }
}

/// The least of the last `AHEAD` values: a queue of those that no later value undercuts.
#[derive(Debug)]
struct SlidingMin {
    queue: [(u64, f64); AHEAD + 1],
    first: usize,
    length: usize,
    now: u64,
}

impl SlidingMin {
    fn new() -> Self {
        Self { queue: [(0, 1.0); AHEAD + 1], first: 0, length: 0, now: 0 }
    }

    fn push(&mut self, value: f64) -> f64 {
        let size = self.queue.len();
        while self.length > 0 && self.queue[(self.first + self.length - 1) % size].1 >= value {
            self.length -= 1;
        }
        self.queue[(self.first + self.length) % size] = (self.now, value);
        self.length += 1;
        if self.queue[self.first].0 + AHEAD as u64 <= self.now {
            self.first = (self.first + 1) % size;
            self.length -= 1;
        }
        self.now += 1;
        self.queue[self.first].1
    }
}

/// The mean of the last `N` gains, in whole units of 2⁻⁴⁰ so that the running sum stays exact for ever.
#[derive(Debug)]
struct MovingMean<const N: usize> {
    values: [u64; N],
    at: usize,
    sum: u64,
}

const UNIT: f64 = (1_u64 << 40) as f64;

impl<const N: usize> MovingMean<N> {
    const fn new() -> Self {
        Self { values: [1 << 40; N], at: 0, sum: (1 << 40) * N as u64 }
    }

    fn push(&mut self, value: f64) -> f64 {
        let value = (value * UNIT) as u64;
        self.sum = self.sum + value - self.values[self.at];
        self.values[self.at] = value;
        self.at = (self.at + 1) % N;
        self.sum as f64 / (UNIT * N as f64)
    }
}
