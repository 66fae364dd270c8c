//! The head of a request that brings a live source in the manner of Icecast: `SOURCE` (or a `PUT` that says
//! neither how long it is nor that it is chunked), after which sound follows until the connection ends.
//!
//! RFC 9112 (section 6.3) says that such a request has no body, so an HTTP library rightly gives none.
//! Icecast's clients have always sent one. This parser takes just those requests and leaves every other to
//! the library; it keeps to RFC 9112 where the clients do, and takes their `ICE/1.0` and bare line feeds
//! where they do not.

use std::ops::Range;

/// Bytes of a head, its empty line included.
pub const HEAD_BYTES_MAX: usize = 16 * 1_024;
/// Header lines in a head.
pub const HEAD_LINES_MAX: usize = 64;

/// The two methods a source may come with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `SOURCE`, Icecast 1 and 2.
    Source,
    /// `PUT`, Icecast 2.4 and later.
    Put,
}

/// How the client counts versions; it decides how it likes to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `HTTP/1.0`, `ICE/1.0` or `ICY/1.0`.
    Http10,
    /// `HTTP/1.1`.
    Http11,
}

/// A source's head. Names are lower case; values are as they came, without the blanks around them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// `SOURCE` or `PUT`.
    pub method: Method,
    /// Path and query as they came, beginning with `/`.
    pub target: String,
    /// As the client counts.
    pub version: Version,
    /// In the order they came; a name may come again. Values are visible ASCII, blanks, and bytes from 0x80
    /// (old clients send names in Latin-1 or UTF-8).
    pub headers: Vec<(String, Vec<u8>)>,
    /// Bytes of the head; what follows is sound.
    pub bytes: usize,
}

impl Head {
    /// The first header of this name (in lower case), if it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(known, _)| known == name)?;
        std::str::from_utf8(value).ok()
    }

    /// Whether the client waits for `100 Continue` before it sends (RFC 9110, section 10.1.1).
    pub fn expects_continue(&self) -> bool {
        self.version == Version::Http11
            && self.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
    }
}

/// What the first bytes of a connection are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// More bytes are needed to tell.
    Needs,
    /// An ordinary request: it belongs to the HTTP library, from its first byte.
    Ordinary,
    /// A source, whose sound follows its head.
    Source(Head),
}

/// What is wrong with a source's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// No empty line within the limit.
    #[error("the request's head has no end within {HEAD_BYTES_MAX} bytes")]
    TooLong,
    /// More header lines than are kept.
    #[error("the request's head has more than {HEAD_LINES_MAX} lines")]
    TooManyLines,
    /// Not `METHOD /path VERSION`.
    #[error(
        "the request's first line is not a method, a path that begins with '/', and HTTP/1.0, \
         HTTP/1.1 or ICE/1.0"
    )]
    FirstLine,
    /// Not `name: value`.
    #[error("line {0} of the request's head is not a name, a colon and a value")]
    Line(usize),
}

/// Looks at the first bytes of a connection. `Ordinary` as early as they can be no source.
///
/// # Errors
/// It is a source by its first word, but its head cannot be understood.
pub fn start(bytes: &[u8]) -> Result<Start, HeadError> {
    let method = match (begins(bytes, b"SOURCE "), begins(bytes, b"PUT ")) {
        (Begins::Yes, Begins::Yes | Begins::Maybe | Begins::No) => Method::Source,
        (Begins::Maybe | Begins::No, Begins::Yes) => Method::Put,
        (Begins::Maybe, Begins::Maybe | Begins::No) | (Begins::No, Begins::Maybe) => return Ok(Start::Needs),
        (Begins::No, Begins::No) => return Ok(Start::Ordinary),
    };
    let within = &bytes[..bytes.len().min(HEAD_BYTES_MAX)];
    let lines = match lines(within)? {
        Some(lines) => lines,
        None if bytes.len() >= HEAD_BYTES_MAX => return Err(HeadError::TooLong),
        None => return Ok(Start::Needs),
    };
    let head = read(within, method, &lines)?;
    Ok(if is_framed(&head) { Start::Ordinary } else { Start::Source(head) })
}

enum Begins {
    Yes,
    Maybe,
    No,
}

fn begins(bytes: &[u8], word: &[u8]) -> Begins {
    let shared = bytes.len().min(word.len());
    match (bytes[..shared] == word[..shared], shared == word.len()) {
        (true, true) => Begins::Yes,
        (true, false) => Begins::Maybe,
        (false, _) => Begins::No,
    }
}

/// The head's lines without their ends, the first line first, the empty one (whose end is the head's) last;
/// `None`: no end yet.
fn lines(bytes: &[u8]) -> Result<Option<Vec<Range<usize>>>, HeadError> {
    let mut lines = Vec::new();
    let mut from = 0;
    while let Some(length) = bytes[from..].iter().position(|b| *b == b'\n') {
        let feed = from + length;
        let end = if length > 0 && bytes[feed - 1] == b'\r' { feed - 1 } else { feed };
        lines.push(from..end);
        if end == from && lines.len() > 1 {
            return Ok(Some(lines));
        }
        if lines.len() > HEAD_LINES_MAX {
            return Err(HeadError::TooManyLines);
        }
        from = feed + 1;
    }
    Ok(None)
}

fn read(bytes: &[u8], method: Method, lines: &[Range<usize>]) -> Result<Head, HeadError> {
    let (first, rest) = lines.split_first().expect("a head has a first line");
    let (empty, rest) = rest.split_last().expect("a head ends with an empty line");
    let (target, version) = first_line(&bytes[first.clone()])?;
    let mut headers = Vec::with_capacity(rest.len());
    for (at, line) in rest.iter().enumerate() {
        headers.push(header(&bytes[line.clone()]).ok_or(HeadError::Line(at + 2))?);
    }
    let end = if bytes[empty.end] == b'\r' { empty.end + 2 } else { empty.end + 1 };
    Ok(Head { method, target, version, headers, bytes: end })
}

fn first_line(line: &[u8]) -> Result<(String, Version), HeadError> {
    let text = std::str::from_utf8(line).map_err(|_| HeadError::FirstLine)?;
    let mut words = text.split(' ').filter(|word| !word.is_empty());
    let (Some(_method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(HeadError::FirstLine);
    };
    let version = match version {
        "HTTP/1.0" | "ICE/1.0" | "ICY/1.0" => Version::Http10,
        "HTTP/1.1" => Version::Http11,
        _ => return Err(HeadError::FirstLine),
    };
    if !target.starts_with('/') || target.bytes().any(|b| !b.is_ascii_graphic()) {
        return Err(HeadError::FirstLine);
    }
    Ok((target.to_owned(), version))
}

/// A name is a token (RFC 9110, section 5.6.2); a blank before the colon or a folded line is refused, since
/// it is how two programs come to read two different requests.
fn header(line: &[u8]) -> Option<(String, Vec<u8>)> {
    let colon = line.iter().position(|b| *b == b':')?;
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    let is_token = |b: &u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b);
    if name.is_empty() || !name.iter().all(is_token) {
        return None;
    }
    if value.iter().any(|b| (*b < 0x20 && *b != b'\t') || *b == 0x7f) {
        return None;
    }
    Some((String::from_utf8_lossy(name).to_ascii_lowercase(), value.to_vec()))
}

/// A `SOURCE` with a length is a client that fills in a form (`Content-Length: 0` and sound after it has been
/// seen), so only chunks count there.
fn is_framed(head: &Head) -> bool {
    head.headers.iter().any(|(name, _)| match head.method {
        Method::Put => name == "transfer-encoding" || name == "content-length",
        Method::Source => name == "transfer-encoding",
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ICES: &str = "SOURCE /room/source HTTP/1.0\r\nAuthorization: Basic c291cmNlOmtleQ==\r\n\
        Content-Type: application/ogg\r\nice-name: R\u{e9}publique\r\n\r\n";
    const FFMPEG: &str = "PUT /room/source HTTP/1.1\r\nUser-Agent: Lavf\r\nExpect: 100-continue\r\n\r\n";

    fn source(text: &[u8]) -> Head {
        match start(text) {
            Ok(Start::Source(head)) => head,
            other => panic!("{other:?} for {}", String::from_utf8_lossy(text)),
        }
    }

    #[test]
    fn sources_as_their_clients_send_them() {
        let head = source(format!("{ICES}OggS").as_bytes());
        assert_eq!((head.method, head.version, head.bytes), (Method::Source, Version::Http10, ICES.len()));
        assert_eq!(head.target, "/room/source");
        assert_eq!(head.header("content-type"), Some("application/ogg"));
        assert_eq!(head.header("ice-name"), Some("R\u{e9}publique"));
        assert!(!head.expects_continue());

        let head = source(FFMPEG.as_bytes());
        assert_eq!((head.method, head.version, head.bytes), (Method::Put, Version::Http11, FFMPEG.len()));
        assert!(head.expects_continue());

        for bare in ["SOURCE /a ICE/1.0\n\n", "SOURCE /a ICY/1.0\r\n\r\n", "SOURCE  /a  HTTP/1.0\nA:b\n\n"] {
            assert_eq!(source(bare.as_bytes()).bytes, bare.len(), "{bare:?}");
        }
    }

    #[test]
    fn a_head_that_arrives_byte_by_byte_is_the_same_head() {
        for text in [ICES, FFMPEG] {
            for cut in 0..text.len() {
                assert_eq!(start(&text.as_bytes()[..cut]), Ok(Start::Needs), "{cut}");
            }
        }
    }

    #[test]
    fn what_has_a_length_or_chunks_is_ordinary() {
        for text in [
            "GET / HTTP/1.1\r\n",
            "POST /x HTTP/1.1\r\n",
            "PATCH",
            "\x16\x03\x01",
            "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            "PUT /a HTTP/1.1\r\nContent-Length: 10\r\n\r\n",
            "PUT /a HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
            "PUT /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "SOURCE /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n",
        ] {
            assert_eq!(start(text.as_bytes()), Ok(Start::Ordinary), "{text:?}");
        }
        assert!(matches!(start(b"SOURCE /a HTTP/1.0\r\nContent-Length: 0\r\n\r\n"), Ok(Start::Source(_))));
    }

    #[test]
    fn what_is_wrong_is_said() {
        let many = format!("SOURCE /a HTTP/1.0\r\n{}", "A: b\r\n".repeat(HEAD_LINES_MAX));
        let long = format!("SOURCE /{}", "a".repeat(HEAD_BYTES_MAX));
        for (text, wrong) in [
            ("SOURCE a HTTP/1.0\r\n\r\n", HeadError::FirstLine),
            ("SOURCE /a HTTP/3\r\n\r\n", HeadError::FirstLine),
            ("SOURCE /a b HTTP/1.0\r\n\r\n", HeadError::FirstLine),
            ("SOURCE /a\r\n\r\n", HeadError::FirstLine),
            ("SOURCE /a HTTP/1.0\r\nno colon\r\n\r\n", HeadError::Line(2)),
            ("SOURCE /a HTTP/1.0\r\nA: b\r\n folded: c\r\n\r\n", HeadError::Line(3)),
            ("SOURCE /a HTTP/1.0\r\nA : b\r\n\r\n", HeadError::Line(2)),
            ("SOURCE /a HTTP/1.0\r\nA: b\rc\r\n\r\n", HeadError::Line(2)),
            (&many, HeadError::TooManyLines),
            (&long, HeadError::TooLong),
        ] {
            assert_eq!(start(text.as_bytes()), Err(wrong), "{:.60}", text);
        }
    }

    const TEXT: &str = "[ -~\r\n]{0,300}";

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), text in TEXT) {
            let _ = start(&bytes);
            for word in ["SOURCE ", "PUT "] {
                let mut begun = word.as_bytes().to_vec();
                begun.extend(text.as_bytes());
                if let Ok(Start::Source(head)) = start(&begun) {
                    prop_assert!(head.bytes <= begun.len());
                    prop_assert!(begun[..head.bytes].ends_with(b"\n"));
                }
                begun.extend(&bytes);
                let _ = start(&begun);
            }
        }
    }
}
