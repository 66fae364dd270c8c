//! What one source asked for, and what explains it.
//!
//! Whoever listens explains requests in proportion to the sound they take: as many listeners behind one
//! address explain as many times that. Whoever has just come explains a page with what belongs to it.
//! Whoever we refused explains coming again. What is left over is explained by nothing.

use super::few::{FEW, Few};
use super::log::{Entry, Taken};
use super::together::Together;

/// A window of time, in milliseconds: what is judged at once.
pub const WINDOW_MS: i64 = 5_000;
/// Windows after one in which it is seen what became of who came in it. Whoever comes has 12 s to begin to
/// hear.
pub const WINDOWS_AFTER: i64 = 3;
/// Windows that a source is looked at together: one before, one now, and those after.
const SPAN: usize = WINDOWS_AFTER as usize + 2;
/// Whoever comes hears something within this, or does not hear.
const BEGIN_MS: i64 = 12_000;

/// Requests in a span that anybody may make: a page of today, with all that belongs to it.
const ANYBODYS: u64 = 24;
/// Other requests that each piece of sound explains.
const PER_SOUND: u64 = 2;
/// Requests that a refusal of ours explains: the page, what belongs to it, and asking again.
const PER_REFUSAL: u64 = 5;
/// Whoever we refused is not explained beyond so many requests a second; who asks for pages as well, as
/// people do who load theirs again, for each of them so many, up to so many a second: behind one address a
/// hundred and more come again at once.
const REFUSED_PER_S_MAX: u64 = 20;
const PER_PAGE: u64 = 2;
const RELOADED_PER_S_MAX: u64 = 100;
/// Playlists for each piece of sound, and for who has just come.
const LISTS_PER_SOUND: u64 = 3;
const LISTS_FIRST: u64 = 12;
/// So many times what is explained is not somebody in a hurry.
const TIMES_EXPLAINED: u64 = 2;
/// Asking one thing so often, and nothing else, is not coming to hear.
const SAME_MIN: u64 = 5;
const SAME_IN_SPAN_MIN: u64 = 4;
/// Where listeners take lists with their sound, a list explains so many pieces, and so many are without one.
const SOUND_PER_LIST: u64 = 4;
const SOUND_FIRST: u64 = 12;
/// Who asked for three different things looks around.
const LOOKS_AROUND: usize = 3;
/// Whoever asks in so many windows of a span, where there is nothing to hear, may be somebody and may not.
const STAYS_WINDOWS: u64 = 4;
/// Slower than this somebody reads to hold a connection: bytes a second, over at least so many milliseconds.
const READS_PER_S_MIN: u64 = 2_000;
const READS_MS_MIN: u32 = 10_000;
/// One answer that took so long carried sound all the while.
const SOUND_MS_MIN: u32 = 4_000;

/// Statuses of requests that break the rules, or were left half open: nginx's own among them.
const WRONG: [u16; 11] = [400, 408, 413, 414, 417, 421, 431, 494, 495, 496, 497];
/// What a line answers to who is not called yet.
const WAIT: u16 = 202;
const SOUNDS: [&str; 12] =
    ["m4s", "ts", "aac", "mp3", "opus", "ogg", "oga", "mp4", "m4a", "webm", "flac", "cmfa"];
const LISTS: [&str; 2] = ["m3u8", "mpd"];

/// What was asked for, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A piece of sound (or pictures with it).
    Sound,
    /// The list of such pieces.
    List,
    /// Anything else.
    Other,
}

/// What explains a source's requests in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Account {
    /// It takes the sound.
    Listener,
    /// It has just come, and asks for what who has just come may.
    Newcomer,
    /// We refused it or had it wait, and it comes again.
    OurDoing,
    /// Nothing, yet it may be somebody.
    Unsure,
    /// It could have begun to hear, and did not, and still asks.
    Idle,
    /// Many speak through it, and we do not see whom.
    Many,
    /// Nothing.
    Unexplained,
    /// Its requests break the rules, or hold connections open.
    Wrong,
}

impl Account {
    /// Whether an attack is what it is put to.
    pub const fn is_blamed(self) -> bool {
        matches!(self, Self::Unexplained | Self::Wrong)
    }
}

/// What a source asked for in one window, or in several.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    window: i64,
    /// All requests.
    pub requests: u64,
    /// Pieces of sound.
    pub sound: u64,
    /// Lists of such pieces.
    pub lists: u64,
    /// Answered with an error of ours, or told to come again (5xx, 429).
    pub refused: u64,
    /// Answered, and neither sound nor a list.
    pages: u64,
    wrong: u64,
    /// Listeners who ask together.
    people: u16,
    /// Milliseconds that their answers took.
    pub took_ms: u64,
}

/// One source.
#[derive(Clone, Debug)]
pub struct Visit {
    first_ms: i64,
    last_window: i64,
    requests: u64,
    answered: u64,
    /// Times it was told to wait or to come again.
    refused: u64,
    sound: u32,
    sound_last: u32,
    heard_ms: Option<i64>,
    looked_ms: Option<i64>,
    different: Few,
    agents: Few,
    together: Together,
    told: [Tally; SPAN],
}

/// The kind of thing a request asks for.
pub fn asked(target: &str) -> Asked {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let ending =
        path.rsplit('/').next().and_then(|name| name.rsplit_once('.')).map_or("", |(_, ending)| ending);
    let is_one = |endings: &[&str]| endings.iter().any(|one| ending.eq_ignore_ascii_case(one));
    match (is_one(&SOUNDS), is_one(&LISTS)) {
        (true, _) => Asked::Sound,
        (_, true) => Asked::List,
        _ => Asked::Other,
    }
}

/// The window that a moment is in.
pub const fn window_of(at_ms: i64) -> i64 {
    at_ms.div_euclid(WINDOW_MS)
}

impl Tally {
    /// Requests that our refusals explain, of so many seconds, where `reloads` says whether pages are loaded.
    fn by_refusals(&self, seconds: u64, reloads: bool) -> u64 {
        let with_pages = (PER_PAGE * self.pages).min(RELOADED_PER_S_MAX * seconds);
        let most = REFUSED_PER_S_MAX * seconds + if reloads { with_pages } else { 0 };
        (PER_REFUSAL * self.refused).min(most)
    }
}

impl Visit {
    /// Its first request is at `at_ms`.
    pub fn begins(at_ms: i64) -> Self {
        Self {
            first_ms: at_ms,
            last_window: window_of(at_ms),
            requests: 0,
            answered: 0,
            refused: 0,
            sound: 0,
            sound_last: 0,
            heard_ms: None,
            looked_ms: None,
            different: Few::default(),
            agents: Few::default(),
            together: Together::default(),
            told: [Tally { window: i64::MIN, ..Tally::default() }; SPAN],
        }
    }

    /// A request that counts in `window`, with hashes of what was asked for and of what the program calls
    /// itself. Whether it is the source's first there.
    pub fn request(
        &mut self,
        entry: &Entry<'_>,
        window: i64,
        (target, agent): (u32, u32),
        quick: Quick,
    ) -> First {
        let (kind, is_good) = (asked(&entry.target), (200..400).contains(&entry.status));
        let is_whole = entry.taken != Taken::Broken;
        let is_wrong = WRONG.contains(&entry.status) || (quick == Quick::Elsewhere && is_slow(entry));
        self.last_window = window;
        self.requests += 1;
        self.answered += u64::from(is_good && !is_wrong);
        if is_good {
            self.different.see(target);
        }
        self.agents.see(agent);
        if self.different.count() == 2 && self.looked_ms.is_none() {
            self.looked_ms = Some(entry.at_ms);
        }
        let sound = match (kind, is_good, entry.took_ms) {
            (Asked::Sound, true, Some(SOUND_MS_MIN..)) => {
                if reads_slowly(entry) {
                    0
                } else {
                    2
                }
            }
            (Asked::Sound, true, _) if is_whole => 1,
            _ => 0,
        };
        self.hear(entry.at_ms, (sound, target));
        let people = if sound > 0 { self.together.asks(target, window) } else { 0 };
        let is_refused = entry.status >= 500 || entry.status == 429;
        self.refused += u64::from(is_refused || entry.status == WAIT);
        let tally = &mut self.told[place(window)];
        let first = if tally.window == window { First::No } else { First::Yes };
        if first == First::Yes {
            *tally = Tally { window, ..Tally::default() };
        }
        tally.requests += 1;
        tally.sound += sound;
        tally.lists += u64::from(kind == Asked::List);
        tally.refused += u64::from(is_refused);
        tally.pages += u64::from(kind == Asked::Other && is_good);
        tally.people = tally.people.max(people);
        tally.wrong += u64::from(is_wrong);
        tally.took_ms += u64::from(entry.took_ms.unwrap_or(0));
        first
    }

    /// Whoever hears goes on from piece to piece; one piece over and over is not hearing.
    fn hear(&mut self, at_ms: i64, (pieces, target): (u64, u32)) {
        if pieces == 0 || (pieces == 1 && self.sound > 0 && self.sound_last == target) {
            return;
        }
        self.sound_last = target;
        self.sound = self.sound.saturating_add(pieces as u32);
        if self.sound >= 2 && self.heard_ms.is_none() {
            self.heard_ms = Some(at_ms);
        }
    }

    /// When it was last seen.
    pub const fn last_window(&self) -> i64 {
        self.last_window
    }

    /// Whether it came in this window.
    pub const fn came_in(&self, window: i64) -> bool {
        window_of(self.first_ms) == window
    }

    /// Whether we ever refused it or had it wait: then what it does is not its own choice.
    pub const fn was_refused(&self) -> bool {
        self.refused > 0
    }

    /// Whether it takes the sound.
    pub const fn hears(&self) -> bool {
        self.heard_ms.is_some()
    }

    /// People behind it in a window.
    pub fn people_in(&self, window: i64) -> u64 {
        if self.hears() { u64::from(self.told_in(window).people).max(1) } else { 1 }
    }

    /// Whether it did soon what people come for: hear, where there is something to hear, else look around.
    pub fn became_one(&self, site: Site) -> bool {
        let at = match site {
            Site::Sounds | Site::Lists => self.heard_ms,
            Site::Pages => self.looked_ms,
        };
        at.is_some_and(|at| at - self.first_ms <= BEGIN_MS)
    }

    /// What it asked for in a window.
    pub fn told_in(&self, window: i64) -> Tally {
        let tally = self.told[place(window)];
        if tally.window == window { tally } else { Tally::default() }
    }

    /// What explains its requests in a window, seen from [`WINDOWS_AFTER`] windows later.
    pub fn account(&self, window: i64, site: Site) -> Account {
        let mut span = Tally::default();
        let mut windows = 0;
        for at in window - 1..=window + WINDOWS_AFTER {
            let told = self.told_in(at);
            span.requests += told.requests;
            span.sound += told.sound;
            span.lists += told.lists;
            span.refused += told.refused;
            span.pages += told.pages;
            span.wrong += told.wrong;
            windows += u64::from(told.requests > 0);
        }
        let reloads = self.different.count() >= LOOKS_AROUND;
        let by_refusals = span.by_refusals(windows * WINDOW_MS as u64 / 1_000, reloads);
        let sound = match site {
            Site::Lists => span.sound.min(SOUND_PER_LIST * span.lists + SOUND_FIRST),
            Site::Sounds | Site::Pages => span.sound,
        };
        let explained = ANYBODYS + PER_SOUND * sound + by_refusals;
        let lists = span.lists.min(LISTS_PER_SOUND * sound + LISTS_FIRST);
        let others = span.requests.saturating_sub(sound + lists);
        let says_one_thing = self.different.count() <= 1
            && self.requests >= SAME_MIN
            && span.requests >= SAME_IN_SPAN_MIN
            && span.refused == 0;
        if span.wrong > 0 && (self.answered == 0 || (span.wrong > 1 && span.wrong * 2 >= span.requests)) {
            Account::Wrong
        } else if others > TIMES_EXPLAINED * explained {
            if self.is_many() { Account::Many } else { Account::Unexplained }
        } else if !self.hears() && says_one_thing {
            // Where there is nothing to hear, it may be a page that is reloaded for what is new on it.
            if site == Site::Pages { Account::Unsure } else { Account::Unexplained }
        } else if others > explained {
            Account::Unsure
        } else if span.refused > 0 {
            Account::OurDoing
        } else if self.hears() {
            Account::Listener
        } else {
            self.still_silent((window, windows), site)
        }
    }

    /// What whoever has not heard anything yet is put to.
    fn still_silent(&self, (window, windows): (i64, u64), site: Site) -> Account {
        let late = (window + 1) * WINDOW_MS - self.first_ms > BEGIN_MS;
        match site {
            Site::Pages if late && windows >= STAYS_WINDOWS => Account::Unsure,
            Site::Pages => Account::Newcomer,
            // Told to wait, they wait.
            Site::Sounds | Site::Lists if self.refused > 0 => Account::Newcomer,
            Site::Sounds | Site::Lists if late => Account::Idle,
            Site::Sounds | Site::Lists if self.different.count() < LOOKS_AROUND => Account::Unsure,
            Site::Sounds | Site::Lists => Account::Newcomer,
        }
    }

    /// Whether so many programs ask for so many things that there are many people behind it.
    fn is_many(&self) -> bool {
        self.agents.count() == FEW && self.different.count() == FEW
    }
}

/// Is it the first request of its window?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// It is.
    Yes,
    /// There were others.
    No,
}

/// Is what was asked for answered quickly to others?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quick {
    /// It is.
    Elsewhere,
    /// Nobody knows.
    Unknown,
}

/// What people come for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Site {
    /// Something to hear.
    Sounds,
    /// The same, in pieces of which lists are taken all the while (HLS, DASH).
    Lists,
    /// Pages.
    Pages,
}

/// An answer that took very long for its size: somebody reads it so slowly, or sent their request so slowly,
/// that it only holds a connection.
fn is_slow(entry: &Entry<'_>) -> bool {
    entry.status != 101 && entry.took_ms.is_some_and(|took| took >= READS_MS_MIN) && reads_slowly(entry)
}

fn reads_slowly(entry: &Entry<'_>) -> bool {
    let took_ms = u64::from(entry.took_ms.unwrap_or(0)).max(1);
    entry.bytes.saturating_mul(1_000) / took_ms < READS_PER_S_MIN
}

const fn place(window: i64) -> usize {
    window.rem_euclid(SPAN as i64) as usize
}

#[cfg(test)]
mod tests;
