//! How long somebody will still wait: a range that holds four times in five, and how often it held.
//!
//! The forecast is the distance over the rate at which the line has moved lately. Its width comes from how few
//! people that rate was counted from, and is corrected all the time by the line itself: forecasts are made for
//! places all along the line, and when the line gets there, or should have, each bound learns whether it was
//! too narrow (adaptive conformal inference: Gibbs and Candès, 2021).

mod pace;
mod probes;
#[cfg(test)]
mod tests;

use pace::Pace;
use probes::Probes;

use super::draw::Rank;
use crate::time::Time;

/// How long it takes somebody who is called to be in their seat, at most, in seconds: they hear of it when they
/// next ask.
const SEATING_S: f64 = 12.0;
/// The horizon of the rates that everybody is shown, in seconds.
const SHOWN_HORIZON_S: f64 = 300.0;
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
}

impl Eta {
    /// The line as it is now; once a second.
    pub fn tick(&mut self, now: Time, seen: Seen) {
        let filling =
            seen.boarded_at.is_some_and(|at| now < at) || seen.room_left > 1.0 + seen.cap as f64 * 0.02;
        let idle = seen.now_serving >= seen.ranked;
        self.pace.tick(
            now,
            seen.now_serving,
            if filling || idle { pace::Moving::Freely } else { pace::Moving::ByExits },
        );
        self.seen = Some(seen);
        if filling || idle {
            self.probes.forget();
        } else {
            self.probes.resolve(now, seen.now_serving);
            for (bucket, horizon_s) in self.probes.due(now) {
                let people = self.pace.rate(horizon_s).map(|counted| counted.per_s * horizon_s);
                let Some(tickets) = people.filter(|tickets| *tickets >= 1.0) else { continue };
                let rank = seen.now_serving + tickets as u64;
                let Some((low_s, high_s)) = self.bounds(tickets.floor(), seen.claim_share) else { continue };
                self.probes.place(now, bucket, rank, (low_s, high_s));
            }
        }
    }

    /// When the ticket of this rank will be seated; `None` while nothing is known to tell it from. Zero for one
    /// that is called.
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

    /// The range, in seconds, for a place so many tickets ahead of the line.
    fn bounds(&self, tickets: f64, claim_share: f64) -> Option<(f64, f64)> {
        let rough_s = tickets / self.pace.rate(SHOWN_HORIZON_S)?.per_s;
        let counted = self.pace.rate(rough_s)?;
        let due_s = tickets / counted.per_s;
        let people = (counted.tickets * claim_share).max(1.0);
        let to_come = (tickets * claim_share).max(1.0);
        let drift = 0.04 + 0.3 * due_s / (due_s + 1_200.0);
        let deviation = (1.0 / people + 1.0 / to_come + drift * drift).sqrt();
        let widths = self.probes.widths(due_s);
        let bound = |width: f64| due_s * (DEVIATIONS_80 * deviation * width).exp();
        Some((bound(-widths.low), bound(widths.high)))
    }
}
