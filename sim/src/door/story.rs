//! A seed, told in advance: how many come and when, how they behave, what breaks.

use crate::dice::Dice;

/// The draw is held this long before the start, in seconds.
pub const DRAW_BEFORE_S: u32 = 60;
/// How far a visitor's clock may be off, in milliseconds.
const SKEW_MS_MAX: i64 = 5_000;

/// One evening.
#[derive(Clone, Debug)]
pub struct Story {
    /// For what is drawn while it happens.
    pub seed: u64,
    /// Tickets that are asked for.
    pub people: u32,
    /// Tickets nobody ever comes with, of a hundred.
    pub ghosts_percent: u64,
    /// People whose phone sleeps, of a hundred.
    pub sleepers_percent: u64,
    /// Seats at the beginning.
    pub cap: u64,
    /// When the room starts, in seconds from when the door opens; 0 without a schedule.
    pub start_s: u32,
    /// When it ends.
    pub end_s: u32,
    /// Of a hundred people, how many come before the start (of the rest half come in the ten minutes after).
    pub early_percent: u64,
    /// How long somebody listens, on average, in seconds.
    pub stay_s: f64,
    /// How long somebody waits, on average, in seconds.
    pub patience_s: f64,
    /// Messages that are lost, of a hundred.
    pub lost_percent: u64,
    /// Messages that come twice, of a hundred.
    pub doubled_percent: u64,
    /// New connections a second the node can take.
    pub claims_per_s_max: u32,
    /// The node's clock on the wall is set by so many milliseconds, at a second.
    pub clock_set: Vec<(u32, i64)>,
    /// The process is killed at a second, and is away for so many.
    pub kills: Vec<(u32, u32)>,
    /// The host sets the cap, at a second.
    pub caps: Vec<(u32, u64)>,
    /// The host moves the start at a second, to another one.
    pub start_moved: Option<(u32, u32)>,
}

impl Story {
    /// The evening of this seed: `people` tickets, of which so many of a hundred are ghosts.
    pub fn draw(seed: u64, people: u32, ghosts_percent: u64) -> Self {
        let mut dice = Dice::new(seed);
        let scheduled = dice.chance(75);
        let start_s = if scheduled { dice.between(240, 900) as u32 } else { 0 };
        let end_s = start_s + dice.between(1_800, 3_600) as u32;
        let real = u64::from(people) * (100 - ghosts_percent) / 100;
        let cap = (real / dice.between(3, 12)).max(1);
        let mut story = Self {
            seed,
            people,
            ghosts_percent,
            sleepers_percent: dice.pick(&[0, 0, 5, 10]),
            cap,
            start_s,
            end_s,
            early_percent: if scheduled { dice.between(30, 90) } else { 0 },
            stay_s: dice.between(600, 1_500) as f64,
            patience_s: dice.between(1_200, 5_400) as f64,
            lost_percent: dice.pick(&[0, 0, 1, 4]),
            doubled_percent: dice.pick(&[0, 0, 1, 3]),
            claims_per_s_max: (cap / 10).max(20) as u32,
            clock_set: Vec::new(),
            kills: Vec::new(),
            caps: Vec::new(),
            start_moved: None,
        };
        story.draw_trouble(&mut dice);
        story
    }

    /// The same evening with a host who lets it go its way.
    #[must_use]
    pub fn undisturbed(mut self) -> Self {
        self.caps.clear();
        self.start_moved = None;
        self
    }

    fn draw_trouble(&mut self, dice: &mut Dice) {
        let any_second = |dice: &mut Dice, end_s: u32| dice.between(5, u64::from(end_s) - 60) as u32;
        if dice.chance(35) {
            let by_ms = dice.between(0, 120_000) as i64 - 60_000;
            self.clock_set.push((any_second(dice, self.end_s), by_ms));
        }
        if dice.chance(35) {
            self.kills.push((any_second(dice, self.end_s), dice.between(1, 20) as u32));
        }
        let after_start = |dice: &mut Dice, story: &Self| {
            story.start_s + dice.between(120, u64::from(story.end_s - story.start_s) / 2) as u32
        };
        match dice.between(0, 5) {
            0 => self.caps.push((after_start(dice, self), self.cap / 2)),
            1 => self.caps.push((after_start(dice, self), self.cap * 3)),
            2 => {
                let from = after_start(dice, self);
                let caps =
                    (0..24_u32).map(|n| (from + 5 * n, if n % 2 == 0 { self.cap / 2 } else { self.cap }));
                self.caps.extend(caps);
            }
            _ => {}
        }
        if self.start_s > 0 && dice.chance(25) {
            let at = dice.between(10, u64::from(self.start_s) / 2) as u32;
            let to = u64::from(self.start_s) * dice.between(60, 150) / 100;
            self.start_moved = Some((at, (to as u32).clamp(at + 1, self.end_s - 600)));
        }
    }

    /// When the room really starts.
    pub fn starts_s(&self) -> u32 {
        self.start_moved.map_or(self.start_s, |(_, to)| to)
    }

    /// How far somebody's clock is off, in milliseconds.
    pub fn skew_ms(dice: &mut Dice) -> i64 {
        dice.between(0, 2 * SKEW_MS_MAX as u64) as i64 - SKEW_MS_MAX
    }
}
