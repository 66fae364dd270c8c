use super::super::limiter::{FRAME_PEAK_DBTP_MAX, LIMITER_DELAY_SAMPLES, Limiter};
use super::synth::{Random, ebur128_dbtp, tone};
use crate::time::FRAME_SAMPLES;

fn limited(samples: &[f32]) -> Vec<f32> {
    let mut limiter = Limiter::new();
    let mut out = Vec::with_capacity(samples.len());
    for frame in samples.as_chunks::<FRAME_SAMPLES>().0 {
        let mut frame = *frame;
        limiter.limit(&mut frame);
        out.extend(frame);
    }
    out
}

fn hostile() -> Vec<(String, Vec<f32>)> {
    let second = 0..48_000_u64;
    let mut cases = Vec::new();
    for hz in [50.0, 997.0, 6_000.0, 11_990.0, 12_000.0, 12_010.0, 15_999.0, 19_000.0, 22_000.0, 23_900.0] {
        for amplitude in [0.9, 1.0, 3.0, 100.0] {
            cases.push((format!("{amplitude} at {hz} Hz"), tone(hz, 48_000, amplitude, second.clone())));
        }
    }
    // A quarter of the sampling rate between the samples: every sample at 0.707 of the peak.
    let between = |n: u64| if n % 4 < 2 { 1.0 } else { -1.0 };
    cases.push(("square at fs/4".into(), second.clone().map(between).collect()));
    for seed in 1..=6 {
        let mut random = Random::new(seed);
        let noise = second.clone().map(|_| 4.0 * random.sample()).collect();
        cases.push((format!("noise {seed}"), noise));
        let clicks =
            second.clone().map(|_| if random.unit() < 0.0005 { 40.0 * random.sample() } else { 0.0 });
        cases.push((format!("clicks {seed}"), clicks.collect()));
        let bursts = second.clone().map(|n| random.sample() * if n / 3_000 % 2 == 0 { 20.0 } else { 0.5 });
        cases.push((format!("bursts {seed}"), bursts.collect()));
        let mut signs = Random::new(seed + 100);
        let alternating = second.clone().map(|_| if signs.unit() < 0.5 { 1.0 } else { -1.0 });
        cases.push((format!("full-scale signs {seed}"), alternating.collect()));
    }
    cases
}

#[test]
fn no_true_peak_is_above_the_promise() {
    for (what, samples) in hostile() {
        let peak = ebur128_dbtp(&limited(&samples));
        assert!(peak <= FRAME_PEAK_DBTP_MAX, "{what}: {peak:.3} dBTP");
    }
}

#[test]
fn below_the_promise_nothing_is_touched() {
    for (hz, amplitude) in [(997.0, 0.72), (12_000.0, 0.71), (100.0, 0.3), (19_000.0, 0.7)] {
        let samples = tone(hz, 48_000, amplitude, 0..48_000);
        let faded: Vec<f32> =
            samples.iter().enumerate().map(|(n, x)| x * (n as f32 / 9_600.0).min(1.0)).collect();
        let out = limited(&faded);
        assert_eq!(out[LIMITER_DELAY_SAMPLES..], faded[..48_000 - LIMITER_DELAY_SAMPLES], "{hz} Hz");
    }
}

#[test]
fn the_gain_comes_back_after_a_peak() {
    let mut samples = tone(997.0, 48_000, 0.25, 0..96_000);
    samples[20_000] = 30.0;
    let out = limited(&samples);
    assert!(out[20_000 + LIMITER_DELAY_SAMPLES].abs() > 0.7, "the peak itself is as loud as may be");
    assert_eq!(out[72_000..], samples[72_000 - LIMITER_DELAY_SAMPLES..96_000 - LIMITER_DELAY_SAMPLES]);
}
