//! What is played, and what should be said of it.

use std::time::Duration;

use tribune_rehearsal::attack::Tool;
use tribune_rehearsal::replay::{Comer, Line, Script, WINDOW};

use super::made;
use super::tool::Attack;
use crate::labelled;

/// So many errors of the case's own server are an outage.
const ERRORS_MIN: usize = 20;
/// So many come in a window where a surge begins, and so many times what is usual before.
const SURGE_MIN: u64 = 20;
const SURGE_TIMES: u64 = 3;
/// What the names of those cases begin with in which a program attacks.
const TOOL: &str = "tool:";

/// What is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Nothing happens.
    Calm,
    /// Many come who want to listen.
    Crowd,
    /// Few listen, and somebody attacks.
    Attack,
    /// Many come, and somebody attacks.
    Both,
    /// The node itself fails its visitors; nobody attacks.
    SelfInflicted,
}

impl Expected {
    /// As the status says it; `self_inflicted` stands beside any kind.
    pub fn word(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Crowd => "crowd",
            Self::Attack => "attack",
            Self::Both => "both",
            Self::SelfInflicted => "self_inflicted",
        }
    }
}

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Such as `c1_crowd`.
    pub name: String,
    /// What is played.
    pub script: Script,
    /// What is right.
    pub expected: Expected,
    /// A program that attacks beside it.
    pub attack: Option<Attack>,
    /// Between these times nobody is given a ticket.
    pub outage: Option<(Duration, Duration)>,
    /// Lines of those who listen, in windows: what the case's own server was asked.
    pub honest_lines: Vec<u64>,
}

impl Case {
    /// The names of the cases that are made here.
    pub fn made_names() -> Vec<String> {
        let tools = Tool::ALL.iter().map(|tool| format!("{TOOL}{}", tool.name()));
        ["o1", "nat", "fresh"].map(str::to_owned).into_iter().chain(tools).collect()
    }

    /// A case from its lines.
    ///
    /// # Errors
    /// A source is no address.
    pub fn of(name: &str, lines: &[labelled::Line]) -> anyhow::Result<Self> {
        let lines = labelled::replayed(lines)?;
        let script = Script::of(&lines);
        let outage = outage(&lines);
        let is_attacked = !script.attackers.is_empty();
        let expected = match name.chars().next() {
            Some('a') => Expected::Attack,
            Some('b') => Expected::Both,
            Some('o') => Expected::Calm,
            _ if is_attacked => Expected::Attack,
            _ if outage.is_some() => Expected::SelfInflicted,
            _ => Expected::Crowd,
        };
        let mut honest_lines = Vec::new();
        for line in lines.iter().filter(|line| !line.is_attack) {
            let number = (line.at.as_millis() / WINDOW.as_millis()) as usize;
            honest_lines.resize(honest_lines.len().max(number + 1), 0);
            honest_lines[number] += 1;
        }
        Ok(Self { name: name.to_owned(), script, expected, attack: None, outage, honest_lines })
    }

    /// One of those that are made here.
    pub fn made(name: &str) -> Option<Self> {
        let tool = name.strip_prefix(TOOL);
        let tool = tool.and_then(|name| Tool::ALL.into_iter().find(|tool| tool.name() == name));
        let (script, expected) = match name {
            "o1" => (Script { people: made::quiet(), ..Script::default() }, Expected::Calm),
            "nat" => (Script { people: made::behind_few_addresses(), ..Script::default() }, Expected::Crowd),
            "fresh" => {
                let (attackers, people) = (made::fresh_addresses(), made::coming_and_going());
                (Script { attackers, people }, Expected::Attack)
            }
            _ => {
                let people = tool.map(|_| made::coming_and_going())?;
                (Script { people, ..Script::default() }, Expected::Attack)
            }
        };
        let (name, attack) = (name.to_owned(), tool.map(Attack::by));
        Some(Self { name, script, expected, attack, outage: None, honest_lines: Vec::new() })
    }

    /// When what is to be told begins, as far as it is known before anything is played: the outage, the
    /// surge, or a program's start. Any other attack begins when it is sent.
    pub fn onset(&self) -> Option<Duration> {
        if let Some(attack) = &self.attack {
            return Some(attack.at);
        }
        match self.expected {
            Expected::SelfInflicted => self.outage.map(|(from, _)| from),
            Expected::Crowd => surge(&self.script.people),
            Expected::Calm | Expected::Attack | Expected::Both => None,
        }
    }
}

/// From the second of the first error to that of the last.
fn outage(lines: &[Line]) -> Option<(Duration, Duration)> {
    let errors = lines.iter().filter(|line| !line.is_attack && line.status >= 500).map(|line| line.at);
    let (count, from, to) = errors.fold((0, Duration::MAX, Duration::ZERO), |(count, from, to), at| {
        (count + 1, from.min(at), to.max(at))
    });
    let whole = |at: Duration| Duration::from_secs(at.as_secs());
    (count >= ERRORS_MIN).then(|| (whole(from), whole(to) + Duration::from_secs(1)))
}

/// When many more begin to come than before.
fn surge(people: &[Comer]) -> Option<Duration> {
    let mut windows: Vec<u64> = Vec::new();
    let number = |at: Duration| (at.as_millis() / WINDOW.as_millis()) as usize;
    for comer in people {
        windows.resize(windows.len().max(number(comer.comes()) + 1), 0);
        windows[number(comer.comes())] += 1;
    }
    let begins = (1..windows.len()).find(|&at| {
        let mut before = windows[..at].to_vec();
        before.sort_unstable();
        windows[at] >= SURGE_MIN.max(SURGE_TIMES * before[before.len() / 2])
    })?;
    people.iter().map(Comer::comes).find(|at| number(*at) == begins)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::Ipv4Addr;

    use super::*;

    fn line(ms: i64, connection: u64, status: u16) -> labelled::Line {
        labelled::Line {
            at_ms: ms,
            source: format!("127.10.0.{}", connection % 250),
            connection,
            target: "/room.html".to_owned(),
            status,
            ..labelled::Line::default()
        }
    }

    #[test]
    fn an_outage_is_where_the_cases_own_server_failed() {
        let mut lines: Vec<_> = (0..40).map(|one| line(13_750 + 500 * one, one as u64, 503)).collect();
        lines.push(line(500, 99, 200));
        let case = Case::of("c3_retry_storm", &lines).expect("a case");
        assert_eq!(case.expected, Expected::SelfInflicted);
        assert_eq!(case.outage, Some((Duration::from_secs(13), Duration::from_secs(34))));
        assert_eq!(case.onset(), Some(Duration::from_secs(13)));
        assert_eq!(case.honest_lines.iter().sum::<u64>(), 41);
        let few = Case::of("c1", &lines[..10]).expect("a case");
        assert_eq!((few.expected, few.outage), (Expected::Crowd, None));
    }

    #[test]
    fn a_surge_begins_where_many_more_come() {
        let mut lines: Vec<_> = (0..30).map(|one| line(500 * one, one as u64, 200)).collect();
        lines.extend((0..100).map(|one| line(15_040 + 30 * one, 100 + one as u64, 200)));
        let case = Case::of("c1", &lines).expect("a case");
        assert_eq!(case.onset(), Some(Duration::from_millis(15_040)));
    }

    #[test]
    fn of_a_crowd_of_400_nearly_all_come_from_three_addresses() {
        let case = Case::made("nat").expect("it is made here");
        let mut from = BTreeMap::<Ipv4Addr, u32>::new();
        case.script.people.iter().for_each(|comer| *from.entry(comer.from).or_default() += 1);
        let mut most: Vec<u32> = from.into_values().collect();
        most.sort_unstable_by(|one, other| other.cmp(one));
        assert_eq!(most.iter().sum::<u32>(), 400);
        assert_eq!(most[..3].iter().sum::<u32>(), 380);
        assert_eq!((case.expected, case.onset()), (Expected::Crowd, Some(Duration::from_secs(12))));
        let quiet = Case::made("o1").expect("it is made here");
        assert_eq!((quiet.script.people.len(), quiet.onset()), (20, None));
        assert!(Case::made("x").is_none() && Case::made("tool:x").is_none());
    }

    #[test]
    fn every_name_that_is_listed_is_a_case_in_which_people_come_all_the_time() {
        for name in Case::made_names() {
            let case = Case::made(&name).expect("it is listed");
            assert!(case.script.people.len() >= 20, "{name}");
            assert_eq!(case.attack.is_some(), name.starts_with(TOOL), "{name}");
            if case.expected == Expected::Attack {
                assert_eq!((case.name.as_str(), case.script.people.len() > 100), (name.as_str(), true));
            }
        }
        let fresh = Case::made("fresh").expect("it is made here").script;
        let from: std::collections::BTreeSet<_> = fresh.attackers.iter().map(|one| one.from).collect();
        assert_eq!((from.len(), from.iter().all(Ipv4Addr::is_loopback)), (4_000, true));
        assert!(fresh.lasting() <= Duration::from_secs(70), "{:?}", fresh.lasting());
    }
}
