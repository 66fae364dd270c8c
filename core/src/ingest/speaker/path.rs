//! What the way from a speaker to us does to packets: how late they come and how many do not.
//!
//! A packet's *lateness* is the moment it arrived less its place in the sound, both counted from the first
//! packet. Only differences mean anything: the earliest packet took the shortest way, a later one waited
//! somewhere. How long sound must be held back follows from the latest of the last seconds.

use crate::time::Time;

/// Sound is never held back longer than this because of the path, in milliseconds after its earliest packets.
pub const HELD_BACK_MS_MAX: f64 = 240.0;
/// The same while only a few packets are known.
const HELD_BACK_MS_AT_FIRST: f64 = 80.0;
/// Kept between the latest packet and its turn, in milliseconds: what our own threads add.
pub const MARGIN_MS: f64 = 3.0;

/// Packets that are remembered: eight seconds of 20 ms.
const RECENT_PACKETS: usize = 400;
/// And for how long.
const RECENT_MS: f64 = 10_000.0;
/// One in so many packets may be later than what is waited for; it is then concealed.
const LATE_ONE_IN: usize = 200;
/// The latest of so many packets may be the only one of its kind: a stall, not the path.
const BELIEVED_PACKETS_MIN: usize = 25;
/// While packets are lost, so large a share of them must come a packet earlier than their turn.
const IN_TIME_TO_REPAIR: f64 = 0.9;
/// Packets that come within this after another were held up by it and tell nothing of their own.
const QUEUE_MS: f64 = 3.0;
/// The share of lost packets is a mean over about so many.
const LOSS_PACKETS: f64 = 256.0;
/// Above this share the next packet is waited for, because it repeats the one before; below the other no
/// more.
const LOSSY_SHARE: f64 = 0.01;
const SOUND_SHARE: f64 = 0.004;

/// What is known of one speaker's path.
#[derive(Debug)]
pub(super) struct Path {
    /// Where both scales begin.
    base: Option<(Time, u64)>,
    recent: Vec<Came>,
    at: usize,
    newest: Option<(f64, f64)>,
    lost: f64,
    waits_for_repair: bool,
    scratch: Vec<f64>,
    earliest_ms: Option<f64>,
    need_ms: f64,
}

impl Path {
    /// Nothing has come.
    pub fn new() -> Self {
        Self {
            base: None,
            recent: Vec::with_capacity(RECENT_PACKETS),
            at: 0,
            newest: None,
            lost: 0.0,
            waits_for_repair: false,
            scratch: Vec::with_capacity(RECENT_PACKETS),
            earliest_ms: None,
            need_ms: 0.0,
        }
    }

    /// Forgets the way; what is lost on it stays likely.
    pub fn restart(&mut self) {
        (self.base, self.newest, self.earliest_ms, self.at) = (None, None, None, 0);
        self.recent.clear();
    }

    /// How late `timestamp` (48 kHz) is at `now`, in milliseconds from an arbitrary zero; 0 before
    /// anything came.
    pub fn late_ms(&self, now: Time, timestamp: u64) -> f64 {
        self.base.map_or(0.0, |base| late_ms(base, now, timestamp))
    }

    /// How far a packet lies from the one before it, in milliseconds of lateness; 0 for the first.
    pub fn leap_ms(&self, arrived: Time, timestamp: u64) -> f64 {
        self.newest.map_or(0.0, |(_, late)| self.late_ms(arrived, timestamp) - late)
    }

    /// A packet came.
    pub fn note(&mut self, arrived: Time, timestamp: u64) {
        let base = *self.base.get_or_insert((arrived, timestamp));
        let (at_ms, late) =
            (arrived.since(base.0).as_secs_f64() * 1_000.0, late_ms(base, arrived, timestamp));
        let queued = self.newest.is_some_and(|(last_at, last)| at_ms - last_at < QUEUE_MS && late < last);
        self.newest = Some((at_ms, late));
        let came = Came { at_ms, late, queued };
        if self.recent.len() < RECENT_PACKETS {
            self.recent.push(came);
        } else {
            self.recent[self.at] = came;
        }
        self.at = (self.at + 1) % RECENT_PACKETS;
        self.judge(at_ms);
    }

    /// A packet's turn has come, and `lost` before it never came.
    pub fn passed(&mut self, lost: u64) {
        for _ in 0..lost.min(RECENT_PACKETS as u64) {
            self.lost += (1.0 - self.lost) / LOSS_PACKETS;
        }
        self.lost -= self.lost / LOSS_PACKETS;
    }

    /// Whether packets repeat what was in the ones before; only then is it worth waiting for them.
    pub fn repairs(&mut self, repairs: Repairs) {
        self.waits_for_repair = match repairs {
            Repairs::Yes if self.waits_for_repair => self.lost > SOUND_SHARE,
            Repairs::Yes => self.lost > LOSSY_SHARE,
            Repairs::No => false,
        };
    }

    /// The share of packets that are lost.
    pub fn lost_share(&self) -> f64 {
        self.lost
    }

    /// The lateness of a packet on the shortest way; `None` before anything came.
    pub fn earliest_ms(&self) -> Option<f64> {
        self.earliest_ms
    }

    /// How late a packet's turn must be, on the scale of [`Path::late_ms`], so that nearly all are there.
    /// `packet_ms` is how long one lasts.
    pub fn need_ms(&mut self, packet_ms: f64) -> f64 {
        let repair = if self.waits_for_repair { self.in_time_to_repair() + packet_ms } else { f64::MIN };
        self.need_ms.max(repair) + MARGIN_MS
    }

    fn judge(&mut self, at_ms: f64) {
        let known = self.recent.iter().filter(|came| at_ms - came.at_ms < RECENT_MS);
        let earliest = known.clone().map(|came| came.late).fold(f64::INFINITY, f64::min);
        self.scratch.clear();
        self.scratch.extend(known.filter(|came| !came.queued).map(|came| came.late));
        let known = self.scratch.len();
        let (place, most_ms) = match known {
            ..BELIEVED_PACKETS_MIN => (0, HELD_BACK_MS_AT_FIRST),
            _ => ((known / LATE_ONE_IN).max(1), HELD_BACK_MS_MAX),
        };
        let late = if known == 0 { earliest } else { nth_largest(&mut self.scratch, place) };
        self.need_ms = late.min(earliest + most_ms);
        self.earliest_ms = Some(earliest);
    }

    fn in_time_to_repair(&mut self) -> f64 {
        if self.scratch.is_empty() {
            return f64::MIN;
        }
        let place = (self.scratch.len() as f64 * (1.0 - IN_TIME_TO_REPAIR)) as usize;
        nth_largest(&mut self.scratch, place).min(self.need_ms)
    }
}

/// One packet.
#[derive(Clone, Copy, Debug)]
struct Came {
    at_ms: f64,
    late: f64,
    /// Another one held it up.
    queued: bool,
}

fn nth_largest(values: &mut [f64], place: usize) -> f64 {
    *values.select_nth_unstable_by(place, |a, b| b.total_cmp(a)).1
}

/// Whether a speaker's packets repeat what was in the ones before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repairs {
    /// They did lately.
    Yes,
    /// They did not.
    No,
}

fn late_ms((began, first): (Time, u64), now: Time, timestamp: u64) -> f64 {
    let passed_ns = now.nanos().wrapping_sub(began.nanos()) as i64;
    let sound = timestamp.wrapping_sub(first) as i64;
    passed_ns as f64 / 1e6 - sound as f64 / 48.0
}
