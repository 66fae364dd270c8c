//! Those who came to listen: when each came, came again, and left.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use super::line::Line;
use super::map::Ask;

/// Who was handed a segment hears it before they go.
const HEARS_ON: Duration = Duration::from_secs(2);
/// What says that a visit was turned away.
const REFUSED: [u16; 6] = [429, 500, 502, 503, 504, 499];

/// One way to the door.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When, since the case began.
    pub at: Duration,
    /// Whether the page's files are fetched too; a browser that came a moment ago has them.
    pub with_files: bool,
}

/// From coming to going. Who is refused comes again when the next attempt is due; who is in stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stay {
    /// In order; never empty.
    pub attempts: Vec<Attempt>,
    /// When they go, since the case began.
    pub until: Duration,
}

/// Somebody who comes to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comer {
    /// Where from.
    pub from: Ipv4Addr,
    /// Their browser.
    pub agent: String,
    /// Where they found the link; empty when it is not said.
    pub referer: String,
    /// In order; never empty.
    pub stays: Vec<Stay>,
}

impl Comer {
    /// When they come first, since the case began.
    pub fn comes(&self) -> Duration {
        self.stays.first().and_then(|stay| stay.attempts.first()).map_or(Duration::ZERO, |first| first.at)
    }

    /// How long they would stay at most, all visits together.
    pub fn lasting(&self) -> Duration {
        let stays = self.stays.iter();
        stays
            .map(|stay| stay.until.saturating_sub(stay.attempts.first().map_or(stay.until, |one| one.at)))
            .sum()
    }
}

/// Comers that were made up: from each address, at each time, staying so long.
pub fn arriving(all: impl IntoIterator<Item = (Ipv4Addr, Duration, Duration)>) -> Vec<Comer> {
    let come = |(from, at, lasting): (Ipv4Addr, Duration, Duration)| Comer {
        from,
        agent: "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0".to_owned(),
        referer: String::new(),
        stays: vec![Stay { attempts: vec![Attempt { at, with_files: true }], until: at + lasting }],
    };
    all.into_iter().map(come).collect()
}

/// One connection of a listener: a visit.
struct Visit<'l> {
    first: &'l Line,
    last: Duration,
    with_files: bool,
    is_refused: bool,
    is_served: bool,
}

/// The people of the lines that are no attack. Behind one address may be many: whoever has a connection open
/// while another is open is somebody else.
pub fn people(lines: &[Line]) -> Vec<Comer> {
    let mut honest: Vec<&Line> = lines.iter().filter(|line| !line.is_attack).collect();
    honest.sort_by_key(|line| line.at);
    let mut visits = BTreeMap::<(Ipv4Addr, u64), Visit<'_>>::new();
    for line in honest {
        let first =
            Visit { first: line, last: line.at, with_files: false, is_refused: false, is_served: false };
        let visit = visits.entry((line.from, line.connection)).or_insert(first);
        let ask = Ask::of(&line.target, true);
        visit.last = line.at + line.took;
        visit.with_files |= matches!(ask, Ask::Script | Ask::Style);
        visit.is_refused |= REFUSED.contains(&line.status);
        visit.is_served |= ask == Ask::Segment && line.status < 400;
    }
    let mut sources = BTreeMap::<Ipv4Addr, Vec<Visit<'_>>>::new();
    for ((from, _), visit) in visits {
        sources.entry(from).or_default().push(visit);
    }
    let mut people: Vec<Comer> = sources.into_values().flat_map(behind).collect();
    people.sort_by_key(Comer::comes);
    people
}

/// The people behind one address.
fn behind(mut visits: Vec<Visit<'_>>) -> Vec<Comer> {
    visits.sort_by_key(|visit| visit.first.at);
    let mut each: Vec<Vec<Visit<'_>>> = Vec::new();
    for visit in visits {
        let is_free =
            |theirs: &&mut Vec<Visit<'_>>| theirs.last().is_some_and(|last| last.last < visit.first.at);
        // Whoever was just refused is the likeliest to come now.
        let free = each.iter_mut().filter(is_free);
        let next = free.max_by_key(|theirs| theirs.last().map(|last| (!last.is_served, last.last)));
        match next {
            Some(theirs) => theirs.push(visit),
            None => each.push(vec![visit]),
        }
    }
    each.into_iter().filter_map(|visits| comer(&visits)).collect()
}

fn comer(visits: &[Visit<'_>]) -> Option<Comer> {
    let first = visits.first()?.first;
    let mut stays: Vec<Stay> = Vec::new();
    let mut is_open = false;
    for visit in visits {
        let attempt = Attempt { at: visit.first.at, with_files: visit.with_files };
        let until = visit.last + HEARS_ON;
        match stays.last_mut().filter(|_| is_open) {
            Some(stay) => {
                stay.until = until;
                stay.attempts.push(attempt);
            }
            None => stays.push(Stay { attempts: vec![attempt], until }),
        }
        is_open = visit.is_refused && !visit.is_served;
    }
    // Who comes again at once does not stay for what they were handed last.
    let comes: Vec<Duration> = stays.iter().skip(1).map(|stay| stay.attempts[0].at).collect();
    for (stay, next) in stays.iter_mut().zip(comes) {
        stay.until = stay.until.min(next);
    }
    Some(Comer { from: first.from, agent: first.agent.clone(), referer: first.referer.clone(), stays })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::replay::line::Version;

    fn line(ms: u64, connection: u64, target: &str, status: u16) -> Line {
        Line {
            at: Duration::from_millis(ms),
            took: Duration::ZERO,
            from: Ipv4Addr::new(127, 20, 0, 2),
            connection,
            version: Version::Http11,
            method: "GET".to_owned(),
            target: target.to_owned(),
            status,
            referer: String::new(),
            agent: String::new(),
            is_attack: false,
        }
    }

    fn told(comer: &Comer) -> Vec<(Vec<u128>, u128)> {
        let stay = |stay: &Stay| {
            (stay.attempts.iter().map(|one| one.at.as_millis()).collect(), stay.until.as_millis())
        };
        comer.stays.iter().map(stay).collect()
    }

    #[test]
    fn who_was_refused_comes_again_as_they_did_and_who_was_served_comes_anew() {
        let lines = [
            line(1_000, 1, "/room.html", 200),
            line(1_000, 1, "/app.js", 200),
            line(1_000, 1, "/ticket", 503),
            line(1_400, 2, "/room.html", 200),
            line(1_400, 2, "/ticket", 503),
            line(2_000, 3, "/ticket.json", 200),
            line(2_001, 3, "/live/seg_7.m4s", 200),
            line(9_000, 3, "/live/seg_8.m4s", 200),
            line(20_000, 4, "/room.html", 200),
            line(20_500, 4, "/live/seg_9.m4s", 200),
        ];
        let people = people(&lines);
        let [comer] = &people[..] else { panic!("{people:?}") };
        assert_eq!(told(comer), [(vec![1_000, 1_400, 2_000], 11_000), (vec![20_000], 22_500)]);
        let files: Vec<_> = comer.stays[0].attempts.iter().map(|one| one.with_files).collect();
        assert_eq!(files, [true, false, false]);
    }

    #[test]
    fn behind_one_address_whoever_is_there_at_the_same_time_is_somebody_else() {
        let lines = [
            line(0, 1, "/room.html", 200),
            line(5_000, 2, "/room.html", 200),
            line(6_000, 1, "/live/seg_7.m4s", 200),
            line(7_000, 2, "/live/seg_7.m4s", 200),
            line(7_500, 3, "/room.html", 200),
        ];
        let people = people(&lines);
        let told: Vec<_> = people.iter().map(told).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        assert_eq!(told[0], [(vec![0], 8_000)]);
        assert_eq!(told[1], [(vec![5_000], 7_500), (vec![7_500], 9_500)]);
    }

    #[test]
    fn attackers_are_not_among_them() {
        let attack = Line { is_attack: true, ..line(0, 1, "/room.html", 200) };
        assert_eq!(people(&[attack]), []);
    }
}
