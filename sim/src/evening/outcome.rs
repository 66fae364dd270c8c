//! What came of an evening, in the words of the wire.

use serde::Serialize;
use serde_json::{Value, json};

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// Whether it was lived to its end.
    pub is_whole: bool,
    /// Seconds that were lived, from when the door opened.
    pub lived_s: u32,
    /// People who came.
    pub people: u64,
    /// Tickets that were drawn.
    pub tickets: u64,
    /// Most seats taken at once.
    pub seated_max: u64,
    /// People who had a seat at least once.
    pub seated: u64,
    /// Most seats there were.
    pub cap_max: u64,
    /// Seats that were given beyond a node's cap of that moment.
    pub over_cap: u64,
    /// Most listeners beyond what measured costs carry; the correction in service lets some in while
    /// nothing is late.
    pub beyond_measured: u64,
    /// Answers that came too late for anybody to wait for, or not at all.
    pub error_pages: u64,
    /// Requests put off: who asked keeps their place.
    pub put_off: u64,
    /// Requests where a ticket stands.
    pub polls: u64,
    /// Called, and found no free seat at that moment.
    pub found_full: u64,
    /// Waited to the end, and never had a seat.
    pub turned_away: u64,
    /// Waited no longer, and never had a seat.
    pub gave_up: u64,
    /// Took a ticket and never came back.
    pub never_came_back: u64,
    /// Never got so far as to have a ticket.
    pub no_ticket: u64,
    /// Tickets that were called and never claimed, as the books have it.
    pub never_claimed: u64,
    /// Hear the replay, because they were not in when it ended.
    pub replays: u64,
    /// Seconds after the announced start, or after the first who came if that was later, at which somebody
    /// heard the program; 0 when somebody did before. `None` when nobody ever did.
    pub started_late_s: Option<f64>,
    /// From when they came, or boarding began if that was later, to when they had a seat, in milliseconds.
    pub waited_ms: Spread,
    /// From when they asked for the program to the first sound, in milliseconds.
    pub first_sound_ms: Spread,
    /// Breaks of the sound longer than what a player holds, in milliseconds.
    pub gaps_ms: Spread,
    /// Whether the books balanced in every second, and agree with what happened.
    pub books_balanced: bool,
    /// Whether nobody was let in before their turn.
    pub order_kept: bool,
    /// What the guard said, each verdict once for as long as it held.
    pub verdicts: Vec<Held>,
    /// The evening in steps, for plots.
    pub course: Vec<Moment>,
    /// A hash over every answer of the rules.
    pub digest: String,
    /// What is wrong, if something is.
    pub wrong: Vec<String>,
}

/// A verdict for as long as it held.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Held {
    /// From when, in seconds from the start.
    pub from_s: i64,
    /// To when.
    pub to_s: i64,
    /// The word.
    pub kind: &'static str,
    /// Whether our own errors were at fault.
    pub self_inflicted: bool,
    /// How sure it was at most.
    pub confidence: f64,
}

/// One moment of an evening.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Moment {
    /// When, in seconds from the start.
    pub at_s: i64,
    /// Tickets drawn so far.
    pub tickets: u64,
    /// Tickets below this are called.
    pub now_serving: u64,
    /// Tickets neither claimed nor ended.
    pub waiting: u64,
    /// Seats taken; one that somebody left is kept for them for a minute.
    pub taken: u64,
    /// Listeners.
    pub listening: u64,
    /// Seats there are.
    pub cap: u64,
    /// The highest step of any node's ladder.
    pub ladder: u8,
    /// The longest that anybody would have waited for an answer, in milliseconds.
    pub answer_ms: u32,
}

/// Many times, of which the middle and the ends are told.
#[derive(Clone, Debug, Default)]
pub struct Spread(Vec<u32>);

impl Spread {
    /// One more.
    pub fn add(&mut self, one: u32) {
        self.0.push(one);
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// The longest.
    pub fn longest(&self) -> u32 {
        self.0.iter().copied().max().unwrap_or_default()
    }

    /// So many of a hundred are no longer than this; `None` when there are none.
    pub fn percentile(&mut self, percent: usize) -> Option<u32> {
        let at = self.0.len().checked_sub(1)? * percent / 100;
        Some(*self.0.select_nth_unstable(at).1)
    }

    fn document(&mut self, unit: f64) -> Value {
        let mut at = |percent| self.percentile(percent).map(|one| f64::from(one) / unit);
        json!({"p50": at(50), "p90": at(90), "p99": at(99), "max": at(100)})
    }
}

/// What is told beside an outcome.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The scenario's title.
    pub title: &'a str,
    /// Which evening of it.
    pub seed: u64,
    /// People who were to come.
    pub people: u32,
    /// Nodes.
    pub nodes: u16,
    /// How long it took to live it, in seconds.
    pub wall_s: f64,
    /// The most memory that it took, in MB.
    pub rss_max_mb: f64,
    /// Where the scenario's figures come from.
    pub sources: &'a [String],
    /// What was assumed.
    pub assumed: &'a [String],
    /// By what the costs were measured.
    pub measured_from: &'a str,
}

impl Outcome {
    /// The document of `tribune simulate --json`.
    pub fn document(&mut self, about: &About<'_>) -> Value {
        let waited_s = self.waited_ms.document(1_000.0);
        let first_sound_ms = self.first_sound_ms.document(1.0);
        json!({
            "scenario": about.title,
            "seed": about.seed,
            "simulated": true,
            "whole": self.is_whole,
            "lived_s": self.lived_s,
            "people": about.people,
            "came": self.people,
            "nodes": about.nodes,
            "wall_s": (about.wall_s * 1_000.0).round() / 1_000.0,
            "rss_max_mb": (about.rss_max_mb * 10.0).round() / 10.0,
            "started_late_s": self.started_late_s,
            "tickets": self.tickets,
            "seated": self.seated,
            "seated_max": self.seated_max,
            "cap_max": self.cap_max,
            "over_cap": self.over_cap,
            "beyond_measured": self.beyond_measured,
            "error_pages": self.error_pages,
            "put_off": self.put_off,
            "polls": self.polls,
            "found_full": self.found_full,
            "turned_away": self.turned_away,
            "gave_up": self.gave_up,
            "never_came_back": self.never_came_back,
            "no_ticket": self.no_ticket,
            "never_claimed": self.never_claimed,
            "replays": self.replays,
            "waited_s": waited_s,
            "first_sound_ms": first_sound_ms,
            "gaps": {"count": self.gaps_ms.count(), "longest_ms": self.gaps_ms.longest()},
            "books_balanced": self.books_balanced,
            "order_kept": self.order_kept,
            "verdicts": self.verdicts,
            "course": self.course,
            "sources": about.sources,
            "assumed": about.assumed,
            "measured_from": about.measured_from,
            "wrong": self.wrong,
            "digest": self.digest,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_tells_its_middle_and_its_ends() {
        let mut spread = Spread::default();
        assert_eq!(spread.percentile(50), None);
        (0..=100).rev().for_each(|one| spread.add(one));
        let told: Vec<_> = [0, 50, 90, 99, 100].map(|percent| spread.percentile(percent)).to_vec();
        assert_eq!(told, [Some(0), Some(50), Some(90), Some(99), Some(100)]);
        assert_eq!((spread.count(), spread.longest()), (101, 100));
    }
}
