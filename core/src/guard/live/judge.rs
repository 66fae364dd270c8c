//! The verdict over the last seconds.

use serde::{Deserialize, Serialize};

use super::account::{Account, Unit};
use super::second::Second;
use crate::guard::share::Range;
use crate::guard::{AttackShare, Kind, Verdict};
use crate::time::WallTime;

/// Of honest newcomers at least so many become listeners: whoever opens a page may also read it. In the
/// windows measured it was 0.78 to 1.00, of clients that came to listen.
const BECOME_MIN: f64 = 0.7;
/// What may be put to a wrong account, as a share.
const SLACK: f64 = 0.05;
/// Below this share nobody speaks of an attack.
const SHARE_MIN: f64 = 0.15;
/// Nor below so many requests a second, or connections held at a time.
const REQUESTS_PER_S_MIN: f64 = 10.0;
const CONNECTIONS_MIN: u64 = 30;
/// Newcomers of whom a share says something.
pub(super) const NEWCOMERS_MIN: u64 = 20;
/// Beyond this our own errors are at fault for what is asked again.
const OURS_SHARE_MIN: f64 = 0.3;
const ERRORS_SHARE_MIN: f64 = 0.1;
const ERRORS_MIN: u64 = 10;
/// From this share on nobody can tell.
const UNTOLD_SHARE_MIN: f64 = 0.5;
const UNTOLD_MIN: u64 = 20;
/// Seconds in a row until a verdict is raised, and until it is lowered.
const RAISE: u32 = 2;
const CLEAR: u32 = 6;

/// What is to be judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// The end, in milliseconds of the node's clock.
    pub at_ms: u64,
    /// The last seconds together.
    pub sum: Second,
    /// How many they are.
    pub seconds: u64,
    /// Newcomers of whom it is known: who became a listener, and all.
    pub became: u64,
    /// All.
    pub came: u64,
    /// They came so many a second.
    pub came_per_s: f64,
    /// And those of whom it is not known yet, so many.
    pub young_per_s: f64,
    /// People who are here.
    pub people: u64,
    /// How many are usual.
    pub usual: Option<u64>,
    /// Whether that is more than usual.
    pub is_surge: bool,
}

/// What began when, since it was calm for the last time: milliseconds of the node's clock. The order tells a
/// node that broke by itself from one that was broken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Onset {
    /// More people than usual.
    pub surge_ms: Option<u64>,
    /// An error of ours.
    pub error_ms: Option<u64>,
    /// Something that breaks the rules.
    pub violation_ms: Option<u64>,
    /// Requests that nothing explains.
    pub unexplained_ms: Option<u64>,
}

/// What an attack is, at least and at most, among newcomers of whom `became` of `came` became listeners.
pub(super) fn attack_of_newcomers((became, came): (u64, u64)) -> Range {
    if came < NEWCOMERS_MIN {
        return Range::ALL;
    }
    let share = Range::seen(became, came);
    Range::new(1.0 - share.high / BECOME_MIN, 1.0 - share.low)
}

/// What is judged: the last seconds, and the later half of them. An attack is in both, or it is over.
#[derive(Clone, Copy, Debug)]
pub(super) struct Looks {
    /// The last ten seconds.
    pub long: Seen,
    /// The last five.
    pub short: Seen,
}

impl Looks {
    fn kind(&self) -> Kind {
        match self.long.kind() {
            kind if kind.is_attack() && !self.short.is_attacked() => self.long.kind_without_attack(),
            kind => kind,
        }
    }

    /// What an attack takes, whichever of the two it is asked of.
    fn shares(&self) -> AttackShare {
        let (long, short) = (self.long.shares(), self.short.shares());
        let both = |one: Range, other: Range| Range::new(one.low.min(other.low), one.high.max(other.high));
        AttackShare {
            requests: both(long.requests, short.requests),
            newcomers: long.newcomers,
            connection_seconds: both(long.connection_seconds, short.connection_seconds),
        }
    }
}

/// The verdict so far, and what speaks against it.
#[derive(Debug, Default)]
pub(super) struct Judge {
    said: Option<(Kind, WallTime)>,
    other: Option<(Kind, u32)>,
    because: Vec<String>,
    /// What began when.
    pub onset: Onset,
}

impl Judge {
    /// A second is over.
    pub fn second(&mut self, wall: WallTime, looks: &Looks) -> Verdict {
        let (raw, seen) = (looks.kind(), &looks.long);
        let (kind, since) = self.settled(raw, wall);
        self.onset.see(kind, seen);
        // While a verdict is only not lowered yet, it rests on what was seen before.
        if raw == kind || self.because.is_empty() {
            self.because = seen.because(kind);
        }
        Verdict {
            kind,
            self_inflicted: seen.is_our_fault(),
            confidence: seen.confidence(kind, raw),
            attack_share: looks.shares(),
            since: since.rfc3339(),
            because: self.because.clone(),
        }
    }

    /// Two seconds in a row raise a verdict, six lower it.
    fn settled(&mut self, raw: Kind, wall: WallTime) -> (Kind, WallTime) {
        let Some((kind, since)) = self.said else {
            self.said = Some((raw, wall));
            return (raw, wall);
        };
        if raw == kind {
            self.other = None;
            return (kind, since);
        }
        let times = match self.other {
            Some((other, times)) if other == raw => times + 1,
            _ => 1,
        };
        if times >= if weight(raw) > weight(kind) { RAISE } else { CLEAR } {
            self.other = None;
            self.said = Some((raw, wall));
            return (raw, wall);
        }
        self.other = Some((raw, times));
        (kind, since)
    }
}

const fn weight(kind: Kind) -> u8 {
    match kind {
        Kind::Calm => 0,
        Kind::Unknown => 1,
        Kind::Crowd => 2,
        Kind::Attack => 3,
        Kind::Both => 4,
    }
}

impl Onset {
    fn see(&mut self, kind: Kind, seen: &Seen) {
        let is_calm = kind == Kind::Calm && seen.sum.errors == 0 && seen.blamed(Unit::Requests) == 0;
        if is_calm {
            *self = Self::default();
        }
        let mut note = |began: fn(&mut Self) -> &mut Option<u64>, is: bool| {
            if is {
                began(self).get_or_insert(seen.at_ms);
            }
        };
        note(|onset| &mut onset.surge_ms, seen.is_surge);
        note(|onset| &mut onset.error_ms, seen.sum.errors > 0);
        let violations = Unit::ALL.map(|unit| seen.sum.sums.get(unit, Account::Violation));
        note(|onset| &mut onset.violation_ms, violations.into_iter().sum::<u64>() > 0);
        note(|onset| &mut onset.unexplained_ms, seen.sum.sums.get(Unit::Requests, Account::Unexplained) > 0);
    }
}

impl Seen {
    const fn blamed(&self, unit: Unit) -> u64 {
        self.sum.sums.blamed(unit)
    }

    /// What was looked at: without what was shed, of which nobody knows whose it was.
    fn looked_at(&self, unit: Unit) -> u64 {
        self.sum.sums.total(unit) - self.sum.sums.get(unit, Account::Shed)
    }

    /// What an attack takes.
    fn shares(&self) -> AttackShare {
        let sums = &self.sum.sums;
        let newcomers = attack_of_newcomers((self.became, self.came));
        let requests = self.looked_at(Unit::Requests);
        let blamed = self.blamed(Unit::Requests) as f64 + self.sum.doubted;
        let unseen = sums.get(Unit::Requests, Account::Unseen);
        let young = sums.get(Unit::Requests, Account::Newcomer).saturating_sub(self.sum.silent) as f64;
        let young = young * newcomers.high.max(self.more_than_before());
        let silent = self.sum.silent as f64 - self.sum.doubted;
        let ours = sums.get(Unit::Requests, Account::OurDoing) as f64;
        let unsure = unseen as f64 + young + silent.max(0.0) + self.sum.owed as f64 + ours;
        let held = self.looked_at(Unit::ConnectionSeconds);
        let held_unsure = sums.get(Unit::ConnectionSeconds, Account::Unseen)
            + sums.get(Unit::ConnectionSeconds, Account::Newcomer);
        AttackShare {
            requests: Range::of(blamed, unsure, requests as f64, SLACK),
            newcomers,
            connection_seconds: Range::of(
                self.blamed(Unit::ConnectionSeconds) as f64,
                held_unsure as f64,
                held as f64,
                SLACK,
            ),
        }
    }

    /// Of those who have just come, the share that is more than came before them: nothing is known of it.
    fn more_than_before(&self) -> f64 {
        1.0 - (self.came_per_s / self.young_per_s.max(f64::MIN_POSITIVE)).min(1.0)
    }

    /// The largest share that an attack takes of anything for certain.
    fn certain(&self) -> f64 {
        let shares = self.shares();
        let time = if self.holds() { shares.connection_seconds.low } else { 0.0 };
        shares.requests.low.max(self.certain_newcomers()).max(time).max(self.certain_handshakes())
    }

    /// The share of handshakes that failed, where they are many.
    fn certain_handshakes(&self) -> f64 {
        if !self.fails_handshakes() {
            return 0.0;
        }
        let all = self.looked_at(Unit::Handshakes) as f64;
        let unsure = self.sum.sums.get(Unit::Handshakes, Account::Unseen) as f64;
        Range::of(self.blamed(Unit::Handshakes) as f64, unsure, all, SLACK).low
    }

    /// Whether handshakes fail in earnest: each costs what a thousand requests do.
    fn fails_handshakes(&self) -> bool {
        self.per_s(self.blamed(Unit::Handshakes) as f64) >= REQUESTS_PER_S_MIN
    }

    fn certain_newcomers(&self) -> f64 {
        if self.came >= NEWCOMERS_MIN { self.shares().newcomers.low } else { 0.0 }
    }

    fn per_s(&self, count: f64) -> f64 {
        count / self.seconds.max(1) as f64
    }

    /// Whether connections are held in earnest.
    fn holds(&self) -> bool {
        self.per_s(self.blamed(Unit::ConnectionSeconds) as f64) >= CONNECTIONS_MIN as f64
    }

    fn is_attacked(&self) -> bool {
        let young = self.sum.sums.get(Unit::Requests, Account::Newcomer) as f64;
        let requests =
            self.blamed(Unit::Requests) as f64 + self.sum.doubted.max(self.certain_newcomers() * young);
        let is_much = self.per_s(requests) >= REQUESTS_PER_S_MIN;
        (is_much || self.holds() || self.fails_handshakes()) && self.certain() >= SHARE_MIN
    }

    fn is_our_fault(&self) -> bool {
        let all = self.sum.sums.total(Unit::Requests) as f64;
        let errors = self.sum.errors >= ERRORS_MIN && self.sum.errors as f64 >= ERRORS_SHARE_MIN * all;
        let ours = self.sum.sums.get(Unit::Requests, Account::OurDoing);
        let again = self.sum.errors > 0 && ours >= ERRORS_MIN && ours as f64 > OURS_SHARE_MIN * all;
        errors || again
    }

    fn is_untold(&self) -> bool {
        let unseen = self.sum.sums.get(Unit::Requests, Account::Unseen);
        unseen >= UNTOLD_MIN && unseen as f64 > UNTOLD_SHARE_MIN * self.sum.sums.total(Unit::Requests) as f64
    }

    fn kind(&self) -> Kind {
        match (self.is_attacked(), self.is_surge) {
            _ if self.is_untold() => Kind::Unknown,
            (true, true) => Kind::Both,
            (true, false) => Kind::Attack,
            (false, _) => self.kind_without_attack(),
        }
    }

    const fn kind_without_attack(&self) -> Kind {
        if self.is_surge { Kind::Crowd } else { Kind::Calm }
    }

    /// How often such a verdict is right: surer the further it is from what would change it.
    fn confidence(&self, kind: Kind, raw: Kind) -> f64 {
        let clear = ((self.certain() - SHARE_MIN) / (0.5 - SHARE_MIN)).clamp(0.0, 1.0);
        let sure = match kind {
            Kind::Attack => 0.8 + 0.18 * clear,
            Kind::Both => 0.75 + 0.2 * clear,
            Kind::Crowd => 0.9,
            Kind::Calm => 0.97,
            Kind::Unknown => 0.5,
        };
        // It is about to change.
        let sure = if raw.is_attack() == kind.is_attack() { sure } else { sure.min(0.5) };
        (sure * 100.0).round() / 100.0
    }

    /// Why, the heaviest first.
    fn because(&self, kind: Kind) -> Vec<String> {
        let mut because = Vec::new();
        let sums = &self.sum.sums;
        let all = sums.total(Unit::Requests);
        if self.holds() {
            let held = self.per_s(self.blamed(Unit::ConnectionSeconds) as f64).round();
            because.push(format!("{held} connections are held open by nobody who listens."));
        }
        if self.fails_handshakes() {
            because.push(format!(
                "{} of {} handshakes failed, or were of who breaks the rules, in {} s.",
                self.blamed(Unit::Handshakes),
                sums.total(Unit::Handshakes),
                self.seconds
            ));
        }
        if self.blamed(Unit::Requests) > 0 && kind != Kind::Calm {
            let unexplained = sums.get(Unit::Requests, Account::Unexplained);
            let wrong = sums.get(Unit::Requests, Account::Violation);
            let says = format!(
                "In {} s nobody who listens, comes or was refused explains {unexplained} of {all} requests, \
                 and {wrong} broke the rules.",
                self.seconds
            );
            let shares = self.shares();
            let is_heavier = shares.requests.low >= shares.connection_seconds.low;
            because.insert(if is_heavier { 0 } else { because.len() }, says);
        }
        if self.came >= NEWCOMERS_MIN && kind != Kind::Calm {
            let share = Range::seen(self.became, self.came);
            because.push(format!(
                "{} of {} newcomers became listeners: {:.0} to {:.0} %.",
                self.became,
                self.came,
                100.0 * share.low,
                100.0 * share.high
            ));
        }
        if let (Kind::Crowd | Kind::Both, Some(usual)) = (kind, self.usual) {
            because.push(format!("{} people are here where {usual} are usual.", self.people));
        }
        if self.is_our_fault() {
            let ours = sums.get(Unit::Requests, Account::OurDoing);
            because.push(format!(
                "We answered {} requests with errors of our own, and {ours} of {all} came again because of \
                 us: that is our doing.",
                self.sum.errors
            ));
        }
        if kind == Kind::Unknown {
            because.push(self.why_untold());
        }
        let ours = sums.get(Unit::Requests, Account::OurDoing);
        if because.is_empty() && ours as f64 > UNTOLD_SHARE_MIN * all as f64 {
            because.push(format!(
                "No more people than usual. {ours} of {all} requests come from who was told to wait or \
                 refused, and come again: of who they are nothing is known."
            ));
        }
        if because.is_empty() {
            because.push("No more people than usual, and who listens explains what is asked.".to_owned());
        }
        because
    }

    fn why_untold(&self) -> String {
        if self.sum.forwarded as f64 > UNTOLD_SHARE_MIN * self.sum.sums.total(Unit::Requests) as f64 {
            return "Most requests come through a proxy that is not trusted here, so nobody can be told \
                    apart: name it with --trusted-proxy."
                .to_owned();
        }
        "Most requests come from more sources than can be remembered, so few could be told apart.".to_owned()
    }
}
