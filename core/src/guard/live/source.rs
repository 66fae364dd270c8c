//! One source of a running node: what it did, and what explains what it does next.
//!
//! A source has *credit*: requests that are explained. Whoever comes has enough for a page with all that
//! belongs to it; every piece of sound that it takes, every place in line it asks for at its pace and every
//! refusal of ours adds some; each request takes one. Beyond its credit a source owes an explanation, which
//! many behind one address give within seconds, because they begin to hear. Who does not is unexplained.

mod became;
mod connections;

use super::account::Account;
use super::fact::{Asked, OnAir, Outcome, What};
use super::same::{Asking, Patience, Same};
use crate::guard::few::{FEW, Few};

pub use became::Became;

/// Whoever comes hears something within this, or does not hear, in milliseconds.
pub const BEGIN_MS: u64 = 12_000;
/// Requests that anybody may make in a minute: the page with all that belongs to it, and looking on.
const ANYBODYS: f32 = 24.0;
const ANYBODYS_PER_MS: f32 = ANYBODYS / 60_000.0;
/// Requests that a piece of sound explains, besides itself.
const PER_SOUND: f32 = 3.0;
/// And a place in line.
const PER_PLACE: f32 = 2.0;
/// And a refusal of ours: the page, what belongs to it, and asking again.
const PER_REFUSAL: f32 = 5.0;
/// But not more often than in so many milliseconds: one person does not reload faster, nor do many behind one
/// address in lockstep.
const REFUSAL_MS_MIN: u64 = 400;
const REFUSAL_MS_MIN_OF_MANY: u64 = 50;
/// A refusal explains what comes within so many milliseconds.
const REFUSED_MS: u64 = 30_000;
/// Credit is not saved beyond this: for one home, and for many people behind one address.
const CREDIT_MAX: f32 = 120.0;
const CREDIT_MAX_OF_MANY: f32 = 2_000.0;
/// Nor is more owed than this, of either: whoever explains themselves is soon believed again.
const DEBT_MAX: f32 = 48.0;
const DEBT_MAX_OF_MANY: f32 = 2_000.0;
/// Asking for what is small and the same for all, as a screen on a wall does, takes so much of a credit.
const PER_TOLD: f32 = 0.1;
/// Pieces of sound, or places asked for, in a second: of one home with several players of the smallest
/// parts, for each more person behind its address, and at most.
const PACE_PER_MS: f32 = 12.0 / 1_000.0;
const PACE_PER_MS_OF_ONE: f32 = 4.0 / 1_000.0;
const PACE_PER_MS_MAX: f32 = 800.0 / 1_000.0;
/// Who took a ticket, or began to hear, is a person behind the address for so long, in milliseconds, and as
/// long as somebody takes as many pieces of sound of late as one does.
const PERSON_MS: f32 = 120_000.0;
const RECENT_OF_ONE: f32 = 3.5;
/// So many are many.
const MANY_PEOPLE: f32 = 4.0;
const PACE_MS_SAVED: f32 = 5_000.0;
/// Programs of so many names are many people.
const MANY_AGENTS: usize = 4;
/// Who hears goes on hearing for so long without a new piece, in milliseconds.
const HEARS_MS: u64 = 12_000;
/// So many pieces may be on their way at once, which is more than any player asks for.
const ON_THEIR_WAY_MAX: u16 = 4_096;
/// What a second's worth of pieces is forgotten by, in milliseconds.
const RECENT_MS: f32 = 7_000.0;
/// Who broke the rules is remembered for so long, in milliseconds.
const WRONG_MS: u64 = 60_000;
/// Asking for so many others shows a proxy.
const FORWARDS_MIN: usize = FEW;

/// A request, and what it was put to.
#[derive(Clone, Copy, Debug)]
pub struct Put {
    /// The account.
    pub account: Account,
    /// How likely it is an attack's all the same: what is known of those who came with it, 0 to 1.
    pub doubt: f32,
    /// Whether it was explained by nothing yet, but may be.
    pub is_owed: bool,
    /// Whether it came through a proxy that nobody trusts.
    pub is_forwarded: bool,
}

/// One source.
#[derive(Clone, Debug)]
pub struct Source {
    first_ms: u64,
    last_ms: u64,
    credit: f32,
    pace: f32,
    owed_since_ms: Option<u64>,
    sound: u32,
    sound_last: u32,
    /// How often the last piece was asked for again, one after the other.
    repeats: u16,
    /// Pieces of sound that were asked for at its pace, of which nobody knows yet whether they arrived.
    on_their_way: u16,
    begun_ms: Option<u64>,
    heard_ms: u64,
    recent: f32,
    persons: f32,
    streams: u32,
    refused_ms: Option<u64>,
    waits_ms: Option<u64>,
    looked_ms: Option<u64>,
    blamed_ms: Option<(u64, Account)>,
    different: Few,
    /// Whether what it asked about can be heard, whether it has a page, and whether that page is kept true.
    is_on_air: bool,
    has_page: bool,
    keeps_page: bool,
    agents: Few,
    forwarded: Few,
    asking: Asking,
    /// Whether its last request was for the one thing it asks for over and over.
    says_one_thing: bool,
    requests: u32,
    open: u32,
    half_open: u32,
    /// Since when it broke the rules, and how often.
    wrong: (u64, u32),
    doubt: u8,
}

impl Source {
    /// Its first sign of life.
    pub fn begins(at_ms: u64) -> Self {
        Self {
            first_ms: at_ms,
            last_ms: at_ms,
            credit: ANYBODYS,
            pace: PACE_PER_MS * PACE_MS_SAVED,
            owed_since_ms: None,
            sound: 0,
            sound_last: 0,
            repeats: 0,
            on_their_way: 0,
            begun_ms: None,
            heard_ms: 0,
            recent: 0.0,
            persons: 0.0,
            streams: 0,
            refused_ms: None,
            waits_ms: None,
            looked_ms: None,
            blamed_ms: None,
            different: Few::default(),
            is_on_air: false,
            has_page: false,
            keeps_page: false,
            agents: Few::default(),
            forwarded: Few::default(),
            asking: Asking::begins(at_ms),
            says_one_thing: false,
            requests: 0,
            open: 0,
            half_open: 0,
            wrong: (at_ms, 0),
            doubt: 0,
        }
    }

    /// Time passes.
    fn pass(&mut self, at_ms: u64) {
        let passed = at_ms.saturating_sub(self.last_ms) as f32;
        self.last_ms = self.last_ms.max(at_ms);
        if self.credit < ANYBODYS {
            self.credit = (self.credit + ANYBODYS_PER_MS * passed).min(ANYBODYS);
        }
        self.recent *= (-passed / RECENT_MS).exp();
        self.persons = (self.persons * (-passed / PERSON_MS).exp()).max(self.recent / RECENT_OF_ONE);
        let pace = (PACE_PER_MS + PACE_PER_MS_OF_ONE * self.persons).min(PACE_PER_MS_MAX);
        self.pace = (self.pace + pace * passed).min(pace * PACE_MS_SAVED);
    }

    fn gain(&mut self, credit: f32) {
        let max = if self.is_many() { CREDIT_MAX_OF_MANY } else { CREDIT_MAX };
        self.credit = (self.credit + credit).min(max);
        if self.credit >= 0.0 {
            self.owed_since_ms = None;
        }
    }

    const fn has_many_agents(&self) -> bool {
        self.agents.count() >= MANY_AGENTS
    }

    fn is_many(&self) -> bool {
        self.has_many_agents() || self.persons >= MANY_PEOPLE
    }

    fn is_proxy(&self) -> bool {
        self.forwarded.count() >= FORWARDS_MIN
    }

    /// A request, and the account it is put to.
    pub fn asks(&mut self, at_ms: u64, asked: &Asked) -> Put {
        self.pass(at_ms);
        self.requests = self.requests.saturating_add(1);
        self.agents.see(asked.agent);
        if let Some(whom) = asked.forwarded {
            self.forwarded.see(whom);
        }
        if asked.outcome == Outcome::Served {
            self.different.see(asked.target);
        }
        if self.different.count() >= 2 && self.looked_ms.is_none() {
            self.looked_ms = Some(at_ms);
        }
        self.is_on_air |= asked.on_air == OnAir::Yes;
        if asked.outcome == Outcome::Served {
            self.keeps_page |= self.has_page && asked.what == What::Told;
            self.has_page |= asked.what == What::Page;
        }
        self.refused(at_ms, asked.outcome);
        let mut put = Put {
            account: Account::Newcomer,
            doubt: f32::from(self.doubt) / 255.0,
            is_owed: false,
            is_forwarded: self.is_proxy(),
        };
        put.account = match asked.outcome {
            Outcome::PutOff | Outcome::Refused => Account::Shed,
            Outcome::Wrong => {
                self.does_wrong();
                Account::Violation
            }
            _ if self.is_proxy() => Account::Unseen,
            Outcome::Served if self.keeps_pace(asked) => self.explained(at_ms),
            Outcome::Served | Outcome::Waits | Outcome::OurError | Outcome::Theirs | Outcome::Left => {
                self.on_credit(at_ms, asked, &mut put.is_owed)
            }
        };
        if put.account.is_blamed() {
            self.blamed_ms = Some((at_ms, put.account));
        }
        put
    }

    fn refused(&mut self, at_ms: u64, outcome: Outcome) {
        if outcome == Outcome::Waits {
            self.waits_ms = Some(at_ms);
        }
        if matches!(outcome, Outcome::Waits | Outcome::OurError | Outcome::PutOff) {
            let least = if self.is_many() { REFUSAL_MS_MIN_OF_MANY } else { REFUSAL_MS_MIN };
            if self.refused_ms.is_none_or(|before| at_ms >= before + least) {
                self.refused_ms = Some(at_ms);
                self.gain(PER_REFUSAL);
            }
        }
    }

    /// Whether it is the next thing of those that listeners, and who waits in line, ask for again and again.
    fn keeps_pace(&mut self, asked: &Asked) -> bool {
        let is_sound = asked.what == What::Sound;
        // Many who hear take the same piece; one who takes it again does not hear.
        self.repeats = if self.sound_last == asked.target { self.repeats.saturating_add(1) } else { 0 };
        let is_next = self.repeats == 0 || f32::from(self.repeats) < self.persons;
        if !(is_sound || asked.what == What::Place) || !is_next || self.pace < 1.0 {
            return false;
        }
        self.pace -= 1.0;
        self.sound_last = asked.target;
        if is_sound {
            self.on_their_way = (self.on_their_way + 1).min(ON_THEIR_WAY_MAX);
        } else {
            self.recent += 1.0;
            self.waits_ms = Some(self.last_ms);
            self.gain(PER_PLACE);
        }
        true
    }

    fn hears_pieces(&mut self, pieces: u16) {
        self.sound = self.sound.saturating_add(u32::from(pieces));
        self.recent += f32::from(pieces);
        self.heard_ms = self.last_ms;
        if self.sound >= 2 && self.begun_ms.is_none() {
            self.begun_ms = Some(self.last_ms);
        }
        self.gain(PER_SOUND * f32::from(pieces));
    }

    /// A piece of sound that it asked for is there. What was asked for beyond its pace counts for nothing.
    pub fn arrived(&mut self, at_ms: u64) {
        self.pass(at_ms);
        if let Some(left) = self.on_their_way.checked_sub(1) {
            self.on_their_way = left;
            self.hears_pieces(1);
        }
    }

    /// Its page showed a receipt. How much it takes is known by what its kernel acknowledges, so that nothing
    /// is counted twice.
    pub const fn proved(&mut self, at_ms: u64) {
        self.sound = self.sound.saturating_add(1);
        self.heard_ms = at_ms;
        if self.sound >= 2 && self.begun_ms.is_none() {
            self.begun_ms = Some(at_ms);
        }
    }

    /// The program arrived at one of its listeners.
    pub fn heard(&mut self, at_ms: u64, parts: u16) {
        self.pass(at_ms);
        self.hears_pieces(parts);
    }

    fn on_credit(&mut self, at_ms: u64, asked: &Asked, is_owed: &mut bool) -> Account {
        let same = self.asks_one_thing(at_ms, asked);
        let takes = if asked.what == What::Told { PER_TOLD } else { 1.0 };
        let is_person = matches!(asked.what, What::Ticket | What::Begin) && asked.outcome == Outcome::Served;
        if is_person && same == Same::No {
            self.persons += 1.0;
        }
        let debt = if self.is_many() { DEBT_MAX_OF_MANY } else { DEBT_MAX };
        self.credit = (self.credit - takes).max(-debt);
        self.says_one_thing = same != Same::No;
        // Who was told to wait, or got an error of ours, asks again because of us, until they have it.
        let is_ours = self.refused_ms.is_some() && !self.asking.has_it();
        if same == Same::Only && !self.has_begun() && !is_ours {
            return Account::Unexplained;
        }
        if self.credit >= 0.0 {
            return self.explained(at_ms);
        }
        let since_ms = *self.owed_since_ms.get_or_insert(at_ms);
        // People behind one address come at once, and explain themselves soon; one program does not.
        if same != Same::No && !self.has_many_agents() && !self.hears(at_ms) {
            return Account::Unexplained;
        }
        if at_ms < since_ms + BEGIN_MS {
            *is_owed = true;
            return self.explained(at_ms);
        }
        Account::Unexplained
    }

    fn explained(&self, at_ms: u64) -> Account {
        if self.hears(at_ms) {
            Account::Listener
        } else if self.refused_ms.is_some_and(|refused| at_ms <= refused + REFUSED_MS) {
            Account::OurDoing
        } else {
            Account::Newcomer
        }
    }

    /// Whether it asks for one thing, over and over.
    fn asks_one_thing(&mut self, at_ms: u64, asked: &Asked) -> Same {
        let patience = if asked.what == What::Told { Patience::Long } else { Patience::Usual };
        let same = self.asking.asks(at_ms, asked.target, patience);
        if asked.outcome == Outcome::Served {
            self.asking.is_given(asked.target);
        }
        match same {
            // Not the same programs, or not only this: somebody else may be there.
            Same::Only if self.different.count() > 1 || self.agents.count() > 1 => Same::Mostly,
            same => same,
        }
    }

    const fn does_wrong(&mut self) {
        if self.last_ms > self.wrong.0 + WRONG_MS {
            self.wrong = (self.last_ms, 0);
        }
        self.wrong.1 = self.wrong.1.saturating_add(1);
    }

    /// How often it broke the rules within a minute of the first time.
    pub const fn wrongs(&self, at_ms: u64) -> u32 {
        if at_ms > self.wrong.0 + WRONG_MS { 0 } else { self.wrong.1 }
    }

    /// Whether there may be many people behind it.
    pub const fn is_of_many(&self) -> bool {
        // What programs call themselves is not asked: whoever floods could call theirs four names.
        self.persons >= MANY_PEOPLE || self.forwarded.count() > 1
    }

    /// Its connection broke the rules.
    pub fn breaks_rules(&mut self, at_ms: u64) {
        self.pass(at_ms);
        self.does_wrong();
        self.blamed_ms = Some((at_ms, Account::Violation));
    }

    /// Whether it hears now.
    pub const fn hears(&self, at_ms: u64) -> bool {
        self.has_begun() && at_ms <= self.heard_ms + HEARS_MS
    }

    const fn has_begun(&self) -> bool {
        self.begun_ms.is_some()
    }

    /// Whether its last request was for the one thing it asks for over and over.
    pub const fn says_one_thing(&self) -> bool {
        self.says_one_thing
    }

    /// Whether it is blamed for what it did just now.
    pub const fn is_blamed(&self, at_ms: u64) -> bool {
        matches!(self.blamed_ms, Some((blamed_ms, _)) if at_ms <= blamed_ms + HEARS_MS)
    }
}
