//! How long somebody will still wait: a range that holds four times in five, and how often it held.
//!
//! The forecast is the distance over the rate at which the line has moved lately. Its width comes from how
//! few people that rate was counted from, and is corrected all the time by the line itself: forecasts are
//! made for places all along the line, and when the line gets there, or should have, each bound learns
//! whether it was too narrow (adaptive conformal inference: Gibbs and Candès, 2021).

mod pace;
mod probes;
#[cfg(test)]
mod tests;

use std::time::Duration;

use pace::{Moving, Pace};
use probes::Probes;

use super::draw::Rank;
use super::line::CALL_WINDOW_S;
use super::seats::SILENT_S_MAX;
use crate::time::Time;

/// How long it takes somebody who is called to be in their seat, at most, in seconds: they hear of it when
/// they next ask.
const SEATING_S: f64 = 12.0;
/// The horizon of the rates that everybody is shown, in seconds.
const SHOWN_HORIZON_S: f64 = 300.0;
/// So many seats may be free while the house counts as full, and this share of all: their holders are on
/// their way.
const FULL_FREE_SEATS_MAX: f64 = 3.0;
const FULL_FREE_SHARE_MAX: f64 = 0.03;
/// After the seats were filled it takes so long until exits move the line as they will, in seconds: who
/// leaves first keeps the seat for a while, and who was called may still come.
const SETTLING_S: u64 = SILENT_S_MAX + CALL_WINDOW_S;
/// Nothing is said beyond so many times the time in which the line was watched.
const HORIZONS_KNOWN_MAX: f64 = 6.0;
/// How far the rate wanders, relative to itself: at once, and for a far horizon. It grows more than it falls,
/// because people give up, and their tickets are called in vain.
const DRIFT_NEAR: f64 = 0.05;
const DRIFT_FAR_FASTER: f64 = 0.9;
const DRIFT_FAR_SLOWER: f64 = 0.35;
/// The horizon at which half of it is reckoned with, in seconds.
const DRIFT_HALF_S: f64 = 900.0;
/// How many deviations of a normal distribution hold four fifths of it.
const DEVIATIONS_80: f64 = 1.2816;

/// When somebody is seated, as a range that is to hold in four of five cases; whole seconds from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// No earlier than this, in seconds.
    pub low_s: u64,
    /// No later than this, in seconds.
    pub high_s: u64,
}

/// How fast the line moves, in people a second: in one of five cases slower than `p20`, in one of five faster
/// than `p80`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Slow.
    pub p20: f64,
    /// As it is.
    pub p50: f64,
    /// Fast.
    pub p80: f64,
}

/// What is seen of the line at a tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seen {
    /// Tickets with a rank below this are called.
    pub now_serving: u64,
    /// Tickets that have a rank.
    pub ranked: u64,
    /// The share of called tickets that somebody comes with.
    pub claim_share: f64,
    /// Seats for which nobody has been called yet.
    pub room_left: f64,
    /// Seats that are free at this moment, called for or not.
    pub free: u64,
    /// Seats in all.
    pub cap: u64,
    /// While the room boards: when the last seat is to be called for.
    pub boarded_at: Option<Time>,
}

/// The forecasts of one room.
#[derive(Debug, Default)]
pub struct Eta {
    pace: Pace,
    probes: Probes,
    seen: Option<Seen>,
    settled_at: Time,
}

impl Eta {
    /// The line as it is now; once a second.
    pub fn tick(&mut self, now: Time, seen: Seen) {
        let boarding = seen.boarded_at.is_some_and(|at| now < at);
        let filling = seen.free as f64 > FULL_FREE_SEATS_MAX + seen.cap as f64 * FULL_FREE_SHARE_MAX;
        let idle = seen.now_serving >= seen.ranked;
        if boarding || filling || idle {
            self.settled_at = now + Duration::from_secs(SETTLING_S);
        }
        self.seen = Some(seen);
        if now < self.settled_at {
            self.pace.tick(now, seen.now_serving, Moving::Freely);
            self.probes.forget();
        } else {
            self.pace.tick(now, seen.now_serving, Moving::ByExits);
            self.probes.resolve(now, seen.now_serving);
            self.forecast(now, seen);
        }
    }

    /// When the ticket of this rank will be seated; `None` while nothing is known to tell it from. Zero for
    /// one that is called.
    pub fn range(&self, now: Time, rank: Rank) -> Option<Range> {
        let seen = self.seen?;
        let Some(distance) = rank.0.checked_sub(seen.now_serving).map(|tickets| tickets as f64 + 1.0) else {
            return Some(Range { low_s: 0, high_s: SEATING_S as u64 });
        };
        let boards_s = seen.boarded_at.map_or(0.0, |at| at.since(now).as_secs_f64());
        // What the seats that are still free will call, whether anybody leaves or not.
        let at_once = seen.room_left.max(0.0) / seen.claim_share;
        if distance <= at_once * 0.8 {
            let due_s = boards_s * distance / at_once;
            return Some(Range {
                low_s: (due_s * 0.6) as u64,
                high_s: (due_s * 1.4 + 2.0 * SEATING_S) as u64,
            });
        }
        let (low_s, high_s) = self.bounds((distance - at_once).max(1.0), seen.claim_share)?;
        Some(Range {
            low_s: (low_s + boards_s * 0.6) as u64,
            high_s: (high_s + boards_s + SEATING_S).ceil() as u64,
        })
    }

    /// The rates that everybody is shown; `None` before any could be measured.
    pub fn rate(&self) -> Option<Rate> {
        let share = self.seen?.claim_share;
        let per_s = self.pace.rate(SHOWN_HORIZON_S)?.per_s;
        let tickets = (per_s * SHOWN_HORIZON_S).max(1.0);
        let (low_s, high_s) = self.bounds(tickets, share)?;
        let people = |seconds: f64| tickets * share / seconds.max(1.0);
        Some(Rate { p20: people(high_s), p50: per_s * share, p80: people(low_s) })
    }

    /// The share of past ranges that held; `None` before enough of them were put to the test.
    pub fn hit_rate(&self) -> Option<f64> {
        self.probes.hit_rate()
    }

    /// Forecasts to be checked, at every horizon for which one is due.
    fn forecast(&mut self, now: Time, seen: Seen) {
        for (bucket, horizon_s) in self.probes.due(now) {
            let Some(counted) = self.pace.rate(horizon_s) else { continue };
            let tickets = (counted.per_s * horizon_s).floor();
            if let Some(bounds) = self.bounds(tickets + 1.0, seen.claim_share).filter(|_| tickets >= 1.0) {
                self.probes.place(now, bucket, seen.now_serving + tickets as u64, bounds);
            }
        }
    }

    /// The range, in seconds, for a place so many tickets ahead of the line.
    fn bounds(&self, tickets: f64, claim_share: f64) -> Option<(f64, f64)> {
        let rough_s = tickets / self.pace.rate(SHOWN_HORIZON_S)?.per_s;
        let counted = self.pace.rate(rough_s)?;
        let due_s = tickets / counted.per_s;
        if due_s > self.pace.known_s() * HORIZONS_KNOWN_MAX {
            return None;
        }
        // A seat calls tickets until somebody comes: the rarer that is, the less even their number.
        let even = claim_share / (2.0 - claim_share);
        let known = 1.0 / (counted.tickets * even).max(1.0) + 1.0 / (tickets * even).max(0.5);
        let far = due_s / (due_s + DRIFT_HALF_S);
        let certain = |drift: f64| 1.0 / (known + (DRIFT_NEAR + drift * far).powi(2));
        let widths = self.probes.widths(due_s);
        let low = gamma(certain(DRIFT_FAR_FASTER), -DEVIATIONS_80 * widths.low);
        let high = gamma(certain(DRIFT_FAR_SLOWER), DEVIATIONS_80 * widths.high);
        Some((due_s * low, due_s * high))
    }
}

/// How much later or earlier than its mean the last of so many events comes that each come at random, at this
/// many deviations: quantiles of a gamma distribution (Wilson and Hilferty, 1931).
fn gamma(events: f64, deviations: f64) -> f64 {
    (1.0 - 1.0 / (9.0 * events) + deviations / (3.0 * events.sqrt())).max(0.0).powi(3)
}
