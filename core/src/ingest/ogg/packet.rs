//! One stream's packets out of its pages (RFC 3533, section 5): joined across pages, dropped where a page is
//! missing.

use std::collections::VecDeque;

use super::page::Page;
use crate::ingest::outcome::Lost;

/// Bytes kept of one packet. Sound and setup packets are far smaller; of a comment header with pictures this
/// is the front.
pub const PACKET_BYTES_MAX: usize = 131_072;

/// A packet, or the front of one that is too long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Its bytes, at most `PACKET_BYTES_MAX`.
    pub bytes: Vec<u8>,
    /// Whether bytes beyond the limit are missing.
    pub cut: bool,
}

/// The packets that end on one page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// In order.
    pub packets: VecDeque<Packet>,
    /// Position at the end of the last of them; `None` when there are none.
    pub granule: Option<u64>,
    /// The stream ends with this page.
    pub ends: bool,
    /// Something is missing before this page, or at its beginning.
    pub lost: Option<Lost>,
}

/// Joins one stream's packets.
#[derive(Debug, Default)]
pub struct Packets {
    partial: Option<Packet>,
    sequence_next: Option<u32>,
}

impl Packets {
    /// Takes the stream's next page.
    pub fn page(&mut self, page: &Page) -> Batch {
        let lost = self.check_order(page);
        let mut packets = VecDeque::new();
        let mut skipping = page.continued && self.partial.is_none();
        let mut body = page.body.as_slice();
        for &length in &page.lacing {
            let (segment, rest) = body.split_at(usize::from(length).min(body.len()));
            body = rest;
            let ends = length < 255;
            if skipping {
                skipping = !ends;
                continue;
            }
            let packet = self.partial.get_or_insert_with(|| Packet { bytes: Vec::new(), cut: false });
            let room = PACKET_BYTES_MAX - packet.bytes.len();
            packet.cut |= segment.len() > room;
            packet.bytes.extend_from_slice(&segment[..segment.len().min(room)]);
            if ends {
                packets.extend(self.partial.take());
            }
        }
        Batch { packets, granule: page.granule, ends: page.ends, lost }
    }

    fn check_order(&mut self, page: &Page) -> Option<Lost> {
        let expected = self.sequence_next.replace(page.sequence.wrapping_add(1));
        let missing = page.sequence.wrapping_sub(expected.unwrap_or(page.sequence));
        if missing != 0 {
            self.partial = None;
            return Some(Lost::PagesMissing { pages: missing });
        }
        if page.continued == self.partial.is_some() {
            return None;
        }
        self.partial = None;
        Some(Lost::PacketCut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(sequence: u32, continued: bool, lacing: &[u8]) -> Page {
        let body = lacing.iter().flat_map(|&bytes| vec![sequence as u8; usize::from(bytes)]).collect();
        Page { sequence, continued, lacing: lacing.to_vec(), body, ..Page::default() }
    }

    fn sizes(batch: &Batch) -> Vec<usize> {
        batch.packets.iter().map(|packet| packet.bytes.len()).collect()
    }

    #[test]
    fn packets_are_joined_across_pages() {
        let mut packets = Packets::default();
        let first = packets.page(&page(0, false, &[3, 0, 255, 1, 255, 255]));
        assert_eq!((sizes(&first), first.lost), (vec![3, 0, 256], None));
        let none = packets.page(&page(1, true, &[255]));
        assert_eq!((sizes(&none), none.lost), (vec![], None));
        let last = packets.page(&page(2, true, &[255, 0, 5]));
        assert_eq!((sizes(&last), last.lost), (vec![4 * 255, 5], None));
    }

    #[test]
    fn what_is_missing_is_told_and_halves_are_dropped() {
        for (pages, lost, left) in [
            (vec![page(0, false, &[255]), page(3, true, &[4, 9])], Lost::PagesMissing { pages: 2 }, vec![9]),
            (vec![page(0, false, &[255]), page(1, false, &[4])], Lost::PacketCut, vec![4]),
            (vec![page(0, false, &[1]), page(1, true, &[255, 4, 6])], Lost::PacketCut, vec![6]),
        ] {
            let mut packets = Packets::default();
            assert_eq!(packets.page(&pages[0]).lost, None);
            let batch = packets.page(&pages[1]);
            assert_eq!((batch.lost, sizes(&batch)), (Some(lost), left));
        }
    }

    #[test]
    fn a_packet_without_end_is_bounded() {
        let mut packets = Packets::default();
        for sequence in 0..100 {
            packets.page(&page(sequence, sequence > 0, &[255; 255]));
        }
        let batch = packets.page(&page(100, true, &[1]));
        assert_eq!(sizes(&batch), [PACKET_BYTES_MAX]);
        assert!(batch.packets[0].cut);
    }
}
