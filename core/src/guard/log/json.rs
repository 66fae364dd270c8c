//! A line that is a JSON object: `time` (seconds or RFC 3339), `remote`, `method`, `uri`, `status`, `bytes`,
//! `request_time` in seconds, and optionally `complete`, `referer`, `user_agent`.

use std::borrow::Cow;

use serde::Deserialize;

use super::{Entry, Taken};
use crate::time::WallTime;

/// Later than this no log was written, in seconds since 1970: the year 9999.
const SECONDS_MAX: f64 = 253_402_300_799.0;

/// An answer that took longer than a day was measured wrong, in seconds.
const TOOK_S_MAX: f64 = 86_400.0;

#[derive(Deserialize)]
struct Line<'a> {
    time: When<'a>,
    #[serde(borrow)]
    remote: Cow<'a, str>,
    #[serde(borrow, default)]
    uri: Cow<'a, str>,
    #[serde(default)]
    status: Number,
    #[serde(default)]
    bytes: Number,
    #[serde(default)]
    request_time: Number,
    #[serde(default)]
    complete: Option<Yes>,
    #[serde(borrow, default)]
    user_agent: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum When<'a> {
    Seconds(f64),
    Text(#[serde(borrow)] Cow<'a, str>),
}

/// A number, as such or as text, as some servers write it; none for anything else.
#[derive(Default, Deserialize)]
#[serde(untagged)]
enum Number {
    Said(f64),
    Text(String),
    Null(()),
    #[default]
    None,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Yes {
    Said(bool),
    /// nginx's `$request_completion`: `OK`, or nothing.
    Text(String),
}

impl Number {
    fn value(&self) -> Option<f64> {
        let value = match self {
            Self::Said(value) => *value,
            Self::Text(text) => text.parse().ok()?,
            Self::Null(()) | Self::None => return None,
        };
        (value.is_finite() && value >= 0.0).then_some(value)
    }
}

pub(super) fn read(line: &[u8]) -> Option<Entry<'_>> {
    let line: Line<'_> = serde_json::from_slice(line).ok()?;
    let at_ms = match &line.time {
        When::Seconds(seconds) => millis(*seconds)?,
        When::Text(text) => match text.parse() {
            Ok(seconds) => millis(seconds)?,
            Err(_) => WallTime::parse(text)?.0,
        },
    };
    if line.remote.is_empty() {
        return None;
    }
    Some(Entry {
        at_ms,
        remote: line.remote,
        target: line.uri,
        status: line.status.value().filter(|status| *status < 1_000.0).map_or(0, |status| status as u16),
        bytes: line.bytes.value().map_or(0, |bytes| bytes as u64),
        took_ms: line
            .request_time
            .value()
            .filter(|seconds| *seconds <= TOOK_S_MAX)
            .map(|seconds| (seconds * 1_000.0) as u32),
        taken: match line.complete {
            None => Taken::Unsaid,
            Some(Yes::Said(true)) => Taken::Whole,
            Some(Yes::Said(false)) => Taken::Broken,
            Some(Yes::Text(text)) => {
                if text == "OK" {
                    Taken::Whole
                } else {
                    Taken::Broken
                }
            }
        },
        agent: line.user_agent.unwrap_or_default(),
    })
}

fn millis(seconds: f64) -> Option<i64> {
    (0.0..=SECONDS_MAX).contains(&seconds).then_some((seconds * 1_000.0) as i64)
}
