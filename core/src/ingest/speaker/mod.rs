//! A speaker's packets, back in order and on time: 20 ms of sound at every tick, whatever the path did.
//!
//! A packet is decoded at the tick that needs it and not before. Sound is held back only as long as the path
//! makes necessary ([`path`]): longer by concealment when a packet is late, or by repeating a period of the
//! voice when late ones are to be expected; shorter by leaving one out ([`stretch`]). A speaker's clock is
//! followed by the same means: a clock that differs is a path that grows longer or shorter.
//!
//! Unlike a source's `mix` inlet there is no margin by the clock and no resampler. Playing whole packets at
//! ticks costs nothing but the wait for the tick, 10 ms in the mean; a resampler would leave a piece of each
//! packet over and cost up to 20 ms more (docs/decisions/0090).

mod outcome;
mod packet;
mod path;
mod stretch;
#[cfg(test)]
pub(crate) mod tests;

pub use outcome::{Counts, Heard, Taken, Way};
pub use packet::{PAYLOAD_BYTES_MAX, Packet, WAITING_PACKETS_MAX};
pub use path::{HELD_BACK_MS_MAX, MARGIN_MS};

use packet::{Queue, Waiting};
use path::{Path, Repairs};

use crate::codec::opus::{Decoder, Error, PACKET_SAMPLES_MAX};
use crate::time::{FRAME_MS, FRAME_SAMPLES, RATE_HZ, Time};

/// A hole is filled with what probably was there for so long, then it fades to silence, in milliseconds.
pub const CONCEALED_MS_MAX: u64 = 120;
/// A pause that the speaker announced is filled with its background for so long, in milliseconds: libopus
/// sends something at least every 400.
pub const PAUSE_MS_MAX: u64 = 1_000;
/// A packet whose number or place leaps further than this belongs to another stream, in milliseconds. It is
/// believed once the next one follows it.
pub const LEAP_MS_MAX: f64 = 2_000.0;
/// The same in packets.
pub const LEAP_PACKETS_MAX: u64 = 500;
/// After a hole, sound above what must be held back is played up to this and left out beyond, in
/// milliseconds.
pub const BEHIND_MS_MAX: f64 = 100.0;

/// libopus makes sound up in pieces of 2.5 ms.
const STEP_SAMPLES: usize = 120;
/// Fades where sound begins and ends: 5 ms.
const FADE_SAMPLES: usize = 240;
const TICK_MS: f64 = FRAME_MS as f64;
/// Sound is made shorter only when so much more would still be held back than necessary, in milliseconds.
const SPARE_MS: f64 = 4.0;
/// Ticks between two changes of the same speaker's length: when there is time, when there is much to catch up
/// with, and when packets come too late.
const SHORTEN_EVERY_TICKS: u32 = 10;
const SHORTEN_MUCH_EVERY_TICKS: u32 = 3;
const LENGTHEN_EVERY_TICKS: u32 = 2;
/// That much, in samples: 60 ms.
const MUCH_SAMPLES: usize = 2_880;
/// How alike neighbouring periods must be; after so many ticks of waiting, less.
const LIKENESS_MIN: f32 = 0.8;
const LIKENESS_MIN_LATER: f32 = 0.4;
const LATER_TICKS: u32 = 50;
/// A packet that repeats the one before it says so for this many packets.
const REPAIRS_PACKETS: u32 = 100;
/// Numbers remembered to tell a packet that came late from one that came twice.
const SEEN_PACKETS: u64 = 128;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    /// One packet after the other.
    Flowing,
    /// The speaker announced a pause.
    Pausing,
    /// Nothing is played.
    Silent,
}

/// One speaker's packets on their way to become sound.
#[derive(Debug)]
pub struct Speaker {
    decoder: Decoder,
    queue: Queue,
    path: Path,
    flow: Flow,
    /// The number and place of the sound that is decoded next.
    next: Option<(u64, u64)>,
    /// Decoded, not played.
    sound: Vec<f32>,
    /// Sound that was made up since the last packet, while it was not known whether the next is late or lost.
    owed: u64,
    /// Made up without a break, in samples.
    made_up: u64,
    packet_samples: u64,
    leapt: Option<(u64, u64)>,
    seen: u128,
    seen_newest: u64,
    ticks_unchanged: u32,
    ticks_wished: u32,
    packets_since_repair: u32,
    counts: Counts,
}

impl Speaker {
    /// A speaker of whom nothing has come.
    ///
    /// # Errors
    /// There is no memory for a decoder.
    pub fn new() -> Result<Self, Error> {
        Ok(Self {
            decoder: Decoder::speech()?,
            queue: Queue::default(),
            path: Path::new(),
            flow: Flow::Silent,
            next: None,
            sound: Vec::with_capacity(2 * PACKET_SAMPLES_MAX),
            owed: 0,
            made_up: 0,
            packet_samples: FRAME_SAMPLES as u64,
            leapt: None,
            seen: 0,
            seen_newest: 0,
            ticks_unchanged: 0,
            ticks_wished: 0,
            packets_since_repair: REPAIRS_PACKETS,
            counts: Counts::default(),
        })
    }

    /// Takes a packet. Nothing it says is believed that the ones before it make unlikely.
    pub fn push(&mut self, packet: Packet) -> Taken {
        let (arrived, seq, timestamp) = (packet.arrived, packet.seq, packet.timestamp);
        let Some(waiting) = Waiting::of(packet) else {
            self.counts.refused += 1;
            return Taken::Refused;
        };
        if self.leaps(arrived, seq, timestamp) {
            if self.leapt.replace((seq, timestamp)).is_none_or(|before| !follows(before, (seq, timestamp))) {
                return Taken::Leapt;
            }
            self.restart();
        }
        self.leapt = None;
        if self.next.is_none() {
            (self.next, self.seen, self.seen_newest) = (Some((seq, timestamp)), 0, seq);
        }
        if self.saw(seq) {
            self.counts.twice += 1;
            return Taken::Twice;
        }
        self.path.note(arrived, timestamp);
        if self.next.is_some_and(|(next, _)| seq < next) {
            self.counts.late += 1;
            return Taken::Late;
        }
        self.counts.packets += 1;
        self.queue.has_or_takes(waiting);
        Taken::Waits
    }

    /// Fills `out` with the next 20 ms.
    pub fn tick(&mut self, now: Time, out: &mut [f32; FRAME_SAMPLES]) -> Heard {
        let mut heard = self.fill(now);
        self.change_length(now);
        heard = heard.max(self.fill(now));
        out.copy_from_slice(&self.sound[..FRAME_SAMPLES]);
        self.sound.drain(..FRAME_SAMPLES);
        heard
    }

    /// Totals.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How the way was at the tick `now`, the last one; `None` before anything came.
    pub fn way(&self, now: Time) -> Option<Way> {
        let (_, timestamp) = self.next?;
        let ahead_ms = (FRAME_SAMPLES + self.sound.len()) as f64 / 48.0;
        let held_back_ms = self.path.late_ms(now, timestamp) + ahead_ms - self.path.earliest_ms()?;
        Some(Way { held_back_ms, lost_share: self.path.lost_share() })
    }

    fn leaps(&self, arrived: Time, seq: u64, timestamp: u64) -> bool {
        self.next.is_some_and(|(next, _)| {
            seq.abs_diff(next) > LEAP_PACKETS_MAX || self.path.leap_ms(arrived, timestamp).abs() > LEAP_MS_MAX
        })
    }

    fn restart(&mut self) {
        self.counts.restarts += 1;
        self.queue.clear();
        self.path.restart();
        (self.next, self.owed) = (None, 0);
        match self.flow {
            Flow::Flowing | Flow::Pausing => self.fall_silent(),
            Flow::Silent => {}
        }
    }

    /// Whether a packet of this number came before; notes it.
    fn saw(&mut self, seq: u64) -> bool {
        if seq > self.seen_newest {
            let step = seq - self.seen_newest;
            self.seen = if step < SEEN_PACKETS { self.seen << step } else { 0 };
            self.seen_newest = seq;
        }
        let age = self.seen_newest - seq;
        // What is older than is remembered is too late in any case.
        let bit = if age < SEEN_PACKETS { 1_u128 << age } else { return false };
        let before = self.seen & bit != 0;
        self.seen |= bit;
        before
    }

    fn fill(&mut self, now: Time) -> Heard {
        let mut heard = Heard::Sound;
        while self.sound.len() < FRAME_SAMPLES {
            heard = heard.max(self.more(now));
        }
        heard
    }

    /// Adds some sound, at least one sample.
    fn more(&mut self, now: Time) -> Heard {
        let Some(first) = self.queue.first() else { return self.make_up() };
        let timestamp = first.timestamp;
        match self.flow {
            Flow::Flowing => self.go_on(timestamp),
            Flow::Pausing | Flow::Silent => {
                let packet_ms = first.samples as f64 / 48.0;
                if self.path.late_ms(now, timestamp) < self.path.need_ms(packet_ms) {
                    return self.make_up();
                }
                self.leave_out_what_is_old(now);
                self.resume()
            }
        }
    }

    /// The first packet's turn, or that of what is missing before it.
    fn go_on(&mut self, timestamp: u64) -> Heard {
        let (seq, place) = self.next.unwrap_or((0, timestamp));
        let gap = timestamp.saturating_sub(place);
        let covered = gap.min(self.owed);
        self.owed -= covered;
        let missing = gap - covered;
        self.next = Some((seq, place + covered));
        if missing < STEP_SAMPLES as u64 {
            // What is still owed made the packet wait: from now on everything is heard so much later.
            self.owed = 0;
            return self.decode_first();
        }
        let whole = missing.min(PACKET_SAMPLES_MAX as u64) as usize / STEP_SAMPLES * STEP_SAMPLES;
        // A longer hole is not filled: what follows it is heard sooner instead.
        self.next = Some((seq, timestamp));
        self.repair(whole)
    }

    fn repair(&mut self, samples: usize) -> Heard {
        let Some(first) = self.queue.first() else { return self.make_up() };
        let repaired = self.decoder.recover(&first.payload, samples, &mut self.sound).unwrap_or(0);
        if first.repairs() {
            self.counts.repaired_samples += repaired as u64;
        } else {
            self.counts.concealed_samples += repaired as u64;
        }
        if repaired == 0 {
            self.sound.resize(self.sound.len() + samples, 0.0);
        }
        Heard::Concealed
    }

    fn decode_first(&mut self) -> Heard {
        let Some(packet) = self.queue.take() else { return self.make_up() };
        let lost = self.next.map_or(0, |(seq, _)| packet.seq.saturating_sub(seq));
        self.counts.lost += lost;
        self.path.passed(lost);
        self.note_repairs(&packet);
        self.packet_samples = packet.samples;
        self.next = Some((packet.seq.wrapping_add(1), packet.timestamp.saturating_add(packet.samples)));
        self.made_up = 0;
        self.flow = if packet.is_pause() { Flow::Pausing } else { Flow::Flowing };
        match self.decoder.decode(&packet.payload, &mut self.sound) {
            Ok(1..) if packet.is_pause() => Heard::Pause,
            Ok(1..) => Heard::Sound,
            Ok(0) | Err(_) => {
                self.counts.refused += 1;
                self.conceal(packet.samples as usize)
            }
        }
    }

    /// Begins, or begins again after a pause or a hole, with the first packet.
    fn resume(&mut self) -> Heard {
        let Some((seq, timestamp)) = self.queue.first().map(|first| (first.seq, first.timestamp)) else {
            return self.make_up();
        };
        let before = self.flow;
        // A hole is no loss that the next packet could repair, so the path does not hear of it.
        self.counts.lost += self.next.map_or(0, |(next, _)| seq.saturating_sub(next));
        (self.next, self.owed) = (Some((seq, timestamp)), 0);
        let begins = self.sound.len();
        let heard = self.decode_first();
        if before == Flow::Silent {
            let fade = FADE_SAMPLES.min(self.sound.len() - begins);
            fade_in(&mut self.sound[begins..begins + fade]);
        }
        heard
    }

    /// After a hole: sound that piled up meanwhile is left out as far as it would put the speaker far behind.
    fn leave_out_what_is_old(&mut self, now: Time) {
        let packet_ms = self.packet_samples as f64 / 48.0;
        let latest_ms = self.path.need_ms(packet_ms) + BEHIND_MS_MAX;
        while let (Some(first), Some(_)) = (self.queue.first(), self.queue.second())
            && self.path.late_ms(now, first.timestamp) > latest_ms
        {
            self.counts.shortened_samples += first.samples;
            self.queue.take();
        }
    }

    /// Sound for a moment at which there is no packet to play.
    fn make_up(&mut self) -> Heard {
        let missing = FRAME_SAMPLES.saturating_sub(self.sound.len()).max(1);
        let samples = missing.next_multiple_of(STEP_SAMPLES);
        let (limit_ms, heard) = match self.flow {
            Flow::Flowing => (CONCEALED_MS_MAX, Heard::Concealed),
            Flow::Pausing => (PAUSE_MS_MAX, Heard::Pause),
            Flow::Silent => {
                self.sound.resize(self.sound.len() + missing, 0.0);
                return Heard::Nothing;
            }
        };
        self.made_up += samples as u64;
        self.owed += samples as u64;
        if self.made_up > limit_ms * u64::from(RATE_HZ) / 1_000 {
            self.fall_silent();
            return heard;
        }
        self.conceal(samples).min(heard)
    }

    fn conceal(&mut self, samples: usize) -> Heard {
        let whole = samples.clamp(STEP_SAMPLES, PACKET_SAMPLES_MAX) / STEP_SAMPLES * STEP_SAMPLES;
        let before = self.sound.len();
        let made = self.decoder.conceal(whole, &mut self.sound).unwrap_or(0);
        self.sound.resize(before + whole, 0.0);
        match self.flow {
            Flow::Flowing => self.counts.concealed_samples += made as u64,
            Flow::Pausing | Flow::Silent => {}
        }
        Heard::Concealed
    }

    /// Adds a last piece that fades, and plays nothing more until a packet comes.
    fn fall_silent(&mut self) {
        let begins = self.sound.len();
        self.conceal(FADE_SAMPLES);
        fade_out(&mut self.sound[begins..]);
        self.flow = Flow::Silent;
    }

    fn note_repairs(&mut self, packet: &Waiting) {
        self.packets_since_repair =
            if packet.repairs() { 0 } else { self.packets_since_repair.saturating_add(1) };
        let repairs = if self.packets_since_repair < REPAIRS_PACKETS { Repairs::Yes } else { Repairs::No };
        self.path.repairs(repairs);
    }

    /// Repeats or leaves out a piece of what is about to be played, when packets will come too late otherwise
    /// or come sooner than necessary.
    fn change_length(&mut self, now: Time) {
        self.ticks_unchanged = self.ticks_unchanged.saturating_add(1);
        let Some((_, timestamp)) = self.next.filter(|_| self.flow == Flow::Flowing && self.owed == 0) else {
            return;
        };
        let need_ms = self.path.need_ms(self.packet_samples as f64 / 48.0);
        let over = self.sound.len().saturating_sub(FRAME_SAMPLES);
        let turn_ms = self.path.late_ms(now, timestamp) + ((over / FRAME_SAMPLES) as f64 + 1.0) * TICK_MS;
        let spare_ms = turn_ms - need_ms;
        if spare_ms < 0.0 {
            return self.make_longer();
        }
        let ticks = ((spare_ms - SPARE_MS) / TICK_MS).floor().max(0.0) as usize;
        let room = over % FRAME_SAMPLES + ticks * FRAME_SAMPLES;
        // Sound that is about to be needed must be there.
        let there = match self.queue.first() {
            Some(first) if first.timestamp == timestamp => room,
            Some(_) | None => room.min(over),
        };
        if there < stretch::LAG_SAMPLES_MIN {
            self.ticks_wished = 0;
        } else {
            self.make_shorter(there);
        }
    }

    fn make_longer(&mut self) {
        if self.ticks_unchanged < LENGTHEN_EVERY_TICKS {
            return;
        }
        if let Some(piece) = self.alike(usize::MAX) {
            stretch::lengthen(&mut self.sound, piece.lag);
            self.counts.lengthened_samples += piece.lag as u64;
        }
    }

    fn make_shorter(&mut self, room: usize) {
        let every = if room < MUCH_SAMPLES { SHORTEN_EVERY_TICKS } else { SHORTEN_MUCH_EVERY_TICKS };
        if self.ticks_unchanged < every {
            return;
        }
        if let Some(piece) = self.alike(room) {
            stretch::shorten(&mut self.sound, piece.lag);
            self.counts.shortened_samples += piece.lag as u64;
        }
    }

    /// A piece that can go or be said twice without being noticed; less alike after a while of looking
    /// for one.
    fn alike(&mut self, lag_max: usize) -> Option<stretch::Piece> {
        self.ticks_wished = self.ticks_wished.saturating_add(1);
        let least = if self.ticks_wished < LATER_TICKS { LIKENESS_MIN } else { LIKENESS_MIN_LATER };
        let piece = stretch::piece(&self.sound, lag_max).filter(|piece| piece.likeness >= least)?;
        self.ticks_unchanged = 0;
        Some(piece)
    }
}

/// Whether a packet comes soon after another one of the same stream.
fn follows((seq, timestamp): (u64, u64), (next_seq, next_timestamp): (u64, u64)) -> bool {
    let packets = next_seq.wrapping_sub(seq);
    let samples = next_timestamp.wrapping_sub(timestamp);
    (1..=LEAP_PACKETS_MAX).contains(&packets) && samples > 0 && samples <= (LEAP_MS_MAX * 48.0) as u64
}

fn fade_in(samples: &mut [f32]) {
    let length = samples.len() as f32;
    for (at, sample) in samples.iter_mut().enumerate() {
        *sample *= at as f32 / length;
    }
}

fn fade_out(samples: &mut [f32]) {
    let length = samples.len() as f32;
    for (at, sample) in samples.iter_mut().enumerate() {
        *sample *= 1.0 - (at + 1) as f32 / length;
    }
}
