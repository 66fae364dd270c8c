//! A plain M4A laid over stored chunks: `ftyp` and `moov` that say where each unit lies in one `mdat`, which
//! spans the whole stored file. The `moof` boxes inside it are bytes nobody points at.
//!
//! It grows by one part at a time, so that four hours are indexed when they end.

use super::Track;
use super::boxes::{
    put_all_u32, put_box, put_brands, put_full_box, put_media, put_movie_header, put_track_header, put_u16,
    put_u32, put_u64,
};

/// The index of a recording, growing with it.
#[derive(Clone, Debug)]
pub struct Index {
    tracks: Vec<Table>,
}

/// Where one track's units lie.
#[derive(Clone, Debug)]
struct Table {
    track: Track,
    /// Bytes of each unit, as they are written in `stsz`.
    sizes: Vec<u8>,
    /// Where each run of units begins in the stored file.
    runs_at: Vec<u64>,
    /// From which run on (counted from 1) runs have how many units.
    run_units: Vec<(u32, u32)>,
}

impl Index {
    /// Of nothing yet; `tracks` in the order of the file.
    pub fn new(tracks: Vec<Track>) -> Self {
        let table = |track| Table { track, sizes: Vec::new(), runs_at: Vec::new(), run_units: Vec::new() };
        Self { tracks: tracks.into_iter().map(table).collect() }
    }

    /// Adds one part of track `track`: its first unit lies `at` bytes into the stored file, the others follow
    /// it.
    ///
    /// # Panics
    /// When there is no such track.
    pub fn push(&mut self, track: usize, at: u64, sizes: &[u32]) {
        let table = &mut self.tracks[track];
        table.runs_at.push(at);
        let units = sizes.len() as u32;
        if table.run_units.last().is_none_or(|&(_, last)| last != units) {
            table.run_units.push((table.runs_at.len() as u32, units));
        }
        table.sizes.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
    }

    /// Everything that goes before the stored file of `stored_bytes`: `ftyp`, `moov` and the header of
    /// `mdat`.
    pub fn head(&self, stored_bytes: u64) -> Vec<u8> {
        let narrow = self.lay_out(stored_bytes, Offsets::Narrow);
        if narrow.len() as u64 + stored_bytes <= u64::from(u32::MAX) {
            return narrow;
        }
        self.lay_out(stored_bytes, Offsets::Wide)
    }

    /// Writes the head twice: how long it is decides where the stored file begins.
    fn lay_out(&self, stored_bytes: u64, offsets: Offsets) -> Vec<u8> {
        let head_bytes = self.write(0, stored_bytes, offsets).len() as u64;
        self.write(head_bytes, stored_bytes, offsets)
    }

    fn write(&self, head_bytes: u64, stored_bytes: u64, offsets: Offsets) -> Vec<u8> {
        let mut out = Vec::new();
        put_brands(&mut out, &[b"M4A ", b"mp42", b"isom"]);
        put_box(&mut out, b"moov", |out| {
            let duration = self.tracks.iter().map(Table::presented).max().unwrap_or(0);
            put_movie_header(out, duration, self.tracks.len());
            for (index, table) in self.tracks.iter().enumerate() {
                put_box(out, b"trak", |out| {
                    put_track_header(out, index, table.presented());
                    table.put_edit(out);
                    put_media(out, &table.track, table.duration(), |out| table.put(out, head_bytes, offsets));
                });
            }
        });
        match offsets {
            Offsets::Narrow => put_u32(&mut out, (stored_bytes + 8) as u32),
            Offsets::Wide => put_u32(&mut out, 1), // the size follows in 64 bits
        }
        out.extend_from_slice(b"mdat");
        match offsets {
            Offsets::Narrow => {}
            Offsets::Wide => put_u64(&mut out, stored_bytes + 16),
        }
        out
    }
}

/// Whether places in the file take 32 bits or 64.
#[derive(Clone, Copy)]
enum Offsets {
    Narrow,
    Wide,
}

impl Table {
    fn units(&self) -> u32 {
        (self.sizes.len() / 4) as u32
    }

    /// Samples at 48 kHz in all units.
    fn duration(&self) -> u64 {
        u64::from(self.units()) * u64::from(self.track.rendition.codec.unit_samples())
    }

    /// Samples at 48 kHz that are heard: without the priming.
    fn presented(&self) -> u64 {
        self.duration().saturating_sub(self.track.rendition.priming_samples.into())
    }

    /// `edts`: the sound begins after the priming.
    fn put_edit(&self, out: &mut Vec<u8>) {
        put_box(out, b"edts", |out| {
            put_full_box(out, b"elst", (1, 0), |out| {
                put_u32(out, 1);
                put_u64(out, self.presented());
                put_u64(out, self.track.rendition.priming_samples.into());
                put_u16(out, 1);
                put_u16(out, 0);
            });
        });
    }

    fn put(&self, out: &mut Vec<u8>, head_bytes: u64, offsets: Offsets) {
        put_full_box(out, b"stts", (0, 0), |out| {
            put_all_u32(out, [1, self.units(), self.track.rendition.codec.unit_samples()]);
        });
        put_full_box(out, b"stsc", (0, 0), |out| {
            put_u32(out, self.run_units.len() as u32);
            for &(first, units) in &self.run_units {
                put_all_u32(out, [first, units, 1]);
            }
        });
        put_full_box(out, b"stsz", (0, 0), |out| {
            put_all_u32(out, [0, self.units()]);
            out.extend_from_slice(&self.sizes);
        });
        let name = match offsets {
            Offsets::Narrow => b"stco",
            Offsets::Wide => b"co64",
        };
        put_full_box(out, name, (0, 0), |out| {
            put_u32(out, self.runs_at.len() as u32);
            for &at in &self.runs_at {
                match offsets {
                    Offsets::Narrow => put_u32(out, (at + head_bytes) as u32),
                    Offsets::Wide => put_u64(out, at + head_bytes),
                }
            }
        });
    }
}
