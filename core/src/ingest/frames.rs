//! Frames that follow each other without a container: MP3 and AAC in ADTS. Found, and found again after
//! damage.
//!
//! Eleven or twelve set bits happen by chance, so a frame is believed only when others like it follow exactly
//! where it ends.

use super::buffer::Buffer;
use super::outcome::Lost;
use super::tag::{self, Tag};
use crate::codec::mp3;

/// Bytes looked at to know a frame by its head.
pub const HEAD_BYTES: usize = 7;
/// Bytes searched for a frame before the sound counts as lost.
pub const SEARCH_BYTES_MAX: u64 = 262_144;

/// Which frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// MPEG audio layer III.
    Mp3,
    /// AAC in ADTS (ISO/IEC 13818-7, section 6.2).
    Adts,
}

/// What a frame's head says that matters for finding the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Bytes of the whole frame.
    pub bytes: usize,
    /// What all frames of one piece have in common.
    pub kin: u32,
}

/// Whether frames follow each other at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Row {
    /// As many as asked for.
    Whole,
    /// It takes more bytes to know.
    Unclear,
    /// They do not.
    Broken,
}

impl Kind {
    /// Reads a head of this kind; `None` when `bytes` do not begin with one, or are fewer than `HEAD_BYTES`.
    pub fn head(self, bytes: &[u8]) -> Option<Head> {
        let head = bytes.first_chunk::<HEAD_BYTES>()?;
        match self {
            Self::Mp3 => {
                let header = mp3::Header::parse(head)?;
                Some(Head {
                    bytes: header.bytes?,
                    kin: u32::from(head[1] & 0xfe) << 8 | u32::from(head[2] & 0x0c),
                })
            }
            Self::Adts => adts(head),
        }
    }

    /// Whether `count` frames of one kin follow each other from the beginning of `bytes`.
    pub fn row(self, bytes: &[u8], count: u32) -> Row {
        let (mut at, mut kin) = (0, None);
        for _ in 0..count {
            let rest = &bytes[at..];
            if rest.len() < HEAD_BYTES {
                return Row::Unclear;
            }
            let Some(head) = self.head(rest).filter(|head| kin.is_none_or(|kin| kin == head.kin)) else {
                return Row::Broken;
            };
            kin = Some(head.kin);
            if rest.len() < head.bytes {
                return Row::Unclear;
            }
            at += head.bytes;
        }
        Row::Whole
    }
}

fn adts(head: &[u8; HEAD_BYTES]) -> Option<Head> {
    let [sync, second, third, fourth, fifth, sixth, _] = *head;
    let rate = third >> 2 & 15;
    if sync != 0xff || second & 0xf6 != 0xf0 || rate > 12 {
        return None;
    }
    let bytes = usize::from(fourth & 3) << 11 | usize::from(fifth) << 3 | usize::from(sixth >> 5);
    let head_bytes = if second & 1 == 1 { HEAD_BYTES } else { HEAD_BYTES + 2 };
    let kin = u32::from(second) << 16 | u32::from(third & 0xfd) << 8 | u32::from(fourth & 0xc0);
    (bytes > head_bytes).then_some(Head { bytes, kin })
}

/// What was found next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// A whole frame.
    Frame(Vec<u8>),
    /// Damage; reading goes on.
    Lost(Lost),
    /// No frame in so many bytes: the sound is lost for good.
    Gone(u64),
}

/// Finds frames in bytes as they come.
#[derive(Debug)]
pub struct Frames {
    kind: Kind,
    buffer: Buffer,
    /// Bytes of a tag still to be passed over.
    tag_bytes: u64,
    skipped_bytes: u64,
    /// What the frames have in common, while one follows the other.
    kin: Option<u32>,
}

impl Frames {
    /// For frames of one kind.
    pub fn new(kind: Kind) -> Self {
        Self { kind, buffer: Buffer::default(), tag_bytes: 0, skipped_bytes: 0, kin: None }
    }

    /// Takes more bytes; `poll` looks at them.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.push(bytes);
    }

    /// The next frame or damage; `None` when more bytes are needed.
    pub fn poll(&mut self) -> Option<Found> {
        loop {
            if self.skipped_bytes > SEARCH_BYTES_MAX {
                return Some(Found::Gone(self.skipped_bytes));
            }
            self.pass_tag();
            let waiting = self.buffer.waiting();
            match tag::look(waiting) {
                Tag::Unclear => return None,
                Tag::Bytes(bytes) => {
                    self.tag_bytes = bytes;
                    continue;
                }
                Tag::Absent if waiting.len() < HEAD_BYTES => return None,
                Tag::Absent => {}
            }
            let head = self.kind.head(waiting);
            let follows = head.is_some_and(|head| self.kin == Some(head.kin));
            match if follows { self.kind.row(waiting, 1) } else { self.begins(waiting) } {
                Row::Unclear => return None,
                Row::Whole => return head.map(|head| self.take(head)),
                Row::Broken => {
                    self.kin = None;
                    self.buffer.consume(1);
                    self.skipped_bytes += 1;
                }
            }
        }
    }

    /// Whether a frame begins here: the head of another like it must follow.
    fn begins(&self, waiting: &[u8]) -> Row {
        let Some(head) = self.kind.head(waiting) else {
            return Row::Broken;
        };
        match waiting.get(head.bytes..head.bytes + HEAD_BYTES) {
            None => Row::Unclear,
            Some(next) if self.kind.head(next).is_some_and(|next| next.kin == head.kin) => Row::Whole,
            Some(_) => Row::Broken,
        }
    }

    /// What was skipped on the way is told before the frame.
    fn take(&mut self, head: Head) -> Found {
        self.kin = Some(head.kin);
        match std::mem::take(&mut self.skipped_bytes) {
            0 => {
                let frame = self.buffer.waiting()[..head.bytes].to_vec();
                self.buffer.consume(head.bytes);
                Found::Frame(frame)
            }
            bytes => Found::Lost(Lost::Garbage { bytes }),
        }
    }

    fn pass_tag(&mut self) {
        let passed = self.tag_bytes.min(self.buffer.waiting().len() as u64);
        self.buffer.consume(passed as usize);
        self.tag_bytes -= passed;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// MPEG-2.5 layer III, 8 kbit/s at 8 kHz, mono: 72 bytes.
    fn mp3(fill: u8) -> Vec<u8> {
        [vec![0xff, 0xe3, 0x18, 0xc0], vec![fill; 68]].concat()
    }

    /// ADTS, 48 kHz, mono.
    fn aac(fill: u8, bytes: u8) -> Vec<u8> {
        [
            vec![0xff, 0xf1, 0x4c, 0x40, bytes >> 3, bytes << 5 | 0x1f, 0xfc],
            vec![fill; usize::from(bytes) - 7],
        ]
        .concat()
    }

    fn all(kind: Kind, bytes: &[u8], chunk: usize) -> Vec<Found> {
        let mut frames = Frames::new(kind);
        let mut found = Vec::new();
        for chunk in bytes.chunks(chunk) {
            frames.push(chunk);
            while let Some(next) = frames.poll() {
                let gone = matches!(next, Found::Gone(_));
                found.push(next);
                if gone {
                    return found;
                }
            }
        }
        found
    }

    #[test]
    fn frames_are_found_among_tags_and_damage() {
        let id3 = b"ID3\x03\x00\x00\x00\x00\x00\x07\xff\xe3\x18\xc0abc";
        for (kind, frames) in [
            (Kind::Mp3, [mp3(1), mp3(2), mp3(3), mp3(4), mp3(5)]),
            (Kind::Adts, [aac(1, 20), aac(2, 70), aac(3, 30), aac(4, 99), aac(5, 8)]),
        ] {
            let [a, b, c, d, e] = &frames;
            let mut torn = c.clone();
            torn.truncate(c.len() - 3);
            let bytes = [&id3[..], a, b, &[b'T'; 1], b"AG", &[9; 125], c, &torn, c, d, e].concat();
            let expected = [
                Found::Frame(a.clone()),
                Found::Frame(b.clone()),
                Found::Frame(c.clone()),
                Found::Frame([&torn[..], &c[..3]].concat()),
                Found::Lost(Lost::Garbage { bytes: c.len() as u64 - 3 }),
                Found::Frame(d.clone()),
                Found::Frame(e.clone()),
            ];
            for chunk in [1, 2, 50, bytes.len()] {
                assert_eq!(all(kind, &bytes, chunk), expected, "{kind:?} {chunk}");
            }
        }
    }

    #[test]
    fn a_lone_head_is_not_believed() {
        let bytes = [mp3(1), vec![0; 500], mp3(2), vec![0; 500]].concat();
        assert_eq!(all(Kind::Mp3, &bytes, 7), []);
        let noise = vec![0xff; SEARCH_BYTES_MAX as usize + 100];
        assert!(matches!(all(Kind::Adts, &noise, 4_096)[..], [Found::Gone(_)]));
    }
}
