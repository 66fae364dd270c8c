//! The playlist of a recording: byte ranges of one file, which begins with the init segment.

use super::{first_heard, seconds};
use crate::program::part::{Joint, Rendition};
use crate::time::WallTime;

/// Parts in one entry: 5.76 s, so that four hours fit in 2,500 entries.
const ENTRY_PARTS: u64 = 18;
/// EXT-X-TARGETDURATION of a replay.
const TARGET_DURATION_S: u64 = 6;

/// A recording's playlist, growing with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replay {
    entries: Vec<Entry>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Entry {
    bytes: u64,
    parts: u64,
    began_at: WallTime,
    joint: Joint,
}

impl Replay {
    /// Of nothing yet.
    pub const fn new() -> Self {
        Self { entries: Vec::new() }
    }

    /// Adds one part: the length of its stored chunk, when it began, and how it joins the one before.
    pub fn push(&mut self, chunk_bytes: u64, began_at: WallTime, joint: Joint) {
        match self.entries.last_mut() {
            Some(last) if joint == Joint::Continues && last.parts < ENTRY_PARTS => {
                last.bytes += chunk_bytes;
                last.parts += 1;
            }
            Some(_) | None => self.entries.push(Entry { bytes: chunk_bytes, parts: 1, began_at, joint }),
        }
    }

    /// The playlist of `file` (relative to the playlist), which holds `init_bytes` of init segment and then
    /// every chunk in order.
    pub fn render(&self, file: &str, init_bytes: u64, rendition: &Rendition) -> String {
        let mut out = format!(
            "#EXTM3U\n\
             #EXT-X-VERSION:7\n\
             #EXT-X-TARGETDURATION:{TARGET_DURATION_S}\n\
             #EXT-X-PLAYLIST-TYPE:VOD\n\
             #EXT-X-INDEPENDENT-SEGMENTS\n\
             #EXT-X-MAP:URI=\"{file}\",BYTERANGE=\"{init_bytes}@0\"\n"
        );
        let mut at = init_bytes;
        for (index, entry) in self.entries.iter().enumerate() {
            if entry.joint == Joint::AfterGap {
                if index > 0 {
                    out += "#EXT-X-DISCONTINUITY\n";
                }
                out += &format!("#EXT-X-PROGRAM-DATE-TIME:{}\n", first_heard(entry.began_at, rendition));
            }
            out += &format!(
                "#EXTINF:{},\n#EXT-X-BYTERANGE:{}@{at}\n{file}\n",
                seconds(entry.parts),
                entry.bytes
            );
            at += entry.bytes;
        }
        out += "#EXT-X-ENDLIST\n";
        out
    }
}
