//! Numbers and strangers' texts, as they are put into a page.

use std::fmt::Write;

/// Percent, kept on the line of its number.
pub const PERCENT: &str = "\u{a0}%";

/// A stranger's text as HTML shows it: no mark of it is read as HTML's, none does anything to a terminal,
/// and none turns the direction in which the rest is read.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for mark in text.chars() {
        match mark {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            mark if mark.is_control() || is_unseen(mark) => safe.push(char::REPLACEMENT_CHARACTER),
            mark => safe.push(mark),
        }
    }
    safe
}

/// Marks that show nothing and change how others are shown.
const fn is_unseen(mark: char) -> bool {
    matches!(
        mark,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    )
}

/// A number as people read it: `30,180`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A sentence of ours with its long numbers as people read them.
pub fn grouped_in(sentence: &str) -> String {
    let mut text = String::with_capacity(sentence.len() + 8);
    let mut rest = sentence;
    while let Some(at) = rest.find(|mark: char| mark.is_ascii_digit()) {
        let digits = rest[at..].find(|mark: char| !mark.is_ascii_digit()).unwrap_or(rest.len() - at);
        text.push_str(&rest[..at]);
        let number = &rest[at..at + digits];
        match number.parse() {
            Ok(long) if digits > 3 && !number.starts_with('0') => text.push_str(&grouped(long)),
            _ => text.push_str(number),
        }
        rest = &rest[at + digits..];
    }
    (text + rest).replace(" %", PERCENT)
}

/// So many of something: `1 request`, `2 requests`.
pub fn count(number: u64, one: &str) -> String {
    let mut text = grouped(number);
    let _ = write!(text, " {one}{}", if number == 1 { "" } else { "s" });
    text
}

/// The percent that a share has at least.
pub fn at_least(share: f64) -> String {
    format!("{:.0}", percent(share).floor())
}

/// The percent that a share has at most.
pub fn at_most(share: f64) -> String {
    format!("{:.0}", percent(share).ceil())
}

/// In percent, without what computing in binary adds to it.
fn percent(share: f64) -> f64 {
    (share * 1e8).round() / 1e6
}

/// A time that something takes: `1 h 12 min`, `4 min 5 s`, `12 s`.
pub fn lasted(ms: i64) -> String {
    let seconds = ms.max(0).saturating_add(500) / 1_000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes, seconds % 60) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, min, 0) => format!("{min} min"),
        (0, 0, min, s) => format!("{min} min {s} s"),
        (0, h, 0, _) => format!("{h} h"),
        (0, h, min, _) => format!("{h} h {min} min"),
        (1, 0, ..) => "1 day".to_owned(),
        (1, h, ..) => format!("1 day {h} h"),
        (d, 0, ..) => format!("{} days", grouped(d.unsigned_abs())),
        (d, h, ..) => format!("{} days {h} h", grouped(d.unsigned_abs())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_text_stays_text() {
        for (text, safe) in [
            ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
            ("\" onload='x' &lt;", "&quot; onload=&#39;x&#39; &amp;lt;"),
            ("\u{1b}[31mred\r\n\0", "\u{fffd}[31mred\u{fffd}\u{fffd}\u{fffd}"),
            ("a\u{202e}b\u{2066}c\u{200d}d", "a\u{fffd}b\u{fffd}c\u{fffd}d"),
            ("2001:db8::/64 – été", "2001:db8::/64 – été"),
        ] {
            assert_eq!(escaped(text), safe);
        }
    }

    #[test]
    fn numbers_are_read_by_people() {
        for (number, text) in
            [(0, "0"), (999, "999"), (1_000, "1,000"), (30_180, "30,180"), (1 << 30, "1,073,741,824")]
        {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(
            grouped_in("15230 of 18022 came, 12 % (0001) of 1000."),
            "15,230 of 18,022 came, 12\u{a0}% (0001) of 1,000."
        );
        assert_eq!((grouped_in(""), grouped_in("é99999")), (String::new(), "é99,999".to_owned()));
        assert_eq!(
            (count(1, "line"), count(0, "line"), count(1_001, "line")),
            ("1 line".to_owned(), "0 lines".to_owned(), "1,001 lines".to_owned())
        );
    }

    #[test]
    fn a_bound_is_rounded_away_from_what_it_bounds() {
        for (share, low, high) in
            [(0.0, "0", "0"), (0.03, "3", "3"), (0.706, "70", "71"), (0.29, "29", "29"), (1.0, "100", "100")]
        {
            assert_eq!((at_least(share).as_str(), at_most(share).as_str()), (low, high));
        }
    }

    #[test]
    fn a_time_has_its_two_largest_units() {
        for (ms, text) in [
            (-5, "0 s"),
            (12_400, "12 s"),
            (245_000, "4 min 5 s"),
            (120_000, "2 min"),
            (4_320_000, "1 h 12 min"),
            (7_200_000, "2 h"),
            (90_000_000, "1 day 1 h"),
            (864_000_000, "10 days"),
        ] {
            assert_eq!(lasted(ms), text);
        }
    }
}
