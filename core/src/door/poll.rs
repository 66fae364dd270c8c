//! When somebody who waits asks again: often near the front, seldom far behind, each ticket at its own
//! moment, so that a million of them come in no waves.

use std::time::Duration;

use super::eta::Range;

/// Nobody asks more often than this, in seconds.
pub const POLL_S_MIN: f64 = 5.0;
/// Nobody who has few before them asks less often than this, in seconds: a host may triple the seats at once,
/// and whoever is called by that is to hear of it.
pub const POLL_S_MAX: f64 = 60.0;
/// Nobody asks less often than this, however many are before them, in seconds.
pub const POLL_S_MAX_FAR: f64 = 300.0;
/// As many tickets ahead make up a second of the longest wait: so many ask in a second, at most.
const POLLS_PER_S: f64 = 10_000.0;
/// Somebody who may be called within this time asks as often as anybody may, in seconds.
const NEAR_S: f64 = 40.0;
/// The share of the time until somebody may be called that passes until they ask again.
const SHARE: f64 = 1.0 / 8.0;
/// Without a forecast, somebody asks as if the line moved by so many tickets a second.
const TICKETS_S_UNKNOWN: f64 = 50.0;
/// After the draw everybody looks for their rank: no more of them a second than this.
const AFTER_DRAW_PER_S: f64 = 40_000.0;
/// Whoever may be called first must have looked by then, in seconds after the draw.
const AFTER_DRAW_S: (f64, f64) = (4.0, 25.0);
/// Who asks before the second of their ticket is over asks again after this, in seconds.
const SETTLING_S: f64 = 1.0;

/// Where somebody stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Standing {
    /// In the draw, which is held after so long; with so many tickets.
    BeforeDraw {
        /// Seconds until the draw.
        draw_in_s: f64,
        /// Tickets in it.
        tickets: u64,
    },
    /// Their rank is known when this second is over.
    Settling,
    /// In the line.
    InLine {
        /// Tickets before them that are not called.
        ahead: u64,
        /// When they will be called, if that can be told.
        eta: Option<Range>,
    },
    /// Called; no seat was free when they asked.
    AtDoor,
}

/// After how long a ticket with this jitter (0.8 to 1.2, `Ticket::jitter`) asks again.
pub fn ask_again(standing: Standing, jitter: f64) -> Duration {
    let seconds = match standing {
        Standing::BeforeDraw { draw_in_s, tickets } => return before_draw(draw_in_s, tickets, jitter),
        Standing::Settling => SETTLING_S,
        Standing::AtDoor => POLL_S_MIN,
        Standing::InLine { ahead, eta } => {
            let may_be_s = eta.map_or(ahead as f64 / TICKETS_S_UNKNOWN, |range| range.low_s as f64);
            let most_s = (ahead as f64 / POLLS_PER_S).clamp(POLL_S_MAX, POLL_S_MAX_FAR);
            if may_be_s <= NEAR_S { POLL_S_MIN } else { (may_be_s * SHARE).clamp(POLL_S_MIN, most_s) }
        }
    };
    Duration::from_secs_f64(seconds * jitter)
}

/// At most every five minutes, and then once in a moment of their own soon after the draw.
fn before_draw(draw_in_s: f64, tickets: u64, jitter: f64) -> Duration {
    let (least, most) = AFTER_DRAW_S;
    let spread = (tickets as f64 / AFTER_DRAW_PER_S).clamp(least, most);
    let mine = draw_in_s.max(0.0) + 1.0 + spread * ((jitter - 0.8) / 0.4).clamp(0.0, 1.0);
    Duration::from_secs_f64(if mine > POLL_S_MAX_FAR { POLL_S_MAX_FAR * 0.8 * jitter } else { mine })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(standing: Standing, jitter: f64) -> f64 {
        ask_again(standing, jitter).as_secs_f64()
    }

    #[test]
    fn the_nearer_the_oftener() {
        let in_line = |low_s| Standing::InLine { ahead: 7, eta: Some(Range { low_s, high_s: low_s * 2 }) };
        for (standing, asks_s) in [
            (Standing::AtDoor, 5.0),
            (Standing::Settling, 1.0),
            (in_line(0), 5.0),
            (in_line(80), 10.0),
            (in_line(400), 50.0),
            (in_line(80_000), 60.0),
            (Standing::InLine { ahead: 100, eta: None }, 5.0),
            (Standing::InLine { ahead: 20_000, eta: None }, 50.0),
            (Standing::InLine { ahead: 1_000_000, eta: None }, 100.0),
            (Standing::InLine { ahead: 9_000_000, eta: None }, 300.0),
        ] {
            assert!((seconds(standing, 1.0) - asks_s).abs() < 1e-9, "{standing:?}");
            assert!((seconds(standing, 1.2) - asks_s * 1.2).abs() < 1e-9, "{standing:?}");
        }
    }

    #[test]
    fn everybody_looks_once_soon_after_the_draw() {
        let before = |draw_in_s, tickets| Standing::BeforeDraw { draw_in_s, tickets };
        assert!((seconds(before(100.0, 10), 0.8) - 101.0).abs() < 1e-9);
        assert!((seconds(before(100.0, 10), 1.2) - 105.0).abs() < 1e-9);
        assert!((seconds(before(100.0, 1_000_000), 1.2) - 126.0).abs() < 1e-9);
        assert!((seconds(before(-3.0, 10), 0.8) - 1.0).abs() < 1e-9, "the draw is late");
        assert!((seconds(before(7_200.0, 10), 1.0) - 240.0).abs() < 1e-9);
    }
}
