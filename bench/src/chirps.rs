//! Beeps that one speaker says and another hears: how long they took.

use std::time::{Duration, Instant};

use anyhow::bail;
use tribune_core::codec::opus::Decoder;
use tribune_core::time::FRAME_SAMPLES;
use tribune_rehearsal::speaker::{Heard, Speaker};

use crate::beeps::{RATE, tone};

/// Beeps of 40 ms, this often.
pub const EVERY: Duration = Duration::from_millis(500);
const EVERY_FRAMES: usize = 25;
const FRAMES: usize = 2;
/// At a pitch nobody hums.
const HZ: f64 = 2_500.0;
/// Where a beep begins is looked for in windows of 5 ms, every 0.5 ms.
const WINDOW: usize = RATE * 5 / 1_000;
const STEP: usize = RATE / 2_000;
/// A beep that took longer would be taken for the next one's.
const DELAY_MS_MAX: f64 = 400.0;

/// Beeps, a frame at its time, for so many frames; says when each beep began.
///
/// # Errors
/// The connection is gone.
pub fn beep(speaker: &mut Speaker, frames: usize) -> anyhow::Result<Vec<Instant>> {
    let (began, mut said) = (Instant::now(), Vec::new());
    for number in 0..frames {
        speaker.attend(began + Duration::from_millis(20 * number as u64))?;
        if number % EVERY_FRAMES == 0 {
            said.push(Instant::now());
        }
        speaker.say(&frame(number))?;
    }
    speaker.attend(began + Duration::from_millis(20 * frames as u64))?;
    Ok(said)
}

/// Hums at a pitch of their own until `until`, a frame at its time.
///
/// # Errors
/// The connection is gone.
pub fn hum(speaker: &mut Speaker, number: usize, until: Instant) -> anyhow::Result<Vec<Heard>> {
    let hz = 150.0 + 25.0 * number as f64;
    let (mut at, mut heard) = (0, Vec::new());
    while Instant::now() < until {
        speaker.speak(5, |frame| {
            for sample in frame {
                *sample = 0.03 * tone(at, hz);
                at += 1;
            }
        })?;
        heard.append(&mut speaker.take_heard());
    }
    Ok(heard)
}

/// From each beep's beginning to where it begins in what was heard, each packet played the moment it came, in
/// milliseconds.
///
/// # Errors
/// What was heard is not Opus, or has no beeps.
pub fn delays_ms(said: &[Instant], heard: &[Heard]) -> anyhow::Result<Vec<f64>> {
    let (mut decoder, mut sound, mut came) = (Decoder::new()?, Vec::new(), Vec::new());
    for packet in heard {
        came.push((sound.len(), packet.at));
        decoder.decode(&packet.payload, &mut sound)?;
    }
    let played = |sample: usize| -> Option<Instant> {
        let at = came.partition_point(|(from, _)| *from <= sample).checked_sub(1)?;
        let (from, came) = came[at];
        Some(came + Duration::from_secs_f64((sample - from) as f64 / RATE as f64))
    };
    let played: Vec<Instant> = onsets(&sound).into_iter().filter_map(played).collect();
    let delays = said.iter().filter_map(|said| {
        let next = played.iter().find(|played| *played > said)?;
        Some(next.saturating_duration_since(*said).as_secs_f64() * 1_000.0)
    });
    let delays: Vec<f64> = delays.filter(|ms| *ms < DELAY_MS_MAX).collect();
    if delays.is_empty() {
        bail!("no beep was heard");
    }
    Ok(delays)
}

fn frame(number: usize) -> [f32; FRAME_SAMPLES] {
    let mut frame = [0.0; FRAME_SAMPLES];
    if number % EVERY_FRAMES < FRAMES {
        for (n, sample) in frame.iter_mut().enumerate() {
            *sample = 0.3 * tone(number * FRAME_SAMPLES + n, HZ);
        }
    }
    frame
}

/// Where beeps begin: where the power at their pitch passes a quarter of its most.
fn onsets(sound: &[f32]) -> Vec<usize> {
    let powers: Vec<f64> = (0..sound.len().saturating_sub(WINDOW))
        .step_by(STEP)
        .map(|from| power(&sound[from..from + WINDOW]))
        .collect();
    let mut rising = powers.clone();
    rising.sort_by(f64::total_cmp);
    // Beeps are a twelfth of the time; one that is louder than the others does not set the scale.
    let most = rising.get(rising.len().saturating_sub(rising.len() / 50 + 1)).copied().unwrap_or_default();
    let (mut found, mut quiet) = (Vec::new(), true);
    for (at, power) in powers.iter().enumerate() {
        if quiet && *power > most / 4.0 {
            found.push(at * STEP);
            quiet = false;
        }
        quiet |= *power < most / 40.0;
    }
    found
}

fn power(samples: &[f32]) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let turn = std::f64::consts::TAU * HZ * n as f64 / RATE as f64;
        re += f64::from(*sample) * turn.cos();
        im += f64::from(*sample) * turn.sin();
    }
    re * re + im * im
}
