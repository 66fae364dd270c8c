//! What a source client says of itself in its request, as Icecast's clients do: method, key, kind of sound,
//! names.
//!
//! Pure reading of header pairs; the HTTP itself is the server's. Names of headers are compared without
//! regard to case.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use thiserror::Error;

use super::Hint;
use super::title::clean;
use crate::reason::Refusal;

/// The user name that goes with a key.
pub const USER: &str = "source";
/// Bytes of an `Authorization` value that are read at all.
pub const AUTHORIZATION_BYTES_MAX: usize = 512;

/// Some clients leave the padding out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// How the client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `PUT`, with or without `Expect: 100-continue`.
    Put,
    /// `SOURCE`, from before Icecast 2.4: it waits for `200 OK` and then sends without any framing.
    Source,
}

/// What the client waits for before it sends sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FirstAnswer {
    /// `100 Continue`.
    Continue,
    /// `200 OK` at once, as the `SOURCE` method wants it.
    Ok,
    /// Nothing: it sends at once.
    Nothing,
}

/// Whether the client wants to be listed in a directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// `Ice-Public: 1`.
    Public,
    /// Anything else.
    Private,
}

/// A source client's request.
#[derive(Clone, PartialEq, Eq)]
pub struct Hello {
    /// How it sends.
    pub method: Method,
    /// What it waits for.
    pub first_answer: FirstAnswer,
    /// The password, which is a key of the room.
    pub key: String,
    /// What its `Content-Type` says it sends.
    pub hint: Hint,
    /// `Ice-Name`, fit to be shown.
    pub name: Option<String>,
    /// `Ice-Public`.
    pub listed: Listed,
    /// Bits a second, from `Ice-Bitrate` or `Ice-Audio-Info`.
    pub bit_rate: Option<u32>,
    /// `User-Agent`, fit to be shown.
    pub agent: Option<String>,
}

impl std::fmt::Debug for Hello {
    /// Everything but the key, which belongs in no log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hello")
            .field("method", &self.method)
            .field("first_answer", &self.first_answer)
            .field("hint", &self.hint)
            .field("name", &self.name)
            .field("listed", &self.listed)
            .field("bit_rate", &self.bit_rate)
            .field("agent", &self.agent)
            .finish_non_exhaustive()
    }
}

/// Why a source client's request is refused before its sound is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// Neither `PUT` nor `SOURCE`.
    #[error("a source sends with PUT or SOURCE")]
    MethodWrong,
    /// No `Authorization` header.
    #[error("the request carries no Authorization header")]
    NoKey,
    /// Another scheme, or longer than `AUTHORIZATION_BYTES_MAX`.
    #[error("the Authorization header is not Basic with user and password")]
    NotBasic,
    /// Not base64 of `user:password`.
    #[error("the Basic credentials are not base64 of user:password")]
    NotCredentials,
    /// A user other than `source`.
    #[error("the user name that goes with a room's key is `{USER}`")]
    UserWrong,
}

impl Error {
    /// The row of the table this is answered with.
    pub const fn refusal(self) -> Refusal {
        match self {
            Self::MethodWrong => Refusal::MethodWrong,
            Self::NoKey | Self::NotBasic | Self::NotCredentials | Self::UserWrong => Refusal::KeyWrong,
        }
    }
}

/// Reads a source's request from its method and header pairs. Of a header that comes twice, the first counts.
pub fn read<'a, H>(method: &str, headers: H) -> Result<Hello, Error>
where
    H: IntoIterator<Item = (&'a str, &'a [u8])>,
    H::IntoIter: Clone,
{
    let method = match method {
        "PUT" => Method::Put,
        "SOURCE" => Method::Source,
        _ => return Err(Error::MethodWrong),
    };
    let headers = headers.into_iter();
    let raw = |name: &str| {
        headers.clone().find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    };
    let text = |name: &str| raw(name).map(String::from_utf8_lossy);
    let expects = text("expect").is_some_and(|value| value.trim().eq_ignore_ascii_case("100-continue"));
    let first_answer = match (method, expects) {
        (Method::Source, _) => FirstAnswer::Ok,
        (Method::Put, true) => FirstAnswer::Continue,
        (Method::Put, false) => FirstAnswer::Nothing,
    };
    let named = |name: &str| text(name).and_then(|value| clean(&value));
    let public = named("ice-public").or_else(|| named("icy-pub"));
    Ok(Hello {
        method,
        first_answer,
        key: key_of(raw("authorization").ok_or(Error::NoKey)?)?,
        hint: text("content-type").map_or(Hint::Unknown, |value| Hint::from_content_type(&value)),
        name: named("ice-name").or_else(|| named("icy-name")),
        listed: if public.as_deref() == Some("1") { Listed::Public } else { Listed::Private },
        bit_rate: named("ice-bitrate")
            .or_else(|| named("icy-br"))
            .or_else(|| named("ice-audio-info").and_then(|info| bitrate_in(&info)))
            .and_then(|kbits| kbits.parse::<u32>().ok())
            .and_then(|kbits| kbits.checked_mul(1_000)),
        agent: named("user-agent"),
    })
}

/// The password of `Basic base64(source:password)` (RFC 7617).
fn key_of(authorization: &[u8]) -> Result<String, Error> {
    if authorization.len() > AUTHORIZATION_BYTES_MAX {
        return Err(Error::NotBasic);
    }
    let value = str::from_utf8(authorization).map_err(|_| Error::NotBasic)?;
    let (scheme, credentials) = value.trim().split_once(' ').ok_or(Error::NotBasic)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(Error::NotBasic);
    }
    let bytes = BASE64.decode(credentials.trim()).map_err(|_| Error::NotCredentials)?;
    let text = String::from_utf8(bytes).map_err(|_| Error::NotCredentials)?;
    let (user, password) = text.split_once(':').ok_or(Error::NotCredentials)?;
    if user != USER {
        return Err(Error::UserWrong);
    }
    Ok(password.to_owned())
}

/// `bitrate` of `ice-audio-info: samplerate=44100;bitrate=128;channels=2`; some clients prefix the names with
/// `ice-`.
fn bitrate_in(info: &str) -> Option<String> {
    info.split(';')
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, _)| matches!(name.trim().to_ascii_lowercase().as_str(), "bitrate" | "ice-bitrate"))
        .map(|(_, value)| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: (&str, &[u8]) = ("Authorization", b"Basic c291cmNlOmtleS1vZi1hLXJvb20tMjItY2hhcnM=");

    #[test]
    fn what_ffmpeg_butt_and_ices_send_is_read() {
        let ffmpeg = [
            KEY,
            ("User-Agent", b"Lavf/59.27.100".as_slice()),
            ("Expect", b"100-continue"),
            ("Content-Type", b"application/ogg"),
            ("Ice-Public", b"0"),
            ("Ice-Name", b"Newsroom\x07"),
        ];
        let hello = read("PUT", ffmpeg).expect("a good request");
        assert_eq!(hello.key, "key-of-a-room-22-chars");
        assert_eq!((hello.method, hello.first_answer), (Method::Put, FirstAnswer::Continue));
        assert_eq!((hello.hint, hello.listed), (Hint::Ogg, Listed::Private));
        assert_eq!(hello.name.as_deref(), Some("Newsroom"));
        assert!(!format!("{hello:?}").contains("key-of"));

        let ices = [
            KEY,
            ("content-type", b"audio/mpeg".as_slice()),
            ("ice-public", b"1"),
            ("ice-audio-info", b"samplerate=44100;bitrate=128;channels=2"),
        ];
        let hello = read("SOURCE", ices).expect("a good request");
        assert_eq!((hello.method, hello.first_answer), (Method::Source, FirstAnswer::Ok));
        assert_eq!((hello.hint, hello.listed, hello.bit_rate), (Hint::Mpeg, Listed::Public, Some(128_000)));
        assert_eq!(read("PUT", [KEY]).expect("enough").first_answer, FirstAnswer::Nothing);
    }

    #[test]
    fn a_refused_request_says_why() {
        let with = |value: &'static [u8]| read("PUT", [("Authorization", value)]).map(|_| ());
        for (got, why) in [
            (read("POST", [KEY]).map(|_| ()), Error::MethodWrong),
            (read("PUT", []).map(|_| ()), Error::NoKey),
            (with(b"Bearer abc"), Error::NotBasic),
            (with(b"Basic"), Error::NotBasic),
            (with(&[b' '; AUTHORIZATION_BYTES_MAX + 1]), Error::NotBasic),
            (with(b"Basic \xff"), Error::NotBasic),
            (with(b"Basic !!!!"), Error::NotCredentials),
            (with(b"Basic c291cmNl"), Error::NotCredentials),
            (with(b"Basic cm9vdDp4"), Error::UserWrong),
        ] {
            assert_eq!(got, Err(why));
            assert!((400..500).contains(&why.refusal().row().status));
        }
    }

    #[test]
    fn base64_may_lack_its_padding_and_numbers_may_be_nonsense() {
        let bare = b"basic c291cmNlOmtleS1vZi1hLXJvb20tMjItY2hhcnM";
        let hello = read("PUT", [("authorization", bare.as_slice()), ("ice-bitrate", b"quality 4")]);
        let hello = hello.expect("a good request");
        assert_eq!((hello.key.as_str(), hello.bit_rate), ("key-of-a-room-22-chars", None));
    }
}
