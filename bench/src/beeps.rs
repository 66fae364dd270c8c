//! A beep a second, each of the next ten at a pitch of its own, so that a beep that is heard says when it was
//! spoken, up to ten seconds back.

use std::time::Instant;

use serde_json::{Value, json};
use tribune_rehearsal::listener::Heard;

/// Samples in a second.
pub const RATE: usize = 48_000;
/// A beep this long.
const BEEP_SAMPLES: usize = RATE * 40 / 1_000;
/// Beeps until a pitch comes again.
const PITCHES: usize = 10;
const PITCH_HZ_MIN: f64 = 600.0;
const PITCH_HZ_STEP: f64 = 200.0;
/// What is louder is a beep; what the codec leaves around one is far below.
const BEEP_MIN: f32 = 0.05;
/// A beep begins after at least this much quiet: half a second.
const QUIET_SAMPLES_MIN: usize = RATE / 2;
/// The pitch is measured in this much of the beep, past its beginning: 5 to 35 ms.
const PITCH_SAMPLES: std::ops::Range<usize> = RATE * 5 / 1_000..RATE * 35 / 1_000;
/// Beeps before this many seconds may be of the hold sound or of a source that is just coming in.
const SETTLE_S: f64 = 5.0;

/// Mono samples at 48 kHz.
pub fn sound(seconds: usize) -> Vec<f32> {
    (0..seconds * RATE)
        .map(|n| if n % RATE < BEEP_SAMPLES { 0.3 * tone(n, pitch_hz(n / RATE)) } else { 0.0 })
        .collect()
}

/// Sample `n` of a tone.
pub fn tone(n: usize, hz: f64) -> f32 {
    (std::f64::consts::TAU * hz * n as f64 / RATE as f64).sin() as f32
}

/// Who plays what came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Player {
    /// Plays each page the moment it comes: how old the newest sound is.
    AtTheEdge,
    /// Plays every page it was given, in order, each after the one before: what a person hears who just
    /// joined, with no buffer beyond what the server made of it.
    InOrder,
}

/// How late each beep was heard, in milliseconds, in rising order. `began` is when the first was spoken.
pub fn lateness_ms(heard: &[Heard], began: Instant, player: Player) -> Vec<f64> {
    let samples: Vec<f32> = heard.iter().flat_map(|part| part.samples.iter().copied()).collect();
    let played_s = played_s(heard, began, player);
    let mut late_ms: Vec<f64> = onsets(&samples)
        .filter(|&at| played_s(at) > SETTLE_S)
        .filter_map(|at| {
            let spoken = spoken_second(samples.get(at + PITCH_SAMPLES.start..at + PITCH_SAMPLES.end)?)?;
            Some((played_s(at) - spoken as f64).rem_euclid(PITCHES as f64) * 1_000.0)
        })
        .collect();
    late_ms.sort_by(f64::total_cmp);
    late_ms
}

/// Median, 99th percentile and largest of values in rising order, to a tenth.
pub fn spread(sorted: &[f64]) -> Value {
    let at = |share: f64| {
        let index = ((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1));
        sorted.get(index).map(|value| (value * 10.0).round() / 10.0)
    };
    json!({"count": sorted.len(), "p50": at(0.5), "p99": at(0.99), "max": at(1.0)})
}

/// When sample `n` of all that was heard is played, in seconds since `began`.
fn played_s(heard: &[Heard], began: Instant, player: Player) -> impl Fn(usize) -> f64 {
    let mut begins = Vec::with_capacity(heard.len());
    let (mut first, mut free_s) = (0, f64::NEG_INFINITY);
    for part in heard {
        let came_s = part.at.saturating_duration_since(began).as_secs_f64();
        let from_s = match player {
            Player::AtTheEdge => came_s,
            Player::InOrder => came_s.max(free_s),
        };
        begins.push((first, from_s));
        first += part.samples.len();
        free_s = from_s + part.samples.len() as f64 / RATE as f64;
    }
    move |n| {
        let part = begins.partition_point(|&(first, _)| first <= n).saturating_sub(1);
        begins.get(part).map_or(0.0, |&(first, from_s)| from_s + (n - first) as f64 / RATE as f64)
    }
}

fn onsets(samples: &[f32]) -> impl Iterator<Item = usize> {
    let mut quiet = 0;
    samples.iter().enumerate().filter_map(move |(at, sample)| {
        if sample.abs() < BEEP_MIN {
            quiet += 1;
            return None;
        }
        let long_enough = quiet >= QUIET_SAMPLES_MIN;
        quiet = 0;
        long_enough.then_some(at)
    })
}

/// The second, modulo ten, in which this beep was spoken; `None` when it is none of ours.
fn spoken_second(beep: &[f32]) -> Option<usize> {
    let crossings = beep.windows(2).filter(|pair| (pair[0] < 0.0) != (pair[1] < 0.0)).count();
    let hz = crossings as f64 / 2.0 / (beep.len() as f64 / RATE as f64);
    let second = ((hz - PITCH_HZ_MIN) / PITCH_HZ_STEP).round();
    (0.0..PITCHES as f64).contains(&second).then_some(second as usize)
}

fn pitch_hz(second: usize) -> f64 {
    PITCH_HZ_MIN + PITCH_HZ_STEP * (second % PITCHES) as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_beep_says_when_it_was_spoken() {
        let began = Instant::now();
        for (came_ms, player, p50) in [
            (500, Player::AtTheEdge, 500.0),
            (7_300, Player::AtTheEdge, 7_300.0),
            (500, Player::InOrder, 500.0),
        ] {
            let heard: Vec<Heard> = sound(20)
                .chunks(15_360)
                .enumerate()
                .map(|(part, samples)| Heard {
                    at: began + Duration::from_millis(came_ms + 320 * part as u64),
                    granule: 0,
                    samples: samples.to_vec(),
                })
                .collect();
            let late_ms = lateness_ms(&heard, began, player);
            assert!(late_ms.len() >= 12, "{late_ms:?}");
            assert!(late_ms.iter().all(|late| (late - p50).abs() < 1.0), "{player:?}: {late_ms:?}");
        }
    }
}
