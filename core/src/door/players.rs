//! How many play HLS, estimated from the sound they are handed.
//!
//! Playlists and parts are the same for everybody, so that a cache may serve them; nothing in a request tells
//! one player from another (decision 0075). But whoever plays takes every moment of the program once: the
//! sound that was handed out while a segment's time passed, divided by that time, is how many take it. The
//! median of several such spans passes over the burst with which a player begins, and over a late one. Who
//! has just begun is counted by the request they began with, until the median has had time to see them.

use crate::time::Time;

/// A span of time: a segment's length, in milliseconds.
const SPAN_MS: u64 = 1_920;
/// Whole spans that are looked at: 11.52 s.
const WHOLE_SPANS: usize = 6;
/// Places of the two between which their median lies, in order of size.
const MEDIAN: [usize; 2] = [2, 3];
/// Spans, the one in which they began among them, in which newcomers are counted as such: then four whole
/// ones are theirs, and the median sees them. It half sees them with three, so that for the time of one
/// span they count for half too many, which keeps the cap rather than breaks it.
const NEW_SPANS: u64 = 4;

/// The estimate's memory: some hundred bytes a room, whatever the audience.
#[derive(Clone, Debug, Default)]
pub struct Players {
    newest: u64,
    spans: [Span; WHOLE_SPANS + 1],
}

#[derive(Clone, Copy, Debug, Default)]
struct Span {
    begun: u64,
    sound_ms: u64,
}

impl Players {
    /// Somebody was given the playlist that every player begins with.
    pub fn begin(&mut self, now: Time) {
        self.turn_to(now).begun += 1;
    }

    /// So many milliseconds of the program were handed to somebody, in one bit rate.
    pub fn handed_out(&mut self, now: Time, sound_ms: u64) {
        self.turn_to(now).sound_ms += sound_ms;
    }

    /// How many play.
    pub fn count(&mut self, now: Time) -> u64 {
        self.turn_to(now);
        let begun: u64 = (0..NEW_SPANS).map(|back| self.span(back).begun).sum();
        let mut whole = [0; WHOLE_SPANS];
        for (sound_ms, back) in whole.iter_mut().zip(1..) {
            *sound_ms = self.span(back).sound_ms;
        }
        whole.sort_unstable();
        let median_ms = MEDIAN.map(|at| whole[at]).iter().sum::<u64>() / 2;
        begun + (median_ms + SPAN_MS / 2) / SPAN_MS
    }

    fn span(&self, back: u64) -> Span {
        self.newest.checked_sub(back).map_or(Span::default(), |no| self.spans[place(no)])
    }

    /// Empties what lies too far back, and shows the span that `now` is in.
    fn turn_to(&mut self, now: Time) -> &mut Span {
        let newest = self.newest.max(now.millis() / SPAN_MS);
        for no in (self.newest + 1..=newest).rev().take(self.spans.len()) {
            self.spans[place(no)] = Span::default();
        }
        self.newest = newest;
        &mut self.spans[place(newest)]
    }
}

const fn place(no: u64) -> usize {
    (no % (WHOLE_SPANS as u64 + 1)) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Plays `players` from `from_ms` to `until_ms` in pieces of `piece_ms`, all of them asking at once, and
    /// says how many were counted at the end of each span.
    fn play(counted: &mut Players, players: u64, (from_ms, until_ms): (u64, u64), piece_ms: u64) -> Vec<u64> {
        let mut counts = Vec::new();
        for ms in (from_ms..until_ms).step_by(20) {
            let now = Time::from_millis(ms);
            if ms % piece_ms == 0 {
                counted.handed_out(now, players * piece_ms);
            }
            if ms % SPAN_MS == SPAN_MS - 20 {
                counts.push(counted.count(now));
            }
        }
        counts
    }

    #[test]
    fn newcomers_count_from_the_first_moment_and_until_they_leave() {
        for piece_ms in [320, 1_920, 3_840] {
            let mut counted = Players::default();
            for _ in 0..50 {
                counted.begin(Time::ZERO);
                counted.handed_out(Time::ZERO, 3 * SPAN_MS); // What a player takes at once to begin with.
            }
            assert_eq!(counted.count(Time::ZERO), 50);
            let counts = play(&mut counted, 50, (0, 60_000), piece_ms);
            // Pieces of two segments leave every second span empty, which the median sees later.
            let new = NEW_SPANS as usize + usize::from(piece_ms > SPAN_MS);
            assert!(counts[..4].iter().all(|count| (50..=75).contains(count)), "{piece_ms}: {counts:?}");
            assert!(counts[new..].iter().all(|&count| count == 50), "{piece_ms}: {counts:?}");
            assert_eq!(
                counted.count(Time::from_millis(60_000 + 5 * SPAN_MS)),
                0,
                "{piece_ms}: all have left"
            );
        }
    }

    #[test]
    fn who_comes_while_others_play_is_counted_at_once() {
        let mut counted = Players::default();
        play(&mut counted, 100, (0, 30_720), 320);
        let now = Time::from_millis(30_720);
        for more in 0..20 {
            assert_eq!(counted.count(now), 100 + more);
            counted.begin(now);
        }
        let counts = play(&mut counted, 120, (30_720, 60_000), 320);
        assert!(counts.iter().all(|count| (120..=130).contains(count)), "{counts:?}");
        assert_eq!(counts.last(), Some(&120));
    }

    #[test]
    fn who_begins_and_takes_nothing_is_soon_forgotten() {
        let mut counted = Players::default();
        counted.begin(Time::from_millis(10_000));
        for (later_ms, count) in [(0, 1), (5_000, 1), (8_000, 0), (1_000_000_000_000, 0)] {
            assert_eq!(counted.clone().count(Time::from_millis(10_000 + later_ms)), count, "{later_ms}");
        }
        // A moment that comes late belongs to the span that is now.
        counted.handed_out(Time::ZERO, u64::from(u32::MAX));
        assert_eq!(counted.count(Time::from_millis(10_000)), 1);
    }
}
