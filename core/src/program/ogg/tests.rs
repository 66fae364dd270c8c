use proptest::prelude::*;

use super::*;

/// One page read back.
#[derive(Debug, PartialEq)]
struct Page {
    flags: u8,
    granule: u64,
    sequence: u32,
    packets: Vec<Vec<u8>>,
}

/// Reads pages back, with their checksums; panics when anything is off.
fn read(mut stream: &[u8]) -> Vec<Page> {
    let mut pages = Vec::new();
    while !stream.is_empty() {
        assert_eq!(&stream[..5], b"OggS\0");
        let lacing = stream[27..27 + usize::from(stream[26])].to_vec();
        let body = 27 + lacing.len();
        let end = body + lacing.iter().map(|&n| usize::from(n)).sum::<usize>();
        let mut unsigned = stream[..end].to_vec();
        unsigned[22..26].fill(0);
        assert_eq!(stream[22..26], checksum(&unsigned).to_le_bytes());
        assert_eq!(stream[14..18], SERIAL.to_le_bytes());
        let (mut packets, mut packet, mut at) = (Vec::new(), Vec::new(), body);
        for &n in &lacing {
            packet.extend_from_slice(&stream[at..at + usize::from(n)]);
            at += usize::from(n);
            if n < 255 {
                packets.push(std::mem::take(&mut packet));
            }
        }
        assert!(packet.is_empty());
        pages.push(Page {
            flags: stream[5],
            granule: u64::from_le_bytes(stream[6..14].try_into().expect("8 bytes")),
            sequence: u32::from_le_bytes(stream[18..22].try_into().expect("4 bytes")),
            packets,
        });
        stream = &stream[end..];
    }
    pages
}

#[test]
fn a_stream_is_headers_pages_and_an_end() {
    for first in [0, 1, 739, u64::from(u32::MAX) - 3] {
        let first = PartNo(first);
        let mut stream = headers(Headers { pre_skip: 312, title: "Debate – night" });
        let units = Units::join([b"packet".as_slice(); 16]);
        stream.extend(part_page(first, &units));
        stream.extend(part_page(first.next(), &units));
        stream.extend(end_page(first.next(), 312));
        let pages = read(&stream);
        assert_eq!(pages.iter().map(|page| page.flags).collect::<Vec<_>>(), [2, 0, 0, 0, 4]);
        let sound = first.0 as u32 + 2;
        let numbers = [0, 1, sound, sound.wrapping_add(1), sound.wrapping_add(2)];
        assert_eq!(pages.iter().map(|page| page.sequence).collect::<Vec<_>>(), numbers);
        assert_eq!(pages[0].packets[0], *b"OpusHead\x01\x01\x38\x01\x80\xbb\0\0\0\0\0");
        assert!(pages[1].packets[0].starts_with(b"OpusTags\x07\0\0\0tribune\x01\0\0\0"));
        assert!(pages[1].packets[0].ends_with("TITLE=Debate – night".as_bytes()));
        assert_eq!((pages[2].granule, pages[2].packets.len()), ((first.0 + 1) * 15_360, 16));
        assert_eq!((pages[4].granule, pages[4].packets.len()), ((first.0 + 2) * 15_360 + 312, 1));
    }
}

#[test]
fn a_long_title_is_cut_between_characters() {
    let title = "é".repeat(2_000);
    let pages = read(&headers(Headers { pre_skip: 312, title: &title }));
    let tags = &pages[1].packets[0];
    let text = std::str::from_utf8(&tags[27..]).expect("whole characters");
    assert_eq!(text.len(), "TITLE=".len() + TITLE_BYTES_MAX);
}

#[test]
fn a_page_can_be_renumbered_and_nothing_else_can() {
    let units = Units::join((0..16).map(|n| &[7_u8; 600][..n * 37]));
    let mut page = part_page(PartNo(5_000), &units).to_vec();
    let head = PageHead::of_part(PartNo(0));
    assert_eq!(renumber(&mut page, head), Some(()));
    assert_eq!(page, part_page(PartNo(0), &units));
    for wrong in [&page[..20], &page[..page.len() - 1], &[page.as_slice(), b"x"].concat(), &page[1..]] {
        let mut copy = wrong.to_vec();
        assert_eq!(renumber(&mut copy, head), None);
        assert_eq!(copy, wrong);
    }
}

#[test]
fn more_than_a_page_holds_is_refused_whole() {
    let mut out = b"before".to_vec();
    let head = PageHead::of_part(PartNo(0));
    assert_eq!(write_page(head, [[0_u8; 255 * 255].as_slice()], &mut out), Err(PageFull));
    assert_eq!(out, b"before");
    assert_eq!(write_page(head, [[0_u8; 255 * 255 - 1].as_slice()], &mut out), Ok(()));
}

proptest! {
    #[test]
    fn packets_of_any_size_come_back(
        sizes in proptest::collection::vec(0..1_277_usize, 0..16),
        no in any::<u32>(),
    ) {
        let packets: Vec<Vec<u8>> = sizes.iter().map(|&n| vec![n as u8; n]).collect();
        let mut out = Vec::new();
        let head = PageHead::of_part(PartNo(no.into()));
        write_page(head, packets.iter().map(Vec::as_slice), &mut out).expect("fits");
        let pages = read(&out);
        prop_assert_eq!(&pages[0].packets, &packets);
        prop_assert_eq!(pages[0].granule, (u64::from(no) + 1) * 15_360);
    }

    #[test]
    fn renumbering_hostile_bytes_never_panics(mut page in proptest::collection::vec(any::<u8>(), 0..400)) {
        renumber(&mut page, PageHead::of_part(PartNo(1)));
    }
}
