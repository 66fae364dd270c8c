//! Evenings made by hand, with numbers that can be added up by hand.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::*;
use crate::guard::live::{Account, Audit, Onset, Proofs, Said, Sums, Unit};
use crate::guard::{AttackShare, Kind, Range, Verdict};
use crate::hmac::Hmac;
use crate::time::WallTime;

/// 2026-11-23T20:00:00Z.
const EIGHT: i64 = 1_795_464_000_000;

/// The audit that is in force in all of them.
const AUDIT: Audit = Audit::new([7; 32]);

/// A second of which little is known.
fn said(kind: Kind, requests: &[(Account, u64)], share: (f64, f64)) -> Said {
    let mut sums = Sums::default();
    requests.iter().for_each(|(account, count)| sums.add(Unit::Requests, *account, *count));
    let attack_share = AttackShare {
        requests: Range::new(share.0, share.1),
        newcomers: Range::ALL,
        connection_seconds: Range::ALL,
    };
    let since = WallTime(EIGHT).rfc3339();
    let verdict = Verdict {
        kind,
        self_inflicted: false,
        confidence: 0.912_345,
        attack_share,
        since,
        because: Vec::new(),
    };
    Said {
        sums,
        ever: sums,
        verdict,
        people: 12,
        usual: None,
        newcomers: (0, 0),
        proofs: Proofs::default(),
        onset: Onset::default(),
        sources: 0,
        acts: Vec::new(),
    }
}

fn room(listening: u64, waiting: u64) -> RoomSaid {
    RoomSaid {
        listening,
        waiting,
        turned_away: waiting,
        tickets: 7,
        cap: 50,
        measured: Some(80),
        taken: listening,
    }
}

fn line(second: i64, said: &Said, room: Option<RoomSaid>) -> Line {
    line_with(AuditKey::InForce(&AUDIT), second, (said, room))
}

fn line_with(audit: AuditKey<'_>, second: i64, (said, room): (&Said, Option<RoomSaid>)) -> Line {
    let rooms = room.map(|room| ("debate".to_owned(), room)).into_iter().collect();
    Happening { at: (WallTime(EIGHT + second * 1_000), 90_000), said, audit, acts: Vec::new(), rooms }.line()
}

/// Chains lines after those of an earlier day.
fn chained(lines: Vec<Line>) -> Vec<Vec<u8>> {
    let mut chain = Chain::default();
    let chained = |line: Line| {
        let (bytes, head) = chain.next(line);
        chain.kept(head);
        bytes
    };
    lines.into_iter().map(chained).collect()
}

fn evening(lines: &[Vec<u8>]) -> Result<Evening, Broken> {
    let mut finder = Finder::new("debate");
    lines.iter().for_each(|line| finder.take(line));
    finder.finish()
}

/// Twelve calm seconds, then six of a flood, in the fifth of which every seat is taken.
fn attacked() -> Vec<Vec<u8>> {
    let mut calm = said(Kind::Calm, &[(Account::Listener, 10)], (0.0, 0.02));
    calm.newcomers = (20, 25);
    let flood = [(Account::Listener, 10), (Account::Unexplained, 70), (Account::Violation, 20)];
    let mut attack = said(Kind::Attack, &flood, (0.8, 0.95));
    attack.onset = Onset { unexplained_ms: Some(88_000), violation_ms: Some(89_000), ..Onset::default() };
    attack.people = 9;
    let mut lines = vec![line(-1, &calm, None)];
    lines.extend((0..12).map(|second| line(second, &calm, Some(room(20 + second as u64, 0)))));
    lines.extend((12..18).map(|second| line(second, &attack, Some(room(30 + 5 * (second as u64 - 12), 3)))));
    lines.push(line(18, &calm, None));
    chained(lines)
}

fn report(evening: &Evening) -> Value {
    serde_json::from_slice(&evening.bundle("1.2.3").json).expect("JSON")
}

#[test]
fn an_evening_adds_up() {
    let lines = attacked();
    let evening = evening(&lines).expect("an evening");
    assert_eq!(evening.ledger(), [lines[1..19].join(&b'\n'), b"\n".to_vec()].concat());
    let report = report(&evening);
    for (pointer, value) in [
        ("/from", json!("2026-11-23T20:00:00.000Z")),
        ("/to", json!("2026-11-23T20:00:17.000Z")),
        ("/seconds", json!(18)),
        ("/verdicts/calm", json!(12)),
        ("/verdicts/attack", json!(6)),
        ("/totals/requests/listener", json!(180)),
        ("/totals/requests/unexplained", json!(420)),
        ("/totals/requests/violation", json!(120)),
        ("/totals/connections/listener", json!(0)),
        // (120 × 0 + 600 × 0.8) / 720, and (120 × 0.02 + 600 × 0.95) / 720.
        ("/attack_share/requests_per_10000", json!([6_666, 7_950])),
        ("/peaks/people", json!({"value": 12, "at": "2026-11-23T20:00:00.000Z"})),
        ("/peaks/listening", json!({"value": 55, "at": "2026-11-23T20:00:17.000Z"})),
        ("/peaks/waiting", json!({"value": "fewer than 10", "at": "2026-11-23T20:00:12.000Z"})),
        ("/before_peak", json!({"at": "2026-11-23T20:00:16.000Z", "cap": 50, "measured": 80})),
        ("/turned_away", json!(3)),
        ("/tickets", json!("fewer than 10")),
        ("/newcomers", json!({"became_listeners": 20, "known": 25, "steps": 1})),
        (
            "/events",
            json!([
                {"at": "2026-11-23T20:00:12.000Z", "what": "violation"},
                {"at": "2026-11-23T20:00:12.000Z", "what": "unexplained"},
                {"at": "2026-11-23T20:00:12.000Z", "what": "attack"},
                {"at": "2026-11-23T20:00:16.000Z", "what": "cap_full"},
            ]),
        ),
        ("/ledger/first_seq", json!(1)),
        ("/ledger/last_seq", json!(18)),
        ("/ledger/prev", json!(hash(&lines[0]))),
        ("/ledger/head", json!(hash(&lines[18]))),
        (
            "/headline",
            json!(
                "There was an attack: up to 12 people at once; the attack lasted 6 of 18 seconds, and of the \
                 evening's requests at least 66 % and at most 80 % were nobody's who listens."
            ),
        ),
    ] {
        assert_eq!(report.pointer(pointer), Some(&value), "{pointer}");
    }
}

#[test]
fn every_line_names_the_one_before_and_a_restart_goes_on() {
    let lines = attacked();
    let (chain, broken) = Chain::after(lines.last().map(Vec::as_slice));
    assert_eq!(broken, None);
    assert_eq!(chain.head().map(|head| head.lines), Some(lines.len() as u64));
    let (next, head) = chain.next(line(19, &said(Kind::Calm, &[], (0.0, 1.0)), Some(room(1, 0))));
    let next: Value = serde_json::from_slice(&next).expect("JSON");
    assert_eq!((&next["seq"], &next["prev"]), (&json!(20), &json!(hash(&lines[19]))));
    assert_eq!(head.lines, 21);
    let (anew, broken) = Chain::after(Some(b"{}"));
    assert!(matches!(broken, Some(Broken::NotALine(_))));
    assert_eq!(anew.head().map(|head| (head.lines, head.head.clone())), Some((0, hash(b"{}"))));
    assert_eq!(Chain::after(None).0.head(), None);
    let far = String::from_utf8(lines[1].clone()).expect("text");
    let far = far.replace("\"seq\":1,", "\"seq\":9007199254740992,");
    assert!(Line::read(far.as_bytes()).is_ok());
    let (anew, broken) = Chain::after(Some(far.as_bytes()));
    assert!(matches!(broken, Some(Broken::Impossible { .. })));
    assert_eq!(anew.head().map(|head| head.lines), Some(0), "the numbers after it could not be read");
}

#[test]
fn what_is_torn_is_no_line() {
    for (bytes, whole, last) in [
        (&b""[..], 0, None),
        (b"abc", 0, None),
        (b"abc\n", 4, Some(0)),
        (b"abc\nde\nf", 7, Some(4)),
        (b"\n", 1, Some(0)),
    ] {
        assert_eq!(whole_lines(bytes), (whole, last));
    }
}

#[test]
fn a_changed_line_is_told_and_a_hostile_one_is_a_sentence() {
    let lines = attacked();
    for at in 1..19 {
        let mut changed = lines.clone();
        let text = String::from_utf8(changed[at].clone()).expect("text");
        changed[at] = text.replace("\"tickets\":7", "\"tickets\":8").into_bytes();
        // Nothing follows the last one: that is what a kept head is for.
        assert_eq!(evening(&changed).is_ok(), at == 18, "{at}");
        let mut without = lines.clone();
        without.remove(at);
        assert_eq!(evening(&without).is_ok(), at == 1 || at == 18, "{at}");
    }
    let whole = String::from_utf8(lines[5].clone()).expect("text");
    for (from, to) in [
        ("\"people\":12", "\"people\":-1"),
        ("\"people\":12", "\"people\":18446744073709551615"),
        ("\"listener\":10", "\"listener\":9007199254740993"),
        ("\"listener\":10", "\"stranger\":10"),
        ("\"acts\":[]", "\"acts\":[{\"number\":18446744073709551615,\"source\":\"a\"}]"),
        ("\"surge_ms\":null", "\"surge_ms\":18446744073709551615"),
        ("\"confidence\":0.9123", "\"confidence\":1e308"),
        ("\"requests\":[0,0.02]", "\"requests\":[0.5,0.02]"),
        ("\"requests\":[0,0.02]", "\"requests\":[0,1e300]"),
        ("2026-11-23T", "2026-13-23T"),
        ("\"kind\":\"calm\"", "\"kind\":\"fine\""),
        ("{", "{\"more\":1,"),
        ("{", "[[[[["),
    ] {
        let hostile = whole.replacen(from, to, 1);
        assert_ne!(hostile, whole, "{from}");
        let broken = Line::read(hostile.as_bytes()).expect_err(to);
        assert!(broken.to_string().contains("ledger"), "{broken}");
        let mut changed = lines.clone();
        changed[5] = hostile.into_bytes();
        assert!(evening(&changed).is_err(), "{to}");
    }
    assert_eq!(Line::read(&vec![b'x'; LINE_BYTES_MAX + 1]), Err(Broken::TooLong));
    assert_eq!(evening(&[]).err(), Some(Broken::NoRoom));
}

#[test]
fn a_room_that_opens_again_after_hours_has_another_evening() {
    let calm = said(Kind::Calm, &[(Account::Listener, 1)], (0.0, 0.5));
    let at = |second: i64| line(second, &calm, Some(room(3, 0)));
    let lines = chained(vec![at(0), at(1), line(4 * 3_600, &calm, None), at(8 * 3_600), at(8 * 3_600 + 5)]);
    let report = report(&evening(&lines).expect("an evening"));
    assert_eq!((&report["seconds"], &report["from"]), (&json!(2), &json!("2026-11-24T04:00:00.000Z")));
}

#[test]
fn the_headline_claims_no_more_than_is_known() {
    for (kind, share, people, says) in [
        (
            Kind::Calm,
            (0.0, 0.02),
            0,
            "It was calm: no people were seen; no sign of an attack larger than 2 %",
        ),
        (Kind::Calm, (0.03, 1.0), 7, "It was calm: fewer than 10 people at once; of up to 100 % of the"),
        (
            Kind::Crowd,
            (0.03, 0.1),
            1_200,
            "A crowd came: up to 1,200 people at once; 3 to 10 % of the requests",
        ),
        (
            Kind::Unknown,
            (0.0, 1.0),
            20,
            "It cannot be told what came: up to 20 people at once; of up to 100 %",
        ),
        (
            Kind::Both,
            (0.2, 0.4),
            20,
            "A crowd came, and there was an attack: up to 20 people at once; the attack lasted",
        ),
    ] {
        let mut said = said(kind, &[(Account::Newcomer, 100)], share);
        said.people = people;
        let lines = chained(vec![line(0, &said, Some(room(2, 0)))]);
        let headline = evening(&lines).expect("an evening").bundle("1").headline;
        assert!(headline.starts_with(says), "{headline}");
    }
}

#[test]
fn nobody_is_named() {
    let key = Hmac::new(b"key");
    let source = IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7));
    let name = pseudonym(&key, source);
    assert_eq!((name.len(), name == pseudonym(&Hmac::new(b"other"), source)), (16, false));
    let mut attack = said(Kind::Attack, &[(Account::Violation, 50)], (0.9, 1.0));
    attack.acts.push(crate::guard::live::Act {
        number: 0,
        at: WallTime(EIGHT),
        source,
        until: WallTime(EIGHT + 60_000),
        violations: 12,
        undone: false,
    });
    let acts = vec![Done { number: 0, source: name.clone() }];
    let rooms = BTreeMap::from([("debate".to_owned(), room(4, 0))]);
    let audit = AuditKey::InForce(&AUDIT);
    let happening = Happening { at: (WallTime(EIGHT), 0), said: &attack, audit, acts, rooms };
    let lines = chained(vec![happening.line()]);
    let bundle = evening(&lines).expect("an evening").bundle("1.2.3");
    let text = String::from_utf8([&bundle.ledger[..], &bundle.json, bundle.page.as_bytes()].concat());
    let text = text.expect("text");
    assert!(text.contains(&name) && !text.contains("198.51.100"), "{text}");
}

#[test]
fn a_quiet_second_is_not_written_down() {
    let is_anything = |kind: Kind, requests: &[(Account, u64)], audit: AuditKey<'_>| {
        let said = said(kind, requests, (0.0, 1.0));
        Happening { at: (WallTime(0), 0), said: &said, audit, acts: Vec::new(), rooms: BTreeMap::new() }
            .is_anything()
    };
    let in_force = AuditKey::InForce(&AUDIT);
    assert!(!is_anything(Kind::Calm, &[], in_force) && !is_anything(Kind::Unknown, &[], in_force));
    assert!(is_anything(Kind::Attack, &[], in_force));
    assert!(is_anything(Kind::Calm, &[(Account::Unseen, 1)], in_force));
    assert!(is_anything(Kind::Calm, &[], AuditKey::Over(&AUDIT)), "that a key is told is something");
}

/// Three seconds by one key, which the third tells; then one by another, which the line after it may tell.
fn by_two_keys(last: AuditKey<'_>) -> Vec<Vec<u8>> {
    let calm = said(Kind::Calm, &[(Account::Listener, 10)], (0.0, 0.02));
    let with = |audit, second, room| line_with(audit, second, (&calm, room));
    let other = Audit::new([8; 32]);
    chained(vec![
        with(AuditKey::InForce(&AUDIT), 0, Some(room(20, 0))),
        with(AuditKey::InForce(&AUDIT), 1, Some(room(20, 0))),
        with(AuditKey::Over(&AUDIT), 2, Some(room(20, 0))),
        with(AuditKey::InForce(&other), 3, Some(room(20, 0))),
        with(last, 9_000, None),
        with(AuditKey::InForce(&AUDIT), 9_001, None),
    ])
}

#[test]
fn every_key_of_the_audit_is_told_also_in_the_line_after_the_evening() {
    let other = Audit::new([8; 32]);
    let lines = by_two_keys(AuditKey::Over(&other));
    let told = evening(&lines).expect("an evening");
    let [first, second] = [7, 8].map(|byte| Audit::new([byte; 32]).commitment()).map(base64url);
    let key = |byte| base64url([byte; 32]);
    let report_of_told = report(&told);
    assert_eq!(
        report_of_told["audit"],
        json!([
            {"sha256": first, "key": key(7), "seconds": 3},
            {"sha256": second, "key": key(8), "seconds": 1},
        ])
    );
    // That line is no second of the evening.
    assert_eq!(report_of_told["seconds"], json!(4));
    assert_eq!(report_of_told["to"], json!("2026-11-23T20:00:03.000Z"));
    assert_eq!(report_of_told["ledger"]["head"], json!(hash(&lines[4])));
    let page = told.bundle("1").page;
    assert!([7, 8].iter().all(|byte| page.contains(&key(*byte))), "{page}");
    assert!(!page.contains("had not been told"), "{page}");

    let untold = evening(&by_two_keys(AuditKey::InForce(&other))).expect("an evening");
    assert_eq!(report(&untold)["audit"][1], json!({"sha256": second, "key": null, "seconds": 1}));
    let page = untold.bundle("1").page;
    assert!(page.contains("Of 1 second it had not been told") && !page.contains(&key(8)), "{page}");

    // A key that is told must be the one that was told of.
    let text = String::from_utf8(lines[2].clone()).expect("text");
    let hostile = text.replace(&key(7), &key(9));
    let broken = Line::read(hostile.as_bytes()).expect_err("another key");
    assert!(broken.to_string().contains("a key of the audit"), "{broken}");
    let hostile = text.replace(&first, "AAAA");
    assert!(Line::read(hostile.as_bytes()).is_err(), "no hash");
    assert!(!Line::read(text.as_bytes()).expect("a line").goes_on_with(&AUDIT), "its term is over");
    let first = Line::read(&lines[1]).expect("a line");
    assert!(first.goes_on_with(&AUDIT) && !first.goes_on_with(&other));
}

fn base64url(bytes: [u8; 32]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

#[test]
fn a_line_of_an_earlier_version_knows_of_no_audit() {
    let lines = attacked();
    let text = String::from_utf8(lines[1].clone()).expect("text");
    let audit = format!("\"audit\":\"{}\",", base64url(AUDIT.commitment()));
    let earlier = text.replace(&audit, "").replace("\"revealed\":null,", "");
    assert_eq!(text.len() - earlier.len(), audit.len() + "\"revealed\":null,".len());
    let evening = evening(&[earlier.into_bytes()]).expect("an evening");
    assert_eq!(report(&evening)["audit"], json!([]));
    assert!(!evening.bundle("1").page.contains("two of a hundred"));
}

#[test]
fn fewer_than_ten_people_are_told_apart_nowhere() {
    for (people, newcomers, told_people, told_newcomers) in
        [(0, (0, 0), 0, [0, 0]), (1, (1, 1), 9, [0, 0]), (9, (9, 9), 9, [0, 0]), (10, (4, 10), 10, [4, 10])]
    {
        let mut said = said(Kind::Calm, &[(Account::Listener, 10)], (0.0, 0.02));
        (said.people, said.usual, said.newcomers) = (people, Some(people), newcomers);
        let line = line(0, &said, None);
        assert_eq!((line.people, line.usual), (told_people, Some(told_people)));
        assert_eq!(line.newcomers, told_newcomers);
    }
    // What the room's status told everybody stays as it was told; the page draws it no finer than it says it.
    let calm = said(Kind::Calm, &[(Account::Listener, 10)], (0.0, 0.02));
    let page = |listening: u64, waiting: u64| {
        let few = |second: i64| RoomSaid { turned_away: 0, ..room(listening + second as u64, waiting) };
        let lines = (0..3).map(|second| line(second, &calm, Some(few(second))));
        let page = evening(&chained(lines.collect())).expect("an evening").bundle("1").page;
        let plot = page.split("id=\"p-room-t\"").nth(1).and_then(|rest| rest.split("</figure>").next());
        (plot.expect("a plot of the room").to_owned(), page)
    };
    let ((one_to_three, whole), (four_to_six, _)) = (page(1, 7), page(4, 2));
    assert_eq!(one_to_three, four_to_six);
    assert!(whole.contains("Fewer than ten people are drawn as nine."), "{whole}");
    let (many, whole) = page(20, 0);
    assert!(many != page(30, 0).0 && !whole.contains("drawn as nine"), "{whole}");
}

#[test]
fn the_page_is_whole_and_reaches_for_nothing() {
    let evening = evening(&attacked()).expect("an evening");
    let bundle = evening.bundle("<i>");
    let page = &bundle.page;
    crate::guard::page::tests::is_well_formed(page).expect("well-formed");
    for part in ["course", "events", "accounts", "change", "unknown", "words", "check"] {
        assert!(page.contains(&format!("<section id=\"{part}\"")), "{part}");
    }
    for outside in ["http://", "https://", "<script", "<img", "src=", "@import", "<iframe", " onload=", "<i>"]
    {
        assert!(!page.contains(outside), "{outside}");
    }
    assert!(page.contains("default-src 'none'; style-src 'unsafe-inline'; img-src data:"));
    assert_eq!(page.matches("<svg class=\"plot\"").count(), 5);
    assert!(page.contains("fewer than 10") && !page.contains("NaN"), "{page}");
    assert_eq!(*page, evening.bundle("<i>").page, "the same bytes again");
    assert!(bundle.readme.contains("python3 verify.py --head HASH"));
}

#[test]
fn who_was_turned_away_is_drawn_a_second_and_the_peak_against_what_was_measured() {
    let calm = said(Kind::Calm, &[(Account::Listener, 100)], (0.0, 0.02));
    let at = |second: i64| {
        let turned_away = [500, 500, 540, 540][second as usize];
        RoomSaid { listening: 60, turned_away, ..room(0, 0) }
    };
    let lines = chained((0..4).map(|second| line(second, &calm, Some(at(second)))).collect());
    let page = evening(&lines).expect("an evening").bundle("1").page;
    let plot = page.split("id=\"p-arrivals-t\"").nth(1).and_then(|rest| rest.split("</figure>").next());
    // Forty in the third of four seconds, nothing in the others; the scale ends at forty.
    let path = "<path class=\"l-most\" d=\"M0 130H500V0H750V130H1000\"/>";
    assert!(plot.is_some_and(|plot| plot.contains(path)), "{plot:?}");
    // Sixty where eighty seats were measured.
    assert!(page.contains("75\u{a0}% of the seats that were measured"), "{page}");
}

#[test]
fn a_long_evening_is_drawn_coarser() {
    let calm = said(Kind::Crowd, &[(Account::Listener, 100)], (0.0, 0.02));
    let lines = chained((0..8_000).map(|second| line(second, &calm, Some(room(40, 0)))).collect());
    let bundle = evening(&lines).expect("an evening").bundle("1");
    assert!(bundle.page.contains("A step is 10 s") && bundle.page.len() < 200_000, "{}", bundle.page.len());
    assert!(
        bundle
            .headline
            .starts_with("A crowd came: up to 12 people at once; no sign of an attack larger than 2 %")
    );
}
