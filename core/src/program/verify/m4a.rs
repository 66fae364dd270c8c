//! Reads the AAC frames of an M4A file (ISO/IEC 14496-12): by its sample table, or by the fragments of an HLS
//! download.
//!
//! Sizes and counts come from outside: nothing is kept that is not inside the file, and a table cannot name
//! more samples than it has bytes for.

use std::borrow::Cow;

use super::{Coded, Damage, ReadWrong, UNITS_MAX};
use crate::program::Codec;

/// One box: its name and what is in it.
struct Mp4Box<'a> {
    name: [u8; 4],
    /// Where its header begins in the file.
    at: usize,
    /// Where its content begins in the file.
    content_at: usize,
    content: &'a [u8],
    is_cut: bool,
}

/// The boxes in `bytes`, which lie at `at` in the file.
struct Boxes<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Boxes<'a> {
    type Item = Mp4Box<'a>;

    fn next(&mut self) -> Option<Mp4Box<'a>> {
        let bytes = self.bytes;
        let name: [u8; 4] = bytes.get(4..8)?.try_into().ok()?;
        let (header, size) = match be32(bytes, 0)? as usize {
            0 => (8, bytes.len()),
            1 => (16, usize::try_from(be64(bytes, 8)?).ok()?),
            size => (8, size),
        };
        if size < header {
            return None;
        }
        let end = size.min(bytes.len());
        let content = bytes.get(header..end)?;
        let found =
            Mp4Box { name, at: self.at, content_at: self.at + header, content, is_cut: size > bytes.len() };
        self.bytes = &bytes[end..];
        self.at += end;
        Some(found)
    }
}

/// Reads a whole file, or a run of fragments.
pub fn read(bytes: &[u8]) -> Result<Coded<'_>, ReadWrong> {
    let mut frames = Frames { file: bytes, bytes: 0, units: Vec::new(), damages: Vec::new() };
    let mut has_index = false;
    for found in (Boxes { bytes, at: 0 }) {
        if found.is_cut {
            frames.damage("the file breaks off");
        }
        match &found.name {
            b"moov" => has_index |= frames.by_table(found.content)?,
            b"moof" if !has_index => frames.by_fragment(&found)?,
            _ => {}
        }
    }
    if frames.units.is_empty() {
        return Err(ReadWrong::NoSound);
    }
    Ok(Coded { codec: Codec::AacLc, units: frames.units, damages: frames.damages, whole_file: has_index })
}

struct Frames<'a> {
    file: &'a [u8],
    bytes: usize,
    units: Vec<Cow<'a, [u8]>>,
    damages: Vec<Damage>,
}

impl<'a> Frames<'a> {
    fn damage(&mut self, what: &str) {
        self.damages.push(Damage { unit: self.units.len(), what: what.to_owned() });
    }

    /// Takes one frame. Frames of a real file have bytes and do not overlap, so all of them are no longer
    /// than the file, and no more than its bytes.
    fn push(&mut self, unit: &'a [u8]) -> Result<(), ReadWrong> {
        if unit.is_empty() {
            return Err(ReadWrong::Index("its index names a frame without bytes"));
        }
        self.bytes += unit.len();
        if self.bytes > self.file.len() || self.units.len() >= UNITS_MAX {
            return Err(ReadWrong::Index("its index names more sound than the file can hold"));
        }
        self.units.push(Cow::Borrowed(unit));
        Ok(())
    }

    /// Takes the samples a `moov` names; whether it names any.
    fn by_table(&mut self, moov: &'a [u8]) -> Result<bool, ReadWrong> {
        let mut tracks = Boxes { bytes: moov, at: 0 }.filter(|found| &found.name == b"trak");
        let Some(track) = tracks.next() else { return Err(ReadWrong::Index("it has no track")) };
        let table = ["mdia", "minf", "stbl"]
            .into_iter()
            .try_fold(track.content, |content, name| child(content, name))
            .ok_or(ReadWrong::Index("it has no sample table"))?;
        let sizes = child(table, "stsz").and_then(Sizes::read).ok_or(ReadWrong::Index("stsz is missing"))?;
        if sizes.count == 0 {
            return Ok(false);
        }
        let runs = child(table, "stsc").and_then(read_runs).ok_or(ReadWrong::Index("stsc is missing"))?;
        let chunks = read_chunks(table).ok_or(ReadWrong::Index("stco is missing"))?;
        self.by_chunks(&sizes, &runs, &chunks)?;
        Ok(true)
    }

    fn by_chunks(&mut self, sizes: &Sizes, runs: &[(u32, u32)], chunks: &[u64]) -> Result<(), ReadWrong> {
        let mut sample = 0;
        let mut run = 0;
        for (place, &offset) in chunks.iter().enumerate() {
            while runs.get(run + 1).is_some_and(|next| next.0 as usize <= place + 1) {
                run += 1;
            }
            let per_chunk = runs.get(run).ok_or(ReadWrong::Index("stsc is empty"))?.1;
            let mut at = usize::try_from(offset).unwrap_or(usize::MAX);
            for _ in 0..per_chunk {
                let Some(size) = sizes.get(sample) else { return Ok(()) };
                let Some(unit) = at.checked_add(size).and_then(|end| self.file.get(at..end)) else {
                    self.damage("the file breaks off before the sound its index names");
                    return Ok(());
                };
                self.push(unit)?;
                at += size;
                sample += 1;
            }
        }
        if sample < sizes.count {
            self.damage("the index names more frames than it places");
        }
        Ok(())
    }

    /// Takes the samples of one fragment (`default-base-is-moof`).
    fn by_fragment(&mut self, moof: &Mp4Box<'a>) -> Result<(), ReadWrong> {
        let wrong = ReadWrong::Index("a fragment does not read");
        let traf = child(moof.content, "traf").ok_or(ReadWrong::Index("a fragment has no track"))?;
        let trun = child(traf, "trun").ok_or(ReadWrong::Index("a fragment has no samples"))?;
        let (Some(flags), Some(count)) = (be32(trun, 0), be32(trun, 4)) else { return Err(wrong) };
        let fixed = child(traf, "tfhd").and_then(default_size);
        let mut field = 8;
        let mut at = moof.content_at + moof.content.len() + 8;
        if flags & 1 != 0 {
            let offset = be32(trun, field).ok_or(ReadWrong::Index("a fragment does not read"))?;
            at = moof.at.saturating_add(offset as usize);
            field += 4;
        }
        field += if flags & 4 != 0 { 4 } else { 0 };
        let (before, sized) = (if flags & 0x100 != 0 { 4 } else { 0 }, flags & 0x200 != 0);
        let stride = (flags >> 8 & 0xf).count_ones() as usize * 4;
        for sample in 0..(count as usize).min(self.file.len()) {
            let own = sized.then(|| be32(trun, field + sample * stride + before)).flatten();
            let Some(size) = own.or(if sized { None } else { fixed }) else { return Err(wrong) };
            let Some(unit) = at.checked_add(size as usize).and_then(|end| self.file.get(at..end)) else {
                self.damage("the file breaks off inside a fragment");
                return Ok(());
            };
            self.push(unit)?;
            at += size as usize;
        }
        Ok(())
    }
}

/// `stsz`: one size for all, or one each.
struct Sizes<'a> {
    fixed: usize,
    count: usize,
    table: &'a [u8],
}

impl<'a> Sizes<'a> {
    fn read(stsz: &'a [u8]) -> Option<Self> {
        let table = stsz.get(12..)?;
        let fixed = be32(stsz, 4)? as usize;
        let count = be32(stsz, 8)? as usize;
        (fixed > 0 || table.len() / 4 >= count).then_some(Self { fixed, count, table })
    }

    fn get(&self, sample: usize) -> Option<usize> {
        if sample >= self.count {
            None
        } else if self.fixed > 0 {
            Some(self.fixed)
        } else {
            be32(self.table, sample * 4).map(|size| size as usize)
        }
    }
}

/// `stsc`: from which chunk on (from 1) how many samples a chunk has.
fn read_runs(stsc: &[u8]) -> Option<Vec<(u32, u32)>> {
    let table = stsc.get(8..)?;
    let count = (be32(stsc, 4)? as usize).min(table.len() / 12);
    (0..count).map(|run| Some((be32(table, run * 12)?, be32(table, run * 12 + 4)?))).collect()
}

/// `stco` or `co64`: where each chunk lies in the file.
fn read_chunks(table: &[u8]) -> Option<Vec<u64>> {
    let (list, width) = match child(table, "stco") {
        Some(list) => (list, 4),
        None => (child(table, "co64")?, 8),
    };
    let offsets = list.get(8..)?;
    let count = (be32(list, 4)? as usize).min(offsets.len() / width);
    let read = |chunk: usize| match width {
        4 => be32(offsets, chunk * 4).map(u64::from),
        _ => be64(offsets, chunk * 8),
    };
    (0..count).map(read).collect()
}

/// `tfhd`'s default sample size.
fn default_size(tfhd: &[u8]) -> Option<u32> {
    let flags = be32(tfhd, 0)?;
    let before = [(1, 8), (2, 4), (8, 4)].iter().filter(|(flag, _)| flags & flag != 0).map(|(_, len)| len);
    (flags & 0x10 != 0).then(|| be32(tfhd, 8 + before.sum::<usize>())).flatten()
}

fn child<'a>(content: &'a [u8], name: &str) -> Option<&'a [u8]> {
    Boxes { bytes: content, at: 0 }.find(|found| found.name == name.as_bytes()).map(|found| found.content)
}

fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_be_bytes)
}

fn be64(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at.checked_add(8)?)?.try_into().ok().map(u64::from_be_bytes)
}
