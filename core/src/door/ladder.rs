//! What is given up before anybody is refused: first bit rate, then latency, then the live edge, then the
//! moment itself. Each step is taken only if it makes room, announced as it is, and taken back by itself.

use std::time::Duration;

use super::capacity::{Resource, Tier};
use super::snapshot::LadderSaid;
use crate::time::Time;

/// Steps of the ladder, with none.
pub const STEPS: usize = 5;
/// More people want in than fit for this long before a step is taken, in seconds.
pub const UP_AFTER_S: u64 = 5;
/// Fewer would fit without a step for this long before it is taken back, in seconds.
pub const DOWN_AFTER_S: u64 = 60;
/// A step makes room when it carries so many times as many.
const RELIEF_MIN: f64 = 1.1;
/// A step is taken back when those who want in fill no more than this share of the seats without it.
const DOWN_SHARE_MAX: f64 = 0.8;

/// How the program is served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// As it is.
    #[default]
    Full,
    /// Everybody gets a lower bit rate, who did not ask for one by its name.
    LowerBitRate,
    /// Everybody gets several parts at a time: fewer packets, more delay.
    LongerParts,
    /// Newcomers get the delayed tier.
    Delayed,
    /// Newcomers get the replay, when it ends.
    ReplayOnly,
}

impl Step {
    /// All of them, from the bottom.
    pub const ALL: [Self; STEPS] =
        [Self::Full, Self::LowerBitRate, Self::LongerParts, Self::Delayed, Self::ReplayOnly];

    /// Its number in the status.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// How a seat is served that is taken at this step; none where that is as at the step before.
    const fn tier(self) -> Option<Tier> {
        match self {
            Self::Full => Some(Tier::Full),
            Self::LowerBitRate => Some(Tier::LowBitRate),
            Self::LongerParts => Some(Tier::Segments),
            Self::Delayed | Self::ReplayOnly => None,
        }
    }

    const fn says(self) -> &'static str {
        match self {
            Self::Full => "Everybody is served the full bit rate.",
            Self::LowerBitRate => "Everybody hears a lower bit rate, so that more fit in.",
            Self::LongerParts => {
                "Everybody hears it some seconds later, in longer parts, so that more fit in."
            }
            Self::Delayed => "Newcomers hear it about half a minute later, so that more fit in.",
            Self::ReplayOnly => "There is no room for newcomers now; the replay is there at the end.",
        }
    }
}

/// What is wanted, and what each step would carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// People inside and people who want in.
    pub people: u64,
    /// Seats at each step, as measured costs say; at the last step as many as ask.
    pub seats: [u64; STEPS],
    /// What there is least of now.
    pub binds: Option<Resource>,
}

/// The ladder of one node.
#[derive(Clone, Debug, Default)]
pub struct Ladder {
    step: Step,
    tier: Tier,
    binds: Option<Resource>,
    pressed_since: Option<Time>,
    eased_since: Option<Time>,
}

impl Ladder {
    /// Looks at the demand; about once a second.
    pub fn look(&mut self, now: Time, demand: Demand) {
        let seats = |step: Step| demand.seats[usize::from(step.number())];
        let carries = |step: &Step| seats(*step) as f64 >= (seats(self.step).max(1)) as f64 * RELIEF_MIN;
        let up = Step::ALL.into_iter().find(|step| *step > self.step && carries(step));
        let pressed = demand.people > seats(self.step);
        let down = self
            .below(&demand.seats)
            .filter(|step| demand.people as f64 <= seats(*step) as f64 * DOWN_SHARE_MAX);
        held(&mut self.pressed_since, now, pressed && up.is_some());
        held(&mut self.eased_since, now, down.is_some());
        let lasts = |since: Option<Time>, seconds| {
            since.is_some_and(|since| now.since(since) >= Duration::from_secs(seconds))
        };
        let next = match (up, down) {
            (Some(up), _) if lasts(self.pressed_since, UP_AFTER_S) => up,
            (_, Some(down)) if lasts(self.eased_since, DOWN_AFTER_S) => down,
            (Some(_) | None, _) => return,
        };
        let tier = next.tier().unwrap_or(self.tier);
        *self = Self { step: next, tier, binds: demand.binds, pressed_since: None, eased_since: None };
    }

    /// The step that is taken.
    pub fn step(&self) -> Step {
        self.step
    }

    /// How who takes a seat now is served.
    pub fn tier(&self) -> Tier {
        self.tier
    }

    /// What everybody is told of it.
    pub fn said(&self) -> LadderSaid {
        let because = match (self.step, self.binds) {
            (Step::Full, _) | (_, None) => String::new(),
            (_, Some(resource)) => format!(" {} is what there is least of.", resource.word()),
        };
        LadderSaid { step: self.step.number(), why: format!("{}{because}", self.step.says()) }
    }

    /// The step below: one that makes no room is not among them.
    fn below(&self, seats: &[u64; STEPS]) -> Option<Step> {
        let seats = |step: Step| seats[usize::from(step.number())];
        let makes_room = |step: &Step| {
            let before = Step::ALL.into_iter().filter(|lower| lower < step).map(seats).max();
            before.is_none_or(|before| seats(*step) as f64 >= before.max(1) as f64 * RELIEF_MIN)
        };
        Step::ALL.into_iter().rev().find(|step| *step < self.step && makes_room(step))
    }
}

fn held(since: &mut Option<Time>, now: Time, holds: bool) {
    *since = if holds { since.or(Some(now)) } else { None };
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The network binds: a lower bit rate helps, longer parts do not.
    const NETWORK: [u64; STEPS] = [100, 200, 205, 400, u64::MAX];
    /// The processor binds: a lower bit rate does not help.
    const PROCESSOR: [u64; STEPS] = [100, 102, 300, 400, u64::MAX];

    fn at(seconds: u64) -> Time {
        Time::from_millis(seconds * 1_000)
    }

    fn look(ladder: &mut Ladder, seconds: std::ops::Range<u64>, people: u64, seats: [u64; STEPS]) -> Step {
        let demand = Demand { people, seats, binds: Some(Resource::Egress) };
        seconds.for_each(|second| ladder.look(at(second), demand));
        ladder.step()
    }

    #[test]
    fn a_step_that_makes_no_room_is_left_out() {
        for (seats, steps) in [
            (NETWORK, [Step::LowerBitRate, Step::Delayed, Step::ReplayOnly]),
            (PROCESSOR, [Step::LongerParts, Step::Delayed, Step::ReplayOnly]),
        ] {
            let mut ladder = Ladder::default();
            assert_eq!(look(&mut ladder, 0..5, 1_000, seats), Step::Full, "not at once");
            assert_eq!(look(&mut ladder, 5..6, 1_000, seats), steps[0]);
            assert_eq!(look(&mut ladder, 6..12, 1_000, seats), steps[1]);
            assert_eq!(look(&mut ladder, 12..18, 1_000, seats), steps[2]);
            assert_eq!(look(&mut ladder, 18..99, 1_000, seats), Step::ReplayOnly);
        }
    }

    #[test]
    fn a_step_that_is_not_there_is_not_gone_back_to() {
        const NO_DELAYED_TIER: [u64; STEPS] = [100, 102, 300, 300, u64::MAX];
        let mut ladder = Ladder::default();
        assert_eq!(look(&mut ladder, 0..99, 1_000, NO_DELAYED_TIER), Step::ReplayOnly);
        assert_eq!(ladder.tier(), Tier::Segments, "who takes a seat that gets free");
        assert_eq!(look(&mut ladder, 99..161, 200, NO_DELAYED_TIER), Step::LongerParts);
        assert_eq!(look(&mut ladder, 161..223, 50, NO_DELAYED_TIER), Step::Full);
        assert_eq!(ladder.tier(), Tier::Full);
    }

    #[test]
    fn it_goes_back_by_itself_and_does_not_flap() {
        let mut ladder = Ladder::default();
        look(&mut ladder, 0..6, 150, NETWORK);
        let said = ladder.said();
        assert_eq!((said.step, said.why.contains("Network")), (1, true), "{said:?}");
        assert_eq!(look(&mut ladder, 6..500, 90, NETWORK), Step::LowerBitRate, "90 of 100 is too near");
        assert_eq!(look(&mut ladder, 500..560, 80, NETWORK), Step::LowerBitRate);
        assert_eq!(look(&mut ladder, 560..562, 80, NETWORK), Step::Full);
        assert_eq!(ladder.said().step, 0);
        for second in 600..700 {
            look(&mut ladder, second..second + 1, if second % 4 == 0 { 150 } else { 90 }, NETWORK);
        }
        assert_eq!(ladder.step(), Step::Full, "a crowd that comes and goes each second moves nothing");
    }
}
