//! Different things, as far as they are told apart.

/// As many are told apart.
pub const FEW: usize = 8;

/// Hashes of up to [`FEW`] different things.
#[derive(Clone, Copy, Debug, Default)]
pub struct Few {
    seen: [u32; FEW],
    count: u8,
}

impl Few {
    /// One of them was seen.
    pub fn see(&mut self, hash: u32) {
        let count = self.count();
        if count < FEW && !self.seen[..count].contains(&hash) {
            self.seen[count] = hash;
            self.count += 1;
        }
    }

    /// Different ones that were seen.
    pub const fn count(&self) -> usize {
        self.count as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_are_told_apart_and_no_more() {
        let mut few = Few::default();
        for hash in [7, 7, 8, 7] {
            few.see(hash);
        }
        assert_eq!(few.count(), 2);
        (0..100).for_each(|hash| few.see(hash));
        assert_eq!(few.count(), FEW);
    }
}
