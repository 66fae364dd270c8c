//! A replay is a file that nobody wrote: a few bytes of header before, and stretches of what was recorded.

use std::ops::Range;

use bytes::Bytes;

use crate::program::seal::Entry;
use crate::program::{PART_SAMPLES, SEGMENT_PARTS};
use crate::time::RATE_HZ;

/// A stretch of bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extent<F> {
    /// In memory.
    Bytes(Bytes),
    /// In a file, from this byte on.
    File {
        /// Which.
        file: F,
        /// From here.
        from: u64,
        /// So many bytes.
        len: u64,
    },
}

impl<F: Clone> Extent<F> {
    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { len, .. } => *len,
        }
    }

    /// Whether it is nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn slice(&self, range: Range<u64>) -> Self {
        match self {
            Self::Bytes(bytes) => Self::Bytes(bytes.slice(range.start as usize..range.end as usize)),
            Self::File { file, from, .. } => {
                Self::File { file: file.clone(), from: from + range.start, len: range.end - range.start }
            }
        }
    }
}

/// A virtual file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout<F> {
    extents: Vec<Extent<F>>,
}

impl<F: Clone> Layout<F> {
    /// Lays extents end to end.
    pub fn new(extents: Vec<Extent<F>>) -> Self {
        Self { extents }
    }

    /// Its length in bytes.
    pub fn len(&self) -> u64 {
        self.extents.iter().map(Extent::len).sum()
    }

    /// Whether it has no bytes.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The extents that make up `range`; what lies beyond the end is left out.
    pub fn slice(&self, range: Range<u64>) -> Vec<Extent<F>> {
        let mut slices = Vec::new();
        let mut at = 0;
        for extent in &self.extents {
            let end = at + extent.len();
            let (from, to) = (range.start.max(at), range.end.min(end));
            if from < to {
                slices.push(extent.slice(from - at..to - at));
            }
            at = end;
        }
        slices
    }
}

/// Segments of the recording that one HLS segment of the replay holds: 5.76 s, so that four hours stay a short list.
const SEGMENTS_IN_ONE: u64 = 3;
const PARTS_IN_ONE: u64 = SEGMENTS_IN_ONE * SEGMENT_PARTS;

/// The playlist of a replay (RFC 8216, 4): byte ranges of `uri`, which is `init_bytes` of header and then the chunks.
/// `entries` is the sealed chain, `chunk_bytes` the size of each recorded part's chunk.
pub fn playlist<'e>(
    (uri, init_bytes): (&str, u64),
    entries: impl IntoIterator<Item = &'e Entry>,
    chunk_bytes: &[u32],
) -> String {
    let seconds = |parts: u64| parts as f64 * PART_SAMPLES as f64 / f64::from(RATE_HZ);
    let mut list = format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{}\n#EXT-X-PLAYLIST-TYPE:VOD\n\
         #EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"{uri}\",BYTERANGE=\"{init_bytes}@0\"\n",
        seconds(PARTS_IN_ONE).round()
    );
    let mut at = init_bytes;
    let mut place = 0;
    let mut is_dated = false;
    let (mut parts, mut bytes) = (0, 0);
    let mut close = |list: &mut String, parts: &mut u64, bytes: &mut u64| {
        if *parts > 0 {
            let lasts = seconds(*parts);
            list.push_str(&format!("#EXTINF:{lasts:.5},\n#EXT-X-BYTERANGE:{bytes}@{at}\n{uri}\n"));
        }
        at += *bytes;
        (*parts, *bytes) = (0, 0);
    };
    for entry in entries {
        match entry {
            Entry::Part(part) => {
                if !std::mem::replace(&mut is_dated, true) {
                    let date = part.began_at.rfc3339();
                    list.push_str(&format!("#EXT-X-PROGRAM-DATE-TIME:{date}\n"));
                }
                bytes += chunk_bytes.get(place).copied().map_or(0, u64::from);
                (parts, place) = (parts + 1, place + 1);
                if parts == PARTS_IN_ONE {
                    close(&mut list, &mut parts, &mut bytes);
                }
            }
            Entry::Gap(_) => {
                close(&mut list, &mut parts, &mut bytes);
                is_dated = false;
            }
            Entry::Hold { .. } | Entry::End { .. } => {}
        }
    }
    close(&mut list, &mut parts, &mut bytes);
    list.push_str("#EXT-X-ENDLIST\n");
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout<&'static str> {
        Layout::new(vec![
            Extent::Bytes(Bytes::from_static(b"head")),
            Extent::File { file: "pages", from: 100, len: 10 },
            Extent::Bytes(Bytes::new()),
            Extent::Bytes(Bytes::from_static(b"tail")),
        ])
    }

    #[test]
    fn a_playlist_counts_on_over_a_gap_and_says_when_it_was() {
        use crate::mix::Kind;
        use crate::program::PartNo;
        use crate::program::seal::{Lost, PartEntry, Why};
        use crate::time::WallTime;

        let part = |no: u64| {
            let began_at = WallTime(no as i64 * 320);
            let (kind, hash) = (Kind::Conversation, [0; 32]);
            Entry::Part(PartEntry { no: PartNo(no), kind, began_at, opus: hash, aac: hash })
        };
        let lost = Lost { after: PartNo(19), parts: 4, ms: 1_280, why: Why::Restart };
        let mut entries: Vec<Entry> = (0..20).map(part).collect();
        entries.extend([Entry::Gap(lost), part(24)]);
        let list = playlist(("replay.mp4", 700), &entries, &[10; 21]);
        let expected = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:6\n#EXT-X-PLAYLIST-TYPE:VOD\n\
            #EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"replay.mp4\",BYTERANGE=\"700@0\"\n\
            #EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:00.000Z\n\
            #EXTINF:5.76000,\n#EXT-X-BYTERANGE:180@700\nreplay.mp4\n\
            #EXTINF:0.64000,\n#EXT-X-BYTERANGE:20@880\nreplay.mp4\n\
            #EXT-X-PROGRAM-DATE-TIME:1970-01-01T00:00:07.680Z\n\
            #EXTINF:0.32000,\n#EXT-X-BYTERANGE:10@900\nreplay.mp4\n#EXT-X-ENDLIST\n";
        assert_eq!(list, expected);
    }

    #[test]
    fn any_range_is_the_same_bytes_as_of_the_whole() {
        let render = |extents: Vec<Extent<&str>>| {
            let bytes = |extent| match extent {
                Extent::Bytes(bytes) => bytes.to_vec(),
                Extent::File { from, len, .. } => (from..from + len).map(|at| at as u8).collect(),
            };
            extents.into_iter().flat_map(bytes).collect::<Vec<u8>>()
        };
        let whole = render(layout().slice(0..18));
        assert_eq!((whole.len(), layout().len()), (18, 18));
        for from in 0..=18 {
            for to in from..=20 {
                let expected = &whole[from..to.min(18)];
                assert_eq!(render(layout().slice(from as u64..to as u64)), expected, "{from}..{to}");
            }
        }
    }
}
