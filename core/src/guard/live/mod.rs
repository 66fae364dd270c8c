//! A running node's guard: a ledger, not a classifier.
//!
//! The node tells what happened, in small facts. Everything goes to one account of its second at once, by
//! what is known of its source by then; twelve seconds later it is known who of those who came became a
//! listener. Every second there is a verdict over the last ten, and it says what it rests on.
//!
//! Memory is bounded whatever happens: sources in one table of fixed size, seconds that are over as sums.

mod account;
mod acts;
mod audit;
mod fact;
mod judge;
mod looked;
mod same;
mod second;
mod source;
mod table;

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;

pub use account::{Account, Sums, Unit};
use acts::Acts;
pub use acts::{Act, WRONGS_MAX};
pub use audit::{Audit, Term};
pub use fact::{Asked, Fact, Happened, OnAir, Outcome, What};
pub use judge::Onset;
use judge::{Judge, Looks, Seen};
use looked::Looked;
pub use second::Proofs;
use second::Second;
use source::{BEGIN_MS, Became, Source};
use table::{Found, Table};
pub use table::{home, neighbourhood};

use super::Verdict;
use super::surge::Surge;
use crate::time::WallTime;

/// Sources that are remembered, of some 300 bytes each.
pub const SOURCES_MAX: usize = 200_000;
/// Beyond them neighbourhoods are, of whoever there is no room for.
const NEIGHBOURHOODS_MAX: usize = 50_000;
/// Seconds that a verdict looks back.
const SECONDS: usize = 10;
/// Seconds in which people are counted together.
const PEOPLE_SECONDS: u64 = 5;
/// After so many seconds with nobody there, nobody is what is usual.
const ALONE_SECONDS: u64 = 60;
/// Milliseconds in which who came is asked what became of them.
const COHORT_MS: u64 = 10_000;
/// Sources that are looked at in a second because they broke the rules.
const SUSPECTS_MAX: usize = 50_000;
/// Newcomers that are remembered until it is known what became of them.
const YOUNG_MAX: usize = 200_000;

/// A newcomer of whom it is known what became of them.
#[derive(Clone, Copy, Debug)]
struct Settled {
    came_ms: u64,
    from: IpAddr,
    has_become: bool,
    /// Drawn into the sample that is always answered, while others were put off.
    is_audited: bool,
}

/// The guard of a node.
#[derive(Debug)]
pub struct Guard {
    table: Table,
    /// Networks of those there was no room for.
    beyond: Table,
    /// Who came within the last twelve seconds, in order.
    young: VecDeque<(u64, IpAddr)>,
    /// Of the last ten seconds' newcomers.
    settled: VecDeque<Settled>,
    /// Who of them looked and left.
    looked: Looked,
    /// When somebody was put off last.
    put_off_ms: Option<u64>,
    now: Second,
    last: VecDeque<Second>,
    ever: Sums,
    /// Connections that are open: of all, also of those there was no room to remember.
    open: u64,
    surge: Surge,
    people: u64,
    seconds: u64,
    judge: Judge,
    /// Who broke the rules so often that they may be refused.
    suspects: BTreeSet<IpAddr>,
    acts: Acts,
}

/// A second that is over.
#[derive(Clone, Debug)]
pub struct Said {
    /// Its sums.
    pub sums: Sums,
    /// All sums since the node began.
    pub ever: Sums,
    /// The verdict over the last ten.
    pub verdict: Verdict,
    /// People who are here, as far as they are taken for people.
    pub people: u64,
    /// How many are usual; `None` while nobody knows.
    pub usual: Option<u64>,
    /// Of the newcomers of whom it is known, the last ten seconds' that became listeners, and all.
    pub newcomers: (u64, u64),
    /// How it was known in the last second that somebody hears.
    pub proofs: Proofs,
    /// What began when.
    pub onset: Onset,
    /// Sources that are remembered.
    pub sources: usize,
    /// What was done by itself, the oldest first.
    pub acts: Vec<Act>,
}

impl Default for Guard {
    fn default() -> Self {
        Self::new(SOURCES_MAX)
    }
}

impl Guard {
    /// Nobody came yet.
    pub fn new(sources_max: usize) -> Self {
        Self {
            table: Table::new(sources_max),
            beyond: Table::new(NEIGHBOURHOODS_MAX),
            young: VecDeque::new(),
            settled: VecDeque::new(),
            looked: Looked::default(),
            put_off_ms: None,
            now: Second::default(),
            last: VecDeque::new(),
            ever: Sums::default(),
            open: 0,
            surge: Surge::default(),
            people: 0,
            seconds: 0,
            judge: Judge::default(),
            suspects: BTreeSet::new(),
            acts: Acts::default(),
        }
    }

    /// Something happened, in the order in which it did.
    pub fn take(&mut self, fact: &Fact) {
        let (at_ms, from) = (fact.at_ms, home(fact.from));
        match fact.happened {
            Happened::Opened => self.open += 1,
            Happened::Closed => self.open = self.open.saturating_sub(1),
            Happened::OpenedByProxy => {
                self.open += 1;
                return self.now.unseen(&fact.happened);
            }
            Happened::ClosedByProxy => {
                self.open = self.open.saturating_sub(1);
                return;
            }
            Happened::TurnedAway => self.acts.knocks(at_ms, from),
            Happened::Asked(Asked { outcome: Outcome::PutOff, .. }) => self.put_off_ms = Some(at_ms),
            Happened::OfProxy(unit) => return self.now.sums.add(unit, Account::Unseen, 1),
            _ => {}
        }
        let source = match self.table.of(from, at_ms) {
            Found::Known(source) => source,
            Found::New(source) => {
                if self.young.len() < YOUNG_MAX {
                    self.young.push_back((at_ms, from));
                }
                source
            }
            Found::NoRoom => return self.beyond(fact),
        };
        self.now.take((at_ms, source), &fact.happened);
        if source.wrongs(at_ms) >= WRONGS_MAX && self.suspects.len() < SUSPECTS_MAX {
            self.suspects.insert(from);
        }
    }

    /// What somebody did whom there is no room to remember: their neighbourhood is looked at as a source is
    /// that many share, and after it could have begun to hear. What it is not blamed for is not told apart.
    fn beyond(&mut self, fact: &Fact) {
        let (Found::Known(source) | Found::New(source)) =
            self.beyond.of(neighbourhood(fact.from), fact.at_ms)
        else {
            return self.now.unseen(&fact.happened);
        };
        // Which connections are whose is not known here, so that none is counted.
        if !fact.happened.is_of_one() {
            return self.now.unseen(&fact.happened);
        }
        let mut second = Second::default();
        second.take((fact.at_ms, source), &fact.happened);
        let (is_old, says_one_thing) = (source.is_old(fact.at_ms), source.says_one_thing());
        let is_blamed = |account| match account {
            Account::Violation => true,
            // A neighbourhood has many homes, who may each ask for what anybody may.
            Account::Unexplained => says_one_thing,
            _ => false,
        };
        self.now.only(&second, |account| is_old && is_blamed(account));
    }

    /// So many things happened of which nothing else is known.
    pub const fn lost(&mut self, unit: Unit, count: u64) {
        self.now.sums.add(unit, Account::Unseen, count);
    }

    /// A second is over, in which the sample was drawn by this audit.
    pub fn second(&mut self, at_ms: u64, wall: WallTime, audit: &Audit) -> Said {
        self.hold(at_ms);
        self.settle((at_ms, wall), audit);
        self.seconds += 1;
        if self.seconds.is_multiple_of(PEOPLE_SECONDS) {
            self.people = self.count_people(at_ms);
            // A node that has only just begun does not know that nobody comes here.
            if self.people > 0 || self.surge.usual().is_some() || self.seconds >= ALONE_SECONDS {
                self.surge.window(self.people);
            }
            self.doubt();
        }
        let second = std::mem::take(&mut self.now);
        self.ever.plus(&second.sums);
        self.last.push_back(second);
        if self.last.len() > SECONDS {
            self.last.pop_front();
        }
        let seen = self.seen(at_ms, SECONDS);
        let looks = Looks { long: seen, short: self.seen(at_ms, SECONDS / 2) };
        let verdict = self.judge.second(wall, &looks);
        self.act((at_ms, wall), &verdict);
        Said {
            sums: second.sums,
            ever: self.ever,
            verdict,
            people: self.people,
            usual: self.surge.usual(),
            newcomers: (seen.became, seen.came),
            proofs: second.proofs,
            onset: self.judge.onset,
            sources: self.table.len(),
            acts: self.acts.listed().cloned().collect(),
        }
    }

    /// Whoever broke the rules again and again while somebody attacks is refused for a while. Not when our
    /// own errors are at fault, nor where somebody hears.
    fn act(&mut self, (at_ms, wall): (u64, WallTime), verdict: &Verdict) {
        let is_on = verdict.kind.is_attack() && !verdict.self_inflicted;
        for from in std::mem::take(&mut self.suspects) {
            let Some(source) = self.table.get(from) else { continue };
            let wrongs = source.wrongs(at_ms);
            if wrongs < WRONGS_MAX || source.is_of_many() || source.hears(at_ms) {
                continue;
            }
            if is_on {
                self.acts.refuse((at_ms, wall), from, wrongs);
            } else {
                self.suspects.insert(from);
            }
        }
    }

    /// Takes an act back, by its number; whether there is one.
    pub fn undo(&mut self, number: u64) -> bool {
        self.acts.undo(number)
    }

    /// Who is refused at this moment, and until when.
    pub fn refused(&self, at_ms: u64) -> impl Iterator<Item = (IpAddr, u64)> {
        self.acts.refused(at_ms)
    }

    /// Of those, who knock on and on.
    pub fn knocking(&self, at_ms: u64) -> impl Iterator<Item = IpAddr> {
        self.acts.knocking(at_ms)
    }

    /// Connections that are open now have been so for a second.
    fn hold(&mut self, at_ms: u64) {
        let mut remembered = 0;
        for (_, source) in self.table.all() {
            let (open, half_open) = source.connections();
            if open == 0 {
                continue;
            }
            remembered += u64::from(open);
            let whole = open - half_open;
            let account = source.of_connections(at_ms, 1);
            // Those beyond what is explained are not, and those below are.
            let beyond = (1..=whole).rev().take_while(|nth| source.of_connections(at_ms, *nth).is_blamed());
            let beyond = if account.is_blamed() { 0 } else { beyond.count() as u32 };
            let second = &mut self.now;
            second.sums.add(Unit::ConnectionSeconds, Account::Violation, half_open.into());
            second.sums.add(Unit::ConnectionSeconds, Account::Unexplained, beyond.into());
            second.sums.add(Unit::ConnectionSeconds, account, (whole - beyond).into());
        }
        let others = self.open.saturating_sub(remembered);
        self.now.sums.add(Unit::ConnectionSeconds, Account::Unseen, others);
    }

    /// Who came twelve seconds ago is asked what became of them.
    fn settle(&mut self, (at_ms, wall): (u64, WallTime), audit: &Audit) {
        while let Some((came_ms, from)) = self.young.front().copied()
            && at_ms >= came_ms + BEGIN_MS
        {
            self.young.pop_front();
            let became = self.table.get(from).map_or(Became::NotAsked, |source| source.became());
            let is_asked = match became {
                Became::One | Became::None => true,
                Became::Looked => self.looked.is_beyond(neighbourhood(from), came_ms),
                Became::NotAsked => false,
            };
            match became {
                _ if is_asked => {
                    let came_at = wall.0 - (at_ms - came_ms) as i64;
                    let is_audited = self.puts_off(at_ms) && audit.samples(from, came_at);
                    let has_become = became == Became::One;
                    self.settled.push_back(Settled { came_ms, from, has_become, is_audited });
                }
                _ => {}
            }
        }
        while self.settled.front().is_some_and(|one| at_ms > one.came_ms + BEGIN_MS + COHORT_MS) {
            self.settled.pop_front();
        }
    }

    /// Who became nothing is as doubtful as those who came with them.
    fn doubt(&mut self) {
        let share = judge::attack_of_newcomers(self.newcomers()).low;
        if share <= 0.0 {
            return;
        }
        for settled in self.settled.iter().filter(|one| !one.has_become) {
            if let Some(source) = self.table.get(settled.from) {
                source.doubt(share);
            }
        }
    }

    /// Of the settled newcomers, who became a listener, and all. While people are put off, only those of the
    /// sample are like all who came; where they are too few to say anything, all are taken.
    fn newcomers(&self) -> (u64, u64) {
        let count = |of: fn(&&Settled) -> bool| self.settled.iter().filter(of).count() as u64;
        let audited = count(|one| one.is_audited);
        if audited >= judge::NEWCOMERS_MIN {
            return (count(|one| one.is_audited && one.has_become), audited);
        }
        (count(|one| one.has_become), self.settled.len() as u64)
    }

    /// Whether somebody was put off of late.
    fn puts_off(&self, at_ms: u64) -> bool {
        self.put_off_ms.is_some_and(|put_off_ms| at_ms <= put_off_ms + BEGIN_MS + COHORT_MS)
    }

    fn count_people(&self, at_ms: u64) -> u64 {
        let since_ms = at_ms.saturating_sub(PEOPLE_SECONDS * 1_000);
        let here = || self.table.all().map(|(_, source)| source).filter(|one| one.was_here_since(since_ms));
        let alone = here().filter_map(|one| one.alone_takes(at_ms));
        let (sum, count) = alone.fold((0.0, 0_u32), |(sum, count), takes| (sum + takes, count + 1));
        let each = if count > 0 { sum / count as f32 } else { 0.0 };
        here().filter(|one| one.is_somebody(at_ms)).map(|one: &Source| one.people(each)).sum()
    }

    fn seen(&self, at_ms: u64, seconds: usize) -> Seen {
        let mut sum = Second::default();
        self.last.iter().rev().take(seconds).for_each(|second| sum.plus(second));
        let (became, came) = self.newcomers();
        Seen {
            at_ms,
            sum,
            seconds: self.last.len().min(seconds) as u64,
            became,
            came,
            came_per_s: came as f64 * 1_000.0 / COHORT_MS as f64,
            young_per_s: self.young.len() as f64 * 1_000.0 / BEGIN_MS as f64,
            people: self.people,
            usual: self.surge.usual(),
            is_surge: self.surge.is_on(),
        }
    }
}

impl Second {
    /// What a source did.
    fn take(&mut self, (at_ms, source): (u64, &mut Source), happened: &Happened) {
        match happened {
            Happened::Opened => {
                let account = source.opens(at_ms);
                self.sums.add(Unit::Connections, account, 1);
            }
            Happened::TurnedAway => self.sums.add(Unit::Connections, Account::Shed, 1),
            Happened::Handshake => {
                self.sums.add(Unit::Handshakes, source.of_connections(at_ms, 1), 1);
            }
            Happened::HandshakeFailed => {
                source.breaks_rules(at_ms);
                self.sums.add(Unit::Handshakes, Account::Violation, 1);
            }
            Happened::HalfOpen => source.is_half_open(at_ms),
            Happened::NotHalfOpen => source.is_not_half_open(),
            Happened::BrokeRules => {
                source.breaks_rules(at_ms);
                // It was one, though nobody could read it.
                self.sums.add(Unit::Requests, Account::Violation, 1);
            }
            Happened::Asked(asked) => {
                let put = source.asks(at_ms, asked);
                let is_error = asked.outcome == Outcome::OurError;
                self.request(&put, (source.is_silent(at_ms), is_error));
            }
            Happened::Heard(parts) => {
                self.proofs.acknowledged += u64::from(*parts);
                source.heard(at_ms, *parts);
            }
            Happened::Arrived => {
                self.proofs.acknowledged += 1;
                source.arrived(at_ms);
            }
            Happened::Proved => {
                self.proofs.receipts += 1;
                source.proved(at_ms);
            }
            Happened::ProvedFalsely => self.proofs.false_receipts += 1,
            Happened::StreamBegan => source.streams(true),
            Happened::StreamEnded => source.streams(false),
            Happened::Closed => source.closes(at_ms),
            // They are of no source.
            Happened::OpenedByProxy | Happened::ClosedByProxy | Happened::OfProxy(_) => {}
        }
    }

    /// What somebody did whom there is no room to remember.
    fn unseen(&mut self, happened: &Happened) {
        let unit = match happened {
            Happened::Opened | Happened::OpenedByProxy | Happened::TurnedAway => Unit::Connections,
            Happened::Handshake | Happened::HandshakeFailed => Unit::Handshakes,
            Happened::Asked(_) | Happened::BrokeRules => Unit::Requests,
            _ => return,
        };
        self.sums.add(unit, Account::Unseen, 1);
    }
}

#[cfg(test)]
mod tests;
