use ed25519_dalek::SigningKey;
use proptest::prelude::*;

use super::*;
use crate::mix::Kind;
use crate::program::redact::{Passage, Redaction};
use crate::program::{Codec, PartNo, Rendition};
use crate::time::WallTime;

pub fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

pub fn genesis() -> Genesis {
    let rendition = |codec| Rendition { codec, bit_rate: 64_000, channels: 1, priming_samples: 312 };
    Genesis {
        room: "evening".into(),
        title: "An evening".into(),
        id: [3; 16],
        key: key().verifying_key().to_bytes(),
        opus: rendition(Codec::Opus),
        aac: rendition(Codec::AacLc),
    }
}

fn part(no: u64, kind: Kind) -> PartEntry {
    let mark = no.to_be_bytes();
    PartEntry {
        no: PartNo(no),
        kind,
        began_at: WallTime(1_723_507_200_000 + no as i64 * 320),
        opus: units_hash([mark.as_slice()]),
        aac: units_hash([mark.as_slice(), b"aac"]),
    }
}

/// The records of a recording of these part numbers, signed at every segment's end, ended or not.
fn records(numbers: &[u64], ended: bool) -> Vec<Record> {
    let (genesis, key) = (genesis(), key());
    let mut chain = Chain::begin(&genesis);
    let mut records = Vec::new();
    let mut add = |chain: &mut Chain, entry: Entry| {
        chain.append(&entry);
        records.push(Record::Entry { entry, page_bytes: 300, chunk_bytes: 500 });
        let is_last = |part: PartEntry| part.no.in_segment() == 5;
        if matches!(entry, Entry::Part(part) if is_last(part)) || matches!(entry, Entry::End { .. }) {
            records.push(Record::sign(chain, &genesis, &key));
        }
    };
    for hold in 0..3 {
        chain.count_hold(&part(hold, Kind::Hold));
    }
    for &no in numbers {
        for entry in chain.entries_for(part(no, Kind::Conversation), None) {
            add(&mut chain, entry);
        }
    }
    if ended {
        for entry in chain.entries_for_end(WallTime(1_723_510_000_000)) {
            add(&mut chain, entry);
        }
    }
    records
}

fn bytes_of(records: &[Record]) -> Vec<u8> {
    records.iter().flat_map(Record::to_bytes).collect()
}

fn seal_of(records: &[Record]) -> Seal {
    let genesis = genesis();
    let mut chain = Chain::begin(&genesis);
    let links: Vec<Link> = records.iter().map(Link::from).collect();
    for link in &links {
        if let Link::Entry(entry) = link {
            chain.append(entry);
        }
    }
    let end = chain.at();
    let passage = Passage { from: 1, parts: 2, at: WallTime(5), why: "a name".into() };
    let redactions = vec![Redaction::sign(passage, (&genesis, &end.head), &key())];
    let files = Files { opus: vec![Extent { bytes: 9, sha256: [1; 32] }], m4a: Vec::new() };
    let closing = Some(Closing::sign((&genesis, &end), &redactions, files, &key()));
    Seal { genesis, links, redactions, closing }
}

#[test]
fn the_hold_before_the_start_is_counted_and_a_jump_becomes_a_gap() {
    let records = records(&[3, 4, 12], true);
    let entries: Vec<Entry> = records
        .iter()
        .filter_map(|record| match record {
            Record::Entry { entry, .. } => Some(*entry),
            Record::Signed { .. } => None,
        })
        .collect();
    assert!(matches!(entries[0], Entry::Hold { first: PartNo(0), parts: 3, .. }));
    assert_eq!(
        entries[3],
        Entry::Gap(Lost { after: PartNo(4), parts: 7, ms: 2_240, why: Why::Restart }),
        "seven parts of 320 ms"
    );
    assert!(matches!(entries.last(), Some(Entry::End { parts: 3, .. })));
}

#[test]
fn every_reason_of_a_gap_is_read_as_it_was_written_and_no_other() {
    for (why, byte, word) in
        [(Why::Restart, 0, "restart"), (Why::Disk, 1, "disk"), (Why::Stalled, 2, "stalled")]
    {
        let entry = Entry::Gap(Lost { after: PartNo(4), parts: 7, ms: 2_240, why });
        let mut bytes = entry.to_bytes();
        assert_eq!((bytes.last(), Entry::from_bytes(&bytes)), (Some(&byte), Some(entry)));
        *bytes.last_mut().expect("not empty") = 3;
        assert_eq!(Entry::from_bytes(&bytes), None);
        assert_eq!(serde_json::to_value(why).expect("a word"), word);
        assert_eq!(serde_json::from_value::<Why>(word.into()).expect("reads"), why);
    }
}

#[test]
fn a_part_that_comes_twice_or_late_adds_nothing() {
    let mut chain = Chain::begin(&genesis());
    chain.append(&Entry::Part(part(5, Kind::Conversation)));
    for no in [0, 4, 5] {
        assert!(chain.entries_for(part(no, Kind::Conversation), None).is_empty(), "{no}");
    }
}

#[test]
fn records_come_back_as_they_went_in_and_every_changed_byte_shows() {
    for record in records(&[0, 1, 5, 12], true) {
        let bytes = record.to_bytes();
        assert_eq!(Record::from_bytes(&bytes), Some(record));
        for at in 0..bytes.len() {
            let mut changed = bytes;
            changed[at] ^= 0x10;
            assert_eq!(Record::from_bytes(&changed), None, "byte {at}");
        }
    }
}

#[test]
fn a_log_cut_anywhere_keeps_what_was_promised() {
    let all = records(&(3..30).collect::<Vec<_>>(), false);
    let bytes = bytes_of(&all);
    for cut in 0..=bytes.len() {
        let scan = scan(&genesis(), &bytes[..cut]).expect("a cut is no damage");
        assert_eq!(scan.records, all[..cut / RECORD_BYTES], "cut at {cut}");
        let signed = |record: &Record| matches!(record, Record::Signed { .. });
        assert_eq!(scan.promised, scan.records.iter().rposition(signed).map_or(0, |last| last + 1));
    }
}

#[test]
fn a_zeroed_end_is_cut_off_and_damage_further_in_is_an_error() {
    let all = records(&(3..33).collect::<Vec<_>>(), false);
    let bytes = bytes_of(&all);
    let last_signature = all.iter().rposition(|record| matches!(record, Record::Signed { .. })).unwrap_or(0);
    for place in 0..all.len() {
        let mut zeroed = bytes.clone();
        zeroed[place * RECORD_BYTES..].fill(0);
        let scan = scan(&genesis(), &zeroed).expect("zeros at the end");
        assert_eq!(scan.records, all[..place]);
        let mut hole = bytes.clone();
        hole[place * RECORD_BYTES + 20] ^= 1;
        match super::scan(&genesis(), &hole) {
            Err(wrong) => {
                assert_eq!(wrong, LogWrong::Damaged { record: place });
                assert!(place < last_signature);
            }
            Ok(scan) => assert!(place >= last_signature && scan.records == all[..place]),
        }
    }
    let mut long = bytes.clone();
    long.extend([0; RECORD_BYTES * (TAIL_RECORDS_MAX + 1)]);
    assert_eq!(scan(&genesis(), &long).err(), Some(LogWrong::LongTail { records: TAIL_RECORDS_MAX + 1 }));
}

#[test]
fn another_key_or_room_does_not_fit_the_log() {
    let bytes = bytes_of(&records(&(0..12).collect::<Vec<_>>(), false));
    let other_room = Genesis { room: "other".into(), ..genesis() };
    assert_eq!(scan(&other_room, &bytes).err(), Some(LogWrong::NotThisChain { record: 7 }));
}

#[test]
fn four_hours_fit_in_six_megabytes() {
    let records = records(&(3..45_003).collect::<Vec<_>>(), true);
    let json = seal_of(&records).to_json();
    assert!(json.len() <= 6_000_000, "{} bytes", json.len());
}

#[test]
fn a_document_that_is_none_is_refused_with_a_sentence() {
    let good = String::from_utf8(seal_of(&records(&[3, 4], true)).to_json()).expect("JSON is text");
    for (wrong, says) in [
        ("", "this is not a seal: EOF"),
        ("[]", "this is not a seal"),
        ("{}", "this is not a seal: missing field"),
        (&good.replace("\"tribune_seal\":1", "\"tribune_seal\":2"), "version 2"),
        (&good.replace("\"kinds\":\"cc\"", "\"kinds\":\"ccc\""), "`opus`"),
        (&good.replace("\"kinds\":\"cc\"", "\"kinds\":\"cx\""), "`kinds`"),
        (&good.replace("\"rate_hz\":48000", "\"rate_hz\":44100"), "`program`"),
        (&good.replace("\"closed\":true", "\"closed\":false"), "`closed`"),
        (&good.replace("\"room\"", "\"rooms\""), "unknown field"),
    ] {
        let error = Seal::from_json(wrong.as_bytes()).expect_err(wrong).to_string();
        assert!(error.contains(says), "{error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn a_seal_survives_its_document(steps in proptest::collection::vec((1u64..9, any::<bool>()), 1..40)) {
        let mut no = 2;
        let numbers: Vec<u64> = steps.iter().map(|&(step, jumps)| {
            no += if jumps { step } else { 1 };
            no
        }).collect();
        let seal = seal_of(&records(&numbers, true));
        prop_assert_eq!(Seal::from_json(&seal.to_json()).expect("own document"), seal);
    }

    #[test]
    fn two_different_histories_never_share_a_head(
        left in proptest::collection::btree_set(3u64..40, 1..12),
        right in proptest::collection::btree_set(3u64..40, 1..12),
    ) {
        let head = |numbers: &std::collections::BTreeSet<u64>| {
            let numbers: Vec<u64> = numbers.iter().copied().collect();
            let genesis = genesis();
            let mut chain = Chain::begin(&genesis);
            for link in seal_of(&records(&numbers, false)).entries() {
                chain.append(link);
            }
            chain.at().head
        };
        prop_assert_eq!(left == right, head(&left) == head(&right));
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let _ = scan(&genesis(), &bytes);
        let _ = Seal::from_json(&bytes);
        let _ = crate::program::verify::read(&bytes);
        let _ = crate::program::verify::Witness::read(&bytes);
    }
}
