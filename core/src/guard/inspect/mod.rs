//! The same rules over the access log of any web server: every line is put to an account, every five
//! seconds are judged when it is known what became of who came in them, and whoever nothing explains is
//! named.
//!
//! Memory is bounded whatever the log holds: sources in one table of fixed size, windows that lie fifteen
//! seconds back are a verdict and some sums.

mod course;
mod findings;
mod judge;
mod sources;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher};

pub use course::{Course, Peak, Step, Stretch};
pub use findings::{Blamed, Findings, Judged};
use judge::Judge;
pub use judge::{Accounts, Counts};
use sources::{Place, Sources};

use super::log::{Entry, Skipped};
use super::visit::{Account, Elsewhere, First, Site, WINDOWS_AFTER, window_of};

/// So many listeners, and so large a share of all sources, and people come to hear.
const LISTENERS_MIN: u64 = 5;
const LISTENERS_SHARE_MIN: f64 = 0.1;
const LISTENERS_ENOUGH: u64 = 50;
/// Listeners who take so many lists for each piece of sound take them all the while.
const LISTS_SHARE_MIN: f64 = 0.4;
/// A line this much later than the one before is believed when the next one is as late, in milliseconds.
const JUMP_MS_MAX: i64 = 3_600_000;
/// A line this much earlier than the latest belongs to another log, in milliseconds.
const BACK_MS_MAX: i64 = 60_000;
/// Things asked for of which it is known how they are answered.
const KNOWN_MAX: usize = 4_096;
/// Answers within so many milliseconds are quick, and so many of them enough to say so.
const QUICK_MS_MAX: u32 = 1_000;
const QUICK_MIN: u8 = 3;

/// How a thing that is asked for is answered.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    quick: u8,
    window: i64,
    served: u32,
    served_before: u32,
}

/// A log that is being read.
pub struct Inspection<H> {
    hash: H,
    sources: Sources,
    /// Sources of each window that is not judged yet, in order of their first request in it.
    open: BTreeMap<i64, Vec<Place>>,
    /// The first window that is not judged.
    next: Option<i64>,
    latest_ms: i64,
    /// The time of a line that was too late to be believed.
    doubted_ms: Option<i64>,
    known: BTreeMap<u32, Known>,
    site: Site,
    listeners: u64,
    /// Pieces of sound and lists that listeners took.
    sound: u64,
    lists: u64,
    judge: Judge,
    skipped: BTreeMap<Skipped, u64>,
    requests: u64,
    first_ms: Option<i64>,
}

impl<H: BuildHasher> Inspection<H> {
    /// Nothing was read yet. `hash` has a key that nobody who writes into the log knows.
    pub fn new(hash: H) -> Self {
        Self {
            hash,
            sources: Sources::default(),
            open: BTreeMap::new(),
            next: None,
            latest_ms: i64::MIN,
            doubted_ms: None,
            known: BTreeMap::new(),
            site: Site::Pages,
            listeners: 0,
            sound: 0,
            lists: 0,
            judge: Judge::default(),
            skipped: BTreeMap::new(),
            requests: 0,
            first_ms: None,
        }
    }

    /// A line that could not be read.
    pub fn skip(&mut self, why: Skipped) {
        *self.skipped.entry(why).or_default() += 1;
    }

    /// A line, in the order of the log.
    pub fn take(&mut self, entry: &Entry<'_>) {
        if !self.is_in_order(entry.at_ms) {
            return self.skip(Skipped::OutOfOrder);
        }
        self.requests += 1;
        self.first_ms.get_or_insert(entry.at_ms);
        self.latest_ms = self.latest_ms.max(entry.at_ms);
        let next = *self.next.get_or_insert(window_of(entry.at_ms));
        // Who is written down late counts where there is still something to count.
        let window = window_of(entry.at_ms).max(next);
        self.judge_before(window - WINDOWS_AFTER);
        let target = self.hashed(entry.target.split('?').next().unwrap_or_default());
        let (agent, elsewhere) = (self.hashed(&entry.agent), self.elsewhere(target, (entry, window)));
        let Some(place) = self.sources.of(&entry.remote, entry.at_ms) else {
            return self.judge.untracked(window);
        };
        let visit = self.sources.visit(place);
        let heard_before = visit.hears();
        if visit.request(entry, window, (target, agent), elsewhere) == First::Yes {
            self.open.entry(window).or_default().push(place);
        }
        self.listeners += u64::from(!heard_before && visit.hears());
        let share = self.listeners as f64 / self.sources.total().max(1) as f64;
        if self.listeners >= LISTENERS_ENOUGH
            || (self.listeners >= LISTENERS_MIN && share >= LISTENERS_SHARE_MIN)
        {
            let by_lists = self.lists as f64 >= LISTS_SHARE_MIN * self.sound.max(1) as f64;
            self.site = if by_lists { Site::Lists } else { Site::Sounds };
        }
    }

    /// The log is over.
    pub fn finish(mut self) -> Findings {
        self.judge_before(window_of(self.latest_ms));
        // The last window is not over, and fewer people in it do not mean that they left.
        self.judge.is_cut_off = true;
        self.judge_before(i64::MAX);
        let span = (self.first_ms.unwrap_or_default(), self.latest_ms.max(self.first_ms.unwrap_or_default()));
        findings::write(self.judge, self.sources, (self.requests, span, self.skipped))
    }

    fn is_in_order(&mut self, at_ms: i64) -> bool {
        if self.latest_ms == i64::MIN {
            return true;
        }
        if at_ms < self.latest_ms - BACK_MS_MAX {
            return false;
        }
        if at_ms - self.latest_ms <= JUMP_MS_MAX {
            self.doubted_ms = None;
            return true;
        }
        let doubted = self.doubted_ms.replace(at_ms);
        doubted.is_some_and(|before| (at_ms - before).abs() <= JUMP_MS_MAX)
    }

    fn hashed(&self, text: &str) -> u32 {
        let mut hash = self.hash.build_hasher();
        hash.write(text.as_bytes());
        hash.finish() as u32
    }

    /// How others are answered who ask for this.
    fn elsewhere(&mut self, target: u32, (entry, window): (&Entry<'_>, i64)) -> Elsewhere {
        let is_good = entry.status < 400;
        let is_quick = is_good && entry.took_ms.is_some_and(|took| took <= QUICK_MS_MAX);
        // What nobody is given, such as names made up, takes no place.
        let has_place = is_good && self.known.len() < KNOWN_MAX;
        if !has_place && !self.known.contains_key(&target) {
            return Elsewhere::default();
        }
        let known = self.known.entry(target).or_default();
        if known.window != window {
            known.served_before = if known.window == window - 1 { known.served } else { 0 };
            (known.window, known.served) = (window, 0);
        }
        known.quick = known.quick.saturating_add(u8::from(is_quick));
        known.served = known.served.saturating_add(u32::from(is_good));
        Elsewhere {
            is_quick: known.quick >= QUICK_MIN,
            is_served: known.served.saturating_add(known.served_before) > 0,
        }
    }

    /// Judges all windows that begin before this one.
    fn judge_before(&mut self, end: i64) {
        while let Some((&window, _)) = self.open.first_key_value()
            && window < end
        {
            let Some((_, places)) = self.open.pop_first() else { break };
            self.judge(window, &places);
        }
        self.next = self.next.map(|next| next.max(end));
    }

    fn judge(&mut self, window: i64, places: &[Place]) {
        let mut counts = Counts::default();
        let mut blamed = Vec::new();
        for place in places {
            let account = match self.sources.visit(*place).account(window, self.site) {
                Account::Unsure | Account::Idle if self.sources.is_blamed(*place, window) => {
                    Account::Unexplained
                }
                account => account,
            };
            let visit = self.sources.visit(*place);
            counts.add(visit, window, account, self.site);
            match account {
                Account::Unexplained | Account::Wrong => blamed.push((*place, account)),
                Account::Unsure | Account::Idle | Account::Many => self.sources.doubt(*place),
                Account::Listener => {
                    self.sound += visit.told_in(window).sound;
                    self.lists += visit.told_in(window).lists;
                }
                Account::Newcomer | Account::OurDoing => {}
            }
        }
        if self.judge.window(window, counts).is_attack() {
            for (place, account) in blamed {
                self.sources.blame(place, window, account);
            }
        }
    }
}

#[cfg(test)]
mod tests;
