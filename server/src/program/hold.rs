//! The hold sound of one room: a WAV file in the room's folder. Without it the node's own is heard.
//!
//! A file of many megabytes is written beside its place, and put there by a rename: the room's task, which
//! does that, waits for no disk that writes.

use std::fs::{self, DirBuilder, File};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use tribune_core::ingest::wav::{self, WavWrong};
use tribune_core::mix::{HOLD_SOUND_S_MAX, HoldSound};

/// Largest file of a room's own hold sound, in bytes: five minutes in mono, half of that in stereo.
pub const HOLD_BYTES_MAX: usize = 30_000_000;

/// What a file may hold is played to its end.
const _: () = assert!(wav::WAV_S_MAX <= HOLD_SOUND_S_MAX);

/// In the room's folder.
const FILE: &str = "hold.wav";
/// The next one, until it is whole.
const UNFINISHED_FILE: &str = "hold.unfinished";

/// Makes a WAV file into a sound that can be played. Takes time in proportion to its length.
///
/// # Errors
/// What is wrong with the file.
pub fn read(wav: &[u8]) -> Result<HoldSound, WavWrong> {
    wav::read(wav).map(HoldSound::of)
}

/// What is heard on hold in the room whose folder this is: its own sound if there is one, else the node's. A
/// file that cannot be read keeps nobody from being heard.
pub(super) fn of_room(folder: &Path, node: &HoldSound) -> HoldSound {
    let path = folder.join(FILE);
    let kept = match fs::read(&path) {
        Ok(wav) => read(&wav).map_err(|error| error.to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return node.clone(),
        Err(error) => Err(error.to_string()),
    };
    kept.unwrap_or_else(|error| {
        tracing::warn!(path = %path.display(), error, "hold_sound_not_read");
        node.clone()
    })
}

/// Writes the next hold sound beside its place, durably; makes the folder when it is missing.
///
/// # Errors
/// What the disk says.
pub fn write(folder: &Path, wav: &[u8]) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut file = File::create(folder.join(UNFINISHED_FILE))?;
    file.write_all(wav)?;
    file.sync_all()
}

/// Puts what was written into its place.
///
/// # Errors
/// What the disk says.
pub fn put(folder: &Path) -> io::Result<()> {
    fs::rename(folder.join(UNFINISHED_FILE), folder.join(FILE))?;
    File::open(folder)?.sync_all()
}

/// Takes the room's own sound away; that there is none is no error.
///
/// # Errors
/// What the disk says.
pub fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_file(folder.join(FILE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        Err(_) => Ok(()),
        Ok(()) => File::open(folder)?.sync_all(),
    }
}

/// The room did not take what was written, or went away meanwhile: leaves nothing of it.
pub fn forget(folder: &Path) {
    // The folder of a room that is there is not empty, or is made again when it is needed.
    let _ = fs::remove_file(folder.join(UNFINISHED_FILE));
    let _ = fs::remove_dir(folder);
}
