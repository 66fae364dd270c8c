//! The title as Icecast's source clients set it from outside the sound:
//! `/admin/metadata?mode=updinfo&mount=…&song=…`.

use thiserror::Error;

use super::title::Title;

/// Bytes of a query that are read at all.
pub const QUERY_BYTES_MAX: usize = 8_192;

/// What such a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// The path the source sends to, as the client wrote it: `/{room}/source`.
    pub mount: String,
    /// The new title.
    pub title: Title,
}

/// Why a metadata query cannot be followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// Longer than `QUERY_BYTES_MAX`.
    #[error("the metadata query is longer than {QUERY_BYTES_MAX} bytes")]
    TooLong,
    /// Another mode, or none.
    #[error("the only mode of the metadata address is updinfo")]
    ModeUnknown,
    /// Nothing says which source is meant.
    #[error("the metadata query does not name a mount")]
    NoMount,
    /// No text at all came.
    #[error("the metadata query carries neither song, title nor artist")]
    NoTitle,
}

/// Reads the part after `?`. `song` is one line, or `artist` and `title` come apart. Text is percent-decoded;
/// `charset` may say `ISO-8859-1`, else it is UTF-8 where it can be and ISO-8859-1 where it cannot.
pub fn read(query: &str) -> Result<Update, Error> {
    if query.len() > QUERY_BYTES_MAX {
        return Err(Error::TooLong);
    }
    let charset = Charset::of(&value_of(query, "charset").unwrap_or_default());
    let text = |name| value_of(query, name).map(|bytes| charset.text(bytes));
    if text("mode").is_none_or(|mode| mode != "updinfo") {
        return Err(Error::ModeUnknown);
    }
    let mount = text("mount").filter(|mount| !mount.is_empty()).ok_or(Error::NoMount)?;
    let title = match (text("song"), text("artist"), text("title")) {
        (None, None, None) => return Err(Error::NoTitle),
        (Some(song), None, None) => Title::new("", &song),
        (song, artist, title) => Title::new(&artist.unwrap_or_default(), &title.or(song).unwrap_or_default()),
    };
    Ok(Update { mount, title })
}

#[derive(Clone, Copy)]
enum Charset {
    Latin1,
    Utf8OrLatin1,
}

impl Charset {
    fn of(name: &[u8]) -> Self {
        let latin = [b"iso-8859-1".as_slice(), b"iso8859-1", b"latin1"];
        if latin.iter().any(|latin| name.eq_ignore_ascii_case(latin)) {
            Self::Latin1
        } else {
            Self::Utf8OrLatin1
        }
    }

    fn text(self, bytes: Vec<u8>) -> String {
        let latin1 = |bytes: &[u8]| bytes.iter().map(|&byte| char::from(byte)).collect();
        match self {
            Self::Latin1 => latin1(&bytes),
            Self::Utf8OrLatin1 => String::from_utf8(bytes).unwrap_or_else(|wrong| latin1(wrong.as_bytes())),
        }
    }
}

/// The first value of that name, decoded.
fn value_of(query: &str, name: &str) -> Option<Vec<u8>> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(key, _)| decoded(key) == name.as_bytes())
        .map(|(_, value)| decoded(value))
}

/// `application/x-www-form-urlencoded` (WHATWG URL, section 5.1): `+` is a space, `%xx` a byte, anything else
/// itself.
fn decoded(text: &str) -> Vec<u8> {
    let mut rest = text.as_bytes();
    let mut bytes = Vec::with_capacity(rest.len());
    while let [first, tail @ ..] = rest {
        let (byte, tail) = match (first, tail) {
            (b'+', tail) => (b' ', tail),
            (b'%', [high, low, after @ ..]) => match (nibble(*high), nibble(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, after),
                (None, _) | (_, None) => (b'%', tail),
            },
            (other, tail) => (*other, tail),
        };
        bytes.push(byte);
        rest = tail;
    }
    bytes
}

const fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_client_s_way_of_saying_a_title_is_read() {
        for (query, line) in [
            ("mode=updinfo&mount=/r/source&song=Anna+-+Debate", "Anna - Debate"),
            ("mount=%2Fr%2Fsource&mode=updinfo&song=Caf%C3%A9&charset=UTF-8", "Café"),
            ("mode=updinfo&mount=/r/source&song=Caf%E9&charset=ISO-8859-1", "Café"),
            ("mode=updinfo&mount=/r/source&song=Caf%E9", "Café"),
            ("mode=updinfo&mount=/r/source&song=Caf%C3%A9&charset=latin1", "CafÃ©"),
            ("mode=updinfo&mount=/r/source&artist=Anna&title=Debate", "Anna - Debate"),
            ("mode=updinfo&mount=/r/source&song=100%&pass=x", "100%"),
            ("mode=updinfo&mount=/r/source&song=%0d%0aSet-Cookie:%00x", "Set-Cookie: x"),
            ("mode=updinfo&mount=/r/source&song=", ""),
        ] {
            let update = read(query).expect(query);
            assert_eq!((update.mount.as_str(), update.title.line().as_str()), ("/r/source", line));
        }
    }

    #[test]
    fn a_query_that_cannot_be_followed_says_why() {
        for (query, why) in [
            ("", Error::ModeUnknown),
            ("mode=fallbacks&mount=/r", Error::ModeUnknown),
            ("mode=updinfo&song=x", Error::NoMount),
            ("mode=updinfo&mount=&song=x", Error::NoMount),
            ("mode=updinfo&mount=/r/source", Error::NoTitle),
        ] {
            assert_eq!(read(query), Err(why), "{query}");
        }
        assert_eq!(read(&"x".repeat(QUERY_BYTES_MAX + 1)), Err(Error::TooLong));
    }
}
