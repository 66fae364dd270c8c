//! The random audit: a few of who comes are always answered, whatever is going on.
//!
//! Whoever is put off did not choose what became of them. So while people are put off, nobody could tell what
//! the newcomers are, but for a sample that nobody can foresee or choose to be in: drawn by a key that was
//! made before anybody came, of which a hash is told to everybody, and which the report reveals. Then anybody
//! can check that the sample was what the key says.

use std::net::IpAddr;

use sha2::{Digest, Sha256};

use super::table::home;

/// Of 65,536 sources so many are in the sample: 2 %.
const SAMPLED: u16 = 1_311;
/// A new sample is drawn after so many milliseconds.
const EPOCH_MS: i64 = 600_000;
const DOMAIN: &[u8] = b"tribune audit 1";

/// The audit of a node.
#[derive(Clone)]
pub struct Audit([u8; 32]);

impl std::fmt::Debug for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Audit(…)")
    }
}

impl Audit {
    /// By this key, which nobody else knows.
    pub const fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// What is told to everybody beforehand: SHA-256 of the key.
    pub fn commitment(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }

    /// Whether a source is in the sample at this moment, in milliseconds since 1970.
    pub fn samples(&self, from: IpAddr, wall_ms: i64) -> bool {
        let hash = Sha256::new()
            .chain_update(DOMAIN)
            .chain_update(self.0)
            .chain_update(home(from).to_string())
            .chain_update(wall_ms.div_euclid(EPOCH_MS).to_be_bytes())
            .finalize();
        u16::from_be_bytes([hash[0], hash[1]]) < SAMPLED
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn two_of_a_hundred_are_sampled_and_others_in_the_next_epoch() {
        let audit = Audit::new([7; 32]);
        let sample = |wall_ms| -> Vec<u32> {
            (0..20_000).filter(|n| audit.samples(Ipv4Addr::from_bits(*n).into(), wall_ms)).collect()
        };
        let (first, same, next) = (sample(0), sample(EPOCH_MS - 1), sample(EPOCH_MS));
        assert!((340..460).contains(&first.len()), "{}", first.len());
        assert_eq!(first, same);
        assert!(next.iter().filter(|n| first.contains(n)).count() < 40);
        assert_ne!(Audit::new([8; 32]).commitment(), audit.commitment());
    }
}
