//! Goal: an evening of thousands on a few nodes is what its scenario says, whatever breaks. Method: small
//! evenings, each with one thing changed.

use std::path::Path;

use super::scenario::{Attack, Fault};
use super::*;
use crate::dice::Dice;

/// Six thousand people, half of them before the start, on two nodes with room for all.
const SMALL: &str = r#"
title = "small"
sources = []
assumed = []

[evening]
door_opens_before_s = 600
lasts_s = 900

[crowd]
people = 6000
ghosts_percent = 10
sleepers_percent = 5
patience_s = 1200
to_the_end_percent = 60
stay_s = 600
way_ms = [10, 100]
people_per_address = 2
arrivals = [[-600, 0], [0, 50], [800, 100]]

[nodes]
count = 2
cores = 2
memory_gb = 8
egress_mbit = 1_000
descriptors = 20_000

[measured]
from = "nothing"
listener_us = [36, 36, 6]
listener_kbit = [68, 20, 66]
listener_bytes = 10_000
handshake_us = 223
page_us = 50
ticket_us = 43
place_us = 8
claim_us = 50
begin_us = 50
put_off_us = 36
"#;

fn small() -> Scenario {
    Scenario::parse(SMALL).expect("it is one")
}

fn lived(scenario: &Scenario, seed: u64) -> Outcome {
    let outcome = live(scenario, seed, &mut |_| true);
    assert_eq!(outcome.wrong, Vec::<String>::new());
    assert!(outcome.is_whole && outcome.books_balanced && outcome.order_kept);
    assert_eq!(outcome.over_cap, 0);
    // Everybody is in one account, and only one.
    let Outcome { seated, turned_away, gave_up, never_came_back, no_ticket, .. } = outcome;
    assert_eq!(seated + turned_away + gave_up + never_came_back + no_ticket, outcome.people);
    assert!(seated > 0);
    outcome
}

/// So many seats from the beginning, of all nodes.
fn capped(seats: u64) -> Scenario {
    let mut scenario = small();
    scenario.faults.push(Fault::Cap { at_s: -600, seats });
    scenario
}

#[test]
fn a_seed_is_an_evening() {
    let (one, again, other) = (lived(&small(), 1), lived(&small(), 1), lived(&small(), 2));
    assert_eq!((&one.digest, one.seated), (&again.digest, again.seated));
    assert_ne!(one.digest, other.digest);
}

#[test]
fn where_there_is_room_whoever_stays_awake_is_in_within_seconds() {
    let mut awake = small();
    awake.crowd.sleepers_percent = 0;
    let mut outcome = lived(&awake, 1);
    assert_eq!((outcome.tickets, outcome.turned_away, outcome.error_pages), (6_000, 0, 0));
    assert!(outcome.seated > 5_300 && outcome.seated < 5_500, "nine of ten: {}", outcome.seated);
    assert!(outcome.waited_ms.percentile(99).expect("somebody waited") < 60_000);
    assert!(outcome.first_sound_ms.percentile(99).expect("somebody heard") < 1_000);
    assert_eq!((outcome.started_late_s, outcome.gaps_ms.count()), (Some(0.0), 0));
}

/// Goal: who waits for an answer has waited. Method: the same evening where a claim takes two seconds of a
/// processor, and where nobody can be let in before a minute after the start.
#[test]
fn a_slow_door_is_heard_in_every_figure() {
    let mut slow = small();
    slow.measured.claim_us = 200_000.0;
    let (mut calm, mut slow) = (lived(&small(), 1), lived(&slow, 1));
    let half = |outcome: &mut Outcome| outcome.waited_ms.percentile(50).expect("somebody waited");
    assert!(half(&mut slow) > half(&mut calm) + 5_000, "{} and {}", half(&mut slow), half(&mut calm));
    let mut late = small();
    late.crowd.arrivals = vec![[-600.0, 0.0], [0.0, 50.0], [800.0, 100.0]];
    late.faults = vec![Fault::Cap { at_s: -600, seats: 0 }, Fault::Cap { at_s: 60, seats: 10_000 }];
    let late_s = lived(&late, 1).started_late_s.expect("somebody heard it");
    assert!((60.0..75.0).contains(&late_s), "{late_s} s late");
}

/// Goal: where a fifth of all is away for longer than seats are kept, everybody is accounted for. Method:
/// nodes that are nearly full, no ladder, and one that dies twice.
#[test]
fn who_lost_their_seat_waits_again_and_is_heard_again() {
    let mut scenario = small();
    (scenario.nodes.count, scenario.nodes.ladder) = (3, false);
    scenario.faults.push(Fault::Cap { at_s: -600, seats: 1_500 });
    scenario.faults.push(Fault::NodeDies { at_s: 300, node: 1, away_s: 90 });
    scenario.faults.push(Fault::Cut { at_s: 301, percent: 50 });
    scenario.faults.push(Fault::NodeDies { at_s: 500, node: 0, away_s: 5 });
    let outcome = lived(&scenario, 3);
    assert!(outcome.gaps_ms.longest() > 60_000, "{}", outcome.gaps_ms.longest());
    let listening = |at_s| outcome.course.iter().find(|moment| moment.at_s == at_s).expect("lived").listening;
    assert!(listening(480) > 1_300, "they are back: {}", listening(480));
}

#[test]
fn half_the_seats_take_half_the_people() {
    let (all, half) = (lived(&capped(1_000), 1), lived(&capped(500), 1));
    assert_eq!((all.seated_max, half.seated_max), (1_000, 500));
    let ratio = half.seated as f64 / all.seated as f64;
    assert!((0.45..0.65).contains(&ratio), "who leaves makes room for others: {ratio}");
    assert!(half.turned_away > all.turned_away && half.replays > all.replays, "{}", half.turned_away);
    assert_eq!(
        (half.turned_away, half.replays),
        (half.replays, half.turned_away),
        "whoever waits hears it then"
    );
}

#[test]
fn when_a_node_dies_its_listeners_are_elsewhere_in_seconds_and_keep_their_seats() {
    let mut scenario = small();
    scenario.faults.push(Fault::NodeDies { at_s: 400, node: 1, away_s: 100 });
    let (calm, outcome) = (lived(&small(), 1), lived(&scenario, 1));
    assert!(outcome.gaps_ms.count() < outcome.seated as usize && outcome.gaps_ms.longest() < 2_000);
    let fewer = calm.seated as f64 - outcome.seated as f64;
    assert!(fewer.abs() < 60.0, "{} and {}", calm.seated, outcome.seated);
    let during = outcome.course.iter().find(|moment| moment.at_s == 410).expect("it was lived");
    let before = calm.course.iter().find(|moment| moment.at_s == 410).expect("it was lived");
    assert!(during.cap < before.cap && during.listening as f64 > before.listening as f64 * 0.98);
}

#[test]
fn when_every_connection_breaks_everybody_is_back_before_a_seat_lapses() {
    let mut scenario = small();
    scenario.faults.push(Fault::Cut { at_s: 400, percent: 100 });
    let outcome = lived(&scenario, 1);
    let taken = |at_s| outcome.course.iter().find(|moment| moment.at_s == at_s).expect("lived").listening;
    assert!(
        taken(410) as f64 > taken(400).max(taken(390)) as f64 * 0.97,
        "{} and {}",
        taken(400),
        taken(410)
    );
    assert!(outcome.gaps_ms.longest() < 10_000, "{}", outcome.gaps_ms.longest());
}

#[test]
fn a_flood_in_a_crowd_is_told_and_nobody_inside_hears_it() {
    let mut scenario = small();
    scenario.attacks.push(Attack { at_s: 300, lasts_s: 120, requests_per_s: 4_000, addresses: 200 });
    let outcome = lived(&scenario, 1);
    let is_attack = |held: &&outcome::Held| matches!(held.kind, "attack" | "both");
    let told: Vec<_> = outcome.verdicts.iter().filter(is_attack).collect();
    let first = told.first().expect("it is told");
    assert!((300..=330).contains(&first.from_s), "{:?}", outcome.verdicts);
    assert!(told.iter().all(|held| held.to_s <= 440), "{:?}", outcome.verdicts);
    assert_eq!((outcome.error_pages, outcome.gaps_ms.count()), (0, 0));
}

#[test]
fn what_is_stopped_says_so() {
    let outcome = live(&small(), 1, &mut |share| share < 0.5);
    assert!(!outcome.is_whole && (700..1_000).contains(&outcome.lived_s), "{}", outcome.lived_s);
    assert!(outcome.tickets > 2_000 && outcome.tickets < 6_000);
}

#[test]
fn what_a_file_says_wrongly_is_named_with_its_line() {
    for (from, to, says) in [
        ("people = 6000", "people = \"many\"", "line 11: invalid type: string"),
        ("lasts_s = 900", "lasts = 900", "line 8: unknown field `lasts`"),
        ("cores = 2", "", "missing field `cores`"),
        ("title = \"small\"", "title =", "line 2:"),
        ("people = 6000", "people = 0", "people are 1 to 16000000"),
        ("[[-600, 0], [0, 50]", "[[-600, 0], [0, 101]", "arrivals rise from 0 to 100"),
        ("[[-600, 0]", "[[-900, 0]", "arrivals rise from 0 to 100"),
        ("count = 2", "count = 0", "nodes are 1 to 10000"),
        ("begin_us = 50", "begin_us = nan", "what things cost is more than 0"),
        ("ghosts_percent = 10", "ghosts_percent = 200", "a percentage is 100 at most"),
        ("[measured]", "[[fault]]\nkind = \"flood\"\nat_s = 1\n[measured]", "unknown variant `flood`"),
        (
            "[measured]",
            "[[fault]]\nkind = \"cut\"\nat_s = 901\npercent = 1\n[measured]",
            "outside the evening",
        ),
    ] {
        let text = SMALL.replacen(from, to, 1);
        let wrong = Scenario::parse(&text).expect_err(to).to_string();
        assert!(wrong.contains(says) && !wrong.contains('\n'), "{to}: {wrong}");
    }
    let mut away = small();
    away.faults.push(Fault::NodeDies { at_s: 0, node: 2, away_s: 1 });
    let wrong = away.check_again().expect_err("there are two").to_string();
    assert_eq!(wrong, "there is no node 2: they are numbered from 0 to 1");
}

/// Goal: every scenario of the project can be lived. Method: each with a thousandth of its people on a
/// thousandth of its nodes' strength.
#[test]
fn every_scenario_of_the_project_is_one() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    let files =
        std::fs::read_dir(folder).expect("the folder is there").map(|file| file.expect("a file").path());
    let mut count = 0;
    for file in files.filter(|file| file.extension().is_some_and(|kind| kind == "toml")) {
        let text = std::fs::read_to_string(&file).expect("text");
        let mut scenario =
            Scenario::parse(&text).unwrap_or_else(|wrong| panic!("{}: {wrong}", file.display()));
        assert!(!scenario.sources.is_empty() && !scenario.assumed.is_empty(), "{}", file.display());
        scenario.crowd.people = (scenario.crowd.people / 1_000).max(300);
        scenario.nodes.cores /= 1_000.0;
        scenario.nodes.egress_mbit /= 1_000.0;
        scenario.nodes.memory_gb /= 1_000.0;
        scenario.attacks.iter_mut().for_each(|attack| attack.requests_per_s /= 1_000);
        lived(&scenario, 1);
        count += 1;
    }
    assert!(count >= 8, "{count} scenarios");
}

/// Evenings drawn by lot that are lived each time, and those that ever failed.
const DRAWN: u64 = 24;
const FAILED: [u64; 0] = [];

/// An evening of some hundreds or thousands, on too few nodes or too many, with whatever breaks.
fn drawn(seed: u64) -> Scenario {
    let mut dice = Dice::new(seed);
    let mut scenario = small();
    let crowd = &mut scenario.crowd;
    crowd.people = dice.between(200, 4_000) as u32;
    crowd.ghosts_percent = dice.between(0, 80) as u8;
    crowd.sleepers_percent = dice.pick(&[0, 10, 60]);
    crowd.patience_s = dice.between(30, 2_000) as u32;
    crowd.to_the_end_percent = dice.between(0, 100) as u8;
    crowd.stay_s = dice.between(5, 1_500) as u32;
    let middle = dice.between(0, 1_200) as f64 - 500.0;
    let share = dice.between(0, 100) as f64;
    crowd.arrivals = vec![[-600.0, 0.0], [middle, share], [middle + 10.0, share.max(90.0)], [850.0, 100.0]];
    let nodes = &mut scenario.nodes;
    nodes.count = dice.between(1, 6) as u16;
    nodes.cores = dice.between(1, 100) as f64 / 50.0;
    nodes.egress_mbit = dice.between(1, 100) as f64;
    nodes.descriptors = dice.between(600, 3_000) as f64;
    nodes.ladder = dice.chance(70);
    for _ in 0..dice.between(0, 5) {
        let at_s = dice.between(0, 1_400) as i32 - 590;
        let fault = match dice.between(0, 2) {
            0 => {
                let node = dice.between(0, u64::from(nodes.count) - 1) as u16;
                Fault::NodeDies { at_s, node, away_s: dice.between(0, 400) as u32 }
            }
            1 => Fault::Cut { at_s, percent: dice.between(0, 100) as u8 },
            _ => Fault::Cap { at_s, seats: dice.between(0, 2_000) },
        };
        scenario.faults.push(fault);
    }
    if dice.chance(40) {
        let (at_s, lasts_s) = (dice.between(0, 1_400) as i32 - 590, dice.between(1, 300) as u32);
        let (requests_per_s, addresses) = (dice.between(1, 20_000) as u32, dice.between(1, 2_000) as u32);
        scenario.attacks.push(Attack { at_s, lasts_s, requests_per_s, addresses });
    }
    scenario.check_again().expect("it is one");
    scenario
}

/// Goal: whatever comes and whatever breaks, no rule is broken and everybody is accounted for. Method:
/// evenings drawn by lot, those that ever failed, and one that nobody has seen, by the commit.
#[test]
fn whatever_breaks_no_rule_does() {
    for seed in FAILED.into_iter().chain(0..DRAWN).chain(crate::tests::commit_seed()) {
        let scenario = drawn(seed);
        let outcome = live(&scenario, seed, &mut |_| true);
        let Outcome { seated, turned_away, gave_up, never_came_back, no_ticket, .. } = outcome;
        let again = format!("drawn({seed:#x}), which is {scenario:?}");
        assert!(outcome.wrong.is_empty() && outcome.books_balanced, "{:?} in {again}", outcome.wrong);
        assert_eq!(outcome.over_cap, 0, "{again}");
        assert_eq!(seated + turned_away + gave_up + never_came_back + no_ticket, outcome.people, "{again}");
        assert_eq!(outcome.people, u64::from(scenario.crowd.people), "{again}");
    }
}

/// Goal: whatever a file holds, it is a scenario or a sentence. Method: bytes of a good one are changed,
/// taken out, doubled and moved, by lot.
#[test]
fn no_file_panics() {
    let mut dice = Dice::new(7);
    for _ in 0..20_000 {
        let mut text = SMALL.as_bytes().to_vec();
        for _ in 0..dice.between(1, 6) {
            let at = dice.between(0, text.len() as u64 - 1) as usize;
            match dice.between(0, 3) {
                0 => text[at] = dice.pick(b"0179-.e_[]{}=\"#\n aZ\xff"),
                1 => drop(text.remove(at)),
                2 => text.insert(at, dice.pick(b"9999-[]\"=\n")),
                _ => text.swap(at, dice.between(0, SMALL.len() as u64 / 2) as usize),
            }
        }
        if let Err(wrong) = Scenario::parse(&String::from_utf8_lossy(&text)) {
            assert!(!wrong.what.is_empty() && !wrong.to_string().contains('\n'), "{wrong}");
        }
    }
}
