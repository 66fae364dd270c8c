//! Who spoke when, as chapters of the replay: WebVTT (W3C), one chapter a speaker.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::redact::Redaction;
use super::{PART_MS, PartNo};

/// A pause of the same speaker up to this long makes no new chapter, in milliseconds.
const PAUSE_MS_MAX: u64 = 2_000;

/// One person's turn to speak, by the program's own clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Who, as others read it.
    pub name: String,
    /// The part in which it began, and where in it in milliseconds.
    pub from: (PartNo, u64),
    /// The part in which it ended, and where in it in milliseconds.
    pub to: (PartNo, u64),
}

/// A stretch of the replay, in milliseconds from its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Chapter {
    from_ms: u64,
    to_ms: u64,
    name: String,
}

/// The chapters of a replay whose parts have the numbers `recorded`, in order. Who speaks while another does
/// has the word until they end; then the other has it again. Of a passage that was taken out nothing is told.
pub fn webvtt(turns: &[Turn], recorded: &[PartNo], removed: &[Redaction]) -> String {
    let mut spans: Vec<_> = turns.iter().filter_map(|turn| span(turn, recorded)).collect();
    spans.retain(|span| !removed.iter().any(|removed| is_in(span, removed)));
    let mut text = String::from("WEBVTT\n");
    for (number, chapter) in joined(words(spans)).iter().enumerate() {
        let (from, to) = (clock(chapter.from_ms), clock(chapter.to_ms));
        let name = escaped(&chapter.name);
        write!(text, "\n{}\n{from} --> {to}\n{name}\n", number + 1).expect("a string takes everything");
    }
    text
}

/// Where a turn lies in the replay; `None` when nothing of it was recorded.
fn span(turn: &Turn, recorded: &[PartNo]) -> Option<Chapter> {
    let (from_ms, to_ms) = (place_ms(turn.from, recorded), place_ms(turn.to, recorded));
    (from_ms < to_ms).then(|| Chapter { from_ms, to_ms, name: turn.name.clone() })
}

/// A place in a part that was not recorded is where the next one that was begins.
fn place_ms((part, ms): (PartNo, u64), recorded: &[PartNo]) -> u64 {
    let place = recorded.partition_point(|known| *known < part);
    let is_recorded = recorded.get(place) == Some(&part);
    place as u64 * PART_MS + if is_recorded { ms.min(PART_MS) } else { 0 }
}

fn is_in(span: &Chapter, removed: &Redaction) -> bool {
    let from_ms = removed.from.saturating_mul(PART_MS);
    let to_ms = removed.from.saturating_add(removed.parts).saturating_mul(PART_MS);
    span.from_ms < to_ms && from_ms < span.to_ms
}

/// Who has the word at each moment: of those who speak, the one who began last.
fn words(mut spans: Vec<Chapter>) -> Vec<Chapter> {
    spans.sort_by_key(|span| (span.from_ms, span.to_ms));
    let mut bounds: Vec<u64> = spans.iter().flat_map(|span| [span.from_ms, span.to_ms]).collect();
    bounds.sort_unstable();
    bounds.dedup();
    let (mut speaking, mut next, mut words) = (BTreeMap::new(), spans.into_iter().peekable(), Vec::new());
    for pair in bounds.windows(2) {
        let (from_ms, to_ms) = (pair[0], pair[1]);
        while let Some(begun) = next.next_if(|span| span.from_ms == from_ms) {
            let order = speaking.len();
            speaking.insert((begun.from_ms, order), begun);
        }
        speaking.retain(|_, span| span.to_ms > from_ms);
        if let Some((_, span)) = speaking.last_key_value() {
            words.push(Chapter { from_ms, to_ms, name: span.name.clone() });
        }
    }
    words
}

fn joined(words: Vec<Chapter>) -> Vec<Chapter> {
    let mut chapters: Vec<Chapter> = Vec::new();
    for word in words {
        match chapters.last_mut() {
            Some(last) if last.name == word.name && word.from_ms - last.to_ms <= PAUSE_MS_MAX => {
                last.to_ms = word.to_ms;
            }
            Some(_) | None => chapters.push(word),
        }
    }
    chapters
}

fn clock(ms: u64) -> String {
    let (s, m) = (ms / 1_000, ms / 60_000);
    format!("{:02}:{:02}:{:02}.{:03}", m / 60, m % 60, s % 60, ms % 1_000)
}

fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for char in name.chars() {
        match char {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            char if char.is_control() => text.push(' '),
            char => text.push(char),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::WallTime;

    fn turn(name: &str, from: (u64, u64), to: (u64, u64)) -> Turn {
        Turn { name: name.to_owned(), from: (PartNo(from.0), from.1), to: (PartNo(to.0), to.1) }
    }

    fn cues(text: &str) -> Vec<String> {
        let cues = text.split("\n\n").skip(1);
        cues.map(|cue| cue.lines().skip(1).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn chapters_are_on_the_replays_clock_and_never_overlap() {
        // Parts 12 and 13 were not recorded.
        let recorded: Vec<_> = (10..=11).chain(14..=40).map(PartNo).collect();
        let turns = [
            turn("Ann & <Co>", (10, 100), (30, 0)),
            turn("Ben", (14, 20), (16, 0)),
            turn("Ben", (12, 0), (13, 100)),
            turn("Ann & <Co>", (31, 0), (32, 0)),
            turn("Cat", (50, 0), (60, 0)),
        ];
        let text = webvtt(&turns, &recorded, &[]);
        assert!(text.starts_with("WEBVTT\n\n1\n"), "{text}");
        let expected = [
            "00:00:00.100 --> 00:00:00.660 Ann &amp; &lt;Co&gt;",
            "00:00:00.660 --> 00:00:01.280 Ben",
            "00:00:01.280 --> 00:00:06.400 Ann &amp; &lt;Co&gt;",
        ];
        assert_eq!(cues(&text), expected);
    }

    #[test]
    fn of_a_passage_taken_out_nothing_is_told() {
        let recorded: Vec<_> = (0..100).map(PartNo).collect();
        let turns =
            [turn("Ann", (0, 0), (9, 0)), turn("Ben", (9, 0), (20, 0)), turn("Cat", (20, 0), (30, 0))];
        let removed =
            Redaction { from: 15, parts: 2, at: WallTime(0), why: "a name".to_owned(), signature: [0; 64] };
        let text = webvtt(&turns, &recorded, &[removed]);
        assert_eq!(cues(&text).len(), 2);
        assert!(!text.contains("Ben"), "{text}");
    }
}
