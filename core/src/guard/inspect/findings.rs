//! What a log says, ready to be written.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::course::Course;
use super::judge::{Counts, Judge};
use super::sources::{Blame, Source, Sources};
use crate::guard::log::Skipped;
use crate::guard::visit::{Account, WINDOW_MS};
use crate::guard::{Kind, Verdict};
use crate::time::WallTime;

/// Windows that are written at most; of longer logs neighbours of one kind are put together.
const WINDOWS_MAX: usize = 20_000;
/// With more lines out of order nothing can be said.
const JUMBLED_SHARE_MAX: f64 = 0.05;
/// Below so many requests a log says nothing.
const REQUESTS_MIN: u64 = 20;
/// Of the attacked windows, so large a share with a crowd in them make both of the whole.
const BOTH_SHARE_MIN: f64 = 0.25;

/// A window that was judged, or several alike.
#[derive(Clone, Debug)]
pub struct Judged {
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) kind: Kind,
    pub(super) self_inflicted: bool,
    pub(super) counts: Counts,
    pub(super) usual: Option<u64>,
}

/// A source that would be shed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Blamed {
    /// Its address, its IPv6 network, or its name in the log.
    pub source: String,
    /// What it asked for while somebody attacked.
    pub requests: u64,
    /// What for.
    pub because: String,
}

/// What a log says.
#[derive(Clone, Debug)]
pub struct Findings {
    /// Lines that were counted.
    pub requests: u64,
    /// From the first line, in milliseconds since 1970.
    pub from_ms: i64,
    /// To the last.
    pub to_ms: i64,
    /// Of the whole.
    pub verdict: Verdict,
    /// Of every window in which somebody asked for something.
    pub windows: Vec<Judged>,
    /// Different sources.
    pub sources: u64,
    /// Of those, who is neither explained nor blamed.
    pub yellow: u64,
    /// Who would be shed; most requests first.
    pub red: Vec<Blamed>,
    /// Lines that were not counted, and why.
    pub skipped: BTreeMap<Skipped, u64>,
    /// How it went, in steps that can be drawn.
    pub course: Course,
}

pub(super) fn write(
    judge: Judge,
    sources: Sources,
    (requests, (from_ms, to_ms), skipped): (u64, (i64, i64), BTreeMap<Skipped, u64>),
) -> Findings {
    let (total, yellow) = (sources.total(), sources.doubted());
    let mut red: Vec<_> = sources.into_blamed().map(blamed).collect();
    red.sort_by(|one, other| other.requests.cmp(&one.requests).then_with(|| one.source.cmp(&other.source)));
    let of = |why| skipped.get(&why).copied().unwrap_or_default();
    let unread =
        Unread { jumbled: of(Skipped::OutOfOrder), other: of(Skipped::TooLong) + of(Skipped::Malformed) };
    let course = Course::of(&judge.judged);
    let windows = together(judge.judged);
    let verdict = whole(&windows, (requests, red.len() as u64, unread), from_ms);
    Findings { requests, from_ms, to_ms, verdict, windows, sources: total, yellow, red, skipped, course }
}

fn blamed((source, blame): (Source, Blame)) -> Blamed {
    let because = match blame.account {
        Account::Wrong => "broke the rules of HTTP, or held connections half open",
        _ => "asked for much more than anybody who listens, or for one thing and never to hear",
    };
    Blamed { source: source.to_string(), requests: blame.requests, because: because.to_owned() }
}

/// Of a long log, neighbours of one kind as one window.
fn together(windows: Vec<Judged>) -> Vec<Judged> {
    if windows.len() <= WINDOWS_MAX {
        return windows;
    }
    let mut together: Vec<Judged> = Vec::new();
    for window in windows {
        match together.last_mut() {
            Some(last) if (last.kind, last.self_inflicted) == (window.kind, window.self_inflicted) => {
                last.to = window.to;
                last.counts.plus(&window.counts);
            }
            _ => together.push(window),
        }
    }
    together
}

/// Lines that were not judged.
#[derive(Clone, Copy)]
struct Unread {
    jumbled: u64,
    other: u64,
}

impl Unread {
    /// Why nothing is to be said of what was read: for too much is not known.
    fn why(self, requests: u64, is_attack: bool) -> Option<String> {
        let Self { jumbled, other } = self;
        let all = requests + jumbled + other;
        if jumbled as f64 > JUMBLED_SHARE_MAX * (requests + jumbled) as f64 {
            return Some(format!(
                "{jumbled} of {all} lines are out of order and were not counted: sort the log by time, the \
                 oldest file first."
            ));
        }
        // Whoever attacks could write what nobody can read.
        (other > requests && !is_attack).then(|| {
            format!(
                "{other} of {all} lines could not be read as an access log's: of what they were nothing is \
                 known."
            )
        })
    }
}

/// The verdict of the whole: what was worst in it.
fn whole(windows: &[Judged], (requests, named, unread): (u64, u64, Unread), from_ms: i64) -> Verdict {
    let count = |of: fn(Kind) -> bool| windows.iter().filter(|window| of(window.kind)).count();
    let (attacked, both) = (count(Kind::is_attack), count(|kind| kind == Kind::Both));
    let kind = match (attacked, count(|kind| kind == Kind::Crowd), count(|kind| kind == Kind::Unknown)) {
        _ if requests < REQUESTS_MIN => Kind::Unknown,
        (1.., _, _) if both as f64 >= BOTH_SHARE_MIN * attacked as f64 => Kind::Both,
        (1.., _, _) => Kind::Attack,
        (0, crowded, untold) if crowded.max(untold) == 0 => Kind::Calm,
        (0, crowded, untold) if untold > crowded => Kind::Unknown,
        _ => Kind::Crowd,
    };
    let unknown = unread.why(requests, kind.is_attack());
    let kind = if unknown.is_some() { Kind::Unknown } else { kind };
    let is_of = |window: &&Judged| match kind {
        Kind::Attack | Kind::Both => window.kind.is_attack(),
        kind => window.kind == kind,
    };
    let mut counts = Counts::default();
    let chosen = || windows.iter().filter(is_of);
    chosen().for_each(|window| counts.plus(&window.counts));
    counts.name(named);
    let self_inflicted = windows.iter().any(|window| window.self_inflicted);
    let mut because = match chosen().max_by_key(|window| window.counts.requests) {
        Some(window) => counts_of(window, &counts).because(kind, window.usual),
        None => vec![format!("{requests} requests are too few to say anything.")],
    };
    if let Some(why) = unknown {
        because = vec![why];
    }
    if self_inflicted && !because.iter().any(|says| says.contains("our own")) {
        because
            .push("For some of the time our own errors were at fault for what was asked again.".to_owned());
    }
    let since = chosen().next().map_or(from_ms, |window| window.from * WINDOW_MS);
    Verdict {
        kind,
        self_inflicted,
        confidence: counts.confidence(kind),
        attack_share: counts.shares(),
        since: WallTime(since).rfc3339(),
        because,
    }
}

/// An attack is told by all of its windows, a crowd by its largest.
fn counts_of(window: &Judged, all: &Counts) -> Counts {
    if window.kind.is_attack() { *all } else { window.counts }
}

impl Judged {
    /// What is going on in it.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Requests in it.
    pub const fn requests(&self) -> u64 {
        self.counts.requests
    }

    /// From when to when, in milliseconds since 1970.
    pub const fn span_ms(&self) -> (i64, i64) {
        (self.from * WINDOW_MS, self.to * WINDOW_MS)
    }

    /// Its verdict, as `status` shows one.
    pub fn verdict(&self, since: i64) -> Verdict {
        Verdict {
            kind: self.kind,
            self_inflicted: self.self_inflicted,
            confidence: self.counts.confidence(self.kind),
            attack_share: self.counts.shares(),
            since: WallTime(since * WINDOW_MS).rfc3339(),
            because: self.counts.because(self.kind, self.usual),
        }
    }
}

impl Findings {
    /// The document of `tribune inspect --json`.
    pub fn document(&self) -> Value {
        let mut since = None;
        let mut windows = Vec::with_capacity(self.windows.len());
        for window in &self.windows {
            let before: Option<(Kind, i64)> = since.filter(|(kind, _)| *kind == window.kind);
            let (_, begun) = *since.insert(before.unwrap_or((window.kind, window.from)));
            let mut document = json!(window.verdict(begun));
            document["from"] = WallTime(window.from * WINDOW_MS).rfc3339().into();
            document["to"] = WallTime(window.to * WINDOW_MS).rfc3339().into();
            document["requests"] = window.counts.requests.into();
            windows.push(document);
        }
        let skipped: BTreeMap<_, _> =
            self.skipped.iter().map(|(why, count)| (why.to_string(), count)).collect();
        json!({
            "requests": self.requests,
            "from": WallTime(self.from_ms).rfc3339(),
            "to": WallTime(self.to_ms).rfc3339(),
            "verdict": self.verdict,
            "windows": windows,
            "sources": {"total": self.sources, "red": self.red.len(), "yellow": self.yellow},
            "red": self.red,
            "skipped": skipped,
        })
    }
}
