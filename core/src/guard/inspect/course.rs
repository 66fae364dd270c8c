//! How it went: the windows of a log, however many, in steps few enough to be drawn.
//!
//! A step that holds several windows keeps their sum and their largest, so that neither a long calm nor one
//! bad moment hides the other. It is made before windows of one kind are put together.

use super::findings::Judged;
use super::judge::{Accounts, Counts};
use crate::guard::Kind;
use crate::guard::share::Range;
use crate::guard::visit::WINDOW_MS;

/// Windows that a step may hold, as people count time: five seconds to a day.
const WINDOWS_A_STEP: [i64; 17] =
    [1, 2, 3, 6, 12, 24, 36, 60, 120, 180, 360, 720, 1_440, 2_160, 4_320, 8_640, 17_280];
/// Of fewer requests no share is told.
const REQUESTS_MIN: u64 = 20;

/// Some time of equal length, a window or several.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// From when, in milliseconds since 1970.
    pub from_ms: i64,
    /// To when.
    pub to_ms: i64,
    /// Windows in which somebody asked for something.
    pub windows: u64,
    /// Their sums.
    pub counts: Counts,
    /// Requests in the window that had most.
    pub requests_most: u64,
    /// People in all windows together; somebody who stays is in each of them.
    pub people_windows: u64,
    /// People in the window that had most.
    pub people_most: u64,
    /// How many were usual in its last window.
    pub usual: Option<u64>,
    /// The largest lower end that the attack's share of a window's requests had.
    pub share_low_most: Option<f64>,
    /// The gravest verdict of its windows.
    pub kind: Option<Kind>,
    /// Windows in which our own errors were at fault.
    pub ours: u64,
}

/// Windows of which the same is true, from the first of them to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The first begins, in milliseconds since 1970.
    pub from_ms: i64,
    /// The last ends.
    pub to_ms: i64,
    /// How many there are.
    pub windows: u64,
    /// In how many pieces, others between them.
    pub pieces: u64,
}

/// A window that had more of something than any other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// It begins, in milliseconds since 1970.
    pub from_ms: i64,
    /// How much.
    pub value: f64,
    /// How many people were usual then.
    pub usual: Option<u64>,
}

/// How it went.
#[derive(Clone, Debug, Default)]
pub struct Course {
    /// One after another, without a gap.
    pub steps: Vec<Step>,
    /// Windows in each step.
    pub windows_a_step: u64,
    /// Windows in all.
    pub windows: u64,
    /// All windows together.
    pub total: Counts,
    /// Windows of an attack, alone or with a crowd.
    pub attacked: Option<Stretch>,
    /// Windows of a crowd, alone or with an attack.
    pub crowded: Option<Stretch>,
    /// Windows of which it cannot be told.
    pub untold: Option<Stretch>,
    /// Windows in which our own errors were at fault.
    pub ours: Option<Stretch>,
    /// Most requests.
    pub busiest: Option<Peak>,
    /// Most people.
    pub fullest: Option<Peak>,
    /// Of the attacked windows, where most was the attack's for certain.
    pub worst: Option<Peak>,
    /// And where least was.
    pub faintest: Option<Peak>,
}

impl Course {
    /// Steps that a course has at most.
    pub const STEPS_MAX: usize = 1_000;

    /// The course of windows, in order.
    pub(super) fn of(windows: &[Judged]) -> Self {
        let mut course = Self { steps: steps(windows, Self::STEPS_MAX), ..Self::default() };
        course.windows_a_step = windows_a_step(windows, Self::STEPS_MAX) as u64;
        course.windows = windows.len() as u64;
        windows.iter().for_each(|window| course.total.plus(&window.counts));
        course.attacked = stretch(windows, |window| window.kind.is_attack());
        course.crowded = stretch(windows, |window| matches!(window.kind, Kind::Crowd | Kind::Both));
        course.untold = stretch(windows, |window| window.kind == Kind::Unknown);
        course.ours = stretch(windows, |window| window.self_inflicted);
        course.busiest = most(windows.iter(), |window| window.counts.requests as f64);
        course.fullest = most(windows.iter(), |window| window.counts.people() as f64);
        let attacked = || windows.iter().filter(|window| window.kind.is_attack());
        course.worst = most(attacked(), |window| window.counts.certain_share());
        course.faintest = most(attacked(), |window| -window.counts.certain_share())
            .map(|peak| Peak { value: -peak.value, ..peak });
        course
    }

    /// The same in so few steps that they can be read one by one.
    pub fn coarser(&self, steps_max: usize) -> Vec<Step> {
        let own = self.windows_a_step.max(1) as i64;
        let span = (self.steps.len() as i64 * own).max(1);
        let wide = (as_people_count(span, steps_max) / own).max(1);
        let mut coarser: Vec<Step> = Vec::new();
        for (at, step) in self.steps.iter().enumerate() {
            if at as i64 % wide == 0 {
                coarser.push(Step::begins(step.from_ms));
            }
            if let Some(last) = coarser.last_mut() {
                last.take(step);
            }
        }
        coarser
    }
}

impl Step {
    fn begins(from_ms: i64) -> Self {
        Self { from_ms, to_ms: from_ms, ..Self::default() }
    }

    fn window(&mut self, window: &Judged) {
        let counts = &window.counts;
        self.take(&Self {
            from_ms: self.from_ms,
            to_ms: self.to_ms,
            windows: 1,
            counts: *counts,
            requests_most: counts.requests,
            people_windows: counts.people(),
            people_most: counts.people(),
            usual: window.usual,
            share_low_most: told_share(counts).map(|share| share.low),
            kind: Some(window.kind),
            ours: u64::from(window.self_inflicted),
        });
    }

    /// What comes after, put to this step.
    fn take(&mut self, next: &Self) {
        self.to_ms = next.to_ms.max(self.to_ms);
        self.windows += next.windows;
        self.counts.plus(&next.counts);
        self.requests_most = self.requests_most.max(next.requests_most);
        self.people_windows += next.people_windows;
        self.people_most = self.people_most.max(next.people_most);
        self.usual = next.usual.or(self.usual);
        self.share_low_most = match (self.share_low_most, next.share_low_most) {
            (Some(one), Some(other)) => Some(one.max(other)),
            (one, other) => one.or(other),
        };
        self.kind = [self.kind, next.kind].into_iter().flatten().max_by_key(|kind| gravity(*kind));
        self.ours += next.ours;
    }

    /// Its length in seconds.
    pub fn seconds(&self) -> f64 {
        (self.to_ms - self.from_ms) as f64 / 1_000.0
    }

    /// Its requests by what explains them.
    pub const fn accounts(&self) -> Accounts {
        self.counts.accounts()
    }

    /// People in a window of it, on average; nobody is there in one without a request.
    pub fn people_mean(&self) -> f64 {
        self.people_windows as f64 * WINDOW_MS as f64 / ((self.to_ms - self.from_ms).max(WINDOW_MS) as f64)
    }

    /// The attack's share of its requests; `None` where there are too few to say.
    pub fn share(&self) -> Option<Range> {
        told_share(&self.counts)
    }
}

fn told_share(counts: &Counts) -> Option<Range> {
    (counts.requests >= REQUESTS_MIN).then(|| counts.shares().requests)
}

/// Of several verdicts, the one to show.
const fn gravity(kind: Kind) -> u8 {
    match kind {
        Kind::Calm => 0,
        Kind::Crowd => 1,
        Kind::Unknown => 2,
        Kind::Attack => 3,
        Kind::Both => 4,
    }
}

fn windows_a_step(windows: &[Judged], steps_max: usize) -> i64 {
    let (Some(first), Some(last)) = (windows.first(), windows.last()) else { return 1 };
    as_people_count(last.to - first.from, steps_max)
}

/// The fewest windows a step, as people count time, that make no more than so many steps of `span` windows.
fn as_people_count(span: i64, steps_max: usize) -> i64 {
    let steps_max = steps_max.max(1) as i64;
    let least = span.saturating_add(steps_max - 1) / steps_max;
    let day = WINDOWS_A_STEP[WINDOWS_A_STEP.len() - 1];
    let in_days = || least.saturating_add(day - 1) / day * day;
    WINDOWS_A_STEP.into_iter().find(|windows| *windows >= least).unwrap_or_else(in_days)
}

fn steps(windows: &[Judged], steps_max: usize) -> Vec<Step> {
    let (Some(first), Some(last)) = (windows.first(), windows.last()) else { return Vec::new() };
    let wide = windows_a_step(windows, steps_max);
    let begins = (first.from..last.to).step_by(usize::try_from(wide).unwrap_or(usize::MAX));
    let mut steps: Vec<_> = begins
        .map(|from| {
            let to = (from + wide).min(last.to);
            Step { to_ms: to * WINDOW_MS, ..Step::begins(from * WINDOW_MS) }
        })
        .collect();
    for window in windows {
        if let Some(step) =
            usize::try_from((window.from - first.from) / wide).ok().and_then(|at| steps.get_mut(at))
        {
            step.window(window);
        }
    }
    steps
}

fn stretch(windows: &[Judged], is_one: impl Fn(&Judged) -> bool) -> Option<Stretch> {
    let mut stretch: Option<Stretch> = None;
    let mut was_one = false;
    for window in windows {
        let is_one = is_one(window);
        if is_one {
            let (from_ms, to_ms) = window.span_ms();
            let found = stretch.get_or_insert(Stretch { from_ms, to_ms, windows: 0, pieces: 0 });
            found.to_ms = to_ms;
            found.windows += 1;
            found.pieces += u64::from(!was_one);
        }
        was_one = is_one;
    }
    stretch
}

/// The first of those that have most.
fn most<'a>(windows: impl Iterator<Item = &'a Judged>, of: impl Fn(&Judged) -> f64) -> Option<Peak> {
    let mut peak: Option<Peak> = None;
    for window in windows {
        let value = of(window);
        if peak.is_none_or(|before| value > before.value) {
            peak = Some(Peak { from_ms: window.span_ms().0, value, usual: window.usual });
        }
    }
    peak
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(from: i64, kind: Kind, requests: u64) -> Judged {
        let mut counts = Counts::default();
        counts.requests = requests;
        Judged { from, to: from + 1, kind, self_inflicted: false, counts, usual: Some(requests) }
    }

    #[test]
    fn a_short_log_is_drawn_window_by_window_and_an_empty_one_not_at_all() {
        let course = Course::of(&[window(7, Kind::Calm, 30), window(9, Kind::Crowd, 50)]);
        assert_eq!((course.steps.len(), course.windows_a_step, course.windows), (3, 1, 2));
        let seen: Vec<_> = course.steps.iter().map(|step| (step.from_ms, step.kind, step.windows)).collect();
        assert_eq!(seen, [(35_000, Some(Kind::Calm), 1), (40_000, None, 0), (45_000, Some(Kind::Crowd), 1)]);
        assert_eq!(course.steps[1].share(), None, "of nothing no share is told");
        let nothing = Course::of(&[]);
        assert!(nothing.steps.is_empty() && nothing.busiest.is_none() && nothing.coarser(60).is_empty());
    }

    #[test]
    fn a_long_log_keeps_its_sum_its_largest_and_its_gravest() {
        let windows: Vec<_> = (0..20_000)
            .map(|at| match at {
                12_345 => window(at, Kind::Attack, 9_000),
                _ => window(at, Kind::Calm, 10),
            })
            .collect();
        let course = Course::of(&windows);
        assert_eq!((course.windows_a_step, course.steps.len()), (24, 834), "two minutes each");
        let sum: u64 = course.steps.iter().map(|step| step.counts.requests).sum();
        assert_eq!((sum, course.total.requests), (10 * 19_999 + 9_000, 10 * 19_999 + 9_000));
        let worst: Vec<_> = course.steps.iter().filter(|step| step.kind == Some(Kind::Attack)).collect();
        assert_eq!((worst.len(), worst[0].requests_most, worst[0].windows), (1, 9_000, 24));
        let attacked = course.attacked.expect("one window");
        assert_eq!((attacked.from_ms, attacked.windows, attacked.pieces), (12_345 * WINDOW_MS, 1, 1));
        assert_eq!(
            course.busiest,
            Some(Peak { from_ms: 12_345 * WINDOW_MS, value: 9_000.0, usual: Some(9_000) })
        );
        let last = course.steps.last().expect("steps");
        assert_eq!(last.to_ms, 20_000 * WINDOW_MS, "the last one is shorter");
        let coarser = course.coarser(60);
        assert!(coarser.len() <= 60 && coarser.iter().map(|step| step.windows).sum::<u64>() == 20_000);
        assert_eq!(coarser.iter().map(|step| step.requests_most).max(), Some(9_000));
        assert!(coarser.windows(2).all(|two| two[0].to_ms == two[1].from_ms));
    }

    #[test]
    fn a_stretch_counts_its_pieces() {
        let kinds = [Kind::Attack, Kind::Both, Kind::Calm, Kind::Attack, Kind::Crowd];
        let windows: Vec<_> = (0..).zip(kinds).map(|(at, kind)| window(at, kind, 1)).collect();
        let course = Course::of(&windows);
        assert_eq!(course.attacked.map(|attacked| (attacked.windows, attacked.pieces)), Some((3, 2)));
        assert_eq!(course.crowded.map(|crowded| (crowded.windows, crowded.pieces)), Some((2, 2)));
        assert_eq!((course.untold, course.ours), (None, None));
    }

    #[test]
    fn however_long_a_log_is_its_steps_are_few() {
        for span in [1, 999, 1_000, 1_001, 500_000, 50_000_000, i64::MAX / WINDOW_MS] {
            let wide = as_people_count(span, Course::STEPS_MAX);
            assert!(span / wide <= 1_000, "{span}: {wide}");
        }
        let far = [window(0, Kind::Calm, 1), window(40_000_000_000, Kind::Calm, 1)];
        assert!(Course::of(&far).steps.len() <= 1_000);
    }
}
