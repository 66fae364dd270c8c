//! What the query of a media playlist asks for (RFC 8216bis, 6.2.5): a part to wait for, a delta update.

use super::{Ask, Form};

/// A query as it was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Query {
    /// `_HLS_msn` and `_HLS_part`: not before this part is in it.
    pub ask: Ask,
    /// `_HLS_skip`: whether the delta update will do.
    pub form: Form,
}

/// A directive whose value is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} must be a whole number from 0 to 18446744073709551615")]
pub struct QueryWrong(&'static str);

impl Query {
    /// Reads a query string; parameters that are not HLS's are passed over, and of one that comes twice the
    /// last counts.
    ///
    /// # Errors
    /// Names the directive whose number is none.
    pub fn parse(query: &str) -> Result<Self, QueryWrong> {
        let (mut ask, mut form) = (Ask::default(), Form::Full);
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "_HLS_msn" => ask.segment = Some(number("_HLS_msn", value)?),
                "_HLS_part" => ask.part = Some(number("_HLS_part", value)?),
                "_HLS_skip" if matches!(value, "YES" | "v2") => form = Form::Delta,
                _ => {}
            }
        }
        Ok(Self { ask, form })
    }
}

/// Digits only: `u64`'s own parser would take a sign.
fn number(name: &'static str, text: &str) -> Result<u64, QueryWrong> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_digits).ok_or(QueryWrong(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_are_read_or_refused() {
        let asked = |segment, part, form| Ok(Query { ask: Ask { segment, part }, form });
        for (query, read) in [
            ("", asked(None, None, Form::Full)),
            ("pass=abc&_HLS_msn=7", asked(Some(7), None, Form::Full)),
            ("_HLS_msn=7&_HLS_part=3&_HLS_skip=YES", asked(Some(7), Some(3), Form::Delta)),
            ("_HLS_part=3", asked(None, Some(3), Form::Full)),
            ("_HLS_msn=x", Err(QueryWrong("_HLS_msn"))),
            ("_HLS_msn=99999999999999999999", Err(QueryWrong("_HLS_msn"))),
            ("_HLS_msn=1&_HLS_part=+1", Err(QueryWrong("_HLS_part"))),
            ("_HLS_msn=-1", Err(QueryWrong("_HLS_msn"))),
        ] {
            assert_eq!(Query::parse(query), read, "{query}");
        }
    }
}
