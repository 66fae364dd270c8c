//! The statuses that were served, by number, and the numbers that may have been.
//!
//! Every live room writes one a second. Those that wait for the store's thread together are one transaction,
//! so that many rooms cost one sync of the disk. They are read by anybody, through a connection and a thread
//! of their own: however many ask, no room waits for them.

use std::path::Path;
use std::thread;

use bytes::Bytes;
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, params};
use tokio::sync::{mpsc, oneshot};
use tribune_core::room::Name;
use tribune_core::status::{Kept, Status};

use super::{FILE, Job, Store, StoreError};

/// Statuses kept of one room, the newest: four and a half hours of one a second, some 30 MB.
pub const STATUSES_KEPT_MAX: u64 = 16_384;
/// Older ones are looked for whenever the number is a multiple of this, so many more may be there.
const PRUNE_EVERY: u64 = 256;
/// Statuses of all rooms that are written in one transaction.
pub const BATCH_MAX: usize = 64;
/// Readers that may wait; whoever comes then is told to come back.
const READERS_MAX: usize = 64;

/// Some of a room's statuses, in order, and how far its numbers are set aside with them.
#[derive(Clone, Debug)]
pub struct Statuses {
    /// The room.
    pub room: Name,
    /// Its newest statuses that are not on the disk yet.
    pub fresh: Vec<Status>,
    /// Numbers up to this one may be given out.
    pub used: u64,
}

/// What was found under a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The status as it was served.
    Status(Bytes),
    /// There may have been one; it is older than what is kept.
    TooOld,
    /// There is none.
    Nothing,
}

/// Statuses on their way to the disk.
pub(super) struct Write {
    pub statuses: Statuses,
    pub answer: oneshot::Sender<Result<(), StoreError>>,
}

impl Store {
    /// Keeps statuses that are about to be served; they are on the disk when this answers.
    ///
    /// # Errors
    /// SQLite's. It may be on the disk all the same.
    pub async fn put_statuses(&self, statuses: Statuses) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        let job = Job::Statuses(Write { statuses, answer });
        self.jobs.send(job).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    /// The numbers up to `used` were given out, and none after it.
    ///
    /// # Errors
    /// SQLite's.
    pub async fn put_used(&self, room: Name, used: u64) -> Result<(), StoreError> {
        self.run(move |connection| {
            let work = connection.transaction()?;
            write_used(&work, &room, used)?;
            Ok(work.commit()?)
        })
        .await
    }

    /// The status of this number, or what became of it.
    ///
    /// # Errors
    /// `Busy` when too many ask at once, or SQLite's.
    pub async fn status(&self, room: Name, seq: u64) -> Result<Found, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.readers.try_send(Read { room, seq, answer }).map_err(|_| StoreError::Busy)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }
}

/// Writes what waits as one transaction and tells everybody what came of it.
pub(super) fn write(connection: &mut Connection, waiting: Vec<Write>) {
    if waiting.is_empty() {
        return;
    }
    let done = write_all(connection, &waiting).map_err(|error| error.to_string());
    for Write { answer, .. } in waiting {
        // Whoever asked may have gone; the work is done all the same.
        let _ = answer.send(done.clone().map_err(StoreError::Refused));
    }
}

fn write_all(connection: &mut Connection, waiting: &[Write]) -> Result<(), StoreError> {
    let work = connection.transaction()?;
    for Write { statuses: Statuses { room, fresh, used }, .. } in waiting {
        for status in fresh {
            // A number comes again only when nobody was shown what it stood for.
            work.prepare_cached(
                "INSERT INTO status_kept SELECT ?1, ?2, ?3 FROM room WHERE name = ?1 \
                 ON CONFLICT (room, seq) DO UPDATE SET document = ?3",
            )?
            .execute(params![room.as_str(), number(status.seq), &status.bytes[..]])?;
        }
        if fresh.iter().any(|status| status.seq.is_multiple_of(PRUNE_EVERY)) {
            work.prepare_cached(
                "DELETE FROM status_kept WHERE room = ?1 AND seq <= \
                 (SELECT seq FROM status_kept WHERE room = ?1 ORDER BY seq DESC LIMIT 1 OFFSET ?2)",
            )?
            .execute(params![room.as_str(), number(STATUSES_KEPT_MAX)])?;
        }
        write_used(&work, room, *used)?;
    }
    Ok(work.commit()?)
}

fn write_used(work: &Transaction<'_>, room: &Name, used: u64) -> Result<(), StoreError> {
    let text = "INSERT INTO status_used VALUES (?1, ?2) ON CONFLICT (room) DO UPDATE SET seq = ?2";
    work.prepare_cached(text)?.execute(params![room.as_str(), number(used)])?;
    Ok(())
}

/// What the disk knows of a room's chain.
pub(super) fn kept(connection: &Connection, room: &str) -> Result<Kept, StoreError> {
    let last = connection
        .query_row(
            "SELECT document FROM status_kept WHERE room = ?1 ORDER BY seq DESC LIMIT 1",
            [room],
            |row| row.get::<_, Vec<u8>>(0),
        )
        .optional()?
        .map(Bytes::from);
    let used = connection
        .query_row("SELECT seq FROM status_used WHERE room = ?1", [room], |row| row.get::<_, i64>(0))
        .optional()?;
    Ok(Kept { last, used: used.map(|seq| u64::try_from(seq).unwrap_or_default()) })
}

pub(super) struct Read {
    room: Name,
    seq: u64,
    answer: oneshot::Sender<Result<Found, StoreError>>,
}

/// Starts the readers' thread.
pub(super) fn reader(data: &Path) -> Result<mpsc::Sender<Read>, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(data.join(FILE), flags)?;
    let (readers, mut waiting) = mpsc::channel::<Read>(READERS_MAX);
    thread::Builder::new()
        .name("statuses".into())
        .spawn(move || {
            while let Some(Read { room, seq, answer }) = waiting.blocking_recv() {
                let _ = answer.send(find(&connection, &room, seq));
            }
        })
        .map_err(|error| StoreError::Damaged(format!("no thread for the statuses: {error}")))?;
    Ok(readers)
}

fn find(connection: &Connection, room: &Name, seq: u64) -> Result<Found, StoreError> {
    let text = "SELECT document FROM status_kept WHERE room = ?1 AND seq = ?2";
    let found = connection
        .prepare_cached(text)?
        .query_row(params![room.as_str(), number(seq)], |row| row.get::<_, Vec<u8>>(0))
        .optional()?;
    if let Some(document) = found {
        return Ok(Found::Status(document.into()));
    }
    let oldest: Option<i64> = connection
        .prepare_cached("SELECT min(seq) FROM status_kept WHERE room = ?1")?
        .query_row([room.as_str()], |row| row.get(0))?;
    Ok(if oldest.is_some_and(|oldest| number(seq) < oldest) { Found::TooOld } else { Found::Nothing })
}

/// SQLite's integers have a sign; no room has ever so many statuses.
fn number(seq: u64) -> i64 {
    i64::try_from(seq).unwrap_or(i64::MAX)
}
