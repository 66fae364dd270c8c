//! Writing boxes, and the ones that init segments and the index have in common.

use super::{Track, track_id};
use crate::program::part::{Codec, Media};
use crate::time::RATE_HZ;

/// A movie's identity matrix (ISO/IEC 14496-12, 8.2.2).
const MATRIX: [u32; 9] = [0x0001_0000, 0, 0, 0, 0x0001_0000, 0, 0, 0, 0x4000_0000];
/// "und": no language is claimed.
const LANGUAGE: u16 = 0x55C4;

/// Appends a box called `name`, filled by `body`.
pub(super) fn put_box(out: &mut Vec<u8>, name: &[u8; 4], body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(name);
    body(out);
    let size =
        u32::try_from(out.len() - start).expect("only mdat outgrows 32 bits, and it is not written here");
    out[start..start + 4].copy_from_slice(&size.to_be_bytes());
}

/// Appends a box with a version and flags.
pub(super) fn put_full_box(
    out: &mut Vec<u8>,
    name: &[u8; 4],
    (version, flags): (u8, u32),
    body: impl FnOnce(&mut Vec<u8>),
) {
    put_box(out, name, |out| {
        put_u32(out, u32::from(version) << 24 | flags);
        body(out);
    });
}

pub(super) fn put_u16(out: &mut Vec<u8>, value: u16) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub(super) fn put_u32(out: &mut Vec<u8>, value: u32) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub(super) fn put_u64(out: &mut Vec<u8>, value: u64) {
    out.extend_from_slice(&value.to_be_bytes());
}

pub(super) fn put_all_u32(out: &mut Vec<u8>, values: impl IntoIterator<Item = u32>) {
    for value in values {
        put_u32(out, value);
    }
}

/// `ftyp`: the first brand is the major one.
pub(super) fn put_brands(out: &mut Vec<u8>, brands: &[&[u8; 4]]) {
    put_box(out, b"ftyp", |out| {
        out.extend_from_slice(brands[0]);
        put_u32(out, 0);
        for brand in brands {
            out.extend_from_slice(*brand);
        }
    });
}

/// `mvhd`: time is counted in samples at 48 kHz.
pub(super) fn put_movie_header(out: &mut Vec<u8>, duration: u64, tracks: usize) {
    put_full_box(out, b"mvhd", (1, 0), |out| {
        put_u64(out, 0); // made: not said
        put_u64(out, 0); // changed: not said
        put_u32(out, RATE_HZ);
        put_u64(out, duration);
        put_u32(out, 0x0001_0000); // played at its own speed
        put_u16(out, 0x0100); // and volume
        out.extend_from_slice(&[0; 10]);
        put_all_u32(out, MATRIX);
        put_all_u32(out, [0; 6]);
        put_u32(out, track_id(tracks));
    });
}

/// `tkhd`; `duration` is that of the presentation.
pub(super) fn put_track_header(out: &mut Vec<u8>, index: usize, duration: u64) {
    /// Enabled, in the movie, in the preview.
    const SHOWN: u32 = 7;
    put_full_box(out, b"tkhd", (1, SHOWN), |out| {
        put_u64(out, 0);
        put_u64(out, 0);
        put_u32(out, track_id(index));
        put_u32(out, 0);
        put_u64(out, duration);
        put_all_u32(out, [0; 2]);
        put_u16(out, 0); // layer
        put_u16(out, 0); // alternate group
        put_u16(out, 0x0100); // volume
        put_u16(out, 0);
        put_all_u32(out, MATRIX);
        put_all_u32(out, [0; 2]); // sound has no size
    });
}

/// `mdia` with everything but the sample table's contents after `stsd`, which `table` writes.
pub(super) fn put_media(out: &mut Vec<u8>, track: &Track, duration: u64, table: impl FnOnce(&mut Vec<u8>)) {
    put_box(out, b"mdia", |out| {
        put_full_box(out, b"mdhd", (1, 0), |out| {
            put_u64(out, 0);
            put_u64(out, 0);
            put_u32(out, RATE_HZ);
            put_u64(out, duration);
            put_u16(out, LANGUAGE);
            put_u16(out, 0);
        });
        put_full_box(out, b"hdlr", (0, 0), |out| {
            put_u32(out, 0);
            match track.rendition.codec.media() {
                Media::Audio => out.extend_from_slice(b"soun"),
            }
            put_all_u32(out, [0; 3]);
            out.extend_from_slice(b"program\0");
        });
        put_box(out, b"minf", |out| {
            match track.rendition.codec.media() {
                Media::Audio => put_full_box(out, b"smhd", (0, 0), |out| put_u32(out, 0)),
            }
            put_box(out, b"dinf", |out| {
                put_full_box(out, b"dref", (0, 0), |out| {
                    put_u32(out, 1);
                    put_full_box(out, b"url ", (0, 1), |_| {}); // in this file
                });
            });
            put_box(out, b"stbl", |out| {
                put_full_box(out, b"stsd", (0, 0), |out| {
                    put_u32(out, 1);
                    put_sample_entry(out, track);
                });
                table(out);
            });
        });
    });
}

fn put_sample_entry(out: &mut Vec<u8>, track: &Track) {
    let name = match track.rendition.codec {
        Codec::Opus => b"Opus",
        Codec::AacLc => b"mp4a",
    };
    put_box(out, name, |out| {
        out.extend_from_slice(&[0; 6]);
        put_u16(out, 1); // the one data reference
        put_all_u32(out, [0; 2]);
        put_u16(out, u16::from(track.rendition.channels));
        put_u16(out, 16);
        put_u32(out, 0);
        put_u32(out, RATE_HZ << 16);
        match track.rendition.codec {
            Codec::Opus => put_opus_config(out, track),
            Codec::AacLc => put_aac_config(out, track),
        }
    });
}

/// `dOps` (Encapsulation of Opus in ISO Base Media File Format, 4.3.2).
fn put_opus_config(out: &mut Vec<u8>, track: &Track) {
    put_box(out, b"dOps", |out| {
        out.extend_from_slice(&[0, track.rendition.channels]);
        put_u16(out, track.rendition.priming_samples as u16);
        put_u32(out, RATE_HZ);
        put_u16(out, 0); // gain
        out.push(0); // mapping family
    });
}

/// `esds` (ISO/IEC 14496-14, 5.6), with the descriptors of ISO/IEC 14496-1, 7.2.6.
fn put_aac_config(out: &mut Vec<u8>, track: &Track) {
    let config = &track.config;
    let config_bytes = u8::try_from(config.len()).expect("our own encoder's configuration is a few bytes");
    put_full_box(out, b"esds", (0, 0), |out| {
        out.extend_from_slice(&[0x03, config_bytes + 23, 0, 0, 0]); // elementary stream 0, no flags
        // MPEG-4 sound, and a buffer of 768 bytes.
        out.extend_from_slice(&[0x04, config_bytes + 15, 0x40, 0x15, 0, 0x03, 0]);
        put_u32(out, track.rendition.bit_rate);
        put_u32(out, track.rendition.bit_rate);
        out.extend_from_slice(&[0x05, config_bytes]);
        out.extend_from_slice(config);
        out.extend_from_slice(&[0x06, 1, 2]); // as MP4 files synchronise
    });
}
