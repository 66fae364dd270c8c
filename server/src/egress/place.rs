//! One listener's place in the program as it goes over the wire: what decoders need first, then part after
//! part, with titles between them where a player asked for them, and the end.
//!
//! It neither waits nor sends. Whoever owns the connection asks what comes next, of the newest window.

use std::sync::Arc;

use bytes::Bytes;
use tribune_core::door::capacity::Tier;
use tribune_core::egress::{Cursor, Icy, Step, Window};
use tribune_core::program::{Part, Renditions, SEGMENT_PARTS, TrackPart, ogg};
use tribune_core::time::Time;

use super::live::Form;
use super::tier;
use crate::capacity::Served;
use crate::door::audience::Seat;
use crate::guard::Ear;
use crate::program::Titles;
use crate::window::CutTimes;

/// What a listener is to be sent next.
#[derive(Debug)]
pub enum Next<'w> {
    /// What decoders need before the first part.
    Head(Bytes),
    /// A part; [`Place::hands_out`] is told when it is handed to the connection.
    Part(&'w Arc<Part>),
    /// Nothing before the next snapshot.
    Wait,
    /// Nothing more, and the stream has not ended: they are to come again.
    BreakOff,
    /// The last bytes of the stream, if it ends with any; then it is over.
    End(Option<Bytes>),
    /// Nothing more.
    Over,
}

/// How far one answer has come.
#[derive(Debug)]
enum Stage {
    /// Nothing was sent; what decoders need first is made when the first part is known.
    Before { title: Box<str> },
    /// Parts are sent.
    Within,
    /// Everything was sent.
    After,
}

/// A stream with titles between its bytes, and where the titles come from.
pub(super) struct Titled {
    titles: Titles,
    shown: Arc<String>,
    icy: Icy,
}

impl Titled {
    pub(super) fn new(titles: Titles) -> Self {
        let shown = titles.now();
        Self { icy: Icy::new(&shown), shown, titles }
    }

    /// Lays the title blocks that are due between the bytes of a part.
    fn interleave(&mut self, bytes: Bytes) -> Vec<Bytes> {
        let now = self.titles.now();
        if !Arc::ptr_eq(&now, &self.shown) {
            self.icy.retitle(&now);
            self.shown = now;
        }
        let mut pieces = Vec::new();
        self.icy.interleave(bytes, &mut pieces);
        pieces
    }
}

/// Whether a listener was there for a part before it was cut: only then it is the node that is late, and not
/// the listener.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Waited {
    No,
    Yes,
}

/// Who said which rendition it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chosen {
    /// The listener, who keeps it.
    ByName,
    /// We: the one that fits how everybody is served.
    ByUs,
}

/// What a place is made of.
pub(super) struct Begin {
    pub(super) form: Form,
    pub(super) rendition: usize,
    pub(super) chosen: Chosen,
    /// How everybody was served when they came.
    pub(super) wanted: Tier,
    pub(super) title: Box<str>,
    pub(super) cursor: Cursor,
    pub(super) cut: Arc<CutTimes>,
    pub(super) icy: Option<Titled>,
    pub(super) served: Served,
    pub(super) ear: Option<Ear>,
    pub(super) seat: Seat,
}

/// One listener.
pub struct Place {
    cursor: Cursor,
    stage: Stage,
    waited: Waited,
    form: Form,
    rendition: u8,
    chosen: Chosen,
    wanted: Tier,
    cut: Arc<CutTimes>,
    served: Served,
    icy: Option<Box<Titled>>,
    ear: Option<Ear>,
    seat: Seat,
}

impl Place {
    pub(super) fn new(begin: Begin) -> Self {
        let Begin { form, rendition, chosen, wanted, title, cursor, cut, icy, served, ear, seat } = begin;
        Self {
            cursor,
            stage: Stage::Before { title },
            waited: Waited::No,
            form,
            rendition: u8::try_from(rendition).unwrap_or(u8::MAX),
            chosen,
            wanted,
            cut,
            served,
            icy: icy.map(Box::new),
            ear,
            seat,
        }
    }

    /// The form of the answer.
    pub const fn form(&self) -> Form {
        self.form
    }

    /// Which of the program's renditions it is sent.
    pub const fn rendition(&self) -> usize {
        self.rendition as usize
    }

    /// How it is served.
    pub fn tier(&self) -> Tier {
        self.served.tier()
    }

    /// Whether titles lie between its bytes, so that they are not the same for all.
    pub const fn is_titled(&self) -> bool {
        self.icy.is_some()
    }

    /// Between two parts: goes over to how everybody is served now, as far as this one can be. Every part
    /// begins afresh in every rendition, and its number, its page and its time are the same in all, so that
    /// nothing of it is to be heard. Says whether what comes next is something else than it would have
    /// been.
    pub fn follows(&mut self, renditions: &Renditions) -> bool {
        let wanted = self.served.wanted();
        if wanted == self.wanted {
            return false;
        }
        self.wanted = wanted;
        let (before, served) = (self.rendition, self.served.tier());
        if self.chosen == Chosen::ByUs
            && let Some(rendition) = tier::rendition(renditions, self.form, wanted)
        {
            self.rendition = u8::try_from(rendition).unwrap_or(before);
        }
        let paid = tier::paid(renditions, (self.form, self.rendition()), wanted);
        if paid != served {
            self.served.change(paid);
        }
        before != self.rendition || paid != served
    }

    /// What comes next.
    pub fn next<'w>(&mut self, window: &'w Window) -> Next<'w> {
        if matches!(self.stage, Stage::After) || self.seat.is_over() {
            return Next::Over;
        }
        loop {
            let before = self.cursor;
            match self.cursor.step(window) {
                Step::Part(part) => {
                    if let Some(head) = self.begins(window) {
                        // The part is asked for again.
                        self.cursor = before;
                        return Next::Head(head);
                    }
                    return Next::Part(part);
                }
                Step::Skipped { parts } => self.seat.skipped(parts),
                Step::Wait => {
                    self.waited = Waited::Yes;
                    return Next::Wait;
                }
                Step::Paused => {
                    self.stage = Stage::After;
                    self.seat.broken_off();
                    return Next::BreakOff;
                }
                Step::Ended => return Next::End(self.ends(window)),
            }
        }
    }

    /// What decoders need before the first part, once.
    /// Nothing more is sent: the node is to stop, and they are to come again, somewhere.
    pub fn breaks_off(&mut self) {
        self.stage = Stage::After;
        self.seat.broken_off();
    }

    fn begins(&mut self, window: &Window) -> Option<Bytes> {
        let Stage::Before { title } = std::mem::replace(&mut self.stage, Stage::Within) else { return None };
        match self.form {
            Form::Opus => window.renditions().ogg_headers(&title).map(Bytes::from),
            Form::Aac => None,
            Form::Mp4 => window.renditions().init_segment(self.rendition()),
        }
    }

    /// An Ogg stream says that it is over; the other forms just end.
    fn ends(&mut self, window: &Window) -> Option<Bytes> {
        let began = matches!(std::mem::replace(&mut self.stage, Stage::After), Stage::Within);
        self.seat.heard_the_end();
        match (self.form, window.last()) {
            (Form::Opus, Some(last)) if began => {
                let pre_skip = window.renditions().get(self.rendition()).map_or(0, |one| one.priming_samples);
                Some(ogg::end_page(last.no, pre_skip).into())
            }
            (Form::Opus | Form::Aac | Form::Mp4, _) => None,
        }
    }

    /// A part's bytes for everybody of this form and rendition.
    pub fn bytes<'p>(&self, part: &'p Part) -> &'p Bytes {
        self.form.bytes(&part.tracks[self.rendition()])
    }

    /// A part's bytes with the titles that this listener is to be shown.
    pub fn titled(&mut self, part: &Part) -> Vec<Bytes> {
        let bytes = self.bytes(part).clone();
        match &mut self.icy {
            Some(titled) => titled.interleave(bytes),
            None => vec![bytes],
        }
    }

    /// A part is handed to the connection now. Says how many parts the guard is to be told of once this one
    /// has arrived.
    pub fn hands_out(&mut self, part: &Part, now: Time) -> Option<u16> {
        self.counts_lateness(part, now);
        let bytes = self.bytes(part).len();
        self.seat.sent(bytes, now);
        self.ear.as_mut()?.part(bytes)
    }

    /// So many parts arrived.
    pub fn arrived(&self, parts: u16) {
        if let Some(ear) = &self.ear {
            ear.heard(parts);
        }
    }

    /// Of parts that come together, the newest is the one that could not come before.
    fn counts_lateness(&mut self, part: &Part, now: Time) {
        let is_due = match self.served.tier() {
            Tier::Full | Tier::LowBitRate => true,
            Tier::Segments => part.no.in_segment() == SEGMENT_PARTS - 1,
        };
        if is_due && std::mem::replace(&mut self.waited, Waited::No) == Waited::Yes {
            self.seat.waited_for_part(now.since(self.cut.of(part.no)));
        }
    }
}

impl Form {
    /// A track's bytes in this form.
    pub(crate) const fn bytes(self, track: &TrackPart) -> &Bytes {
        match self {
            Self::Opus | Self::Aac => &track.stream,
            Self::Mp4 => &track.chunk,
        }
    }
}
