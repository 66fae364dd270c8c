//! The crossing between program and egress: parts arrive from the stage and become the window that every
//! listener reads.
//!
//! The task that appends lives on the audience's runtime. Nothing here can hold up the program thread: it
//! drops a part into a bounded channel and goes on; listeners read immutable snapshots.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tribune_core::egress::{Edge, Window};
use tribune_core::program::{Edition, Part, Renditions};

/// Parts that may wait for the audience's side before a listener would miss one: about 20 s.
const CROSSING_PARTS_MAX: usize = 64;

/// What goes from the stage to the audience, one way.
#[derive(Clone, Debug)]
pub enum Crossing {
    /// The next part.
    Part(Arc<Part>),
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
}

/// Makes both ends of a room's crossing and starts the task between them on `audience`.
pub fn cross(
    audience: &Handle,
    renditions: Arc<Renditions>,
    edition: Edition,
) -> (mpsc::Sender<Crossing>, Live) {
    let (stage_end, audience_end) = mpsc::channel(CROSSING_PARTS_MAX);
    let (publish, window) = watch::channel(Arc::new(Window::new(renditions.clone(), edition)));
    audience.spawn(keep(audience_end, publish));
    (stage_end, Live { renditions, window })
}

async fn keep(mut crossing: mpsc::Receiver<Crossing>, publish: watch::Sender<Arc<Window>>) {
    while let Some(crossed) = crossing.recv().await {
        let now = publish.borrow().clone();
        let next = match crossed {
            Crossing::Part(part) if joins(&now, &part) => now.append(part),
            // Parts were lost on the way because this side was too slow: the window goes on at the next
            // segment.
            Crossing::Part(_) => continue,
            Crossing::Halt(Halt::Paused) => now.pause(),
            Crossing::Halt(Halt::Ended) => now.end(),
        };
        publish.send_replace(Arc::new(next));
    }
    // A program thread that died without a word still ends the audience's wait, and nobody said that the
    // conversation is over.
    let last = publish.borrow().clone();
    if last.edge() == Edge::Live {
        publish.send_replace(Arc::new(last.pause()));
    }
}

fn joins(window: &Window, part: &Part) -> bool {
    part.no.in_segment() == 0 || window.last().is_some_and(|last| last.no.next() == part.no)
}

#[cfg(test)]
mod tests {
    use tribune_core::mix::Kind;
    use tribune_core::program::{DEFAULT, PartNo, synthetic};
    use tribune_core::time::WallTime;

    use super::*;

    /// What the audience sees at last of a thread that hands over three parts and then `last`.
    async fn seen_after(last: Option<Halt>) -> Edge {
        let renditions = Arc::new(Renditions::new(&DEFAULT[..1]).expect("legal"));
        let (stage, mut live) = cross(&Handle::current(), renditions, Edition(WallTime(0)));
        for no in 0..3 {
            let part = synthetic::part(PartNo(no), Kind::Conversation, 1);
            stage.send(Crossing::Part(Arc::new(part))).await.expect("it is taken");
        }
        if let Some(halt) = last {
            stage.send(Crossing::Halt(halt)).await.expect("it is taken");
        }
        drop(stage);
        let seen = live.window.wait_for(|window| window.edge() != Edge::Live).await.expect("it halts");
        assert_eq!(seen.last().map(|part| part.no), Some(PartNo(2)), "every part comes before the halt");
        seen.edge()
    }

    #[tokio::test]
    async fn only_an_end_is_told_as_one() {
        assert_eq!(seen_after(Some(Halt::Ended)).await, Edge::Ended);
        assert_eq!(seen_after(Some(Halt::Paused)).await, Edge::Paused);
        assert_eq!(seen_after(None).await, Edge::Paused, "a thread that died has not ended the conversation");
    }
}
