//! Which bytes of a replay a request gets: `Range`, `If-Range`, `If-None-Match`, `If-Modified-Since` (RFC 9110, 13 and 14).

use std::ops::Range;

use crate::time::WallTime;

/// The longest header that is looked at, in bytes; a longer one counts as absent.
pub const HEADER_BYTES_MAX: usize = 1_024;

/// The conditional headers of a request, as they came.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'h> {
    /// `Range`
    pub range: Option<&'h str>,
    /// `If-Range`
    pub if_range: Option<&'h str>,
    /// `If-None-Match`
    pub if_none_match: Option<&'h str>,
    /// `If-Modified-Since`
    pub if_modified_since: Option<&'h str>,
}

/// What is there to be served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Its length in bytes.
    pub len: u64,
    /// A strong entity tag, with its quotes.
    pub etag: String,
    /// When it was last changed, as `Last-Modified` says it ([`http_date`]).
    pub last_modified: String,
}

/// What to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Serve {
    /// Everything (200).
    Whole,
    /// These bytes (206).
    Part(Range<u64>),
    /// The asker has it (304).
    NotModified,
    /// The range lies outside (416).
    Outside,
}

impl Asked<'_> {
    /// Decides. A range that does not parse and one that asks for several are served whole, as RFC 9110, 14.2 allows.
    pub fn of(&self, version: &Version) -> Serve {
        let known = match (self.if_none_match, self.if_modified_since) {
            (Some(tags), _) => names_tag(tags, &version.etag),
            (None, Some(date)) => date.trim() == version.last_modified,
            (None, None) => false,
        };
        if known {
            return Serve::NotModified;
        }
        let is_same = self.if_range.is_none_or(|if_range| {
            let if_range = if_range.trim();
            if_range == version.etag || if_range == version.last_modified
        });
        match self.range {
            Some(range) if is_same => select(range, version.len),
            Some(_) | None => Serve::Whole,
        }
    }
}

/// Reads a `Range` header for something `len` bytes long.
pub fn select(header: &str, len: u64) -> Serve {
    let header = if header.len() > HEADER_BYTES_MAX { "" } else { header.trim() };
    let Some((unit, set)) = header.split_once('=') else { return Serve::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") || set.contains(',') {
        return Serve::Whole;
    }
    let Some((first, last)) = set.trim().split_once('-') else { return Serve::Whole };
    match (number(first), number(last)) {
        (Some(Bound::None), Some(Bound::At(suffix))) => {
            if suffix == 0 || len == 0 {
                return Serve::Outside;
            }
            Serve::Part(len.saturating_sub(suffix)..len)
        }
        (Some(Bound::At(first)), Some(Bound::None)) if first < len => Serve::Part(first..len),
        (Some(Bound::At(_)), Some(Bound::None)) => Serve::Outside,
        (Some(Bound::At(first)), Some(Bound::At(last))) if first > last => Serve::Whole,
        (Some(Bound::At(first)), Some(Bound::At(last))) if first < len => {
            Serve::Part(first..last.saturating_add(1).min(len))
        }
        (Some(Bound::At(_)), Some(Bound::At(_))) => Serve::Outside,
        (None, _) | (_, None) | (Some(Bound::None), Some(Bound::None)) => Serve::Whole,
    }
}

enum Bound {
    None,
    At(u64),
}

/// Digits only; more than fit are as good as the largest number.
fn number(text: &str) -> Option<Bound> {
    let text = text.trim();
    if text.is_empty() {
        return Some(Bound::None);
    }
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits.then(|| Bound::At(text.parse().unwrap_or(u64::MAX)))
}

fn names_tag(tags: &str, etag: &str) -> bool {
    let weakly = |tag: &str| tag.trim().trim_start_matches("W/") == etag;
    tags.len() <= HEADER_BYTES_MAX && (tags.trim() == "*" || tags.split(',').any(weakly))
}

/// A time as HTTP writes it (RFC 9110, 5.6.7): `Tue, 13 Aug 2024 00:00:00 GMT`.
pub fn http_date(at: WallTime) -> String {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let at = time::OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1_000))
        .unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
        DAYS[usize::from(at.weekday().number_days_from_monday())],
        at.day(),
        MONTHS[usize::from(u8::from(at.month())) - 1],
        at.year(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_rfc_9110_says() {
        for (header, serve) in [
            ("bytes=0-0", Serve::Part(0..1)),
            ("bytes=0-", Serve::Part(0..100)),
            ("bytes=99-", Serve::Part(99..100)),
            ("bytes=10-19", Serve::Part(10..20)),
            ("Bytes = 10 - 19 ", Serve::Part(10..20)),
            ("bytes=90-1000", Serve::Part(90..100)),
            ("bytes=-1", Serve::Part(99..100)),
            ("bytes=-1000", Serve::Part(0..100)),
            ("bytes=5-99999999999999999999999", Serve::Part(5..100)),
            ("bytes=100-", Serve::Outside),
            ("bytes=100-200", Serve::Outside),
            ("bytes=99999999999999999999999-", Serve::Outside),
            ("bytes=-0", Serve::Outside),
            ("bytes=20-10", Serve::Whole),
            ("bytes=0-1,5-6", Serve::Whole),
            ("bytes=", Serve::Whole),
            ("bytes=-", Serve::Whole),
            ("bytes=+1-2", Serve::Whole),
            ("bytes=a-b", Serve::Whole),
            ("bytes=1", Serve::Whole),
            ("seconds=1-2", Serve::Whole),
            ("", Serve::Whole),
        ] {
            assert_eq!(select(header, 100), serve, "{header}");
        }
        assert_eq!(select("bytes=0-", 0), Serve::Outside);
        assert_eq!(select("bytes=-5", 0), Serve::Outside);
        assert_eq!(select(&format!("bytes=1-{}", "9".repeat(5_000)), 100), Serve::Whole);
    }

    #[test]
    fn conditions_come_before_the_range() {
        let date = http_date(WallTime(1_723_507_200_000));
        assert_eq!(date, "Tue, 13 Aug 2024 00:00:00 GMT");
        let version = Version { len: 100, etag: "\"a\"".into(), last_modified: date.clone() };
        let range = Some("bytes=1-2");
        for (asked, serve) in [
            (Asked { range, ..Asked::default() }, Serve::Part(1..3)),
            (Asked { range, if_range: Some("\"a\""), ..Asked::default() }, Serve::Part(1..3)),
            (Asked { range, if_range: Some(&date), ..Asked::default() }, Serve::Part(1..3)),
            (Asked { range, if_range: Some("\"b\""), ..Asked::default() }, Serve::Whole),
            (Asked { range, if_range: Some("W/\"a\""), ..Asked::default() }, Serve::Whole),
            (Asked { if_none_match: Some("\"b\", W/\"a\""), ..Asked::default() }, Serve::NotModified),
            (Asked { if_none_match: Some("*"), ..Asked::default() }, Serve::NotModified),
            (Asked { if_none_match: Some("\"b\""), ..Asked::default() }, Serve::Whole),
            (Asked { if_modified_since: Some(&date), ..Asked::default() }, Serve::NotModified),
            (
                Asked { if_none_match: Some("\"b\""), if_modified_since: Some(&date), ..Asked::default() },
                Serve::Whole,
            ),
            (Asked::default(), Serve::Whole),
        ] {
            assert_eq!(asked.of(&version), serve, "{asked:?}");
        }
    }
}
