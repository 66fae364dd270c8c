//! Blocking reload (6.2.5.2): whether a playlist that a player asks for by number can be answered now.

use crate::program::part::{PartNo, SEGMENT_PARTS};

/// How many parts past the last one may be asked for: three divided by the part's 0.32 s (6.2.5.2).
pub const ADVANCE_PARTS_MAX: u64 = 10;
/// How many segments past the last whole one may be asked for (6.2.5.2).
const ADVANCE_SEGMENTS_MAX: u64 = 2;

/// `_HLS_msn` and `_HLS_part`, as far as they were given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ask {
    /// The segment that must be in the playlist.
    pub segment: Option<u64>,
    /// The part of that segment, counted from 0; without it the whole segment is meant.
    pub part: Option<u64>,
}

/// What a playlist holds now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// The last part in it; `None` before the first.
    pub last: Option<PartNo>,
    /// No part will follow.
    pub ended: bool,
}

/// The answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reload {
    /// Send the playlist as it is.
    Ready,
    /// Ask again when the next part is there.
    Wait,
    /// 400: nobody can know about this part yet.
    TooFarAhead,
    /// 400: a part of no segment.
    PartWithoutSegment,
}

impl Ask {
    /// Whether the playlist can be sent.
    pub fn answer(self, now: Published) -> Reload {
        let Some(segment) = self.segment else {
            return match self.part {
                Some(_) => Reload::PartWithoutSegment,
                None if now.last.is_some() || now.ended => Reload::Ready,
                None => Reload::Wait,
            };
        };
        if now.ended {
            return Reload::Ready;
        }
        // A part past its segment's last is the first of the next one, which is what plain counting makes of
        // it for every number a player can mean; a whole segment is there with its last part.
        let part = self.part.unwrap_or(SEGMENT_PARTS - 1).min(SEGMENT_PARTS);
        let wanted = segment.checked_mul(SEGMENT_PARTS).and_then(|start| start.checked_add(part));
        let (Some(wanted), Some(last)) = (wanted, now.last) else {
            // Before the first part there is nothing to count from.
            return if wanted.is_some() { Reload::Wait } else { Reload::TooFarAhead };
        };
        if wanted <= last.0 {
            return Reload::Ready;
        }
        let whole_segments = last.next().segment();
        let segment_too_far = segment >= whole_segments + ADVANCE_SEGMENTS_MAX;
        let part_too_far = self.part.is_some() && wanted - last.0 > ADVANCE_PARTS_MAX;
        if segment_too_far || part_too_far { Reload::TooFarAhead } else { Reload::Wait }
    }
}
