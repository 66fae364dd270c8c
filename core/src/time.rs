//! Three kinds of time that never mix: when something happens, where it lies in the sound, what the clock on
//! the wall said.
//!
//! `Time` drives every rule. `MediaTime` only ever grows by what was mixed. `WallTime` is for people, logs
//! and the seal, at the edges; no rule compares it, because clocks on walls jump.

use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The program's sampling rate in Hz, fixed by the wire.
pub const RATE_HZ: u32 = 48_000;
/// Samples in one frame: 20 ms.
pub const FRAME_SAMPLES: usize = 960;
/// One frame of the program, in milliseconds.
pub const FRAME_MS: u64 = 20;

/// Nanoseconds since the process (or the simulation) began; monotonic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The beginning.
    pub const ZERO: Self = Self(0);

    /// `ns` nanoseconds after the beginning.
    pub const fn from_nanos(ns: u64) -> Self {
        Self(ns)
    }

    /// `ms` milliseconds after the beginning.
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms * 1_000_000)
    }

    /// Nanoseconds since the beginning.
    pub const fn nanos(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the beginning.
    pub const fn millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// How long after `earlier` this is; zero when it is not after it.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    fn add(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// A place in the program's sound, in samples at 48 kHz since its first frame.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MediaTime(pub u64);

impl MediaTime {
    /// Seconds since the first frame.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / f64::from(RATE_HZ)
    }
}

impl Add<u64> for MediaTime {
    type Output = Self;

    fn add(self, samples: u64) -> Self {
        Self(self.0 + samples)
    }
}

impl Sub for MediaTime {
    type Output = u64;

    fn sub(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z, as the operating system believes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WallTime(pub i64);

impl WallTime {
    /// RFC 3339 in UTC with milliseconds: `2024-08-13T00:00:00.000Z`. Years outside 0..=9999 are shown as the
    /// nearest bound.
    pub fn rfc3339(self) -> String {
        let at = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
        let (date, clock) = (at.date(), at.time());
        format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            date.year().clamp(0, 9999),
            u8::from(date.month()),
            date.day(),
            clock.hour(),
            clock.minute(),
            clock.second(),
            clock.millisecond()
        )
    }

    /// Reads RFC 3339, any offset; `None` when it is not.
    pub fn parse(text: &str) -> Option<Self> {
        let at = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339).ok()?;
        i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok().map(Self)
    }

    /// Milliseconds after `earlier`; negative when the clock was set back.
    pub const fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wall_time_is_rfc_3339_both_ways() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_723_507_200_000, "2024-08-13T00:00:00.000Z"),
            (1_723_507_200_042, "2024-08-13T00:00:00.042Z"),
        ] {
            assert_eq!(WallTime(ms).rfc3339(), text);
            assert_eq!(WallTime::parse(text), Some(WallTime(ms)));
        }
        assert_eq!(WallTime::parse("2024-08-12T20:00:00-04:00"), Some(WallTime(1_723_507_200_000)));
        for wrong in ["", "yesterday", "2024-13-01T00:00:00Z", "2024-08-12 20:00"] {
            assert_eq!(WallTime::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn time_never_runs_backwards() {
        let (early, late) = (Time::from_millis(20), Time::from_millis(40));
        assert_eq!(late.since(early), Duration::from_millis(20));
        assert_eq!(early.since(late), Duration::ZERO);
        assert_eq!(early + Duration::from_millis(20), late);
    }
}
