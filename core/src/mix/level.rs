//! Levelling: every voice towards the same loudness, and nothing else made louder.
//!
//! Loudness is ITU-R BS.1770-4: K-weighting, blocks of 400 ms every 100 ms, a gate 10 LU below the mean, here over the last
//! seconds of speech instead of a whole programme. Blocks under an absolute gate, and faint ones that do not move as speech and
//! music do, are background: they say nothing about the voice, and the gain holds through them.

use crate::time::FRAME_SAMPLES;

/// Where every levelled input is led, in LUFS.
pub const TARGET_LUFS: f64 = -19.0;
/// The gain moves by at most so many decibels a second.
pub const GAIN_DB_PER_S_MAX: f64 = 6.0;
/// The gain lies within ± so many decibels.
pub const GAIN_DB_MAX: f64 = 24.0;
/// Blocks below this are silence or background, in LUFS.
pub const GATE_LUFS: f64 = -50.0;
/// Blocks below this that are as steady as noise are background too, in LUFS.
pub const STEADY_GATE_LUFS: f64 = -40.0;

const RELATIVE_GATE_LU: f64 = 10.0;
/// Sound whose 100 ms parts stay within so many LU for a second is steady.
const STEADY_LU: f64 = 4.0;
/// 100 ms.
const HOP_FRAMES: usize = 5;
/// 400 ms.
const BLOCK_HOPS: usize = 4;
/// One second.
const RECENT_HOPS: usize = 10;
/// Three seconds of blocks that counted.
const COUNTED_BLOCKS: usize = 30;
/// So many blocks under the relative gate, one after another (5 s), are a quieter voice, no longer the pauses of a louder one.
const QUIETER_BLOCKS: usize = 50;
/// Near the target the gain moves by this share of the way in each frame.
const APPROACH: f64 = 0.05;
const FRAMES_PER_S: f64 = 50.0;
/// BS.1770-4, formula 2.
const OFFSET_LUFS: f64 = -0.691;
/// What silence is measured as.
const FLOOR_LUFS: f64 = -120.0;

/// The K-weighting filter at 48 kHz, BS.1770-4 annex 1, tables 1 and 2.
#[derive(Clone, Debug, Default)]
pub(crate) struct KWeighting {
    shelf: [f64; 2],
    high_pass: [f64; 2],
}

impl KWeighting {
    const SHELF_B: [f64; 3] = [1.535_124_859_586_97, -2.691_696_189_406_38, 1.198_392_810_852_85];
    const SHELF_A: [f64; 2] = [-1.690_659_293_182_41, 0.732_480_774_215_85];
    const HIGH_PASS_A: [f64; 2] = [-1.990_047_454_833_98, 0.990_072_250_366_21];

    /// The mean square of the weighted `samples`.
    pub fn mean_square(&mut self, samples: &[f32]) -> f64 {
        let (mut shelf, mut high_pass) = (self.shelf, self.high_pass);
        let mut sum = 0.0;
        for &sample in samples {
            let x = f64::from(sample);
            let lifted = Self::SHELF_B[0] * x + shelf[0];
            shelf[0] = Self::SHELF_B[1] * x - Self::SHELF_A[0] * lifted + shelf[1];
            shelf[1] = Self::SHELF_B[2] * x - Self::SHELF_A[1] * lifted;
            let weighted = lifted + high_pass[0];
            high_pass[0] = -2.0 * lifted - Self::HIGH_PASS_A[0] * weighted + high_pass[1];
            high_pass[1] = lifted - Self::HIGH_PASS_A[1] * weighted;
            sum += weighted * weighted;
        }
        (self.shelf, self.high_pass) = (quietened(shelf), quietened(high_pass));
        sum / samples.len() as f64
    }
}

/// Zero for what is too small to matter: a filter fed silence would otherwise compute with slow denormal numbers.
fn quietened(state: [f64; 2]) -> [f64; 2] {
    state.map(|value| if value.abs() < 1e-20 { 0.0 } else { value })
}

/// A ring of the last `N` values.
#[derive(Clone, Debug)]
struct Last<const N: usize> {
    values: [f64; N],
    known: usize,
    at: usize,
}

impl<const N: usize> Last<N> {
    const fn new() -> Self {
        Self { values: [0.0; N], known: 0, at: 0 }
    }

    fn push(&mut self, value: f64) {
        self.values[self.at] = value;
        self.at = (self.at + 1) % N;
        self.known = (self.known + 1).min(N);
    }

    fn known(&self) -> &[f64] {
        &self.values[..self.known]
    }

    /// The mean of the newest `count`; of all when fewer are known.
    fn mean_of_newest(&self, count: usize) -> f64 {
        let count = count.min(self.known).max(1);
        (1..=count).map(|back| self.values[(self.at + N - back) % N]).sum::<f64>() / count as f64
    }
}

/// What the last block was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    Voice,
    Background,
}

/// Measures one input and moves its gain.
#[derive(Clone, Debug)]
pub(crate) struct Level {
    weighting: KWeighting,
    hop: f64,
    hop_frames: usize,
    recent: Last<RECENT_HOPS>,
    counted: Last<COUNTED_BLOCKS>,
    quieter: usize,
    block: Block,
    target_db: f64,
    gain_db: f64,
}

impl Level {
    /// Nothing heard yet; the gain is 0 dB.
    pub fn new() -> Self {
        Self {
            weighting: KWeighting::default(),
            hop: 0.0,
            hop_frames: 0,
            recent: Last::new(),
            counted: Last::new(),
            quieter: 0,
            block: Block::Background,
            target_db: 0.0,
            gain_db: 0.0,
        }
    }

    /// The gain now, in decibels.
    pub fn gain_db(&self) -> f64 {
        self.gain_db
    }

    /// Loudness of the last 400 ms before the gain, in LUFS.
    pub fn momentary_lufs(&self) -> f64 {
        lufs(self.recent.mean_of_newest(BLOCK_HOPS))
    }

    /// Measures a frame without changing it; returns its own loudness in LUFS.
    pub fn measure(&mut self, frame: &[f32; FRAME_SAMPLES]) -> f64 {
        let power = self.weighting.mean_square(frame);
        self.hop += power / HOP_FRAMES as f64;
        self.hop_frames += 1;
        if self.hop_frames == HOP_FRAMES {
            self.recent.push(self.hop);
            (self.hop, self.hop_frames) = (0.0, 0);
            if self.recent.known >= BLOCK_HOPS {
                self.judge(self.recent.mean_of_newest(BLOCK_HOPS));
            }
        }
        lufs(power)
    }

    /// Applies the gain to a frame that has been measured, moving it evenly through the frame.
    pub fn apply(&mut self, frame: &mut [f32; FRAME_SAMPLES]) {
        let before = from_db(self.gain_db);
        if self.block == Block::Voice {
            let most = GAIN_DB_PER_S_MAX / FRAMES_PER_S;
            self.gain_db += ((self.target_db - self.gain_db) * APPROACH).clamp(-most, most);
        }
        ramp(frame, before, from_db(self.gain_db));
    }

    fn judge(&mut self, power: f64) {
        let block = lufs(power);
        if block < GATE_LUFS || (block < STEADY_GATE_LUFS && self.is_steady()) {
            self.block = Block::Background;
            return;
        }
        if self.counted.known > 0 && block < self.gate_lufs() {
            self.quieter += 1;
            if self.quieter < QUIETER_BLOCKS || self.is_steady() {
                self.block = Block::Background;
                return;
            }
            self.counted = Last::new();
        }
        self.quieter = 0;
        self.block = Block::Voice;
        self.counted.push(power);
        self.target_db = (TARGET_LUFS - self.loudness_lufs()).clamp(-GAIN_DB_MAX, GAIN_DB_MAX);
    }

    fn is_steady(&self) -> bool {
        let hops = self.recent.known();
        let most = hops.iter().copied().fold(0.0, f64::max);
        let least = hops.iter().copied().fold(f64::INFINITY, f64::min);
        lufs(most) - lufs(least) < STEADY_LU
    }

    /// The relative gate over the counted blocks.
    fn gate_lufs(&self) -> f64 {
        lufs(mean(self.counted.known().iter().copied())) - RELATIVE_GATE_LU
    }

    /// The mean of the counted blocks above the relative gate.
    fn loudness_lufs(&self) -> f64 {
        let gate = self.gate_lufs();
        lufs(mean(self.counted.known().iter().copied().filter(|&power| lufs(power) >= gate)))
    }
}

/// Multiplies `frame` by a gain that goes evenly from `before` to `after`.
pub(crate) fn ramp(frame: &mut [f32], before: f32, after: f32) {
    let step = (after - before) / frame.len() as f32;
    for (at, sample) in frame.iter_mut().enumerate() {
        *sample *= before + step * (at + 1) as f32;
    }
}

/// A gain in decibels as a factor.
pub(crate) fn from_db(db: f64) -> f32 {
    10.0_f64.powf(db / 20.0) as f32
}

/// The loudness of a weighted mean square, in LUFS.
pub(crate) fn lufs(power: f64) -> f64 {
    (OFFSET_LUFS + 10.0 * power.log10()).max(FLOOR_LUFS)
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    if count == 0 { 0.0 } else { sum / f64::from(count) }
}
