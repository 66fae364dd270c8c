//! Did the machine itself stand still? Shared ones are taken away for seconds: sound that is missing then is
//! not what a test is about, and sound that is missing otherwise is.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// The clock is looked at so often.
const LOOK: Duration = Duration::from_millis(50);
/// A program catches up with less than two seconds; who looks from outside sees a little less of a pause.
const PAUSE_MIN: Duration = Duration::from_millis(1_500);

static WATCHED: OnceLock<()> = OnceLock::new();
static PAUSES: AtomicUsize = AtomicUsize::new(0);

/// From now on pauses are counted, by a thread of the tests' own: no node can claim one.
pub fn watch() {
    WATCHED.get_or_init(|| {
        std::thread::spawn(|| {
            let (_never, woken) = channel::<()>();
            loop {
                let before = Instant::now();
                let _ = woken.recv_timeout(LOOK);
                if before.elapsed() > LOOK + PAUSE_MIN {
                    PAUSES.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    });
}

/// How often the machine stood still for so long that a program has a gap.
pub fn pauses() -> usize {
    PAUSES.load(Ordering::Relaxed)
}
