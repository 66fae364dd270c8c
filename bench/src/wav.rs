//! WAV files, mono, 48 kHz, 16 bit: what the tools that measure sound read and write.

use std::path::Path;

use anyhow::Context;
use tribune_core::time::RATE_HZ;

/// The samples of a file.
///
/// # Errors
/// It cannot be read, or has no data.
pub fn read(path: &Path) -> anyhow::Result<Vec<f32>> {
    let bytes = std::fs::read(path).with_context(|| format!("{} is missing", path.display()))?;
    let at = bytes.windows(4).position(|four| four == b"data").context("a WAV file has data")?;
    let samples = bytes.get(at + 8..).unwrap_or_default().chunks_exact(2);
    Ok(samples.map(|two| f32::from(i16::from_le_bytes([two[0], two[1]])) / 32_768.0).collect())
}

/// Writes samples as a file.
///
/// # Errors
/// The disk refuses.
pub fn write(path: &Path, samples: &[f32]) -> anyhow::Result<()> {
    let len = u32::try_from(samples.len() * 2)?;
    let mut out = Vec::with_capacity(44 + samples.len() * 2);
    out.extend_from_slice(b"RIFF");
    out.extend_from_slice(&(36 + len).to_le_bytes());
    out.extend_from_slice(b"WAVEfmt ");
    for (value, bytes) in [(16, 4), (1, 2), (1, 2), (RATE_HZ, 4), (RATE_HZ * 2, 4), (2, 2), (16, 2)] {
        out.extend_from_slice(&value.to_le_bytes()[..bytes]);
    }
    out.extend_from_slice(b"data");
    out.extend_from_slice(&len.to_le_bytes());
    for sample in samples {
        out.extend_from_slice(&((sample.clamp(-1.0, 1.0) * 32_767.0) as i16).to_le_bytes());
    }
    Ok(std::fs::write(path, out)?)
}
