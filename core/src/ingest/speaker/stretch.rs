//! Sound made a little longer or shorter without changing its pitch: one period of it is repeated or left out
//! where it resembles its neighbour most (WSOLA: Verhelst and Roelands, 1993).

/// Shortest piece that is repeated or left out, in samples: 2.5 ms.
pub const LAG_SAMPLES_MIN: usize = 120;
/// Longest: 10 ms, half of what is at hand.
pub const LAG_SAMPLES_MAX: usize = 480;

/// What is compared: 10 ms.
const WINDOW: usize = 480;
/// The coarse search looks at every so many samples.
const STRIDE: usize = 4;
/// Below this mean square a sound is so quiet that any piece of it may go: −55 dB.
const QUIET_POWER: f32 = 3e-6;

/// A piece that can be repeated or left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Piece {
    /// Its length, in samples.
    pub lag: usize,
    /// How alike the sound is on both sides of it: 1 when it is the same.
    pub likeness: f32,
}

/// The piece at the beginning of `sound` that is best repeated or left out, at most `lag_max` samples long;
/// `None` when there is too little sound or room.
pub(super) fn piece(sound: &[f32], lag_max: usize) -> Option<Piece> {
    let lag_max = lag_max.min(LAG_SAMPLES_MAX);
    if lag_max < LAG_SAMPLES_MIN || sound.len() < lag_max + WINDOW {
        return None;
    }
    let power = sound[..WINDOW + lag_max].iter().map(|x| x * x).sum::<f32>() / (WINDOW + lag_max) as f32;
    if power < QUIET_POWER {
        return Some(Piece { lag: lag_max, likeness: 1.0 });
    }
    let coarse = best(sound, (LAG_SAMPLES_MIN..=lag_max).step_by(STRIDE), STRIDE)?;
    let near = coarse.lag.saturating_sub(STRIDE).max(LAG_SAMPLES_MIN)..=(coarse.lag + STRIDE).min(lag_max);
    best(sound, near, 1)
}

/// Leaves the first `lag` of at least twice as many samples out.
pub(super) fn shorten(sound: &mut Vec<f32>, lag: usize) {
    for at in 0..lag {
        sound[lag + at] = faded(sound[at], sound[lag + at], at, lag);
    }
    sound.drain(..lag);
}

/// Says the first `lag` of at least twice as many samples twice.
pub(super) fn lengthen(sound: &mut Vec<f32>, lag: usize) {
    let again: Vec<f32> = (0..lag).map(|at| faded(sound[lag + at], sound[at], at, lag)).collect();
    sound.splice(lag..lag, again);
}

fn faded(from: f32, to: f32, at: usize, length: usize) -> f32 {
    from + (to - from) * (at as f32 / length as f32)
}

fn best(sound: &[f32], lags: impl Iterator<Item = usize>, stride: usize) -> Option<Piece> {
    lags.map(|lag| Piece { lag, likeness: likeness(sound, lag, stride) })
        .max_by(|a, b| a.likeness.total_cmp(&b.likeness))
}

fn likeness(sound: &[f32], lag: usize, stride: usize) -> f32 {
    let (mut cross, mut here, mut there) = (0.0_f32, 1e-9_f32, 1e-9_f32);
    for at in (0..WINDOW).step_by(stride) {
        let (x, y) = (sound[at], sound[at + lag]);
        cross += x * y;
        here += x * x;
        there += y * y;
    }
    cross / (here * there).sqrt()
}
