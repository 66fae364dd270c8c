//! What a restart needs, in SQLite: rooms, hashes of keys, notices, webhooks, who did what, the last status
//! of each room.
//!
//! One thread owns the connection; everybody else sends it a job and awaits the answer. A commit is on the
//! disk when it is answered (`synchronous=FULL`), so a status that was served is never forgotten.

mod rows;
mod schema;

use std::path::Path;
use std::thread;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

pub use rows::{Audit, Kept, RoomKeys, Webhook};

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
}

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

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
                    job(&mut connection);
                }
            })
            .map_err(|error| StoreError::Damaged(format!("no thread for the store: {error}")))?;
        Ok(Self { jobs })
    }

    /// Does `work` on the store's thread.
    async fn run<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            // Whoever asked may have gone; the work is done all the same.
            let _ = answer.send(work(connection));
        });
        self.jobs.send(job).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }
}
