//! Sign-ins in memory and on the disk. What changes is in force at once and written right after; whoever
//! must know that it is on the disk waits for its round.

use std::sync::Weak;
use std::time::Duration;

use tokio::sync::watch;
use tribune_core::reason::Refusal;
use tribune_core::room::{Moment, SignInOutput, SignIns};

use super::Failure;
use super::who::{Inner, StageDoor};
use crate::store::Unkept;

/// How often what has lasted too long is let go, and what the disk did not take is tried again.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// How long somebody waits for the disk.
const DISK_MAX: Duration = Duration::from_secs(5);

/// The sign-ins, and what of them is not written yet.
pub struct Held {
    pub table: SignIns,
    unkept: Unkept,
    round: u64,
}

/// How far writing has come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Written {
    round: u64,
    failed: bool,
}

/// What came of a change.
pub struct Drained {
    /// The round in which it is written, if there is anything to write.
    pub round: Option<u64>,
    /// Whether anybody may less, or is called something else.
    pub changed: bool,
}

impl Held {
    pub fn new(table: SignIns) -> Self {
        Self { table, unkept: Unkept::new(), round: 0 }
    }

    pub fn drain(&mut self) -> Drained {
        let (mut any, mut changed) = (false, false);
        while let Some(output) = self.table.poll_output() {
            match output {
                SignInOutput::Changed => changed = true,
                SignInOutput::Keep(sign_in) => {
                    any = true;
                    self.unkept.insert(sign_in.id.clone(), Some(sign_in));
                }
                SignInOutput::Forget(id) => {
                    any = true;
                    self.unkept.insert(id, None);
                }
            }
        }
        self.round += u64::from(any);
        Drained { round: any.then_some(self.round), changed }
    }
}

impl StageDoor {
    /// Returns when every change so far is on the disk.
    ///
    /// # Errors
    /// `OurFault` when the disk does not take it; it is in force all the same, until a restart.
    pub(super) async fn kept(&self) -> Result<(), Failure> {
        let round = self.held().round;
        let mut written = self.0.written.subscribe();
        let waiting = written.wait_for(|written| written.round >= round);
        match tokio::time::timeout(DISK_MAX, waiting).await {
            Ok(Ok(written)) if !written.failed => Ok(()),
            Ok(Ok(_) | Err(_)) | Err(_) => {
                let detail = "it holds until the next restart: the disk has not taken it";
                Err(Failure::new(Refusal::OurFault, detail))
            }
        }
    }
}

/// Writes what changes, for as long as anybody holds the door.
pub(super) async fn keep(door: Weak<Inner>, mut asked: watch::Receiver<u64>) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        tokio::select! {
            changed = asked.changed() => if changed.is_err() { return },
            _ = look.tick() => {
                let Some(inner) = door.upgrade() else { return };
                StageDoor(inner).with(|now, table| table.expire(now));
            }
        }
        let Some(inner) = door.upgrade() else { return };
        write(&StageDoor(inner)).await;
    }
}

async fn write(door: &StageDoor) {
    let (round, unkept) = {
        let mut held = door.held();
        (held.round, std::mem::take(&mut held.unkept))
    };
    let mut failed = false;
    if !unkept.is_empty() {
        let setup = door.0.rooms.setup();
        let now = Moment { time: setup.world.now(), wall: setup.world.wall() };
        if let Err(error) = setup.store.put_sign_ins(now, unkept.clone()).await {
            tracing::warn!(%error, "sign_ins_not_kept");
            failed = true;
            let mut held = door.held();
            for (id, sign_in) in unkept {
                // What changed since is newer.
                held.unkept.entry(id).or_insert(sign_in);
            }
        }
    }
    door.0.written.send_replace(Written { round, failed });
}
