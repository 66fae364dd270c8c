use super::super::level::{GAIN_DB_MAX, KWeighting, Level, lufs};
use super::synth::{Random, ebur128_lufs, power_db, speech, tone};
use crate::time::FRAME_SAMPLES;

/// Levels `samples` frame by frame; what comes out and the gain after each frame.
fn levelled(samples: &[f32]) -> (Vec<f32>, Vec<f64>) {
    let mut level = Level::new();
    let (mut out, mut gains) = (Vec::new(), Vec::new());
    for frame in samples.as_chunks::<FRAME_SAMPLES>().0 {
        let mut frame = *frame;
        level.measure(&frame);
        level.apply(&mut frame);
        out.extend(frame);
        gains.push(level.gain_db());
    }
    (out, gains)
}

#[test]
fn loudness_is_what_the_reference_says() {
    let mut random = Random::new(1);
    let noise: Vec<f32> = (0..96_000).map(|_| 0.1 * random.sample()).collect();
    for samples in [tone(997.0, 48_000, 0.1, 0..96_000), tone(60.0, 48_000, 0.3, 0..96_000), noise] {
        let own = lufs(KWeighting::default().mean_square(&samples));
        let reference = ebur128_lufs(&samples);
        assert!((own - reference).abs() < 0.1, "{own:.2} against {reference:.2}");
    }
}

#[test]
fn every_voice_reaches_the_target_within_five_seconds_at_six_decibels_a_second() {
    for seed in 1..=4 {
        for amplitude in [0.06, 0.2, 1.0, 6.0] {
            let samples = speech(&mut Random::new(seed), 48_000, amplitude, 0..15 * 48_000);
            let before = ebur128_lufs(&samples);
            let (out, gains) = levelled(&samples);
            let after = ebur128_lufs(&out[5 * 48_000..]);
            assert!((after + 19.0).abs() < 1.0, "seed {seed}: {before:.1} LUFS became {after:.1}");
            let fastest = gains.windows(50).map(|second| (second[49] - second[0]).abs()).fold(0.0, f64::max);
            assert!(fastest <= 6.0, "seed {seed}: {fastest:.2} dB in a second");
        }
    }
}

#[test]
fn a_steady_tone_is_levelled_too() {
    for amplitude in [0.02, 0.1, 0.9] {
        let (out, _) = levelled(&tone(440.0, 48_000, amplitude, 0..10 * 48_000));
        let after = ebur128_lufs(&out[5 * 48_000..]);
        assert!((after + 19.0).abs() < 0.5, "{amplitude}: {after:.1} LUFS");
    }
}

#[test]
fn silence_and_background_are_not_raised() {
    let mut random = Random::new(7);
    let mut noise = |amplitude: f32, samples: usize| -> Vec<f32> {
        (0..samples).map(|_| amplitude * random.sample()).collect()
    };
    for (what, samples) in [
        ("silence", vec![0.0; 480_000]),
        ("faint noise", noise(0.003, 480_000)),
        ("noise", noise(0.008, 480_000)),
    ] {
        let (_, gains) = levelled(&samples);
        assert!(gains.iter().all(|gain| *gain == 0.0), "{what} was raised");
    }
    let voice = speech(&mut Random::new(3), 48_000, 0.5, 0..12 * 48_000);
    for pause in [noise(0.0, 20 * 48_000), noise(0.003, 20 * 48_000), noise(0.01, 20 * 48_000)] {
        let (_, gains) = levelled(&[voice.clone(), pause].concat());
        let spoken = gains[12 * 50 - 1];
        let moved = (gains[gains.len() - 1] - spoken).abs();
        assert!(moved < 1.5, "the gain moved by {moved:.2} dB in a pause");
    }
}

#[test]
fn a_quieter_voice_on_the_same_input_is_found() {
    let loud = speech(&mut Random::new(3), 48_000, 2.0, 0..12 * 48_000);
    let faint = speech(&mut Random::new(4), 48_000, 0.1, 0..24 * 48_000);
    let (out, _) = levelled(&[loud, faint].concat());
    let after = ebur128_lufs(&out[24 * 48_000..]);
    assert!((after + 19.0).abs() < 1.0, "{after:.1} LUFS");
}

#[test]
fn the_gain_is_bounded() {
    let (_, gains) = levelled(&tone(1_000.0, 48_000, 0.005, 0..20 * 48_000));
    assert!(gains.iter().all(|gain| gain.abs() <= GAIN_DB_MAX));
    let (out, _) = levelled(&tone(1_000.0, 48_000, 8.0, 0..20 * 48_000));
    let left_db = power_db(&out[10 * 48_000..]);
    assert!((left_db - (18.06 - 3.01 - GAIN_DB_MAX)).abs() < 0.5, "{left_db:.1} dB");
}
