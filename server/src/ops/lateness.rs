//! How late the program's clock was, as a histogram that is counted without a lock: a scrape that reads it
//! never holds up a frame.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::{MetricType, TypedMetric};

/// Upper bounds, in microseconds: a frame is 20 ms, so from 20 ms on a frame is late.
const BOUNDS_US: [u64; 10] = [500, 1_000, 2_000, 5_000, 10_000, 20_000, 40_000, 80_000, 160_000, 320_000];

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
