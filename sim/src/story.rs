//! A seed, told in advance: who sends, who listens, what breaks and when.
//!
//! First the swarm is drawn: which kinds of trouble this world knows at all. Most bugs need a few kinds
//! together and many kinds hide each other, so no world knows all of them.

use tribune_core::time::Time;

use crate::dice::Dice;

/// Trouble happens until here; in a long evening, for longer than the window of live parts.
const FAULTY_MS: u64 = 12_000;
const FAULTY_MS_LONG: u64 = 75_000;
/// From then to the end everything is well, and all must come right.
const HEALED_MS: u64 = 8_000;

/// Longer than the window of live parts.
const SLEEP_MS_LONG: u64 = 66_000;
const SOURCES_MAX: u64 = 4;
const LISTENERS_MAX: u64 = 8;

/// Which kinds of trouble a world knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Swarm {
    /// Sources that send nothing for a while.
    pub stalls: bool,
    /// How late a source's packets may be, in milliseconds.
    pub jitter_ms_max: u64,
    /// How far a source's clock may be off, in parts per million.
    pub drift_ppm_max: u64,
    /// Sources that die, and return.
    pub deaths: bool,
    /// Senders that take a source's place, with another sampling rate.
    pub replacements: bool,
    /// Listeners that stop reading for longer than the window.
    pub sleepers: bool,
    /// The clock on the wall is set, forward or back.
    pub clock_jumps: bool,
    /// How late the thread of the program's clock may wake, in milliseconds.
    pub wake_ms_max: u64,
    /// The process is killed and started again.
    pub crashes: bool,
    /// How long there is trouble, in milliseconds.
    pub faulty_ms: u64,
}

/// One sender.
#[derive(Clone, Debug)]
pub struct SourcePlan {
    /// Its sampling rate in Hz.
    pub rate_hz: u32,
    /// How much sound a packet holds, in milliseconds by its own clock.
    pub packet_ms: u64,
    /// How much faster its clock runs than the program's, in parts per million.
    pub drift_ppm: i64,
    /// How late a packet may be, in milliseconds.
    pub jitter_ms_max: u64,
    /// The pitch of its tone, in Hz, so that its sound can be told from others.
    pub tone_hz: f32,
}

/// Something somebody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// A source connects.
    Open(usize),
    /// A source sends nothing for so many milliseconds, then all of it at once.
    Stall(usize, u64),
    /// A source's connection ends.
    Die(usize),
    /// Another sender takes the source's place.
    Replace(usize),
    /// The host opens the conversation.
    GoLive,
    /// A listener comes.
    Join(usize),
    /// A listener reads nothing for so many milliseconds.
    Sleep(usize, u64),
    /// A listener goes.
    Leave(usize),
    /// The clock on the wall is set by so many milliseconds.
    WallJumps(i64),
    /// The process is killed; a new one is there so many milliseconds later.
    Crash(u64),
}

/// A seed, told in advance.
#[derive(Clone, Debug)]
pub struct Story {
    /// Which kinds of trouble there are.
    pub swarm: Swarm,
    /// The senders; the first is open and well in the healed phase.
    pub sources: Vec<SourcePlan>,
    /// How many listeners.
    pub listeners: usize,
    /// What happens, in order.
    pub acts: Vec<(Time, Act)>,
    /// For what is drawn while it happens.
    pub dice: Dice,
}

impl Swarm {
    /// Whether there is trouble for longer than the window of live parts.
    pub fn is_long(&self) -> bool {
        self.faulty_ms >= FAULTY_MS_LONG
    }

    fn draw(dice: &mut Dice) -> Self {
        Self {
            stalls: dice.chance(50),
            jitter_ms_max: dice.pick(&[0, 0, 15, 60, 200]),
            drift_ppm_max: dice.pick(&[0, 100, 1_000]),
            deaths: dice.chance(50),
            replacements: dice.chance(35),
            sleepers: dice.chance(50),
            clock_jumps: dice.chance(35),
            wake_ms_max: dice.pick(&[0, 2, 8, 70]),
            crashes: dice.chance(35),
            faulty_ms: if dice.chance(20) { FAULTY_MS_LONG } else { FAULTY_MS },
        }
    }
}

impl Story {
    /// The story of a seed.
    pub fn draw(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let swarm = Swarm::draw(&mut dice);
        let sources: Vec<_> = (0..dice.between(1, SOURCES_MAX))
            .map(|place| SourcePlan::draw(&swarm, place, &mut dice))
            .collect();
        let listeners = dice.between(1, LISTENERS_MAX) as usize;
        let mut acts = vec![(Time::from_millis(dice.between(200, 4_000)), Act::GoLive)];
        for source in 0..sources.len() {
            acts.extend(source_acts(source, &swarm, &mut dice));
        }
        for listener in 0..listeners {
            acts.extend(listener_acts(listener, &swarm, &mut dice));
        }
        acts.extend(world_acts(&swarm, &mut dice));
        acts.sort_by_key(|&(at, _)| at);
        let dice = dice.fork();
        Self { swarm, sources, listeners, acts, dice }
    }

    /// From here on everything is well.
    pub fn healed_from(&self) -> Time {
        Time::from_millis(self.swarm.faulty_ms)
    }

    /// The host ends the room.
    pub fn ends(&self) -> Time {
        Time::from_millis(self.swarm.faulty_ms + HEALED_MS)
    }
}

impl SourcePlan {
    fn draw(swarm: &Swarm, place: u64, dice: &mut Dice) -> Self {
        let drift = dice.between(0, 2 * swarm.drift_ppm_max) as i64 - swarm.drift_ppm_max as i64;
        Self {
            rate_hz: dice.pick(&[48_000, 48_000, 44_100, 32_000, 22_050]),
            packet_ms: dice.pick(&[20, 20, 60, 100]),
            drift_ppm: drift,
            jitter_ms_max: dice.between(0, swarm.jitter_ms_max),
            tone_hz: 220.0 * (1 + place) as f32,
        }
    }
}

/// Open somewhere in the first seconds, then whatever the swarm knows; every source is open again when it
/// heals.
fn source_acts(source: usize, swarm: &Swarm, dice: &mut Dice) -> Vec<(Time, Act)> {
    let mut acts = vec![(Time::from_millis(dice.between(0, 3_000)), Act::Open(source))];
    let mut troubles = Vec::new();
    for (known, act) in [
        (swarm.stalls, Act::Stall(source, dice.between(50, 3_000))),
        (swarm.deaths, Act::Die(source)),
        (swarm.replacements, Act::Replace(source)),
    ] {
        if known {
            troubles.push(act);
        }
    }
    let mut at_ms = 3_000;
    while !troubles.is_empty() {
        at_ms += dice.between(100, 4_000);
        if at_ms >= swarm.faulty_ms {
            break;
        }
        let act = dice.pick(&troubles);
        acts.push((Time::from_millis(at_ms), act));
        if matches!(act, Act::Die(_)) {
            at_ms += dice.between(50, 3_000);
            acts.push((Time::from_millis(at_ms.min(swarm.faulty_ms)), Act::Open(source)));
        }
    }
    acts
}

fn listener_acts(listener: usize, swarm: &Swarm, dice: &mut Dice) -> Vec<(Time, Act)> {
    let join_ms = dice.between(0, FAULTY_MS);
    let mut acts = vec![(Time::from_millis(join_ms), Act::Join(listener))];
    if swarm.sleepers && dice.chance(60) {
        let sleep = Act::Sleep(listener, dice.pick(&[500, 3_000, SLEEP_MS_LONG, SLEEP_MS_LONG]));
        acts.push((Time::from_millis(dice.between(join_ms, FAULTY_MS)), sleep));
    }
    if dice.chance(40) {
        let leave_ms = dice.between(join_ms, swarm.faulty_ms + HEALED_MS);
        acts.push((Time::from_millis(leave_ms), Act::Leave(listener)));
    }
    acts
}

fn world_acts(swarm: &Swarm, dice: &mut Dice) -> Vec<(Time, Act)> {
    let mut acts = Vec::new();
    if swarm.clock_jumps {
        for _ in 0..dice.between(1, 3) {
            let ms = dice.pick(&[-3_600_000, -1_500, -40, 40, 2_000, 3_600_000]);
            acts.push((Time::from_millis(dice.between(0, swarm.faulty_ms)), Act::WallJumps(ms)));
        }
    }
    if swarm.crashes {
        for _ in 0..dice.between(1, 2) {
            let act = Act::Crash(dice.between(10, 2_500));
            acts.push((Time::from_millis(dice.between(2_000, swarm.faulty_ms - 3_000)), act));
        }
    }
    acts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_a_story_in_order() {
        for seed in 0..200 {
            let story = Story::draw(seed);
            assert_eq!(format!("{story:?}"), format!("{:?}", Story::draw(seed)));
            assert!(story.acts.is_sorted_by_key(|&(at, _)| at));
            assert!(story.acts.iter().any(|&(_, act)| act == Act::GoLive));
        }
        let kinds: Vec<_> = (0..200).map(|seed| Story::draw(seed).swarm).collect();
        assert!(kinds.iter().any(|swarm| swarm.crashes) && kinds.iter().any(|swarm| !swarm.crashes));
    }
}
