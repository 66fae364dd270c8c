//! A control beside every measurement: how late a thread that does nothing is woken. Where this is large, the
//! machine was busy with something else and the figures beside it are worth less.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::beeps::spread;

/// Short beside a frame, so that nobody stands still for long unseen.
const EVERY: Duration = Duration::from_millis(2);
/// Who is woken later than this has stood still: a program's clock would have been a frame late.
const STALL: Duration = Duration::from_millis(20);

/// One idle thread for each processor: where a host takes one of them away, only who runs there stands still.
pub struct Idle {
    over: Arc<AtomicBool>,
    stalled: Arc<Mutex<Vec<Instant>>>,
    threads: Vec<JoinHandle<Vec<f64>>>,
}

impl Idle {
    /// Begins to sleep 2 ms at a time.
    pub fn watch() -> Self {
        let (over, stalled) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        // All that are there: who watches may be kept on one of them.
        // SAFETY: asks for a number.
        let online = unsafe { libc::sysconf(libc::_SC_NPROCESSORS_ONLN) };
        let processors = usize::try_from(online).unwrap_or(1).max(1);
        let idle = |processor| {
            let (over, stalled) = (over.clone(), stalled.clone());
            std::thread::spawn(move || {
                stay_on(processor);
                sleep_until(&over, &stalled)
            })
        };
        let threads = (0..processors).map(idle).collect();
        Self { over, stalled, threads }
    }

    /// Whether one of them was woken more than 20 ms late between two moments.
    pub fn was_stalled(&self, from: Instant, to: Instant) -> bool {
        let stalled = self.stalled.lock().unwrap_or_else(PoisonError::into_inner);
        stalled.iter().any(|at| (from..=to).contains(at))
    }

    /// How late they were woken, in milliseconds.
    pub fn late_ms(self) -> Value {
        self.stalls().late_ms
    }

    /// How late they were woken, and how often by more than a frame: what a server's clock would have seen
    /// too.
    pub fn stalls(self) -> Stalls {
        self.over.store(true, Ordering::Relaxed);
        let mut late_ms: Vec<f64> =
            self.threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect();
        late_ms.sort_by(f64::total_cmp);
        let over_20_ms = late_ms.iter().filter(|ms| **ms > ms_of(STALL)).count();
        Stalls { late_ms: spread(&late_ms), over_20_ms }
    }
}

/// What the idle threads saw.
pub struct Stalls {
    /// Median, 99th percentile and largest, in milliseconds.
    pub late_ms: Value,
    /// Times one was woken more than 20 ms late.
    pub over_20_ms: usize,
}

fn sleep_until(over: &AtomicBool, stalled: &Mutex<Vec<Instant>>) -> Vec<f64> {
    let (mut late_ms, mut due) = (Vec::new(), Instant::now());
    while !over.load(Ordering::Relaxed) {
        // As the clock of a program has it: what it slept too long, the next moments are late too.
        due += EVERY;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let late = due.elapsed();
        if late > STALL {
            stalled.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
        }
        late_ms.push(ms_of(late));
    }
    late_ms
}

fn ms_of(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Keeps the calling thread, and those it starts, on one processor, where the system lets it.
pub fn stay_on(processor: usize) {
    // SAFETY: the set is made here and lives through both calls; a processor that is not there is refused.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::CPU_SET(processor % libc::CPU_SETSIZE as usize, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &raw const set);
    }
}
