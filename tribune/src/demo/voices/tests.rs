//! What a listener would notice, as numbers.

use super::*;

const RATE_HZ: usize = 48_000;
const FRAME: usize = 960;
/// A pitch is slow: every sixth sample shows it.
const THIN: usize = 6;
const SEEDS: [u64; 2] = [7, 0x5eed];

fn hear(who: Who, seed: u64, seconds: usize) -> Vec<f32> {
    let mut sound = vec![0.0; seconds * RATE_HZ];
    Voice::new(who, seed).fill(&mut sound);
    sound
}

fn lufs(sound: &[f32]) -> f64 {
    let mut meter = ebur128::EbuR128::new(1, 48_000, ebur128::Mode::I).expect("mono at 48 kHz");
    meter.add_frames_f32(sound).expect("whole frames");
    meter.loudness_global().expect("measured")
}

fn rms(frame: &[f32]) -> f32 {
    (frame.iter().map(|sample| sample * sample).sum::<f32>() / frame.len() as f32).sqrt()
}

/// The lag of the first strong repetition, as a pitch; `None` for a frame that does not repeat.
fn pitch_hz(frame: &[f32]) -> Option<f32> {
    let thin: Vec<_> = frame.iter().copied().step_by(THIN).collect();
    let at = |lag: usize| thin[lag..].iter().zip(&thin).map(|(late, early)| late * early).sum::<f32>();
    let lags = RATE_HZ / THIN / 400..thin.len() / 2;
    let best = lags.map(|lag| (lag, at(lag))).max_by(|a, b| a.1.total_cmp(&b.1))?;
    (best.1 > 0.4 * at(0)).then(|| (RATE_HZ / THIN) as f32 / best.0 as f32)
}

fn pitches_hz(sound: &[f32]) -> Vec<f32> {
    let mut found: Vec<_> =
        sound.chunks_exact(2 * FRAME).filter(|frame| rms(frame) > 0.02).filter_map(pitch_hz).collect();
    found.sort_by(f32::total_cmp);
    found
}

#[test]
fn each_is_about_as_loud_as_broadcast_speech_and_below_full_scale() {
    for seed in SEEDS {
        for who in [Who::Host, Who::Guest] {
            let sound = hear(who, seed, 20);
            let level = lufs(&sound);
            assert!((-25.5..=-20.5).contains(&level), "{who:?} {seed}: {level:.1} LUFS");
            let peak = sound.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
            assert!(peak < 0.9, "{who:?} {seed}: peak {peak}");
        }
    }
}

#[test]
fn they_are_two_different_people_with_a_melody() {
    for seed in SEEDS {
        let (host, guest) = (pitches_hz(&hear(Who::Host, seed, 12)), pitches_hz(&hear(Who::Guest, seed, 12)));
        let middle = |found: &[f32]| found[found.len() / 2];
        assert!((165.0..=260.0).contains(&middle(&host)), "host {}", middle(&host));
        assert!((90.0..=145.0).contains(&middle(&guest)), "guest {}", middle(&guest));
        for found in [&host, &guest] {
            let (low, high) = (found[found.len() / 10], found[found.len() * 9 / 10]);
            assert!(high / low > 1.12, "a monotone: {low} to {high} Hz");
        }
    }
}

#[test]
fn they_pause_and_let_each_other_finish() {
    for seed in SEEDS {
        let (host, guest) = (hear(Who::Host, seed, 20), hear(Who::Guest, seed, 20));
        let speaks = |sound: &[f32]| sound.chunks_exact(FRAME).map(|f| rms(f) > 0.003).collect::<Vec<_>>();
        let (host, guest) = (speaks(&host), speaks(&guest));
        let share = |spoken: &dyn Fn(usize) -> bool| {
            (0..host.len()).filter(|&at| spoken(at)).count() as f32 / host.len() as f32
        };
        let (both, nobody) = (share(&|at| host[at] && guest[at]), share(&|at| !host[at] && !guest[at]));
        assert!(both < 0.01, "they interrupt each other: {both}");
        assert!((0.1..0.5).contains(&nobody), "pauses: {nobody}");
        assert!(share(&|at| host[at]) > 0.2 && share(&|at| guest[at]) > 0.2, "one of them says too little");
    }
}

#[test]
fn nothing_clicks() {
    for seed in SEEDS {
        for who in [Who::Host, Who::Guest] {
            let sound = hear(who, seed, 20);
            let step = sound.windows(2).fold(0.0_f32, |step, pair| step.max((pair[1] - pair[0]).abs()));
            assert!(step < 0.1, "{who:?} {seed}: a step of {step}");
        }
    }
}

#[test]
fn a_seed_is_a_conversation_however_it_is_cut() {
    let whole = hear(Who::Host, 9, 5);
    let mut voice = Voice::new(Who::Host, 9);
    let mut cut = vec![0.0; whole.len()];
    for frame in cut.chunks_mut(777) {
        voice.fill(frame);
    }
    assert_eq!(whole, cut);
    assert_ne!(whole, hear(Who::Host, 10, 5));
}
