//! What a source really sends, by its first bytes; its `Content-Type` only makes believing easier.

use super::Hint;
use super::frames::{HEAD_BYTES, Kind, Row};
use super::outcome::Error;
use super::tag::{self, Tag};
use crate::codec::mp3;

/// Bytes looked at before a source counts as none that is known. Tags before the sound are not counted.
pub const SNIFF_BYTES_MAX: usize = 65_536;
/// Frames in a row that are believed when the source announced them.
const ANNOUNCED_ROW: u32 = 2;
/// Frames in a row that are believed when it announced something else, or nothing.
const SURPRISE_ROW: u32 = 3;
/// Bytes needed to know what is not taken.
const OTHER_BYTES: usize = 12;

/// What it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// Ogg pages.
    Ogg,
    /// Frames one after another.
    Frames(Kind),
}

/// Looks at the beginning of a source. Holds no bytes, only how far it has looked.
#[derive(Debug)]
pub struct Sniffer {
    hint: Hint,
    looked: usize,
    /// Bytes of a tag before the sound, still to be thrown away by the one who holds them.
    tag_bytes: u64,
}

impl Sniffer {
    /// With what the source announced.
    pub const fn new(hint: Hint) -> Self {
        Self { hint, looked: 0, tag_bytes: 0 }
    }

    /// How many bytes at the beginning are a tag and can be thrown away; call before `look`, with what waits.
    pub fn tag_bytes(&mut self, waiting: &[u8]) -> usize {
        if self.tag_bytes == 0
            && self.looked == 0
            && let Tag::Bytes(bytes) = tag::look(waiting)
        {
            self.tag_bytes = bytes;
        }
        let thrown = self.tag_bytes.min(waiting.len() as u64);
        self.tag_bytes -= thrown;
        thrown as usize
    }

    /// What `waiting`, all bytes from the beginning on, turns out to be; `None` when more are needed.
    pub fn look(&mut self, waiting: &[u8]) -> Result<Option<Container>, Error> {
        if self.looked == 0 {
            if waiting.len() < OTHER_BYTES || tag::look(waiting) == Tag::Unclear {
                return Ok(None);
            }
            if let Some(name) = other(waiting) {
                return Err(Error::OtherKind(name));
            }
        }
        while self.looked < SNIFF_BYTES_MAX {
            let rest = &waiting[self.looked..];
            if rest.len() < HEAD_BYTES {
                return Ok(None);
            }
            if rest.starts_with(b"OggS\0") {
                return Ok(Some(Container::Ogg));
            }
            for kind in [Kind::Mp3, Kind::Adts] {
                match kind.row(rest, self.row_wanted(kind)) {
                    Row::Whole => return Ok(Some(Container::Frames(kind))),
                    Row::Unclear => return Ok(None),
                    Row::Broken => {}
                }
            }
            self.looked += 1;
        }
        Err(Error::NoSound { bytes: SNIFF_BYTES_MAX })
    }

    const fn row_wanted(&self, kind: Kind) -> u32 {
        match (kind, self.hint) {
            (Kind::Mp3, Hint::Mpeg) | (Kind::Adts, Hint::Aac) => ANNOUNCED_ROW,
            (Kind::Mp3, Hint::Ogg | Hint::Aac | Hint::Unknown)
            | (Kind::Adts, Hint::Ogg | Hint::Mpeg | Hint::Unknown) => SURPRISE_ROW,
        }
    }
}

/// Well-known kinds that are not taken.
fn other(bytes: &[u8]) -> Option<&'static str> {
    let magics: [(usize, &[u8], &str); 10] = [
        (0, b"fLaC", "FLAC"),
        (8, b"WAVE", "WAV"),
        (8, b"AIFF", "AIFF"),
        (0, b"\x1a\x45\xdf\xa3", "WebM or Matroska"),
        (4, b"ftyp", "MP4"),
        (0, b"#EXTM3U", "a playlist"),
        (0, b"FLV\x01", "FLV"),
        (0, b".snd", "AU"),
        (0, b"ADIF", "AAC in ADIF"),
        (0, b"<", "a text with mark-up"),
    ];
    if let Some((_, _, name)) = magics.iter().find(|(at, magic, _)| bytes[*at..].starts_with(magic)) {
        return Some(name);
    }
    if bytes[0] == 0x56 && bytes[1] & 0xe0 == 0xe0 {
        return Some("AAC in LOAS");
    }
    match mp3::Header::parse(bytes) {
        Some(header) if header.layer == 1 => Some("MPEG audio layer I"),
        Some(header) if header.layer == 2 => Some("MPEG audio layer II"),
        Some(header) if header.bytes.is_none() => Some("MP3 in the free format"),
        Some(_) | None => None,
    }
}
