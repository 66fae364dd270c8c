use std::borrow::Cow;

use super::*;

fn entry(at_ms: i64, target: &'static str, status: u16) -> Entry<'static> {
    Entry {
        at_ms,
        remote: Cow::Borrowed("192.0.2.1"),
        target: Cow::Borrowed(target),
        status,
        bytes: 100,
        took_ms: Some(1),
        taken: Taken::Whole,
        agent: Cow::Borrowed("x"),
    }
}

/// The account of a source for its first window, with what it asks for at these moments (ms).
fn account(asks: &[(i64, &'static str, u16)]) -> Account {
    let mut visit = Visit::begins(asks[0].0);
    for (at_ms, target, status) in asks {
        let hash = target.bytes().fold(7_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        let entry = entry(*at_ms, target, *status);
        visit.request(&entry, window_of(*at_ms), (hash, 0), Quick::Unknown);
    }
    visit.account(window_of(asks[0].0), Site::Sounds)
}

fn every(ms: i64, count: i64, target: &'static str, status: u16) -> Vec<(i64, &'static str, u16)> {
    (0..count).map(|number| (number * ms, target, status)).collect()
}

fn listening(people: i64) -> Vec<(i64, &'static str, u16)> {
    let parts = ["/1.m4s", "/2.m4s", "/3.m4s", "/4.m4s", "/5.m4s"];
    let mut asks = Vec::new();
    for _ in 0..people {
        asks.extend([(0, "/room", 200), (10, "/a.js", 200), (20, "/a.css", 200), (30, "/ticket", 200)]);
        for (number, part) in parts.iter().enumerate() {
            asks.extend([
                (number as i64 * 2_000, "/live.m3u8", 200),
                (number as i64 * 2_000 + 5, *part, 200),
            ]);
        }
    }
    asks.sort_by_key(|(at, ..)| *at);
    asks
}

#[test]
fn who_takes_the_sound_explains_it_however_many_share_an_address() {
    for people in [1, 60, 3_000] {
        assert_eq!(account(&listening(people)), Account::Listener, "{people}");
    }
}

#[test]
fn what_nobody_who_listens_would_ask_is_unexplained() {
    assert_eq!(account(&every(5, 200, "/room", 200)), Account::Unexplained, "a flood of one thing");
    assert_eq!(account(&every(3_000, 7, "/ticket", 200)), Account::Unexplained, "a slow one");
    let mut both = listening(1);
    both.extend(every(10, 400, "/ticket", 200));
    both.sort_by_key(|(at, ..)| *at);
    assert_eq!(account(&both), Account::Unexplained, "one who listens does not explain it either");
}

#[test]
fn who_has_just_come_is_given_the_benefit_of_the_doubt() {
    assert_eq!(account(&[(0, "/room", 200)]), Account::Unsure);
    let page = [(0, "/room", 200), (9, "/a.js", 200), (9, "/a.css", 200)];
    assert_eq!(account(&page), Account::Newcomer);
}

#[test]
fn who_comes_again_after_our_own_error_is_our_doing() {
    let mut asks = Vec::new();
    for again in 0..8 {
        let at = again * 2_500;
        asks.extend([
            (at, "/room", 200),
            (at + 1, "/a.js", 200),
            (at + 2, "/a.css", 200),
            (at + 3, "/ticket", 503),
        ]);
    }
    assert_eq!(account(&asks), Account::OurDoing);
    assert_eq!(account(&every(2, 4_000, "/ticket", 503)), Account::Unexplained, "nobody reloads so fast");
}

#[test]
fn rules_broken_are_told_from_a_slip() {
    assert_eq!(account(&every(100, 3, "/room", 408)), Account::Wrong);
    assert_eq!(account(&[(0, "/room", 400)]), Account::Wrong, "and nothing else ever");
    let mut slip = listening(1);
    slip.push((9_000, "/room", 400));
    assert_eq!(account(&slip), Account::Listener);
}

#[test]
fn a_small_answer_read_for_minutes_holds_a_connection() {
    let mut visit = Visit::begins(0);
    for quick in [Quick::Elsewhere, Quick::Elsewhere] {
        let slow = Entry { took_ms: Some(60_000), ..entry(0, "/room", 200) };
        visit.request(&slow, 0, (1, 0), quick);
    }
    assert_eq!(visit.account(0, Site::Sounds), Account::Wrong);
    let mut visit = Visit::begins(0);
    let long = Entry { took_ms: Some(60_000), bytes: 480_000, ..entry(0, "/live.opus", 200) };
    visit.request(&long, 0, (1, 0), Quick::Elsewhere);
    assert_eq!(visit.account(0, Site::Sounds), Account::Listener, "an hour of sound is an hour of listening");
}

#[test]
fn an_address_that_speaks_for_many_is_not_one_loud_address() {
    let mut visit = Visit::begins(0);
    for number in 0..400_u32 {
        visit.request(&entry(i64::from(number), "/room", 200), 0, (number % 9, number % 10), Quick::Unknown);
    }
    assert_eq!(visit.account(0, Site::Sounds), Account::Many);
}

#[test]
fn things_are_known_by_their_endings() {
    for (target, kind) in [
        ("/live/seg_5.m4s?x=1", Asked::Sound),
        ("/debate/live.OPUS", Asked::Sound),
        ("/live/index.m3u8", Asked::List),
        ("/room.html", Asked::Other),
        ("/opus", Asked::Other),
        ("/a.m4s/", Asked::Other),
        ("", Asked::Other),
    ] {
        assert_eq!(asked(target), kind, "{target}");
    }
}
