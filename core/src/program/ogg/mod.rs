//! Ogg Opus (RFC 3533, RFC 7845): one unchained stream, one page a part.
//!
//! Every rendition uses the same serial, sequence numbers and granules, so that page n of each covers the
//! same samples and a listener may be given any rendition's page at any part. The granule counts samples
//! since part 0, priming included, as RFC 7845 counts them; who joins late therefore gets a large first
//! granule, which section 4.3 foresees for live streams.

pub use crate::ingest::ogg::checksum;

use bytes::Bytes;

use super::part::{PART_SAMPLES, PartNo, Units};
use crate::codec::opus;

/// The serial of the one logical stream: the letters "trib".
pub const SERIAL: u32 = u32::from_le_bytes(*b"trib");
/// Pages before the first page of sound: identification and comment.
pub const HEADER_PAGES: u32 = 2;
/// Bytes of a page before its lacing values (RFC 3533, section 6).
pub const PAGE_HEADER_BYTES: usize = 27;
/// The longest title written into the comment header, in bytes; the rest is cut.
pub const TITLE_BYTES_MAX: usize = 1_024;

/// Header type flags (RFC 3533, section 6), as bytes at offset 5.
const FIRST: u8 = 0x02;
const LAST: u8 = 0x04;
const NEITHER: u8 = 0x00;

/// Where a page stands in its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageHead {
    /// First, last, or neither.
    pub place: Place,
    /// Samples at 48 kHz at its end, priming included.
    pub granule: u64,
    /// Its number in the stream.
    pub sequence: u32,
}

/// First, last, or neither.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Begins the stream.
    First,
    /// Any other.
    Middle,
    /// Ends the stream.
    Last,
}

impl PageHead {
    /// The page of part `no`: of the live program, or of a recording renumbered from part 0.
    pub const fn of_part(no: PartNo) -> Self {
        Self {
            place: Place::Middle,
            granule: (no.0 + 1) * PART_SAMPLES,
            sequence: (no.0 as u32).wrapping_add(HEADER_PAGES),
        }
    }
}

/// The page of one part of a live Opus rendition.
pub fn part_page(no: PartNo, units: &Units) -> Bytes {
    let mut out = Vec::with_capacity(PAGE_HEADER_BYTES + units.sizes().len() * 6 + units.bytes().len());
    write_page(PageHead::of_part(no), units.iter(), &mut out).expect("16 packets fit in a page");
    out.into()
}

/// What goes before the sound.
#[derive(Clone, Copy, Debug)]
pub struct Headers<'t> {
    /// Samples at 48 kHz a player drops at the start.
    pub pre_skip: u32,
    /// Shown by players; cut at [`TITLE_BYTES_MAX`].
    pub title: &'t str,
}

/// The two header pages, the same for every rendition and every listener.
///
/// They are numbered 0 and 1, as decoders expect of a stream's first pages; for who joins late the numbers
/// then jump, as they do on every live Ogg stream. See decision 0032.
pub fn headers(of: Headers<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let pages = [(Place::First, 0, opus_head(of.pre_skip)), (Place::Middle, 1, opus_tags(of.title))];
    for (place, sequence, packet) in pages {
        let head = PageHead { place, granule: 0, sequence };
        write_page(head, [packet.as_slice()], &mut out).expect("a short packet fits in a page");
    }
    out
}

/// The page after the last part: it ends the stream, and one silent packet lets the decoder give the last
/// samples of the program, which it holds back by `pre_skip`; what is beyond them is trimmed (RFC 7845, 4.4).
pub fn end_page(last: PartNo, pre_skip: u32) -> Vec<u8> {
    let before = PageHead::of_part(last);
    let head = PageHead {
        place: Place::Last,
        granule: before.granule + u64::from(pre_skip),
        sequence: before.sequence.wrapping_add(1),
    };
    let silence = opus::silent_packet(3).expect("3 bytes are enough");
    let mut out = Vec::new();
    write_page(head, [silence.as_slice()], &mut out).expect("a short packet fits in a page");
    out
}

/// The packets do not fit in one page of 255 lacing values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the packets need more than the 255 lacing values of one Ogg page")]
pub struct PageFull;

/// Appends one page that holds `packets` whole.
pub fn write_page<'a>(
    head: PageHead,
    packets: impl IntoIterator<Item = &'a [u8], IntoIter: Clone>,
    out: &mut Vec<u8>,
) -> Result<(), PageFull> {
    let packets = packets.into_iter();
    let lacing = packets.clone().map(|packet| packet.len() / 255 + 1).sum::<usize>();
    let lacing = u8::try_from(lacing).map_err(|_| PageFull)?;
    let start = out.len();
    out.extend_from_slice(b"OggS");
    out.push(0);
    out.push(match head.place {
        Place::First => FIRST,
        Place::Middle => NEITHER,
        Place::Last => LAST,
    });
    out.extend_from_slice(&head.granule.to_le_bytes());
    out.extend_from_slice(&SERIAL.to_le_bytes());
    out.extend_from_slice(&head.sequence.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.push(lacing);
    for packet in packets.clone() {
        out.extend(std::iter::repeat_n(255, packet.len() / 255));
        out.push((packet.len() % 255) as u8);
    }
    for packet in packets {
        out.extend_from_slice(packet);
    }
    sign(&mut out[start..]);
    Ok(())
}

/// Gives one whole page another place, granule and number, and the checksum that goes with them; its packets
/// stay as they are. `None`, and the page untouched, when `page` is not exactly one page.
pub fn renumber(page: &mut [u8], head: PageHead) -> Option<()> {
    let lacing = usize::from(*page.get(26)?);
    let body: usize =
        page.get(PAGE_HEADER_BYTES..PAGE_HEADER_BYTES + lacing)?.iter().map(|&n| usize::from(n)).sum();
    if page.len() != PAGE_HEADER_BYTES + lacing + body || !page.starts_with(b"OggS\0") {
        return None;
    }
    page[5] = match head.place {
        Place::First => FIRST,
        Place::Middle => NEITHER,
        Place::Last => LAST,
    };
    page[6..14].copy_from_slice(&head.granule.to_le_bytes());
    page[18..22].copy_from_slice(&head.sequence.to_le_bytes());
    sign(page);
    Some(())
}

fn sign(page: &mut [u8]) {
    page[22..26].fill(0);
    let sum = checksum(page);
    page[22..26].copy_from_slice(&sum.to_le_bytes());
}

/// The identification header (RFC 7845, 5.1): mono, 48 kHz, no gain.
fn opus_head(pre_skip: u32) -> Vec<u8> {
    let mut head = b"OpusHead\x01\x01".to_vec();
    head.extend_from_slice(&(pre_skip as u16).to_le_bytes());
    head.extend_from_slice(&crate::time::RATE_HZ.to_le_bytes());
    head.extend_from_slice(&[0, 0, 0]);
    head
}

/// The comment header (RFC 7845, 5.2).
fn opus_tags(title: &str) -> Vec<u8> {
    let mut end = title.len().min(TITLE_BYTES_MAX);
    while !title.is_char_boundary(end) {
        end -= 1;
    }
    let mut tags = b"OpusTags".to_vec();
    put_text(&mut tags, "tribune");
    tags.extend_from_slice(&1_u32.to_le_bytes());
    put_text(&mut tags, &format!("TITLE={}", &title[..end]));
    tags
}

fn put_text(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests;
