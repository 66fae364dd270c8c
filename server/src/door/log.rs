//! The entry list on the disk: 16 bytes for each ticket in order of serial, 4 for each that has left the
//! line or come back to it. Only ever appended to, so that a crash costs nothing that was answered.
//!
//! One thread writes for all rooms, so that no answer holds a door's lock while the disk is slow. Whoever was
//! given a ticket is answered when it is written; the operating system then keeps it whatever happens to this
//! process.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tribune_core::door::arrivals::TICKETS_MAX;
use tribune_core::door::doorkeeper::Kept;
use tribune_core::door::ticket::Holder;
use tribune_core::reason::Refusal;

use crate::ops::logs::Repeats;
use crate::world::World;

/// Bytes of a ticket: its second (4, big-endian) and its holder (12).
const TICKET_BYTES: usize = 16;
/// Bytes of a serial.
const SERIAL_BYTES: usize = 4;
/// Set in the serial of a ticket that is back in the line: its seat was given and never heard. Serials are
/// below it.
const BACK: u32 = 1 << 31;
const _: () = assert!(TICKETS_MAX < BACK);
/// Lines of all rooms that may wait for the disk.
const LINES_MAX: usize = 65_536;
/// Lines written together.
const LINES_AT_ONCE: usize = 4_096;
/// How long the disk is given for a ticket.
const WRITE_WAIT: Duration = Duration::from_secs(2);
/// Tickets of so long are written together: what one writing costs is the same for one and for a hundred.
const GATHER: Duration = Duration::from_millis(4);
/// How long a disk that failed is left alone.
const DISK_REST: Duration = Duration::from_millis(100);

const TICKETS: &str = "tickets";
const SPENT: &str = "spent";

static NOT_WRITTEN: Repeats = Repeats::new();

/// The thread that writes the lists of all rooms. Copies are the same.
#[derive(Clone, Debug)]
pub struct Scribe {
    lines: mpsc::Sender<(Arc<Book>, Line)>,
    world: World,
}

/// What there is to write.
#[derive(Debug)]
enum Line {
    Ticket([u8; TICKET_BYTES]),
    Spent([u8; SERIAL_BYTES]),
}

/// One room's list, for the thread.
#[derive(Debug)]
struct Book {
    files: Mutex<(Appended, Appended)>,
    written: watch::Sender<Written>,
}

/// Lines of each kind that are on the disk.
#[derive(Clone, Copy, Debug, Default)]
struct Written {
    tickets: u64,
    spent: u64,
}

/// One room's list.
#[derive(Debug)]
pub struct Log {
    folder: PathBuf,
    book: Arc<Book>,
    scribe: Scribe,
    /// Lines of those who left the line that were handed over.
    spent: AtomicU64,
}

impl Scribe {
    /// Starts the thread; it ends with the last copy.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn start(world: World) -> io::Result<Self> {
        let (lines, to_write) = mpsc::channel(LINES_MAX);
        std::thread::Builder::new().name("entries".to_owned()).spawn(move || write_all(to_write, world))?;
        Ok(Self { lines, world })
    }
}

impl Log {
    /// Opens the list in a folder and reads what was kept. A torn end is not read, and written over: its
    /// ticket was never answered.
    ///
    /// # Errors
    /// What is there cannot be read.
    pub fn open(folder: PathBuf, scribe: Scribe) -> io::Result<(Self, Kept)> {
        let (tickets, tickets_kept) = Appended::open(folder.join(TICKETS), TICKET_BYTES)?;
        let (spent, spent_kept) = Appended::open(folder.join(SPENT), SERIAL_BYTES)?;
        let kept = Kept {
            tickets: tickets_kept.chunks_exact(TICKET_BYTES).map(ticket_of).collect(),
            spent: still_out(spent_kept.chunks_exact(SERIAL_BYTES).map(number_of)),
            ..Kept::default()
        };
        let spent_lines = (spent_kept.len() / SERIAL_BYTES) as u64;
        let written = Written { tickets: kept.tickets.len() as u64, spent: spent_lines };
        let spent_before = AtomicU64::new(written.spent);
        let files = Mutex::new((tickets, spent));
        let book = Arc::new(Book { files, written: watch::Sender::new(written) });
        Ok((Self { folder, book, scribe, spent: spent_before }, kept))
    }

    /// An empty list, in whose place something lies that cannot be read: a room whose disk fails still has a
    /// door. What it keeps goes elsewhere, so that nothing is written over.
    pub fn aside(folder: &Path, scribe: Scribe) -> Self {
        let folder = folder.join(format!("since-{}", scribe.world.wall().0));
        let empty = |name: &str| Appended { path: folder.join(name), bytes: 0, waiting: Vec::new() };
        let files = Mutex::new((empty(TICKETS), empty(SPENT)));
        let book = Arc::new(Book { files, written: watch::Sender::default() });
        Self { folder, book, scribe, spent: AtomicU64::new(0) }
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A place for one more ticket: what is issued must be written, so the place comes first.
    ///
    /// # Errors
    /// `Busy` when too many wait for the disk.
    pub fn reserve(&self) -> Result<Place<'_>, Refusal> {
        let permit = self.scribe.lines.try_reserve().map_err(|error| match error {
            TrySendError::Full(()) => Refusal::Busy,
            TrySendError::Closed(()) => Refusal::OurFault,
        })?;
        Ok(Place { permit, book: &self.book })
    }

    /// A ticket has left the line; `None` when too many wait for the disk. Lost, it would only be counted as
    /// waiting again, and its pass would end with this process.
    pub fn spent(&self, serial: u32) -> Option<Spent> {
        self.left_or_back(serial)
    }

    /// A ticket that had left the line is back in it.
    pub fn back(&self, serial: u32) -> Option<Spent> {
        self.left_or_back(serial | BACK)
    }

    fn left_or_back(&self, line: u32) -> Option<Spent> {
        self.scribe.lines.try_send((self.book.clone(), Line::Spent(line.to_be_bytes()))).ok()?;
        Some(Spent(self.spent.fetch_add(1, Ordering::Relaxed) + 1))
    }

    /// Waits a moment until it is written that a ticket has left the line.
    pub async fn kept(&self, spent: Option<Spent>) {
        if let Some(Spent(count)) = spent {
            let mut written = self.book.written.subscribe();
            // They have their seat all the same.
            let _ = tokio::time::timeout(WRITE_WAIT, written.wait_for(|to| to.spent >= count)).await;
        }
    }

    /// Waits until the ticket of this serial is written.
    ///
    /// # Errors
    /// `OurFault` when the disk does not take it in time.
    pub async fn written(&self, serial: u32) -> Result<(), Refusal> {
        let mut written = self.book.written.subscribe();
        let waited = tokio::time::timeout(WRITE_WAIT, written.wait_for(|to| to.tickets > u64::from(serial)));
        match waited.await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(Refusal::OurFault),
        }
    }
}

/// Which line it is that a ticket has left the line.
#[derive(Clone, Copy, Debug)]
pub struct Spent(u64);

/// Where the next ticket will be written.
pub struct Place<'a> {
    permit: mpsc::Permit<'a, (Arc<Book>, Line)>,
    book: &'a Arc<Book>,
}

impl Place<'_> {
    /// Hands it over; tickets come in order of serial.
    pub fn ticket(self, second: u32, holder: Holder) {
        let mut line = [0; TICKET_BYTES];
        line[..4].copy_from_slice(&second.to_be_bytes());
        line[4..].copy_from_slice(&holder.0);
        self.permit.send((self.book.clone(), Line::Ticket(line)));
    }
}

/// The thread: what waits is written together, each room's in its own order.
fn write_all(mut lines: mpsc::Receiver<(Arc<Book>, Line)>, world: World) {
    let mut some = Vec::with_capacity(LINES_AT_ONCE);
    let mut behind: Vec<Arc<Book>> = Vec::new();
    while lines.blocking_recv_many(&mut some, LINES_AT_ONCE) > 0 {
        for (book, line) in some.drain(..) {
            book.wait(line);
            if !behind.iter().any(|other| Arc::ptr_eq(other, &book)) {
                behind.push(book);
            }
        }
        behind.retain(|book| match book.write() {
            Ok(()) => false,
            Err(error) => {
                if let Some(repeated) = NOT_WRITTEN.pass(world.now()) {
                    tracing::error!(%error, repeated, "entries_not_written");
                }
                true
            }
        });
        world.rest(if behind.is_empty() { GATHER } else { DISK_REST });
    }
}

impl Book {
    fn wait(&self, line: Line) {
        let (tickets, spent) = &mut *self.lock();
        match line {
            Line::Ticket(bytes) => tickets.waiting.extend_from_slice(&bytes),
            Line::Spent(bytes) => spent.waiting.extend_from_slice(&bytes),
        }
    }

    fn write(&self) -> io::Result<()> {
        let (tickets, spent) = &mut *self.lock();
        tickets.write().and_then(|()| spent.write())?;
        let lines = |file: &Appended, line_bytes: usize| file.bytes / line_bytes as u64;
        let written = Written { tickets: lines(tickets, TICKET_BYTES), spent: lines(spent, SERIAL_BYTES) };
        self.written.send_replace(written);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, (Appended, Appended)> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A file that only grows, by whole lines. It is open only while it is written: rooms are many.
#[derive(Debug)]
struct Appended {
    path: PathBuf,
    bytes: u64,
    waiting: Vec<u8>,
}

impl Appended {
    /// The whole lines that are there.
    fn open(path: PathBuf, line_bytes: usize) -> io::Result<(Self, Vec<u8>)> {
        let mut kept = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        kept.truncate(kept.len() - kept.len() % line_bytes);
        Ok((Self { path, bytes: kept.len() as u64, waiting: Vec::new() }, kept))
    }

    /// All that waits, or none of it.
    fn write(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = OpenOptions::new().create(true).truncate(false).write(true).open(&self.path)?;
        // After a write that failed half way, the next begins where the last whole one ended.
        file.seek(SeekFrom::Start(self.bytes))?;
        file.write_all(&self.waiting)?;
        self.bytes += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }
}

/// Who has left the line, after all who left it and came back.
fn still_out(lines: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut out = BTreeSet::new();
    for line in lines {
        if line < BACK {
            out.insert(line)
        } else {
            out.remove(&(line - BACK))
        };
    }
    out.into_iter().collect()
}

fn ticket_of(line: &[u8]) -> (u32, Holder) {
    (number_of(line), Holder(std::array::from_fn(|place| line[4 + place])))
}

fn number_of(line: &[u8]) -> u32 {
    u32::from_be_bytes(std::array::from_fn(|place| line[place]))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn open(folder: &Path) -> (Log, Kept) {
        Log::open(folder.to_owned(), Scribe::start(World::begin()).unwrap()).unwrap()
    }

    #[tokio::test]
    async fn what_was_answered_is_there_after_a_crash_and_a_torn_end_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let (log, kept) = open(folder.path());
        assert!(kept.tickets.is_empty() && kept.spent.is_empty());
        for serial in 0..5_u8 {
            log.reserve().unwrap().ticket(u32::from(serial) * 10, Holder([serial; 12]));
        }
        log.written(4).await.unwrap();
        drop(log);
        let path = folder.path().join(TICKETS);
        let mut torn = fs::read(&path).unwrap();
        torn.extend_from_slice(&[1, 2, 3]);
        fs::write(&path, torn).unwrap();
        let (log, kept) = open(folder.path());
        let wanted: Vec<_> = (0..5_u8).map(|n| (u32::from(n) * 10, Holder([n; 12]))).collect();
        assert_eq!(kept.tickets, wanted);
        log.kept(log.spent(3)).await;
        log.reserve().unwrap().ticket(60, Holder([9; 12]));
        log.reserve().unwrap().ticket(61, Holder([8; 12]));
        log.written(6).await.unwrap();
        let (_, kept) = open(folder.path());
        assert_eq!(
            (kept.tickets.len(), kept.tickets[6], &kept.spent[..]),
            (7, (61, Holder([8; 12])), &[3][..])
        );
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_left_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join(TICKETS)).unwrap();
        let scribe = Scribe::start(World::begin()).unwrap();
        assert!(Log::open(folder.path().to_owned(), scribe.clone()).is_err());
        let log = Log::aside(folder.path(), scribe);
        log.reserve().unwrap().ticket(0, Holder([1; 12]));
        log.written(0).await.unwrap();
        assert!(folder.path().join(TICKETS).is_dir());
    }

    #[tokio::test]
    async fn who_came_back_to_the_line_is_in_it_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (log, _) = open(folder.path());
        for line in [log.spent(0), log.spent(TICKETS_MAX - 1), log.spent(7), log.back(7), log.back(0)] {
            log.kept(line).await;
        }
        log.kept(log.spent(0)).await;
        let (log, kept) = open(folder.path());
        assert_eq!(kept.spent, [0, TICKETS_MAX - 1]);
        log.kept(log.back(0)).await;
        assert_eq!(open(folder.path()).1.spent, [TICKETS_MAX - 1]);
    }
}
