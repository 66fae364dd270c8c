//! A source's hold on the mix: sound goes in, and it waits while too much of it has not been heard yet.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;

use tokio::sync::Notify;
use tribune_core::ingest::Pcm;
use tribune_core::mix::BACKLOG_MS_MAX;

use super::{Command, Named};

/// How long to wait when the program has too many commands to obey: one frame.
const BUSY_WAIT: Duration = Duration::from_millis(20);

/// What the program thread and a source tell each other without a lock.
#[derive(Debug, Default)]
pub struct Gauge {
    /// Milliseconds of sound waiting in the mix, and on the way there.
    backlog_ms: AtomicU64,
    /// The source has left.
    closed: AtomicBool,
    /// The program is over.
    over: AtomicBool,
    /// The backlog is below its limit again.
    eased: Notify,
}

impl Gauge {
    pub(super) fn set_backlog(&self, ms: u64) {
        let before = self.backlog_ms.swap(ms, Ordering::Relaxed);
        if before >= BACKLOG_MS_MAX && ms < BACKLOG_MS_MAX {
            self.eased.notify_one();
        }
    }

    pub(super) fn has_left(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(super) fn leave(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub(super) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    pub(super) fn end(&self) {
        self.over.store(true, Ordering::Release);
    }
}

/// One open input of a room's mix; dropping it closes the input and gives its name back.
pub struct Inlet {
    pub(super) named: Named,
    pub(super) commands: SyncSender<Command>,
    pub(super) gauge: Arc<Gauge>,
}

/// The program has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramEnded;

impl Inlet {
    /// Gives sound to the mix, and returns when more may be read.
    ///
    /// # Errors
    /// The program is over.
    pub async fn sound(&self, pcm: Pcm) -> Result<(), ProgramEnded> {
        let sent_ms = pcm.millis() as u64;
        let mut command = Command::Sound { inlet: self.named.inlet(), pcm };
        // The clock says once a frame what waits; a sender that is faster than that must count for itself.
        self.gauge.backlog_ms.fetch_add(sent_ms, Ordering::Relaxed);
        loop {
            match self.commands.try_send(command) {
                Ok(()) => break,
                Err(TrySendError::Full(back)) => command = back,
                Err(TrySendError::Disconnected(_)) => return Err(ProgramEnded),
            }
            tokio::time::sleep(BUSY_WAIT).await;
        }
        while self.gauge.backlog_ms.load(Ordering::Relaxed) >= BACKLOG_MS_MAX {
            // The timeout covers a program that ends while we wait; the next send then says so.
            let eased = self.gauge.eased.notified();
            if tokio::time::timeout(Duration::from_secs(1), eased).await.is_err() {
                break;
            }
        }
        Ok(())
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        self.gauge.leave();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::super::{Sort, Sources};
    use super::*;

    #[tokio::test]
    async fn a_sender_that_is_faster_than_the_clock_waits_for_it() {
        let (commands, _clock) = sync_channel(1_024);
        let gauge = Arc::new(Gauge::default());
        let (named, _) = Sources::new().take(Sort::Source, "main");
        let inlet = Inlet { named, commands, gauge: gauge.clone() };
        let frame = || Pcm { rate_hz: 48_000, samples: vec![0.0; 960] };
        for _ in 1..BACKLOG_MS_MAX / 20 {
            inlet.sound(frame()).await.expect("the program goes on");
        }
        let mut full = std::pin::pin!(inlet.sound(frame()));
        assert!(tokio::time::timeout(Duration::ZERO, full.as_mut()).await.is_err());
        gauge.set_backlog(BACKLOG_MS_MAX - 20);
        full.await.expect("the program goes on");
    }
}
