//! What one channel's listeners are handed, made once for all of them.

use std::collections::VecDeque;

use bytes::Bytes;
use tribune_core::door::capacity::Tier;
use tribune_core::egress::Window;
use tribune_core::program::{Part, PartNo, SEGMENT_PARTS};

use super::chunk;
use crate::egress::live::Form;
use crate::egress::place::Place;

/// Pieces kept: who is further behind than this is alone there, or nearly so.
const KEPT: usize = 8;

/// What all who hear the same bytes have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    form: Form,
    rendition: usize,
    tier: Tier,
}

impl Key {
    pub(super) fn of(place: &Place) -> Self {
        Self { form: place.form(), rendition: place.rendition(), tier: place.tier() }
    }

    /// How they are served.
    pub(super) const fn tier(self) -> Tier {
        self.tier
    }
}

pub(super) struct Pieces {
    key: Key,
    made: VecDeque<(PartNo, u64, Bytes)>,
    /// Bytes handed over since they were counted last.
    pub(super) sent_bytes: u64,
}

impl Pieces {
    pub(super) const fn new(key: Key) -> Self {
        Self { key, made: VecDeque::new(), sent_bytes: 0 }
    }

    /// The piece that begins with `part`, and of how many parts it is: of a whole segment for those who are
    /// served so.
    pub(super) fn from(&mut self, window: &Window, part: &Part) -> (u64, Bytes) {
        if let Some((_, parts, piece)) = self.made.iter().rev().find(|(no, ..)| *no == part.no) {
            return (*parts, piece.clone());
        }
        let bytes = |part: &Part| self.key.form.bytes(&part.tracks[self.key.rendition]).clone();
        let (parts, piece) = match (self.key.tier, window.segment(part.no.segment())) {
            (Tier::Segments, Some(parts)) if part.no.in_segment() == 0 => {
                let tracks: Vec<Bytes> = parts.iter().map(|part| bytes(part)).collect();
                (parts.len() as u64, chunk::chunk(tracks.iter()))
            }
            _ => (1, chunk::chunk([bytes(part)].iter())),
        };
        debug_assert!(parts <= SEGMENT_PARTS, "a piece is a part or a segment");
        if self.made.len() == KEPT {
            self.made.pop_front();
        }
        self.made.push_back((part.no, parts, piece.clone()));
        (parts, piece)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tribune_core::mix::Kind;
    use tribune_core::program::{DEFAULT, Edition, Renditions, synthetic};
    use tribune_core::time::WallTime;

    use super::*;

    fn window(parts: u64) -> Window {
        let renditions = Arc::new(Renditions::new(&DEFAULT[..1]).expect("legal"));
        let part = |no| Arc::new(synthetic::part(PartNo(no), Kind::Conversation, 1));
        let empty = Window::new(renditions, Edition(WallTime(0)));
        (0..parts).fold(empty, |window, no| window.append(part(no)))
    }

    #[test]
    fn a_piece_is_made_once_and_is_a_part_or_a_whole_segment() {
        let window = window(8);
        let bytes = |no| window.get(PartNo(no)).expect("it is there").tracks[0].stream.clone();
        for (tier, first, parts) in [
            (Tier::Full, 0, 1),
            (Tier::LowBitRate, 3, 1),
            (Tier::Segments, 0, 6),
            (Tier::Segments, 1, 1),
            (Tier::Segments, 6, 1),
        ] {
            let mut pieces = Pieces::new(Key { form: Form::Opus, rendition: 0, tier });
            let part = window.get(PartNo(first)).expect("it is there");
            let expected: Vec<Bytes> = (first..first + parts).map(bytes).collect();
            let (of, piece) = pieces.from(&window, part);
            assert_eq!((of, &piece), (parts, &chunk::chunk(expected.iter())), "{tier:?} from {first}");
            let again = pieces.from(&window, part).1;
            assert_eq!(again.as_ptr(), piece.as_ptr(), "it is the same piece");
        }
    }

    #[test]
    fn only_the_newest_pieces_are_kept() {
        let window = window(20);
        let mut pieces = Pieces::new(Key { form: Form::Opus, rendition: 0, tier: Tier::Full });
        for no in 0..20 {
            pieces.from(&window, window.get(PartNo(no)).expect("it is there"));
        }
        assert_eq!(pieces.made.len(), KEPT);
        assert_eq!(
            pieces.from(&window, window.get(PartNo(0)).expect("it is there")).0,
            1,
            "it is made again"
        );
    }
}
