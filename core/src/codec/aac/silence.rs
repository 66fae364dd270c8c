//! Silence of a given length in bytes, so that a passage taken out of a recording leaves every other byte at
//! its place.

/// 1,024 samples of silence as one AAC-LC mono access unit of exactly `len` bytes; `None` below 4, which no
/// unit can be.
///
/// One single channel element without any scale factor band, then fill elements, then the end (ISO/IEC
/// 14496-3, 4.4.2).
pub fn silent_unit(len: usize) -> Option<Vec<u8>> {
    /// Single channel element 0, global gain 0, one long sine window, no bands, no pulse, noise shaping or
    /// gain data.
    const CHANNEL_BITS: usize = 29;
    const END: (u32, usize) = (0b111, 3);

    let mut left = (len * 8).checked_sub(CHANNEL_BITS + END.1)?;
    let mut bits = Bits { bytes: Vec::with_capacity(len), used: 0 };
    bits.put(0, CHANNEL_BITS);
    while left >= FILL_BITS_MIN {
        left -= put_fill(&mut bits, left);
    }
    bits.put(END.0, END.1);
    bits.bytes.resize(len, 0);
    Some(bits.bytes)
}

/// A fill element without payload: its name and a count of four bits.
const FILL_BITS_MIN: usize = 7;

/// The largest fill element of at most `room` bits; answers with its bits.
fn put_fill(bits: &mut Bits, room: usize) -> usize {
    const NAME: (u32, usize) = (0b110, 3);
    /// A count of 15 says that eight more bits of count follow, starting from 14.
    const ESCAPE: usize = 15;
    const ESCAPED_BITS: usize = FILL_BITS_MIN + 8;

    bits.put(NAME.0, NAME.1);
    let escaped = room.checked_sub(ESCAPED_BITS).map(|payload| payload / 8).filter(|&n| n >= ESCAPE - 1);
    let (header, payload) = match escaped {
        Some(payload) => {
            let payload = payload.min(ESCAPE - 1 + 255);
            bits.put(ESCAPE as u32, 4);
            bits.put((payload - (ESCAPE - 1)) as u32, 8);
            (ESCAPED_BITS, payload)
        }
        None => {
            let payload = ((room - FILL_BITS_MIN) / 8).min(ESCAPE - 1);
            bits.put(payload as u32, 4);
            (FILL_BITS_MIN, payload)
        }
    };
    for _ in 0..payload {
        bits.put(0, 8);
    }
    header + payload * 8
}

/// Bits in order, the highest first.
struct Bits {
    bytes: Vec<u8>,
    used: usize,
}

impl Bits {
    fn put(&mut self, value: u32, count: usize) {
        for bit in (0..count).rev() {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            let one = if bit < 32 { (value >> bit) & 1 } else { 0 };
            if let Some(last) = self.bytes.last_mut() {
                *last |= (one as u8) << (7 - self.used % 8);
            }
            self.used += 1;
        }
    }
}
