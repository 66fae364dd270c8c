//! What the self-test's own threads and process take.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::{fs, io};

/// Bytes of this process in memory.
pub(super) fn process_bytes() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    let field = |n: usize| statm.split(' ').nth(n)?.parse::<u64>().ok();
    field(1)?.checked_mul(4_096)
}

/// Of segments as dear as they were: the cheapest are of moments when nobody else used the machine, and an
/// evening has few of those; the dearest are of something else that happened.
pub(super) fn middle(mut took_ms: Vec<f64>) -> f64 {
    took_ms.sort_by(f64::total_cmp);
    took_ms.get(took_ms.len() / 2).copied().unwrap_or_default()
}

/// The threads that serve, by their folders in `/proc`.
#[derive(Clone, Debug, Default)]
pub(super) struct Threads(Arc<Mutex<Vec<PathBuf>>>);

impl Threads {
    /// The calling thread is one of them.
    pub(super) fn note(&self) {
        if let Ok(place) = fs::read_link("/proc/thread-self") {
            let mut threads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            threads.push(PathBuf::from("/proc").join(place).join("schedstat"));
        }
    }

    /// Milliseconds all of them have run: what others run at the same time does not count.
    pub(super) fn processor_ms(&self) -> io::Result<f64> {
        let threads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ran_ns = |place: &PathBuf| {
            let line = fs::read_to_string(place)?;
            let field = line.split_whitespace().next().unwrap_or_default();
            field.parse::<f64>().map_err(io::Error::other)
        };
        Ok(threads.iter().map(ran_ns).sum::<io::Result<f64>>()? / 1e6)
    }
}
