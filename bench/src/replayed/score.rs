//! How a node did: its verdict against what was sent, and those who came to listen.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::{Value, json};
use tribune_rehearsal::replay::{Comer, Heard, Played, Side, WINDOW};

use super::case::{Case, Expected};
use super::truth::Truth;
use super::watch::{Sample, Told};

/// A verdict holds until the next is read, and no longer than this.
const HOLDS_MAX: Duration = Duration::from_millis(1_500);
/// The verdict of a window is the first one that is read after its end, within this.
const SAID_WITHIN: Duration = Duration::from_secs(2);
/// Who would have stayed less cannot have heard two segments for sure.
const STAYED_MIN: Duration = Duration::from_secs(7);
/// Everybody is to be in within this.
const IN_WITHIN: Duration = Duration::from_secs(30);
/// A prefix with fewer people says nothing.
const PREFIX_PEOPLE_MIN: u64 = 3;

/// The verdict, as one object.
pub(super) fn score(case: &Case, played: &Played, samples: &[Sample]) -> Value {
    let truth = Truth::of(played);
    let onset = onset(case, &truth);
    let answered: Vec<(Duration, &Told)> =
        samples.iter().filter_map(|sample| Some((sample.at, sample.told.as_ref()?))).collect();
    let first =
        answered.iter().find(|(at, told)| *at >= onset.unwrap_or_default() && case.expected.is_told_by(told));
    let flips = answered.windows(2).filter(|pair| pair[0].1.kind != pair[1].1.kind).count();
    let mut kinds = BTreeMap::<&str, f64>::new();
    let (mut right_s, mut half_s, mut wrong_s, mut accused_s) = (0.0, 0.0, 0.0, 0.0);
    let mut self_s = 0.0;
    for ((at, told), lasting) in answered.iter().zip(lastings(&answered)) {
        *kinds.entry(&told.kind).or_default() += lasting;
        self_s += if told.self_inflicted { lasting } else { 0.0 };
        accused_s += if told.is_attack() && !truth.is_attacked_at(*at) { lasting } else { 0.0 };
        if *at < onset.unwrap_or_default() {
            continue;
        }
        right_s += if case.expected.is_told_by(told) { lasting } else { 0.0 };
        half_s += if case.expected.is_half_told_by(told) { lasting } else { 0.0 };
        wrong_s += if case.expected.is_missed_by(told) { lasting } else { 0.0 };
    }
    let right = match () {
        () if right_s > 0.0 && right_s >= wrong_s => json!(true),
        () if half_s > 0.0 && half_s >= wrong_s => json!("half"),
        () => json!(false),
    };
    let lingered = truth.attacked_until().map(|end| lingered_s(&answered, end));
    json!({
        "case": case.name, "expected": case.expected.word(), "right": right,
        "onset_s": onset.map(seconds),
        "right_after_s": first.map(|(at, _)| seconds(at.saturating_sub(onset.unwrap_or_default()))),
        "flips": flips, "told_s": rounded(kinds), "told_self_inflicted_s": round(self_s),
        "right_s": round(right_s), "half_right_s": round(half_s), "wrong_s": round(wrong_s),
        "accused_while_none_attacked_s": round(accused_s),
        "accused_after_the_attack_s": lingered.map(round),
        "share_held": held(&truth, &answered), "brier": round(brier(&truth, &answered)),
        "status_read": samples.len(), "status_not_answered": samples.len() - answered.len(),
    })
}

impl Expected {
    /// The right class.
    fn is_told_by(self, told: &Told) -> bool {
        match self {
            Self::SelfInflicted => told.self_inflicted && !told.is_attack(),
            Self::Calm | Self::Crowd | Self::Attack | Self::Both => told.kind == self.word(),
        }
    }

    /// An attack that hides in a crowd was seen, the crowd was not.
    fn is_half_told_by(self, told: &Told) -> bool {
        self == Self::Both && told.kind == "attack"
    }

    /// Another class is named. To say that one does not know is not wrong, and a crowd that is there is no
    /// surge any more.
    fn is_missed_by(self, told: &Told) -> bool {
        let is_neutral = match self {
            Self::Calm => told.kind == "unknown",
            Self::SelfInflicted => !told.is_attack(),
            Self::Crowd | Self::Attack | Self::Both => matches!(told.kind.as_str(), "unknown" | "calm"),
        };
        !is_neutral && !self.is_told_by(told) && !self.is_half_told_by(told)
    }
}

/// When what is to be told begins.
fn onset(case: &Case, truth: &Truth) -> Option<Duration> {
    let attacked = || {
        let first = truth.first_attacked()?;
        let steps = case.script.attackers.iter().flat_map(|one| &one.steps);
        steps.map(|step| step.at).filter(|at| *at >= first).min()
    };
    case.onset().or_else(attacked)
}

/// For how long each verdict stood, in seconds.
fn lastings(answered: &[(Duration, &Told)]) -> Vec<f64> {
    let next = answered.iter().skip(1).map(|(at, _)| Some(*at)).chain([None]);
    let lasting = |((at, _), next): (&(Duration, &Told), Option<Duration>)| {
        next.map_or(Duration::ZERO, |next| next.saturating_sub(*at)).min(HOLDS_MAX).as_secs_f64()
    };
    answered.iter().zip(next).map(lasting).collect()
}

/// For how long an attack was told that was over.
fn lingered_s(answered: &[(Duration, &Told)], end: Duration) -> f64 {
    let after =
        answered.iter().zip(lastings(answered)).filter(|((at, told), _)| *at >= end && told.is_attack());
    after.map(|(_, lasting)| lasting).sum()
}

/// What was said of each window when it was over.
fn said<'t>(
    truth: &'t Truth,
    answered: &'t [(Duration, &'t Told)],
) -> impl Iterator<Item = (usize, &'t Told)> {
    (0..truth.count()).filter_map(|number| {
        let end = WINDOW * (number as u32 + 1);
        let (at, told) = answered.iter().find(|(at, _)| *at >= end)?;
        (*at - end <= SAID_WITHIN).then_some((number, *told))
    })
}

/// In how many windows the share of the requests lies in what was stated, and how wide that was on average.
fn held(truth: &Truth, answered: &[(Duration, &Told)]) -> Value {
    let (mut held, mut all, mut width) = (0_u32, 0_u32, 0.0);
    for (number, told) in said(truth, answered) {
        let Some(share) = truth.share(number) else { continue };
        held += u32::from((told.share.0..=told.share.1).contains(&share));
        all += 1;
        width += told.share.1 - told.share.0;
    }
    json!({"windows": all, "held": held, "mean_width": round(width / f64::from(all.max(1)))})
}

/// The mean square of how far the probability of an attack was from what is true (Brier 1950). Who does not
/// know says one half.
fn brier(truth: &Truth, answered: &[(Duration, &Told)]) -> f64 {
    let squares: Vec<f64> = said(truth, answered)
        .map(|(number, told)| {
            let says = match told.kind.as_str() {
                "unknown" => 0.5,
                _ if told.is_attack() => told.confidence,
                _ => 1.0 - told.confidence,
            };
            (says - f64::from(u8::from(truth.is_attacked(number)))).powi(2)
        })
        .collect();
    squares.iter().sum::<f64>() / squares.len().max(1) as f64
}

/// Those who came, and all requests, as one object.
pub(super) fn traffic(case: &Case, played: &Played) -> Value {
    let attack_windows: Vec<Value> = played
        .attack
        .windows
        .iter()
        .map(|window| json!([window.due, window.sent + window.begun, window.answered]))
        .collect();
    let honest_windows: Vec<Value> = (0..case.honest_lines.len().max(played.honest.windows.len()))
        .map(|number| {
            let window = played.honest.windows.get(number).copied().unwrap_or_default();
            json!([case.honest_lines.get(number), window.sent, window.answered])
        })
        .collect();
    json!({
        "listeners": listeners(&case.script.people, &played.heard),
        "attack": requests(&played.attack), "honest": requests(&played.honest),
        "windows": {
            "attack_due_sent_answered": attack_windows,
            "honest_in_case_sent_answered": honest_windows,
            "attack_off": off(&played.attack).map(round),
        },
    })
}

/// By what share of the lines of the fullest window a window had more or fewer requests than it was to have.
fn off(attack: &Side) -> Option<f64> {
    let most = attack.windows.iter().map(|window| window.due).max().filter(|most| *most > 0)?;
    let off = attack.windows.iter().map(|one| one.due.abs_diff(one.sent + one.begun)).max()?;
    Some(off as f64 / most as f64)
}

fn requests(side: &Side) -> Value {
    let hundreds: BTreeMap<String, u64> = (1..=5)
        .map(|first| (format!("{first}xx"), side.hundred(first)))
        .filter(|(_, count)| *count > 0)
        .collect();
    let begun: u64 = side.windows.iter().map(|window| window.begun).sum();
    json!({
        "sent": side.total(), "begun_without_end": begun, "answered": hundreds, "broken": side.broken,
        "refused": side.refused, "not_answered": side.unanswered, "not_sent": side.not_sent,
        "late_ms_max": side.late_max.as_millis() as u64,
    })
}

fn listeners(people: &[Comer], heard: &[Heard]) -> Value {
    let (mut stayed, mut soon, mut late, mut waits_s) = (0_u64, 0_u64, 0_u64, Vec::new());
    let mut prefixes = BTreeMap::<[u8; 3], (u64, u64)>::new();
    for (comer, heard) in people.iter().zip(heard).filter(|(comer, _)| comer.lasting() >= STAYED_MIN) {
        let waited = heard.in_at.map(|at| at.saturating_sub(comer.comes()));
        let is_soon = waited.is_some_and(|waited| waited <= IN_WITHIN);
        stayed += 1;
        soon += u64::from(is_soon);
        late += u64::from(waited.is_some() && !is_soon);
        waits_s.extend(waited.map(|waited| waited.as_secs_f64()));
        let prefix = prefixes.entry(prefix(comer.from)).or_default();
        *prefix = (prefix.0 + 1, prefix.1 + u64::from(is_soon));
    }
    waits_s.sort_by(f64::total_cmp);
    let wait = |share: f64| waits_s.get((waits_s.len() as f64 * share) as usize).copied().map(round);
    let sum = |of: fn(&Heard) -> u64| heard.iter().map(of).sum::<u64>();
    let stalled: Duration = heard.iter().map(|one| one.stalled).sum();
    json!({
        "people": people.len(), "stayed": stayed, "in_within_30_s": soon, "in_later": late,
        "never_in": stayed - soon - late, "wait_s": {"p50": wait(0.5), "p99": wait(0.99)},
        "worst_prefix": worst(&prefixes),
        "stalls": sum(|one| one.stalls), "stalled_s": round(stalled.as_secs_f64()),
        "people_stalled": heard.iter().filter(|one| one.stalls > 0).count(),
        "interrupted": sum(|one| one.interrupted), "resets": sum(|one| one.resets),
        "turned_away": sum(|one| one.turned_away), "tickets_asked": sum(|one| one.tickets_asked),
        "segments": sum(|one| one.segments),
    })
}

fn prefix(from: Ipv4Addr) -> [u8; 3] {
    let [a, b, c, _] = from.octets();
    [a, b, c]
}

/// The network of 256 addresses of whose people the smallest share was in soon.
fn worst(prefixes: &BTreeMap<[u8; 3], (u64, u64)>) -> Value {
    let many = prefixes.iter().filter(|(_, (people, _))| *people >= PREFIX_PEOPLE_MIN);
    let share = |(people, soon): &(u64, u64)| *soon as f64 / (*people).max(1) as f64;
    let worst = many.min_by(|(_, one), (_, other)| share(one).total_cmp(&share(other)));
    worst.map_or(Value::Null, |([a, b, c], (people, soon))| {
        json!({"prefix": format!("{a}.{b}.{c}.0/24"), "people": people, "in_within_30_s": soon})
    })
}

fn seconds(at: Duration) -> f64 {
    round(at.as_secs_f64())
}

fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

fn rounded(all: BTreeMap<&str, f64>) -> BTreeMap<&str, f64> {
    all.into_iter().map(|(name, value)| (name, round(value))).collect()
}

#[cfg(test)]
mod tests {
    use tribune_rehearsal::replay::{Script, Window, arriving};

    use super::*;

    fn case(expected: Expected) -> Case {
        let from = Ipv4Addr::new(127, 10, 0, 1);
        let long = |number: u8| (Ipv4Addr::new(127, 10, 0, number), Duration::ZERO, Duration::from_secs(20));
        let people = arriving([long(1), long(2), long(3), (from, Duration::ZERO, Duration::from_secs(2))]);
        let script = Script { attackers: Vec::new(), people };
        Case { name: "x".to_owned(), script, expected, attack: None, outage: None, honest_lines: Vec::new() }
    }

    /// Quiet for two windows, then attacked for two with nine of ten requests, then quiet again.
    fn played() -> Played {
        let side = |sent: [u64; 6]| Side {
            windows: sent.map(|sent| Window { due: sent, sent, ..Window::default() }).to_vec(),
            ..Side::default()
        };
        let heard = |in_s: Option<u64>, stalls| Heard {
            in_at: in_s.map(Duration::from_secs),
            stalls,
            ..Heard::default()
        };
        Played {
            attack: side([0, 0, 900, 900, 0, 0]),
            honest: side([100; 6]),
            heard: vec![heard(Some(3), 1), heard(Some(40), 0), heard(None, 0), heard(None, 0)],
        }
    }

    /// Told once a second: a kind from each of these seconds on.
    fn samples(kinds: &[(u64, &str)]) -> Vec<Sample> {
        let told = |second: u64| {
            let (_, kind) = kinds.iter().rev().find(|(from, _)| *from <= second)?;
            let (confidence, share) = if *kind == "attack" { (0.9, (0.8, 1.0)) } else { (0.9, (0.0, 0.1)) };
            Some(Told { kind: (*kind).to_owned(), self_inflicted: *kind == "self", confidence, share })
        };
        (0..=31).map(|at| Sample { at: Duration::from_secs(at), told: told(at) }).collect()
    }

    #[test]
    fn an_attack_is_right_from_when_it_is_told() {
        let samples = samples(&[(0, "calm"), (13, "attack"), (24, "calm")]);
        let found = score(&case(Expected::Attack), &played(), &samples);
        assert_eq!(found["flips"], 2);
        assert_eq!(found["right"], true);
        assert_eq!((&found["right_s"], &found["wrong_s"]), (&json!(11.0), &json!(0.0)));
        assert_eq!(found["accused_after_the_attack_s"], 4.0);
        assert_eq!(found["accused_while_none_attacked_s"], 4.0);
        assert_eq!(found["share_held"]["windows"], 6);
        assert_eq!(found["share_held"]["held"], 6);
        assert!(found["brier"].as_f64().is_some_and(|brier| (brier - 0.01).abs() < 1e-9), "{found}");
    }

    #[test]
    fn to_call_a_crowd_or_an_own_fault_an_attack_is_wrong() {
        let accused = samples(&[(0, "calm"), (3, "attack")]);
        for expected in [Expected::Crowd, Expected::SelfInflicted, Expected::Calm] {
            let found = score(&case(expected), &played(), &accused);
            assert_eq!(found["right"], false, "{found}");
            assert!(found["wrong_s"].as_f64().is_some_and(|wrong| wrong > 20.0), "{found}");
        }
        let owned = score(&case(Expected::SelfInflicted), &played(), &samples(&[(0, "self")]));
        assert_eq!((&owned["right"], &owned["told_self_inflicted_s"]), (&json!(true), &json!(31.0)));
        let half = score(&case(Expected::Both), &played(), &accused);
        assert_eq!((&half["right"], &half["wrong_s"]), (&json!("half"), &json!(0.0)));
        let unsaid = score(&case(Expected::Crowd), &played(), &samples(&[(9, "unknown")]));
        assert_eq!((&unsaid["right"], &unsaid["status_not_answered"]), (&json!(false), &json!(9)));
    }

    #[test]
    fn who_could_not_have_heard_two_segments_is_not_counted() {
        let found = traffic(&case(Expected::Attack), &played());
        let listeners = &found["listeners"];
        assert_eq!((&listeners["people"], &listeners["stayed"]), (&json!(4), &json!(3)));
        assert_eq!((&listeners["in_within_30_s"], &listeners["in_later"]), (&json!(1), &json!(1)));
        assert_eq!((&listeners["never_in"], &listeners["stalls"]), (&json!(1), &json!(1)));
        assert_eq!(listeners["worst_prefix"]["prefix"], "127.10.0.0/24");
        assert_eq!(found["windows"]["attack_off"], 0.0);
    }
}
