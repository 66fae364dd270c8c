//! A room's name: what stands in its link, so that it can be read aloud.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Longest name, in characters.
pub const NAME_CHARS_MAX: usize = 64;
/// Names that are paths of the node itself.
pub const RESERVED: [&str; 6] = ["api", "assets", "console", "admin", "healthz", ".well-known"];

/// 1 to 64 of `[a-z0-9-]`, none of the reserved words. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(Arc<str>);

/// Why a text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing, or more than `NAME_CHARS_MAX`.
    #[error("a room's name has 1 to 64 characters")]
    Length,
    /// Something besides `[a-z0-9-]`.
    #[error("a room's name is made of a to z, 0 to 9 and hyphens")]
    Character,
    /// A path of the node.
    #[error("this name is taken by the server itself")]
    Reserved,
}

impl Name {
    /// Reads a name.
    ///
    /// # Errors
    /// Says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if RESERVED.contains(&text) {
            return Err(NameError::Reserved);
        }
        if text.is_empty() || text.len() > NAME_CHARS_MAX {
            return Err(NameError::Length);
        }
        if !text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-')) {
            return Err(NameError::Character);
        }
        Ok(Self(text.into()))
    }

    /// Two words and four digits, `quiet-harbour-4821`: about 25 bits, so the caller draws again when it is
    /// taken.
    pub fn generate(entropy: [u8; 8]) -> Self {
        let bits = u64::from_le_bytes(entropy);
        let how = HOW[(bits % HOW.len() as u64) as usize];
        let what = WHAT[((bits >> 8) % WHAT.len() as u64) as usize];
        Self(format!("{how}-{what}-{:04}", (bits >> 16) % 10_000).into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        Self::parse(&text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0.as_ref().to_owned()
    }
}

// Words that are hard to mishear and safe to put on a poster.
const HOW: [&str; 48] = [
    "amber", "bold", "brave", "bright", "calm", "clear", "copper", "coral", "crisp", "early", "fair", "fine",
    "free", "fresh", "gentle", "glad", "golden", "grand", "green", "happy", "honest", "indigo", "ivory",
    "jolly", "keen", "kind", "lively", "lucky", "mellow", "merry", "modest", "noble", "olive", "open",
    "plain", "proud", "quick", "quiet", "ready", "rosy", "silver", "smart", "steady", "sunny", "tidy",
    "warm", "wide", "wise",
];
const WHAT: [&str; 48] = [
    "acorn", "anchor", "beacon", "birch", "bridge", "brook", "candle", "canyon", "cedar", "cliff", "cloud",
    "comet", "delta", "dune", "falcon", "fern", "field", "forest", "garden", "glade", "harbour", "heron",
    "hill", "island", "lagoon", "lantern", "maple", "meadow", "mill", "orchard", "otter", "pebble", "pine",
    "plaza", "prairie", "quarry", "reef", "ridge", "river", "robin", "saddle", "shore", "spring", "summit",
    "thistle", "tower", "valley", "willow",
];

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_keep_to_the_wire() {
        let longest = "a".repeat(NAME_CHARS_MAX);
        for good in ["a", "7", "-", "debate", "election-night-2026", "apis", longest.as_str()] {
            assert_eq!(Name::parse(good).unwrap().as_str(), good);
        }
        let too_long = "a".repeat(NAME_CHARS_MAX + 1);
        for (bad, why) in [
            ("", NameError::Length),
            (too_long.as_str(), NameError::Length),
            ("Debate", NameError::Character),
            ("a b", NameError::Character),
            ("a/b", NameError::Character),
            ("a.b", NameError::Character),
            ("débat", NameError::Character),
            ("a\0", NameError::Character),
            ("api", NameError::Reserved),
            ("assets", NameError::Reserved),
            ("console", NameError::Reserved),
            ("admin", NameError::Reserved),
            ("healthz", NameError::Reserved),
            (".well-known", NameError::Reserved),
        ] {
            assert_eq!(Name::parse(bad), Err(why), "{bad:?}");
        }
    }

    #[test]
    fn a_generated_name_is_a_name() {
        for seed in 0..5_000_u64 {
            let entropy = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes();
            let name = Name::generate(entropy);
            assert_eq!(Name::parse(name.as_str()), Ok(name.clone()));
        }
        assert_ne!(Name::generate([1; 8]), Name::generate([2; 8]));
    }

    #[test]
    fn json_keeps_out_what_is_no_name() {
        assert_eq!(serde_json::from_str::<Name>("\"ok\"").unwrap().as_str(), "ok");
        assert!(serde_json::from_str::<Name>("\"../x\"").is_err());
    }
}
