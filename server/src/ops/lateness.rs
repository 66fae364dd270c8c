//! How late something was, the program's clock or the sending of its parts, as a histogram that is counted
//! without a lock: a scrape that reads it never holds up a frame.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// Upper bounds, in microseconds: a frame is 20 ms, so from 20 ms on a frame is late; a part is 320 ms.
const BOUNDS_US: [u64; 13] = [
    500, 1_000, 2_000, 5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 320_000, 500_000, 1_000_000, 2_000_000,
];

/// Times, by how long they were. Copies are the same.
#[derive(Clone, Debug, Default)]
pub struct Lateness(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// One for each bound, and one for what is longer.
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Lateness {
    /// Counts one.
    pub fn observe(&self, late: Duration) {
        let late_us = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_US.partition_point(|bound_us| *bound_us < late_us);
        self.0.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.0.sum_us.fetch_add(late_us, Ordering::Relaxed);
    }

    /// What was counted so far.
    pub fn counted(&self) -> Counted {
        Counted(std::array::from_fn(|bucket| self.0.buckets[bucket].load(Ordering::Relaxed)))
    }
}

/// How often something was how late, up to a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted([u64; BOUNDS_US.len() + 1]);

impl Counted {
    /// What was counted since `before`.
    pub fn since(&self, before: &Self) -> Self {
        Self(std::array::from_fn(|bucket| self.0[bucket].saturating_sub(before.0[bucket])))
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// So large a share of them was no later than this, in milliseconds; infinite beyond the last bound, 0
    /// when there were none.
    pub fn quantile_ms(&self, share: f64) -> f64 {
        let (count, mut seen) = (self.count(), 0);
        if count == 0 {
            return 0.0;
        }
        for (bucket, here) in self.0.iter().enumerate() {
            seen += here;
            if seen as f64 >= count as f64 * share {
                return BOUNDS_US.get(bucket).map_or(f64::INFINITY, |us| *us as f64 / 1e3);
            }
        }
        f64::INFINITY
    }

    /// The share of them that was later than this, in milliseconds, which is one of the bounds.
    pub fn share_over(&self, ms: u64) -> f64 {
        let over = BOUNDS_US.partition_point(|bound_us| *bound_us <= ms * 1_000);
        self.0[over..].iter().sum::<u64>() as f64 / self.count().max(1) as f64
    }
}

impl TypedMetric for Lateness {
    const TYPE: MetricType = MetricType::Histogram;
}

impl EncodeMetric for Lateness {
    fn encode(&self, mut encoder: MetricEncoder) -> fmt::Result {
        let seconds = |us: u64| us as f64 / 1e6;
        let bounds = BOUNDS_US.iter().map(|us| seconds(*us)).chain([f64::INFINITY]);
        let counts = self.0.buckets.iter().map(|count| count.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = bounds.zip(counts).collect();
        let count = buckets.iter().map(|(_, count)| count).sum();
        let sum = seconds(self.0.sum_us.load(Ordering::Relaxed));
        encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;
    use prometheus_client::registry::Registry;

    use super::*;

    #[test]
    fn what_was_late_lately_is_told_from_what_was_late_before() {
        let lateness = Lateness::default();
        assert_eq!(lateness.counted().quantile_ms(0.99), 0.0, "there was nothing");
        (0..100).for_each(|_| lateness.observe(Duration::from_secs(5)));
        assert_eq!(lateness.counted().quantile_ms(0.99), f64::INFINITY);
        let before = lateness.counted();
        (0..98).for_each(|_| lateness.observe(Duration::from_millis(3)));
        (0..2).for_each(|_| lateness.observe(Duration::from_millis(1_500)));
        let lately = lateness.counted().since(&before);
        assert_eq!((lately.count(), lately.quantile_ms(0.98), lately.quantile_ms(0.99)), (100, 5.0, 2_000.0));
        assert_eq!((lately.share_over(1_000), lately.share_over(2_000)), (0.02, 0.0));
    }

    #[test]
    fn each_time_is_counted_under_every_bound_it_keeps() {
        let lateness = Lateness::default();
        for us in [0, 500, 501, 20_000, 20_001, 400_000] {
            lateness.observe(Duration::from_micros(us));
        }
        let mut registry = Registry::default();
        registry.register("late", "How late", lateness);
        let mut text = String::new();
        encode(&mut text, &registry).expect("writing to a string does not fail");
        for line in [
            "late_bucket{le=\"0.0005\"} 2",
            "late_bucket{le=\"0.001\"} 3",
            "late_bucket{le=\"0.02\"} 4",
            "late_bucket{le=\"0.04\"} 5",
            "late_bucket{le=\"0.32\"} 5",
            "late_bucket{le=\"+Inf\"} 6",
            "late_count 6",
            "late_sum 0.441002",
        ] {
            assert!(text.lines().any(|there| there == line), "{line} in\n{text}");
        }
    }
}
