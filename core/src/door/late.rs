//! What the delayed tier may take of the node: bytes a second, as far as those who hear it live leave some.
//!
//! Who hears late is nothing but requests, so nobody is counted. There is a bucket: full while less is
//! fetched than may be. Who begins pays from its upper half, who has begun from all of it; so newcomers are
//! refused first, and those who hear it only when live listeners need what they take.

use std::time::Duration;

use super::capacity::Resource;
use crate::reason::Refusal;
use crate::time::Time;

#[cfg(test)]
mod tests;

/// Each half of the bucket, in seconds of what may be sent: less would not carry the segments of players
/// that happen to fetch at the same time, more would come at once when many begin.
const HALF_S: f64 = 4.0;
/// And at least so many segments: one player begins with three, within the same moment.
const HALF_SEGMENTS_MIN: f64 = 4.0;
/// A player takes so many segments when it begins.
const BEGIN_SEGMENTS: f64 = 3.0;
/// What may be sent grows by so much of it a second, and falls at once.
const GROWS_BY: f64 = 0.1;
/// Somebody who was refused so lately says that there is no room now, in seconds.
const FULL_FOR_S: u64 = 10;

/// What one listener of the delayed tier takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Takes {
    /// Bytes a second.
    pub bytes_s: f64,
    /// Bytes of a segment.
    pub segment_bytes: f64,
}

/// What there is for the delayed tier.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Room {
    /// Listeners.
    pub listeners: f64,
    /// What there is least of; none while nothing is measured.
    pub binds: Option<Resource>,
}

/// The bucket of one node.
#[derive(Clone, Debug)]
pub struct Budget {
    each: Takes,
    room: Room,
    bytes_s: f64,
    bytes: f64,
    filled_at: Time,
    sent_bytes: u64,
    refused_at: Option<Time>,
}

impl Budget {
    /// Nothing is left to it before it was looked at.
    pub fn new(now: Time, each: Takes) -> Self {
        let room = Room::default();
        Self { each, room, bytes_s: 0.0, bytes: 0.0, filled_at: now, sent_bytes: 0, refused_at: None }
    }

    /// So much is left now; about once a second. Gives the bytes that were sent since.
    pub fn look(&mut self, now: Time, room: Room) -> u64 {
        let most = room.listeners.max(0.0) * self.each.bytes_s;
        self.fill(now);
        self.bytes_s = most.min(self.bytes_s + most * GROWS_BY);
        self.room = room;
        std::mem::take(&mut self.sent_bytes)
    }

    /// Somebody begins.
    ///
    /// # Errors
    /// `LateFull`.
    pub fn begin(&mut self, now: Time) -> Result<(), Refusal> {
        self.fill(now);
        if !self.carries_one() || self.bytes < 0.0 {
            self.refused_at = Some(now);
            return Err(Refusal::LateFull);
        }
        self.bytes -= BEGIN_SEGMENTS * self.each.segment_bytes;
        Ok(())
    }

    /// Somebody who has begun takes so many bytes.
    ///
    /// # Errors
    /// `LateFull`.
    pub fn take(&mut self, now: Time, bytes: u64) -> Result<(), Refusal> {
        self.fill(now);
        if !self.carries_one() || self.bytes <= self.floor() {
            self.refused_at = Some(now);
            return Err(Refusal::LateFull);
        }
        self.bytes -= bytes as f64;
        self.sent_bytes += bytes;
        Ok(())
    }

    /// Whether there is room for one more, as everybody is told.
    pub fn has_room(&self, now: Time) -> bool {
        let refused = |at: Time| now.since(at) < Duration::from_secs(FULL_FOR_S);
        self.carries_one() && !self.refused_at.is_some_and(refused)
    }

    /// What there is least of for it.
    pub fn binds(&self) -> Option<Resource> {
        self.room.binds
    }

    /// Bytes a second that may be sent.
    pub fn bytes_s(&self) -> f64 {
        self.bytes_s
    }

    fn carries_one(&self) -> bool {
        self.bytes_s >= self.each.bytes_s
    }

    fn fill(&mut self, now: Time) {
        let seconds = now.since(self.filled_at).as_secs_f64();
        self.filled_at = now;
        let half = self.half();
        self.bytes = (self.bytes + seconds * self.bytes_s).clamp(-2.0 * half, half);
    }

    /// Who began last overdrew the upper half, and is to have their beginning all the same.
    fn floor(&self) -> f64 {
        -self.half() - BEGIN_SEGMENTS * self.each.segment_bytes
    }

    fn half(&self) -> f64 {
        (HALF_S * self.bytes_s).max(HALF_SEGMENTS_MIN * self.each.segment_bytes)
    }
}
