//! The random audit: a few of who comes are always answered, whatever is going on.
//!
//! Whoever is put off did not choose what became of them. So while people are put off, nobody could tell what
//! the newcomers are, but for a sample that nobody can foresee or choose to be in: drawn by a key that was
//! made before anybody came, of which a hash is told to everybody, and which the report reveals. Then anybody
//! can check that the sample was what the key says.

use std::collections::BTreeSet;
use std::net::IpAddr;

use sha2::{Digest, Sha256};

use super::table::home;

/// Of 65,536 sources so many are in the sample: 2 %.
const SAMPLED: u16 = 1_311;
/// A new sample is drawn after so many milliseconds.
const EPOCH_MS: i64 = 600_000;
const DOMAIN: &[u8] = b"tribune audit 1";
/// How long a key is in force at most, in milliseconds: a day.
const TERM_MS_MAX: u64 = 86_400_000;

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

    /// The key, for everybody to see when its term is over.
    pub const fn key(&self) -> [u8; 32] {
        self.0
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

/// How long a key is in force: until a room closes, so that what is written right after an evening can tell
/// the key of it; and where rooms are open all the time, for a day. A key that was told is worth nothing any
/// more, so that rooms that are still open get another one.
#[derive(Clone, Debug, Default)]
pub struct Term {
    begun_ms: u64,
    open: BTreeSet<String>,
    is_over: bool,
}

impl Term {
    /// A key is in force from this moment of the node's clock on, in milliseconds, in which these rooms are
    /// open.
    pub const fn begin(begun_ms: u64, open: BTreeSet<String>) -> Self {
        Self { begun_ms, open, is_over: false }
    }

    /// A second is over in which these rooms were open. Says whether the term is: then it stays so until
    /// another one begins.
    pub fn is_over<'a>(&mut self, now_ms: u64, open: impl IntoIterator<Item = &'a String>) -> bool {
        let open: BTreeSet<_> = open.into_iter().cloned().collect();
        self.is_over |= !self.open.is_subset(&open) || now_ms.saturating_sub(self.begun_ms) >= TERM_MS_MAX;
        self.open = open;
        self.is_over
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

    #[test]
    fn a_key_is_in_force_until_a_room_closes_or_for_a_day() {
        let rooms = |names: &[&str]| -> BTreeSet<String> { names.iter().map(|&name| name.into()).collect() };
        let mut term = Term::begin(5_000, rooms(&[]));
        for (now_ms, open, over) in [
            (6_000, &[][..], false),
            (7_000, &["a"], false),
            (8_000, &["a", "b"], false),
            (9_000, &["a"], true),
            (10_000, &["a"], true),
        ] {
            assert_eq!(term.is_over(now_ms, &rooms(open)), over, "{now_ms}");
        }
        // One closes in the very second in which another opens.
        assert!(Term::begin(0, rooms(&["a"])).is_over(1_000, &rooms(&["b"])));
        let mut term = Term::begin(5_000, rooms(&["a"]));
        assert!(!term.is_over(5_000 + TERM_MS_MAX - 1, &rooms(&["a"])));
        assert!(term.is_over(5_000 + TERM_MS_MAX, &rooms(&["a"])));
    }
}
