//! Lines of SDP (RFC 8866), and the names by which two sides of ICE know each other.

use super::Error;

/// Lines that are read of any SDP.
pub const SDP_LINES_MAX: usize = 1_000;
/// Letters of an ICE name and password (RFC 8839, section 5.4).
const UFRAG_BYTES: std::ops::RangeInclusive<usize> = 4..=256;
const PWD_BYTES: std::ops::RangeInclusive<usize> = 22..=256;

/// The name and the password of one side of ICE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// `a=ice-ufrag`.
    pub ufrag: String,
    /// `a=ice-pwd`.
    pub pwd: String,
}

impl Credentials {
    pub(super) fn read(ufrag: Option<&str>, pwd: Option<&str>) -> Result<Self, Error> {
        let (ufrag, pwd) = ufrag.zip(pwd).ok_or(Error::Credentials)?;
        let fits = UFRAG_BYTES.contains(&ufrag.len()) && PWD_BYTES.contains(&pwd.len());
        let plain =
            |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/".contains(&byte));
        if fits && plain(ufrag) && plain(pwd) {
            Ok(Self { ufrag: ufrag.to_owned(), pwd: pwd.to_owned() })
        } else {
            Err(Error::Credentials)
        }
    }
}

/// The lines of a text as letter and value; empty lines are let go, as most senders end with one.
pub(super) fn lines(text: &str) -> impl Iterator<Item = Result<(u8, &str), Error>> {
    text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).enumerate().filter_map(
        |(at, line)| {
            if line.is_empty() {
                return None;
            }
            if at >= SDP_LINES_MAX {
                return Some(Err(Error::TooManyLines));
            }
            let read = match line.as_bytes() {
                [letter @ b'a'..=b'z', b'=', ..] => Ok((*letter, &line[2..])),
                _ => Err(Error::Line(at + 1)),
            };
            Some(read)
        },
    )
}

/// `name:value` of an attribute; a flag has an empty value.
pub(super) fn attribute(value: &str) -> (&str, &str) {
    value.split_once(':').unwrap_or((value, ""))
}
