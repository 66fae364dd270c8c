//! A windowed sinc cut into phases: the one filter behind the resampler and the true-peak meter.
//!
//! An interpolated sample is a dot product of the samples around it with the row for its fraction of a sample. Rows are stored
//! for `phases` fractions and one more, so that a fraction between two rows can be interpolated from both.

use std::f64::consts::PI;

/// How a kernel is cut: see [`Kernel::new`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shape {
    /// Fractions of a sample that have a row.
    pub phases: usize,
    /// Samples a row spans; even.
    pub taps: usize,
    /// Half-amplitude frequency as a share of the sampling rate; 0.5 is Nyquist.
    pub cutoff: f64,
    /// Kaiser window's shape: 9 gives about −90 dB in the stop band.
    pub beta: f64,
}

/// The table of rows.
#[derive(Debug)]
pub(crate) struct Kernel {
    taps: usize,
    rows: Vec<f32>,
}

impl Kernel {
    /// Computes the table: `(phases + 1) * taps` coefficients, each row with unit gain at 0 Hz.
    pub fn new(shape: Shape) -> Self {
        let Shape { phases, taps, cutoff, beta } = shape;
        let half = taps as f64 / 2.0;
        let mut rows = Vec::with_capacity((phases + 1) * taps);
        let mut row = vec![0.0_f64; taps];
        for phase in 0..=phases {
            let fraction = phase as f64 / phases as f64;
            for (tap, value) in row.iter_mut().enumerate() {
                let distance = tap as f64 - (half - 1.0) - fraction;
                *value = sinc(2.0 * cutoff * distance) * kaiser(distance / half, beta);
            }
            let sum: f64 = row.iter().sum();
            rows.extend(row.iter().map(|value| (value / sum) as f32));
        }
        Self { taps, rows }
    }

    /// Samples a row spans.
    pub fn taps(&self) -> usize {
        self.taps
    }

    /// The row of one phase; its value at 0 lies on tap `taps / 2 - 1`.
    pub fn row(&self, phase: usize) -> &[f32] {
        &self.rows[phase * self.taps..(phase + 1) * self.taps]
    }

    /// Two neighbouring rows, back to back.
    pub fn pair(&self, phase: usize) -> (&[f32], &[f32]) {
        self.rows[phase * self.taps..(phase + 2) * self.taps].split_at(self.taps)
    }
}

/// Eight sums side by side, so that the compiler keeps them in vector registers.
const LANES: usize = 8;

/// The dot product of `samples` and `row`, which are equally long.
pub(crate) fn dot(samples: &[f32], row: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    for (xs, hs) in samples.chunks_exact(LANES).zip(row.chunks_exact(LANES)) {
        for lane in 0..LANES {
            sums[lane] += xs[lane] * hs[lane];
        }
    }
    sums.iter().sum()
}

/// The dot product with the row that lies `weight` of the way from the first row of `pair` to the second.
pub(crate) fn dot_between(samples: &[f32], pair: (&[f32], &[f32]), weight: f32) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let rows = pair.0.chunks_exact(LANES).zip(pair.1.chunks_exact(LANES));
    for (xs, (near, far)) in samples.chunks_exact(LANES).zip(rows) {
        for lane in 0..LANES {
            sums[lane] += xs[lane] * (near[lane] + weight * (far[lane] - near[lane]));
        }
    }
    sums.iter().sum()
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// The Kaiser window at `x` in −1..=1; zero outside.
fn kaiser(x: f64, beta: f64) -> f64 {
    if x.abs() > 1.0 { 0.0 } else { bessel_i0(beta * (1.0 - x * x).sqrt()) / bessel_i0(beta) }
}

/// The modified Bessel function of the first kind and order 0, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let quarter = x * x / 4.0;
    let (mut term, mut sum, mut k) = (1.0, 1.0, 1.0);
    while term > sum * 1e-16 {
        term *= quarter / (k * k);
        sum += term;
        k += 1.0;
    }
    sum
}
