//! The media playlist of a live rendition, and its delta update.

use std::sync::Arc;

use super::{TARGET_DURATION_S, first_heard, seconds};
use crate::program::part::{Joint, PartNo, Rendition, SEGMENT_PARTS};
use crate::program::{Edition, Part, Renditions};

/// How far from the end a player without low latency begins, in seconds: three target durations (4.4.3.8).
const HOLD_BACK_S: u64 = 3 * TARGET_DURATION_S;
/// The same for a player with: a little over three parts, so that a late one does not stall it.
const PART_HOLD_BACK: &str = "1.00000";
/// Whole segments at the end that a delta update never leaves out; 13.44 s, and the least allowed is six
/// target durations (4.4.3.8).
pub const SKIP_SEGMENTS_MIN: usize = 7;
/// Whole segments at the end whose parts are listed too: three target durations (6.2.2).
const SEGMENTS_IN_PARTS: usize = 4;

/// Everything, or only what is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The whole window.
    Full,
    /// Old segments as a count (6.2.5.1), for `_HLS_skip=YES`.
    Delta,
}

/// What a live playlist is written from.
#[derive(Clone, Copy, Debug)]
pub struct Live<'w> {
    /// The program's coded forms.
    pub renditions: &'w Renditions,
    /// Which program of this name it is.
    pub edition: Edition,
    /// In order; the first begins a segment, and numbers have no gap.
    pub parts: &'w [Arc<Part>],
    /// The discontinuity sequence number of the first segment.
    pub discontinuities: u64,
    /// No part will follow.
    pub ended: bool,
}

impl Live<'_> {
    /// The media playlist of rendition number `index`; empty when there is no such rendition.
    pub fn render(&self, index: usize, form: Form) -> String {
        let Some(rendition) = self.renditions.get(index) else { return String::new() };
        let folder = self.folder(rendition);
        let first = self.parts.first().map_or(PartNo(0), |part| part.no);
        let mut out = head(first.segment(), self.discontinuities);
        let segments: Vec<&[Arc<Part>]> = self.parts.chunks(SEGMENT_PARTS as usize).collect();
        let whole = segments.iter().filter(|parts| self.is_listed(parts)).count();
        let skipped = match form {
            Form::Full => 0,
            Form::Delta => whole.saturating_sub(SKIP_SEGMENTS_MIN),
        };
        if skipped > 0 {
            out += &format!("#EXT-X-SKIP:SKIPPED-SEGMENTS={skipped}\n");
        } else {
            out += &format!("#EXT-X-MAP:URI=\"{folder}/init.mp4\"\n");
        }
        for (at, parts) in segments.iter().enumerate().skip(skipped) {
            self.put_segment(&mut out, rendition, parts, at + SEGMENTS_IN_PARTS >= whole);
        }
        self.put_edge(&mut out, index, &folder);
        out
    }

    /// Where its parts lie, beside the playlist.
    fn folder(&self, rendition: &Rendition) -> String {
        format!("{}/{}", rendition.name(), self.edition)
    }

    /// A segment is listed when all its parts are there, or no more will come.
    fn is_listed(&self, parts: &[Arc<Part>]) -> bool {
        parts.len() as u64 == SEGMENT_PARTS || self.ended
    }

    fn put_segment(&self, out: &mut String, rendition: &Rendition, parts: &[Arc<Part>], in_parts: bool) {
        let Some(first) = parts.first() else { return };
        // The first run's beginning is no discontinuity: nothing lies before it.
        if first.joint == Joint::AfterGap && self.parts.first().is_some_and(|part| part.no != first.no) {
            *out += "#EXT-X-DISCONTINUITY\n";
        }
        *out += &format!("#EXT-X-PROGRAM-DATE-TIME:{}\n", first_heard(first.began_at, rendition));
        let folder = self.folder(rendition);
        if in_parts {
            for part in parts {
                *out += &format!(
                    "#EXT-X-PART:DURATION={},URI=\"{folder}/{}.part.mp4\",INDEPENDENT=YES\n",
                    seconds(1),
                    part.no.0
                );
            }
        }
        if self.is_listed(parts) {
            *out +=
                &format!("#EXTINF:{},\n{folder}/{}.mp4\n", seconds(parts.len() as u64), first.no.segment());
        }
    }

    /// What comes next, and how far the others are.
    fn put_edge(&self, out: &mut String, index: usize, folder: &str) {
        if self.ended {
            *out += "#EXT-X-ENDLIST\n";
            return;
        }
        let Some(last) = self.parts.last() else { return };
        *out += &format!("#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"{folder}/{}.part.mp4\"\n", last.no.next().0);
        for (_, other) in self.renditions.iter().enumerate().filter(|&(at, _)| at != index) {
            *out += &format!(
                "#EXT-X-RENDITION-REPORT:URI=\"{}.m3u8\",LAST-MSN={},LAST-PART={}\n",
                other.name(),
                last.no.segment(),
                last.no.in_segment(),
            );
        }
    }
}

fn head(first_segment: u64, discontinuities: u64) -> String {
    format!(
        "#EXTM3U\n\
         #EXT-X-VERSION:9\n\
         #EXT-X-TARGETDURATION:{TARGET_DURATION_S}\n\
         #EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL={}.00000,HOLD-BACK={HOLD_BACK_S}.00000,\
         PART-HOLD-BACK={PART_HOLD_BACK}\n\
         #EXT-X-PART-INF:PART-TARGET={}\n\
         #EXT-X-INDEPENDENT-SEGMENTS\n\
         #EXT-X-MEDIA-SEQUENCE:{first_segment}\n\
         #EXT-X-DISCONTINUITY-SEQUENCE:{discontinuities}\n",
        6 * TARGET_DURATION_S,
        seconds(1),
    )
}
