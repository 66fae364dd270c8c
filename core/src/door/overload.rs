//! Who is asked to come again when more come than can be answered: the least urgent first, and no more of
//! them than need be.
//!
//! What is looked at is how long an answer waits for its turn, not how many come: a node that keeps up is
//! left alone however busy it is, and what it carries need not be known beforehand (Zhou et al., "Overload
//! Control for Scaling WeChat Microservices", SoCC 2018, section 4). Whoever is asked to come again keeps
//! their place.

use std::time::Duration;

use crate::time::Time;

/// Waits are judged together for so long, in milliseconds.
const WINDOW_MS: u64 = 100;
/// And so many of them at least: of a few, one that met a stall of the machine would speak for all.
const CROWD_MIN: u64 = 16;
/// A mean wait above this is too long, in microseconds. The paper takes 20 ms, for services that ask each
/// other many times for one answer. Here a person waits for one answer, and being put off costs them
/// seconds and us nearly half an answer: with 20 ms a crowd a fifth too large was put off as a whole.
const WAIT_US_MAX: u64 = 300_000;
/// Below this mean wait more are answered again, in microseconds.
const CALM_US_MAX: u64 = WAIT_US_MAX / 2;
/// What is answered less after each window with too long waits, of one class.
const LESS: f64 = 0.1;
/// After a window with waits of many times the longest allowed, so many times `LESS` at most.
const LESS_TIMES_MAX: f64 = 4.0;
/// What is answered more after each calm window, of one class: all of them again within 10 s.
const MORE: f64 = 0.05;
/// No crowd for so long, in milliseconds: whoever comes is answered.
const FORGET_MS: u64 = 2_000;

/// How urgent a request is, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Somebody who has a seat comes back to it, or takes what they hear.
    Seated,
    /// A called ticket claims its seat.
    Claim,
    /// What is small, the same for all and tells people where they stand.
    Told,
    /// The room's page and what belongs to it.
    Page,
    /// A new ticket.
    Ticket,
    /// Everything else.
    Rest,
}

/// All of them, the most urgent first.
const CLASSES: [Class; 6] =
    [Class::Seated, Class::Claim, Class::Told, Class::Page, Class::Ticket, Class::Rest];
/// Those who are seated are always answered.
const DEPTH_MIN: f64 = 1.0;
/// All classes are answered.
pub const DEPTH_MAX: f64 = CLASSES.len() as f64;

impl Class {
    /// Of a request for `path`, which begins with `/`; `has_pass` when a pass came with it.
    pub fn of(method: &str, path: &str, has_pass: HasPass) -> Self {
        let mut names = path.split('/').skip(1);
        let (first, second, third) = (names.next().unwrap_or(""), names.next(), names.next());
        match (second, third) {
            (None, _) if !first.is_empty() => Self::Page,
            (None, _) => Self::Rest,
            (Some(_), _) if first == ASSETS => Self::Page,
            (Some("claim"), None) => Self::Claim,
            (Some("ticket"), None) if method == "POST" => Self::Ticket,
            (Some("status" | "place" | "arrivals" | "speaking"), _) => Self::Told,
            // What those hear who found no seat, and what makes room for others.
            (Some("late" | "late.m3u8"), _) => Self::Page,
            // Who is inside fetches these; who may begin is asked at the stream's own address.
            (Some("hls"), Some(_)) => Self::Seated,
            (Some(name), None) if name.starts_with("live.") => match has_pass {
                HasPass::Yes => Self::Seated,
                HasPass::No => Self::Ticket,
            },
            (Some("floor"), _) => Self::Told,
            (Some(_), _) => Self::Rest,
        }
    }

    const fn number(self) -> f64 {
        self as u8 as f64
    }
}

/// The path under which pages find their scripts.
const ASSETS: &str = "assets";

/// Whether a pass came with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HasPass {
    /// One did; whether it is good is not looked at yet.
    Yes,
    /// None did.
    No,
}

/// How much is answered now.
#[derive(Clone, Debug)]
pub struct Overload {
    /// Classes that are answered: 4.25 is the first four, and a quarter of the fifth.
    depth: f64,
    began: Time,
    waits: u64,
    wait_us: u64,
}

impl Default for Overload {
    fn default() -> Self {
        Self { depth: DEPTH_MAX, began: Time::ZERO, waits: 0, wait_us: 0 }
    }
}

impl Overload {
    /// A request waited so long for its turn.
    pub fn waited(&mut self, now: Time, wait: Duration) {
        let lasted = now.since(self.began);
        if lasted >= Duration::from_millis(FORGET_MS) {
            *self = Self { began: now, ..Self::default() };
        } else if lasted >= Duration::from_millis(WINDOW_MS) && self.waits >= CROWD_MIN {
            self.judge();
            (self.began, self.waits, self.wait_us) = (now, 0, 0);
        }
        self.waits += 1;
        self.wait_us = self.wait_us.saturating_add(u64::try_from(wait.as_micros()).unwrap_or(u64::MAX));
    }

    /// Whether a request of a class is answered; `lot`, evenly from 0 to 255, says who is of a class of which
    /// a part is answered.
    pub fn answers(&self, class: Class, lot: u8) -> bool {
        let share = self.depth - class.number();
        share >= 1.0 || share * 256.0 > f64::from(lot)
    }

    /// Classes that are answered, from 1 to 6.
    pub fn depth(&self) -> f64 {
        self.depth
    }

    fn judge(&mut self) {
        let mean_us = self.wait_us / self.waits.max(1);
        if mean_us > WAIT_US_MAX {
            let times = (mean_us as f64 / WAIT_US_MAX as f64).min(LESS_TIMES_MAX);
            self.depth = (self.depth - LESS * times).max(DEPTH_MIN);
        } else if mean_us < CALM_US_MAX {
            self.depth = (self.depth + MORE).min(DEPTH_MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_has_its_class() {
        use HasPass::{No, Yes};
        for (method, path, pass, class) in [
            ("GET", "/debate/live.opus", Yes, Class::Seated),
            ("GET", "/debate/live.opus", No, Class::Ticket),
            ("GET", "/debate/live.m3u8", No, Class::Ticket),
            ("GET", "/debate/hls/aac64/1/7.part.mp4", No, Class::Seated),
            ("POST", "/debate/claim", No, Class::Claim),
            ("GET", "/debate/status", No, Class::Told),
            ("GET", "/debate/status/7", No, Class::Told),
            ("GET", "/debate/place", No, Class::Told),
            ("GET", "/debate/arrivals/3", No, Class::Told),
            ("GET", "/debate/floor/events", No, Class::Told),
            ("GET", "/debate", No, Class::Page),
            ("GET", "/debate/late.m3u8", No, Class::Page),
            ("GET", "/debate/late/aac64/1/7.mp4", No, Class::Page),
            ("GET", "/assets/inside.js", No, Class::Page),
            ("POST", "/debate/ticket", No, Class::Ticket),
            ("GET", "/debate/replay.opus", Yes, Class::Rest),
            ("GET", "/", No, Class::Rest),
            ("GET", "", No, Class::Rest),
            ("GET", "/a/b/c/d", Yes, Class::Rest),
        ] {
            assert_eq!(Class::of(method, path, pass), class, "{method} {path}");
        }
    }

    /// A node whose work waits in one queue; putting somebody off costs it half an answer.
    #[derive(Default)]
    struct Node {
        overload: Overload,
        /// Halves of an answer that wait to be done.
        queue: u32,
        windows: u64,
        answered: [u32; 6],
        waits_ms: Vec<u64>,
    }

    impl Node {
        /// So many windows in each of which so many come of each class, and `carries` could be answered.
        fn crowd(&mut self, windows: u32, carries: u32, come: [u32; 6]) {
            (self.answered, self.waits_ms) = ([0; 6], Vec::new());
            for _ in 0..windows {
                for class in CLASSES {
                    for number in 0..come[class as usize] {
                        let is = self.overload.answers(class, (number * 97 % 256) as u8);
                        self.answered[class as usize] += u32::from(is);
                        self.queue += if is { 2 } else { 1 };
                    }
                }
                self.queue = self.queue.saturating_sub(2 * carries);
                self.windows += 1;
                let wait_ms = u64::from(self.queue) * WINDOW_MS / u64::from(2 * carries);
                self.waits_ms.push(wait_ms);
                let now = Time::from_millis(self.windows * WINDOW_MS);
                crowd_waits(&mut self.overload, now, Duration::from_millis(wait_ms));
            }
        }
    }

    fn crowd_waits(overload: &mut Overload, now: Time, wait: Duration) {
        (0..CROWD_MIN).for_each(|_| overload.waited(now, wait));
    }

    #[test]
    fn the_least_urgent_go_first_and_all_are_back_within_ten_seconds() {
        let mut node = Node::default();
        // A quarter more than is carried: two fifths of them have to be put off.
        let crowd = [100, 100, 100, 300, 2_000, 400];
        node.crowd(100, 2_400, crowd);
        node.crowd(300, 2_400, crowd);
        let shares: Vec<f64> =
            crowd.iter().zip(node.answered).map(|(come, is)| f64::from(is) / f64::from(300 * come)).collect();
        assert!(shares[..3].iter().all(|share| *share > 0.999) && shares[3] > 0.9, "{shares:?}");
        let all = f64::from(node.answered.iter().sum::<u32>()) / f64::from(300 * crowd.iter().sum::<u32>());
        assert!(all > 0.5 && shares[4] > shares[5], "{all}: {shares:?}");
        node.waits_ms.sort_unstable();
        assert!(node.waits_ms[296] < 1_000, "waits of {:?}", &node.waits_ms[290..]);
        let few = [100; 6];
        node.crowd(100, 2_400, few);
        node.crowd(1, 2_400, few);
        assert_eq!((node.answered, node.overload.depth()), (few, DEPTH_MAX));
    }

    #[test]
    fn who_is_seated_is_always_answered_and_a_quiet_while_forgets_all() {
        let mut overload = Overload::default();
        for window in 0..200 {
            crowd_waits(&mut overload, Time::from_millis(window * WINDOW_MS), Duration::from_secs(2));
        }
        assert!((overload.depth() - DEPTH_MIN).abs() < 1e-9);
        assert!(overload.answers(Class::Seated, 255) && !overload.answers(Class::Claim, 0));
        overload.waited(Time::from_millis(200 * WINDOW_MS + FORGET_MS), Duration::from_secs(2));
        assert!(overload.answers(Class::Rest, 255));
    }

    #[test]
    fn a_few_are_no_crowd_however_long_one_of_them_waits() {
        let mut overload = Overload::default();
        for number in 0..200 {
            overload.waited(Time::from_millis(number * FORGET_MS / CROWD_MIN), Duration::from_secs(5));
            assert!((overload.depth() - DEPTH_MAX).abs() < 1e-9, "after {number}");
        }
    }

    #[test]
    fn a_busy_node_that_keeps_up_refuses_nobody() {
        let mut overload = Overload::default();
        for millis in 0..60_000 {
            overload.waited(Time::from_millis(millis), Duration::from_micros(WAIT_US_MAX));
        }
        assert!((overload.depth() - DEPTH_MAX).abs() < 1e-9);
    }
}
