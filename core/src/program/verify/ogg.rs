//! Reads the packets of an Ogg Opus file (RFC 3533, RFC 7845) and says what is wrong with the pages around them.
//!
//! Unlike a player it never repairs: a page that does not fit is a finding. It goes on behind it, so that one damaged page does
//! not hide the rest. Work and memory are linear in the file.

use std::borrow::Cow;

use super::{Coded, Damage, UNITS_MAX};
use crate::program::Codec;
use crate::program::ogg::checksum;

const CAPTURE: &[u8; 4] = b"OggS";
const HEADER_BYTES: usize = 27;
const CONTINUED: u8 = 1;
const LAST: u8 = 4;
const HEADER_PACKETS: usize = 2;

/// One page as it lies in the file.
#[derive(Clone, Copy, Debug)]
struct Page<'a> {
    whole: &'a [u8],
    lacing: &'a [u8],
    body: &'a [u8],
}

impl<'a> Page<'a> {
    /// Reads the page at the front of `bytes`.
    fn read(bytes: &'a [u8]) -> Option<Self> {
        if !bytes.starts_with(CAPTURE) || bytes.len() < HEADER_BYTES {
            return None;
        }
        let lacing = bytes.get(HEADER_BYTES..HEADER_BYTES + usize::from(bytes[26]))?;
        let start = HEADER_BYTES + lacing.len();
        let len = lacing.iter().map(|&lace| usize::from(lace)).sum::<usize>();
        let body = bytes.get(start..start + len)?;
        Some(Self { whole: &bytes[..start + len], lacing, body })
    }

    fn flags(&self) -> u8 {
        self.whole[5]
    }

    fn word(&self, at: usize) -> u32 {
        u32::from_le_bytes([self.whole[at], self.whole[at + 1], self.whole[at + 2], self.whole[at + 3]])
    }

    fn is_intact(&self) -> bool {
        let mut unsigned = self.whole.to_vec();
        unsigned[22..26].fill(0);
        checksum(&unsigned) == self.word(22) && self.whole[4] == 0
    }
}

/// Reads a whole file, or any run of its pages.
pub fn read(bytes: &[u8]) -> Coded<'_> {
    let mut reader = Reader::default();
    let mut at = 0;
    while at < bytes.len() {
        if reader.units.len() >= UNITS_MAX {
            reader.damage(format!("more than {UNITS_MAX} packets; the rest was not read"));
            break;
        }
        if let Some(page) = Page::read(&bytes[at..]) {
            reader.page(page);
            at += page.whole.len();
        } else {
            let next = bytes[at + 1..].windows(4).position(|four| four == CAPTURE);
            let end = next.map_or(bytes.len(), |skip| at + 1 + skip);
            reader.damage(format!("{} bytes are not part of any whole Ogg page", end - at));
            at = end;
        }
    }
    reader.finish()
}

#[derive(Default)]
struct Reader<'a> {
    serial: Option<u32>,
    next_sequence: u32,
    open: Option<Cow<'a, [u8]>>,
    packets: usize,
    has_headers: bool,
    ended: bool,
    units: Vec<Cow<'a, [u8]>>,
    damages: Vec<Damage>,
}

impl<'a> Reader<'a> {
    fn page(&mut self, page: Page<'a>) {
        let sequence = page.word(18);
        if !page.is_intact() {
            self.damage("an Ogg page does not match its checksum".to_owned());
        }
        match self.serial {
            None => self.serial = Some(page.word(14)),
            Some(serial) if serial != page.word(14) => {
                self.damage("a page belongs to another Ogg stream".to_owned());
            }
            // Who joined a live stream has its headers, and then pages from further on.
            Some(_) if sequence != self.next_sequence && !self.units.is_empty() => {
                self.damage("the Ogg pages are not numbered one after the other".to_owned());
            }
            Some(_) => {}
        }
        if self.ended {
            self.damage("there is sound after the stream's end".to_owned());
        }
        self.ended |= page.flags() & LAST != 0;
        self.next_sequence = sequence.wrapping_add(1);
        if page.flags() & CONTINUED == 0 && self.open.take().is_some() {
            self.damage("a packet breaks off".to_owned());
        }
        self.packets_of(page);
    }

    fn packets_of(&mut self, page: Page<'a>) {
        let (mut from, mut to) = (0, 0);
        for &lace in page.lacing {
            to += usize::from(lace);
            if lace < 255 {
                let piece = &page.body[from..to];
                let packet = match self.open.take() {
                    Some(mut open) => {
                        open.to_mut().extend_from_slice(piece);
                        open
                    }
                    None => Cow::Borrowed(piece),
                };
                self.packet(packet);
                from = to;
            }
        }
        if from < to {
            match &mut self.open {
                Some(open) => open.to_mut().extend_from_slice(&page.body[from..to]),
                None => self.open = Some(Cow::Borrowed(&page.body[from..to])),
            }
        }
    }

    fn packet(&mut self, packet: Cow<'a, [u8]>) {
        self.packets += 1;
        if self.packets <= HEADER_PACKETS
            && (packet.starts_with(b"OpusHead") || packet.starts_with(b"OpusTags"))
        {
            self.has_headers = true;
            if packet.starts_with(b"OpusHead") && packet.get(16..18).is_some_and(|gain| gain != [0, 0]) {
                self.damage("the header tells players to change the loudness".to_owned());
            }
        } else {
            self.units.push(packet);
        }
    }

    fn damage(&mut self, what: String) {
        self.damages.push(Damage { unit: self.units.len(), what });
    }

    fn finish(mut self) -> Coded<'a> {
        if self.open.is_some() {
            self.damage("the last packet breaks off".to_owned());
        }
        Coded {
            codec: Codec::Opus,
            units: self.units,
            damages: self.damages,
            whole_file: self.has_headers && self.ended,
        }
    }
}
