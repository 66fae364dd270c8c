use std::f64::consts::TAU;

use super::super::resample::{Kernels, Run};
use super::synth::{power_db, tone, tone_snr_db};

/// A second and a half of a tone at `rate_hz`, resampled at nominal speed; the ends left out.
fn resampled(hz: f64, rate_hz: u32) -> Vec<f32> {
    let mut run = Run::new(Kernels::default().of(rate_hz), rate_hz);
    run.push(&tone(hz, rate_hz, 0.5, 0..u64::from(rate_hz) * 3 / 2));
    let mut out = vec![0.0; 60_000];
    for frame in out.chunks_mut(960) {
        assert!(run.playable(1.0) >= frame.len());
        run.play(1.0, frame);
    }
    out.split_off(4_800)
}

#[test]
fn a_tone_keeps_its_pitch_and_stays_clean_at_every_rate() {
    for rate_hz in [8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200, 96_000] {
        let (snr_db, hz) = tone_snr_db(&resampled(1_000.0, rate_hz), 1_000.0, 48_000.0);
        assert!(snr_db > 90.0 && (hz - 1_000.0).abs() < 0.01, "{rate_hz} Hz: {snr_db:.1} dB at {hz:.3} Hz");
    }
}

#[test]
fn the_passband_is_flat_to_20_khz_and_images_are_gone() {
    for rate_hz in [44_100, 48_000, 96_000] {
        for hz in [50.0, 1_000.0, 10_000.0, 15_000.0, 19_000.0, 20_000.0] {
            let out = resampled(hz, rate_hz);
            let change_db = power_db(&out) - 20.0 * (0.5_f64).log10() + 3.0103;
            let (snr_db, _) = tone_snr_db(&out, hz, 48_000.0);
            assert!(change_db.abs() < 0.05, "{rate_hz} Hz, tone of {hz} Hz: {change_db:.3} dB");
            assert!(snr_db > 80.0, "{rate_hz} Hz, tone of {hz} Hz: the rest is at −{snr_db:.1} dB");
        }
    }
}

#[test]
fn what_would_fold_back_is_stopped() {
    for (rate_hz, hz) in [(96_000, 28_500.0), (96_000, 35_000.0), (96_000, 47_000.0), (88_200, 30_000.0)] {
        let left_db = power_db(&resampled(hz, rate_hz)) - 20.0 * (0.5_f64).log10() + 3.0103;
        assert!(left_db < -80.0, "{hz} Hz at {rate_hz} Hz: {left_db:.1} dB left");
    }
}

#[test]
fn a_ratio_that_moves_is_as_clean() {
    let rate_hz = 44_100;
    let mut run = Run::new(Kernels::default().of(rate_hz), rate_hz);
    run.push(&tone(1_000.0, rate_hz, 0.5, 0..u64::from(rate_hz) * 12));
    let (mut place, mut signal, mut error) = (0.0_f64, 0.0, 0.0);
    let mut frame = [0.0; 960];
    for n in 0..500 {
        let speed = 1.0 + 0.003 * (TAU * n as f64 / 300.0).sin();
        run.play(speed, &mut frame);
        for &sample in &frame {
            let ideal = 0.5 * (TAU * 1_000.0 * place / f64::from(rate_hz)).sin();
            place += f64::from(rate_hz) / 48_000.0 * speed;
            signal += ideal * ideal;
            error += (f64::from(sample) - ideal).powi(2);
        }
    }
    // The place itself is in steps of 2⁻³² of a sample, which adds up to far less than the bound.
    let snr_db = 10.0 * (signal / error).log10();
    assert!(snr_db > 80.0, "{snr_db:.1} dB");
}

#[test]
fn a_run_plays_exactly_what_went_in() {
    for (rate_hz, pushed) in [(8_000, 8_000), (44_100, 4_410), (48_000, 960), (96_000, 96_000), (48_000, 1)] {
        let mut run = Run::new(Kernels::default().of(rate_hz), rate_hz);
        run.push(&vec![1.0; pushed]);
        run.end();
        assert_eq!(run.left() as usize, pushed);
        let playable = run.playable(1.0);
        let expected = (pushed * 48_000).div_ceil(rate_hz as usize);
        assert!(playable.abs_diff(expected) <= 1, "{playable} against {expected}");
        run.play(1.0, &mut vec![0.0; playable]);
        assert_eq!((run.playable(1.0), run.left() as usize), (0, 0));
    }
}
