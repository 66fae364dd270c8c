use std::borrow::Cow;
use std::hash::{BuildHasherDefault, DefaultHasher};

use super::super::log::Taken;
use super::super::{Kind, Verdict};
use super::*;

type Log = Vec<(i64, String, String, u16)>;

/// An evening: so many people listen from the beginning, a second apart.
fn listening(log: &mut Log, people: i64, from_ms: i64, to_ms: i64) {
    for person in 0..people {
        let remote = format!("10.{}.{}.1", person / 250 + from_ms / 1_000, person % 250);
        let begins = from_ms + person * 37 % 5_000;
        for target in ["/room", "/a.js", "/a.css", "/ticket"] {
            log.push((begins, remote.clone(), target.to_owned(), 200));
        }
        for at in (begins + 100..to_ms).step_by(2_000) {
            log.push((at, remote.clone(), "/live.m3u8".to_owned(), 200));
            log.push((at + 10, remote.clone(), format!("/{}.m4s", at / 2_000), 200));
        }
    }
}

fn asking(
    log: &mut Log,
    bots: i64,
    (from_ms, to_ms, every_ms): (i64, i64, usize),
    (target, status): (&str, u16),
) {
    for bot in 0..bots {
        for at in (from_ms + bot % 1_000..to_ms).step_by(every_ms) {
            log.push((at, format!("172.16.{}.{}", bot / 250, bot % 250), target.to_owned(), status));
        }
    }
}

fn inspected(mut log: Log) -> Findings {
    log.sort();
    let mut inspection = Inspection::new(BuildHasherDefault::<DefaultHasher>::default());
    for (at_ms, remote, target, status) in &log {
        inspection.take(&entry(*at_ms, remote, target, *status));
    }
    inspection.finish()
}

fn entry<'a>(at_ms: i64, remote: &'a str, target: &'a str, status: u16) -> Entry<'a> {
    let (remote, target) = (Cow::Borrowed(remote), Cow::Borrowed(target));
    Entry { at_ms, remote, target, status, bytes: 1, took_ms: None, taken: Taken::Unsaid, agent: "x".into() }
}

fn verdict_at(findings: &Findings, second: i64) -> Verdict {
    let windows = &findings.windows;
    let window = windows.iter().find(|window| (window.from..window.to).contains(&(second / 5)));
    window.expect("somebody asked then").verdict(0)
}

#[test]
fn an_evening_as_usual_is_calm() {
    let mut log = Log::new();
    listening(&mut log, 100, 0, 60_000);
    let findings = inspected(log);
    assert_eq!((findings.verdict.kind, findings.verdict.self_inflicted), (Kind::Calm, false));
    assert!(findings.red.is_empty() && findings.sources == 100, "{:?}", findings.red);
    assert!(findings.windows.iter().all(|window| window.kind == Kind::Calm));
}

#[test]
fn a_crowd_is_told_by_what_becomes_of_it() {
    let mut log = Log::new();
    listening(&mut log, 60, 0, 80_000);
    listening(&mut log, 2_000, 30_000, 80_000);
    let findings = inspected(log);
    assert_eq!(findings.verdict.kind, Kind::Crowd);
    assert_eq!(verdict_at(&findings, 32).kind, Kind::Crowd, "at once");
    assert_eq!(verdict_at(&findings, 29).kind, Kind::Calm);
    assert!(findings.red.is_empty());
}

#[test]
fn bots_that_never_hear_are_named_and_the_share_holds() {
    let mut log = Log::new();
    listening(&mut log, 100, 0, 90_000);
    asking(&mut log, 1_500, (30_000, 60_000, 3_000), ("/ticket", 200));
    let findings = inspected(log.clone());
    assert_eq!(findings.verdict.kind, Kind::Attack, "{:?}", findings.verdict.because);
    assert_eq!(findings.red.len(), 1_500);
    assert!(findings.red.iter().all(|red| red.source.starts_with("172.16.")));
    for second in [32, 40, 55] {
        let verdict = verdict_at(&findings, second);
        let inside = log.iter().filter(|(at, ..)| at / 5_000 == second / 5);
        let (all, bots) = inside.fold((0.0, 0.0), |(all, bots), (_, remote, ..)| {
            (all + 1.0, bots + if remote.starts_with("172") { 1.0 } else { 0.0 })
        });
        let share = verdict.attack_share.requests;
        assert_eq!(verdict.kind, Kind::Attack, "{second}");
        assert!(share.low <= bots / all && bots / all <= share.high, "{second}: {} in {share:?}", bots / all);
    }
    assert_eq!(verdict_at(&findings, 70).kind, Kind::Calm, "when it is over it is over");
    let newcomers = verdict_at(&findings, 31).attack_share.newcomers;
    assert!(newcomers.low > 0.95, "{newcomers:?}");
}

#[test]
fn sound_taken_faster_than_time_is_no_listening() {
    let mut log = Log::new();
    listening(&mut log, 100, 0, 90_000);
    asking(&mut log, 50, (30_000, 60_000, 50), ("/7.m4s", 200));
    for bot in 0..20 {
        for at in (30_000..60_000).step_by(40) {
            log.push((at, format!("172.17.0.{bot}"), format!("/{}.m4s", at / 40 % 9), 200));
        }
    }
    let findings = inspected(log);
    assert_eq!((findings.verdict.kind, findings.red.len()), (Kind::Attack, 70), "{:?}", findings.verdict);
    assert!(findings.red.iter().all(|red| red.source.starts_with("172.1")));
}

#[test]
fn who_reloads_and_never_hears_is_told_by_how_few_become_listeners() {
    let mut log = Log::new();
    listening(&mut log, 100, 0, 120_000);
    for (number, target) in ["/room", "/a.js", "/a.css"].into_iter().enumerate() {
        let shifted = |at: i64| at + 200 * number as i64;
        asking(&mut log, 400, (shifted(30_000), shifted(100_000), 5_000), (target, 200));
    }
    let findings = inspected(log);
    assert_eq!(verdict_at(&findings, 60).kind, Kind::Attack, "{:?}", findings.verdict);
    assert!(findings.red.is_empty() && findings.yellow >= 400, "nobody is named for it");
}

#[test]
fn who_is_told_to_wait_is_no_attacker() {
    let mut log = Log::new();
    listening(&mut log, 100, 0, 120_000);
    for target in ["/room", "/a.js", "/ticket"] {
        asking(&mut log, 2_000, (30_000, 31_000, 90_000), (target, 200));
    }
    asking(&mut log, 2_000, (31_000, 100_000, 5_000), ("/claim", 202));
    let findings = inspected(log);
    assert!(!findings.verdict.kind.is_attack() && findings.red.is_empty(), "{:?}", findings.verdict);
}

#[test]
fn one_line_is_no_attack_and_a_name_does_nothing_to_a_terminal() {
    let mut log = Log::new();
    listening(&mut log, 60, 0, 60_000);
    log.sort();
    let mut inspection = Inspection::new(BuildHasherDefault::<DefaultHasher>::default());
    for (at_ms, remote, target, status) in &log {
        inspection.take(&entry(*at_ms, remote, target, *status));
    }
    inspection.take(&Entry { took_ms: Some(200_000), ..entry(59_900, "192.0.2.9", "/room", 408) });
    assert_eq!(inspection.finish().verdict.kind, Kind::Calm);
    let mut log = Log::new();
    listening(&mut log, 60, 0, 60_000);
    (0..3_000).for_each(|at| log.push((30_000 + at, "\u{1b}[31m\nCalm".to_owned(), "/x".to_owned(), 200)));
    let findings = inspected(log);
    assert!(findings.red.len() == 1 && !findings.red[0].source.contains(char::is_control));
}

#[test]
fn people_who_wait_for_the_sound_are_no_attack() {
    let mut log = Log::new();
    listening(&mut log, 60, 0, 120_000);
    for target in ["/room", "/a.js", "/a.css"] {
        asking(&mut log, 2_000, (30_000, 31_000, 90_000), (target, 200));
    }
    asking(&mut log, 2_000, (31_000, 110_000, 4_000), ("/status", 200));
    let findings = inspected(log);
    assert!(!findings.verdict.kind.is_attack() && findings.red.is_empty(), "{:?}", findings.verdict);
}

#[test]
fn a_crowd_and_bots_at_once_are_both() {
    let mut log = Log::new();
    listening(&mut log, 60, 0, 80_000);
    listening(&mut log, 1_000, 30_000, 80_000);
    asking(&mut log, 300, (30_000, 70_000, 500), ("/room", 200));
    let findings = inspected(log);
    assert_eq!((findings.verdict.kind, findings.red.len()), (Kind::Both, 300));
}

#[test]
fn what_comes_again_after_our_own_errors_is_our_fault() {
    let mut log = Log::new();
    listening(&mut log, 60, 0, 80_000);
    for person in 0..1_000 {
        for at in (30_000 + person * 7 % 5_000..55_000).step_by(2_500) {
            for (target, status) in [("/room", 200), ("/a.js", 200), ("/a.css", 200), ("/ticket", 503)] {
                log.push((at, format!("10.99.{}.{}", person / 250, person % 250), target.to_owned(), status));
            }
        }
    }
    let findings = inspected(log);
    assert!(findings.verdict.self_inflicted && !findings.verdict.kind.is_attack(), "{:?}", findings.verdict);
    assert!(verdict_at(&findings, 40).because.iter().any(|says| says.contains("our doing")));
    assert!(findings.red.is_empty());
}

/// The same log, with everybody of these networks behind three addresses.
fn behind_three(log: Log, network: &str) -> Log {
    let hidden = |remote: String| match remote.strip_prefix(network) {
        Some(rest) => format!("192.0.2.{}", rest.bytes().map(u32::from).sum::<u32>() % 3),
        None => remote,
    };
    log.into_iter().map(|(at, remote, target, status)| (at, hidden(remote), target, status)).collect()
}

#[test]
fn a_crowd_behind_three_addresses_is_one() {
    let mut log = Log::new();
    listening(&mut log, 40, 0, 80_000);
    let mut crowd = Log::new();
    listening(&mut crowd, 800, 30_000, 80_000);
    log.extend(behind_three(crowd, "10."));
    let findings = inspected(log);
    assert_eq!(findings.verdict.kind, Kind::Crowd, "{:?}", findings.verdict);
    assert_eq!(verdict_at(&findings, 42).kind, Kind::Crowd);
    assert!(findings.red.is_empty());
}

#[test]
fn many_behind_one_address_come_again_after_our_errors_as_one_does() {
    let mut log = Log::new();
    listening(&mut log, 60, 0, 80_000);
    let mut storm = Log::new();
    for person in 0..420 {
        for at in (30_000 + person * 7 % 5_000..55_000).step_by(3_000) {
            for (target, status) in [("/room", 200), ("/a.js", 200), ("/a.css", 200), ("/ticket", 503)] {
                storm.push((
                    at,
                    format!("10.99.{}.{}", person / 250, person % 250),
                    target.to_owned(),
                    status,
                ));
            }
        }
    }
    log.extend(behind_three(storm, "10.99."));
    let findings = inspected(log);
    assert!(findings.verdict.self_inflicted && !findings.verdict.kind.is_attack(), "{:?}", findings.verdict);
    assert!(findings.red.is_empty());
}

#[test]
fn one_address_that_speaks_for_all_leaves_it_unknown() {
    let mut log = Log::new();
    listening(&mut log, 200, 0, 60_000);
    asking(&mut log, 300, (20_000, 50_000, 200), ("/room", 200));
    log.sort();
    let mut inspection = Inspection::new(BuildHasherDefault::<DefaultHasher>::default());
    for (number, (at_ms, _, target, status)) in log.iter().enumerate() {
        let agent = Cow::Owned(format!("browser {}", number % 12));
        inspection.take(&Entry { agent, ..entry(*at_ms, "192.0.2.7", target, *status) });
    }
    let findings = inspection.finish();
    let verdict = verdict_at(&findings, 30);
    assert_eq!(verdict.kind, Kind::Unknown, "{verdict:?}");
    assert!(verdict.because[0].contains("proxy") && findings.red.is_empty());
}

#[test]
fn lines_out_of_order_are_counted_and_harm_nothing() {
    let mut log = Log::new();
    listening(&mut log, 50, 0, 40_000);
    log.sort();
    let mut inspection = Inspection::new(BuildHasherDefault::<DefaultHasher>::default());
    for (number, (at_ms, remote, target, status)) in log.iter().enumerate() {
        inspection.take(&entry(*at_ms, remote, target, *status));
        if number % 10 == 0 {
            inspection.take(&entry(*at_ms + 253_402_300_799_000, remote, target, *status));
            inspection.take(&entry(*at_ms - 86_400_000, remote, target, *status));
        }
        if number % 7 == 0 {
            inspection.take(&entry(*at_ms - 6_000, remote, target, *status));
        }
    }
    let findings = inspection.finish();
    let verdict = &findings.verdict;
    assert!(verdict.kind == Kind::Unknown && verdict.because[0].contains("out of order"), "{verdict:?}");
    assert!(findings.windows.iter().all(|window| window.kind() == Kind::Calm));
    let doubted = log.len().div_ceil(10) as u64;
    assert_eq!(findings.skipped, BTreeMap::from([(Skipped::OutOfOrder, 2 * doubted)]));
    assert_eq!(findings.requests, log.len() as u64 + log.len().div_ceil(7) as u64);
}

#[test]
fn a_day_without_anybody_costs_nothing_and_nothing_is_no_verdict() {
    let mut log = Log::new();
    listening(&mut log, 50, 0, 20_000);
    listening(&mut log, 50, 50_000_000, 50_020_000);
    let findings = inspected(log);
    assert_eq!((findings.verdict.kind, findings.sources), (Kind::Calm, 100));
    assert!(findings.windows.len() < 12);
    let nothing = inspected(Log::new());
    assert_eq!((nothing.verdict.kind, nothing.requests), (Kind::Unknown, 0));
    assert_eq!(nothing.document()["windows"], serde_json::json!([]));
}
