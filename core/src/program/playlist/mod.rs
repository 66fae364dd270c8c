//! Playlists of the live program (draft-pantos-hls-rfc8216bis): with low latency. That of a replay is in
//! `egress::replay`.
//!
//! Addresses, all relative to the playlist they stand in: `/{room}/live.m3u8` names `hls/{rendition}.m3u8`,
//! and that one names `{rendition}/{edition}/init.mp4`, `{rendition}/{edition}/{segment}.mp4` and
//! `{rendition}/{edition}/{part}.part.mp4` beside it. A segment is the concatenation of its parts' chunks,
//! and its number is its media sequence number. `/{room}/late.m3u8` names `late/{rendition}.m3u8`, which is
//! written in `egress::late`, and that one names files in `{rendition}/{edition}` beside it in the same way.

mod live;
mod query;
mod reload;

pub use live::{Form, Live, SKIP_SEGMENTS_MIN};
pub use query::{Query, QueryWrong};
pub use reload::{ADVANCE_PARTS_MAX, Ask, Published, Reload};

use super::part::{Codec, PART_SAMPLES, Rendition, SEGMENT_PARTS};
use super::renditions::Renditions;
use crate::time::{RATE_HZ, WallTime};

/// EXT-X-TARGETDURATION: a segment of 1.92 s, rounded.
pub const TARGET_DURATION_S: u64 = 2;
/// The media type of every playlist (RFC 8216, section 10).
pub const MEDIA_TYPE: &str = "application/vnd.apple.mpegurl";

/// The multivariant playlist at `/{room}/live.m3u8`.
///
/// The best Opus comes first and has the highest average. Some players change to whatever they can carry
/// without regard to the codec, and stumble over the change: GStreamer 1.22 begins with the first variant,
/// VLC 3 with the lowest average, and both go on to the highest; so both stay with Opus. Players that cannot
/// play Opus pass over it by `CODECS` (RFC 8216, section 4.3.4.2).
pub fn multivariant(renditions: &Renditions) -> String {
    let mut out = String::from("#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-INDEPENDENT-SEGMENTS\n");
    for codec in [Codec::Opus, Codec::AacLc] {
        for rendition in renditions.iter().filter(|rendition| rendition.codec == codec) {
            out += &variant(rendition, "hls");
        }
    }
    out
}

/// The multivariant playlist at `/{room}/late.m3u8`: the one rendition of the delayed tier.
pub fn late(rendition: &Rendition) -> String {
    format!("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n{}", variant(rendition, "late"))
}

/// A rendition, and where its media playlist is.
fn variant(rendition: &Rendition, folder: &str) -> String {
    format!(
        "#EXT-X-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={},CODECS=\"{}\"\n{folder}/{}.m3u8\n",
        bandwidth_max(rendition),
        bandwidth(rendition),
        rendition.codec.rfc6381(),
        rendition.name(),
    )
}

/// Bits a second with the chunks' own: 104 bytes and 4 for each unit.
fn bandwidth(rendition: &Rendition) -> u64 {
    let framing_bytes = 104 + 4 * rendition.codec.units_per_part() as u64;
    u64::from(rendition.bit_rate) + framing_bytes * 8 * u64::from(RATE_HZ) / PART_SAMPLES
}

/// Constrained variable rates stay within a quarter above their mean over a segment.
fn bandwidth_max(rendition: &Rendition) -> u64 {
    bandwidth(rendition) + u64::from(rendition.bit_rate) / 4
}

/// `parts` parts in seconds, with five digits: a part is 0.32000.
pub(crate) fn seconds(parts: u64) -> String {
    let hundredths = parts * PART_SAMPLES * 100 / u64::from(RATE_HZ);
    format!("{}.{:02}000", hundredths / 100, hundredths % 100)
}

/// What the wall clock said at the first sample a decoder gives for a part that began at `began_at`: the
/// priming comes first.
pub(crate) fn first_heard(began_at: WallTime, rendition: &Rendition) -> String {
    WallTime(began_at.0 - i64::from(rendition.priming_samples) * 1_000 / i64::from(RATE_HZ)).rfc3339()
}

const _: () = assert!(PART_SAMPLES * SEGMENT_PARTS <= TARGET_DURATION_S * RATE_HZ as u64);

#[cfg(test)]
mod tests;
