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
use super::visit::{Account, First, Quick, Site, WINDOWS_AFTER, window_of};

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
/// Things asked for of which it is known that they are answered quickly.
const QUICK_MAX: usize = 4_096;
/// Answers within so many milliseconds are quick, and so many of them enough to say so.
const QUICK_MS_MAX: u32 = 1_000;
const QUICK_MIN: u8 = 3;

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
    quick: BTreeMap<u32, u8>,
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
            quick: BTreeMap::new(),
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
        let (agent, quick) = (self.hashed(&entry.agent), self.quickness(target, entry));
        let Some(place) = self.sources.of(&entry.remote, entry.at_ms) else {
            return self.judge.untracked(window);
        };
        let visit = self.sources.visit(place);
        let heard_before = visit.hears();
        if visit.request(entry, window, (target, agent), quick) == First::Yes {
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

    /// Whether others get quickly what this one asked for.
    fn quickness(&mut self, target: u32, entry: &Entry<'_>) -> Quick {
        let is_quick = entry.took_ms.is_some_and(|took| took <= QUICK_MS_MAX) && entry.status < 400;
        if let Some(count) = self.quick.get_mut(&target) {
            *count = count.saturating_add(u8::from(is_quick));
            return if *count >= QUICK_MIN { Quick::Elsewhere } else { Quick::Unknown };
        }
        if is_quick && self.quick.len() < QUICK_MAX {
            self.quick.insert(target, 1);
        }
        Quick::Unknown
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
