//! Reports that their hosts have published: a page each, written once.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tribune_core::room::Name;

use super::ledger::FOLDER;

/// The folder of the pages.
const REPORTS: &str = "reports";
/// Rooms of which it is known without asking the disk what their page is, or that there is none.
const KNOWN_MAX: usize = 256;

/// The pages. Copies are the same.
#[derive(Clone)]
pub struct Published(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    known: Mutex<BTreeMap<Name, Option<Bytes>>>,
}

impl Published {
    /// Those of a data folder.
    pub fn new(data: &Path) -> Self {
        Self(Arc::new(Inner { folder: data.join(FOLDER).join(REPORTS), known: Mutex::default() }))
    }

    /// The page of a room, if it is published. Asks the disk.
    pub fn page(&self, room: &Name) -> Option<Bytes> {
        if let Some(known) = self.known().get(room) {
            return known.clone();
        }
        let read = fs::read(self.path(room)).ok().map(Bytes::from);
        let mut known = self.known();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        // What was published meanwhile is newer than what was read.
        known.entry(room.clone()).or_insert(read).clone()
    }

    /// Everybody may read it from now on. Asks the disk.
    ///
    /// # Errors
    /// The disk does not take it.
    pub fn publish(&self, room: &Name, page: String) -> io::Result<()> {
        fs::create_dir_all(&self.0.folder)?;
        let path = self.path(room);
        let beside = path.with_extension("new");
        fs::write(&beside, &page)?;
        fs::File::open(&beside)?.sync_all()?;
        fs::rename(&beside, &path)?;
        self.known().insert(room.clone(), Some(page.into()));
        Ok(())
    }

    /// Nobody may any longer. Asks the disk.
    ///
    /// # Errors
    /// The disk keeps it.
    pub fn take_back(&self, room: &Name) -> io::Result<()> {
        match fs::remove_file(self.path(room)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
        self.known().insert(room.clone(), None);
        Ok(())
    }

    fn path(&self, room: &Name) -> PathBuf {
        self.0.folder.join(format!("{room}.html"))
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<Name, Option<Bytes>>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_there_until_it_is_taken_back_also_after_a_restart() {
        let data = tempfile::tempdir().expect("a folder");
        let room = Name::parse("debate").expect("a name");
        let published = Published::new(data.path());
        assert_eq!(published.page(&room), None);
        published.publish(&room, "page".to_owned()).expect("written");
        assert_eq!(published.page(&room).as_deref(), Some(&b"page"[..]));
        let again = Published::new(data.path());
        assert_eq!(again.page(&room).as_deref(), Some(&b"page"[..]));
        again.take_back(&room).expect("removed");
        again.take_back(&room).expect("it is gone already");
        assert_eq!((again.page(&room), Published::new(data.path()).page(&room)), (None, None));
    }
}
