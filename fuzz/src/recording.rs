//! What is read back from a disk, or from a stranger's copy of a recording.

use std::borrow::Cow;
use std::sync::LazyLock;

use ed25519_dalek::SigningKey;
use tribune_core::ingest::wav;
use tribune_core::mix::Kind;
use tribune_core::program::seal::{
    self, Chain, Closing, Entry, Files, Genesis, Link, PartEntry, Record, Seal,
};
use tribune_core::program::{Codec, Part, PartNo, Rendition, mp4, ogg, redact, synthetic, verify};
use tribune_core::room::{Facts, Name};
use tribune_core::status;
use tribune_core::time::WallTime;

/// A hold sound.
pub fn hold_sound(data: &[u8]) {
    if let Ok(samples) = wav::read(data) {
        assert!(samples.len() <= data.len() / 2);
        assert!(samples.iter().all(|sample| (-1.0..=1.0).contains(sample)));
    }
}

/// One page gets another number: all of it stays, or nothing is touched.
pub fn ogg_renumber(data: &[u8]) {
    let head = ogg::PageHead::of_part(PartNo(7));
    let mut page = data.to_vec();
    match ogg::renumber(&mut page, head) {
        Some(()) => {
            let again = page.clone();
            assert_eq!(ogg::renumber(&mut page, head), Some(()));
            assert_eq!(page, again);
        }
        None => assert_eq!(page, data),
    }
}

/// The same of a CMAF chunk.
pub fn mp4_renumber(data: &[u8]) {
    let (opus, _) = synthetic::tracks();
    let mut chunk = data.to_vec();
    match mp4::renumber(&mut chunk, PartNo(7), &opus.rendition) {
        Some(()) => assert_eq!(chunk.len(), data.len()),
        None => assert_eq!(chunk, data),
    }
}

/// A seal as a document: what is read is written the same, and can be held against a file.
pub fn seal_document(data: &[u8]) {
    let Ok(seal) = Seal::from_json(data) else { return };
    let again = Seal::from_json(&seal.to_json()).expect("what was written can be read");
    assert_eq!(seal, again);
    let part = synthetic::part(PartNo(0), tribune_core::mix::Kind::Conversation, 1);
    let report = verify::verify(&seal, &part.tracks[0].stream, None).expect("the file holds sound");
    assert!(report.wrong.len() <= verify::FINDINGS_MAX);
    assert_ne!(report.answer(), verify::Answer::Yes, "one page with no headers is no whole recording");
}

/// A seal log: the bytes as they are, and as entries that were written whole.
pub fn seal_log(data: &[u8]) {
    let genesis = genesis();
    let _ = seal::scan(&genesis, data).map(|scan| assert!(scan.promised <= scan.records.len()));
    let mut log = Vec::new();
    let mut written = 0;
    for bytes in data.chunks(82) {
        let Some(entry) = Entry::from_bytes(bytes) else { break };
        log.extend(Record::Entry { entry, page_bytes: 1, chunk_bytes: 2 }.to_bytes());
        written += 1;
    }
    let torn = data.len().min(seal::RECORD_BYTES - 1);
    log.extend(&data[..torn]);
    let scan = seal::scan(&genesis, &log).expect("a torn end is no damage");
    assert_eq!((scan.records.len(), scan.promised), (written, 0));
}

/// A downloaded recording, and stretches of one.
pub fn recording_file(data: &[u8]) {
    for coded in [
        verify::read(data),
        verify::read_stretch(Codec::Opus, data),
        verify::read_stretch(Codec::AacLc, data),
    ]
    .into_iter()
    .flatten()
    {
        let bytes: usize = coded.units.iter().map(|unit| unit.len()).sum();
        assert!(bytes <= data.len(), "a file holds no more sound than bytes");
        assert!(coded.units.len() <= data.len(), "no unit costs the file nothing");
        assert!(coded.damages.iter().all(|damage| damage.unit <= coded.units.len()));
    }
}

/// A downloaded recording against its seal: only one with the very same sound is complete and unedited.
pub fn recording_verify(data: &[u8]) {
    static SEALED: LazyLock<(Seal, Part)> = LazyLock::new(sealed);
    let (seal, part) = &*SEALED;
    if let Ok(report) = verify::verify(seal, data, None) {
        assert!(report.wrong.len() <= verify::FINDINGS_MAX);
        if report.answer() == verify::Answer::Yes {
            let coded = verify::read(data).expect("it was read before");
            let track = match coded.codec {
                Codec::Opus => &part.tracks[0],
                Codec::AacLc => &part.tracks[1],
            };
            let is_sealed = |(unit, sealed): (&Cow<'_, [u8]>, &[u8])| **unit == *sealed;
            let sealed = track.units.iter().count();
            assert!(coded.units.iter().zip(track.units.iter()).all(is_sealed));
            // After the sealed sound comes at most the silent packet with which a decoder ends.
            match coded.units.get(sealed..) {
                Some([]) => {}
                Some([last]) => assert!(redact::is_silent(coded.codec, last)),
                Some([_, _, ..]) | None => panic!("{} units are not {sealed}", coded.units.len()),
            }
        }
    }
}

/// The seal of a recording of one part, as it lies in the corpus, and the part.
fn sealed() -> (Seal, Part) {
    let key = SigningKey::from_bytes(&[7; 32]);
    let genesis = Genesis { key: key.verifying_key().to_bytes(), ..genesis() };
    let part = synthetic::part(PartNo(0), Kind::Conversation, 1);
    let mut chain = Chain::begin(&genesis);
    let mut links = Vec::new();
    for entry in chain.entries_for(entry_of(&part), None) {
        chain.append(&entry);
        links.push(Link::Entry(entry));
    }
    for entry in chain.entries_for_end(WallTime(synthetic::BEGAN_AT.0 + 60_000)) {
        chain.append(&entry);
        links.push(Link::Entry(entry));
    }
    links.push(Link::Signed(chain.sign(&genesis, &key)));
    let files = Files { opus: Vec::new(), m4a: Vec::new() };
    let closing = Some(Closing::sign((&genesis, &chain.at()), &[], files, &key));
    (Seal { genesis, links, redactions: Vec::new(), closing }, part)
}

fn entry_of(part: &Part) -> PartEntry {
    PartEntry {
        no: part.no,
        kind: part.kind,
        began_at: part.began_at,
        opus: seal::units_hash(part.tracks[0].units.iter()),
        aac: seal::units_hash(part.tracks[1].units.iter()),
    }
}

/// Marks of redactions as they were written down: what is read is written the same.
pub fn redaction_marks(data: &[u8]) {
    let Ok(marks) = seal::marks_from_json(data) else { return };
    assert_eq!(seal::marks_from_json(&seal::marks_to_json(&marks)).ok(), Some(marks));
}

/// The last status before a restart, whatever the disk made of it: the next one continues its chain.
pub fn status_kept(data: &[u8]) {
    let kept = status::Kept { last: Some(data.to_vec().into()), used: Some(data.len() as u64) };
    let facts = Facts::new(Name::parse("room").expect("a name"), "A room".to_owned());
    let key = SigningKey::from_bytes(&[7; 32]);
    let draft = status::Chain::after(&kept).draft(WallTime(0), &facts, &status::Figures::default(), &key);
    let next = draft.expect("nothing was said since the restart").status;
    assert_eq!(next.seq, data.len() as u64 + 1);
}

/// A status that somebody kept.
pub fn witness(data: &[u8]) {
    let _ = verify::Witness::read(data);
}

fn genesis() -> Genesis {
    let rendition = |codec| Rendition { codec, bit_rate: 64_000, channels: 1, priming_samples: 312 };
    Genesis {
        room: "room".to_owned(),
        title: String::new(),
        id: [1; 16],
        key: [2; 32],
        opus: rendition(Codec::Opus),
        aac: rendition(Codec::AacLc),
    }
}
