//! Keys: what a host, a co-host, a speaker or the operator shows. Only their hashes are kept.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Fewest characters: 22 of base64url hold 128 bits.
const KEY_CHARS_MIN: usize = 22;
/// Most characters that are looked at.
const KEY_CHARS_MAX: usize = 256;

/// 22 or more of `[A-Za-z0-9_-]`. Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Fewer than 22 or more than 256 characters.
    #[error("a key has 22 to 256 characters")]
    Length,
    /// Something besides `[A-Za-z0-9_-]`.
    #[error("a key is made of letters, digits, _ and -")]
    Character,
}

impl Key {
    /// Reads a key.
    ///
    /// # Errors
    /// Says which rule the text breaks, never the text.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        if !(KEY_CHARS_MIN..=KEY_CHARS_MAX).contains(&text.len()) {
            return Err(KeyError::Length);
        }
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')) {
            return Err(KeyError::Character);
        }
        Ok(Self(text.to_owned()))
    }

    /// 32 characters from 192 bits.
    pub fn generate(entropy: [u8; 24]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(entropy))
    }

    /// The text, to be shown once to whom it belongs.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is kept. A plain hash suffices: nobody guesses 128 random bits, so there is nothing to slow down.
    pub fn hash(&self) -> KeyHash {
        KeyHash(Sha256::digest(self.0.as_bytes()).into())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// The SHA-256 of a key.
#[derive(Clone, Copy, Debug)]
pub struct KeyHash(pub [u8; 32]);

impl KeyHash {
    /// Of a text that stands for something as a key does.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text.as_bytes()).into())
    }

    /// Whether both are one, in a time that does not depend on where they differ.
    pub fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }

    /// Whether `key` is the one, in a time that does not depend on where they differ.
    pub fn matches(&self, key: &Key) -> bool {
        self.0.ct_eq(&key.hash().0).into()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn keys_keep_to_the_wire() {
        let (shortest, longest) = ("a".repeat(22), "_".repeat(256));
        for good in [shortest.as_str(), longest.as_str(), "AZaz09_-AZaz09_-AZaz09"] {
            assert_eq!(Key::parse(good).unwrap().reveal(), good);
        }
        let (short, long) = ("a".repeat(21), "a".repeat(257));
        for (bad, why) in [
            (short.as_str(), KeyError::Length),
            (long.as_str(), KeyError::Length),
            ("", KeyError::Length),
            ("aaaaaaaaaaaaaaaaaaaaaaaa+", KeyError::Character),
            ("aaaaaaaaaaaaaaaaaaaaaaaa ", KeyError::Character),
        ] {
            assert_eq!(Key::parse(bad), Err(why));
        }
    }

    #[test]
    fn a_hash_knows_its_key_only() {
        let (key, other) = (Key::generate([7; 24]), Key::generate([8; 24]));
        assert!(Key::parse(key.reveal()).is_ok());
        assert!(key.hash().matches(&key));
        assert!(!key.hash().matches(&other));
        assert_eq!(format!("{key:?}"), "Key(…)");
    }
}
