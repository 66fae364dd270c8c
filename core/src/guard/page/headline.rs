//! One sentence that says it all, and no more than the numbers do.

use crate::guard::inspect::{Counts, Findings};
use crate::guard::{AttackShare, Kind};

use super::words::{PERCENT, at_least, at_most, count, grouped};

/// Beyond this share that may be an attack's, nobody says that there is no sign of one.
const TOLD_MAX: f64 = 0.5;
/// Fewer times the usual is no number to put into a headline.
const TIMES_MIN: u64 = 13;
const TIMES_OF: u64 = 10;

/// The findings in one sentence.
pub fn of(findings: &Findings) -> String {
    let verdict = &findings.verdict;
    let shares = &verdict.attack_share;
    let ours = verdict.self_inflicted;
    match verdict.kind {
        Kind::Calm => format!(
            "{}: {}.",
            if ours { "It was calm but for our own errors" } else { "It was calm" },
            calm(shares)
        ),
        Kind::Crowd => {
            format!("{}: {}{}.", partly("It was a crowd", ours), crowd(findings), not_attack(shares))
        }
        Kind::Attack => format!("{}: {}.", partly("It was an attack", ours), attack(shares, "it")),
        Kind::Both => {
            format!(
                "{}: {}.",
                partly("It was a crowd and an attack at once", ours),
                attack(shares, "the attack")
            )
        }
        Kind::Unknown if ours => {
            "It cannot be told whether a crowd came or an attack; partly it was our own fault.".to_owned()
        }
        Kind::Unknown => "It cannot be told whether a crowd came, an attack, or neither.".to_owned(),
    }
}

/// The class that colours a verdict.
pub const fn class(kind: Kind) -> &'static str {
    match kind {
        Kind::Calm => "k-calm",
        Kind::Crowd => "k-crowd",
        Kind::Attack => "k-attack",
        Kind::Both => "k-both",
        Kind::Unknown => "k-unknown",
    }
}

/// So many people.
pub fn people(number: u64) -> String {
    if number == 1 { "1 person".to_owned() } else { format!("{} people", grouped(number)) }
}

fn partly(says: &str, ours: bool) -> String {
    if ours { format!("{says}, and partly our own fault") } else { says.to_owned() }
}

/// What is taken most surely: of the requests if it can be said of them, for they are what is counted best.
fn attack(shares: &AttackShare, it: &str) -> String {
    let least = Counts::ATTACK_SHARE_MIN;
    let (range, of, nobodys) = if shares.requests.low >= least {
        (shares.requests, "of the requests", "were nobody’s who listens")
    } else if shares.connection_seconds.low >= least {
        (shares.connection_seconds, "of the time of answering", "went to nobody who listens")
    } else if shares.newcomers.low >= least {
        (shares.newcomers, "of those who came", "never did what people come for")
    } else {
        (shares.requests, "of the requests", "were nobody’s who listens")
    };
    let (low, high) = (at_least(range.low), at_most(range.high));
    format!("while {it} lasted, at least {low}{PERCENT} {of}, and at most {high}{PERCENT}, {nobodys}")
}

fn crowd(findings: &Findings) -> String {
    let Some(fullest) = findings.course.fullest else { return "more people than usual".to_owned() };
    let here = fullest.value as u64;
    match fullest.usual {
        Some(0) => format!("up to {} at a time where nobody is usual", people(here)),
        Some(usual) if here.saturating_mul(TIMES_OF) >= usual.saturating_mul(TIMES_MIN) => {
            let verb = if usual == 1 { "is" } else { "are" };
            format!("up to {} at a time where {} {verb} usual", people(here), grouped(usual))
        }
        Some(_) | None => format!("up to {} at a time, more than before", people(here)),
    }
}

fn not_attack(shares: &AttackShare) -> String {
    let range = shares.requests;
    let (low, high) = (at_least(range.low), at_most(range.high));
    if range.high > TOLD_MAX {
        format!("; of up to {high}{PERCENT} of the requests it cannot be told whose they are")
    } else if range.low > 0.0 {
        format!(
            "; {low} to {high}{PERCENT} of the requests were nobody’s who listens, too few to be called an \
             attack"
        )
    } else {
        format!("; no sign of an attack larger than {high}{PERCENT} of the requests")
    }
}

fn calm(shares: &AttackShare) -> String {
    format!("no more people than usual{}", not_attack(shares))
}

/// For how long something was so, in windows.
pub fn windows(of: u64, all: u64) -> String {
    format!("{} of {}", grouped(of), count(all, "window"))
}
