use ed25519_dalek::{Signer, SigningKey};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::seal::{Chain, Closing, Files, Genesis, Link, PartEntry, to_text, units_hash};
use super::super::{PartNo, mp4, ogg, synthetic};
use super::*;
use crate::mix::Kind;
use crate::program::Part;
use crate::time::WallTime;

const PARTS: u64 = 24;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn genesis() -> Genesis {
    let (opus, aac) = synthetic::tracks();
    Genesis {
        room: "evening".into(),
        title: "An evening".into(),
        id: [3; 16],
        key: key().verifying_key().to_bytes(),
        opus: opus.rendition,
        aac: aac.rendition,
    }
}

/// The parts of an evening with a gap after the twelfth.
fn parts(seed: u64) -> Vec<Part> {
    let numbers = (0..12).chain(18..18 + PARTS - 12);
    numbers.map(|no| synthetic::part(PartNo(no), Kind::Conversation, seed)).collect()
}

fn sealed(parts: &[Part], key: &SigningKey) -> Seal {
    let genesis = Genesis { key: key.verifying_key().to_bytes(), ..genesis() };
    let mut chain = Chain::begin(&genesis);
    let mut links = Vec::new();
    for part in parts {
        let entry = PartEntry {
            no: part.no,
            kind: part.kind,
            began_at: part.began_at,
            opus: units_hash(part.tracks[0].units.iter()),
            aac: units_hash(part.tracks[1].units.iter()),
        };
        for entry in chain.entries_for(entry, None) {
            chain.append(&entry);
            links.push(Link::Entry(entry));
        }
        if part.no.in_segment() == 5 {
            links.push(Link::Signed(chain.sign(&genesis, key)));
        }
    }
    for entry in chain.entries_for_end(WallTime(synthetic::BEGAN_AT.0 + 60_000)) {
        chain.append(&entry);
        links.push(Link::Entry(entry));
    }
    links.push(Link::Signed(chain.sign(&genesis, key)));
    let extent =
        |file: Vec<u8>| vec![Extent { bytes: file.len() as u64, sha256: Sha256::digest(&file).into() }];
    let files = Files { opus: extent(ogg_file(parts)), m4a: extent(m4a_file(parts)) };
    let closing = Some(Closing::sign((&genesis, &chain.at()), &[], files, key));
    Seal { genesis, links, redactions: Vec::new(), closing }
}

fn ogg_file(parts: &[Part]) -> Vec<u8> {
    let mut file = ogg::headers(ogg::Headers { pre_skip: 312, title: "An evening" });
    for (place, part) in parts.iter().enumerate() {
        file.extend(ogg::part_page(PartNo(place as u64), &part.tracks[0].units));
    }
    file.extend(ogg::end_page(PartNo(parts.len() as u64 - 1), 312));
    file
}

fn m4a_file(parts: &[Part]) -> Vec<u8> {
    let (_, aac) = synthetic::tracks();
    let mut index = mp4::Index::new(vec![aac]);
    let mut stored = Vec::new();
    for part in parts {
        let track = &part.tracks[1];
        let head = track.chunk.len() - track.units.bytes().len();
        index.push(0, (stored.len() + head) as u64, track.units.sizes());
        stored.extend_from_slice(&track.chunk);
    }
    let mut file = index.head(stored.len() as u64);
    file.extend(stored);
    file
}

fn both(parts: &[Part]) -> [Vec<u8>; 2] {
    [ogg_file(parts), m4a_file(parts)]
}

fn sentences(report: &Report) -> Vec<(f64, &str)> {
    report.wrong.iter().map(|wrong| (wrong.at_s, wrong.what.as_str())).collect()
}

#[test]
fn an_untouched_recording_is_complete_and_unedited_and_its_gap_is_named() {
    let parts = parts(1);
    for file in both(&parts) {
        let report = verify(&sealed(&parts, &key()), &file, None).expect("a recording");
        assert_eq!(report.answer(), Answer::Yes, "{report:?}");
        assert_eq!(report.gaps, [Gap { at_s: 3.84, seconds: 1.92, why: Why::Restart }]);
        assert!((report.seconds - 7.68).abs() < 1e-9 && !report.witnessed);
    }
}

#[test]
fn what_was_removed_moved_changed_or_put_in_is_named_at_its_second() {
    let good = parts(1);
    let seal = sealed(&good, &key());
    type Edit = fn(&mut Vec<Part>);
    let cases: [(&str, Edit, bool, f64, &str); 8] = [
        ("removed", |parts| drop(parts.remove(5)), true, 1.6, "0.32 s are missing (part 5)"),
        ("removed two", |parts| drop(parts.drain(5..7)), true, 1.6, "0.64 s are missing"),
        ("cut head", |parts| drop(parts.drain(..3)), false, 0.0, "the first 0.96 s are missing"),
        ("cut tail", |parts| parts.truncate(20), false, 6.4, "the last 1.28 s are missing"),
        ("moved", |parts| parts.swap(8, 9), true, 2.56, "in another place"),
        ("doubled", |parts| parts.insert(6, parts[4].clone()), true, 1.92, "comes again or out of its place"),
        (
            "changed",
            |parts| parts[10] = synthetic::part(PartNo(10), Kind::Conversation, 2),
            true,
            3.2,
            "0.32 s were changed (part 10)",
        ),
        (
            "put in",
            |parts| parts.insert(7, synthetic::part(PartNo(99), Kind::Conversation, 2)),
            true,
            2.24,
            "that were not sealed",
        ),
    ];
    for (name, edit, is_edit, at_s, says) in cases {
        let mut parts = good.clone();
        edit(&mut parts);
        for file in both(&parts) {
            let report = verify(&seal, &file, None).expect("a recording");
            assert_eq!(report.answer(), Answer::No, "{name}");
            let first = sentences(&report)[0];
            assert!((first.0 - at_s).abs() < 1e-6 && first.1.contains(says), "{name}: {first:?}");
            assert_eq!(report.unedited, !is_edit, "{name}: {report:?}");
        }
    }
}

#[test]
fn another_recording_is_called_one() {
    for file in both(&parts(2)) {
        let report = verify(&sealed(&parts(1), &key()), &file, None).expect("a recording");
        assert_eq!(sentences(&report)[0].1, "nothing in this file is in this seal: it is another recording");
    }
}

#[test]
fn a_captured_live_stream_is_unedited_but_not_complete() {
    let parts = parts(1);
    let mut file = ogg::headers(ogg::Headers { pre_skip: 312, title: "An evening" });
    for part in &parts[4..9] {
        file.extend_from_slice(&part.tracks[0].stream);
    }
    let report = verify(&sealed(&parts, &key()), &file, None).expect("a recording");
    assert!(report.unedited && !report.complete, "{report:?}");
}

#[test]
fn an_altered_seal_is_found_where_it_was_altered() {
    let good = parts(1);
    let file = ogg_file(&good);
    let seal = sealed(&good, &key());
    for place in 0..seal.links.len() {
        let mut altered = seal.clone();
        match &mut altered.links[place] {
            Link::Entry(Entry::Part(part)) => part.began_at = WallTime(part.began_at.0 + 1),
            Link::Entry(Entry::Gap(lost)) => lost.ms += 1,
            Link::Entry(Entry::End { at, .. }) => *at = WallTime(at.0 + 1),
            Link::Entry(Entry::Hold { parts, .. }) => *parts += 1,
            Link::Signed(signature) => signature[0] ^= 1,
        }
        let report = verify(&altered, &file, None).expect("a recording");
        assert_eq!(report.answer(), Answer::No, "link {place}");
        let mut without = seal.clone();
        without.links.remove(place);
        let removed = verify(&without, &file, None).expect("a recording");
        // A signature in the middle may go: the next one covers what it did.
        let is_inner = matches!(seal.links[place], Link::Signed(_)) && place + 1 < seal.links.len();
        assert_eq!(removed.answer() == Answer::Yes, is_inner, "without link {place}: {removed:?}");
    }
    let other = Seal { genesis: Genesis { key: [9; 32], ..seal.genesis.clone() }, ..seal };
    assert_eq!(verify(&other, &file, None).expect("a recording").answer(), Answer::No);
}

#[test]
fn an_open_seal_cannot_tell() {
    let parts = parts(1);
    let mut seal = sealed(&parts, &key());
    seal.links.truncate(seal.links.len() - 2);
    seal.closing = None;
    let report = verify(&seal, &ogg_file(&parts), None).expect("a recording");
    assert_eq!((report.answer(), report.complete), (Answer::CannotTell, false), "{report:?}");
}

fn status(seal: &Seal, key: &SigningKey, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut chain = Chain::begin(&seal.genesis);
    seal.entries().take(6).for_each(|entry| chain.append(entry));
    let at = chain.at();
    let mut status = json!({
        "room": seal.genesis.room, "title": "An evening é", "listening": 12.5,
        "key": to_text(key.verifying_key().as_bytes()),
        "program": { "head": to_text(&at.head), "parts": at.parts },
    });
    change(&mut status);
    let signature = key.sign(&serde_jcs::to_vec(&status).expect("JSON"));
    status["sig"] = to_text(&signature.to_bytes()).into();
    serde_json::to_vec_pretty(&status).expect("JSON")
}

#[test]
fn a_kept_status_proves_it_against_the_operator() {
    let good = parts(1);
    let file = ogg_file(&good);
    let seal = sealed(&good, &key());
    let witness = status(&seal, &key(), |_| {});
    let report = verify(&seal, &file, Some(&witness)).expect("a recording");
    assert!(report.witnessed && report.answer() == Answer::Yes, "{report:?}");

    // The operator cuts a part out and seals the rest anew, with the right key.
    let mut edited = good;
    edited.remove(3);
    let anew = sealed(&edited, &key());
    let file = ogg_file(&edited);
    assert_eq!(verify(&anew, &file, None).expect("a recording").answer(), Answer::Yes);
    let report = verify(&anew, &file, Some(&witness)).expect("a recording");
    assert_eq!((report.answer(), report.witnessed), (Answer::No, false));
    assert!(report.wrong[0].what.contains("the seal was made anew"), "{report:?}");
}

#[test]
fn a_witness_that_is_no_good_says_so() {
    let parts = parts(1);
    let file = ogg_file(&parts);
    let seal = sealed(&parts, &key());
    let other = SigningKey::from_bytes(&[8; 32]);
    let mut forged = status(&seal, &key(), |_| {});
    let at = forged.iter().position(|&byte| byte == b'5').expect("12.5");
    forged[at] = b'6';
    for (witness, answer, says) in [
        (status(&seal, &other, |_| {}), Answer::No, "another key"),
        (status(&seal, &key(), |status| status["room"] = "morning".into()), Answer::No, "from room morning"),
        (
            status(&seal, &key(), |status| status["program"]["parts"] = 999.into()),
            Answer::No,
            "shows 999 parts",
        ),
        (status(&seal, &key(), |status| status["program"]["parts"] = 5.into()), Answer::No, "made anew"),
        (
            status(&seal, &key(), |status| status["program"] = Value::Null),
            Answer::CannotTell,
            "before the first",
        ),
        (forged, Answer::CannotTell, "does not hold"),
        (b"no".to_vec(), Answer::CannotTell, "not JSON"),
        (b"{}".to_vec(), Answer::CannotTell, "`sig`"),
    ] {
        let report = verify(&seal, &file, Some(&witness)).expect("a recording");
        assert_eq!((report.answer(), report.witnessed), (answer, false), "{says}");
        let said = report.wrong.iter().map(|wrong| &wrong.what).chain(&report.notes);
        assert!(said.into_iter().any(|what| what.contains(says)), "{says}: {report:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(48) })]

    /// Whatever is done to a file, it is read to its end without panic, and nothing but the untouched one
    /// verifies.
    #[test]
    fn cut_and_spliced_files_never_verify(
        at in 0usize..60_000,
        len in 1usize..5_000,
        splice in any::<bool>(),
    ) {
        let parts = parts(1);
        let seal = sealed(&parts, &key());
        for file in both(&parts) {
            let at = at % file.len();
            let end = (at + len).min(file.len());
            let mut changed = file[..at].to_vec();
            if splice {
                changed.extend(file[at..end].iter().rev());
            }
            changed.extend(&file[end..]);
            prop_assume!(changed != file);
            let answer = verify(&seal, &changed, None).map_or(Answer::CannotTell, |report| report.answer());
            prop_assert_ne!(answer, Answer::Yes);
        }
    }
}
