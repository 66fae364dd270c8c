use std::collections::BTreeMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

use super::*;
use crate::guard::AttackShare;
use crate::guard::inspect::{Course, Inspection};
use crate::guard::log::{self, Skipped};

const READ: Read<'static> =
    Read { name: Some("access.log"), bytes: 9, sha256: [7; 32], cut_off: None, version: "0.1.0" };

/// 2024-08-13T00:00:00Z, in seconds.
const MIDNIGHT: u64 = 1_723_507_200;

/// Sixty listen for a minute; from its twentieth second on four sources of these names ask for one thing.
fn attacked(names: [&str; 4]) -> Findings {
    let mut lines = Vec::new();
    let mut line = |second: u64, from: &str, target: &str| {
        let line = serde_json::json!({
            "time": MIDNIGHT + second, "remote": from, "method": "GET", "uri": target, "status": 200,
            "bytes": 9,
            "user_agent": "<script>\u{1b}[2J", "referer": "\"'><b>",
        });
        lines.push(line.to_string());
    };
    for second in 0..60 {
        (0..60).filter(|person| person % 2 == second % 2).for_each(|person| {
            line(second, &format!("10.0.0.{person}"), &format!("/{second}.m4s"));
        });
        if (20..40).contains(&second) {
            (0..40).for_each(|at| line(second, names[at % names.len()], "/x"));
        }
    }
    let mut inspection = Inspection::new(BuildHasherDefault::<DefaultHasher>::default());
    for line in &lines {
        inspection.take(&log::read(line.as_bytes()).expect("a line of a log"));
    }
    inspection.finish()
}

fn found(kind: Kind, self_inflicted: bool, requests: Range) -> Findings {
    let other = Range::new(0.0, 0.9);
    let attack_share = AttackShare { requests, newcomers: other, connection_seconds: Range::ALL };
    let because = vec!["1 request of 12345 came.".to_owned()];
    let since = "2024-08-13T00:00:00.000Z".to_owned();
    Findings {
        requests: 1,
        from_ms: 0,
        to_ms: 0,
        verdict: Verdict { kind, self_inflicted, confidence: 0.9, attack_share, since, because },
        windows: Vec::new(),
        sources: 1,
        yellow: 0,
        red: Vec::new(),
        skipped: BTreeMap::new(),
        course: Course::default(),
    }
}

/// Every element that begins ends, inside of what it began in.
pub(in crate::guard) fn is_well_formed(page: &str) -> Result<(), String> {
    const EMPTY: [&str; 3] = ["meta", "link", "!doctype"];
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        let end = rest[at..].find('>').ok_or("a tag that does not end")? + at;
        let tag = &rest[at + 1..end];
        let name = tag.trim_start_matches('/').split([' ', '/', '\n']).next().unwrap_or_default();
        match tag.strip_prefix('/') {
            Some(_) if open.pop() == Some(name) => {}
            Some(_) => return Err(format!("</{name}> inside {open:?}")),
            None if EMPTY.contains(&name) || tag.ends_with('/') => {}
            None => open.push(name),
        }
        rest = &rest[end + 1..];
    }
    if open.is_empty() { Ok(()) } else { Err(format!("{open:?} do not end")) }
}

#[test]
fn a_page_is_whole_and_reaches_for_nothing() {
    let findings = attacked(["198.51.100.1", "198.51.100.2", "198.51.100.3", "2001:db8::1"]);
    let page = inspection(&findings, &READ);
    is_well_formed(&page).expect("well-formed");
    for part in
        ["why", "course", "events", "shed", "accounts", "skipped", "change", "unknown", "words", "check"]
    {
        assert!(page.contains(&format!("<section id=\"{part}\"")), "{part}");
    }
    for outside in
        ["http://", "https://", "<script", "<img", "src=", "@import", "<iframe", "on", "javascript:"]
    {
        let outside = if outside == "on" { " onload=" } else { outside };
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("default-src 'none'; style-src 'unsafe-inline'; img-src data:"));
    assert!(page.matches("<svg class=\"plot\"").count() == 4 && page.matches("<desc").count() == 4);
    assert!(page.contains("<bdi>2001:db8::/64</bdi>") && page.contains(&"07".repeat(32)));
    assert_eq!(page, inspection(&findings, &READ), "the same bytes again");
    let ids: Vec<_> = page.match_indices(" id=\"").map(|(at, _)| &page[at + 5..at + 30]).collect();
    let ids: Vec<_> = ids.iter().filter_map(|id| id.split('"').next()).collect();
    let different: std::collections::BTreeSet<_> = ids.iter().collect();
    assert_eq!(ids.len(), different.len(), "every id is there once: {ids:?}");
}

#[test]
fn what_strangers_wrote_is_text() {
    let names = [
        "<script>alert(1)</script>",
        "\u{1b}[31mred\u{7}",
        "\"><img src=http://evil.example/x>",
        "a\u{202e}b",
    ];
    let findings = attacked(names);
    assert_eq!(findings.red.len(), 4, "{:?}", findings.verdict);
    let read =
        Read { name: Some("</title><script>.log"), cut_off: Some("<b>corrupt</b>"), version: "<i>", ..READ };
    let page = inspection(&findings, &read);
    is_well_formed(&page).expect("well-formed");
    for raw in ["<script", "<img", "<b>corrupt", "\u{1b}", "\u{7}", "\u{202e}", "<i>"] {
        assert!(!page.contains(raw), "{raw:?}");
    }
    assert!(
        page.contains("&lt;script&gt;alert(1)&lt;/script&gt;") && page.contains("\u{fffd}[31mred\u{fffd}")
    );
    assert!(page.contains("&quot;&gt;&lt;img src=http://evil.example/x&gt;"), "shown, and not loaded");
}

#[test]
fn the_headline_says_what_the_numbers_say() {
    let few = Range::new(0.0, 0.03);
    for (kind, ours, requests, says) in [
        (
            Kind::Calm,
            false,
            few,
            "It was calm: no more people than usual; no sign of an attack larger than 3 % of the requests.",
        ),
        (
            Kind::Calm,
            true,
            few,
            "It was calm but for our own errors: no more people than usual; no sign of an attack larger \
             than 3 % of the requests.",
        ),
        (
            Kind::Crowd,
            false,
            few,
            "It was a crowd: more people than usual; no sign of an attack larger than 3 % of the requests.",
        ),
        (
            Kind::Crowd,
            true,
            Range::new(0.04, 0.1),
            "It was a crowd, and partly our own fault: more people than usual; 4 to 10 % of the requests \
             were nobody’s who listens, too few to be called an attack.",
        ),
        (
            Kind::Crowd,
            false,
            Range::new(0.0, 0.6),
            "It was a crowd: more people than usual; of up to 60 % of the requests it cannot be told whose \
             they are.",
        ),
        (
            Kind::Attack,
            false,
            Range::new(0.71, 0.84),
            "It was an attack: while it lasted, at least 71 % of the requests, and at most 84 %, were \
             nobody’s who listens.",
        ),
        (
            Kind::Both,
            true,
            Range::new(0.2, 0.84),
            "It was a crowd and an attack at once, and partly our own fault: while the attack lasted, at \
             least 20 % of the requests, and at most 84 %, were nobody’s who listens.",
        ),
        (Kind::Unknown, false, Range::ALL, "It cannot be told whether a crowd came, an attack, or neither."),
        (
            Kind::Unknown,
            true,
            Range::ALL,
            "It cannot be told whether a crowd came or an attack; partly it was our own fault.",
        ),
    ] {
        assert_eq!(headline::of(&found(kind, ours, requests)).replace('\u{a0}', " "), says);
    }
    let mut held = found(Kind::Attack, false, Range::new(0.01, 0.3));
    held.verdict.attack_share.connection_seconds = Range::new(0.5, 0.6);
    assert!(
        headline::of(&held)
            .contains("50\u{a0}% of the time of answering, and at most 60\u{a0}%, went to nobody")
    );
    held.verdict.attack_share.connection_seconds = Range::ALL;
    held.verdict.attack_share.newcomers = Range::new(0.8, 0.9);
    assert!(headline::of(&held).contains("80\u{a0}% of those who came"));
}

#[test]
fn one_is_one_and_nothing_is_nothing() {
    let mut findings = found(Kind::Unknown, false, Range::ALL);
    findings.skipped = BTreeMap::from([(Skipped::Malformed, 1), (Skipped::OutOfOrder, 2)]);
    findings.yellow = 1;
    let page = inspection(&findings, &Read { bytes: 1, name: None, ..READ });
    is_well_formed(&page).expect("well-formed");
    for says in [
        "1 request from 1 source in 0 s",
        "<li>1 line: not an access log",
        "<li>2 lines: out of order",
        "first 1 byte",
        "Of one more source",
        "1 request of 12,345 came.",
    ] {
        let says = if says == "first 1 byte" { "Of the log’s 1 byte," } else { says };
        assert!(page.contains(says), "{says}");
    }
    assert!(!page.contains("NaN") && !page.contains("inf"), "nothing is divided by nothing");
}

#[test]
fn a_long_log_says_that_it_is_drawn_coarser() {
    let mut inspection_of = Inspection::new(BuildHasherDefault::<DefaultHasher>::default());
    for second in (0..90_000_u64).step_by(5) {
        let line = format!(
            "{{\"time\":{},\"remote\":\"10.0.0.1\",\"method\":\"GET\",\
             \"uri\":\"/{second}.m4s\",\"status\":200}}",
            MIDNIGHT + second
        );
        inspection_of.take(&log::read(line.as_bytes()).expect("a line of a log"));
    }
    let findings = inspection_of.finish();
    assert_eq!(findings.course.windows, 18_000);
    let page = inspection(&findings, &READ);
    assert!(
        page.contains("so a step is 2 min: 24 windows together") && page.contains("class=\"l-most\""),
        "{page}"
    );
    assert!(page.contains("gravest verdict in it") && page.len() < 300_000, "{}", page.len());
}
