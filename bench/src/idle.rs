//! A control beside every measurement: how late a thread that does nothing is woken. Where this is large, the
//! machine was busy with something else and the figures beside it are worth less.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::beeps::spread;

const EVERY: Duration = Duration::from_millis(20);

/// The idle thread.
pub struct Idle {
    over: Arc<AtomicBool>,
    thread: JoinHandle<Vec<f64>>,
}

impl Idle {
    /// Begins to sleep 20 ms at a time.
    pub fn watch() -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let seen = over.clone();
        let thread = std::thread::spawn(move || {
            let (mut late_ms, mut due) = (Vec::new(), Instant::now());
            while !seen.load(Ordering::Relaxed) {
                // As the clock of a program has it: what it slept too long, the next moments are late too.
                due += EVERY;
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                late_ms.push(due.elapsed().as_secs_f64() * 1_000.0);
            }
            late_ms
        });
        Self { over, thread }
    }

    /// How late it was woken, in milliseconds.
    pub fn late_ms(self) -> Value {
        self.stalls().late_ms
    }

    /// How late it was woken, and how often by more than a frame: what a server's clock would have seen too.
    pub fn stalls(self) -> Stalls {
        self.over.store(true, Ordering::Relaxed);
        let mut late_ms = self.thread.join().unwrap_or_default();
        late_ms.sort_by(f64::total_cmp);
        let over_20_ms = late_ms.iter().filter(|ms| **ms > EVERY.as_secs_f64() * 1_000.0).count();
        Stalls { late_ms: spread(&late_ms), over_20_ms }
    }
}

/// What an idle thread saw.
pub struct Stalls {
    /// Median, 99th percentile and largest, in milliseconds.
    pub late_ms: Value,
    /// Times it was woken more than 20 ms late.
    pub over_20_ms: usize,
}
