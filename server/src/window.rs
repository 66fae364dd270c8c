//! The crossing between program and egress: parts arrive from the stage and become the window that every
//! listener reads.
//!
//! The task that appends lives on the audience's runtime. Nothing here can hold up the program thread: it
//! drops a part into a bounded channel and goes on; listeners read immutable snapshots.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tribune_core::door::capacity::Tier;
use tribune_core::egress::late::{Delay, Late};
use tribune_core::egress::{Edge, Window};
use tribune_core::program::{Edition, Part, PartNo, Renditions, SEGMENT_PARTS};
use tribune_core::time::Time;

/// Parts that may wait for the audience's side before a listener would miss one: about 20 s.
const CROSSING_PARTS_MAX: usize = 64;
/// Parts of which it is known when they were cut: who takes an older one is late by more than it matters.
const CUT_TIMES_KEPT: usize = 32;

/// What goes from the stage to the audience, one way.
#[derive(Clone, Debug)]
pub enum Crossing {
    /// The next part, and when it was cut.
    Part(Arc<Part>, Time),
    /// There will be no more from this thread.
    Halt(Halt),
}

/// Why a program's thread stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Halt {
    /// The node stops, or nobody is there; the program goes on later.
    Paused,
    /// The program is over.
    Ended,
}

/// What the audience sees of one open room's program.
#[derive(Clone, Debug)]
pub struct Live {
    /// What is cut, and the headers of every output.
    pub renditions: Arc<Renditions>,
    /// The newest snapshot, and word of the next.
    pub window: watch::Receiver<Arc<Window>>,
    /// The same, as it was at the newest end of a segment: who is woken by it is woken six times less.
    pub segments: watch::Receiver<Arc<Window>>,
    /// The delayed tier.
    pub late: watch::Receiver<Arc<Late>>,
    /// When the newest parts were cut.
    pub cut: Arc<CutTimes>,
}

impl Live {
    /// The snapshots that who is served so waits for.
    pub fn of(&self, tier: Tier) -> &watch::Receiver<Arc<Window>> {
        match tier {
            Tier::Full | Tier::LowBitRate => &self.window,
            Tier::Segments => &self.segments,
        }
    }
}

/// When the newest parts of one program were cut. One writer; readers wait for nobody.
#[derive(Debug, Default)]
pub struct CutTimes([AtomicU64; CUT_TIMES_KEPT]);

impl CutTimes {
    /// When a part was cut that is one of the newest.
    pub fn of(&self, no: PartNo) -> Time {
        Time::from_nanos(self.place(no).load(Ordering::Relaxed))
    }

    fn set(&self, no: PartNo, at: Time) {
        self.place(no).store(at.nanos(), Ordering::Relaxed);
    }

    fn place(&self, no: PartNo) -> &AtomicU64 {
        &self.0[(no.0 % CUT_TIMES_KEPT as u64) as usize]
    }
}

/// The audience's end of a crossing.
struct Publish {
    window: watch::Sender<Arc<Window>>,
    segments: watch::Sender<Arc<Window>>,
    late: watch::Sender<Arc<Late>>,
    delay: Delay,
    cut: Arc<CutTimes>,
}

impl Publish {
    fn now(&self, next: Window) {
        let next = Arc::new(next);
        let ends = |part: &Arc<Part>| part.no.in_segment() == SEGMENT_PARTS - 1;
        let is_end = next.edge() != Edge::Live || next.last().is_some_and(ends);
        self.window.send_replace(next.clone());
        if is_end {
            self.segments.send_replace(next);
        }
    }

    fn later(&self, late: Option<Late>) {
        if let Some(late) = late {
            self.late.send_replace(Arc::new(late));
        }
    }
}

/// Makes both ends of a room's crossing and starts the task between them on `audience`.
pub fn cross(
    audience: &Handle,
    renditions: Arc<Renditions>,
    edition: Edition,
) -> (mpsc::Sender<Crossing>, Live) {
    let (stage_end, audience_end) = mpsc::channel(CROSSING_PARTS_MAX);
    let empty = Arc::new(Window::new(renditions.clone(), edition));
    let (to_window, window) = watch::channel(empty.clone());
    let (to_segments, segments) = watch::channel(empty);
    let (to_late, late) = watch::channel(Arc::default());
    let cut = Arc::<CutTimes>::default();
    let publish = Publish {
        window: to_window,
        segments: to_segments,
        late: to_late,
        delay: Delay::new(&renditions, edition),
        cut: cut.clone(),
    };
    audience.spawn(keep(audience_end, publish));
    (stage_end, Live { renditions, window, segments, late, cut })
}

async fn keep(mut crossing: mpsc::Receiver<Crossing>, mut publish: Publish) {
    while let Some(crossed) = crossing.recv().await {
        let now = publish.window.borrow().clone();
        let next = match crossed {
            Crossing::Part(part, cut_at) if joins(&now, &part) => {
                publish.cut.set(part.no, cut_at);
                let late = publish.delay.append(&part);
                publish.later(late);
                now.append(part)
            }
            // Parts were lost on the way because this side was too slow: the window goes on at the next
            // segment.
            Crossing::Part(..) => continue,
            Crossing::Halt(Halt::Paused) => now.pause(),
            Crossing::Halt(Halt::Ended) => {
                let late = publish.delay.end();
                publish.later(Some(late));
                now.end()
            }
        };
        publish.now(next);
    }
    // A program thread that died without a word still ends the audience's wait, and nobody said that the
    // conversation is over.
    let last = publish.window.borrow().clone();
    if last.edge() == Edge::Live {
        publish.now(last.pause());
    }
}

fn joins(window: &Window, part: &Part) -> bool {
    part.no.in_segment() == 0 || window.last().is_some_and(|last| last.no.next() == part.no)
}

#[cfg(test)]
mod tests {
    use tribune_core::mix::Kind;
    use tribune_core::program::{DEFAULT, synthetic};
    use tribune_core::time::WallTime;

    use super::*;

    /// What the audience sees at last of a thread that hands over three parts and then `last`.
    async fn seen_after(last: Option<Halt>) -> Edge {
        let renditions = Arc::new(Renditions::new(&DEFAULT[..1]).expect("legal"));
        let (stage, mut live) = cross(&Handle::current(), renditions, Edition(WallTime(0)));
        for no in 0..3 {
            let part = synthetic::part(PartNo(no), Kind::Conversation, 1);
            let cut_at = Time::from_millis(no + 1);
            stage.send(Crossing::Part(Arc::new(part), cut_at)).await.expect("it is taken");
        }
        if let Some(halt) = last {
            stage.send(Crossing::Halt(halt)).await.expect("it is taken");
        }
        drop(stage);
        let seen = live.window.wait_for(|window| window.edge() != Edge::Live).await.expect("it halts");
        assert_eq!(seen.last().map(|part| part.no), Some(PartNo(2)), "every part comes before the halt");
        assert_eq!(live.cut.of(PartNo(2)), Time::from_millis(3));
        let edge = seen.edge();
        drop(seen);
        let segments = live.segments.borrow();
        assert_eq!((segments.edge(), segments.last().map(|part| part.no)), (edge, Some(PartNo(2))));
        edge
    }

    #[tokio::test]
    async fn who_takes_segments_is_woken_when_one_is_whole() {
        let renditions = Arc::new(Renditions::new(&DEFAULT[..1]).expect("legal"));
        let (stage, mut live) = cross(&Handle::current(), renditions, Edition(WallTime(0)));
        for no in 0..8 {
            let part = synthetic::part(PartNo(no), Kind::Conversation, 1);
            stage.send(Crossing::Part(Arc::new(part), Time::ZERO)).await.expect("it is taken");
        }
        let newest = |window: &Arc<Window>| window.last().map(|part| part.no);
        live.window.wait_for(|window| newest(window) == Some(PartNo(7))).await.expect("it lives");
        assert_eq!(newest(&live.segments.borrow()), Some(PartNo(5)));
    }

    #[tokio::test]
    async fn only_an_end_is_told_as_one() {
        assert_eq!(seen_after(Some(Halt::Ended)).await, Edge::Ended);
        assert_eq!(seen_after(Some(Halt::Paused)).await, Edge::Paused);
        assert_eq!(seen_after(None).await, Edge::Paused, "a thread that died has not ended the conversation");
    }
}
