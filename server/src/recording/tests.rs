use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ed25519_dalek::SigningKey;
use futures_util::StreamExt;
use tribune_core::mix::Kind;
use tribune_core::program::seal::{Seal, Why, to_text};
use tribune_core::program::verify::{Answer, Report, verify};
use tribune_core::program::{Joint, Part, PartNo, retention::Limits, synthetic};
use tribune_core::time::WallTime;

use super::*;

const SEED: u64 = 11;
const ENDED_AT: WallTime = WallTime(1_723_510_800_000);

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn opening() -> Opening {
    let (opus, aac) = synthetic::tracks();
    Opening {
        room: "evening".into(),
        title: "An evening".into(),
        id: [3; 16],
        key: key(),
        opus: Recorded { index: 0, track: opus },
        aac: Recorded { index: 1, track: aac },
    }
}

fn part(no: u64) -> tribune_core::program::Part {
    let kind = if no < 3 { Kind::Hold } else { Kind::Conversation };
    synthetic::part(PartNo(no), kind, SEED)
}

fn tape(folder: &Path) -> (Tape, Recovered) {
    Tape::open(folder, &opening(), Disk::Real).expect("opens")
}

/// A closed recording of parts 3 up to `to`.
fn recorded(folder: &Path, to: u64) {
    let (mut tape, _) = tape(folder);
    for no in 0..to {
        tape.append(&part(no));
    }
    tape.end(ENDED_AT).expect("ends");
}

fn seal(folder: &Path) -> Seal {
    Seal::from_json(&fs::read(Stored::Seal.path(folder)).expect("a seal")).expect("reads")
}

/// The whole bytes of a form, the way a listener gets them.
fn fetched(folder: &Path, form: Form) -> Vec<u8> {
    let replay = Replay::open(folder).expect("a replay");
    let len = replay.layout(form).expect("laid out").len();
    collect(replay.stream(form, 0..len))
}

fn collect(stream: impl futures_util::Stream<Item = std::io::Result<bytes::Bytes>>) -> Vec<u8> {
    let pieces = block_on(stream.collect::<Vec<_>>());
    pieces.into_iter().flat_map(|piece| piece.expect("reads")).collect()
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(work)
}

fn checked(folder: &Path, form: Form) -> Report {
    verify(&seal(folder), &fetched(folder, form), None).expect("a recording")
}

#[test]
fn what_was_recorded_verifies_in_every_container() {
    let dir = tempfile::tempdir().expect("a folder");
    recorded(dir.path(), 40);
    for form in [Form::Opus, Form::M4a, Form::Mp4] {
        let report = checked(dir.path(), form);
        assert_eq!(report.answer(), Answer::Yes, "{form:?} {report:?}");
        assert!((report.seconds - 37.0 * 0.32).abs() < 1e-9);
    }
    let opus = checked(dir.path(), Form::Opus);
    assert!(opus.notes.iter().any(|note| note.contains("byte for byte")), "{:?}", opus.notes);
}

#[test]
fn any_changed_byte_of_a_replay_or_its_seal_is_found() {
    // Every byte of a short recording, every 499th of a longer one.
    any_changed_byte_is_found(4, 1);
    any_changed_byte_is_found(40, 499);
}

fn any_changed_byte_is_found(to: u64, step: usize) {
    let dir = tempfile::tempdir().expect("a folder");
    recorded(dir.path(), to);
    let seal_bytes = fs::read(Stored::Seal.path(dir.path())).expect("a seal");
    let good = seal(dir.path());
    for form in [Form::Opus, Form::M4a] {
        let file = fetched(dir.path(), form);
        for at in (0..file.len()).step_by(step) {
            let mut changed = file.clone();
            changed[at] ^= 1;
            let found = verify(&good, &changed, None).map_or(Answer::CannotTell, |report| report.answer());
            assert_ne!(found, Answer::Yes, "{form:?} byte {at}");
        }
    }
    let file = fetched(dir.path(), Form::Opus);
    for at in (0..seal_bytes.len()).step_by(step) {
        let mut changed = seal_bytes.clone();
        changed[at] ^= 1;
        if let Ok(seal) = Seal::from_json(&changed) {
            let answer = verify(&seal, &file, None).expect("a recording").answer();
            assert_ne!(answer, Answer::Yes, "byte {at} of the seal: {}", changed[at] as char);
        }
    }
}

#[test]
fn a_file_cut_at_any_byte_is_never_overwritten_or_reopens_with_what_is_whole() {
    let dir = tempfile::tempdir().expect("a folder");
    {
        let (mut tape, _) = tape(dir.path());
        for no in 0..26 {
            tape.append(&part(no));
        }
        // Dropped without a seal: as after kill -9, everything written is in the files.
    }
    for stored in [Stored::Log, Stored::Pages, Stored::Chunks] {
        let whole = fs::read(stored.path(dir.path())).expect("a file");
        for cut in (0..whole.len()).rev().step_by(997).chain([0, 1, whole.len() - 1]) {
            let copy = tempfile::tempdir().expect("a folder");
            for name in [Stored::Genesis, Stored::Log, Stored::Pages, Stored::Chunks] {
                fs::copy(name.path(dir.path()), name.path(copy.path())).expect("copies");
            }
            fs::write(stored.path(copy.path()), &whole[..cut]).expect("cuts");
            match Tape::open(copy.path(), &opening(), Disk::Real) {
                Ok((mut tape, recovered)) => {
                    let resume = recovered.last.map_or(6, |(last, _)| last.0 + 8);
                    let resume = PartNo(resume).segment_start_from().0;
                    for no in resume..resume + 7 {
                        tape.append(&part(no));
                    }
                    tape.end(ENDED_AT).expect("ends");
                    let report = checked(copy.path(), Form::Opus);
                    assert_eq!(report.answer(), Answer::Yes, "{stored:?} cut at {cut}: {report:?}");
                    assert_eq!(report.gaps.len(), usize::from(recovered.parts > 0));
                }
                Err(error) => {
                    assert!(matches!(error, OpenError::Damaged { .. }), "{error}");
                    assert_eq!(fs::read(stored.path(copy.path())).expect("there"), whole[..cut], "{error}");
                }
            }
        }
    }
}

#[test]
fn the_index_is_made_again_from_the_chunks_when_its_file_is_not_as_written() {
    let damages: [fn(&mut Vec<u8>); 3] =
        [|runs| runs.clear(), |runs| runs.fill(0xff), |runs| runs.extend([7; 90])];
    for damage in damages {
        let dir = tempfile::tempdir().expect("a folder");
        let (mut first, _) = tape(dir.path());
        for no in 0..26 {
            first.append(&part(no));
        }
        drop(first);
        let path = Stored::Runs.path(dir.path());
        let runs = fs::read(&path).expect("a file");
        assert_eq!(runs.len(), 23 * 72, "a run for each part");
        let mut damaged = runs.clone();
        damage(&mut damaged);
        fs::write(&path, damaged).expect("damages");
        let (mut second, _) = tape(dir.path());
        assert_eq!(fs::read(&path).expect("a file"), runs);
        second.append(&part(30));
        second.end(ENDED_AT).expect("ends");
        let report = checked(dir.path(), Form::M4a);
        assert_eq!(report.answer(), Answer::Yes, "{report:?}");
    }
}

/// Goal: killed at any byte, what is found again verifies, lacks at most the part in flight, and names the
/// gap. Method: the disk stops at a byte drawn for each round; the next process goes on in the same folder.
#[test]
fn killed_a_hundred_times_the_recording_lacks_at_most_a_part_each_time() {
    let dir = tempfile::tempdir().expect("a folder");
    tape(dir.path());
    let (mut no, mut gaps) = (3, 0);
    for round in 0..100u64 {
        let room_bytes = 1 + round.wrapping_mul(0x9e37_79b9_7f4a_7c15) % 50_000;
        let disk = Disk::Faulty(Faults::with_room(room_bytes));
        let Ok((mut tape, before)) = Tape::open(dir.path(), &opening(), disk) else { continue };
        let mut kept = before.parts;
        while *tape.health() == Health::Healthy {
            tape.append(&part(no));
            kept += u64::from(*tape.health() == Health::Healthy);
            no += 1;
        }
        drop(tape);
        let (_, after) = self::tape(dir.path());
        assert!(after.parts >= kept, "round {round}: {kept} were recorded, {} are there", after.parts);
        gaps += u64::from(kept > before.parts);
        no = PartNo(no + 3).segment_start_from().0;
    }
    let (mut tape, _) = tape(dir.path());
    tape.append(&part(no));
    tape.end(ENDED_AT).expect("ends");
    let report = checked(dir.path(), Form::M4a);
    assert_eq!(report.answer(), Answer::Yes, "{report:?}");
    assert!(report.gaps.len() as u64 >= gaps - 1 && gaps > 50, "{gaps} runs, {:?}", report.gaps);
    assert!(report.gaps.iter().all(|gap| gap.why == Why::Restart));
}

/// A part after a gap is the clock's doing; one that just does not follow was lost on the way to the disk.
#[test]
fn a_gap_says_whether_the_program_stood_still_or_the_disk_did() {
    for (joint, why) in [(Joint::AfterGap, Why::Stalled), (Joint::Continues, Why::Disk)] {
        let dir = tempfile::tempdir().expect("a folder");
        let (mut tape, _) = tape(dir.path());
        (0..6).for_each(|no| tape.append(&part(no)));
        tape.append(&Part { joint, ..part(18) });
        tape.append(&part(19));
        tape.end(ENDED_AT).expect("ends");
        let report = checked(dir.path(), Form::Opus);
        assert_eq!(report.answer(), Answer::Yes, "{report:?}");
        assert_eq!(report.gaps.iter().map(|gap| gap.why).collect::<Vec<_>>(), [why]);
    }
}

#[test]
fn a_full_disk_is_a_state_and_then_a_gap() {
    let dir = tempfile::tempdir().expect("a folder");
    let faults = Faults::with_room(1 << 20);
    let (mut tape, _) = Tape::open(dir.path(), &opening(), Disk::Faulty(Arc::clone(&faults))).expect("opens");
    for no in 0..10 {
        tape.append(&part(no));
    }
    faults.room_bytes.store(1_000, Ordering::Relaxed);
    for no in 10..17 {
        tape.append(&part(no));
    }
    let Health::Failing { since, lost_parts, .. } = tape.health().clone() else { panic!("it fails") };
    assert_eq!((since, lost_parts), (part(10).began_at, 7));
    assert!(tape.end(ENDED_AT).is_err());
    faults.room_bytes.store(u64::MAX, Ordering::Relaxed);
    for no in 17..30 {
        tape.append(&part(no));
    }
    assert_eq!(*tape.health(), Health::Healthy);
    tape.end(ENDED_AT).expect("ends");
    let report = checked(dir.path(), Form::Opus);
    assert_eq!(report.answer(), Answer::Yes, "{report:?}");
    assert_eq!(report.gaps.len(), 1);
    assert_eq!((report.gaps[0].seconds, report.gaps[0].why), (2.24, Why::Disk));
}

#[test]
fn a_disk_that_cannot_sync_promises_nothing_and_loses_only_until_it_can() {
    let dir = tempfile::tempdir().expect("a folder");
    let faults = Faults::with_room(u64::MAX);
    let (mut tape, _) = Tape::open(dir.path(), &opening(), Disk::Faulty(Arc::clone(&faults))).expect("opens");
    for no in 0..6 {
        tape.append(&part(no));
    }
    let promised = tape.sealed();
    assert_eq!(promised.parts, 3);
    faults.fails_sync.store(true, Ordering::Relaxed);
    for no in 6..14 {
        tape.append(&part(no));
    }
    assert_eq!(tape.sealed(), promised);
    faults.fails_sync.store(false, Ordering::Relaxed);
    for no in 14..18 {
        tape.append(&part(no));
    }
    tape.end(ENDED_AT).expect("ends");
    let report = checked(dir.path(), Form::M4a);
    assert_eq!(report.answer(), Answer::Yes, "{report:?}");
    assert_eq!(report.gaps.iter().map(|gap| gap.seconds).collect::<Vec<_>>(), [0.64]);
}

#[test]
fn files_that_somebody_removes_promise_nothing_more() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut tape, _) = tape(dir.path());
    for no in 0..6 {
        tape.append(&part(no));
    }
    let promised = tape.sealed();
    fs::remove_file(Stored::Pages.path(dir.path())).expect("removes");
    for no in 6..18 {
        tape.append(&part(no));
    }
    assert_eq!(tape.sealed(), promised);
    let Health::Failing { why, .. } = tape.health() else { panic!("it fails") };
    assert!(why.contains("removed"), "{why}");
}

#[test]
fn what_is_missing_or_damaged_is_said_and_left_alone() {
    for (stored, damage, says) in [
        (Stored::Genesis, None, "recording.json is damaged: it is missing"),
        (Stored::Genesis, Some(5), "recording.json is damaged"),
        (Stored::Log, Some(300), "record 2 of the seal log is damaged"),
        (Stored::Pages, None, "pages.ogg is damaged"),
        (Stored::Chunks, None, "chunks.cmaf is damaged"),
    ] {
        let dir = tempfile::tempdir().expect("a folder");
        {
            let (mut tape, _) = tape(dir.path());
            for no in 0..20 {
                tape.append(&part(no));
            }
        }
        let path = stored.path(dir.path());
        match damage {
            None => fs::remove_file(&path).expect("removes"),
            Some(at) => {
                let mut bytes = fs::read(&path).expect("a file");
                bytes[at] ^= 0x55;
                fs::write(&path, bytes).expect("writes");
            }
        }
        let left = fs::read(&path).ok();
        let error = Tape::open(dir.path(), &opening(), Disk::Real).err().expect("refused").to_string();
        assert!(error.contains(says), "{error}");
        if left.is_some() {
            assert_eq!(fs::read(&path).ok(), left);
        }
    }
}

#[test]
fn another_key_room_or_program_does_not_go_on_with_a_recording() {
    let dir = tempfile::tempdir().expect("a folder");
    recorded(dir.path(), 9);
    let mut program = opening();
    program.opus.track.rendition.bit_rate = 96_000;
    for (other, says) in [
        (Opening { key: SigningKey::from_bytes(&[8; 32]), ..opening() }, "another key"),
        (Opening { room: "morning".into(), ..opening() }, "another room"),
        (program, "another program"),
    ] {
        let error = Tape::open(dir.path(), &other, Disk::Real).err().expect("refused").to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn an_interrupted_closing_is_finished_at_the_next_start() {
    let dir = tempfile::tempdir().expect("a folder");
    recorded(dir.path(), 20);
    let before = fetched(dir.path(), Form::M4a);
    for stored in [Stored::Seal, Stored::Playlist, Stored::M4aHead, Stored::OpusTail] {
        fs::remove_file(stored.path(dir.path())).expect("removes");
    }
    assert!(matches!(Replay::open(dir.path()), Err(ReplayError::NotThere)));
    let (_, recovered) = tape(dir.path());
    assert!(recovered.ended);
    assert_eq!(fetched(dir.path(), Form::M4a), before);
    assert_eq!(checked(dir.path(), Form::M4a).answer(), Answer::Yes);
}

#[test]
fn a_passage_taken_out_is_gone_and_marked() {
    let dir = tempfile::tempdir().expect("a folder");
    recorded(dir.path(), 40);
    let kept = fetched(dir.path(), Form::Opus);
    let mark = redact(dir.path(), &key(), (1.0, 2.0), (ENDED_AT, "a name".into())).expect("redacts");
    assert_eq!((mark.from, mark.parts), (3, 4));
    for form in [Form::Opus, Form::M4a, Form::Mp4] {
        let report = checked(dir.path(), form);
        assert_eq!(report.answer(), Answer::No, "{form:?} {report:?}");
        assert!(report.complete && report.wrong.is_empty() && !report.unedited, "cut, and nothing else");
        assert_eq!((report.redactions[0].at_s, report.redactions[0].seconds), (0.96, 1.28));
    }
    let gone = &part(3 + 4).tracks[0].units;
    let now = fetched(dir.path(), Form::Opus);
    let holds = |file: &[u8]| gone.iter().any(|unit| file.windows(unit.len()).any(|piece| piece == unit));
    assert!(holds(&kept), "it was there");
    assert!(!holds(&now), "the sound is gone from the file");
    let old = verify(&seal(dir.path()), &kept, None).expect("a recording");
    assert!(old.notes.iter().any(|note| note.contains("later taken out")), "{old:?}");
    let mut unmarked = seal(dir.path());
    unmarked.redactions.clear();
    assert_eq!(verify(&unmarked, &now, None).expect("a recording").answer(), Answer::No);
    let outside = redact(dir.path(), &key(), (100.0, 101.0), (ENDED_AT, String::new()));
    assert!(matches!(outside, Err(RedactError::Outside { .. })));
}

#[test]
fn an_interrupted_redaction_is_finished_at_the_next_start() {
    let shelf_dir = tempfile::tempdir().expect("a folder");
    let shelf = Shelf::new(shelf_dir.path());
    let folder = shelf.folder_of("evening");
    recorded(&folder, 40);
    let seal_before = fs::read(Stored::Seal.path(&folder)).expect("a seal");
    let pages_before = fs::read(Stored::Pages.path(&folder)).expect("pages");
    redact(&folder, &key(), (1.0, 2.0), (ENDED_AT, "a name".into())).expect("redacts");
    let pages_after = fs::read(Stored::Pages.path(&folder)).expect("pages");
    fs::write(Stored::Seal.path(&folder), seal_before).expect("writes");
    fs::write(Stored::Pages.path(&folder), pages_before).expect("writes");
    assert_eq!(shelf.finish_interrupted(&key()).expect("reads"), [""; 0]);
    assert_eq!(fs::read(Stored::Pages.path(&folder)).expect("pages"), pages_after);
    let report = checked(&folder, Form::Opus);
    assert!(report.complete && report.wrong.is_empty() && report.redactions.len() == 1, "{report:?}");
}

#[test]
fn what_is_deleted_stays_deleted() {
    let dir = tempfile::tempdir().expect("a folder");
    let shelf = Shelf::new(dir.path());
    recorded(&shelf.folder_of("evening"), 20);
    shelf.delete("evening").expect("deletes");
    assert!(matches!(shelf.delete("morning"), Err(ShelfError::NotThere)));
    assert!(matches!(Replay::open(&shelf.folder_of("evening")), Err(ReplayError::Deleted)));
    assert!(matches!(
        Tape::open(&shelf.folder_of("evening"), &opening(), Disk::Real),
        Err(OpenError::Deleted { .. })
    ));
    // Interrupted after the tombstone: the sound is still there, and goes at the next start.
    fs::write(Stored::Pages.path(&shelf.folder_of("evening")), b"sound").expect("writes");
    assert_eq!(shelf.finish_interrupted(&key()).expect("reads"), [""; 0]);
    let left: Vec<_> = fs::read_dir(shelf.folder_of("evening")).expect("a folder").collect();
    assert_eq!(left.len(), 1);
    assert!(shelf.list().expect("lists").is_empty());
}

#[test]
fn a_sweep_deletes_the_oldest_ended_ones() {
    let dir = tempfile::tempdir().expect("a folder");
    let shelf = Shelf::new(dir.path());
    recorded(&shelf.folder_of("ended"), 20);
    let (mut live, _) = tape(&shelf.folder_of("live"));
    live.append(&part(3));
    let listed = shelf.list().expect("lists");
    assert_eq!(listed.iter().map(|item| item.ended_at).collect::<Vec<_>>(), [Some(ENDED_AT), None]);
    let limits = Limits { retention_days: 0, quota_bytes: 1 };
    assert_eq!(shelf.sweep(ENDED_AT, limits).expect("sweeps").deleted, ["ended"]);
    assert_eq!(shelf.list().expect("lists").len(), 1);
}

#[test]
fn an_export_is_a_tar_with_both_files_and_the_seal() {
    let dir = tempfile::tempdir().expect("a folder");
    recorded(dir.path(), 20);
    let tar = collect(export(&Replay::open(dir.path()).expect("a replay")).expect("fits"));
    let unpacked = tempfile::tempdir().expect("a folder");
    let archive = unpacked.path().join("export.tar");
    fs::write(&archive, tar).expect("writes");
    let done =
        std::process::Command::new("tar").arg("xf").arg(&archive).arg("-C").arg(unpacked.path()).status();
    assert!(done.expect("tar runs").success());
    for (name, form) in [("replay.opus", Form::Opus), ("replay.m4a", Form::M4a), ("seal.json", Form::Seal)] {
        assert_eq!(fs::read(unpacked.path().join(name)).expect(name), fetched(dir.path(), form));
    }
}

#[test]
fn a_replay_answers_get_head_and_range() {
    use http::{HeaderMap, HeaderValue, Method, header};

    let dir = tempfile::tempdir().expect("a folder");
    recorded(dir.path(), 20);
    let replay = Replay::open(dir.path()).expect("a replay");
    let whole = fetched(dir.path(), Form::Opus);
    let ask = |method: &Method, range: Option<&'static str>| {
        let mut headers = HeaderMap::new();
        if let Some(range) = range {
            headers.insert(header::RANGE, HeaderValue::from_static(range));
        }
        let response = respond(&replay, Form::Opus, method, &headers).expect("recorded");
        let (parts, body) = response.into_parts();
        let bytes = block_on(axum::body::to_bytes(body, usize::MAX)).expect("reads");
        (parts.status.as_u16(), parts.headers, bytes)
    };
    let (status, headers, body) = ask(&Method::GET, None);
    assert_eq!((status, &body[..]), (200, &whole[..]));
    assert_eq!(headers[header::CONTENT_LENGTH], whole.len().to_string());
    let (status, headers, body) = ask(&Method::GET, Some("bytes=100-4999"));
    assert_eq!((status, &body[..]), (206, &whole[100..5_000]));
    assert_eq!(headers[header::CONTENT_RANGE], format!("bytes 100-4999/{}", whole.len()));
    let (status, headers, body) = ask(&Method::HEAD, None);
    assert_eq!((status, body.len()), (200, 0));
    assert_eq!(headers[header::CONTENT_LENGTH], whole.len().to_string());
    let (status, headers, body) = ask(&Method::GET, Some("bytes=99999999-"));
    assert_eq!((status, body.len()), (416, 0));
    assert_eq!(headers[header::CONTENT_RANGE], format!("bytes */{}", whole.len()));
}

#[test]
fn a_room_that_ended_without_a_word_has_a_seal_and_no_sound() {
    let dir = tempfile::tempdir().expect("a folder");
    recorded(dir.path(), 2);
    let replay = Replay::open(dir.path()).expect("a seal");
    assert!(replay.layout(Form::Opus).is_none());
    assert_eq!(seal(dir.path()).parts().count(), 0);
}

#[test]
fn the_recorder_takes_parts_shows_what_is_sealed_and_closes() {
    let dir = tempfile::tempdir().expect("a folder");
    let (recorder, recovered) =
        Recorder::open(dir.path(), &opening(), Disk::Real, synthetic::BEGAN_AT).expect("opens");
    assert_eq!(recovered.resume_at(synthetic::BEGAN_AT), PartNo(0));
    for no in 0..20 {
        recorder.part(Arc::new(part(no)));
    }
    let sealed = block_on(recorder.end(ENDED_AT)).expect("ends");
    assert_eq!(sealed.parts, 17);
    assert_eq!(*recorder.sealed().borrow(), sealed);
    assert_eq!(recorder.health(), Health::Healthy);
    assert_eq!(checked(dir.path(), Form::Opus).answer(), Answer::Yes);
}

#[test]
fn a_restart_goes_on_at_a_segment_after_the_time_that_passed() {
    let began_at = synthetic::BEGAN_AT;
    let recovered = Recovered { last: Some((PartNo(7), began_at)), parts: 5, cut_bytes: 0, ended: false };
    for (passed_ms, expected) in [(-5_000, 12), (0, 12), (320, 12), (1_600, 12), (1_601, 18), (10_000, 42)] {
        let now = WallTime(began_at.0 + passed_ms);
        assert_eq!(recovered.resume_at(now), PartNo(expected), "{passed_ms} ms");
    }
}

/// Tries to record `parts` with the recording's own file not readable, then mends it and goes on.
#[test]
fn a_recording_that_cannot_be_opened_is_tried_again_while_the_program_goes_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let (mut before, _) = tape(dir.path());
    (0..12).for_each(|no| before.append(&part(no)));
    drop(before);
    let identity = Stored::Genesis.path(dir.path());
    let good = fs::read(&identity).expect("an identity");
    fs::write(&identity, b"{").expect("writes");
    let open = || Recorder::open(dir.path(), &opening(), Disk::Real, synthetic::BEGAN_AT).expect("a thread");
    let (recorder, recovered) = open();
    assert_eq!(recovered, Recovered { last: None, parts: 0, cut_bytes: 0, ended: false });
    let Health::Failing { why, since, .. } = recorder.health() else { panic!("it cannot be opened") };
    assert!(why.contains("recording.json is damaged") && since == synthetic::BEGAN_AT, "{why}");
    for no in 18..24 {
        recorder.part(Arc::new(part(no)));
    }
    assert!(block_on(recorder.end(ENDED_AT)).is_err(), "it cannot be closed either");
    assert_eq!((recorder.take_lost(), recorder.take_lost()), (6, 0));
    assert_eq!(fs::read(&identity).expect("the file"), b"{", "it was left as it is");
    fs::write(&identity, good).expect("writes");
    for no in 24..60 {
        recorder.part(Arc::new(part(no)));
    }
    block_on(recorder.end(ENDED_AT)).expect("ends");
    assert_eq!(recorder.health(), Health::Healthy);
    let report = checked(dir.path(), Form::Opus);
    assert_eq!(report.answer(), Answer::Yes);
    assert_eq!(report.gaps.iter().map(|gap| gap.why).collect::<Vec<_>>(), [Why::Disk]);
}

#[test]
fn a_deleted_recording_is_closed_already_and_stays_deleted() {
    let shelf_dir = tempfile::tempdir().expect("a folder");
    let shelf = Shelf::new(shelf_dir.path());
    let folder = shelf.folder_of("evening");
    recorded(&folder, 20);
    assert!(shelf.replay("evening").is_some());
    shelf.delete("evening").expect("deletes");
    assert!(shelf.replay("evening").is_none(), "nobody keeps it open");
    assert_eq!(shelf.survey("evening").expect("reads").state, Stage::Deleted);
    let (recorder, _) =
        Recorder::open(&folder, &opening(), Disk::Real, synthetic::BEGAN_AT).expect("a thread");
    assert_eq!(block_on(recorder.end(ENDED_AT)).expect("nothing to close").parts, 0);
    assert_eq!(fs::read_dir(&folder).expect("a folder").count(), 1, "only the tombstone");
}

#[test]
fn a_survey_tells_what_is_recorded_while_it_grows_and_after() {
    let shelf_dir = tempfile::tempdir().expect("a folder");
    let shelf = Shelf::new(shelf_dir.path());
    let survey = || shelf.survey("evening").expect("reads");
    assert_eq!(survey().state, Stage::None);
    let folder = shelf.folder_of("evening");
    let (mut growing, _) = tape(&folder);
    (0..12).for_each(|no| growing.append(&part(no)));
    let open = survey();
    assert_eq!((open.state, open.parts, open.gaps.len()), (Stage::Open, 9, 0));
    assert_eq!(open.head.as_deref(), Some(to_text(&growing.sealed().head).as_str()));
    drop(growing);
    let (mut again, _) = tape(&folder);
    (18..30).for_each(|no| again.append(&part(no)));
    again.end(ENDED_AT).expect("ends");
    shelf.redact(("evening", &key()), (1.0, 2.0), (ENDED_AT, "a name".into())).expect("takes it out");
    let closed = survey();
    assert_eq!((closed.state, closed.parts, closed.redactions.len()), (Stage::Closed, 21, 1));
    assert!((closed.seconds - 21.0 * 0.32).abs() < 1e-9 && closed.bytes > 1_000);
    assert_eq!((closed.gaps.len(), closed.gaps[0].why), (1, Why::Restart));
    assert_eq!(checked(&folder, Form::Opus).gaps, closed.gaps);
}
