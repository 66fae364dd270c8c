//! Somebody on the stage, or who asks to be: an id that stays theirs over reloads and restarts, and the name
//! that others read.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Role;

/// Longest name of a person, in characters.
pub const PERSON_NAME_CHARS_MAX: usize = 40;
/// Longest id that is looked at, in bytes.
const ID_BYTES_MAX: usize = 96;
/// How ids of the audience begin; listeners have no key that would name them so.
const GUEST_PREFIX: &str = "listener.";

/// Who it is, within one room. Known to everybody on the stage; it opens nothing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonId(Arc<str>);

impl PersonId {
    /// Of somebody who signed in or asked for the floor: 16 characters from 96 bits.
    pub fn generate(entropy: [u8; 12]) -> Self {
        Self(URL_SAFE_NO_PAD.encode(entropy).into())
    }

    /// Of somebody in the audience who asked for the floor. No key of a role's is ever theirs.
    pub fn of_guest(entropy: [u8; 12]) -> Self {
        Self(format!("{GUEST_PREFIX}{}", URL_SAFE_NO_PAD.encode(entropy)).into())
    }

    /// Whether it is of somebody who came from the audience.
    pub fn is_guest(&self) -> bool {
        self.0.starts_with(GUEST_PREFIX)
    }

    /// Of a program that shows a role's key and says a name, as WHIP encoders do: the same again each time.
    pub fn named(role: Role, name: &str) -> Self {
        Self(format!("{}.{name}", role.word()).into())
    }

    /// Reads an id that came from outside; `None` when it is none of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=ID_BYTES_MAX).contains(&text.len());
        let all = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        (fits && text.bytes().all(all)).then(|| Self(text.into()))
    }

    /// The text on the wire.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What others read: 1 to 40 characters, none of them a control character, not only spaces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersonName(Arc<str>);

impl PersonName {
    /// Reads a name; spaces around it go.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = (1..=PERSON_NAME_CHARS_MAX).contains(&text.chars().count());
        (fits && !text.chars().any(is_unseen)).then(|| Self(text.into()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Characters that would let a name break a line, hide, or turn the text around it (Unicode's controls of
/// direction, UAX 9).
const fn is_unseen(char: char) -> bool {
    matches!(char, '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_back_and_nothing_else_is() {
        for id in [PersonId::generate([0xfb; 12]), PersonId::named(Role::Speaker, "obs-1")] {
            assert_eq!(PersonId::parse(id.as_str()), Some(id));
        }
        assert!(PersonId::of_guest([1; 12]).is_guest() && !PersonId::generate([1; 12]).is_guest());
        for text in ["", "a b", "é", "a/b", &"a".repeat(97)] {
            assert_eq!(PersonId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn names_are_one_visible_line() {
        assert_eq!(PersonName::parse("  Ana María ").unwrap().as_str(), "Ana María");
        assert!(PersonName::parse(&"é".repeat(40)).is_some());
        for text in ["", "  ", "a\nb", "a\u{202e}b", "\u{200b}", &"a".repeat(41)] {
            assert_eq!(PersonName::parse(text), None, "{text:?}");
        }
    }
}
