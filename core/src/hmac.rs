//! HMAC-SHA-256 (RFC 2104, FIPS 180-4): what was sealed with a key of ours is known again.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Bytes that SHA-256 takes at a time.
const BLOCK: usize = 64;
/// Bytes of a whole code.
pub const HMAC_BYTES: usize = 32;

/// A key whose two padded blocks are already hashed, so that a short message costs two blocks instead of
/// four. Its `Debug` shows nothing of it.
#[derive(Clone)]
pub struct Hmac {
    inner: Sha256,
    outer: Sha256,
}

impl Hmac {
    /// A key of any length, in bytes.
    pub fn new(key: &[u8]) -> Self {
        let mut block = [0; BLOCK];
        if key.len() > BLOCK {
            block[..32].copy_from_slice(&Sha256::digest(key));
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        let padded = |pad: u8| Sha256::new_with_prefix(block.map(|byte| byte ^ pad));
        Self { inner: padded(0x36), outer: padded(0x5c) }
    }

    /// The code of a message.
    pub fn of(&self, message: &[u8]) -> [u8; HMAC_BYTES] {
        let inner = self.inner.clone().chain_update(message).finalize();
        self.outer.clone().chain_update(inner).finalize().into()
    }

    /// The first `N` bytes of the code of a message; `N` is at most `HMAC_BYTES` (RFC 2104, section 5).
    pub fn first<const N: usize>(&self, message: &[u8]) -> [u8; N] {
        const { assert!(N <= HMAC_BYTES) };
        let whole = self.of(message);
        std::array::from_fn(|place| whole[place])
    }

    /// Whether `code` is how the code of a message begins; takes as long for every code of a length.
    pub fn made(&self, message: &[u8], code: &[u8]) -> bool {
        let whole = self.of(message);
        !code.is_empty() && whole.get(..code.len()).is_some_and(|begins| begins.ct_eq(code).into())
    }
}

impl fmt::Debug for Hmac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hmac")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// RFC 4231, test cases 1, 2 and 6.
    #[test]
    fn it_is_hmac_sha_256() {
        let long = [0xaa; 131];
        for (key, message, code) in [
            (
                &[0x0b; 20][..],
                &b"Hi There"[..],
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &long,
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ] {
            assert_eq!(hex(&Hmac::new(key).of(message)), code);
        }
    }

    #[test]
    fn a_code_is_known_again_and_nothing_else_is() {
        let key = Hmac::new(b"key");
        let code = key.of(b"x");
        for (shown, is_it) in [(&code[..], true), (&code[..16], true), (&[], false), (&[0; 16], false)] {
            assert_eq!(key.made(b"x", shown), is_it, "{shown:?}");
        }
        let longer = [&code[..], &[0]].concat();
        assert!(!key.made(b"x", &longer) && !key.made(b"y", &code));
        assert_eq!(key.first::<16>(b"x"), code[..16]);
    }
}
