//! Each oracle is shown something wrong; a world without faults passes them all.

use bytes::Bytes;
use tribune_core::time::{Time, WallTime};

use super::*;
use crate::history::{FrameSeen, PartSeen};

const PARTS: u64 = 12;

fn part(no: u64, kind: Kind) -> PartSeen {
    PartSeen {
        at: Time::from_millis((no + 1) * PART_MS),
        no: PartNo(no),
        kind,
        joint: if no.is_multiple_of(PARTS) { Joint::AfterGap } else { Joint::Continues },
        began_at: WallTime(0),
        page: Bytes::copy_from_slice(&no.to_be_bytes()),
        conversation_frames: if kind == Kind::Conversation { 16 } else { 0 },
    }
}

fn life(first: u64) -> Life {
    let began = Time::from_millis(first * PART_MS);
    let frames = (0..PARTS * 16).map(|at| FrameSeen {
        at: Time::from_millis(first * PART_MS + (at + 1) * FRAME_MS),
        kind: Kind::Conversation,
        peak: 0.1,
        fed: true,
    });
    let parts = (first..first + PARTS).map(|no| part(no, Kind::Conversation));
    let ended = Time::from_millis((first + PARTS) * PART_MS);
    Life { began, ended, frames: frames.collect(), parts: parts.collect() }
}

/// Two lives, one listener, everything as it should be.
fn whole() -> History {
    let lives = vec![life(0), life(PARTS)];
    let heard = |no: u64| Heard::Part(PartNo(no), Bytes::copy_from_slice(&no.to_be_bytes()));
    let ear = vec![Heard::Joined, heard(2), heard(3), Heard::Skipped(2), heard(6), Heard::Ended];
    let kept = (0..2 * PARTS).map(|no| Kept::Part(PartNo(no), Kind::Conversation)).collect();
    History {
        wake_ms_max: 0,
        live_from: Some(Time::ZERO),
        healed_from: Time::ZERO,
        fed_at_end: true,
        lives,
        ears: vec![ear],
        kept,
        complaints: Vec::new(),
    }
}

/// Its name, who should see it, and how it comes about.
type Case = (&'static str, fn(&History) -> Broken, fn(&mut History));

#[test]
fn an_evening_without_faults_passes() {
    assert_eq!(judge(&whole()), Broken::new());
}

#[test]
fn every_oracle_can_fail() {
    let cases: [Case; 19] = [
        ("a frame missing", one_frame_every_20_ms, |h| h.lives[0].frames.truncate(100)),
        ("a frame early", one_frame_every_20_ms, |h| h.lives[0].frames[5].at = Time::ZERO),
        ("too loud", samples_stay_below_full_scale, |h| h.lives[0].frames[0].peak = 1.0),
        ("not a number", samples_stay_below_full_scale, |h| h.lives[0].frames[0].peak = f32::NAN),
        ("a part left out", parts_follow_each_other, |h| drop(h.lives[0].parts.remove(4))),
        ("a joint unsaid", parts_follow_each_other, |h| h.lives[1].parts[0].joint = Joint::Continues),
        ("numbers again", parts_follow_each_other, |h| h.lives[1].parts.iter_mut().for_each(|p| p.no.0 -= 6)),
        ("not live", hold_never_passes_as_conversation, |h| h.live_from = None),
        ("nobody sends", hold_never_passes_as_conversation, |h| h.lives[0].frames[9].fed = false),
        ("hold as word", hold_never_passes_as_conversation, |h| h.lives[0].parts[3].conversation_frames = 0),
        ("untold", listeners_hear_every_part_or_are_told, |h| drop(h.ears[0].remove(3))),
        ("twice", listeners_hear_every_part_or_are_told, |h| h.ears[0][2] = h.ears[0][1].clone()),
        ("another's bytes", listeners_hear_every_part_or_are_told, |h| {
            h.ears[0][1] = Heard::Part(PartNo(2), Bytes::from_static(b"x"));
        }),
        ("not recorded", recording_is_the_program, |h| {
            h.kept.remove(20);
        }),
        ("too much lost", recording_is_the_program, |h| {
            h.kept.splice(2..12, [Kept::Gap(10)]);
        }),
        ("other kind", recording_is_the_program, |h| h.kept[3] = Kept::Part(PartNo(3), Kind::Hold)),
        ("complaint", recording_is_the_program, |h| h.complaints.push("torn".to_owned())),
        ("still hold", conversation_comes_back, |h| h.lives[1].frames[180].kind = Kind::Hold),
        ("still silent", conversation_comes_back, |h| h.lives[1].frames[180].peak = 0.0),
    ];
    for (name, oracle, spoil) in cases {
        let mut history = whole();
        spoil(&mut history);
        assert!(!oracle(&history).is_empty(), "{name}");
    }
}
