//! The guard over labelled logs, beside what others use: how soon an attack is told, how often a crowd is
//! called one, whether the stated shares hold, and whom it would shed. Method and table: `docs/guard.md`.
//!
//! `guard FOLDER` reads every `*.csv.gz` there: columns `t, src, …, uri, status, bytes, …, req_time,
//! completion, referer, ua, label`, of which the last is `attack` or not. Prints one line of JSON a case, and
//! one more for all: how often what was stated was so.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::hash::RandomState;
use std::io::{self, Write};
use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};
use tribune_bench::labelled::{self, ATTACKED_SHARE_MIN, Line};
use tribune_core::guard::inspect::{Findings, Inspection};
use tribune_core::guard::log::{Entry, Taken};
use tribune_core::guard::visit::WINDOW_MS;

fn main() -> anyhow::Result<()> {
    let folder = std::env::args().nth(1).context("usage: guard FOLDER\nExample: guard ../shared/data/lab")?;
    let mut reliability = Reliability::default();
    for (name, path) in labelled::cases(Path::new(&folder))? {
        writeln!(io::stdout(), "{}", case(&name, &labelled::read(&path)?, &mut reliability))?;
    }
    writeln!(io::stdout(), "{}", reliability.told())?;
    Ok(())
}

fn case(name: &str, lines: &[Line], reliability: &mut Reliability) -> Value {
    let mut inspection = Inspection::new(RandomState::new());
    for line in lines {
        inspection.take(&Entry {
            at_ms: line.at_ms,
            remote: Cow::Borrowed(&line.source),
            target: Cow::Borrowed(&line.target),
            status: line.status,
            bytes: line.bytes,
            took_ms: Some(line.took_ms),
            taken: if line.is_whole { Taken::Whole } else { Taken::Broken },
            agent: Cow::Borrowed(&line.agent),
        });
    }
    let findings = inspection.finish();
    let truth = Truth::of(lines);
    truth.chances(&findings).for_each(|(says, is)| reliability.add(says, is));
    let told: BTreeMap<i64, bool> = findings
        .windows
        .iter()
        .map(|window| (window.span_ms().0 / WINDOW_MS, window.kind().is_attack()))
        .collect();
    json!({
        "case": name,
        "verdict": findings.verdict.kind,
        "self_inflicted": findings.verdict.self_inflicted,
        "guard": truth.score(&told),
        "share_held": truth.held(&findings),
        "brier": truth.brier(&findings),
        "red": truth.red(&findings),
        "others": {
            "rate": truth.score(&by_rate(lines)),
            "limit": truth.score(&by_limit(lines)),
            "entropy": truth.score(&by_entropy(lines)),
        },
    })
}

/// How often there was an attack where its probability was stated to be so much (a reliability diagram).
#[derive(Default)]
struct Reliability([Tenth; 10]);

/// Windows of one tenth of all probabilities.
#[derive(Clone, Copy, Default)]
struct Tenth {
    windows: u64,
    says: f64,
    attacked: u64,
}

impl Reliability {
    fn add(&mut self, says: f64, is: bool) {
        let tenth = &mut self.0[((says * 10.0) as usize).min(9)];
        tenth.windows += 1;
        tenth.says += says;
        tenth.attacked += u64::from(is);
    }

    /// Each tenth in which there is a window, and the mean distance between what was stated and what was
    /// (expected calibration error).
    fn told(&self) -> Value {
        let all: u64 = self.0.iter().map(|tenth| tenth.windows).sum();
        let held = || self.0.iter().filter(|tenth| tenth.windows > 0);
        let tenths: Vec<_> = held()
            .map(|tenth| {
                let windows = tenth.windows as f64;
                let (says, was) = (tenth.says / windows, tenth.attacked as f64 / windows);
                json!({"windows": tenth.windows, "stated": says, "was": was})
            })
            .collect();
        let distance: f64 = held().map(|tenth| (tenth.says - tenth.attacked as f64).abs()).sum();
        json!({"reliability": tenths, "calibration_error": distance / all.max(1) as f64})
    }
}

/// What is true of a case, by its labels.
struct Truth {
    /// Requests of each window, and those of an attack among them.
    windows: BTreeMap<i64, (f64, f64)>,
    attackers: BTreeSet<String>,
    onset_ms: Option<i64>,
}

impl Truth {
    fn of(lines: &[Line]) -> Self {
        let mut windows = BTreeMap::<i64, (f64, f64)>::new();
        for line in lines {
            let window = windows.entry(line.at_ms / WINDOW_MS).or_default();
            window.0 += 1.0;
            window.1 += f64::from(u8::from(line.is_attack));
        }
        let attacks = || lines.iter().filter(|line| line.is_attack);
        let attackers = attacks().map(|line| line.source.clone()).collect();
        // A probe before the attack shows nothing yet.
        let first = windows.iter().find(|(_, (all, bad))| *bad >= ATTACKED_SHARE_MIN * all);
        let onset_ms = first.and_then(|(first, _)| {
            attacks().map(|line| line.at_ms).find(|at_ms| at_ms / WINDOW_MS >= *first)
        });
        Self { windows, attackers, onset_ms }
    }

    fn is_attacked(&self, window: i64) -> bool {
        self.windows.get(&window).is_some_and(|(all, bad)| *bad >= ATTACKED_SHARE_MIN * all)
    }

    /// How soon the attack was told, in seconds from its first line to the end of the first window called
    /// one; windows that were called one and are none; and those that are and were not.
    fn score(&self, told: &BTreeMap<i64, bool>) -> Value {
        let called = |window: &i64| told.get(window).copied().unwrap_or(false);
        let soon = self.onset_ms.and_then(|onset| {
            let first = self.windows.keys().find(|window| **window >= onset / WINDOW_MS && called(window))?;
            Some(((first + 1) * WINDOW_MS - onset) as f64 / 1_000.0)
        });
        let wrong =
            self.windows.keys().filter(|window| called(window) && !self.is_attacked(**window)).count();
        let missed =
            self.windows.keys().filter(|window| !called(window) && self.is_attacked(**window)).count();
        let windows = self.windows.len();
        json!({"told_after_s": soon, "called_wrongly": wrong, "missed": missed, "windows": windows})
    }

    /// Of the windows, in how many the share of requests lies in the stated range.
    fn held(&self, findings: &Findings) -> Value {
        let held = findings.windows.iter().filter(|window| {
            let (all, bad) = self.windows.get(&(window.span_ms().0 / WINDOW_MS)).copied().unwrap_or_default();
            let share = window.verdict(0).attack_share.requests;
            (share.low..=share.high).contains(&(bad / all.max(1.0)))
        });
        json!([held.count(), findings.windows.len()])
    }

    /// The mean square of how far the probability of an attack was from what is true (Brier 1950).
    fn brier(&self, findings: &Findings) -> f64 {
        let squares = self.chances(findings).map(|(says, is)| (says - f64::from(u8::from(is))).powi(2));
        squares.sum::<f64>() / findings.windows.len().max(1) as f64
    }

    /// Of each window the probability of an attack that is stated, and whether there was one.
    fn chances(&self, findings: &Findings) -> impl Iterator<Item = (f64, bool)> {
        findings.windows.iter().map(|window| {
            let verdict = window.verdict(0);
            let says = match verdict.kind.is_attack() {
                true => verdict.confidence,
                false => 1.0 - verdict.confidence,
            };
            (says, self.is_attacked(window.span_ms().0 / WINDOW_MS))
        })
    }

    fn red(&self, findings: &Findings) -> Value {
        let right = findings.red.iter().filter(|red| self.attackers.contains(&red.source)).count();
        json!({"attackers": self.attackers.len(), "named": right, "honest_named": findings.red.len() - right})
    }
}

fn by_window(lines: &[Line]) -> BTreeMap<i64, BTreeMap<&str, f64>> {
    let mut windows = BTreeMap::<i64, BTreeMap<&str, f64>>::new();
    for line in lines {
        *windows.entry(line.at_ms / WINDOW_MS).or_default().entry(&line.source).or_default() += 1.0;
    }
    windows
}

/// A threshold on the rate: more than three times the middle of what was before.
fn by_rate(lines: &[Line]) -> BTreeMap<i64, bool> {
    let mut before: Vec<f64> = Vec::new();
    let mut judge = |sources: BTreeMap<&str, f64>| {
        let requests: f64 = sources.values().sum();
        before.sort_by(f64::total_cmp);
        let is_more = before.len() >= 3 && requests > 3.0 * before[before.len() / 2];
        before.push(requests);
        is_more
    };
    by_window(lines).into_iter().map(|(window, sources)| (window, judge(sources))).collect()
}

/// A limit for each address, as nginx's `limit_req`: ten a second and twenty more, and an attack when one of
/// twenty requests is beyond it.
fn by_limit(lines: &[Line]) -> BTreeMap<i64, bool> {
    let judge = |sources: BTreeMap<&str, f64>| {
        let most = 10.0 * WINDOW_MS as f64 / 1_000.0 + 20.0;
        let (all, beyond) = sources.values().fold((0.0, 0.0), |(all, beyond), requests| {
            (all + requests, beyond + (requests - most).max(0.0))
        });
        beyond > 0.05 * all
    };
    by_window(lines).into_iter().map(|(window, sources)| (window, judge(sources))).collect()
}

/// The entropy of addresses: an attack when it leaves what was before by three deviations, summed up (CUSUM).
fn by_entropy(lines: &[Line]) -> BTreeMap<i64, bool> {
    let mut before: Vec<f64> = Vec::new();
    let mut sum = 0.0_f64;
    let mut judge = |sources: BTreeMap<&str, f64>| {
        let all: f64 = sources.values().sum();
        let bits: f64 = sources.values().map(|part| -(part / all) * (part / all).log2()).sum();
        let even = if sources.len() > 1 { bits / (sources.len() as f64).log2() } else { 1.0 };
        let count = before.len().max(1) as f64;
        let mean = before.iter().sum::<f64>() / count;
        let deviation = (before.iter().map(|one| (one - mean).powi(2)).sum::<f64>() / count).sqrt().max(0.01);
        let away = if before.len() < 3 { 0.0 } else { (even - mean).abs() / deviation };
        sum = (sum + away - 1.0).max(0.0);
        before.push(even);
        sum > 3.0
    };
    by_window(lines).into_iter().map(|(window, sources)| (window, judge(sources))).collect()
}
