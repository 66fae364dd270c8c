//! ADTS (ISO/IEC 13818-7, 6.2): a header before each AAC access unit, so that a player can start at any of
//! them.

use bytes::Bytes;

use super::part::Units;

/// Bytes of a header without checksum.
pub const HEADER_BYTES: usize = 7;

/// The frames of one part of an AAC-LC mono rendition at 48 kHz.
pub fn part_frames(units: &Units) -> Bytes {
    let mut out = Vec::with_capacity(units.bytes().len() + HEADER_BYTES * units.sizes().len());
    for unit in units.iter() {
        out.extend_from_slice(&header(unit.len()));
        out.extend_from_slice(unit);
    }
    out.into()
}

/// The header of an AAC-LC mono unit of `unit_bytes` at 48 kHz; its size field holds 13 bits, which no mono
/// unit outgrows.
pub fn header(unit_bytes: usize) -> [u8; HEADER_BYTES] {
    /// MPEG-4, no checksum.
    const SYNC: [u8; 2] = [0xFF, 0xF1];
    /// Profile LC (1), rate index 3 (48 kHz); the channels' high bit is 0.
    const FORM: u8 = 1 << 6 | 3 << 2;
    /// One channel: the low two bits of its configuration.
    const MONO: u8 = 1 << 6;

    let bytes = unit_bytes + HEADER_BYTES;
    // A buffer fullness of all ones says that the rate varies.
    [
        SYNC[0],
        SYNC[1],
        FORM,
        MONO | (bytes >> 11) as u8 & 3,
        (bytes >> 3) as u8,
        (bytes as u8) << 5 | 0x1F,
        0xFC,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_can_be_found_again() {
        let units = Units::join([[1_u8; 5].as_slice(), &[2; 300], &[3; 768]]);
        let stream = part_frames(&units);
        let mut at = 0;
        for unit in units.iter() {
            let head = &stream[at..at + HEADER_BYTES];
            assert_eq!((head[0], head[1] & 0xF7), (0xFF, 0xF1));
            let bytes =
                usize::from(head[3] & 3) << 11 | usize::from(head[4]) << 3 | usize::from(head[5] >> 5);
            assert_eq!(&stream[at + HEADER_BYTES..at + bytes], unit);
            at += bytes;
        }
        assert_eq!(at, stream.len());
    }
}
