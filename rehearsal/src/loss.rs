//! How packets get lost, drawn from a seed.

/// How packets get lost.
#[derive(Clone, Copy, Debug)]
pub enum Loss {
    /// None.
    No,
    /// Each with this probability.
    Random(f64),
    /// By Gilbert's model.
    Bursts {
        /// The share that is lost.
        share: f64,
        /// The mean length of a burst, in packets.
        mean: f64,
    },
}

/// Which packets are lost, one after the other: never-ending.
#[derive(Clone, Debug)]
pub struct Losses {
    loss: Loss,
    is_bad: bool,
    draws: Draws,
}

impl Losses {
    /// Those of a seed.
    pub fn new(loss: Loss, seed: u64) -> Self {
        Self { loss, is_bad: false, draws: Draws::new(seed) }
    }

    /// Whether the next packet is lost.
    #[expect(clippy::should_implement_trait, reason = "it never ends, so that no `Option` is due")]
    pub fn next(&mut self) -> bool {
        match self.loss {
            Loss::No => false,
            Loss::Random(share) => self.draws.unit() < share,
            Loss::Bursts { share, mean } => {
                let into = share / (1.0 - share) / mean;
                let stays = 1.0 - 1.0 / mean;
                self.is_bad = self.draws.unit() < if self.is_bad { stays } else { into };
                self.is_bad
            }
        }
    }
}

/// Numbers from a seed, small, and the same everywhere: xorshift64*.
#[derive(Clone, Debug)]
pub struct Draws(u64);

impl Draws {
    /// Those of a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    /// Evenly in 0..1.
    pub fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Goal: as many are lost as asked for, in bursts as long as asked for.
    #[test]
    fn so_many_are_lost_and_so_many_in_a_row() {
        for (loss, burst) in [(Loss::Random(0.05), 1.05), (Loss::Bursts { share: 0.05, mean: 3.0 }, 3.0)] {
            let mut losses = Losses::new(loss, 3);
            let drawn: Vec<bool> = (0..200_000).map(|_| losses.next()).collect();
            let lost = drawn.iter().filter(|lost| **lost).count() as f64;
            let bursts = drawn.windows(2).filter(|pair| !pair[0] && pair[1]).count() as f64;
            assert!((lost / 200_000.0 - 0.05).abs() < 0.003, "{loss:?}: {lost}");
            assert!((lost / bursts - burst).abs() < 0.15, "{loss:?}: {}", lost / bursts);
        }
    }
}
