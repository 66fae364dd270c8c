//! Reports that their hosts have published: a page each, written once.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tribune_core::room::Name;

use super::ledger::FOLDER;

/// The folder of the pages.
const REPORTS: &str = "reports";
/// A page is called like its room, and this.
const ENDS: &str = ".html";
/// Rooms of which it is known without asking the disk what their page is, or that there is none.
const KNOWN_MAX: usize = 256;

/// The pages. Copies are the same.
#[derive(Clone)]
pub struct Published(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    known: Mutex<BTreeMap<Name, Option<Bytes>>>,
    /// All rooms that have a page.
    rooms: Mutex<BTreeSet<Name>>,
}

impl Published {
    /// Those of a data folder. Asks the disk.
    pub fn new(data: &Path) -> Self {
        let folder = data.join(FOLDER).join(REPORTS);
        let rooms = Mutex::new(rooms_of(&folder));
        Self(Arc::new(Inner { folder, known: Mutex::default(), rooms }))
    }

    /// Whether a room has a page, without asking the disk.
    pub fn has(&self, room: &Name) -> bool {
        self.rooms().contains(room)
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
        self.rooms().insert(room.clone());
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
        self.rooms().remove(room);
        Ok(())
    }

    fn path(&self, room: &Name) -> PathBuf {
        self.0.folder.join(format!("{room}{ENDS}"))
    }

    fn rooms(&self) -> MutexGuard<'_, BTreeSet<Name>> {
        self.0.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<Name, Option<Bytes>>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Before the first page there is no folder.
fn rooms_of(folder: &Path) -> BTreeSet<Name> {
    let Ok(entries) = fs::read_dir(folder) else { return BTreeSet::new() };
    let room = |entry: fs::DirEntry| Name::parse(entry.file_name().to_str()?.strip_suffix(ENDS)?).ok();
    entries.flatten().filter_map(room).collect()
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
        assert!(published.has(&room) && again.has(&room));
        assert_eq!(again.page(&room).as_deref(), Some(&b"page"[..]));
        again.take_back(&room).expect("removed");
        again.take_back(&room).expect("it is gone already");
        assert_eq!((again.page(&room), Published::new(data.path()).page(&room)), (None, None));
        assert!(!again.has(&room) && !Published::new(data.path()).has(&room));
    }
}
