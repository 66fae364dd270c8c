//! The keys that tickets and passes are sealed with.
//!
//! A node has one key at a time. An earlier one is honoured for as long as its tickets are to count, and is
//! known a while longer only so that somebody who shows an old ticket is told that it is old, not forged.

use std::fmt;

use crate::hmac::Hmac;

/// Most earlier keys that are known: a refusal costs one hash for each.
pub const EARLIER_KEYS_MAX: usize = 3;

/// Bytes of a seal.
pub(super) const MAC_BYTES: usize = 16;

/// What a seal was made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sealed {
    /// The current key, or an earlier one that is still honoured.
    Ours,
    /// A key that was ours and is honoured no longer.
    Expired,
    /// No key of ours.
    Forged,
}

/// Whether what an earlier key sealed still counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Earlier {
    /// It does.
    Honoured,
    /// It does not: whoever shows it is told that it has expired.
    Expired,
}

/// The current key and the earlier ones that are known. Its `Debug` shows no key.
#[derive(Clone)]
pub struct KeyRing {
    current: Hmac,
    earlier: Vec<(Hmac, Earlier)>,
}

impl KeyRing {
    /// A ring of one key of 32 random bytes.
    pub fn new(current: &[u8; 32]) -> Self {
        Self { current: Hmac::new(current), earlier: Vec::new() }
    }

    /// Adds an earlier key. Of more than `EARLIER_KEYS_MAX` the first added is forgotten.
    #[must_use]
    pub fn with_earlier(mut self, key: &[u8; 32], counts: Earlier) -> Self {
        if self.earlier.len() == EARLIER_KEYS_MAX {
            self.earlier.remove(0);
        }
        self.earlier.push((Hmac::new(key), counts));
        self
    }

    /// The seal of `message` by the current key: the first 16 bytes of the MAC.
    pub(super) fn seal(&self, message: &[u8]) -> [u8; MAC_BYTES] {
        self.current.first(message)
    }

    /// Which key made `seal` over `message`.
    pub(super) fn check(&self, message: &[u8], seal: &[u8]) -> Sealed {
        if made(&self.current, message, seal) {
            return Sealed::Ours;
        }
        match self.earlier.iter().find(|(key, _)| made(key, message, seal)) {
            Some((_, Earlier::Honoured)) => Sealed::Ours,
            Some((_, Earlier::Expired)) => Sealed::Expired,
            None => Sealed::Forged,
        }
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyRing({} earlier)", self.earlier.len())
    }
}

fn made(key: &Hmac, message: &[u8], seal: &[u8]) -> bool {
    seal.len() == MAC_BYTES && key.made(message, seal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_earlier_key_is_known_for_what_it_is() {
        let old = KeyRing::new(&[1; 32]).seal(b"x");
        let ring = KeyRing::new(&[2; 32]);
        assert_eq!(ring.check(b"x", &old), Sealed::Forged);
        assert_eq!(ring.check(b"x", &ring.seal(b"x")), Sealed::Ours);
        assert_eq!(ring.check(b"y", &ring.seal(b"x")), Sealed::Forged);
        assert_eq!(ring.check(b"x", &ring.seal(b"x")[..8]), Sealed::Forged, "a seal cut short");
        for (counts, is) in [(Earlier::Honoured, Sealed::Ours), (Earlier::Expired, Sealed::Expired)] {
            assert_eq!(ring.clone().with_earlier(&[1; 32], counts).check(b"x", &old), is);
        }
        let mut full = ring.with_earlier(&[1; 32], Earlier::Honoured);
        for key in 3..6 {
            full = full.with_earlier(&[key; 32], Earlier::Honoured);
        }
        assert_eq!(full.check(b"x", &old), Sealed::Forged, "the first added is forgotten");
        assert_eq!(format!("{full:?}"), "KeyRing(3 earlier)");
    }
}
