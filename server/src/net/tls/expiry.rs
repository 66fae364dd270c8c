//! When a certificate expires: the one field of X.509 (RFC 5280, section 4.1.2.5) that the TLS library does
//! not tell.

use tribune_core::time::WallTime;

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// `notAfter` of a certificate in DER; `None` if the bytes are no certificate.
pub(crate) fn not_after(certificate: &[u8]) -> Option<WallTime> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (mut signed, _) = element(certificate, SEQUENCE)?;
    if let Some((_, rest)) = element(signed, VERSION) {
        signed = rest;
    }
    let (_serial, rest) = element(signed, INTEGER)?;
    let (_algorithm, rest) = element(rest, SEQUENCE)?;
    let (_issuer, rest) = element(rest, SEQUENCE)?;
    let (validity, _) = element(rest, SEQUENCE)?;
    let (_not_before, rest) = any_time(validity)?;
    any_time(rest).and_then(|(at, _)| at)
}

/// The content of the element at the front, if it has this tag, and what follows it. Lengths of up to four
/// bytes.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = bytes.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (length, rest) = match short {
        0..=0x7f => (usize::from(short), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    if found != tag {
        return None;
    }
    rest.split_at_checked(length)
}

/// A time that can be read, or `None` in its place if it cannot.
fn any_time(bytes: &[u8]) -> Option<(Option<WallTime>, &[u8])> {
    let (text, century, rest) = match element(bytes, UTC_TIME) {
        Some((text, rest)) => (text, true, rest),
        None => element(bytes, GENERALIZED_TIME).map(|(text, rest)| (text, false, rest))?,
    };
    let text = std::str::from_utf8(text).ok()?;
    let text = match (century, text.get(..2)?) {
        (true, year) if year < "50" => format!("20{text}"),
        (true, _) => format!("19{text}"),
        (false, _) => text.to_owned(),
    };
    let part = |from: usize, to: usize| text.get(from..to);
    let rfc3339 = format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0, 4)?,
        part(4, 6)?,
        part(6, 8)?,
        part(8, 10)?,
        part(10, 12)?,
        part(12, 14)?
    );
    Some((WallTime::parse(&rfc3339), rest))
}
