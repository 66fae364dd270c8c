//! Sounds to put in, and measures of what came out.

use std::f64::consts::TAU;

pub use crate::ingest::speaker::tests::road::{Random, voice};

pub fn tone(hz: f64, rate_hz: u32, amplitude: f64, samples: std::ops::Range<u64>) -> Vec<f32> {
    samples.map(|n| (amplitude * (TAU * hz * n as f64 / f64::from(rate_hz)).sin()) as f32).collect()
}

/// Noise that swells and falls four times a second and pauses now and then, as speech does; about −20 dB
/// below full scale.
pub fn speech(random: &mut Random, rate_hz: u32, amplitude: f64, samples: std::ops::Range<u64>) -> Vec<f32> {
    let mut low = 0.0_f32;
    samples
        .map(|n| {
            let t = n as f64 / f64::from(rate_hz);
            let syllable = (TAU * 2.0 * t).sin().abs().powi(2);
            let phrase = if t % 4.0 < 3.0 { 1.0 } else { 0.0 };
            low += (random.sample() - low) * 0.3;
            low * (amplitude * syllable * phrase) as f32
        })
        .collect()
}

/// How far everything that is not the tone of about `hz` (to 2 %) lies below it, in dB; and the tone's
/// frequency.
pub fn tone_snr_db(samples: &[f32], hz: f64, rate_hz: f64) -> (f64, f64) {
    let half = samples.len() / 2;
    let mut hz = hz;
    for _ in 0..3 {
        let (_, first, _) = fit(&samples[..half], hz, rate_hz);
        let (_, second, _) = fit(&samples[half..], hz, rate_hz);
        let expected = TAU * hz * half as f64 / rate_hz;
        let turn = (second - first - expected + TAU / 2.0).rem_euclid(TAU) - TAU / 2.0;
        hz += turn * rate_hz / TAU / half as f64;
    }
    let (power, _, rest) = fit(samples, hz, rate_hz);
    (10.0 * (power / rest.max(1e-30)).log10(), hz)
}

/// Power and phase of the least-squares sine at `hz`, and the power of the rest.
fn fit(samples: &[f32], hz: f64, rate_hz: f64) -> (f64, f64, f64) {
    let (mut ss, mut cc, mut sc, mut xs, mut xc) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (n, &x) in samples.iter().enumerate() {
        let (s, c) = (TAU * hz * n as f64 / rate_hz).sin_cos();
        ss += s * s;
        cc += c * c;
        sc += s * c;
        xs += f64::from(x) * s;
        xc += f64::from(x) * c;
    }
    let det = ss * cc - sc * sc;
    let (a, b) = ((xs * cc - xc * sc) / det, (xc * ss - xs * sc) / det);
    let (mut power, mut rest) = (0.0, 0.0);
    for (n, &x) in samples.iter().enumerate() {
        let (s, c) = (TAU * hz * n as f64 / rate_hz).sin_cos();
        let ideal = a * s + b * c;
        power += ideal * ideal;
        rest += (f64::from(x) - ideal).powi(2);
    }
    (power, b.atan2(a), rest)
}

/// The mean power of `samples` in dB below full scale.
pub fn power_db(samples: &[f32]) -> f64 {
    let sum: f64 = samples.iter().map(|&x| f64::from(x).powi(2)).sum();
    10.0 * (sum / samples.len() as f64).max(1e-20).log10()
}

/// Integrated loudness by the reference implementation, mono at 48 kHz.
pub fn ebur128_lufs(samples: &[f32]) -> f64 {
    let mut meter =
        ebur128::EbuR128::new(1, 48_000, ebur128::Mode::I).expect("the reference meter takes mono at 48 kHz");
    meter.add_frames_f32(samples).expect("the reference meter takes mono at 48 kHz");
    meter.loudness_global().expect("the reference meter takes mono at 48 kHz")
}

/// The true peak by the reference implementation, in dBTP.
pub fn ebur128_dbtp(samples: &[f32]) -> f64 {
    let mut meter = ebur128::EbuR128::new(1, 48_000, ebur128::Mode::TRUE_PEAK)
        .expect("the reference meter takes mono at 48 kHz");
    meter.add_frames_f32(samples).expect("the reference meter takes mono at 48 kHz");
    20.0 * meter.true_peak(0).expect("the reference meter takes mono at 48 kHz").log10()
}
