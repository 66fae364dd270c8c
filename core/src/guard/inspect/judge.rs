//! Sums of one window, and the verdict they lead to.

use std::collections::{BTreeMap, VecDeque};

use crate::guard::share::Range;
use crate::guard::surge::Surge;
use crate::guard::visit::{Account, Site, Visit, WINDOW_MS};
use crate::guard::{AttackShare, Kind};

use super::findings::Judged;

/// Of honest newcomers, at least so many become listeners (0.78 to 1.00 in the windows measured; mostly
/// 0.96).
const BECOME_MIN: f64 = 0.85;
/// What may be put to a wrong account, as a share of requests and of time.
const SLACK: f64 = 0.03;
const SLACK_TIME: f64 = 0.05;
/// Below this share nobody speaks of an attack.
const SHARE_MIN: f64 = 0.15;
/// Nor below so many requests a second, or connections held at a time.
const REQUESTS_PER_S_MIN: u64 = 10;
const CONNECTIONS_MIN: u64 = 30;
/// Newcomers of whom a share says something.
const NEWCOMERS_MIN: u64 = 20;
/// Of all requests, and so many at least: beyond it our own errors are at fault for what is asked again.
const OURS_SHARE_MIN: f64 = 0.3;
const ERRORS_SHARE_MIN: f64 = 0.1;
const ERRORS_MIN: u64 = 10;
/// From this share on nobody can tell.
const UNTOLD_SHARE_MIN: f64 = 0.5;
const UNTOLD_MIN: u64 = 20;
/// When so large a share of the newcomers of the last minute never became listeners, what they still ask
/// for is explained by nothing.
const MOSTLY_NOT: f64 = 0.5;
const WINDOWS_REMEMBERED: usize = 12;
/// And only if they ask more often than who waits for something, in a thousand seconds each.
const IDLE_PER_KS: u64 = 500;
/// Ten minutes.
const WINDOWS_SLOW: i64 = 120;
/// Milliseconds of answering below which time says nothing: a millisecond each, as logs round it.
const TIME_MS_MIN: u64 = 1_000;

/// Sums of one window, or of several.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Requests.
    pub requests: u64,
    ours: u64,
    unsure: u64,
    idle: u64,
    idle_sources: u64,
    many: u64,
    unexplained: u64,
    wrong: u64,
    /// Milliseconds their answers took.
    took_ms: u64,
    blamed_ms: u64,
    unsure_ms: u64,
    /// Errors told to whom nothing is to be blamed for.
    errors: u64,
    /// Sources that listen, come, or come again because of us.
    people: u64,
    /// Sources to blame; of several windows nobody knows how many.
    blamed: u64,
    /// Who came in it and was served, and of them who became a listener.
    came: u64,
    became: u64,
}

impl Counts {
    /// A source's part in a window.
    pub fn add(&mut self, visit: &Visit, window: i64, account: Account, site: Site) {
        let told = visit.told_in(window);
        self.requests += told.requests;
        self.took_ms += told.took_ms;
        match account {
            Account::Listener | Account::Newcomer => {}
            Account::OurDoing => self.ours += told.requests,
            Account::Unsure => self.unsure += told.requests,
            Account::Idle => self.idle += told.requests,
            Account::Many => self.many += told.requests,
            Account::Unexplained => self.unexplained += told.requests,
            Account::Wrong => self.wrong += told.requests,
        }
        match account {
            Account::Idle => self.idle_sources += 1,
            Account::Unexplained | Account::Wrong => {
                self.blamed += 1;
                self.blamed_ms += told.took_ms;
            }
            Account::Listener | Account::Newcomer | Account::OurDoing => {
                self.people += visit.people_in(window);
            }
            Account::Unsure | Account::Many => {}
        }
        if !account.is_blamed() {
            self.errors += told.refused;
        }
        if matches!(account, Account::Unsure | Account::Idle | Account::Many) {
            self.unsure_ms += told.took_ms;
        }
        // Whoever we refused did not choose what became of them, unless they broke the rules.
        if visit.came_in(window) && (account == Account::Wrong || !visit.was_refused()) {
            self.came += 1;
            self.became += u64::from(!account.is_blamed() && visit.became_one(site));
        }
    }

    /// So many different sources are to blame.
    pub const fn name(&mut self, sources: u64) {
        self.blamed = sources;
    }

    /// Another window's.
    pub fn plus(&mut self, other: &Self) {
        for (sum, more) in [
            (&mut self.requests, other.requests),
            (&mut self.ours, other.ours),
            (&mut self.unsure, other.unsure),
            (&mut self.idle, other.idle),
            (&mut self.idle_sources, other.idle_sources),
            (&mut self.many, other.many),
            (&mut self.unexplained, other.unexplained),
            (&mut self.wrong, other.wrong),
            (&mut self.took_ms, other.took_ms),
            (&mut self.blamed_ms, other.blamed_ms),
            (&mut self.unsure_ms, other.unsure_ms),
            (&mut self.errors, other.errors),
            (&mut self.came, other.came),
            (&mut self.became, other.became),
        ] {
            *sum += more;
        }
        // The same people are in many windows.
        self.people = self.people.max(other.people);
    }

    /// What an attack takes.
    pub fn shares(&self) -> AttackShare {
        let blamed = self.unexplained + self.wrong;
        // Who comes again after a refusal may be people, or a flood that was refused.
        let unsure = (self.unsure + self.idle + self.many + self.ours) as f64;
        let became = Range::seen(self.became, self.came);
        AttackShare {
            requests: Range::of(blamed as f64, unsure, self.requests as f64, SLACK),
            newcomers: match self.came {
                0 => Range::ALL,
                _ => Range::new(1.0 - became.high / BECOME_MIN, 1.0 - became.low),
            },
            connection_seconds: match self.took_ms {
                0..TIME_MS_MIN => Range::ALL,
                took => Range::of(self.blamed_ms as f64, self.unsure_ms as f64, took as f64, SLACK_TIME),
            },
        }
    }

    /// The largest share that an attack takes of anything for certain.
    fn certain(&self) -> f64 {
        let shares = self.shares();
        let newcomers = if self.came >= NEWCOMERS_MIN { shares.newcomers.low } else { 0.0 };
        let time = if self.holds() { shares.connection_seconds.low } else { 0.0 };
        shares.requests.low.max(newcomers).max(time)
    }

    /// Whether connections are held in earnest.
    fn holds(&self) -> bool {
        let requests = self.unexplained + self.wrong;
        requests >= CONNECTIONS_MIN && self.blamed_ms >= CONNECTIONS_MIN * WINDOW_MS as u64
    }

    fn is_attacked(&self) -> bool {
        let is_much = self.unexplained + self.wrong >= REQUESTS_PER_S_MIN * WINDOW_MS as u64 / 1_000;
        (is_much || self.holds()) && self.certain() >= SHARE_MIN
    }

    fn is_our_fault(&self) -> bool {
        let all = self.requests as f64;
        let errors = self.errors >= ERRORS_MIN && self.errors as f64 >= ERRORS_SHARE_MIN * all;
        errors || (self.ours >= ERRORS_MIN && self.ours as f64 > OURS_SHARE_MIN * all)
    }

    fn is_untold(&self) -> bool {
        let is_most = |part: u64| part >= UNTOLD_MIN && part as f64 > UNTOLD_SHARE_MIN * self.requests as f64;
        let untold = self.unsure + self.idle;
        let is_much = untold >= REQUESTS_PER_S_MIN * WINDOW_MS as u64 / 1_000;
        is_most(self.many) || (is_much && is_most(untold))
    }

    /// Why, the heaviest first. `usual` is how many are.
    pub fn because(&self, kind: Kind, usual: Option<u64>) -> Vec<String> {
        let mut because = Vec::new();
        let blamed = self.unexplained + self.wrong;
        if kind.is_attack() {
            let sources = match self.blamed {
                0 => "sources".to_owned(),
                1 => "one source".to_owned(),
                many => format!("{many} sources"),
            };
            because.push(format!(
                "{blamed} of {} requests came from {sources} that no listener explains.",
                self.requests
            ));
            if self.holds() {
                let seconds = self.blamed_ms / 1_000;
                because.push(format!("They held connections open for {seconds} seconds together."));
            }
            if self.wrong > 0 {
                because.push(format!("{} of them broke the rules or were left half open.", self.wrong));
            }
        }
        if self.came >= NEWCOMERS_MIN && kind != Kind::Calm {
            let share = Range::seen(self.became, self.came);
            because.push(format!(
                "{} of {} newcomers did what people come for, they heard, or where there is nothing to hear \
                 looked further: {:.0} to {:.0} %.",
                self.became,
                self.came,
                100.0 * share.low,
                100.0 * share.high
            ));
        }
        if matches!(kind, Kind::Crowd | Kind::Both)
            && let Some(usual) = usual
        {
            because.push(format!("{} people are here where {usual} are usual.", self.people));
        }
        if self.is_our_fault() {
            because.push(format!(
                "{} of {} requests came from people who got errors of our own: coming again after that is \
                 our doing.",
                self.ours, self.requests
            ));
        }
        if kind == Kind::Unknown {
            because.push(match self.many > self.unsure + self.idle {
                true => {
                    "Most came through an address that speaks for many, and what lies behind it cannot be \
                         told apart: it may be a proxy."
                        .to_owned()
                }
                false => format!(
                    "{} of {} requests may be somebody's who comes to hear, and may not.",
                    self.unsure + self.idle,
                    self.requests
                ),
            });
        }
        if because.is_empty() {
            because.push("No more people than usual, and who listens explains what was asked.".to_owned());
        }
        because
    }

    /// How often such a verdict is right: surer the further it is from what would change it.
    pub fn confidence(&self, kind: Kind) -> f64 {
        let clear = ((self.certain() - SHARE_MIN) / (0.5 - SHARE_MIN)).clamp(0.0, 1.0);
        match kind {
            Kind::Attack => 0.8 + 0.18 * clear,
            Kind::Both => 0.75 + 0.2 * clear,
            Kind::Crowd => 0.9,
            Kind::Calm if self.requests < UNTOLD_MIN => 0.9,
            Kind::Calm => 0.97,
            Kind::Unknown => 0.5,
        }
    }
}

/// Requests by what explains them. Together they are all requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Accounts {
    /// By listeners, and by who has just come.
    pub explained: u64,
    /// By our own refusals.
    pub ours: u64,
    /// By nothing, yet they may be somebody's.
    pub unsure: u64,
    /// Of who could have begun to hear and did not; too few to put them to nothing.
    pub idle: u64,
    /// Of addresses that speak for many.
    pub many: u64,
    /// By nothing.
    pub unexplained: u64,
    /// They break the rules, or hold connections open.
    pub wrong: u64,
}

impl Counts {
    /// From which share on, for certain, an attack is spoken of.
    pub const ATTACK_SHARE_MIN: f64 = SHARE_MIN;
    /// Nor is it below so many requests a second that nothing explains.
    pub const ATTACK_PER_S_MIN: u64 = REQUESTS_PER_S_MIN;
    /// Nor below so many connections held.
    pub const ATTACK_CONNECTIONS_MIN: u64 = CONNECTIONS_MIN;
    /// From which share of errors on, and of requests by who got them, it is our own fault.
    pub const OUR_FAULT_SHARES_MIN: (f64, f64) = (ERRORS_SHARE_MIN, OURS_SHARE_MIN);

    /// Its requests by what explains them.
    pub const fn accounts(&self) -> Accounts {
        let Self { requests, ours, unsure, idle, many, unexplained, wrong, .. } = *self;
        let others = ours + unsure + idle + many + unexplained + wrong;
        Accounts { explained: requests.saturating_sub(others), ours, unsure, idle, many, unexplained, wrong }
    }

    /// Sources that listen, come, or come again because of us, and those that may be thinking about it.
    pub const fn people(&self) -> u64 {
        self.people
    }

    /// The largest share of anything that an attack takes for certain.
    pub fn certain_share(&self) -> f64 {
        self.certain()
    }
}

/// Windows, one after another.
#[derive(Debug, Default)]
pub struct Judge {
    /// People of a window.
    soon: Surge,
    /// People of ten minutes, for places where few come.
    slow: Surge,
    people: VecDeque<(i64, u64)>,
    begun: Option<i64>,
    /// The verdicts so far.
    pub judged: Vec<Judged>,
    /// Whether the window that comes is not over.
    pub is_cut_off: bool,
    /// Requests of whom no place was left for.
    untracked: BTreeMap<i64, u64>,
    /// Of the last windows, who came and who became a listener.
    newcomers: VecDeque<(u64, u64)>,
}

impl Judge {
    /// A request of somebody there was no place for.
    pub fn untracked(&mut self, window: i64) {
        *self.untracked.entry(window).or_default() += 1;
    }

    /// A window with these sums.
    pub fn window(&mut self, window: i64, mut counts: Counts) -> Kind {
        let untracked = self.untracked.remove(&window).unwrap_or_default();
        counts.requests += untracked;
        counts.unsure += untracked;
        self.newcomers.push_back((counts.became, counts.came));
        if self.newcomers.len() > WINDOWS_REMEMBERED {
            self.newcomers.pop_front();
        }
        let (became, came) = self.newcomers.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        // One who comes and does not hear may have their reasons; of most who came nobody can say that.
        let mostly_not = 1.0 - Range::seen(became, came).high / BECOME_MIN >= MOSTLY_NOT;
        let idle_sources = std::mem::take(&mut counts.idle_sources);
        let hurry = counts.idle * 1_000 >= idle_sources * IDLE_PER_KS * WINDOW_MS as u64 / 1_000;
        if came >= NEWCOMERS_MIN && mostly_not && hurry {
            counts.unexplained += std::mem::take(&mut counts.idle);
            counts.blamed += idle_sources;
        } else {
            counts.people += idle_sources;
        }
        let is_more = self.is_more(window, counts.people);
        let kind = match (counts.is_attacked(), is_more) {
            (true, true) => Kind::Both,
            (true, false) => Kind::Attack,
            (false, _) if counts.is_untold() => Kind::Unknown,
            (false, true) => Kind::Crowd,
            (false, false) => Kind::Calm,
        };
        let self_inflicted = counts.is_our_fault();
        let usual = self.soon.usual();
        self.judged.push(Judged { from: window, to: window + 1, kind, self_inflicted, counts, usual });
        kind
    }

    /// Whether more people are here than usual.
    fn is_more(&mut self, window: i64, people: u64) -> bool {
        if self.is_cut_off {
            return self.soon.is_on() || self.slow.is_on();
        }
        let begun = *self.begun.get_or_insert(window);
        self.people.push_back((window, people));
        while self.people.front().is_some_and(|(before, _)| *before <= window - WINDOWS_SLOW) {
            self.people.pop_front();
        }
        let soon = self.soon.window(people);
        let all = self.people.iter().map(|(_, people)| people).sum();
        let slow = window - begun >= WINDOWS_SLOW && self.slow.window(all);
        soon || slow
    }
}
