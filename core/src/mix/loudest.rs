//! Who of many open inputs is in the mix: the loudest few, without flutter and without cutting a word.
//!
//! A place once taken is kept until somebody louder needs it, also through pauses. So up to [`LOUDEST_MAX`] voices are always
//! open and never gated at all; only above that does one voice push out another, and then the one who has been quiet longest
//! goes first.

/// Levelled inputs that are in the mix at once.
pub const LOUDEST_MAX: usize = 4;
/// Somebody outside must speak at least this loud (after levelling) to push another out, in LUFS.
pub const SPEAKING_LUFS: f64 = -45.0;
/// And by so much louder than the one who goes, in LU.
pub const HYSTERESIS_LU: f64 = 6.0;
/// After a word, a voice's standing falls by so much in a second, in LU.
pub const HANGOVER_LU_PER_S: f64 = 20.0;

const FRAMES_PER_S: f64 = 50.0;
const QUIETEST_LUFS: f64 = -120.0;

/// Whether a voice has one of the places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// It is in the mix.
    In,
    /// It is not.
    Out,
}

/// One voice's standing among the others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    lufs: f64,
    /// Whether it is in the mix.
    pub place: Place,
}

impl Standing {
    /// Not heard yet.
    pub const fn new() -> Self {
        Self { lufs: QUIETEST_LUFS, place: Place::Out }
    }

    /// Up at once, down slowly.
    pub fn hear(&mut self, frame_lufs: f64) {
        self.lufs = frame_lufs.max(self.lufs - HANGOVER_LU_PER_S / FRAMES_PER_S).max(QUIETEST_LUFS);
    }

    /// Whether it is heard to speak, pauses between words included.
    pub fn speaks(&self) -> bool {
        self.lufs >= SPEAKING_LUFS
    }
}

/// A place that passes to a voice, from another one when all were taken. The numbers are the voices' places in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    /// Who comes into the mix.
    pub comes: usize,
    /// Who goes for it.
    pub goes: Option<usize>,
}

/// The next change, if there is one: a free place goes to anybody, a taken one to who is louder by the hysteresis.
pub(crate) fn next_change<'a>(standings: impl Iterator<Item = (usize, &'a Standing)>) -> Option<Change> {
    let mut taken = 0;
    let mut quietest_in: Option<(usize, &Standing)> = None;
    let mut loudest_out: Option<(usize, &Standing)> = None;
    for (at, standing) in standings {
        match standing.place {
            Place::In => {
                taken += 1;
                if quietest_in.is_none_or(|(_, other)| standing.lufs < other.lufs) {
                    quietest_in = Some((at, standing));
                }
            }
            Place::Out => {
                if loudest_out.is_none_or(|(_, other)| standing.lufs > other.lufs) {
                    loudest_out = Some((at, standing));
                }
            }
        }
    }
    let (comes, challenger) = loudest_out?;
    if taken < LOUDEST_MAX {
        return Some(Change { comes, goes: None });
    }
    let (goes, incumbent) = quietest_in?;
    (challenger.speaks() && challenger.lufs >= incumbent.lufs + HYSTERESIS_LU)
        .then_some(Change { comes, goes: Some(goes) })
}
