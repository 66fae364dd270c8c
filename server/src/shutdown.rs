//! Ending well: stop accepting, let what is running end at a place of its own choosing, then stop waiting.
//!
//! The steps are words, not flags: *leaving* (everything goes on, and who can be elsewhere is sent there),
//! *draining* (a polite end has begun) and *at once* (nobody waits any longer). SIGTERM and SIGINT start the
//! next one, as does the end of its time; who leaves no time begins with draining. SIGUSR2 begins with that
//! too, and says that the process is to begin again after it; once the node is to stop it changes nothing.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How far the end has come. It only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// No end in sight.
    Running,
    /// All is as before, but nobody is to be sent here any more, and players that come again by themselves
    /// are sent away, one after another.
    Leaving,
    /// No new connections; live answers end at their next part boundary.
    Draining,
    /// Whatever still runs is dropped.
    AtOnce,
}

/// What everything that must end holds. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Shutdown {
    stage: watch::Receiver<Stage>,
    leave: Duration,
}

/// What starts the end. If it is dropped, the end comes at once: nobody is left to say otherwise.
#[derive(Clone, Debug)]
pub struct Trigger(watch::Sender<Stage>);

/// A pair: who starts the end, and who awaits it.
pub fn pair() -> (Trigger, Shutdown) {
    pair_that_leaves(Duration::ZERO)
}

/// The same where leaving takes so long.
pub fn pair_that_leaves(leave: Duration) -> (Trigger, Shutdown) {
    let (sender, stage) = watch::channel(Stage::Running);
    (Trigger(sender), Shutdown { stage, leave })
}

impl Shutdown {
    /// How far the end has come.
    pub fn stage(&self) -> Stage {
        if self.stage.has_changed().is_err() { Stage::AtOnce } else { *self.stage.borrow() }
    }

    /// Whether nobody is to be sent here any more.
    pub fn is_leaving(&self) -> bool {
        self.stage() >= Stage::Leaving
    }

    /// From when, after leaving has begun, and in how long those are sent elsewhere who can be there. The
    /// first quarter is for others to see that nobody is to be sent here, the last for who did not go.
    pub fn moving(&self) -> (Duration, Duration) {
        (self.leave / 4, self.leave / 2)
    }

    /// Ready when one of those is to go elsewhere, each at a moment of their own, by lot.
    pub async fn is_to_go(&self, lot: [u8; 4]) {
        self.leaving().await;
        let (wait, over) = self.moving();
        let share = f64::from(u32::from_be_bytes(lot)) / f64::from(u32::MAX);
        tokio::time::sleep(wait + over.mul_f64(share)).await;
    }

    /// Whether the end has begun.
    pub fn is_draining(&self) -> bool {
        self.stage() >= Stage::Draining
    }

    /// Ready when nobody is to be sent here any more.
    pub async fn leaving(&self) {
        self.reached(Stage::Leaving).await;
    }

    /// Ready when the end has begun: live bodies end after the part they are sending.
    pub async fn draining(&self) {
        self.reached(Stage::Draining).await;
    }

    /// Ready when nobody waits any longer.
    pub async fn at_once(&self) {
        self.reached(Stage::AtOnce).await;
    }

    async fn reached(&self, stage: Stage) {
        // An error means that the trigger is gone, which is the end as well.
        let _ = self.stage.clone().wait_for(|now| *now >= stage).await;
    }
}

/// What is to be after the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Nothing.
    End,
    /// The same again, by whatever program is there then.
    BeginAgain,
}

/// How long the steps of an end take at most.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Leaving, as the pair was made; zero where nobody could go elsewhere.
    pub leave: Duration,
    /// Draining.
    pub drain: Duration,
}

impl Trigger {
    /// Begins the end.
    pub fn drain(&self) {
        self.forward(Stage::Draining);
    }

    /// Ends the waiting.
    pub fn at_once(&self) {
        self.forward(Stage::AtOnce);
    }

    /// Waits for SIGTERM or SIGINT, or for SIGUSR2 where `may_begin_again` has nothing against it; says
    /// which, and goes through the steps, each for its time or until the next signal. SIGTERM and SIGINT are
    /// the last word.
    ///
    /// # Errors
    /// The operating system refuses to tell us about signals.
    pub async fn follow_signals<M>(
        self,
        times: Times,
        (may_begin_again, wish): (impl Fn() -> M, watch::Sender<Wish>),
    ) -> std::io::Result<()>
    where
        M: Future<Output = bool>,
    {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut again = signal(SignalKind::user_defined2())?;
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = again.recv() => {}
            }
            let may = tokio::select! {
                may = may_begin_again() => may,
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
            };
            if may {
                wish.send_replace(Wish::BeginAgain);
                break;
            }
        }
        let Times { leave, drain } = times;
        if *wish.borrow() == Wish::End && !leave.is_zero() {
            tracing::info!(leave_ms = millis(leave), "leaving_begun");
            self.forward(Stage::Leaving);
            let mut over = std::pin::pin!(tokio::time::sleep(leave));
            loop {
                tokio::select! {
                    _ = terminate.recv() => break,
                    _ = interrupt.recv() => break,
                    _ = again.recv() => tracing::warn!("not_begun_again_since_it_is_to_stop"),
                    () = over.as_mut() => break,
                }
            }
        }
        tracing::info!(drain_ms = millis(drain), wish = ?*wish.borrow(), "shutdown_begun");
        self.drain();
        tokio::select! {
            _ = terminate.recv() => { wish.send_replace(Wish::End); }
            _ = interrupt.recv() => { wish.send_replace(Wish::End); }
            () = tokio::time::sleep(drain) => {}
        }
        self.at_once();
        Ok(())
    }

    fn forward(&self, stage: Stage) {
        self.0.send_if_modified(|now| {
            let forward = stage > *now;
            if forward {
                *now = stage;
            }
            forward
        });
    }
}

fn millis(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn it_only_moves_forward() {
        let (trigger, shutdown) = pair();
        assert_eq!(shutdown.stage(), Stage::Running);
        trigger.drain();
        shutdown.draining().await;
        assert!(shutdown.is_draining());
        trigger.at_once();
        trigger.drain();
        shutdown.at_once().await;
        assert_eq!(shutdown.stage(), Stage::AtOnce);
    }

    #[tokio::test]
    async fn a_lost_trigger_is_the_end() {
        let (trigger, shutdown) = pair();
        drop(trigger);
        shutdown.at_once().await;
        assert_eq!(shutdown.stage(), Stage::AtOnce);
    }

    #[tokio::test]
    async fn the_first_signal_drains_and_time_or_the_second_ends_the_waiting() {
        let (trigger, shutdown) = pair();
        let following = tokio::spawn(trigger.follow_signals(draining(20), nobody_asks()));
        tokio::task::yield_now().await;
        raise();
        shutdown.draining().await;
        shutdown.at_once().await;
        following.await.expect("it ran").expect("signals work");
        // In the same test, because a signal is heard by everybody in the process.
        let (trigger, shutdown) = pair();
        let following = tokio::spawn(trigger.follow_signals(draining(HOUR_MS), nobody_asks()));
        tokio::task::yield_now().await;
        raise();
        shutdown.draining().await;
        assert_eq!(shutdown.stage(), Stage::Draining);
        raise();
        shutdown.at_once().await;
        following.await.expect("it ran").expect("signals work");
        // What is to follow does not run the first time.
        let (trigger, shutdown) = pair();
        let ((asks, mut asked), (wish, wished)) = (mpsc::unbounded_channel(), watch::channel(Wish::End));
        let times = AtomicUsize::new(0);
        let may = move || {
            asks.send(()).expect("the test waits for it");
            std::future::ready(times.fetch_add(1, Ordering::Relaxed) > 0)
        };
        let following = tokio::spawn(trigger.follow_signals(draining(HOUR_MS), (may, wish)));
        tokio::task::yield_now().await;
        raise_one(libc::SIGUSR2);
        asked.recv().await.expect("it is asked");
        assert_eq!(shutdown.stage(), Stage::Running);
        raise_one(libc::SIGUSR2);
        shutdown.draining().await;
        assert_eq!(*wished.borrow(), Wish::BeginAgain);
        // Who is to stop does not begin again.
        raise();
        shutdown.at_once().await;
        assert_eq!(*wished.borrow(), Wish::End);
        following.await.expect("it ran").expect("signals work");
        // Who leaves is not draining before the time is over, or the second signal; the third ends it.
        let (trigger, shutdown) = pair();
        let hour = Duration::from_millis(HOUR_MS);
        let times = Times { leave: hour, drain: hour };
        let following = tokio::spawn(trigger.follow_signals(times, nobody_asks()));
        tokio::task::yield_now().await;
        raise();
        shutdown.leaving().await;
        raise_one(libc::SIGUSR2);
        tokio::task::yield_now().await;
        assert!(shutdown.is_leaving() && !shutdown.is_draining());
        raise();
        shutdown.draining().await;
        raise();
        shutdown.at_once().await;
        following.await.expect("it ran").expect("signals work");
    }

    const HOUR_MS: u64 = 3_600_000;

    const fn draining(ms: u64) -> Times {
        Times { leave: Duration::ZERO, drain: Duration::from_millis(ms) }
    }

    fn nobody_asks() -> (impl Fn() -> std::future::Ready<bool>, watch::Sender<Wish>) {
        (|| std::future::ready(true), watch::channel(Wish::End).0)
    }

    fn raise() {
        raise_one(libc::SIGTERM);
    }

    fn raise_one(number: libc::c_int) {
        // SAFETY: the disposition of the signal was replaced by the runtime before this is called.
        assert_eq!(unsafe { libc::raise(number) }, 0);
    }
}
