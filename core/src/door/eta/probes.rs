//! Forecasts that nobody asked for, made to be checked: each bound learns from them whether it was too
//! narrow.

use std::collections::VecDeque;
use std::time::Duration;

use crate::time::Time;

/// The horizons at which forecasts are checked, in seconds; each stands for those nearer to it than to the
/// next.
const HORIZONS_S: [f64; BUCKETS] = [15.0, 60.0, 240.0, 960.0, 3_840.0];
const BUCKETS: usize = 5;
/// Most forecasts of one horizon that are open at a time.
const OPEN_MAX: usize = 24;
/// A bound is to be wrong this often.
const MISSES: f64 = 0.06;
/// How fast a width changes: by so much, in logarithm, for a bound that was wrong.
const STEP: f64 = 0.12;
const WIDTH_MIN: f64 = 0.3;
const WIDTH_MAX: f64 = 6.0;
/// The hit rate is one of so many forecasts; older ones fade.
const MEMORY: f64 = 200.0;
/// So many forecasts must have been checked before a hit rate is shown.
const SHOWN_MIN: f64 = 20.0;

/// By how much a range is wider or narrower than its reckoning, downwards and upwards.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Widths {
    pub(super) low: f64,
    pub(super) high: f64,
}

#[derive(Clone, Copy, Debug)]
struct Probe {
    rank: u64,
    low: Time,
    high: Time,
    overdue: bool,
}

#[derive(Debug)]
struct Bucket {
    horizon_s: f64,
    widths: Widths,
    open: VecDeque<Probe>,
    next_at: Time,
}

/// The forecasts that are open, and what was learned.
#[derive(Debug)]
pub(super) struct Probes {
    buckets: [Bucket; BUCKETS],
    checked: f64,
    held: f64,
    ever: f64,
}

impl Default for Probes {
    fn default() -> Self {
        let buckets = HORIZONS_S.map(|horizon_s| Bucket {
            horizon_s,
            widths: Widths { low: 1.0, high: 1.0 },
            open: VecDeque::new(),
            next_at: Time::ZERO,
        });
        Self { buckets, checked: 0.0, held: 0.0, ever: 0.0 }
    }
}

impl Probes {
    /// The line moves by other things than before: what was forecast is void.
    pub(super) fn forget(&mut self) {
        self.buckets.iter_mut().for_each(|bucket| bucket.open.clear());
    }

    /// Horizons for which a forecast is due, each with its place.
    pub(super) fn due(&self, now: Time) -> Vec<(usize, f64)> {
        let due = |bucket: &&(usize, &Bucket)| bucket.1.next_at <= now && bucket.1.open.len() < OPEN_MAX;
        let buckets = self.buckets.iter().enumerate();
        buckets.filter(|it| due(&it)).map(|(place, bucket)| (place, bucket.horizon_s)).collect()
    }

    /// A forecast: the line passes `rank` between these two, in seconds from now.
    pub(super) fn place(&mut self, now: Time, bucket: usize, rank: u64, (low_s, high_s): (f64, f64)) {
        let at = |seconds: f64| now + Duration::from_secs_f64(seconds.clamp(0.0, 1e6));
        let bucket = &mut self.buckets[bucket];
        bucket.open.push_back(Probe { rank, low: at(low_s), high: at(high_s + 1.0), overdue: false });
        bucket.next_at = at((bucket.horizon_s / 12.0).max(3.0));
    }

    /// The line is at `now_serving`: which forecasts have held?
    pub(super) fn resolve(&mut self, now: Time, now_serving: u64) {
        for bucket in &mut self.buckets {
            let widths = &mut bucket.widths;
            for probe in &mut bucket.open {
                if now_serving <= probe.rank && now > probe.high && !probe.overdue {
                    probe.overdue = true;
                    widths.high = widened(widths.high);
                }
            }
            bucket.open.retain(|probe| {
                if now_serving <= probe.rank {
                    return true;
                }
                let early = now < probe.low;
                widths.low = if early { widened(widths.low) } else { narrowed(widths.low) };
                if !probe.overdue {
                    widths.high = narrowed(widths.high);
                }
                let fades = 1.0 - 1.0 / MEMORY;
                self.checked = self.checked * fades + 1.0;
                self.held = self.held * fades + f64::from(u8::from(!early && !probe.overdue));
                self.ever += 1.0;
                false
            });
        }
    }

    /// What was learned about looking `horizon_s` ahead: between two horizons, of both.
    pub(super) fn widths(&self, horizon_s: f64) -> Widths {
        let place = HORIZONS_S.partition_point(|at| *at <= horizon_s);
        let (Some(near), Some(far)) = (place.checked_sub(1), self.buckets.get(place)) else {
            return self.buckets[place.min(BUCKETS - 1)].widths;
        };
        let near = &self.buckets[near];
        let part = (horizon_s / near.horizon_s).ln() / (far.horizon_s / near.horizon_s).ln();
        let mix = |near: f64, far: f64| near + (far - near) * part;
        Widths { low: mix(near.widths.low, far.widths.low), high: mix(near.widths.high, far.widths.high) }
    }

    pub(super) fn hit_rate(&self) -> Option<f64> {
        (self.ever >= SHOWN_MIN).then(|| self.held / self.checked)
    }
}

fn widened(width: f64) -> f64 {
    (width * (STEP * (1.0 - MISSES)).exp()).min(WIDTH_MAX)
}

fn narrowed(width: f64) -> f64 {
    (width * (-STEP * MISSES).exp()).max(WIDTH_MIN)
}
