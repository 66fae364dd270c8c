//! What goes before the first chunk: `ftyp` and `moov`, without any sample.

use bytes::Bytes;

use super::boxes::{
    put_all_u32, put_box, put_brands, put_full_box, put_media, put_movie_header, put_track_header,
};
use super::{Track, track_id};

/// The init segment of `tracks` (CMAF, ISO/IEC 23000-19, 7.3.1).
pub fn init_segment(tracks: &[Track]) -> Bytes {
    let mut out = Vec::new();
    put_brands(&mut out, &[b"iso6", b"cmfc", b"mp41"]);
    put_box(&mut out, b"moov", |out| {
        put_movie_header(out, 0, tracks.len());
        for (index, track) in tracks.iter().enumerate() {
            put_box(out, b"trak", |out| {
                put_track_header(out, index, 0);
                put_media(out, track, 0, put_empty_tables);
            });
        }
        put_box(out, b"mvex", |out| {
            for (index, track) in tracks.iter().enumerate() {
                put_full_box(out, b"trex", (0, 0), |out| {
                    put_all_u32(out, [track_id(index), 1, track.rendition.codec.unit_samples(), 0, 0]);
                });
            }
        });
    });
    out.into()
}

fn put_empty_tables(out: &mut Vec<u8>) {
    for name in [b"stts", b"stsc", b"stco"] {
        put_full_box(out, name, (0, 0), |out| put_all_u32(out, [0]));
    }
    put_full_box(out, b"stsz", (0, 0), |out| put_all_u32(out, [0, 0]));
}
