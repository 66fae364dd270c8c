//! `remote ident user [day/month/year:hour:minute:second zone] "request" status bytes "referer" "agent"`:
//! the Common Log Format, and with its last two fields the Combined one; Apache's `vcombined` has a name
//! before it.

use std::borrow::Cow;

use time::{Date, Month};

use super::{Entry, Taken};

/// Bytes of a time; the usual one has 26.
const MOMENT_BYTES_MAX: usize = 40;
const MONTHS: [&[u8]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

pub(super) fn read(line: &[u8]) -> Option<Entry<'_>> {
    let (first, rest) = word(line)?;
    let (second, _) = word(rest)?;
    let is_address =
        |word: &[u8]| std::str::from_utf8(word).is_ok_and(|word| word.parse::<std::net::IpAddr>().is_ok());
    let remote = if !is_address(first) && is_address(second) { second } else { first };
    let (at_ms, rest) = moment(rest)?;
    let (request, rest) = quoted(rest)?;
    let (status, rest) = word(rest)?;
    let status = number(status).and_then(|status| u16::try_from(status).ok()).unwrap_or(0);
    let (bytes, rest) = word(rest).unwrap_or((b"-", b""));
    let agent = quoted(rest).and_then(|(_, rest)| quoted(rest)).map_or(&b""[..], |(agent, _)| agent);
    let mut words = request.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let target = match (words.next(), words.next()) {
        (Some(_), Some(target)) => target,
        _ => request,
    };
    Some(Entry {
        at_ms,
        remote: String::from_utf8_lossy(remote),
        target: String::from_utf8_lossy(target),
        status,
        bytes: number(bytes).unwrap_or(0),
        took_ms: None,
        taken: Taken::Unsaid,
        agent: if agent == b"-" { Cow::Borrowed("") } else { String::from_utf8_lossy(agent) },
    })
}

/// The first time in brackets with a quoted request behind it, and what follows it: the name of a user, which
/// stands before, may have brackets of its own.
fn moment(text: &[u8]) -> Option<(i64, &[u8])> {
    let mut from = 0;
    loop {
        let open = from + text.get(from..)?.iter().position(|byte| *byte == b'[')?;
        let near = &text[open + 1..text.len().min(open + 1 + MOMENT_BYTES_MAX)];
        if let Some(length) = near.iter().position(|byte| *byte == b']')
            && let Some(at_ms) = time(&near[..length])
            && let Some(rest) = text.get(open + length + 2..)
            && rest.trim_ascii_start().starts_with(b"\"")
        {
            return Some((at_ms, rest));
        }
        from = open + 1;
    }
}

/// The first word, and what follows it.
fn word(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.trim_ascii_start();
    let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// What stands between quotation marks, of which those with a backslash before them are part of it.
fn quoted(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = text.trim_ascii_start().strip_prefix(b"\"")?;
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'\\' => at += 2,
            b'"' => return Some((&text[..at], &text[at + 1..])),
            _ => at += 1,
        }
    }
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// `10/Oct/2000:13:55:36 -0700` as milliseconds since 1970 in UTC.
fn time(text: &[u8]) -> Option<i64> {
    let of = |from: usize, to: usize| text.get(from..to).and_then(number).and_then(|n| i64::try_from(n).ok());
    let month = MONTHS.iter().position(|name| text.get(3..6) == Some(*name))? as u8 + 1;
    let (day, year) = (of(0, 2)?, i32::try_from(of(7, 11)?).ok()?);
    let (hour, minute, second) = (of(12, 14)?, of(15, 17)?, of(18, 20)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let date = Date::from_calendar_date(year, Month::try_from(month).ok()?, u8::try_from(day).ok()?).ok()?;
    let zone = match (text.get(21), of(22, 24), of(24, 26)) {
        (Some(b'+'), Some(hours), Some(minutes)) => hours * 60 + minutes,
        (Some(b'-'), Some(hours), Some(minutes)) => -(hours * 60 + minutes),
        _ => 0,
    };
    let midnight = date.midnight().assume_utc().unix_timestamp();
    Some((midnight + ((hour * 60 + minute - zone) * 60) + second) * 1_000)
}
