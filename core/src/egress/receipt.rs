//! The receipt of a listener's own page: it shows that it holds the end of a part, which nobody can make who
//! was not sent it.
//!
//! With a request that it makes anyhow, the page says the fragment's number, an HMAC-SHA-256 keyed by its
//! pass over that number and the last bytes of the part, and the pass: `NUMBER CODE PASS`. Everybody is sent
//! the same bytes, so whoever shares theirs helps another to a receipt: it raises the price, and proves no
//! ears.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::door::pass::PASS_CHARS;
use crate::hmac::Hmac;
use crate::program::PartNo;

/// The name of the header.
pub const HEADER: &str = "tribune-heard";
/// Bytes at the end of a part that are shown to be held.
pub const TAIL_BYTES: usize = 16;
/// Bytes of the code: the first of 32 (RFC 2104, section 5).
const CODE_BYTES: usize = 16;
/// Digits of a fragment's number, which has 32 bits.
const DIGITS_MAX: usize = 10;

/// A receipt, as it was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt<'a> {
    /// The part.
    pub part: PartNo,
    /// The right to a seat, as it was shown; whether it is one, the seats know.
    pub pass: &'a str,
    number: u32,
    code: [u8; CODE_BYTES],
}

/// Why a receipt cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a receipt is a fragment's number, 22 characters of code and 44 of a pass, with spaces between")]
pub struct ReceiptUnreadable;

impl<'a> Receipt<'a> {
    /// Reads a header's text.
    ///
    /// # Errors
    /// `ReceiptUnreadable`, for whatever is not exactly one.
    pub fn parse(text: &'a str) -> Result<Self, ReceiptUnreadable> {
        let mut words = text.split(' ');
        let (Some(number), Some(code), Some(pass), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(ReceiptUnreadable);
        };
        let is_plain = number.len() <= DIGITS_MAX && number.bytes().all(|byte| byte.is_ascii_digit());
        let number: u32 = number.parse().ok().filter(|_| is_plain).ok_or(ReceiptUnreadable)?;
        // A little more than a code takes: the decoder counts four characters as three bytes.
        let mut bytes = [0; CODE_BYTES + 2];
        let decoded = URL_SAFE_NO_PAD.decode_slice(code, &mut bytes).map_err(|_| ReceiptUnreadable)?;
        let code = *bytes.first_chunk().ok_or(ReceiptUnreadable)?;
        // Fragments are numbered from 1.
        let part = number.checked_sub(1).ok_or(ReceiptUnreadable)?;
        if decoded != CODE_BYTES || pass.len() != PASS_CHARS {
            return Err(ReceiptUnreadable);
        }
        Ok(Self { part: PartNo(part.into()), pass, number, code })
    }

    /// Whether it was made by who holds the end of `chunk`, the part in one of its renditions.
    pub fn proves(&self, chunk: &[u8]) -> bool {
        let Some(tail) = chunk.last_chunk::<TAIL_BYTES>() else { return false };
        Hmac::new(self.pass.as_bytes()).made(&message(self.number, tail), &self.code)
    }

    /// What a page shows that holds the end of a part.
    pub fn make((number, tail): (u32, &[u8; TAIL_BYTES]), pass: &str) -> String {
        let code: [u8; CODE_BYTES] = Hmac::new(pass.as_bytes()).first(&message(number, tail));
        format!("{number} {} {pass}", URL_SAFE_NO_PAD.encode(code))
    }
}

fn message(number: u32, tail: &[u8; TAIL_BYTES]) -> [u8; 4 + TAIL_BYTES] {
    let mut message = [0; 4 + TAIL_BYTES];
    message[..4].copy_from_slice(&number.to_be_bytes());
    message[4..].copy_from_slice(tail);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASS: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGH";

    #[test]
    fn who_holds_the_end_of_a_part_shows_it_and_nobody_else_does() {
        let chunk: Vec<u8> = (0..200).collect();
        let tail = chunk.last_chunk().expect("it is long enough");
        let shown = Receipt::make((8, tail), PASS);
        // The same in the browser: `web/tests/receipt.test.mjs`.
        assert_eq!(shown, format!("8 O90C_c6ycvHoCbLz6djJ4Q {PASS}"));
        let receipt = Receipt::parse(&shown).expect("it is whole");
        assert_eq!((receipt.part, receipt.pass), (PartNo(7), PASS));
        assert!(receipt.proves(&chunk));
        assert!(!receipt.proves(&chunk[..199]), "another end");
        assert!(!receipt.proves(&[]));
        for forged in [
            Receipt::make((9, tail), PASS).replacen('9', "8", 1),
            shown.replacen("O90C", "O90D", 1),
            format!("{}I", &shown[..shown.len() - 1]),
        ] {
            assert!(!Receipt::parse(&forged).expect("it is whole").proves(&chunk), "{forged}");
        }
    }

    #[test]
    fn whatever_is_not_exactly_one_is_not_read() {
        let good = Receipt::make((8, &[7; TAIL_BYTES]), PASS);
        for text in [
            String::new(),
            good.replacen("8 ", "0 ", 1),
            good.replacen("8 ", "+8 ", 1),
            good.replacen("8 ", "99999999999 ", 1),
            good.replacen("8 ", "4294967296 ", 1),
            good.replacen(' ', "  ", 1),
            format!("{good} "),
            good[..good.len() - 1].to_owned(),
            format!("8 {} {PASS}", "A".repeat(21)),
            format!("8 {} {PASS}", "A".repeat(43)),
            format!("8 {} {PASS}", "=".repeat(22)),
            "8".to_owned(),
        ] {
            assert_eq!(Receipt::parse(&text), Err(ReceiptUnreadable), "{text}");
        }
    }
}
