//! One source on its way into the mix: bursts by its clock in, 20 ms by the program's clock out, at every tick.
//!
//! It waits for its margin, plays, and when sound runs short fades out, is silent, and fades in once the margin is there again.
//! Nothing that arrived is thrown away, save what [`Pace`] skips and what exceeds the limits; both are counted.

use std::collections::VecDeque;

use super::pace::{Pace, Step};
use super::resample::{Kernels, Run, SOURCE_RATE_HZ_MAX, SOURCE_RATE_HZ_MIN};
use crate::ingest::Pcm;
use crate::time::{FRAME_MS, FRAME_SAMPLES, Time};

/// Most sound that waits in one inlet, in milliseconds; the oldest is dropped above it. The server stops reading long before.
pub const WAITING_MS_MAX: f64 = 12_000.0;
/// Changes of sampling rate that may wait in one inlet.
pub const RATE_CHANGES_MAX: usize = 8;
/// Decoders may overshoot full scale, but not by more than this.
const SAMPLE_MAX: f32 = 8.0;
/// Fades where sound breaks off and comes back: 5 ms.
const FADE_SAMPLES: usize = 240;
/// The cross-fade over a skip: 10 ms.
const SKIP_FADE_SAMPLES: usize = 480;
const FADE_MS: f64 = 5.0;

/// What happened in one tick of an inlet.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Played {
    /// A whole frame of the source's sound.
    Sound,
    /// The same, after leaving out so many milliseconds.
    Skipped(f64),
    /// Sound broke off within the frame.
    RanShort,
    /// Silence: nothing has come, or the margin is not there yet.
    Nothing,
    /// The source closed and everything it sent has been played.
    Over,
}

/// What happened to sound that arrived.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Taken {
    /// All of it waits.
    Whole,
    /// It waits, and so many milliseconds of older sound were dropped for it.
    Dropped(f64),
    /// Its rate is outside `SOURCE_RATE_HZ_MIN..=SOURCE_RATE_HZ_MAX`; it was not taken.
    RateOutside,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    /// No sound waits, or less than was left when it ran short.
    Empty { since_tick: u64 },
    /// Sound waits until the margin is there.
    Filling { gap_ms: f64, first_at: Time },
    /// Sound is being played.
    Playing,
}

/// The buffer, clock and rate of one source.
#[derive(Debug)]
pub(crate) struct Inlet {
    runs: VecDeque<Run>,
    pace: Pace,
    state: State,
    closed: bool,
    /// Nothing has ever been played.
    fresh: bool,
    ticks: u64,
    ticked_at: Time,
    scratch: [f32; FRAME_SAMPLES],
}

impl Inlet {
    /// An inlet into which nothing has come.
    pub fn new(now: Time) -> Self {
        Self {
            runs: VecDeque::with_capacity(RATE_CHANGES_MAX + 1),
            pace: Pace::new(),
            state: State::Empty { since_tick: 0 },
            closed: false,
            fresh: true,
            ticks: 0,
            ticked_at: now,
            scratch: [0.0; FRAME_SAMPLES],
        }
    }

    /// Takes sound that arrived at `now`. What is not a number becomes silence, what is far above full scale is clipped.
    pub fn push(&mut self, now: Time, mut pcm: Pcm, kernels: &mut Kernels) -> Taken {
        if !(SOURCE_RATE_HZ_MIN..=SOURCE_RATE_HZ_MAX).contains(&pcm.rate_hz) {
            return Taken::RateOutside;
        }
        if pcm.samples.is_empty() || self.closed {
            return Taken::Whole;
        }
        for sample in &mut pcm.samples {
            *sample = if sample.is_nan() { 0.0 } else { sample.clamp(-SAMPLE_MAX, SAMPLE_MAX) };
        }
        self.pace.arrived(self.waiting_ms_at(now), pcm.millis());
        self.append(&mut pcm, kernels);
        match self.state {
            State::Empty { since_tick } => {
                let gap_ms = if self.fresh { 0.0 } else { ((self.ticks - since_tick) * FRAME_MS) as f64 };
                self.state = State::Filling { gap_ms, first_at: now };
            }
            State::Filling { .. } | State::Playing => {}
        }
        match self.trim() {
            0.0 => Taken::Whole,
            dropped_ms => Taken::Dropped(dropped_ms),
        }
    }

    /// The source is gone; what waits is still played.
    pub fn close(&mut self) {
        self.closed = true;
        if let Some(run) = self.runs.back_mut() {
            run.end();
        }
    }

    /// Fills `out` with the next 20 ms.
    pub fn tick(&mut self, now: Time, out: &mut [f32; FRAME_SAMPLES]) -> Played {
        self.ticks += 1;
        self.ticked_at = now;
        out.fill(0.0);
        match self.state {
            State::Playing => {
                let step = self.pace.tick(self.waiting_ms());
                self.play(step, out)
            }
            State::Empty { .. } if self.closed => Played::Over,
            State::Filling { gap_ms, first_at } if self.may_start(now, first_at) => {
                self.pace.tick_waiting();
                self.start(gap_ms, out)
            }
            State::Empty { .. } | State::Filling { .. } => {
                self.pace.tick_waiting();
                Played::Nothing
            }
        }
    }

    /// Sound that waits, in milliseconds.
    pub fn waiting_ms(&self) -> f64 {
        self.runs.iter().map(Run::left_ms).sum()
    }

    /// How it follows its source's clock.
    pub fn pace(&self) -> &Pace {
        &self.pace
    }

    /// What will still wait at `now`, of which the frame that is being heard is already gone from the buffer.
    fn waiting_ms_at(&self, now: Time) -> f64 {
        let heard_ms = now.since(self.ticked_at).as_secs_f64() * 1_000.0;
        self.waiting_ms() + (FRAME_MS as f64 - heard_ms).max(0.0)
    }

    fn append(&mut self, pcm: &mut Pcm, kernels: &mut Kernels) {
        if self.runs.back().is_none_or(|run| run.rate_hz() != pcm.rate_hz) {
            if let Some(old) = self.runs.back_mut() {
                let fade = (FADE_MS * f64::from(old.rate_hz()) / 1_000.0) as usize;
                fade_out(old.tail_mut(fade));
                old.end();
                let fade = (FADE_MS * f64::from(pcm.rate_hz) / 1_000.0) as usize;
                let fade = fade.min(pcm.samples.len());
                fade_in(&mut pcm.samples[..fade]);
            }
            self.runs.push_back(Run::new(kernels.of(pcm.rate_hz), pcm.rate_hz));
        }
        if let Some(run) = self.runs.back_mut() {
            run.push(&pcm.samples);
        }
    }

    /// Drops the oldest sound above the limits; returns how much, in milliseconds.
    fn trim(&mut self) -> f64 {
        let mut dropped_ms = 0.0;
        while self.runs.len() > RATE_CHANGES_MAX {
            dropped_ms += self.runs.pop_front().map_or(0.0, |run| run.left_ms());
        }
        let excess_ms = self.waiting_ms() - WAITING_MS_MAX;
        if excess_ms > 0.0 {
            dropped_ms += self.skip(excess_ms);
        }
        dropped_ms
    }

    fn may_start(&self, now: Time, first_at: Time) -> bool {
        self.closed || now.since(first_at).as_secs_f64() * 1_000.0 >= self.pace.margin_ms()
    }

    fn start(&mut self, gap_ms: f64, out: &mut [f32; FRAME_SAMPLES]) -> Played {
        self.fresh = false;
        self.pace.started(gap_ms);
        self.state = State::Playing;
        let played = self.play(Step::Play(1.0 + self.pace.correction()), out);
        fade_in(&mut out[..FADE_SAMPLES]);
        played
    }

    fn play(&mut self, step: Step, out: &mut [f32; FRAME_SAMPLES]) -> Played {
        let speed = match step {
            Step::Play(speed) | Step::Skip(_, speed) => speed,
        };
        let playable = self.playable(speed);
        // A source that may still send keeps 5 ms back to fade over; one that closed has nothing to keep them for.
        let least = if self.closed { FRAME_SAMPLES + 1 } else { FRAME_SAMPLES + FADE_SAMPLES };
        if playable < least {
            return self.run_short(speed, playable, out);
        }
        self.read(speed, out);
        match step {
            Step::Play(_) => Played::Sound,
            Step::Skip(skip_ms, _) => self.skip_to(skip_ms, speed, out),
        }
    }

    /// Plays what is there, faded out over its last 5 ms, which were kept back for that.
    fn run_short(&mut self, speed: f64, playable: usize, out: &mut [f32; FRAME_SAMPLES]) -> Played {
        let length = playable.min(FRAME_SAMPLES);
        self.read(speed, &mut out[..length]);
        fade_out(&mut out[length.saturating_sub(FADE_SAMPLES)..length]);
        if self.closed {
            self.runs.clear();
        }
        self.state = State::Empty { since_tick: self.ticks };
        Played::RanShort
    }

    /// Cross-fades from `out`, which has just been played, to what lies `skip_ms` further on.
    fn skip_to(&mut self, skip_ms: f64, speed: f64, out: &mut [f32; FRAME_SAMPLES]) -> Played {
        let skipped_ms = self.skip(skip_ms - FRAME_MS as f64) + FRAME_MS as f64;
        let mut landing = self.scratch;
        self.read(speed, &mut landing);
        for (at, (old, new)) in out.iter_mut().zip(&landing).enumerate() {
            let share = (at as f32 / SKIP_FADE_SAMPLES as f32).min(1.0);
            *old += (new - *old) * share;
        }
        Played::Skipped(skipped_ms)
    }

    fn playable(&self, speed: f64) -> usize {
        self.runs.iter().map(|run| run.playable(speed)).sum()
    }

    /// Fills `out`, which is at most as long as what is playable; runs that have ended and been played are forgotten.
    fn read(&mut self, speed: f64, out: &mut [f32]) {
        let mut done = 0;
        while let Some(run) = self.runs.front_mut() {
            let length = run.playable(speed).min(out.len() - done);
            run.play(speed, &mut out[done..done + length]);
            done += length;
            if done == out.len() || self.runs.len() == 1 {
                return;
            }
            self.runs.pop_front();
        }
    }

    fn skip(&mut self, skip_ms: f64) -> f64 {
        let mut skipped_ms = 0.0;
        while let Some(run) = self.runs.front_mut() {
            let per_ms = f64::from(run.rate_hz()) / 1_000.0;
            skipped_ms += run.skip(((skip_ms - skipped_ms).max(0.0) * per_ms) as usize) as f64 / per_ms;
            if skip_ms - skipped_ms < 1.0 || self.runs.len() == 1 {
                break;
            }
            self.runs.pop_front();
        }
        skipped_ms
    }
}

/// Raises `samples` from silence.
pub(crate) fn fade_in(samples: &mut [f32]) {
    let length = samples.len() as f32;
    for (at, sample) in samples.iter_mut().enumerate() {
        *sample *= at as f32 / length;
    }
}

/// Lowers `samples` to silence.
pub(crate) fn fade_out(samples: &mut [f32]) {
    let length = samples.len() as f32;
    for (at, sample) in samples.iter_mut().enumerate() {
        *sample *= 1.0 - (at + 1) as f32 / length;
    }
}
