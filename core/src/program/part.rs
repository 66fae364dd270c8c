//! The part: 320 ms of the program in every codec and bit rate at once, cut at the same samples.
//!
//! 15,360 samples are 16 Opus packets of 20 ms and 15 AAC frames of 1,024 samples, so that whole frames of
//! both codecs end together and a listener may change rendition between any two parts.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::mix::Kind;
use crate::time::{MediaTime, WallTime};

/// Samples in a part at 48 kHz.
pub const PART_SAMPLES: u64 = 15_360;
/// A part in milliseconds.
pub const PART_MS: u64 = 320;
/// Parts in a segment (1.92 s).
pub const SEGMENT_PARTS: u64 = 6;

/// A part's number in the program, from 0; it never goes back, and jumps only over a gap, to the start of a
/// segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PartNo(pub u64);

impl PartNo {
    /// The one after.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// How many parts lie between `earlier` and this one.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The segment it belongs to.
    pub const fn segment(self) -> u64 {
        self.0 / SEGMENT_PARTS
    }

    /// Its place in its segment, `0..SEGMENT_PARTS`.
    pub const fn in_segment(self) -> u64 {
        self.0 % SEGMENT_PARTS
    }

    /// The first number at or after this one that begins a segment.
    #[must_use]
    pub const fn segment_start_from(self) -> Self {
        Self(self.0.div_ceil(SEGMENT_PARTS) * SEGMENT_PARTS)
    }

    /// Where its first sample lies in the program.
    pub const fn starts_at(self) -> MediaTime {
        MediaTime(self.0 * PART_SAMPLES)
    }
}

/// The number of the first part after the program opens at `now`: where the recording goes on, or where time
/// says when all that was cut since the room's program first opened was the hold sound, which no recording
/// counts. It begins a segment and never goes back while the wall clock does not.
pub fn first_part(now: WallTime, first_opened_at: WallTime, resume_at: PartNo) -> PartNo {
    let passed_ms = u64::try_from(now.millis_since(first_opened_at)).unwrap_or(0);
    resume_at.max(PartNo(passed_ms.div_ceil(PART_MS))).segment_start_from()
}

/// How a part joins the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Joint {
    /// The very next sample.
    Continues,
    /// The first of a run: the program began or came back after a gap, with fresh encoders.
    AfterGap,
}

/// What a track carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Media {
    /// Sound.
    Audio,
}

/// How a track is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Codec {
    /// Opus (RFC 6716), packets of 20 ms.
    Opus,
    /// AAC-LC (ISO/IEC 14496-3), frames of 1,024 samples.
    AacLc,
}

impl Codec {
    /// What it carries.
    pub const fn media(self) -> Media {
        match self {
            Self::Opus | Self::AacLc => Media::Audio,
        }
    }

    /// Samples at 48 kHz that one unit (packet or frame) lasts.
    pub const fn unit_samples(self) -> u32 {
        match self {
            Self::Opus => 960,
            Self::AacLc => 1_024,
        }
    }

    /// Units in one part.
    pub const fn units_per_part(self) -> usize {
        PART_SAMPLES as usize / self.unit_samples() as usize
    }

    /// The word used in names and in the seal.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::AacLc => "aac",
        }
    }
}

/// One coded form of the program. Its place in the program's list is its index in `Part::tracks`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Rendition {
    /// How it is coded.
    pub codec: Codec,
    /// Bits a second.
    pub bit_rate: u32,
    /// 1 (mono) or 2.
    pub channels: u8,
    /// Samples at 48 kHz that a decoder gives before the first sample that was encoded (Opus pre-skip, AAC
    /// encoder delay).
    pub priming_samples: u32,
}

impl Rendition {
    /// The word in URLs: `opus64`, `aac64`.
    pub fn name(&self) -> String {
        format!("{}{}", self.codec.word(), self.bit_rate / 1_000)
    }
}

/// The coded units (packets, frames) of one track in one part, back to back in one buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Units {
    bytes: Bytes,
    sizes: Box<[u32]>,
}

impl Units {
    /// Joins units in order.
    pub fn join<'a>(units: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut bytes = Vec::new();
        let mut sizes = Vec::new();
        for unit in units {
            bytes.extend_from_slice(unit);
            sizes.push(u32::try_from(unit.len()).unwrap_or(u32::MAX));
        }
        Self { bytes: bytes.into(), sizes: sizes.into() }
    }

    /// Units that already lie back to back; `sizes` add up to the length of `bytes`.
    pub(super) fn new(bytes: Vec<u8>, sizes: Vec<u32>) -> Self {
        debug_assert_eq!(sizes.iter().map(|&size| size as usize).sum::<usize>(), bytes.len());
        Self { bytes: bytes.into(), sizes: sizes.into() }
    }

    /// All units, without framing.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// Bytes of each unit.
    pub fn sizes(&self) -> &[u32] {
        &self.sizes
    }

    /// One unit after another.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> + Clone {
        let mut at = 0;
        self.sizes.iter().map(move |&size| {
            let unit = &self.bytes[at..at + size as usize];
            at += size as usize;
            unit
        })
    }
}

/// One track's share of a part, with the two framings every listener is served from.
#[derive(Clone, Debug)]
pub struct TrackPart {
    /// The coded units.
    pub units: Units,
    /// For progressive listeners: one Ogg page (Opus) or ADTS frames (AAC).
    pub stream: Bytes,
    /// For HLS and Media Source: one CMAF chunk, `moof` and `mdat`.
    pub chunk: Bytes,
}

/// 320 ms of the program in every rendition.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its number.
    pub no: PartNo,
    /// Conversation or hold.
    pub kind: Kind,
    /// How it joins the one before.
    pub joint: Joint,
    /// What the wall clock said at its first sample.
    pub began_at: WallTime,
    /// One for each rendition of the program, in the program's order.
    pub tracks: Vec<TrackPart>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_codecs_end_with_the_part() {
        assert_eq!(Codec::Opus.units_per_part(), 16);
        assert_eq!(Codec::AacLc.units_per_part(), 15);
        for codec in [Codec::Opus, Codec::AacLc] {
            assert_eq!(codec.units_per_part() as u64 * u64::from(codec.unit_samples()), PART_SAMPLES);
        }
    }

    #[test]
    fn numbers_know_their_segment() {
        for (no, segment, place, next_start) in
            [(0, 0, 0, 0), (1, 0, 1, 6), (5, 0, 5, 6), (6, 1, 0, 6), (13, 2, 1, 18)]
        {
            let no = PartNo(no);
            assert_eq!(
                (no.segment(), no.in_segment(), no.segment_start_from()),
                (segment, place, PartNo(next_start))
            );
        }
    }

    #[test]
    fn units_come_back_as_they_went_in() {
        let units = Units::join([b"ab".as_slice(), b"", b"cde"]);
        assert_eq!(units.iter().collect::<Vec<_>>(), [b"ab".as_slice(), b"", b"cde"]);
        assert_eq!(units.sizes(), [2, 0, 3]);
        assert_eq!(&units.bytes()[..], b"abcde");
    }

    #[test]
    fn numbers_go_on_where_the_recording_or_time_says() {
        for (passed_ms, resume_at, first) in
            [(0, 0, 0), (1, 0, 6), (1_920, 0, 6), (1_921, 0, 12), (1_920, 13, 18), (-5_000, 7, 12)]
        {
            let now = WallTime(1_000_000 + passed_ms);
            let number = first_part(now, WallTime(1_000_000), PartNo(resume_at));
            assert_eq!(number, PartNo(first), "{passed_ms} ms");
        }
    }
}
