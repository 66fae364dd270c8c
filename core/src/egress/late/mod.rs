//! The delayed tier: the program about half a minute later, as plain HLS (RFC 8216), in segments of 5.76 s.
//!
//! Eighteen parts are the whole number of program segments nearest to 6 s, and the cut of the replay. A
//! segment is held back until two more are whole, and a player begins three before the newest it is told of:
//! 28.8 to 34.6 s behind. So much is sealed on the disk long before anybody hears it here. Every answer is
//! the same for everybody and changes no more, so that any cache in front carries it, and a listener is
//! nothing but requests.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use crate::program::playlist::{first_heard, seconds};
use crate::program::{
    Codec, DEFAULT, Edition, Joint, PART_MS, PART_SAMPLES, Part, PartNo, Rendition, Renditions, SEGMENT_PARTS,
};
use crate::time::{RATE_HZ, WallTime};

#[cfg(test)]
mod tests;

/// Parts in a segment of the delayed tier: 5.76 s.
pub const LATE_PARTS: u64 = 3 * SEGMENT_PARTS;
/// The same in milliseconds.
pub const LATE_SEGMENT_MS: u64 = LATE_PARTS * PART_MS;
/// How far behind live who begins now is, in whole seconds: at least, at most.
pub const BEHIND_S: [u64; 2] = {
    let least_ms = (HELD_BACK + BEGIN_BEFORE) as u64 * LATE_SEGMENT_MS;
    [least_ms / 1_000, (least_ms + LATE_SEGMENT_MS).div_ceil(1_000)]
};
/// EXT-X-TARGETDURATION: 5.76 s, rounded.
const TARGET_DURATION_S: u64 = 6;
/// Whole segments that no playlist names yet.
const HELD_BACK: usize = 2;
/// A player begins so many segments before the end of the playlist (RFC 8216, section 6.3.3); with fewer
/// there is no playlist.
const BEGIN_BEFORE: usize = 3;
/// Segments in a playlist while the program goes on.
const LISTED_MAX: usize = 5;
/// Segments in memory: one that left the playlist is there for its own length and the playlist's (section
/// 6.2.2).
const KEPT_MAX: usize = HELD_BACK + 2 * LISTED_MAX + 1;

/// Bytes a second that one listener takes: the frames, and the heads of their chunks.
pub fn listener_bytes_s() -> f64 {
    let bit_rate = DEFAULT.iter().filter(|spec| spec.codec == Codec::AacLc).map(|spec| spec.bit_rate).max();
    let heads_bytes_s = f64::from(CHUNK_HEAD_BYTES) / (PART_MS as f64 / 1e3);
    f64::from(bit_rate.unwrap_or_default()) / 8.0 + heads_bytes_s
}

/// Bytes of one segment, by the same.
pub fn segment_bytes() -> f64 {
    listener_bytes_s() * LATE_SEGMENT_MS as f64 / 1e3
}

/// `moof` around fifteen frames, and the head of `mdat`.
const CHUNK_HEAD_BYTES: u32 = 104 + 4 * Codec::AacLc.units_per_part() as u32;

const _: () = assert!(LATE_PARTS * PART_SAMPLES <= TARGET_DURATION_S * RATE_HZ as u64);

/// One segment: the same bytes for everybody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Its media sequence number.
    pub number: u64,
    /// Parts in it: fewer than [`LATE_PARTS`] only where a run begins or the program ends.
    pub parts: u64,
    /// CMAF chunks, one after the other.
    pub bytes: Bytes,
    began_at: WallTime,
}

/// What is served of the delayed tier at one moment; never changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Late {
    /// The media playlist; none while there is too little to begin with.
    pub playlist: Option<Bytes>,
    segments: Vec<Segment>,
}

impl Late {
    /// A segment by its number, while it is kept and once a playlist may name it.
    pub fn segment(&self, number: u64) -> Option<&Segment> {
        self.segments.iter().find(|segment| segment.number == number)
    }

    /// The newest segment.
    pub fn newest(&self) -> Option<&Segment> {
        self.segments.last()
    }
}

/// The rendition of the delayed tier: the best AAC, which every player of HLS decodes and which is the one
/// that is recorded; without AAC the first.
pub fn rendition(renditions: &Renditions) -> usize {
    renditions.best(Codec::AacLc).unwrap_or_default()
}

/// Cuts the delayed tier out of the program, part by part.
#[derive(Clone, Debug)]
pub struct Delay {
    place: usize,
    rendition: Option<Rendition>,
    folder: String,
    /// Whole ones of this run, oldest first.
    segments: VecDeque<Segment>,
    /// The first segment of this run: the discontinuity sequence, which none before can have reached.
    run: u64,
    next: Option<PartNo>,
    open: Option<Open>,
}

/// A segment that is not whole.
#[derive(Clone, Debug)]
struct Open {
    number: u64,
    parts: u64,
    bytes: BytesMut,
    began_at: WallTime,
}

impl Delay {
    /// Before the first part.
    pub fn new(renditions: &Renditions, edition: Edition) -> Self {
        let place = rendition(renditions);
        let rendition = renditions.get(place).cloned();
        let name = rendition.as_ref().map(Rendition::name).unwrap_or_default();
        let folder = format!("{name}/{edition}");
        Self { place, rendition, folder, segments: VecDeque::new(), run: 0, next: None, open: None }
    }

    /// Takes the next part; gives what is served from now on, when that is something new.
    ///
    /// What lies before a gap is gone with it, as in the live window: a playlist counts without gaps.
    pub fn append(&mut self, part: &Part) -> Option<Late> {
        let number = part.no.0 / LATE_PARTS;
        if self.next != Some(part.no) || part.joint == Joint::AfterGap {
            self.segments.clear();
            (self.open, self.run) = (None, number);
        }
        self.next = Some(part.no.next());
        let began_at = part.began_at;
        let open =
            self.open.get_or_insert_with(|| Open { number, parts: 0, bytes: BytesMut::new(), began_at });
        open.bytes.extend_from_slice(&part.tracks[self.place].chunk);
        open.parts += 1;
        if part.no.0 % LATE_PARTS < LATE_PARTS - 1 {
            return None;
        }
        self.close();
        let over = self.segments.len().saturating_sub(KEPT_MAX);
        self.segments.drain(..over);
        let served = self.segments.len().saturating_sub(HELD_BACK);
        Some(self.serve(served, Edge::Open))
    }

    /// The program is over: what was held back is not any longer.
    pub fn end(&mut self) -> Late {
        self.close();
        self.serve(self.segments.len(), Edge::Ended)
    }

    fn close(&mut self) {
        let Some(Open { number, parts, bytes, began_at }) = self.open.take() else { return };
        self.segments.push_back(Segment { number, parts, bytes: bytes.freeze(), began_at });
    }

    /// The oldest `served` segments, and a playlist of the newest of them.
    fn serve(&self, served: usize, edge: Edge) -> Late {
        let listed_max = match edge {
            Edge::Open => LISTED_MAX,
            // Nobody loses what the playlist had before.
            Edge::Ended => LISTED_MAX + HELD_BACK + 1,
        };
        let segments: Vec<Segment> = self.segments.iter().take(served).cloned().collect();
        let listed = &segments[served.saturating_sub(listed_max)..];
        let enough = listed.len() >= BEGIN_BEFORE || (edge == Edge::Ended && !listed.is_empty());
        let playlist = enough.then(|| self.render(listed, edge).into());
        Late { playlist, segments }
    }

    fn render(&self, listed: &[Segment], edge: Edge) -> String {
        let folder = &self.folder;
        let mut out = format!(
            "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{TARGET_DURATION_S}\n\
             #EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MEDIA-SEQUENCE:{}\n#EXT-X-DISCONTINUITY-SEQUENCE:{}\n\
             #EXT-X-MAP:URI=\"{folder}/init.mp4\"\n",
            listed.first().map_or(0, |first| first.number),
            self.run,
        );
        for Segment { number, parts, began_at, .. } in listed {
            if let Some(rendition) = &self.rendition {
                out += &format!("#EXT-X-PROGRAM-DATE-TIME:{}\n", first_heard(*began_at, rendition));
            }
            out += &format!("#EXTINF:{},\n{folder}/{number}.mp4\n", seconds(*parts));
        }
        if edge == Edge::Ended {
            out += "#EXT-X-ENDLIST\n";
        }
        out
    }
}

/// Whether parts will follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Edge {
    Open,
    Ended,
}
