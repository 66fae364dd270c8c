//! Tones in, tones out: how much of a sound is at a frequency.

/// Mono 16-bit sound of a WAV file, or of raw samples when there is no header.
pub fn samples(wav: &[u8]) -> Vec<f32> {
    let data = match wav.windows(4).position(|four| four == b"data") {
        Some(at) if wav.starts_with(b"RIFF") => &wav[at + 8..],
        _ => wav,
    };
    data.chunks_exact(2).map(|two| f32::from(i16::from_le_bytes([two[0], two[1]])) / 32_768.0).collect()
}

/// The share of a sound's power within a few Hz of `hz`, 0 to 1 (Goertzel over windows of 0.1 s, Hann).
pub fn share(samples: &[f32], rate_hz: f32, hz: f32) -> f32 {
    share_by(samples, (rate_hz / 10.0) as usize, (rate_hz, hz))
}

fn share_by(samples: &[f32], window: usize, (rate_hz, hz): (f32, f32)) -> f32 {
    let (mut of_tone, mut of_all) = (0.0_f64, 0.0_f64);
    for chunk in samples.chunks_exact(window) {
        let shaped: Vec<f32> = chunk.iter().enumerate().map(|(n, &s)| s * hann(n, window)).collect();
        of_tone += f64::from(goertzel(&shaped, rate_hz, hz));
        of_all += shaped.iter().map(|&s| f64::from(s * s)).sum::<f64>();
    }
    // Of a tone under a Hann window two thirds of the energy are in the middle bin and its mirror, the rest
    // in their neighbours.
    if of_all <= 0.0 { 0.0 } else { (of_tone / of_all * 1.5) as f32 }
}

/// The smallest share of any 20 ms: a click or a gap is in few of them.
pub fn least_share(samples: &[f32], rate_hz: f32, hz: f32) -> f32 {
    shares(samples, rate_hz, hz).fold(1.0, f32::min)
}

/// The share in each 20 ms, every 5 ms.
pub fn shares(samples: &[f32], rate_hz: f32, hz: f32) -> impl Iterator<Item = f32> {
    let window = (rate_hz / 50.0) as usize;
    let pieces = samples.windows(window).step_by(window / 4);
    pieces.map(move |sound| share_by(sound, window, (rate_hz, hz)))
}

/// Root mean square of the loudest 0.1 s.
pub fn loudest(samples: &[f32], rate_hz: f32) -> f32 {
    samples
        .chunks((rate_hz / 10.0) as usize)
        .map(|chunk| (chunk.iter().map(|s| s * s).sum::<f32>() / chunk.len() as f32).sqrt())
        .fold(0.0, f32::max)
}

fn hann(n: usize, len: usize) -> f32 {
    0.5 - 0.5 * (std::f32::consts::TAU * n as f32 / len as f32).cos()
}

fn goertzel(samples: &[f32], rate_hz: f32, hz: f32) -> f32 {
    let turn = 2.0 * (std::f32::consts::TAU * hz / rate_hz).cos();
    let (mut before, mut last) = (0.0_f32, 0.0_f32);
    for &sample in samples {
        (before, last) = (last, sample + turn * last - before);
    }
    2.0 * (last * last + before * before - turn * last * before) / samples.len() as f32
}

#[test]
fn a_tone_is_found_where_it_is() {
    let tone: Vec<f32> =
        (0..48_000).map(|n| 0.3 * (std::f32::consts::TAU * 997.0 * n as f32 / 48_000.0).sin()).collect();
    assert!(share(&tone, 48_000.0, 997.0) > 0.9, "{}", share(&tone, 48_000.0, 997.0));
    assert!(share(&tone, 48_000.0, 1_500.0) < 0.01);
    assert!((loudest(&tone, 48_000.0) - 0.212).abs() < 0.005);
    assert!(least_share(&tone, 48_000.0, 997.0) > 0.9);
    let mut clicks = tone.clone();
    clicks[20_000..20_100].fill(0.0);
    assert!(least_share(&clicks, 48_000.0, 997.0) < 0.9, "{}", least_share(&clicks, 48_000.0, 997.0));
}
