//! One Ogg Opus stream (RFC 7845): its two headers, then packets; the first samples skipped, the last ones
//! cut where it says.

use std::collections::VecDeque;

use super::packet::{Batch, Packet};
use crate::codec::opus::{Decoder, PACKET_SAMPLES_MAX};
use crate::ingest::comment;
use crate::ingest::outcome::{Codec, Error, Format, Lost};
use crate::ingest::track::Outputs;
use crate::time::RATE_HZ;

/// Sound made up for lost pages at most, in samples at 48 kHz: one second. More than that stays a gap.
pub const CONCEAL_SAMPLES_MAX: u64 = 48_000;
/// The step in which the decoder conceals, in samples: 2.5 ms.
const CONCEAL_STEP: usize = 120;

/// The identification header (RFC 7845, section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Channels, 1 or 2.
    pub channels: u8,
    /// Samples at 48 kHz to skip at the beginning.
    pub pre_skip: u16,
    /// Gain to apply, in 1/256 dB.
    pub gain_q8_db: i16,
}

impl Head {
    /// Reads the header packet.
    pub fn parse(packet: &[u8]) -> Result<Self, Error> {
        let wrong = |why: String| Error::HeaderWrong { header: "OpusHead", why };
        let Some(&[version, channels, skip_low, skip_high, _, _, _, _, gain_low, gain_high, family]) =
            packet.strip_prefix(b"OpusHead").and_then(|rest| rest.first_chunk::<11>())
        else {
            return Err(wrong(format!("it has {} bytes and needs 19", packet.len())));
        };
        if version >> 4 != 0 {
            return Err(wrong(format!("version {version} is not known")));
        }
        match (family, channels) {
            (0, 1 | 2) => {}
            (1, 1 | 2) if packet.get(19) == Some(&1) => {}
            (0 | 1, 0) => return Err(wrong("it announces no channel".to_owned())),
            (family, channels) => {
                return Err(wrong(format!(
                    "{channels} channels of mapping family {family} are not taken; send mono or stereo"
                )));
            }
        }
        Ok(Self {
            channels,
            pre_skip: u16::from_le_bytes([skip_low, skip_high]),
            gain_q8_db: i16::from_le_bytes([gain_low, gain_high]),
        })
    }

    /// The factor of its gain.
    fn gain(&self) -> f32 {
        10_f32.powf(f32::from(self.gain_q8_db) / (20.0 * 256.0))
    }
}

/// The title in a comment header (section 5.2); `None` when the packet is none.
pub fn tags(packet: &[u8]) -> Option<crate::ingest::Title> {
    packet.strip_prefix(b"OpusTags").map(comment::title)
}

/// How long a packet's sound is, in samples at 48 kHz (RFC 6716, section 3.1); `None` when it breaks the
/// rules.
pub fn packet_samples(packet: &[u8]) -> Option<u64> {
    let (&toc, rest) = packet.split_first()?;
    let config = u64::from(toc >> 3);
    let frame = match config {
        0..=11 => [480, 960, 1_920, 2_880][config as usize % 4],
        12..=15 => [480, 960][config as usize % 2],
        _ => [120, 240, 480, 960][config as usize % 4],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u64::from(rest.first()? & 63),
    };
    Some(frame * frames).filter(|samples| (1..=PACKET_SAMPLES_MAX as u64).contains(samples))
}

/// Decodes one stream.
#[derive(Debug)]
pub struct Track {
    head: Head,
    decoder: Decoder,
    tags_seen: bool,
    skip: u64,
    /// Where the decoded sound ends, on the scale of the granule positions; unknown before the first page of
    /// sound.
    position: Option<u64>,
    /// Where the sound ends for good.
    ends_at: Option<u64>,
    /// The position at the end of the page being decoded.
    page_ends_at: Option<u64>,
    conceal: u64,
    packets: VecDeque<Packet>,
}

impl Track {
    /// A stream that begins with this header.
    pub fn new(head: Head) -> Result<Self, Error> {
        Ok(Self {
            head,
            decoder: Decoder::new().map_err(|why| Error::Decoder(why.to_string()))?,
            tags_seen: false,
            skip: u64::from(head.pre_skip),
            position: None,
            ends_at: None,
            page_ends_at: None,
            conceal: 0,
            packets: VecDeque::new(),
        })
    }

    /// Takes the packets that end on the next page.
    pub fn page(&mut self, mut batch: Batch, out: &mut Outputs) {
        let mut packets = std::mem::take(&mut batch.packets);
        if !self.tags_seen
            && let Some(packet) = packets.pop_front()
        {
            self.tags_seen = true;
            match tags(&packet.bytes) {
                Some(title) => out.title(title),
                None => packets.push_front(packet),
            }
        }
        if !packets.is_empty() {
            self.place(&packets, &batch);
        }
        self.packets = packets;
    }

    /// Decodes one packet, or conceals a step; `false` when the page is done.
    pub fn step(&mut self, out: &mut Outputs) -> bool {
        let mut sound = Vec::new();
        if self.conceal > 0 {
            let step = self.conceal.min(960);
            self.conceal -= step;
            self.make_up(step, &mut sound);
        } else if let Some(packet) = self.packets.pop_front() {
            self.decode(&packet, &mut sound, out);
        } else {
            return false;
        }
        self.trim(&mut sound);
        out.format(Format { codec: Codec::Opus, rate_hz: RATE_HZ, channels: self.head.channels });
        out.sound(sound);
        if self.packets.is_empty() && self.page_ends_at.is_some() {
            self.position = self.page_ends_at.take();
        }
        true
    }

    /// Compares the page's position with where the sound is (sections 4.3 to 4.5).
    fn place(&mut self, packets: &VecDeque<Packet>, batch: &Batch) {
        let samples: u64 = packets.iter().filter_map(|packet| packet_samples(&packet.bytes)).sum();
        let Some(granule) = batch.granule else {
            return;
        };
        let starts_at = granule.saturating_sub(samples);
        let position = match (self.position, batch.lost) {
            (None, _) => starts_at,
            (Some(position), Some(_)) => {
                self.conceal = starts_at.saturating_sub(position).min(CONCEAL_SAMPLES_MAX);
                starts_at.saturating_sub(self.conceal)
            }
            (Some(position), None) if batch.ends => position,
            (Some(_), None) => starts_at,
        };
        self.position = Some(position);
        self.page_ends_at = (!batch.ends).then_some(granule);
        self.ends_at = (batch.ends && granule >= position).then_some(granule);
    }

    fn decode(&mut self, packet: &Packet, sound: &mut Vec<f32>, out: &mut Outputs) {
        if packet.bytes.is_empty() {
            return; // Liquidsoap ends each stream with one.
        }
        let good = !packet.cut && self.decoder.decode(&packet.bytes, sound).is_ok();
        if !good {
            sound.clear();
            out.lost(if packet.cut { Lost::PacketCut } else { Lost::PacketBad });
            self.make_up(packet_samples(&packet.bytes).unwrap_or(0), sound);
        }
    }

    /// Appends exactly `samples` of concealment, at most what one packet holds.
    fn make_up(&mut self, samples: u64, sound: &mut Vec<f32>) {
        let wanted = (samples as usize).min(PACKET_SAMPLES_MAX);
        let steps = wanted.next_multiple_of(CONCEAL_STEP);
        if steps > 0 && self.decoder.conceal(steps, sound).is_err() {
            sound.clear();
        }
        sound.resize(wanted, 0.0);
    }

    /// Counts the sound, then cuts what lies before the beginning and after the end, and applies the gain.
    fn trim(&mut self, sound: &mut Vec<f32>) {
        let decoded = sound.len() as u64;
        let position = self.position.unwrap_or(0);
        if let Some(ends_at) = self.ends_at {
            sound.truncate(ends_at.saturating_sub(position).min(decoded) as usize);
        }
        self.position = Some(position.saturating_add(decoded));
        let skipped = self.skip.min(sound.len() as u64);
        self.skip -= skipped;
        sound.drain(..skipped as usize);
        if self.head.gain_q8_db != 0 {
            let gain = self.head.gain();
            sound.iter_mut().for_each(|sample| *sample *= gain);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(version: u8, channels: u8, family: u8) -> Vec<u8> {
        let mut packet = b"OpusHead".to_vec();
        packet.extend([version, channels, 0x38, 0x01, 0x80, 0xbb, 0, 0, 0, 0xff, family]);
        packet
    }

    #[test]
    fn the_head_is_checked() {
        let good = Head { channels: 2, pre_skip: 312, gain_q8_db: -256 };
        assert_eq!(Head::parse(&head(1, 2, 0)), Ok(good));
        assert_eq!(Head::parse(&[head(15, 2, 0), b"more".to_vec()].concat()), Ok(good));
        assert_eq!(Head::parse(&[head(1, 2, 1), vec![1, 1, 0, 1]].concat()), Ok(good));
        for wrong in [
            b"OpusHead".to_vec(),
            head(1, 2, 0)[..18].to_vec(),
            head(16, 2, 0),
            head(1, 0, 0),
            head(1, 3, 0),
            head(1, 6, 1),
            head(1, 2, 255),
            b"NotAHeadAtAllWhateverItSays".to_vec(),
        ] {
            assert!(matches!(Head::parse(&wrong), Err(Error::HeaderWrong { .. })), "{wrong:x?}");
        }
    }

    #[test]
    fn a_packet_says_how_long_it_is() {
        for (packet, samples) in [
            (&[0xfc_u8, 0][..], Some(960)),
            (&[0x18], Some(2_880)),
            (&[0x19], Some(5_760)),
            (&[0x60], Some(480)),
            (&[0x68], Some(960)),
            (&[0x80], Some(120)),
            (&[0xff, 3], Some(2_880)),
            (&[0xff, 7], None),
            (&[0xff, 0], None),
            (&[0xff], None),
            (&[], None),
        ] {
            assert_eq!(packet_samples(packet), samples, "{packet:x?}");
        }
    }
}
