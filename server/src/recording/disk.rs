//! The files of a recording, written at known places, and a disk that fails on demand for the tests.
//!
//! Every write names its place. So a write that broke off is simply made again, and nothing that was promised
//! is touched.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What the files lie on.
#[derive(Clone, Debug, Default)]
pub enum Disk {
    /// The operating system's.
    #[default]
    Real,
    /// The same, but it fails as told.
    Faulty(Arc<Faults>),
}

/// How a disk fails.
#[derive(Debug)]
pub struct Faults {
    /// Bytes that can still be written; the write that reaches 0 is cut there.
    pub room_bytes: AtomicU64,
    /// Whether what was written fails to become durable.
    pub fails_sync: AtomicBool,
}

impl Faults {
    /// A disk with `room_bytes` left.
    pub fn with_room(room_bytes: u64) -> Arc<Self> {
        Arc::new(Self { room_bytes: AtomicU64::new(room_bytes), fails_sync: AtomicBool::new(false) })
    }

    fn take(&self, wanted: u64) -> u64 {
        let take = |room: u64| Some(room - room.min(wanted));
        let before = self.room_bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take);
        before.unwrap_or(0).min(wanted)
    }
}

/// One file of a recording.
#[derive(Debug)]
pub struct DiskFile {
    file: File,
    disk: Disk,
}

impl Disk {
    /// Opens a file for reading and writing; makes it when it is missing.
    pub fn open(&self, path: &Path) -> io::Result<DiskFile> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        Ok(DiskFile { file, disk: self.clone() })
    }

    /// Opens a file for reading only.
    pub fn read(&self, path: &Path) -> io::Result<DiskFile> {
        Ok(DiskFile { file: File::open(path)?, disk: self.clone() })
    }

    /// Writes a small file so that after a crash it is there whole or not at all.
    pub fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let unfinished = path.with_extension("unfinished");
        let file = self.open(&unfinished)?;
        file.file.set_len(0)?;
        file.write_at(bytes, 0)?;
        file.sync()?;
        std::fs::rename(&unfinished, path)?;
        sync_folder(path.parent().unwrap_or(Path::new(".")))
    }
}

impl DiskFile {
    /// Writes all of `bytes` at `at`, or fails; then some of them may be there.
    pub fn write_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        match &self.disk {
            Disk::Real => self.file.write_all_at(bytes, at),
            Disk::Faulty(faults) => {
                let taken = faults.take(bytes.len() as u64) as usize;
                self.file.write_all_at(&bytes[..taken], at)?;
                if taken < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
            }
        }
    }

    /// Waits until what was written is durable. A file that somebody removed takes writes as before, but
    /// nobody will find it again.
    pub fn sync(&self) -> io::Result<()> {
        match &self.disk {
            Disk::Faulty(faults) if faults.fails_sync.load(Ordering::Relaxed) => {
                return Err(io::Error::other("the disk failed on demand"));
            }
            Disk::Real | Disk::Faulty(_) => self.file.sync_data()?,
        }
        match self.file.metadata()?.nlink() {
            0 => Err(io::Error::new(io::ErrorKind::NotFound, "a file of the recording was removed")),
            _ => Ok(()),
        }
    }

    /// Its length in bytes.
    pub fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Cuts or lengthens it.
    pub fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    /// Reads exactly `len` bytes at `at`.
    pub fn read_at(&self, at: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(bytes)
    }
}

/// A file that may not grow any more (RLIMIT_FSIZE, setrlimit(2)) fails like a full disk. Without this the
/// kernel would end the process instead.
pub fn outlive_size_limits() {
    // SAFETY: ignoring a signal installs no code of ours, and SIGXFSZ is one that may be ignored.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// Makes a folder's list of names durable.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
