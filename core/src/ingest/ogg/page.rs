//! Ogg pages out of bytes (RFC 3533, section 6): found, checked, and found again after damage.

use super::crc::checksum_on;
use crate::ingest::buffer::Buffer;
use crate::ingest::outcome::Lost;

const CAPTURE: &[u8; 4] = b"OggS";
const HEADER_BYTES: usize = 27;
/// The largest page there can be: header, 255 lacing values, 255 segments of 255 bytes.
pub const PAGE_BYTES_MAX: usize = HEADER_BYTES + 255 + 255 * 255;
/// Bytes searched for a page before the container counts as lost.
pub const SEARCH_BYTES_MAX: u64 = 262_144;
/// Damaged pages in a row before the container counts as lost: each costs a checksum over a page.
pub const DAMAGED_PAGES_MAX: u32 = 64;

/// One page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Its first packet began on an earlier page.
    pub continued: bool,
    /// The first page of its stream.
    pub begins: bool,
    /// The last page of its stream.
    pub ends: bool,
    /// Position at the end of the last packet that ends here, in the codec's units; `None` when no packet
    /// does.
    pub granule: Option<u64>,
    /// Which stream it belongs to.
    pub serial: u32,
    /// Its number in its stream.
    pub sequence: u32,
    /// Length of each segment; a packet ends with the first below 255.
    pub lacing: Vec<u8>,
    /// The segments.
    pub body: Vec<u8>,
}

/// What was found next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A good page.
    Page(Page),
    /// Damage; reading goes on.
    Lost(Lost),
    /// The container is lost for good, after so many bytes.
    Gone(u64),
}

/// Finds pages in bytes as they come.
#[derive(Debug, Default)]
pub struct Pages {
    buffer: Buffer,
    skipped_bytes: u64,
    damaged_pages: u32,
    found: Option<Page>,
}

impl Pages {
    /// Takes more bytes; `poll` looks at them.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.push(bytes);
    }

    /// The next page or damage; `None` when more bytes are needed.
    pub fn poll(&mut self) -> Option<Found> {
        if let Some(page) = self.found.take() {
            return Some(Found::Page(page));
        }
        loop {
            if self.skipped_bytes > SEARCH_BYTES_MAX || self.damaged_pages > DAMAGED_PAGES_MAX {
                return Some(Found::Gone(self.skipped_bytes));
            }
            let waiting = self.buffer.waiting();
            let garbage = bytes_before_capture(waiting);
            if garbage > 0 {
                self.skip(garbage);
                continue;
            }
            let Some(bytes) = page_bytes(waiting)? else {
                self.skip(CAPTURE.len());
                continue;
            };
            let page = waiting.get(..bytes)?;
            if checksum_fits(page) {
                let page = parse(page);
                self.buffer.consume(bytes);
                self.damaged_pages = 0;
                return Some(self.after_search(page));
            }
            self.damaged_pages += 1;
            self.skip(CAPTURE.len());
            return Some(Found::Lost(Lost::PageDamaged));
        }
    }

    fn skip(&mut self, bytes: usize) {
        self.buffer.consume(bytes);
        self.skipped_bytes += bytes as u64;
    }

    /// What was skipped on the way to a good page is told first.
    fn after_search(&mut self, page: Page) -> Found {
        match std::mem::take(&mut self.skipped_bytes) {
            0 => Found::Page(page),
            bytes => {
                self.found = Some(page);
                Found::Lost(Lost::Garbage { bytes })
            }
        }
    }
}

/// How many bytes certainly precede the next capture pattern; a beginning of it at the very end is kept.
fn bytes_before_capture(bytes: &[u8]) -> usize {
    (0..bytes.len())
        .find(|&at| {
            let tail = &bytes[at..];
            tail.starts_with(&CAPTURE[..tail.len().min(CAPTURE.len())])
        })
        .unwrap_or(bytes.len())
}

/// The page's length in bytes: `None` when more bytes are needed to know it, `Some(None)` when this is no
/// page.
#[allow(clippy::option_option)]
fn page_bytes(bytes: &[u8]) -> Option<Option<usize>> {
    if *bytes.get(4)? != 0 {
        return Some(None);
    }
    let segments = usize::from(*bytes.get(HEADER_BYTES - 1)?);
    let lacing = bytes.get(HEADER_BYTES..HEADER_BYTES + segments)?;
    Some(Some(HEADER_BYTES + segments + lacing.iter().map(|&bytes| usize::from(bytes)).sum::<usize>()))
}

/// Reads a whole page.
fn parse(page: &[u8]) -> Page {
    let number = |at: usize| u32::from_le_bytes([page[at], page[at + 1], page[at + 2], page[at + 3]]);
    let (flags, segments) = (page[5], usize::from(page[HEADER_BYTES - 1]));
    let granule = u64::from(number(6)) | u64::from(number(10)) << 32;
    Page {
        continued: flags & 1 != 0,
        begins: flags & 2 != 0,
        ends: flags & 4 != 0,
        granule: (granule != u64::MAX).then_some(granule),
        serial: number(14),
        sequence: number(18),
        lacing: page[HEADER_BYTES..HEADER_BYTES + segments].to_vec(),
        body: page[HEADER_BYTES + segments..].to_vec(),
    }
}

/// Whether the page's checksum, which is taken over the page with that field zeroed, is right.
fn checksum_fits(page: &[u8]) -> bool {
    let (before, rest) = page.split_at(22);
    let (field, after) = rest.split_at(4);
    let sum = [before, &[0; 4], after].iter().fold(0, |sum, bytes| checksum_on(sum, bytes));
    field == sum.to_le_bytes()
}

#[cfg(test)]
pub(crate) fn write_page(page: &Page) -> Vec<u8> {
    let mut bytes = CAPTURE.to_vec();
    let flags = u8::from(page.continued) | u8::from(page.begins) << 1 | u8::from(page.ends) << 2;
    bytes.extend([0, flags]);
    bytes.extend(page.granule.unwrap_or(u64::MAX).to_le_bytes());
    bytes.extend(page.serial.to_le_bytes());
    bytes.extend(page.sequence.to_le_bytes());
    bytes.extend([0; 4]);
    bytes.push(page.lacing.len() as u8);
    bytes.extend(&page.lacing);
    bytes.extend(&page.body);
    let sum = checksum_on(0, &bytes);
    bytes[22..26].copy_from_slice(&sum.to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(sequence: u32) -> Page {
        let body = format!("body of page {sequence} with OggS in it").into_bytes();
        Page {
            serial: 7,
            sequence,
            granule: Some(960),
            lacing: vec![body.len() as u8],
            body,
            ..Page::default()
        }
    }

    fn all(bytes: &[u8], chunk: usize) -> Vec<Found> {
        let mut pages = Pages::default();
        let mut found = Vec::new();
        for chunk in bytes.chunks(chunk) {
            pages.push(chunk);
            while let Some(next) = pages.poll() {
                let gone = matches!(next, Found::Gone(_));
                found.push(next);
                if gone {
                    return found;
                }
            }
        }
        found
    }

    #[test]
    fn pages_come_back_as_they_were_written() {
        let pages = [
            Page { begins: true, ..page(0) },
            Page { continued: true, granule: None, lacing: vec![], body: vec![], ..page(1) },
            Page { ends: true, lacing: vec![255; 255], body: vec![9; 255 * 255], ..page(2) },
        ];
        let bytes: Vec<u8> = pages.iter().flat_map(write_page).collect();
        let expected: Vec<Found> = pages.into_iter().map(Found::Page).collect();
        for chunk in [1, 3, 1_000, bytes.len()] {
            assert_eq!(all(&bytes, chunk), expected, "{chunk}");
        }
    }

    #[test]
    fn reading_goes_on_after_damage() {
        let mut bytes = b"noise Ogg".to_vec();
        bytes.extend(write_page(&page(0)));
        let mut damaged = write_page(&page(1));
        *damaged.last_mut().expect("a body") ^= 1;
        let damaged_bytes = damaged.len() as u64;
        bytes.extend(damaged);
        bytes.extend(write_page(&page(2)));
        for chunk in [1, 10, bytes.len()] {
            assert_eq!(
                all(&bytes, chunk),
                [
                    Found::Lost(Lost::Garbage { bytes: 9 }),
                    Found::Page(page(0)),
                    Found::Lost(Lost::PageDamaged),
                    Found::Lost(Lost::Garbage { bytes: damaged_bytes }),
                    Found::Page(page(2)),
                ]
            );
        }
    }

    #[test]
    fn the_search_has_an_end() {
        let noise = vec![b'O'; SEARCH_BYTES_MAX as usize + 2];
        assert!(matches!(all(&noise, 65_536)[..], [Found::Gone(_)]));
        let liars = b"OggS\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0".repeat(1_000);
        let found = all(&liars, liars.len());
        assert_eq!(found.len(), DAMAGED_PAGES_MAX as usize + 2);
    }
}
