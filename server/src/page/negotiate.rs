//! What the visitor's browser takes: content codings and languages with their weights (RFC 9110, 12.4.2).

use http::header::CONTENT_ENCODING;
use http::response::Builder;

use super::Lang;

/// How many elements of a header are looked at; nobody honest sends more.
const ELEMENTS_MAX: usize = 32;

/// A content coding (RFC 9110, 8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Encoding {
    /// `br` (RFC 7932).
    Brotli,
    /// `gzip` (RFC 1952).
    Gzip,
    /// As it is.
    Identity,
}

impl Encoding {
    /// The smallest form that `Accept-Encoding` takes.
    pub fn choose(accept_encoding: Option<&str>) -> Self {
        let takes =
            |name: &str| weighted(accept_encoding.unwrap_or_default()).any(|(tag, q)| tag == name && q > 0.0);
        if takes("br") {
            Self::Brotli
        } else if takes("gzip") {
            Self::Gzip
        } else {
            Self::Identity
        }
    }

    /// Adds `Content-Encoding` where there is one to name.
    pub(super) fn label(self, answer: Builder) -> Builder {
        match self {
            Self::Brotli => answer.header(CONTENT_ENCODING, "br"),
            Self::Gzip => answer.header(CONTENT_ENCODING, "gzip"),
            Self::Identity => answer,
        }
    }
}

/// The language of `Accept-Language` with the greatest weight that the page is written in; English if none
/// is.
pub(super) fn language(accept_language: &str) -> Lang {
    let mut best = (Lang::En, 0.0);
    for (tag, q) in weighted(accept_language) {
        let primary = tag.split('-').next().unwrap_or_default();
        let known = Lang::ALL.into_iter().find(|lang| lang.tag().eq_ignore_ascii_case(primary));
        if let Some(lang) = known.filter(|_| q > best.1) {
            best = (lang, q);
        }
    }
    best.0
}

/// The elements of a header with their weights, 1 where none is given, 0 where it cannot be read.
fn weighted(header: &str) -> impl Iterator<Item = (&str, f32)> {
    header.split(',').take(ELEMENTS_MAX).map(|element| {
        let (tag, weight) = element.split_once(';').unwrap_or((element, "q=1"));
        let weight = weight.trim().strip_prefix("q=").and_then(|q| q.parse().ok());
        (tag.trim(), weight.unwrap_or(0.0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings() {
        for (header, expected) in [
            (Some("gzip, deflate, br, zstd"), Encoding::Brotli),
            (Some("gzip, br;q=0"), Encoding::Gzip),
            (Some("gzip;q=0.5"), Encoding::Gzip),
            (Some("identity"), Encoding::Identity),
            (Some("br;q=x"), Encoding::Identity),
            (Some(""), Encoding::Identity),
            (None, Encoding::Identity),
        ] {
            assert_eq!(Encoding::choose(header), expected, "{header:?}");
        }
    }

    #[test]
    fn languages() {
        for (query, header, expected) in [
            (None, None, Lang::En),
            (None, Some("fr-CA,fr;q=0.9,en;q=0.8"), Lang::Fr),
            (None, Some("de, en;q=0.4, fr;q=0.7"), Lang::Fr),
            (None, Some("de"), Lang::En),
            (None, Some("fr;q=0"), Lang::En),
            (Some("en"), Some("fr"), Lang::En),
            (Some("fr"), None, Lang::Fr),
            (Some("tlh"), Some("FR"), Lang::Fr),
        ] {
            assert_eq!(Lang::choose(query, header), expected, "{query:?} {header:?}");
        }
    }
}
