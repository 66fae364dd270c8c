//! What the page says about a room, from its `status`: every value the template names, written out for one
//! language.
//!
//! The browser says the same again in the visitor's own time zone (`web/door/facts.ts`); here stands the
//! announced zone if it is an offset, else UTC.

use serde_json::{Map, Value, json};
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

use super::Words;

/// How many of the latest notices are shown.
pub(super) const NOTICES_SHOWN: usize = 3;
/// A scheduled page without scripts is asked for again after so many seconds.
const REFRESH_S: u64 = 20;
const DAY_S: i64 = 86_400;
const HOUR_S: i64 = 3_600;
const MINUTE_S: i64 = 60;

pub(super) fn facts(status: &Value, words: &Words) -> Map<String, Value> {
    let state = status["state"].as_str().unwrap_or("scheduled");
    let zone = offset(status["zone"].as_str());
    let moment = |name: &str| moment(&status[name]);
    let (now, starts) = (moment("now"), moment("starts_at"));
    let (started, ended) = (moment("started_at"), moment("ended_at"));
    let left_s = seconds_between(now, starts);
    let scheduled = state == "scheduled";
    let draw_at = draw_at(status).filter(|at| scheduled && now.is_some_and(|now| now < *at));
    let late = left_s.is_some_and(|left_s| left_s <= 0);
    let begins = if state == "ended" { started.or(starts) } else { starts };
    let clock = |at: OffsetDateTime| clock(at, zone);
    let mut values = Map::new();
    let mut put = |name: &str, value: Value| {
        values.insert(name.to_owned(), value);
    };
    put(state, true.into());
    put("title", status["title"].clone());
    put("refresh", scheduled.then_some(REFRESH_S).into());
    put("draw_at", draw_at.map(clock).into());
    put("crowded", is_crowded(status).into());
    put("open", matches!(state, "boarding" | "live").into());
    put("ahead", (state != "ended").into());
    put("early", (scheduled && !late).into());
    put("late", (scheduled && late).into());
    put("when", begins.map(|at| day(at, zone, words)).into());
    put("opens", moment("opens_at").filter(|at| now.is_some_and(|now| now < *at)).map(clock).into());
    put("countdown", left_s.filter(|left_s| *left_s > 0).map(|left_s| duration(left_s, words)).into());
    put("since", started.filter(|_| state == "live").map(clock).into());
    put("lasted", seconds_between(started, now).map(|s| coarse(s, words)).into());
    put("length", seconds_between(started, ended).map(|s| duration(s, words)).into());
    for name in ["listening", "peak", "replays"] {
        put(name, number(status[name].as_u64().unwrap_or(0), words).into());
    }
    let parts = status["program"]["parts"].as_u64().filter(|parts| *parts > 0);
    put("parts", parts.map(|parts| number(parts, words)).into());
    let notices = notices(&status["notices"], zone);
    put("any_notice", (!notices.is_empty()).into());
    put("notices", notices.into());
    put("replay", status["replay"].is_object().into());
    put("report", status["report"].is_string().into());
    put("cut", (status["replay"]["redactions"].as_u64().unwrap_or(0) > 0).into());
    values
}

/// When places are put in order by lot.
pub(super) fn draw_at(status: &Value) -> Option<OffsetDateTime> {
    moment(&status["draw"]["at"])
}

/// Whoever comes now waits: the number that is called has not got to the next ticket.
pub(super) fn is_crowded(status: &Value) -> bool {
    let count = |path: &str| status.pointer(path).and_then(Value::as_u64);
    let is_full = count("/seats/cap").is_some_and(|cap| count("/seats/taken").unwrap_or(0) >= cap);
    let (tickets, called) = (count("/tickets").unwrap_or(0), count("/now_serving").unwrap_or(0));
    let is_drawn = count("/draw/count").is_some();
    is_full || is_drawn && tickets > 0 && called <= tickets
}

/// The latest notices, newest first.
fn notices(list: &Value, zone: UtcOffset) -> Vec<Value> {
    let list = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let shown = list.iter().rev().take(NOTICES_SHOWN);
    shown
        .map(|notice| json!({"at": moment(&notice["at"]).map(|at| clock(at, zone)), "text": notice["text"]}))
        .collect()
}

pub(super) fn moment(value: &Value) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(value.as_str()?, &Rfc3339).ok()
}

/// `+01:00` as an offset; a named zone is left to the browser, which has the tables.
pub(super) fn offset(zone: Option<&str>) -> UtcOffset {
    let parse = |zone: &str| {
        let (hours, minutes) = zone.split_at_checked(3)?;
        let sign = if hours.starts_with('-') { -1 } else { 1 };
        let minutes: i8 = minutes.strip_prefix(':')?.parse().ok()?;
        UtcOffset::from_hms(hours.parse().ok()?, sign * minutes, 0).ok()
    };
    zone.and_then(parse).unwrap_or(UtcOffset::UTC)
}

fn seconds_between(from: Option<OffsetDateTime>, to: Option<OffsetDateTime>) -> Option<i64> {
    Some((to? - from?).whole_seconds())
}

pub(super) fn clock(at: OffsetDateTime, zone: UtcOffset) -> String {
    let at = at.to_offset(zone);
    format!("{:02}:{:02} {}", at.hour(), at.minute(), zone_name(zone))
}

fn day(at: OffsetDateTime, zone: UtcOffset, words: &Words) -> String {
    let local = at.to_offset(zone);
    let pick = |list: &str, index: u8| list.split(' ').nth(usize::from(index)).unwrap_or_default().to_owned();
    let weekday = pick(&words.days, local.weekday().number_days_from_sunday());
    let month = pick(&words.months, u8::from(local.month()) - 1);
    format!("{weekday} {} {month}{}{}", local.day(), words.at, clock(at, zone))
}

fn zone_name(zone: UtcOffset) -> String {
    match (zone.whole_hours(), zone.minutes_past_hour().unsigned_abs()) {
        (0, 0) => "UTC".to_owned(),
        (hours, 0) => format!("UTC{hours:+}"),
        (hours, minutes) => format!("UTC{hours:+}:{minutes:02}"),
    }
}

/// `3 d 4 h`, `1 h 12 min`, `4 min 05 s`, `12 s`: the two largest units.
fn duration(seconds: i64, words: &Words) -> String {
    match (seconds.max(0) / MINUTE_S, seconds.max(0) % MINUTE_S) {
        (0, s) => format!("{s} s"),
        (m, s) if m < HOUR_S / MINUTE_S => format!("{m} min {s:02} s"),
        _ => coarse(seconds, words),
    }
}

/// The same without seconds, where they would only flicker.
pub(super) fn coarse(seconds: i64, words: &Words) -> String {
    let s = seconds.max(0);
    match (s / DAY_S, s % DAY_S / HOUR_S, s % HOUR_S / MINUTE_S) {
        (0, 0, m) => format!("{m} min"),
        (0, h, m) => format!("{h} h {m:02} min"),
        (d, h, _) => format!("{d} {} {h} h", words.day_unit),
    }
}

/// Digits in groups of three, as the language writes them.
pub(super) fn number(count: u64, words: &Words) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push_str(&words.thousands);
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::Lang;

    #[test]
    fn durations_and_numbers() {
        let (en, fr) = (Lang::En.words(), Lang::Fr.words());
        for (seconds, en_text, fr_text) in [
            (12, "12 s", "12 s"),
            (245, "4 min 05 s", "4 min 05 s"),
            (4_320, "1 h 12 min", "1 h 12 min"),
            (273_600, "3 d 4 h", "3 j 4 h"),
            (-5, "0 s", "0 s"),
        ] {
            assert_eq!((&*duration(seconds, en), &*duration(seconds, fr)), (en_text, fr_text), "{seconds}");
        }
        for (count, en_text, fr_text) in [(0, "0", "0"), (4_212, "4,212", "4\u{202f}212")] {
            assert_eq!((&*number(count, en), &*number(count, fr)), (en_text, fr_text), "{count}");
        }
        assert_eq!(number(1_310_000, en), "1,310,000");
        assert_eq!(number(999, en), "999");
    }

    #[test]
    fn moments_stand_in_the_announced_zone() {
        let at = moment(&json!("2026-11-21T23:30:00Z")).expect("a moment");
        for (zone, expected) in [
            (None, "Saturday 21 November at 23:30 UTC"),
            (Some("+01:00"), "Sunday 22 November at 00:30 UTC+1"),
            (Some("-03:30"), "Saturday 21 November at 20:00 UTC-3:30"),
            (Some("Europe/Paris"), "Saturday 21 November at 23:30 UTC"),
            (Some("é1:00"), "Saturday 21 November at 23:30 UTC"),
        ] {
            assert_eq!(day(at, offset(zone), Lang::En.words()), expected);
        }
        assert_eq!(day(at, UtcOffset::UTC, Lang::Fr.words()), "samedi 21 novembre à 23:30 UTC");
    }
}
