//! A program without sound or encoders: parts of made-up packets, for tests, benchmarks and simulations of what comes after.

use super::mp4::{self, Track};
use super::part::{Codec, Joint, Part, PartNo, Rendition, TrackPart, Units};
use super::{PART_MS, ogg};
use crate::mix::Kind;
use crate::time::WallTime;

/// When part 0 begins: 2024-08-13T00:00:00Z.
pub const BEGAN_AT: WallTime = WallTime(1_723_507_200_000);

const OPUS_UNIT_BYTES: u64 = 160;
const AAC_UNIT_BYTES: u64 = 170;

/// The Opus and the AAC track of every synthetic program, at 64 kbit/s.
pub fn tracks() -> (Track, Track) {
    let rendition =
        |codec, priming_samples| Rendition { codec, bit_rate: 64_000, channels: 1, priming_samples };
    let opus = Track { rendition: rendition(Codec::Opus, 312), config: Vec::new() };
    let aac = Track { rendition: rendition(Codec::AacLc, 1_600), config: vec![0x11, 0x88] };
    (opus, aac)
}

/// A part whose packets are drawn from its number and `seed`; the Opus track first, then the AAC.
pub fn part(no: PartNo, kind: Kind, seed: u64) -> Part {
    let (opus, aac) = tracks();
    let mut draw = Draw(Draw(no.0).next() ^ seed);
    let packets = units(&mut draw, Codec::Opus, OPUS_UNIT_BYTES);
    let frames = units(&mut draw, Codec::AacLc, AAC_UNIT_BYTES);
    Part {
        no,
        kind,
        joint: Joint::Continues,
        began_at: WallTime(BEGAN_AT.0 + (no.0 * PART_MS) as i64),
        tracks: vec![
            TrackPart {
                stream: ogg::part_page(no, &packets),
                chunk: mp4::chunk(no, &opus.rendition, &packets),
                units: packets,
            },
            TrackPart {
                stream: bytes::Bytes::new(),
                chunk: mp4::chunk(no, &aac.rendition, &frames),
                units: frames,
            },
        ],
    }
}

fn units(draw: &mut Draw, codec: Codec, around_bytes: u64) -> Units {
    let units: Vec<Vec<u8>> = (0..codec.units_per_part())
        .map(|_| {
            let len = around_bytes - 20 + draw.next() % 40;
            let mut unit: Vec<u8> = (0..len.div_ceil(8)).flat_map(|_| draw.next().to_le_bytes()).collect();
            unit.truncate(len as usize);
            unit
        })
        .collect();
    Units::join(units.iter().map(Vec::as_slice))
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }
}
