//! Where the AAC units of each part lie in the stored chunks, as a file beside them: what the M4A's index
//! is made from when the recording is closed. In memory it would grow by 18 MB a day for as long as the
//! room is open.
//!
//! It says nothing that the chunks do not say. So it is not synced with them, and whenever a recording is
//! opened, it is compared with the chunks and written again where it differs.

use std::io;
use std::path::Path;

use tribune_core::program::Codec;
use tribune_core::program::mp4::{Index, Track};
use tribune_core::program::verify::read_stretch;

use super::disk::{Disk, DiskFile};
use super::folder::Stored;

/// A place (64 bits) and a count (32).
const HEAD_BYTES: usize = 12;

/// The bytes of one part's run: its first unit lies `at` bytes into the stored chunks, the others follow it.
pub fn run(at: u64, sizes: &[u32]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD_BYTES + 4 * sizes.len());
    bytes.extend(at.to_be_bytes());
    bytes.extend((sizes.len() as u32).to_be_bytes());
    bytes.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
    bytes
}

/// The file while it is compared with the chunks.
pub struct Compared {
    file: DiskFile,
    len: u64,
}

impl Compared {
    /// Opens it, or makes it.
    pub fn begin(folder: &Path, disk: &Disk) -> io::Result<Self> {
        Ok(Self { file: disk.open(&Stored::Runs.path(folder))?, len: 0 })
    }

    /// The next chunk, `at` bytes into the stored chunks. One that was promised and does not read any more
    /// is left out: `verify` says where it is damaged, and the rest of the evening can still be recorded
    /// and heard.
    pub fn chunk(&mut self, at: u64, chunk: &[u8]) -> io::Result<()> {
        let Ok(coded) = read_stretch(Codec::AacLc, chunk) else { return Ok(()) };
        let sizes: Vec<u32> = coded.units.iter().map(|unit| unit.len() as u32).collect();
        let units_bytes: u64 = sizes.iter().map(|&size| u64::from(size)).sum();
        let run = run(at + chunk.len() as u64 - units_bytes, &sizes);
        let there = self.file.read_at(self.len, run.len());
        if there.ok().as_ref() != Some(&run) {
            self.file.write_at(&run, self.len)?;
        }
        self.len += run.len() as u64;
        Ok(())
    }

    /// All chunks were shown; answers with the file and its length.
    pub fn end(self) -> io::Result<(DiskFile, u64)> {
        if self.file.len()? > self.len {
            self.file.set_len(self.len)?;
        }
        Ok((self.file, self.len))
    }
}

/// The index of everything stored so far.
pub fn index(file: &DiskFile, len: u64, track: &Track) -> io::Result<Index> {
    let bytes = file.read_at(0, usize::try_from(len).map_err(io::Error::other)?)?;
    let mut index = Index::new(vec![track.clone()]);
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let (at, sizes, after) = split(rest).ok_or(io::ErrorKind::InvalidData)?;
        index.push(0, at, &sizes);
        rest = after;
    }
    Ok(index)
}

fn split(bytes: &[u8]) -> Option<(u64, Vec<u32>, &[u8])> {
    let (at, rest) = bytes.split_first_chunk()?;
    let (count, rest) = rest.split_first_chunk()?;
    let count = usize::try_from(u32::from_be_bytes(*count)).ok()?;
    let (sizes, rest) = rest.split_at_checked(count.checked_mul(4)?)?;
    let sizes = sizes.as_chunks().0.iter().map(|size| u32::from_be_bytes(*size)).collect();
    Some((u64::from_be_bytes(*at), sizes, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_come_back_as_they_went_in_and_a_torn_one_is_told() {
        let bytes = [run(7, &[1, 2]), run(u64::MAX, &[]), run(9, &[u32::MAX])].concat();
        let (at, sizes, rest) = split(&bytes).expect("whole");
        assert_eq!((at, sizes), (7, vec![1, 2]));
        let (at, sizes, rest) = split(rest).expect("whole");
        assert_eq!((at, sizes), (u64::MAX, vec![]));
        assert_eq!(split(rest), Some((9, vec![u32::MAX], &[][..])));
        for len in 0..rest.len() {
            assert_eq!(split(&rest[..len]), None, "{len}");
        }
        assert_eq!(split(&[0xff; 64]), None, "more sizes than there are bytes");
    }
}
