//! How fast one inlet is played, so that its clock and the program's stay together and little sound has to
//! wait.
//!
//! Sound arrives in bursts, so what is waiting goes up and down with every page. What matters is the least
//! that was waiting in the last seconds: the *floor*. Held at a small margin, the floor leaves exactly the
//! source's own page length in the buffer and no more, whatever that length is. A slow proportional-integral
//! loop bends the playing speed by some parts per million towards that; the integral part ends up as the
//! difference between the two clocks.
//!
//! A source that sends faster than it speaks (a file) has no clock to follow. It is recognised by the lead it
//! gains over real time, which no live source can, or by being held back while it leads; it is played at its
//! nominal speed, and nothing of it is skipped.

/// The margin an inlet starts with, in milliseconds.
pub const MARGIN_MS_START: f64 = 70.0;
/// The widest margin that underruns can lead to, in milliseconds.
pub const MARGIN_MS_MAX: f64 = 240.0;
/// Waiting sound above which whoever reads the source should wait, in milliseconds.
pub const BACKLOG_MS_MAX: u64 = 3_000;
/// Waiting sound above the margin that is no longer worked off by speed but skipped, in milliseconds.
pub const EXCESS_MS_MAX: f64 = 1_000.0;
/// The speed differs from nominal by at most this share while the floor is near the margin.
pub const CORRECTION_MAX: f64 = 0.003;
/// The same while the floor is far from the margin, after a stall.
pub const CORRECTION_MAX_FAR: f64 = 0.01;

const NEAR_MS: f64 = 50.0;
const FAR_MS: f64 = 150.0;
/// Underruns widen the margin by their length within these bounds; a longer one was a pause, not jitter.
const WIDEN_MS_MIN: f64 = 20.0;
const WIDEN_MS_MAX: f64 = 60.0;
const PAUSE_MS_MIN: f64 = 1_000.0;
/// After so much calm the margin narrows, a step at a time.
const CALM_TICKS_MIN: u32 = 3 * 60 * TICKS_PER_S;
const NARROW_EVERY_TICKS: u32 = 30 * TICKS_PER_S;
const NARROW_MS: f64 = 10.0;
/// The floor is the least of so many slots.
const SLOTS: usize = 12;
const SLOT_TICKS: u32 = 25;
const TICKS_PER_S: u32 = 50;
const TICK_MS: f64 = crate::time::FRAME_MS as f64;
/// The loop waits until this many slots are known.
const SLOTS_MIN: usize = 4;
/// Proportional gain, per second: quick to find a new source's clock, slow once it is found, so that jitter
/// is not heard.
const GAIN_QUICK: f64 = 1.0 / 10.0;
const GAIN_SLOW: f64 = 1.0 / 60.0;
const QUICK_TICKS: u32 = 45 * TICKS_PER_S;
/// The speed moves by at most this share in one tick.
const SLEW_MAX: f64 = 20e-6;
/// A floor of the lead above this is a file's; below the other, a file's lead is used up.
const AHEAD_MS_MIN: f64 = 750.0;
const AHEAD_LEFT_MS_MIN: f64 = 300.0;
/// Real time is taken to run this much faster than it does, so that no live source's clock gains a lead.
const LEAD_LEAK: f64 = CORRECTION_MAX_FAR;
/// A stall longer than this no longer counts against the lead.
const LEAD_MS_MIN: f64 = -5_000.0;

/// What the source's sending looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    /// By a clock of its own, which is followed.
    Live,
    /// As fast as it is read, held back by whoever reads: played at nominal speed.
    Ahead,
}

/// What to do at this tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Step {
    /// Play at this speed; 1.0 is nominal.
    Play(f64),
    /// Leave out so many milliseconds, then play at this speed.
    Skip(f64, f64),
}

/// The least of the last slots.
#[derive(Debug)]
struct Floor {
    slots: [f64; SLOTS],
    known: usize,
    at: usize,
    ticks: u32,
}

impl Floor {
    const fn new() -> Self {
        Self { slots: [f64::INFINITY; SLOTS], known: 0, at: 0, ticks: 0 }
    }

    fn note(&mut self, value: f64) {
        self.slots[self.at] = self.slots[self.at].min(value);
    }

    fn tick(&mut self) {
        self.ticks += 1;
        if self.ticks == SLOT_TICKS {
            self.ticks = 0;
            self.known = (self.known + 1).min(SLOTS);
            self.at = (self.at + 1) % SLOTS;
            self.slots[self.at] = f64::INFINITY;
        }
    }

    fn value(&self) -> Option<f64> {
        (self.known >= SLOTS_MIN).then(|| self.slots.iter().copied().fold(f64::INFINITY, f64::min))
    }
}

/// One inlet's pace.
#[derive(Debug)]
pub(crate) struct Pace {
    sending: Sending,
    margin_ms: f64,
    floor: Floor,
    lead: Floor,
    /// Sound that came less time that passed, since the first sound.
    lead_ms: f64,
    /// So much waited since the sound began that the source had to wait.
    held_back: bool,
    began: bool,
    integral: f64,
    correction: f64,
    ticks_since_start: u32,
    ticks_calm: u32,
}

impl Pace {
    /// A source that has sent nothing yet.
    pub fn new() -> Self {
        Self {
            sending: Sending::Live,
            margin_ms: MARGIN_MS_START,
            floor: Floor::new(),
            lead: Floor::new(),
            lead_ms: 0.0,
            held_back: false,
            began: false,
            integral: 0.0,
            correction: 0.0,
            ticks_since_start: 0,
            ticks_calm: 0,
        }
    }

    /// The floor it aims for, in milliseconds.
    pub fn margin_ms(&self) -> f64 {
        self.margin_ms
    }

    /// What the source's sending looks like.
    pub fn sending(&self) -> Sending {
        self.sending
    }

    /// The share by which the speed differs from nominal.
    pub fn correction(&self) -> f64 {
        self.correction
    }

    /// `pcm_ms` came while `waiting_ms` were still to be played at that very moment.
    pub fn arrived(&mut self, waiting_ms: f64, pcm_ms: f64) {
        self.floor.note(waiting_ms);
        self.began = true;
        self.held_back |= waiting_ms + pcm_ms >= BACKLOG_MS_MAX as f64;
        self.lead_ms += pcm_ms;
    }

    /// Playing began, or began again after `gap_ms` of silence.
    pub fn started(&mut self, gap_ms: f64) {
        if gap_ms > 0.0 && gap_ms < PAUSE_MS_MIN {
            self.margin_ms = (self.margin_ms + gap_ms.clamp(WIDEN_MS_MIN, WIDEN_MS_MAX)).min(MARGIN_MS_MAX);
        }
        self.ticks_calm = 0;
        self.ticks_since_start = 0;
        self.floor = Floor::new();
    }

    /// A tick of a source that is not being played: only its lead changes.
    pub fn tick_waiting(&mut self) {
        if !self.began {
            return;
        }
        self.lead_ms = (self.lead_ms - TICK_MS * (1.0 + LEAD_LEAK)).max(LEAD_MS_MIN);
        self.lead.note(self.lead_ms);
        self.lead.tick();
    }

    /// A tick of a source that is being played, with `waiting_ms` to play just before it.
    pub fn tick(&mut self, waiting_ms: f64) -> Step {
        self.tick_waiting();
        self.floor.note(waiting_ms);
        self.floor.tick();
        self.ticks_since_start = self.ticks_since_start.saturating_add(1);
        self.narrow_when_calm();
        let Some(floor_ms) = self.floor.value() else {
            return Step::Play(1.0 + self.correction);
        };
        self.recognise(floor_ms);
        match self.sending {
            Sending::Ahead => {
                self.integral = 0.0;
                self.slew_towards(0.0);
                Step::Play(1.0 + self.correction)
            }
            Sending::Live => self.follow(floor_ms - self.margin_ms),
        }
    }

    fn recognise(&mut self, floor_ms: f64) {
        // What came in a burst after a stall made up for a lag and gained no lead, so it does not count here.
        let leads = self.lead.value().is_some_and(|lead_ms| lead_ms > AHEAD_MS_MIN)
            || (self.held_back && self.lead_ms > AHEAD_MS_MIN);
        match self.sending {
            Sending::Live if leads && floor_ms > AHEAD_MS_MIN => self.sending = Sending::Ahead,
            Sending::Ahead if floor_ms < AHEAD_LEFT_MS_MIN => {
                self.sending = Sending::Live;
                (self.lead, self.lead_ms, self.held_back) = (Floor::new(), 0.0, false);
            }
            Sending::Live | Sending::Ahead => {}
        }
    }

    fn follow(&mut self, excess_ms: f64) -> Step {
        if excess_ms > EXCESS_MS_MAX {
            self.floor = Floor::new();
            return Step::Skip(excess_ms, 1.0 + self.correction);
        }
        let gain = if self.ticks_since_start < QUICK_TICKS { GAIN_QUICK } else { GAIN_SLOW };
        let wanted = gain * excess_ms / 1_000.0 + self.integral;
        let far = ((excess_ms.abs() - NEAR_MS) / (FAR_MS - NEAR_MS)).clamp(0.0, 1.0);
        let most = CORRECTION_MAX + far * (CORRECTION_MAX_FAR - CORRECTION_MAX);
        if wanted.abs() < most && excess_ms.abs() < NEAR_MS {
            // Critically damped: the integral gain is a quarter of the proportional gain's square.
            let per_tick = gain * gain / 4.0 / f64::from(TICKS_PER_S);
            self.integral = (self.integral + per_tick * excess_ms / 1_000.0).clamp(-most, most);
        }
        self.slew_towards(wanted.clamp(-most, most));
        Step::Play(1.0 + self.correction)
    }

    fn slew_towards(&mut self, wanted: f64) {
        self.correction += (wanted - self.correction).clamp(-SLEW_MAX, SLEW_MAX);
    }

    fn narrow_when_calm(&mut self) {
        self.ticks_calm = self.ticks_calm.saturating_add(1);
        if self.ticks_calm >= CALM_TICKS_MIN + NARROW_EVERY_TICKS {
            self.ticks_calm = CALM_TICKS_MIN;
            self.margin_ms = (self.margin_ms - NARROW_MS).max(MARGIN_MS_START);
        }
    }
}
