//! The crossing: parts arrive from the stage and become the window that every listener reads.
//!
//! The task that appends lives on the audience's runtime. Nothing here can hold up the program thread: it
//! drops a part into a bounded channel and goes on; listeners read immutable snapshots.

use std::sync::Arc;

use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tribune_core::egress::Window;
use tribune_core::program::{Part, Renditions};

use crate::program::{CROSSING_PARTS_MAX, Crossing};

/// What the audience sees of one open room's program.
#[derive(Clone, Debug)]
pub struct Live {
    /// What is cut, and the headers of every output.
    pub renditions: Arc<Renditions>,
    /// The newest snapshot, and word of the next.
    pub window: watch::Receiver<Arc<Window>>,
}

/// Makes both ends of a room's crossing and starts the task between them on `audience`.
pub fn cross(audience: &Handle, renditions: Arc<Renditions>) -> (mpsc::Sender<Crossing>, Live) {
    let (stage_end, audience_end) = mpsc::channel(CROSSING_PARTS_MAX);
    let (publish, window) = watch::channel(Arc::new(Window::new(renditions.clone())));
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
            Crossing::Ended => now.end(),
        };
        publish.send_replace(Arc::new(next));
    }
    // A program thread that died without a word still ends the audience's wait.
    let last = publish.borrow().clone();
    if !last.is_ended() {
        publish.send_replace(Arc::new(last.end()));
    }
}

fn joins(window: &Window, part: &Part) -> bool {
    part.no.in_segment() == 0 || window.last().is_some_and(|last| last.no.next() == part.no)
}
