//! What a restart needs, in SQLite: rooms, hashes of keys, invitations, who is signed in, notices, webhooks,
//! who did what, who is on the stage, the last statuses of each room.
//!
//! One thread owns the connection; everybody else sends it a job and awaits the answer. A commit is on the
//! disk when it is answered (`synchronous=FULL`), so a status that was served is never forgotten.

mod floor;
mod invitations;
mod passkeys;
mod rows;
mod schema;
mod sign_ins;
mod statuses;

use std::path::Path;
use std::thread;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

pub use passkeys::{PASSKEYS_MAX, Passkey, PasskeyMark, PasskeyOpens};
pub use rows::{Audit, AuditLine, Invitation, Kept, RoomKeys, Webhook, Whom};
pub use sign_ins::{Unkept, wall};
pub use statuses::{Found, STATUSES_KEPT_MAX, Statuses};

#[cfg(test)]
mod tests;

/// Jobs that may wait for the thread.
const JOBS_MAX: usize = 256;
/// The file's name in the data folder.
pub const FILE: &str = "rooms.sqlite";

/// A handle to the store; copies share the thread.
#[derive(Clone)]
pub struct Store {
    jobs: mpsc::Sender<Job>,
    readers: mpsc::Sender<statuses::Read>,
}

/// What the store's thread does, in the order in which it comes.
enum Job {
    Work(Box<dyn FnOnce(&mut Connection) + Send>),
    Statuses(statuses::Write),
}

/// Why something was not kept or found.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// SQLite could not.
    #[error("the store: {0}")]
    Sqlite(#[from] rusqlite::Error),
    /// A row that this version did not write.
    #[error("the store holds a damaged row: {0}")]
    Damaged(String),
    /// Written by a later version.
    #[error("the store is of version {found}, this program knows up to {known}; use the newer program")]
    TooNew {
        /// Version of the file.
        found: i64,
        /// Version of this program.
        known: i64,
    },
    /// A room of this name exists.
    #[error("a room of this name exists")]
    NameTaken,
    /// As many rooms as may be kept.
    #[error("as many rooms as may be kept exist")]
    RoomsFull,
    /// As many passkeys as may be kept.
    #[error("as many passkeys as may be kept exist")]
    PasskeysFull,
    /// A transaction that others shared did not happen.
    #[error("{0}")]
    Refused(String),
    /// The disk has not answered in time; it may do it yet.
    #[error("the disk does not answer")]
    Late,
    /// As many ask as may wait.
    #[error("too many ask for statuses at once")]
    Busy,
    /// The thread is gone: the node is shutting down.
    #[error("the store is closed")]
    Closed,
}

impl Store {
    /// Opens or makes the store in `data` and brings its schema up to date.
    ///
    /// # Errors
    /// When the file cannot be opened, is no store, or is of a later version.
    pub fn open(data: &Path) -> Result<Self, StoreError> {
        let mut connection = Connection::open(data.join(FILE))?;
        schema::prepare(&mut connection)?;
        let (jobs, mut waiting) = mpsc::channel::<Job>(JOBS_MAX);
        thread::Builder::new()
            .name("store".into())
            .spawn(move || {
                while let Some(job) = waiting.blocking_recv() {
                    obey(&mut connection, job, &mut waiting);
                }
            })
            .map_err(|error| StoreError::Damaged(format!("no thread for the store: {error}")))?;
        Ok(Self { jobs, readers: statuses::reader(data)? })
    }

    /// Does `work` on the store's thread.
    async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let work = Box::new(move |connection: &mut Connection| {
            // Whoever asked may have gone; the work is done all the same.
            let _ = answer.send(work(connection));
        });
        self.jobs.send(Job::Work(work)).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }
}

/// Does one job; statuses that wait right behind others are written together with them.
fn obey(connection: &mut Connection, job: Job, waiting: &mut mpsc::Receiver<Job>) {
    let mut together = Vec::new();
    let mut next = Some(job);
    while let Some(job) = next {
        match job {
            Job::Statuses(write) => together.push(write),
            Job::Work(work) => {
                statuses::write(connection, std::mem::take(&mut together));
                return work(connection);
            }
        }
        next = if together.len() < statuses::BATCH_MAX { waiting.try_recv().ok() } else { None };
    }
    statuses::write(connection, together);
}
