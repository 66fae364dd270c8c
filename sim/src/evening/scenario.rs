//! A scenario's file: TOML, times in seconds from the announced start, negative ones before it.

use serde::Deserialize;

/// Most people of one evening: as many as a room has tickets for, less those who draw two.
pub const PEOPLE_MAX: u32 = 16_000_000;
/// Most nodes.
pub const NODES_MAX: u16 = 10_000;
/// Most faults, and most attacks, of one evening.
const BREAKS_MAX: usize = 100;
/// Most addresses of an attack, and its most requests a second.
const ATTACK_ADDRESSES_MAX: u32 = 1_000_000;
const ATTACK_REQUESTS_MAX: u32 = 1_000_000;
/// What a node has is less than this; what a thing costs, in microseconds or kilobits, less than that.
const SIZE_MAX: f64 = 1e12;
const COST_MAX: f64 = 1e7;
/// The longest evening, before and after the start, in seconds.
const EVENING_S_MAX: u32 = 12 * 3_600;

/// One evening, as its file says it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it is.
    pub title: String,
    /// Where its figures come from.
    pub sources: Vec<String>,
    /// What had to be assumed.
    pub assumed: Vec<String>,
    /// When.
    pub evening: Evening,
    /// Who.
    pub crowd: Crowd,
    /// On what.
    pub nodes: Nodes,
    /// What it costs.
    pub measured: Measured,
    /// What breaks.
    #[serde(default, rename = "fault")]
    pub faults: Vec<Fault>,
    /// Who attacks.
    #[serde(default, rename = "attack")]
    pub attacks: Vec<Attack>,
}

/// When it is.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evening {
    /// So long before the start people can take tickets.
    pub door_opens_before_s: u32,
    /// It ends so long after the start.
    pub lasts_s: u32,
}

/// Who comes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crowd {
    /// People who take a ticket.
    pub people: u32,
    /// Of a hundred, those who are never seen again.
    pub ghosts_percent: u8,
    /// Of a hundred, those whose phone sleeps while they wait.
    pub sleepers_percent: u8,
    /// How long somebody waits from the start, or from when they came if that is later; the mean, in seconds.
    pub patience_s: u32,
    /// Of a hundred who are in, those who stay to the end.
    pub to_the_end_percent: u8,
    /// How long the others stay; the mean, in seconds.
    pub stay_s: u32,
    /// The way of a request to a node and back, from the nearest to the farthest, in milliseconds.
    pub way_ms: [u32; 2],
    /// People who share an address, on average.
    pub people_per_address: u32,
    /// When they come: seconds from the start, and how many of a hundred have come by then.
    pub arrivals: Vec<[f64; 2]>,
}

/// What it runs on.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nodes {
    /// How many.
    pub count: u16,
    /// Processors of each.
    pub cores: f64,
    /// Memory of each, in GB.
    pub memory_gb: f64,
    /// What the network of each carries, in Mbit/s.
    pub egress_mbit: f64,
    /// Descriptors of each.
    pub descriptors: f64,
    /// Whether newcomers are served otherwise before anybody waits.
    #[serde(default = "yes")]
    pub ladder: bool,
}

fn yes() -> bool {
    true
}

/// What one of everything costs on one processor, as it was measured.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measured {
    /// By what.
    pub from: String,
    /// Microseconds of processor a second for one listener: as best can be, by a lower bit rate, by whole
    /// segments.
    pub listener_us: [f64; 3],
    /// Kilobits a second for one listener, on the wire, the same ways.
    pub listener_kbit: [f64; 3],
    /// Bytes of memory for one listener.
    pub listener_bytes: f64,
    /// Microseconds for a handshake by somebody new.
    pub handshake_us: f64,
    /// For the page.
    pub page_us: f64,
    /// For a ticket.
    pub ticket_us: f64,
    /// For a question where a ticket stands.
    pub place_us: f64,
    /// For a claim.
    pub claim_us: f64,
    /// For the beginning of the program.
    pub begin_us: f64,
    /// For putting somebody off.
    pub put_off_us: f64,
}

/// What breaks.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, tag = "kind", rename_all = "snake_case")]
pub enum Fault {
    /// A node dies and is back after a while.
    NodeDies {
        /// When, in seconds from the start.
        at_s: i32,
        /// Which, from 0.
        node: u16,
        /// For how long, in seconds.
        away_s: u32,
    },
    /// Connections of listeners break, everywhere; they come again by themselves.
    Cut {
        /// When, in seconds from the start.
        at_s: i32,
        /// How many of a hundred.
        percent: u8,
    },
    /// The host lets in no more than so many from now on.
    Cap {
        /// When, in seconds from the start.
        at_s: i32,
        /// Seats of all nodes together.
        seats: u64,
    },
}

impl Fault {
    /// When it happens, in seconds from the start.
    pub const fn at_s(&self) -> i32 {
        match self {
            Self::NodeDies { at_s, .. } | Self::Cut { at_s, .. } | Self::Cap { at_s, .. } => *at_s,
        }
    }
}

/// Requests for the page that nobody wants to read.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attack {
    /// When it begins, in seconds from the start.
    pub at_s: i32,
    /// For how long, in seconds.
    pub lasts_s: u32,
    /// Requests a second, each on a connection of its own, on all nodes together.
    pub requests_per_s: u32,
    /// Addresses it comes from.
    pub addresses: u32,
}

/// Why a scenario cannot be lived.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{what}", .line.map(|line| format!("line {line}: ")).unwrap_or_default())]
pub struct Wrong {
    /// The line, from 1, where it is known.
    pub line: Option<usize>,
    /// A sentence.
    pub what: String,
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// It is no TOML, has a field that none has, lacks one, or says what cannot be.
    pub fn parse(text: &str) -> Result<Self, Wrong> {
        let scenario: Self = toml::from_str(text).map_err(|error| Wrong {
            line: error.span().map(|span| text[..span.start].matches('\n').count() + 1),
            what: error.message().trim_end().replace('\n', " "),
        })?;
        scenario.check().map_err(|what| Wrong { line: None, what })?;
        Ok(scenario)
    }

    /// Whether it can still be, after something of it was changed.
    ///
    /// # Errors
    /// It cannot.
    pub fn check_again(&self) -> Result<(), Wrong> {
        self.check().map_err(|what| Wrong { line: None, what })
    }

    fn check(&self) -> Result<(), String> {
        let Self { evening, crowd, nodes, measured, .. } = self;
        let all_s = evening.door_opens_before_s.saturating_add(evening.lasts_s);
        must(all_s <= EVENING_S_MAX, format!("the evening is {all_s} s long: {EVENING_S_MAX} at most"))?;
        must(evening.door_opens_before_s >= 120, "door_opens_before_s is 120 at least".to_owned())?;
        must(evening.lasts_s >= 60, "lasts_s is 60 at least".to_owned())?;
        must((1..=PEOPLE_MAX).contains(&crowd.people), format!("people are 1 to {PEOPLE_MAX}"))?;
        must((1..=NODES_MAX).contains(&nodes.count), format!("nodes are 1 to {NODES_MAX}"))?;
        let percents = [crowd.ghosts_percent, crowd.sleepers_percent, crowd.to_the_end_percent];
        must(percents.iter().all(|percent| *percent <= 100), "a percentage is 100 at most".to_owned())?;
        let [nearest, farthest] = crowd.way_ms;
        must(
            nearest <= farthest && farthest <= 5_000,
            "way_ms goes from less to more, 5,000 at most".to_owned(),
        )?;
        must(crowd.people_per_address > 0, "people_per_address is 1 at least".to_owned())?;
        let spans = [crowd.patience_s, crowd.stay_s];
        must(spans.iter().all(|span| *span > 0), "patience_s and stay_s are 1 at least".to_owned())?;
        let sizes = [nodes.cores, nodes.memory_gb, nodes.egress_mbit, nodes.descriptors];
        let costs = [measured.listener_bytes, measured.handshake_us, measured.page_us, measured.ticket_us];
        let more = [measured.place_us, measured.claim_us, measured.begin_us, measured.put_off_us];
        let listener = measured.listener_us.iter().chain(&measured.listener_kbit);
        let is_amount = |most: f64| move |figure: &f64| figure.is_finite() && *figure > 0.0 && *figure < most;
        must(
            sizes.iter().all(is_amount(SIZE_MAX))
                && costs.iter().chain(&more).chain(listener).all(is_amount(COST_MAX)),
            "what a node has is more than 0, and what things cost is more than 0 and less than 10,000,000"
                .to_owned(),
        )?;
        self.check_arrivals()?;
        self.check_faults()
    }

    fn check_arrivals(&self) -> Result<(), String> {
        let arrivals = &self.crowd.arrivals;
        let rise = |two: &[[f64; 2]]| two[0][0] < two[1][0] && two[0][1] <= two[1][1];
        let first = -f64::from(self.evening.door_opens_before_s);
        let last = f64::from(self.evening.lasts_s);
        let is_whole = arrivals.first().is_some_and(|one| one[0] >= first && one[1] == 0.0)
            && arrivals.last().is_some_and(|one| one[0] <= last && one[1] == 100.0);
        must(
            arrivals.len() >= 2 && is_whole && arrivals.windows(2).all(rise),
            format!(
                "arrivals rise from 0 to 100 of a hundred, between {first} s and {last} s from the start"
            ),
        )
    }

    fn check_faults(&self) -> Result<(), String> {
        let from = -(self.evening.door_opens_before_s as i32);
        let within = |at_s: i32| (from..self.evening.lasts_s as i32).contains(&at_s);
        let breaks = self.faults.len().max(self.attacks.len());
        must(breaks <= BREAKS_MAX, format!("an evening has {BREAKS_MAX} faults and attacks at most"))?;
        for fault in &self.faults {
            must(within(fault.at_s()), format!("a fault at {} s is outside the evening", fault.at_s()))?;
            self.check_fault(fault)?;
        }
        for attack in &self.attacks {
            let Attack { at_s, addresses, requests_per_s, .. } = attack;
            must(within(*at_s), format!("an attack at {at_s} s is outside the evening"))?;
            must(
                (1..=ATTACK_ADDRESSES_MAX).contains(addresses) && *requests_per_s <= ATTACK_REQUESTS_MAX,
                format!(
                    "an attack comes from 1 to {ATTACK_ADDRESSES_MAX} addresses, with {ATTACK_REQUESTS_MAX} \
                     requests a second at most"
                ),
            )?;
        }
        Ok(())
    }

    fn check_fault(&self, fault: &Fault) -> Result<(), String> {
        match fault {
            Fault::NodeDies { node, away_s, .. } => {
                let last = self.nodes.count - 1;
                must(*node <= last, format!("there is no node {node}: they are numbered from 0 to {last}"))?;
                must(*away_s <= EVENING_S_MAX, format!("a node is away for {EVENING_S_MAX} s at most"))
            }
            Fault::Cut { percent, .. } => {
                must(*percent <= 100, "a cut takes 100 of a hundred at most".to_owned())
            }
            Fault::Cap { .. } => Ok(()),
        }
    }
}

fn must(holds: bool, else_what: String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(else_what) }
}
