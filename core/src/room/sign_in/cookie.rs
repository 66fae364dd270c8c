//! What a browser keeps of its sign-in: which one it is, and the secret that proves it.

use std::fmt;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::room::{Key, KeyHash};

/// Characters of an id: 96 bits.
const ID_CHARS: usize = 16;
/// Characters of an id and its secret: 288 bits.
const COOKIE_CHARS: usize = 48;

/// Which sign-in. By it one is found; it opens nothing.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SignInId(Arc<str>);

impl SignInId {
    /// Reads what was kept; `None` when it is no id.
    pub fn parse(text: &str) -> Option<Self> {
        let all = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        (text.len() == ID_CHARS && text.bytes().all(all)).then(|| Self(text.into()))
    }

    /// The text in the store.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands for this sign-in where a key's hash stands for a key: it stays when the secret is changed.
    pub fn mark(&self) -> KeyHash {
        KeyHash::of(&self.0)
    }
}

impl fmt::Debug for SignInId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignInId(…)")
    }
}

/// The value of the cookie: the id, then the secret.
#[derive(Clone)]
pub struct Cookie {
    id: SignInId,
    whole: Key,
}

impl Cookie {
    /// Of a new sign-in.
    pub fn generate(id: [u8; 12], secret: [u8; 24]) -> Self {
        Self::of(SignInId(URL_SAFE_NO_PAD.encode(id).into()), secret)
    }

    /// Of a sign-in that is there, with a new secret: the old one is worth nothing from then on.
    pub fn renew(&self, secret: [u8; 24]) -> Self {
        Self::of(self.id.clone(), secret)
    }

    fn of(id: SignInId, secret: [u8; 24]) -> Self {
        let whole = format!("{}{}", id.as_str(), URL_SAFE_NO_PAD.encode(secret));
        Self { id, whole: Key::parse(&whole).expect("48 characters of base64url are a key") }
    }

    /// Reads the value that came; `None` when it is none of ours.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != COOKIE_CHARS {
            return None;
        }
        let whole = Key::parse(text).ok()?;
        Some(Self { id: SignInId::parse(text.get(..ID_CHARS)?)?, whole })
    }

    /// Which sign-in it names.
    pub const fn id(&self) -> &SignInId {
        &self.id
    }

    /// The text, for whom it belongs to.
    pub fn reveal(&self) -> &str {
        self.whole.reveal()
    }

    /// What is kept of it.
    pub fn hash(&self) -> KeyHash {
        self.whole.hash()
    }

    /// Whether it is the one of this hash, in a time that does not depend on where they differ.
    pub fn is(&self, hash: &KeyHash) -> bool {
        hash.matches(&self.whole)
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cookie(…)")
    }
}
