//! What must hold in every world, each a function over what happened that names what is wrong.

use std::collections::BTreeMap;

use tribune_core::mix::Kind;
use tribune_core::program::{Joint, PART_MS, PartNo, SEGMENT_PARTS};
use tribune_core::time::FRAME_MS;

use crate::history::{Heard, History, Kept, Life, PartSeen};

/// A part of full scale, −1 dBTP; the true peak of samples in between is the limiter's own test.
const PEAK_MAX: f32 = 0.892;
/// From the moment all is well, this long until the conversation must be heard again.
const RECOVERY_MS_MAX: u64 = 3_000;
/// A process that is killed loses what had not reached the disk: at most a segment and the part in flight.
const LOST_PARTS_MAX: u64 = SEGMENT_PARTS + 1;

/// A sentence for each thing that is wrong.
pub type Broken = Vec<String>;

/// All of them.
pub fn judge(history: &History) -> Broken {
    [
        one_frame_every_20_ms,
        samples_stay_below_full_scale,
        parts_follow_each_other,
        hold_never_passes_as_conversation,
        listeners_hear_every_part_or_are_told,
        recording_is_the_program,
        conversation_comes_back,
    ]
    .into_iter()
    .flat_map(|oracle| oracle(history))
    .collect()
}

/// As many frames as 20 ms have passed, whatever the sources do.
pub fn one_frame_every_20_ms(history: &History) -> Broken {
    let late = history.wake_ms_max / FRAME_MS + 1;
    let wrong = |life: &Life| {
        let due = life.ended.since(life.began).as_millis() as u64 / FRAME_MS;
        let given = life.frames.len() as u64;
        let early = life.frames.iter().enumerate().find(|(place, frame)| {
            let uptime_ms = frame.at.since(life.began).as_millis() as u64;
            *place as u64 >= uptime_ms / FRAME_MS
        });
        (given.abs_diff(due) > late || early.is_some())
            .then(|| format!("{given} frames in a life of {due} times 20 ms; first early: {early:?}"))
    };
    history.lives.iter().filter_map(wrong).collect()
}

/// No sample beyond −1 dBFS, none that is not a number.
pub fn samples_stay_below_full_scale(history: &History) -> Broken {
    let frames = history.lives.iter().flat_map(|life| &life.frames);
    frames
        .filter(|frame| frame.peak.is_nan() || frame.peak > PEAK_MAX)
        .map(|frame| format!("a peak of {} at {:?}", frame.peak, frame.at))
        .take(3)
        .collect()
}

/// Numbers grow by one; after a restart they jump forward to the start of a segment, and say that they did.
pub fn parts_follow_each_other(history: &History) -> Broken {
    let mut broken = Broken::new();
    for life in &history.lives {
        for (place, part) in life.parts.iter().enumerate() {
            let wanted = if place == 0 { Joint::AfterGap } else { Joint::Continues };
            if part.joint != wanted {
                broken.push(format!("part {} of a life is {:?} to the one before", part.no.0, part.joint));
            }
        }
        for pair in life.parts.windows(2) {
            if pair[1].no != pair[0].no.next() {
                broken.push(format!("part {} comes after part {}", pair[1].no.0, pair[0].no.0));
            }
        }
    }
    for pair in history.lives.windows(2) {
        let (Some(last), Some(first)) = (pair[0].parts.last(), pair[1].parts.first()) else { continue };
        let lost_parts = first.at.since(last.at).as_millis() as u64 / PART_MS;
        let jump = first.no.0.saturating_sub(last.no.0);
        if first.no.in_segment() != 0 || jump < lost_parts {
            let said = (first.no.0, last.no.0);
            broken
                .push(format!("after {lost_parts} lost parts, part {} comes after part {}", said.0, said.1));
        }
    }
    broken
}

/// Conversation needs a live room and somebody who sends; a part is conversation when any frame of it is.
pub fn hold_never_passes_as_conversation(history: &History) -> Broken {
    let mut broken = Broken::new();
    for frame in history.lives.iter().flat_map(|life| &life.frames) {
        let live = history.live_from.is_some_and(|from| frame.at >= from);
        if frame.kind == Kind::Conversation && !(live && frame.fed) {
            broken.push(format!("a frame at {:?} is conversation; live {live}, fed {}", frame.at, frame.fed));
        }
    }
    for part in history.parts() {
        let wanted = if part.conversation_frames > 0 { Kind::Conversation } else { Kind::Hold };
        if part.kind != wanted {
            let frames = part.conversation_frames;
            broken.push(format!("part {} is {:?} of {frames} conversation frames", part.no.0, part.kind));
        }
    }
    broken.truncate(3);
    broken
}

/// What a listener got is every part from its first to its last, or a count of those left out.
pub fn listeners_hear_every_part_or_are_told(history: &History) -> Broken {
    let pages: BTreeMap<_, _> = history.parts().map(|part| (part.no, &part.page)).collect();
    let starts: Vec<_> = history.lives.iter().filter_map(|life| life.parts.first()).map(|p| p.no).collect();
    let mut broken = Broken::new();
    for (listener, heard) in history.ears.iter().enumerate() {
        let mut next: Option<PartNo> = None;
        for thing in heard {
            match thing {
                Heard::Joined => next = None,
                Heard::Skipped(parts) => next = next.map(|no| PartNo(no.0 + parts)),
                Heard::Part(no, bytes) => {
                    if next.is_some_and(|next| next != *no) && !starts.contains(no) {
                        broken.push(format!("listener {listener}: part {} where {next:?} was next", no.0));
                    }
                    if pages.get(no).is_none_or(|page| *page != bytes) {
                        broken.push(format!("listener {listener}: part {} is not what was cut", no.0));
                    }
                    next = Some(no.next());
                }
                Heard::Ended => {}
            }
        }
    }
    broken
}

/// The recording holds every part from the first word on; what a kill cost is little, and named.
pub fn recording_is_the_program(history: &History) -> Broken {
    let mut broken = history.complaints.clone();
    let kinds: BTreeMap<_, _> = history.parts().map(|part| (part.no, part.kind)).collect();
    let mut kept = Vec::new();
    let mut next: Option<PartNo> = None;
    for link in &history.kept {
        match *link {
            Kept::Gap(parts) => next = next.map(|no| PartNo(no.0 + parts)),
            Kept::Part(no, kind) => {
                if next.is_some_and(|next| next != no) {
                    broken.push(format!("the recording goes on at part {} where {next:?} was next", no.0));
                }
                if kinds.get(&no) != Some(&kind) {
                    broken.push(format!(
                        "part {} is recorded as {kind:?}, cut as {:?}",
                        no.0,
                        kinds.get(&no)
                    ));
                }
                kept.push(no);
                next = Some(no.next());
            }
        }
    }
    let (lives, last_life) = (&history.lives, history.lives.len().saturating_sub(1));
    for (place, life) in lives.iter().enumerate() {
        // Hold before the first recorded word is counted, not stored.
        let owed = |part: &&PartSeen| {
            part.kind == Kind::Conversation || kept.first().is_some_and(|first| part.no > *first)
        };
        let lost = life.parts.iter().filter(owed).filter(|part| kept.binary_search(&part.no).is_err()).count()
            as u64;
        let may = if place == last_life { 0 } else { LOST_PARTS_MAX };
        if lost > may {
            broken.push(format!("life {place} lost {lost} parts of its recording, {may} at most"));
        }
    }
    broken
}

/// Once all is well and somebody sends, people hear it.
pub fn conversation_comes_back(history: &History) -> Broken {
    let Some(life) = history.lives.last().filter(|_| history.fed_at_end) else { return Broken::new() };
    let late = life
        .frames
        .iter()
        .filter(|frame| frame.at.since(history.healed_from).as_millis() as u64 > RECOVERY_MS_MAX);
    let silent = late.filter(|frame| frame.kind == Kind::Hold || frame.peak < 0.001).count();
    if silent == 0 {
        return Broken::new();
    }
    vec![format!("{silent} frames of hold or silence long after everything was well")]
}

#[cfg(test)]
mod tests;
