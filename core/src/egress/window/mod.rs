//! The parts still served live, as one immutable snapshot, and one listener's place among them.
//!
//! One writer makes a new snapshot for each part; readers hold one for as long as they need it. Listeners of
//! every kind share the parts' bytes and the playlists, which are written once a part and not once a
//! listener.

use std::sync::Arc;

use bytes::Bytes;

use crate::program::playlist::{Form, Live, Published};
use crate::program::{Edition, Joint, PART_SAMPLES, Part, PartNo, Renditions, SEGMENT_PARTS};
use crate::time::MediaTime;

/// Parts kept at most: 32 segments, 61.44 s.
pub const WINDOW_PARTS_MAX: usize = 192;
/// A moment so close before a part counts as its beginning: a frame, since players cut priming off and
/// round.
const RESUME_SLACK_SAMPLES: u64 = 960;

/// The live parts, in order and without a gap in their numbers; the first begins a segment. Cloning copies a
/// pointer.
#[derive(Clone, Debug)]
pub struct Window {
    inner: Arc<Inner>,
}

/// What follows the newest part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// The next one, when it is cut.
    Live,
    /// Nothing for now: the node stops in the middle of the program, and goes on with it when it is back.
    Paused,
    /// Nothing: the program is over.
    Ended,
}

#[derive(Debug)]
struct Inner {
    renditions: Arc<Renditions>,
    edition: Edition,
    parts: Vec<Arc<Part>>,
    discontinuities: u64,
    edge: Edge,
    /// Full and delta, for each rendition; empty before the first part.
    playlists: Vec<[Bytes; 2]>,
}

impl Window {
    /// A window before the first part.
    pub fn new(renditions: Arc<Renditions>, edition: Edition) -> Self {
        let edge = Edge::Live;
        let parts = Vec::new();
        Inner { renditions, edition, parts, discontinuities: 0, edge, playlists: Vec::new() }.publish()
    }

    /// The window with one more part at its end.
    ///
    /// A part whose number does not follow begins the window anew: what lies before a gap is not live any
    /// more, and segments in a playlist are numbered without gaps. The discontinuity sequence is then the
    /// segment's own number, which no earlier one can have reached, also when another process wrote the
    /// playlists before.
    ///
    /// # Panics
    /// When a part that begins the window anew is in the middle of a segment; the cutter makes none such.
    #[must_use]
    pub fn append(&self, part: Arc<Part>) -> Self {
        let follows = self.last().is_some_and(|last| {
            let joined = part.joint == Joint::Continues || part.no.in_segment() == 0;
            last.no.next() == part.no && joined
        });
        let mut next = Inner {
            renditions: Arc::clone(&self.inner.renditions),
            edition: self.inner.edition,
            parts: Vec::with_capacity(WINDOW_PARTS_MAX + 1),
            discontinuities: part.no.segment(),
            edge: Edge::Live,
            playlists: Vec::new(),
        };
        if follows {
            let kept = &self.inner.parts[self.outgrown()..];
            next.parts.extend_from_slice(kept);
            next.discontinuities = self.inner.discontinuities + self.discontinuities_before(kept);
        }
        assert!(follows || part.no.in_segment() == 0, "a run of parts begins a segment");
        next.parts.push(part);
        next.publish()
    }

    /// The same window, with the word that no part will follow.
    #[must_use]
    pub fn end(&self) -> Self {
        Inner {
            renditions: Arc::clone(&self.inner.renditions),
            edition: self.inner.edition,
            parts: self.inner.parts.clone(),
            discontinuities: self.inner.discontinuities,
            edge: Edge::Ended,
            playlists: Vec::new(),
        }
        .publish()
    }

    /// The same window and playlists, with the word that no part will follow from this node before it is
    /// back: whoever listens is to come again, and not to think that it was the end.
    #[must_use]
    pub fn pause(&self) -> Self {
        let inner = Inner {
            renditions: Arc::clone(&self.inner.renditions),
            edition: self.inner.edition,
            parts: self.inner.parts.clone(),
            discontinuities: self.inner.discontinuities,
            edge: Edge::Paused,
            playlists: self.inner.playlists.clone(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// What the program is coded as.
    pub fn renditions(&self) -> &Arc<Renditions> {
        &self.inner.renditions
    }

    /// Which program of its name it is.
    pub fn edition(&self) -> Edition {
        self.inner.edition
    }

    /// The oldest part.
    pub fn first(&self) -> Option<&Arc<Part>> {
        self.inner.parts.first()
    }

    /// The newest part.
    pub fn last(&self) -> Option<&Arc<Part>> {
        self.inner.parts.last()
    }

    /// One part by its number, while it is in the window.
    pub fn get(&self, no: PartNo) -> Option<&Arc<Part>> {
        let place = no.0.checked_sub(self.first()?.no.0)?;
        self.inner.parts.get(usize::try_from(place).ok()?)
    }

    /// The parts of a segment that a playlist may name: all six of them, or fewer when no more will come.
    pub fn segment(&self, segment: u64) -> Option<&[Arc<Part>]> {
        let start = segment.checked_mul(SEGMENT_PARTS)?.checked_sub(self.first()?.no.0)?;
        let start = usize::try_from(start).ok()?;
        let parts = self.inner.parts.get(start..)?;
        let parts = &parts[..parts.len().min(SEGMENT_PARTS as usize)];
        let whole = parts.len() as u64 == SEGMENT_PARTS || (self.is_ended() && !parts.is_empty());
        whole.then_some(parts)
    }

    /// The media playlist of rendition number `index`; `None` before the first part.
    pub fn playlist(&self, index: usize, form: Form) -> Option<&Bytes> {
        let [full, delta] = self.inner.playlists.get(index)?;
        match form {
            Form::Full => Some(full),
            Form::Delta => Some(delta),
        }
    }

    /// What blocking reloads are answered from.
    pub fn published(&self) -> Published {
        Published { last: self.last().map(|part| part.no), ended: self.is_ended() }
    }

    /// What follows the newest part.
    pub fn edge(&self) -> Edge {
        self.inner.edge
    }

    fn is_ended(&self) -> bool {
        self.inner.edge == Edge::Ended
    }

    /// Parts that leave when one more comes: whole segments, so that the first one kept begins a segment.
    fn outgrown(&self) -> usize {
        let over = (self.inner.parts.len() + 1).saturating_sub(WINDOW_PARTS_MAX);
        (over.div_ceil(SEGMENT_PARTS as usize) * SEGMENT_PARTS as usize).min(self.inner.parts.len())
    }

    /// Discontinuities that leave the playlist when it begins with the first of `kept`: one before each run
    /// that began after the window's first part, up to and including that first part.
    fn discontinuities_before(&self, kept: &[Arc<Part>]) -> u64 {
        let Some(first_kept) = kept.first() else { return 0 };
        let gone = self.inner.parts.iter().skip(1).take_while(|part| part.no <= first_kept.no);
        gone.filter(|part| part.joint == Joint::AfterGap).count() as u64
    }
}

impl Inner {
    fn publish(mut self) -> Window {
        if !self.parts.is_empty() {
            let live = Live {
                renditions: &self.renditions,
                edition: self.edition,
                parts: &self.parts,
                discontinuities: self.discontinuities,
                ended: self.edge == Edge::Ended,
            };
            let write = |index| [Form::Full, Form::Delta].map(|form| Bytes::from(live.render(index, form)));
            self.playlists = (0..self.renditions.iter().len()).map(write).collect();
        }
        Window { inner: Arc::new(self) }
    }
}

/// One listener's place in the program: the number of the part that comes next; none for who came before the
/// first part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    next: Option<PartNo>,
}

/// What a listener does next.
#[derive(Clone, Copy, Debug)]
pub enum Step<'w> {
    /// Send this part.
    Part(&'w Arc<Part>),
    /// Wait for the next snapshot.
    Wait,
    /// The listener was too slow: so many parts are gone, and it goes on with the oldest still there.
    Skipped {
        /// Parts of the program that this listener will not hear.
        parts: u64,
    },
    /// The node stops: break off, so that the listener comes back.
    Paused,
    /// The program is over.
    Ended,
}

impl Cursor {
    /// Where a progressive listener joins: at the newest part, or at whatever comes first.
    pub fn join(window: &Window) -> Self {
        Self { next: window.last().map(|part| part.no) }
    }

    /// Where a listener joins who gets the newest `parts` parts at once, as far as there are so many.
    pub fn join_with(window: &Window, parts: u64) -> Self {
        let first = window.first().map_or(0, |part| part.no.0);
        Self { next: window.last().map(|part| PartNo((part.no.0 + 1).saturating_sub(parts).max(first))) }
    }

    /// Where a listener goes on who has had the program up to the moment `at`: at the part that holds it, or
    /// that will begin with it; `None` when the window has no such part.
    pub fn resume(window: &Window, at: MediaTime) -> Option<Self> {
        let next = PartNo(at.0.checked_add(RESUME_SLACK_SAMPLES)? / PART_SAMPLES);
        let (first, last) = (window.first()?.no, window.last()?.no);
        (first <= next && next <= last.next()).then_some(Self { next: Some(next) })
    }

    /// Where a listener who has had everything before `next` goes on.
    pub const fn at(next: PartNo) -> Self {
        Self { next: Some(next) }
    }

    /// The number of the part that comes next; `None` before the program's first.
    pub const fn next(self) -> Option<PartNo> {
        self.next
    }

    /// One step in the newest snapshot.
    pub fn step<'w>(&mut self, window: &'w Window) -> Step<'w> {
        let next = self.next.or(window.first().map(|part| part.no)).unwrap_or_default();
        if let Some(first) = window.first()
            && next < first.no
        {
            self.next = Some(first.no);
            return Step::Skipped { parts: first.no.since(next) };
        }
        match window.get(next) {
            Some(part) => {
                self.next = Some(next.next());
                Step::Part(part)
            }
            None => match window.edge() {
                Edge::Live => Step::Wait,
                Edge::Paused => Step::Paused,
                Edge::Ended => Step::Ended,
            },
        }
    }
}

#[cfg(test)]
mod tests;
