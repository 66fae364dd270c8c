//! A listener of the low-latency HLS that follows blocking reloads (RFC 8216bis, 6.2.5.2) and notes when each
//! part came, and what it said.

use std::time::Instant;

use anyhow::{Context, bail};
use tribune_core::codec::opus::Decoder;

use crate::fragments::packets;
use crate::listener::Heard;

/// Samples of a part at 48 kHz.
const PART_SAMPLES: u64 = 15_360;

/// What was heard, and how far behind the newest part a player is asked to stay.
pub struct Followed {
    /// The parts, in order.
    pub parts: Vec<Heard>,
    /// `PART-HOLD-BACK`, in seconds.
    pub part_hold_back_s: f64,
}

/// Follows one rendition (`opus64`) of `base` (`http://host/room`) from the newest part on, until `enough`.
///
/// # Errors
/// The node refuses, or sends what is no playlist or part of Opus.
pub fn follow(
    base: &str,
    rendition: &str,
    mut enough: impl FnMut(&Heard) -> bool,
) -> anyhow::Result<Followed> {
    let agent: ureq::Agent = ureq::Agent::config_builder().build().into();
    let mut decoder = Decoder::new()?;
    let mut playlist = text(&agent, &format!("{base}/hls/{rendition}.m3u8"))?;
    let part_hold_back_s = attribute(&playlist, "PART-HOLD-BACK=").context("no PART-HOLD-BACK")?.parse()?;
    let mut parts: Vec<Heard> = Vec::new();
    let mut next = newest(&playlist)?;
    loop {
        let no: u64 = number(&next).with_context(|| format!("{next} names no part"))?;
        let chunk = bytes(&agent, &format!("{base}/hls/{next}"))?;
        let at = Instant::now();
        let mut samples = Vec::new();
        for packet in packets(&chunk)? {
            decoder.decode(packet, &mut samples)?;
        }
        let part = Heard { at, granule: (no + 1) * PART_SAMPLES, samples };
        let done = enough(&part);
        parts.push(part);
        if done {
            return Ok(Followed { parts, part_hold_back_s });
        }
        let (segment, place) = ((no + 1) / 6, (no + 1) % 6);
        let query = format!("_HLS_msn={segment}&_HLS_part={place}");
        playlist = text(&agent, &format!("{base}/hls/{rendition}.m3u8?{query}"))?;
        let following = format!("/{}.part.mp4", no + 1);
        next = match playlist.split('"').find(|uri| uri.ends_with(&following)) {
            Some(uri) => uri.to_owned(),
            None if playlist.contains("#EXT-X-ENDLIST") => {
                return Ok(Followed { parts, part_hold_back_s });
            }
            None => bail!("a blocking reload came without part {}", no + 1),
        };
    }
}

fn text(agent: &ureq::Agent, url: &str) -> anyhow::Result<String> {
    Ok(String::from_utf8(bytes(agent, url)?)?)
}

fn bytes(agent: &ureq::Agent, url: &str) -> anyhow::Result<Vec<u8>> {
    Ok(agent.get(url).call().with_context(|| url.to_owned())?.body_mut().read_to_vec()?)
}

fn attribute<'p>(playlist: &'p str, name: &str) -> Option<&'p str> {
    let (_, rest) = playlist.split_once(name)?;
    rest.split([',', '\n']).next()
}

fn newest(playlist: &str) -> anyhow::Result<String> {
    let line =
        playlist.lines().rfind(|line| line.starts_with("#EXT-X-PART:")).context("no part is listed")?;
    let (_, uri) = line.split_once("URI=\"").context("a part without an address")?;
    Ok(uri.split('"').next().unwrap_or_default().to_owned())
}

fn number(uri: &str) -> Option<u64> {
    uri.rsplit('/').next()?.split('.').next()?.parse().ok()
}
