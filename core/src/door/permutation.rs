//! A shuffle without a table: a keyed permutation of `0..size` that gives the place of one number at a time.
//!
//! A balanced Feistel network of eight rounds over 2w bits, the least w with 2^(2w) ≥ size, its round
//! function SipHash-2-4 (Aumasson and Bernstein, 2012); a result outside `0..size` is put in again until it
//! is inside (cycle walking: Black and Rogaway, 2002). `docs/draw.md` defines it to the bit.

use sha2::{Digest, Sha256};

/// Rounds of the network.
const ROUNDS: u64 = 8;

/// A permutation of `0..size`.
#[derive(Clone, Debug)]
pub struct Permutation {
    key: SipKey,
    size: u64,
    half_bits: u32,
}

impl Permutation {
    /// The permutation of `0..size` that this seed and label mean: its key is the first 16 bytes of
    /// SHA-256(seed ‖ label).
    pub fn new(seed: &[u8; 32], label: &[u8], size: u32) -> Self {
        let hash = Sha256::new_with_prefix(seed).chain_update(label).finalize();
        let half_bits = (1..16).find(|bits| 1_u64 << (2 * bits) >= u64::from(size)).unwrap_or(16);
        Self { key: SipKey::new(std::array::from_fn(|place| hash[place])), size: u64::from(size), half_bits }
    }

    /// Where `number` goes. Numbers outside `0..size` stay where they are.
    pub fn place(&self, number: u32) -> u32 {
        if u64::from(number) >= self.size {
            return number;
        }
        let mut place = self.shuffle(u64::from(number));
        while place >= self.size {
            place = self.shuffle(place);
        }
        place as u32
    }

    fn shuffle(&self, block: u64) -> u64 {
        let mask = (1 << self.half_bits) - 1;
        let halves = (block >> self.half_bits, block & mask);
        let (left, right) = (0..ROUNDS)
            .fold(halves, |(left, right), round| (right, left ^ (self.key.hash(round, right) & mask)));
        left << self.half_bits | right
    }
}

/// SipHash-2-4 of two 64-bit words.
#[derive(Clone, Copy, Debug)]
struct SipKey(u64, u64);

impl SipKey {
    fn new(bytes: [u8; 16]) -> Self {
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|place| bytes[at + place]));
        Self(word(0), word(8))
    }

    /// Of the 16 bytes le64(first) ‖ le64(second).
    fn hash(self, first: u64, second: u64) -> u64 {
        let mut state = SipState([
            self.0 ^ 0x736f_6d65_7073_6575,
            self.1 ^ 0x646f_7261_6e64_6f6d,
            self.0 ^ 0x6c79_6765_6e65_7261,
            self.1 ^ 0x7465_6462_7974_6573,
        ]);
        // The last word is the message's length in its highest byte, and what is left of it: nothing.
        for word in [first, second, 16 << 56] {
            state.absorb(word);
        }
        state.finish()
    }
}

struct SipState([u64; 4]);

impl SipState {
    fn absorb(&mut self, word: u64) {
        self.0[3] ^= word;
        self.round();
        self.round();
        self.0[0] ^= word;
    }

    fn finish(mut self) -> u64 {
        self.0[2] ^= 0xff;
        (0..4).for_each(|_| self.round());
        self.0.iter().fold(0, |all, word| all ^ word)
    }

    fn round(&mut self) {
        let [a, b, c, d] = &mut self.0;
        *a = a.wrapping_add(*b);
        *b = b.rotate_left(13) ^ *a;
        *a = a.rotate_left(32);
        *c = c.wrapping_add(*d);
        *d = d.rotate_left(16) ^ *c;
        *a = a.wrapping_add(*d);
        *d = d.rotate_left(21) ^ *a;
        *c = c.wrapping_add(*b);
        *b = b.rotate_left(17) ^ *c;
        *c = c.rotate_left(32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    fn seed(n: u64) -> [u8; 32] {
        Sha256::digest(n.to_le_bytes()).into()
    }

    /// The reference's key 00..0f and message 00..0f.
    #[test]
    fn it_is_siphash_2_4() {
        let key = SipKey::new(std::array::from_fn(|place| place as u8));
        let hash = key.hash(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
        assert_eq!(hash, 0x3f2a_cc7f_57c2_9bdb);
    }

    fn is_permutation(size: u32, seed: &[u8; 32]) -> bool {
        let permutation = Permutation::new(seed, b"draw", size);
        let mut seen = vec![false; size as usize];
        for number in 0..size {
            let place = permutation.place(number) as usize;
            if place >= seen.len() || std::mem::replace(&mut seen[place], true) {
                return false;
            }
        }
        true
    }

    #[test]
    fn every_place_is_taken_once() {
        let all =
            (0..=300).chain([1_000, 1_023, 1_024, 1_025, 4_095, 4_096, 4_097, 10_000, 65_537, 1_000_003]);
        for size in all {
            assert!(is_permutation(size, &seed(u64::from(size))), "{size}");
        }
        assert_eq!(Permutation::new(&seed(1), b"draw", 5).place(9), 9);
        assert!(Permutation::new(&seed(1), b"draw", u32::MAX).place(7) < u32::MAX);
    }

    /// Goal: no number is favoured. Method: over many seeds each number goes to each place about equally
    /// often; χ² against the 99.9 % bound of its degrees of freedom (their mean and 3.5 deviations).
    #[test]
    fn every_number_goes_everywhere() {
        for size in [2_u32, 3, 5, 7, 16, 17] {
            let seeds = 4_000_u32;
            let mut counts = vec![0_u32; (size * size) as usize];
            for n in 0..seeds {
                let permutation = Permutation::new(&seed(u64::from(n)), b"draw", size);
                for number in 0..size {
                    counts[(number * size + permutation.place(number)) as usize] += 1;
                }
            }
            let mean = f64::from(seeds) / f64::from(size);
            let chi: f64 = counts.iter().map(|&count| (f64::from(count) - mean).powi(2) / mean).sum();
            let free = f64::from((size - 1) * (size - 1));
            assert!(chi < free + 3.5 * (2.0 * free).sqrt() + 4.0, "{size}: χ² {chi} of {free}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn any_size_is_permuted(size in 0..20_000_u32, n: u64) {
            prop_assert!(is_permutation(size, &seed(n)));
        }

        #[test]
        fn another_label_is_another_order(n: u64) {
            let order = |label: &[u8]| {
                let permutation = Permutation::new(&seed(n), label, 100);
                (0..100).map(|number| permutation.place(number)).collect::<Vec<_>>()
            };
            prop_assert_ne!(order(b"draw"), order(b"second\0\0\0\0"));
        }
    }
}
