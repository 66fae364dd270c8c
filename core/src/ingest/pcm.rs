//! Decoded sound on its way from one source to the mix.

/// A run of decoded samples of one source, mixed down to mono: the program is mono.
#[derive(Clone, Debug, PartialEq)]
pub struct Pcm {
    /// Samples a second by the source's own clock, in Hz.
    pub rate_hz: u32,
    /// Full scale is ±1.0; may exceed it.
    pub samples: Vec<f32>,
}

impl Pcm {
    /// How long it lasts by the source's own clock, in milliseconds.
    pub fn millis(&self) -> f64 {
        self.samples.len() as f64 * 1_000.0 / f64::from(self.rate_hz)
    }
}
