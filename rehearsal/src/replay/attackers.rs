//! Those who attack: which connection sends what, and when.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::time::Duration;

use super::line::{Line, Version};
use super::map::Ask;

/// A request that took longer was held up by who sent it: the case's server had each answer at once.
const SLOW: Duration = Duration::from_secs(1);

/// How fast a request is sent, and its answer read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// At once.
    Quick,
    /// Its head never ends; one more line every few seconds, for so long.
    SlowHead(Duration),
    /// Its head comes, its body never ends.
    SlowBody(Duration),
    /// Its answer is read a little at a time.
    SlowRead(Duration),
}

impl Pace {
    /// Whether the request is ever whole.
    pub fn ends(self) -> bool {
        matches!(self, Self::Quick | Self::SlowRead(_))
    }

    fn of(line: &Line) -> Self {
        if line.took < SLOW {
            return Self::Quick;
        }
        match (line.status, line.method.as_str()) {
            (0 | 400 | 408 | 499, "POST" | "PUT" | "PATCH") => Self::SlowBody(line.took),
            (0 | 400 | 408 | 499, _) => Self::SlowHead(line.took),
            _ => Self::SlowRead(line.took),
        }
    }
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When it is sent, since the case began.
    pub at: Duration,
    /// What it asks for.
    pub ask: Ask,
    /// By which method.
    pub method: String,
    /// By which version.
    pub version: Version,
    /// How fast.
    pub pace: Pace,
}

impl Step {
    /// For how long it is under way at least.
    pub fn lasting(&self) -> Duration {
        match self.pace {
            Pace::Quick => Duration::ZERO,
            Pace::SlowHead(took) | Pace::SlowBody(took) | Pace::SlowRead(took) => took,
        }
    }
}

/// One connection of the case, and what was asked on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attacker {
    /// Where from.
    pub from: Ipv4Addr,
    /// The program it says it is; empty when it does not.
    pub agent: String,
    /// The page it says it comes from; empty when it does not.
    pub referer: String,
    /// In the order of their time.
    pub steps: Vec<Step>,
}

/// The connections of the lines that are labelled an attack.
pub fn attackers(lines: &[Line]) -> Vec<Attacker> {
    let mut attacks: Vec<&Line> = lines.iter().filter(|line| line.is_attack).collect();
    attacks.sort_by_key(|line| line.at);
    let mut connections = BTreeMap::<(Ipv4Addr, u64), Attacker>::new();
    let mut have_playlist = BTreeSet::new();
    for line in attacks {
        let attacker = connections.entry((line.from, line.connection)).or_insert_with(|| Attacker {
            from: line.from,
            agent: line.agent.clone(),
            referer: line.referer.clone(),
            steps: Vec::new(),
        });
        let ask = Ask::of(&line.target, !have_playlist.contains(&line.from));
        if ask == Ask::Playlist {
            have_playlist.insert(line.from);
        }
        attacker.steps.push(Step {
            at: line.at,
            method: ask.method(&line.method).to_owned(),
            ask,
            version: line.version,
            pace: Pace::of(line),
        });
    }
    connections.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(ms: u64, connection: u64, target: &str) -> Line {
        Line {
            at: Duration::from_millis(ms),
            took: Duration::ZERO,
            from: Ipv4Addr::new(127, 66, 0, 1),
            connection,
            version: Version::Http11,
            method: "GET".to_owned(),
            target: target.to_owned(),
            status: 200,
            referer: String::new(),
            agent: "wrk".to_owned(),
            is_attack: true,
        }
    }

    #[test]
    fn each_connection_sends_its_own_lines_in_order() {
        let mut lines = vec![
            line(30, 1, "/live/index.m3u8"),
            line(10, 1, "/room.html"),
            line(20, 2, "/live/index.m3u8"),
            line(40, 1, "/live/index.m3u8"),
        ];
        lines.push(Line { is_attack: false, ..line(5, 3, "/room.html") });
        let found = attackers(&lines);
        let asked: Vec<Vec<(u128, &Ask)>> = found
            .iter()
            .map(|one| one.steps.iter().map(|step| (step.at.as_millis(), &step.ask)).collect())
            .collect();
        let again = &Ask::MediaPlaylist;
        assert_eq!(asked, vec![vec![(10, &Ask::Page), (30, again), (40, again)], vec![(20, &Ask::Playlist)]]);
    }

    #[test]
    fn a_request_that_was_held_up_is_held_up_again() {
        let took = Duration::from_secs(20);
        for (method, status, pace) in [
            ("GET", 408, Pace::SlowHead(took)),
            ("POST", 408, Pace::SlowBody(took)),
            ("GET", 200, Pace::SlowRead(took)),
        ] {
            let slow = Line { took, status, method: method.to_owned(), ..line(0, 1, "/room.html") };
            let found = attackers(&[slow]);
            let steps: Vec<_> = found.iter().flat_map(|one| &one.steps).map(|step| step.pace).collect();
            assert_eq!(steps, [pace], "{method} {status}");
        }
    }
}
