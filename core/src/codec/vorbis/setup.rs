//! Looks through a Vorbis setup header before the decoder sees it (Vorbis I specification, sections 3.2.1 and
//! 4.2.4).
//!
//! A setup header of a hundred bytes can ask for gigabytes of tables, and some headers that no encoder writes
//! make the decoder index or divide where it must not. What is refused here is what would do either;
//! everything that encoders really write passes.

/// Entries of all codebooks together; libvorbis needs some 20,000.
const ENTRIES_MAX: u64 = 131_072;
/// Values of all unpacked lookup tables together (4 bytes each).
const LOOKUP_VALUES_MAX: u64 = 1_048_576;
/// Values of a codebook that a floor reads heights from: the heights themselves are below 256.
const HEIGHTS_MAX: u32 = 256;
/// Points of a floor (section 7.2.2).
const FLOOR_POINTS_MAX: usize = 65;
/// Scalars of one lookup vector.
const DIMENSIONS_MAX: u32 = 32;
/// A tree of codewords is complete when their shares of it add up to this.
const WHOLE_TREE: u64 = 1 << 32;

const CUT: &str = "it ends too early";

/// What stands before the bits.
const MAGIC: &[u8] = b"\x05vorbis";

/// The setup header of a stream with so many channels, as the decoder may be given it.
///
/// Couplings have to be undone last to first (section 4.3.5). The decoder undoes them first to last, which
/// only matters where a channel is in two of them, as libvorbis does beyond stereo; so it is given them in
/// reverse.
pub fn checked(setup: &[u8], channels: u8) -> Result<Vec<u8>, &'static str> {
    let body = setup.strip_prefix(MAGIC).ok_or("it is not a setup header")?;
    let mut bits = Bits { bytes: body, at: 0 };
    let mut reversed = body.to_vec();
    let books = codebooks(&mut bits)?;
    for _ in 0..=bits.take(6)? {
        bits.take(16)?;
    }
    for _ in 0..=bits.take(6)? {
        floor(&mut bits, &books)?;
    }
    let mut residue_kinds = Vec::new();
    for _ in 0..=bits.take(6)? {
        residue_kinds.push(residue(&mut bits)?);
    }
    for _ in 0..=bits.take(6)? {
        let couplings = mapping(&mut bits, channels, &residue_kinds)?;
        for nth in 0..couplings.count {
            couplings.copy(&bits, nth, &mut reversed);
        }
    }
    Ok([MAGIC, &reversed].concat())
}

/// Where a mapping's couplings stand in the header.
#[derive(Clone, Copy, Default)]
struct Couplings {
    at: usize,
    count: usize,
    bits_each: usize,
}

impl Couplings {
    /// Writes one of them to the place that mirrors its own.
    fn copy(self, from: &Bits<'_>, nth: usize, to: &mut [u8]) {
        for bit in 0..self.bits_each {
            let source = self.at + nth * self.bits_each + bit;
            let target = self.at + (self.count - 1 - nth) * self.bits_each + bit;
            let value = from.bytes[source / 8] >> (source % 8) & 1;
            to[target / 8] = to[target / 8] & !(1 << (target % 8)) | value << (target % 8);
        }
    }
}

/// Bits from the low end of each byte upwards (section 2).
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// The next `count` bits, at most 32.
    fn take(&mut self, count: u32) -> Result<u32, &'static str> {
        let mut value = 0;
        for nth in 0..count {
            let byte = self.bytes.get(self.at / 8).ok_or(CUT)?;
            value |= u32::from(byte >> (self.at % 8) & 1) << nth;
            self.at += 1;
        }
        Ok(value)
    }

    fn flag(&mut self) -> Result<bool, &'static str> {
        Ok(self.take(1)? == 1)
    }

    fn skip(&mut self, bits: u64) -> Result<(), &'static str> {
        let left = (self.bytes.len() * 8 - self.at) as u64;
        if bits > left {
            return Err(CUT);
        }
        self.at += bits as usize;
        Ok(())
    }
}

/// Number of bits up to the highest that is set (section 9.2.1).
const fn ilog(value: u32) -> u32 {
    32 - value.leading_zeros()
}

/// Number of entries of each codebook.
fn codebooks(bits: &mut Bits<'_>) -> Result<Vec<u32>, &'static str> {
    let (mut all_entries, mut all_values) = (0, 0);
    let mut books = Vec::new();
    for _ in 0..=bits.take(8)? {
        if bits.take(24)? != 0x56_4342 {
            return Err("a codebook does not begin where it should");
        }
        let (dimensions, entries) = (bits.take(16)?, bits.take(24)?);
        if dimensions == 0 || dimensions > DIMENSIONS_MAX || entries == 0 {
            return Err("a codebook has an impossible size");
        }
        all_entries += u64::from(entries);
        if all_entries > ENTRIES_MAX {
            return Err("its codebooks are too large");
        }
        codewords(bits, entries)?;
        if lookup(bits, dimensions, entries)? {
            all_values += u64::from(entries) * u64::from(dimensions);
        }
        if all_values > LOOKUP_VALUES_MAX {
            return Err("its lookup tables are too large");
        }
        books.push(entries);
    }
    Ok(books)
}

/// Codeword lengths must fill the tree exactly, except that a book may have one single word.
fn codewords(bits: &mut Bits<'_>, entries: u32) -> Result<(), &'static str> {
    let (mut filled, mut used) = (0_u64, 0_u32);
    let mut word = |length: u32, count: u32| {
        filled += u64::from(count) << (32 - length);
        used += count;
    };
    if bits.flag()? {
        let (mut length, mut entry) = (bits.take(5)? + 1, 0);
        while entry < entries {
            let count = bits.take(ilog(entries - entry))?;
            if count > entries - entry || length > 32 {
                return Err("a codebook is inconsistent");
            }
            word(length, count);
            entry += count;
            length += 1;
        }
    } else {
        let sparse = bits.flag()?;
        for _ in 0..entries {
            if !sparse || bits.flag()? {
                word(bits.take(5)? + 1, 1);
            }
        }
    }
    match used {
        0 => Err("a codebook has no codewords"),
        1 => Ok(()),
        2.. if filled == WHOLE_TREE => Ok(()),
        2.. => Err("a codebook's tree is not whole"),
    }
}

/// Whether the book has a lookup table.
fn lookup(bits: &mut Bits<'_>, dimensions: u32, entries: u32) -> Result<bool, &'static str> {
    let kind = bits.take(4)?;
    if kind == 0 {
        return Ok(false);
    }
    bits.skip(64)?;
    let (value_bits, _sequence) = (bits.take(4)? + 1, bits.flag()?);
    let values = match kind {
        1 => root(entries, dimensions)?,
        2 => u64::from(entries) * u64::from(dimensions),
        _ => return Err("a codebook's lookup is of an unknown kind"),
    };
    bits.skip(values * u64::from(value_bits))?;
    Ok(true)
}

/// The greatest number whose `dimensions`-th power is at most `entries` (section 9.2.3), as the decoder's
/// floating point gets it; an error where that is not exact.
fn root(entries: u32, dimensions: u32) -> Result<u64, &'static str> {
    let root = (entries as f32).powf(1.0 / dimensions as f32).floor() as u32;
    let power = |base: u32| u64::from(base).checked_pow(dimensions).unwrap_or(u64::MAX);
    if root > 0 && power(root) <= u64::from(entries) && power(root + 1) > u64::from(entries) {
        Ok(u64::from(root))
    } else {
        Err("a codebook's lookup has a size that cannot be computed")
    }
}

fn floor(bits: &mut Bits<'_>, books: &[u32]) -> Result<(), &'static str> {
    if bits.take(16)? != 1 {
        return Err("it uses floor 0, which no encoder has written since 2002");
    }
    let mut classes = Vec::new();
    for _ in 0..bits.take(5)? {
        classes.push(bits.take(4)? as usize);
    }
    let mut dimensions = [0; 16];
    let count = classes.iter().max().map_or(0, |max| max + 1);
    for dimensions in &mut dimensions[..count] {
        *dimensions = bits.take(3)? as usize + 1;
        let subclass_bits = bits.take(2)?;
        if subclass_bits > 0 {
            bits.take(8)?;
        }
        for _ in 0..1 << subclass_bits {
            let book = bits.take(8)? as usize;
            if book > 0 && books.get(book - 1).is_none_or(|&entries| entries > HEIGHTS_MAX) {
                return Err("a floor reads its heights from an unfit codebook");
            }
        }
    }
    bits.take(2)?;
    let range_bits = bits.take(4)?;
    let mut points = vec![0, 1 << range_bits];
    for class in classes {
        if points.len() + dimensions[class] > FLOOR_POINTS_MAX {
            return Err("a floor has too many points");
        }
        for _ in 0..dimensions[class] {
            let point = bits.take(range_bits)?;
            if points.contains(&point) {
                return Err("two points of a floor are at the same place");
            }
            points.push(point);
        }
    }
    Ok(())
}

/// Its kind: 0, 1 or 2.
fn residue(bits: &mut Bits<'_>) -> Result<u32, &'static str> {
    let kind = bits.take(16)?;
    bits.skip(24 * 3)?;
    let classes = bits.take(6)? + 1;
    bits.take(8)?;
    let mut books = 0;
    for _ in 0..classes {
        let low = bits.take(3)?;
        let high = if bits.flag()? { bits.take(5)? } else { 0 };
        books += low.count_ones() + high.count_ones();
    }
    bits.skip(u64::from(books) * 8)?;
    Ok(kind)
}

fn mapping(bits: &mut Bits<'_>, channels: u8, residue_kinds: &[u32]) -> Result<Couplings, &'static str> {
    bits.take(16)?;
    let submaps = if bits.flag()? { bits.take(4)? + 1 } else { 1 };
    let mut couplings = Couplings::default();
    if bits.flag()? {
        let bits_each = 2 * ilog(u32::from(channels) - 1) as usize;
        let count = bits.take(8)? as usize + 1;
        couplings = Couplings { at: bits.at, count, bits_each };
        bits.skip((couplings.count * bits_each) as u64)?;
    }
    bits.take(2)?;
    let mut submap_of = vec![0; usize::from(channels)];
    if submaps > 1 {
        for submap in &mut submap_of {
            *submap = bits.take(4)?;
        }
    }
    for submap in 0..submaps {
        bits.skip(16)?;
        let residue = bits.take(8)? as usize;
        let interleaved = residue_kinds.get(residue).ok_or("a mapping names no residue")? == &2;
        let members = submap_of.iter().filter(|&&of| of == submap).count();
        if interleaved && members == 2 && submap_of[0] != submap {
            return Err("a pair of channels beyond the first is interleaved");
        }
    }
    Ok(couplings)
}
