//! A listener of `live.opus` or `live.mp4` that notes when each part came, and what it said.

use std::io::Read;
use std::time::Instant;

use anyhow::{Context, bail};
use tribune_core::codec::opus::Decoder;
use tribune_core::program::PART_SAMPLES;

use crate::fragments;

/// One part as it arrived.
pub struct Heard {
    /// When its last byte came.
    pub at: Instant,
    /// Its granule position, samples at 48 kHz.
    pub granule: u64,
    /// Its sound, mono at 48 kHz.
    pub samples: Vec<f32>,
}

/// Listens until `enough` says so or the program ends.
///
/// # Errors
/// The node refuses, or sends what is neither Ogg Opus nor Opus in MP4.
pub fn listen(url: &str, mut enough: impl FnMut(&Heard) -> bool) -> anyhow::Result<Vec<Heard>> {
    let agent: ureq::Agent = ureq::Agent::config_builder().build().into();
    let answer = agent.get(url).call()?;
    let is_mp4 =
        answer.headers().get("content-type").is_some_and(|of| of.as_bytes().starts_with(b"audio/mp4"));
    let mut body = answer.into_body().into_reader();
    let mut decoder = Decoder::new()?;
    let mut heard = Vec::new();
    if !is_mp4 {
        // Two pages of headers (RFC 7845, section 3).
        page(&mut body)?;
        page(&mut body)?;
    }
    while let Some((granule, packets)) = if is_mp4 { fragment(&mut body)? } else { page(&mut body)? } {
        let at = Instant::now();
        let mut samples = Vec::new();
        for packet in &packets {
            decoder.decode(packet, &mut samples)?;
        }
        let part = Heard { at, granule, samples };
        let done = enough(&part);
        heard.push(part);
        if done {
            break;
        }
    }
    Ok(heard)
}

/// When a part ends, in samples at 48 kHz, and its packets.
type Packets = (u64, Vec<Vec<u8>>);

fn fragment(stream: &mut impl Read) -> anyhow::Result<Option<Packets>> {
    let Some(fragment) = fragments::next(stream)? else { return Ok(None) };
    let packets = fragments::packets(&fragment)?.into_iter().map(<[u8]>::to_vec).collect();
    // A fragment's time is of its first sample that is heard, a little behind its part's.
    let part = fragments::begins(&fragment)? / PART_SAMPLES;
    Ok(Some(((part + 1) * PART_SAMPLES, packets)))
}

fn page(stream: &mut impl Read) -> anyhow::Result<Option<Packets>> {
    let mut head = [0; 27];
    if stream.read_exact(&mut head).is_err() {
        return Ok(None);
    }
    if &head[..4] != b"OggS" {
        bail!("expected an Ogg page");
    }
    let mut lacing = vec![0; usize::from(head[26])];
    stream.read_exact(&mut lacing)?;
    let (mut packets, mut size) = (Vec::new(), 0);
    for lace in lacing {
        size += usize::from(lace);
        if lace < 255 {
            let mut packet = vec![0; size];
            stream.read_exact(&mut packet)?;
            packets.push(packet);
            size = 0;
        }
    }
    Ok(Some((u64::from_le_bytes(head[6..14].try_into().context("eight bytes")?), packets)))
}
