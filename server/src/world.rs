//! The only clock and the only entropy of the process (clippy.toml sees to that): everything else is told the
//! time and handed its seeds.
//!
//! Keeping both behind one small type means that whatever a rule did can be replayed, and that a reader who
//! looks for "where does randomness come in" finds one file.

#![allow(clippy::disallowed_methods)]

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tribune_core::time::{Time, WallTime};

/// The world as this process sees it. Copies share one beginning, so their times can be compared.
#[derive(Clone, Copy, Debug)]
pub struct World {
    began: Instant,
}

impl World {
    /// Time begins now. Made once, in `run`.
    pub fn begin() -> Self {
        Self { began: Instant::now() }
    }

    /// Nanoseconds since the beginning; monotonic.
    pub fn now(self) -> Time {
        Time::ZERO + self.began.elapsed()
    }

    /// The instant at which `at` is, or was, for the runtime's timers. A deadline beyond what the clock can
    /// say is `None`.
    pub fn instant(self, at: Time) -> Option<Instant> {
        self.began.checked_add(Duration::from_nanos(at.nanos()))
    }

    /// Holds the calling thread up: for one that has nobody left to hear from, never for one of a runtime.
    pub fn rest(self, wait: Duration) {
        std::thread::sleep(wait);
    }

    /// What the clock on the wall says, in milliseconds since 1970 (UTC); it may jump either way.
    pub fn wall(self) -> WallTime {
        wall()
    }

    /// `N` bytes nobody can guess, from the operating system.
    pub fn entropy<const N: usize>(self) -> [u8; N] {
        let mut bytes = [0; N];
        getrandom::fill(&mut bytes).expect("the operating system has entropy once it has started us");
        bytes
    }

    /// Nine bytes that do not come again, and that nobody outside can tell from those before: for the numbers
    /// of things, not for keys. The operating system is asked once, not for each request.
    pub fn number(self) -> [u8; 9] {
        static KEY: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut bytes = [KEY.hash_one((next, "ninth")) as u8; 9];
        bytes[..8].copy_from_slice(&KEY.hash_one(next).to_be_bytes());
        bytes
    }
}

/// What the clock on the wall says, for those who hold no [`World`]: logs, certificates.
pub fn wall() -> WallTime {
    match SystemTime::now().duration_since(UNIX_EPOCH) {
        Ok(since) => WallTime(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)),
        Err(before) => WallTime(-i64::try_from(before.duration().as_millis()).unwrap_or(i64::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_grows_and_entropy_differs() {
        let world = World::begin();
        let (first, second) = (world.now(), world.now());
        assert!(first <= second);
        assert!(world.instant(second).is_some_and(|at| at <= Instant::now()));
        assert_ne!(world.entropy::<16>(), world.entropy::<16>());
        let numbers: std::collections::BTreeSet<_> = (0..1_000).map(|_| world.number()).collect();
        assert_eq!(numbers.len(), 1_000);
        assert!(world.wall() > WallTime(1_700_000_000_000), "this code is younger than November 2023");
    }
}
