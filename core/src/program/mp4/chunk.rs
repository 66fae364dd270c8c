//! One part as a CMAF chunk: `moof`, which says where each unit lies, and `mdat`, which holds them.

use bytes::Bytes;

use super::DELAY_SAMPLES;
use super::boxes::{put_all_u32, put_box, put_full_box, put_u64};
use crate::program::part::{PartNo, Rendition, Units};

/// Where the fixed fields of our own chunks lie.
const SEQUENCE_AT: usize = 20;
const TIME_AT: usize = 68;

/// The chunk of part `no` of the rendition: a file of one track.
pub fn chunk(no: PartNo, rendition: &Rendition, units: &Units) -> Bytes {
    /// Bytes before the sizes in `trun`, and the header of `mdat`.
    const FIXED_BYTES: usize = 104;
    let head_bytes = FIXED_BYTES + 4 * units.sizes().len();
    let mut out = Vec::with_capacity(head_bytes + units.bytes().len());
    put_box(&mut out, b"moof", |out| {
        put_full_box(out, b"mfhd", (0, 0), |out| put_all_u32(out, [sequence(no)]));
        put_box(out, b"traf", |out| {
            /// Offsets count from `moof`; duration and flags of all samples are given here.
            const FRAGMENT: u32 = 0x02_0000 | 0x08 | 0x20;
            /// Depends on no other sample.
            const INDEPENDENT: u32 = 0x0200_0000;
            put_full_box(out, b"tfhd", (0, FRAGMENT), |out| {
                put_all_u32(out, [1, rendition.codec.unit_samples(), INDEPENDENT]);
            });
            put_full_box(out, b"tfdt", (1, 0), |out| put_u64(out, decode_time(no, rendition)));
            /// A data offset is given, and each sample's size.
            const RUN: u32 = 0x01 | 0x200;
            put_full_box(out, b"trun", (0, RUN), |out| {
                put_all_u32(out, [units.sizes().len() as u32, head_bytes as u32]);
                put_all_u32(out, units.sizes().iter().copied());
            });
        });
    });
    put_box(&mut out, b"mdat", |out| out.extend_from_slice(units.bytes()));
    out.into()
}

/// Gives one of our own chunks another number and the time that goes with it; its units stay as they are.
/// `None`, and the chunk untouched, when it is not one of ours.
pub fn renumber(chunk: &mut [u8], no: PartNo, rendition: &Rendition) -> Option<()> {
    for (at, name) in
        [(4, b"moof"), (12, b"mfhd"), (28, b"traf"), (36, b"tfhd"), (60, b"tfdt"), (80, b"trun")]
    {
        if chunk.get(at..at + 4)? != name {
            return None;
        }
    }
    chunk[SEQUENCE_AT..SEQUENCE_AT + 4].copy_from_slice(&sequence(no).to_be_bytes());
    chunk[TIME_AT..TIME_AT + 8].copy_from_slice(&decode_time(no, rendition).to_be_bytes());
    Some(())
}

/// Fragments are numbered from 1.
const fn sequence(no: PartNo) -> u32 {
    (no.0 as u32).wrapping_add(1)
}

fn decode_time(no: PartNo, rendition: &Rendition) -> u64 {
    no.starts_at().0 + u64::from(DELAY_SAMPLES.saturating_sub(rendition.priming_samples))
}
