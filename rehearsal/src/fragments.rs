//! Fragments of an MP4 as players read them: one track, one run each.

use std::io::Read;

use anyhow::{Context, bail, ensure};

/// Fields a run may have for itself and for each sample (ISO/IEC 14496-12, 8.8.8).
const RUN_FIELDS: [u32; 2] = [0x1, 0x4];
const SAMPLE_FIELDS: [u32; 4] = [0x100, 0x200, 0x400, 0x800];
const SAMPLE_SIZE: u32 = 0x200;
/// A box of a live stream is smaller, in bytes.
const BOX_MAX: usize = 1_000_000;

/// The next fragment of a stream, a `moof` and its `mdat`; boxes before it are passed over. `None` when the
/// stream is over.
///
/// # Errors
/// It breaks off within a fragment, or has boxes that no live stream has.
pub(crate) fn next(stream: &mut impl Read) -> anyhow::Result<Option<Vec<u8>>> {
    let mut fragment = Vec::new();
    loop {
        let mut head = [0; 8];
        match stream.read_exact(&mut head) {
            Err(_) if fragment.is_empty() => return Ok(None),
            read => read?,
        }
        let size = u32::from_be_bytes(head[..4].try_into()?) as usize;
        ensure!((8..=BOX_MAX).contains(&size), "a box of {size} bytes");
        let kind = &head[4..];
        if kind == b"moof" || !fragment.is_empty() {
            fragment.extend_from_slice(&head);
            stream.take(size as u64 - 8).read_to_end(&mut fragment)?;
        } else {
            std::io::copy(&mut stream.take(size as u64 - 8), &mut std::io::sink())?;
        }
        if kind == b"mdat" && !fragment.is_empty() {
            return Ok(Some(fragment));
        }
    }
}

/// When a fragment begins, in units of its track (ISO/IEC 14496-12, 8.8.12).
///
/// # Errors
/// It does not say.
pub(crate) fn begins(fragment: &[u8]) -> anyhow::Result<u64> {
    match inside(inside(inside(fragment, b"moof")?, b"traf")?, b"tfdt")? {
        [1, _, _, _, time @ ..] => Ok(u64::from_be_bytes(time.try_into().context("a short time")?)),
        [0, _, _, _, time @ ..] => Ok(u32::from_be_bytes(time.try_into().context("a short time")?).into()),
        _ => bail!("a time of an unknown version"),
    }
}

/// The samples of a fragment of one track with one run (ISO/IEC 14496-12, 8.8).
///
/// # Errors
/// It has none, or less than it says.
pub(crate) fn packets(chunk: &[u8]) -> anyhow::Result<Vec<&[u8]>> {
    let run = inside(inside(inside(chunk, b"moof")?, b"traf")?, b"trun")?;
    let mut rest = inside(chunk, b"mdat")?;
    let word = |at: usize| -> anyhow::Result<u32> {
        let four = run.get(at..at + 4).context("a short run")?;
        Ok(u32::from_be_bytes(four.try_into()?))
    };
    let (flags, count) = (word(0)?, word(4)?);
    let mut at = 8 + 4 * RUN_FIELDS.iter().filter(|&field| flags & field != 0).count();
    let mut packets = Vec::new();
    for _ in 0..count {
        let mut size = None;
        for field in SAMPLE_FIELDS.into_iter().filter(|field| flags & field != 0) {
            if field == SAMPLE_SIZE {
                size = Some(word(at)? as usize);
            }
            at += 4;
        }
        let (packet, after) =
            rest.split_at_checked(size.context("samples without sizes")?).context("a short mdat")?;
        packets.push(packet);
        rest = after;
    }
    Ok(packets)
}

/// What is inside the first box of this kind.
fn inside<'b>(mut boxes: &'b [u8], kind: &[u8; 4]) -> anyhow::Result<&'b [u8]> {
    while let Some((head, _)) = boxes.split_at_checked(8) {
        let size = u32::from_be_bytes(head[..4].try_into()?) as usize;
        let whole = boxes.get(..size.max(8)).context("a box longer than the fragment")?;
        if head[4..] == *kind {
            return Ok(&whole[8..]);
        }
        boxes = &boxes[whole.len()..];
    }
    bail!("no {} box", String::from_utf8_lossy(kind))
}
