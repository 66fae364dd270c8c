//! What the disk is told of a stage. The stage does not wait for it; whoever asked for something hears that
//! it happened when it is kept, or when the disk has kept them waiting too long.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tribune_core::room::floor::Kept;
use tribune_core::room::{Name, Refused};

use super::turns::Turn;
use crate::recording::TURNS_FILE;
use crate::store::{Audit, Store, StoreError};

/// Writings that may wait; each takes the place of those before it.
pub(super) const WRITINGS_MAX: usize = 64;
/// How long the disk is waited for before the answer goes out without it.
const DISK_WAIT: Duration = Duration::from_secs(2);
/// What the disk did not take is tried again after this.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What is to be kept.
pub(super) enum Writing {
    /// Everybody who is known, and who waits for it.
    Floor(Vec<Kept>, Option<Answering>),
    /// Turns that have ended.
    Turns(Vec<Turn>),
    /// A line of the audit.
    Audit(Audit),
}

/// An answer that waits for the disk.
pub(super) struct Answering {
    pub(super) answer: oneshot::Sender<Result<(), Refused>>,
}

impl Answering {
    pub(super) fn give(self) {
        // Whoever asked may have gone; it happened all the same.
        let _ = self.answer.send(Ok(()));
    }
}

/// Where to keep a room's stage.
pub(super) struct Place {
    pub(super) store: Store,
    pub(super) room: Name,
    pub(super) folder: PathBuf,
}

/// Writes until the stage is gone.
pub(super) async fn keep(place: Place, mut writings: mpsc::Receiver<Writing>) {
    let mut unsaved: Option<Vec<Kept>> = None;
    loop {
        let mut next = match &unsaved {
            None => match writings.recv().await {
                Some(writing) => Some(writing),
                None => return,
            },
            Some(_) => match tokio::time::timeout(AGAIN_AFTER, writings.recv()).await {
                Ok(Some(writing)) => Some(writing),
                Ok(None) => return,
                Err(_) => None,
            },
        };
        let mut waiting = Vec::new();
        while let Some(writing) = next {
            match writing {
                Writing::Floor(kept, answering) => {
                    unsaved = Some(kept);
                    waiting.extend(answering);
                }
                Writing::Turns(turns) => write_turns(&place.room, place.folder.clone(), turns).await,
                Writing::Audit(line) => place.write_down(line).await,
            }
            next = writings.try_recv().ok();
        }
        if let Some(kept) = unsaved.take() {
            unsaved = place.put(kept).await.err();
        }
        waiting.into_iter().for_each(Answering::give);
    }
}

impl Place {
    async fn write_down(&self, line: Audit) {
        if let Err(error) = self.store.audit(self.room.clone(), line).await {
            tracing::warn!(room = %self.room, %error, "audit_not_kept");
        }
    }

    /// Gives back what the disk did not take in time.
    async fn put(&self, kept: Vec<Kept>) -> Result<(), Vec<Kept>> {
        let put = self.store.put_floor(self.room.clone(), kept.clone());
        let put = tokio::time::timeout(DISK_WAIT, put).await.unwrap_or(Err(StoreError::Late));
        put.map_err(|error| {
            tracing::warn!(room = %self.room, %error, "floor_not_kept");
            kept
        })
    }
}

async fn write_turns(room: &Name, folder: PathBuf, turns: Vec<Turn>) {
    let written = tokio::task::spawn_blocking(move || {
        let mut lines = String::new();
        for turn in &turns {
            lines.push_str(&serde_json::to_string(turn)?);
            lines.push('\n');
        }
        let mut file = OpenOptions::new().create(true).append(true).open(folder.join(TURNS_FILE))?;
        file.write_all(lines.as_bytes())
    });
    match written.await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%room, %error, "turns_not_kept"),
        Err(error) => tracing::error!(%room, %error, "turns_not_kept"),
    }
}
