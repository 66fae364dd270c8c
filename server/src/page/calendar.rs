//! The start of a conversation as an iCalendar file (RFC 5545), for "add to calendar".

use std::fmt::Write;

use serde_json::Value;
use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, UtcOffset};

/// A line of a calendar file has at most so many bytes (RFC 5545, 3.1).
const LINE_BYTES_MAX: usize = 75;

/// The calendar file of a room (`text/calendar`), or nothing if no start is announced.
///
/// `status` and `base_url` are those of [`render`](super::render). How long a conversation takes nobody
/// knows; it stands in the calendar as an hour.
pub fn calendar(status: &Value, base_url: &str) -> Option<String> {
    let moment = |name: &str| OffsetDateTime::parse(status[name].as_str()?, &Rfc3339).ok();
    let room = status["room"].as_str()?;
    let url = format!("{base_url}/{room}");
    let host = base_url.split("://").last().unwrap_or(base_url);
    let starts = moment("starts_at")?;
    let mut file = String::new();
    for line in [
        "BEGIN:VCALENDAR".to_owned(),
        "VERSION:2.0".to_owned(),
        "PRODID:-//tribune//listener page//EN".to_owned(),
        "BEGIN:VEVENT".to_owned(),
        format!("UID:{room}@{host}"),
        format!("DTSTAMP:{}", utc(moment("now").unwrap_or(starts))),
        format!("DTSTART:{}", utc(starts)),
        "DURATION:PT1H".to_owned(),
        format!("SUMMARY:{}", escaped(status["title"].as_str().unwrap_or(room))),
        format!("URL:{url}"),
        format!("DESCRIPTION:{}", escaped(&url)),
        "END:VEVENT".to_owned(),
        "END:VCALENDAR".to_owned(),
    ] {
        fold_into(&mut file, &line);
    }
    Some(file)
}

fn utc(at: OffsetDateTime) -> String {
    let at = at.to_offset(UtcOffset::UTC);
    let mut out = String::new();
    write!(out, "{:04}{:02}{:02}T", at.year(), u8::from(at.month()), at.day()).expect("a string takes all");
    write!(out, "{:02}{:02}{:02}Z", at.hour(), at.minute(), at.second()).expect("a string takes all");
    out
}

/// Text as RFC 5545, 3.3.11 wants it.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for mark in text.chars() {
        match mark {
            '\\' | ';' | ',' => out.extend(['\\', mark]),
            '\n' => out.push_str("\\n"),
            mark if mark.is_control() => {}
            mark => out.push(mark),
        }
    }
    out
}

/// Breaks a line that is too long, between characters; what continues begins with a space.
fn fold_into(file: &mut String, line: &str) {
    let mut length = 0;
    for mark in line.chars() {
        if length + mark.len_utf8() > LINE_BYTES_MAX {
            file.push_str("\r\n ");
            length = 1;
        }
        file.push(mark);
        length += mark.len_utf8();
    }
    file.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_start_is_an_event_and_no_start_is_none() {
        let status = json!({
            "room": "election", "title": "Bread, roses; é\r\nBEGIN:VEVENT", "now": "2026-11-21T19:00:00Z",
            "starts_at": "2026-11-21T21:00:00+01:00",
        });
        let file = calendar(&status, "https://listen.example").expect("a start is announced");
        assert!(file.contains("\r\nDTSTART:20261121T200000Z\r\n"), "{file}");
        assert!(file.contains("\r\nSUMMARY:Bread\\, roses\\; é\\nBEGIN:VEVENT\r\n"), "{file}");
        assert!(file.contains("\r\nUID:election@listen.example\r\n"), "{file}");
        assert_eq!(file.matches("\r\nBEGIN:VEVENT\r\n").count(), 1);
        assert_eq!(calendar(&json!({"room": "election", "starts_at": null}), ""), None);
    }

    #[test]
    fn long_lines_are_folded_between_characters() {
        let status = json!({"room": "r", "title": "é".repeat(200), "starts_at": "2026-11-21T20:00:00Z"});
        let file = calendar(&status, "https://listen.example").expect("a start is announced");
        assert!(file.split("\r\n").all(|line| line.len() <= LINE_BYTES_MAX));
        assert!(file.replace("\r\n ", "").contains(&"é".repeat(200)));
    }
}
