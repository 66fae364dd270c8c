//! One packet of a speaker, and those that wait for their turn.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::codec::opus;
use crate::ingest::ogg::opus::packet_samples;
use crate::time::Time;

/// The longest payload that is taken, in bytes: what one datagram holds.
pub const PAYLOAD_BYTES_MAX: usize = 1_500;
/// Packets that may wait: more than two seconds of 20 ms. The oldest is dropped above it.
pub const WAITING_PACKETS_MAX: usize = 128;

/// One RTP packet of Opus (RFC 7587), its numbers counted on where RTP's begin again at zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// When it came.
    pub arrived: Time,
    /// Its sequence number, extended.
    pub seq: u64,
    /// Its place in the speaker's sound, in samples at 48 kHz, extended.
    pub timestamp: u64,
    /// Opus (RFC 6716), decrypted.
    pub payload: Bytes,
}

/// A packet whose turn may come.
#[derive(Debug)]
pub(super) struct Waiting {
    pub seq: u64,
    pub timestamp: u64,
    /// How long it lasts.
    pub samples: u64,
    pub payload: Bytes,
}

impl Waiting {
    /// The packet if it can be one: neither empty nor too long, and of a length Opus knows.
    pub fn of(packet: Packet) -> Option<Self> {
        if packet.payload.len() > PAYLOAD_BYTES_MAX {
            return None;
        }
        let samples = packet_samples(&packet.payload)?;
        let Packet { seq, timestamp, payload, .. } = packet;
        Some(Self { seq, timestamp, samples, payload })
    }

    /// Whether it says that nothing is to be heard and nothing more will be sent for now (RFC 6716, 2.1.9).
    pub fn is_pause(&self) -> bool {
        self.payload.len() <= 2
    }

    /// Whether it repeats what was in the one before.
    pub fn repairs(&self) -> bool {
        opus::repeats_the_one_before(&self.payload)
    }
}

/// Packets in the order in which they were sent.
#[derive(Debug, Default)]
pub(super) struct Queue {
    packets: BTreeMap<u64, Waiting>,
}

impl Queue {
    /// Takes one unless it is there already; says whether it was.
    pub fn has_or_takes(&mut self, packet: Waiting) -> bool {
        if self.packets.contains_key(&packet.seq) {
            return true;
        }
        self.packets.insert(packet.seq, packet);
        if self.packets.len() > WAITING_PACKETS_MAX {
            self.packets.pop_first();
        }
        false
    }

    /// The one that was sent first.
    pub fn first(&self) -> Option<&Waiting> {
        self.packets.first_key_value().map(|(_, packet)| packet)
    }

    /// The one after it.
    pub fn second(&self) -> Option<&Waiting> {
        self.packets.values().nth(1)
    }

    /// Takes out the one that was sent first.
    pub fn take(&mut self) -> Option<Waiting> {
        self.packets.pop_first().map(|(_, packet)| packet)
    }

    /// How many wait.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.packets.clear();
    }
}
