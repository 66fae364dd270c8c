//! A WAV file of 16-bit sound at 48 kHz, for the hold sound a host may give.

use thiserror::Error;

use crate::time::RATE_HZ;

/// Longest hold sound, in seconds; it repeats.
pub const WAV_S_MAX: usize = 300;

/// Why a file is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum WavWrong {
    /// Not RIFF, or cut off before its sound.
    #[error("this is not a WAV file, or it is cut off")]
    NotWav,
    /// Another rate, sample form or number of channels.
    #[error(
        "the sound must be 16-bit PCM at {RATE_HZ} Hz, mono or stereo; this has {bits} bits at {rate_hz} Hz \
         in {channels} channels (form {form})"
    )]
    Form {
        /// 1 is PCM.
        form: u16,
        /// Bits a sample.
        bits: u16,
        /// Samples a second, in Hz.
        rate_hz: u32,
        /// Sounds side by side.
        channels: u16,
    },
    /// No sound, or more than `WAV_S_MAX`.
    #[error("there must be some sound in it, and at most {WAV_S_MAX} s")]
    Length,
}

/// Reads the sound, mixed down to mono, full scale ±1.0 (RIFF, `fmt ` and `data`; other chunks are passed
/// over).
pub fn read(file: &[u8]) -> Result<Vec<f32>, WavWrong> {
    if file.get(..4) != Some(b"RIFF") || file.get(8..12) != Some(b"WAVE") {
        return Err(WavWrong::NotWav);
    }
    let mut rest = &file[12..];
    let mut channels = None;
    loop {
        let (head, body) = rest.split_at_checked(8).ok_or(WavWrong::NotWav)?;
        let len = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        match &head[..4] {
            b"fmt " => channels = Some(channels_of(body.get(..len).ok_or(WavWrong::NotWav)?)?),
            b"data" => {
                let sound = body.get(..len.min(body.len())).ok_or(WavWrong::NotWav)?;
                return samples(sound, channels.ok_or(WavWrong::NotWav)?);
            }
            _ => {}
        }
        // Chunks begin at even places.
        rest = body.get(len + len % 2..).ok_or(WavWrong::NotWav)?;
    }
}

fn channels_of(fmt: &[u8]) -> Result<usize, WavWrong> {
    let short = |at: usize| fmt.get(at..at + 2).map(|two| u16::from_le_bytes([two[0], two[1]]));
    let rate = fmt.get(4..8).map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]));
    let (Some(form), Some(channels), Some(rate_hz), Some(bits)) = (short(0), short(2), rate, short(14))
    else {
        return Err(WavWrong::NotWav);
    };
    match (form, channels, rate_hz, bits) {
        // 1 is PCM; 0xFFFE says that the same stands in an extension.
        (1 | 0xFFFE, 1 | 2, RATE_HZ, 16) => Ok(usize::from(channels)),
        _ => Err(WavWrong::Form { form, bits, rate_hz, channels }),
    }
}

fn samples(sound: &[u8], channels: usize) -> Result<Vec<f32>, WavWrong> {
    let frames = sound.chunks_exact(2 * channels);
    if frames.len() == 0 || frames.len() > WAV_S_MAX * RATE_HZ as usize {
        return Err(WavWrong::Length);
    }
    let scale = 32_768.0 * channels as f32;
    let mono = frames.map(|frame| {
        let sum: f32 = frame.chunks_exact(2).map(|two| f32::from(i16::from_le_bytes([two[0], two[1]]))).sum();
        sum / scale
    });
    Ok(mono.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wav(channels: u16, rate_hz: u32, sound: &[i16]) -> Vec<u8> {
        let data: Vec<u8> = sound.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let mut file = b"RIFF\0\0\0\0WAVELIST\x03\0\0\0abc\0fmt \x10\0\0\0\x01\0".to_vec();
        file.extend_from_slice(&channels.to_le_bytes());
        file.extend_from_slice(&rate_hz.to_le_bytes());
        file.extend_from_slice(&[0; 6]);
        file.extend_from_slice(&16_u16.to_le_bytes());
        file.extend_from_slice(b"data");
        file.extend_from_slice(&(data.len() as u32).to_le_bytes());
        file.extend_from_slice(&data);
        file
    }

    #[test]
    fn mono_and_stereo_come_out_mono() {
        assert_eq!(read(&wav(1, 48_000, &[16_384, -32_768])), Ok(vec![0.5, -1.0]));
        assert_eq!(read(&wav(2, 48_000, &[16_384, 0, -16_384, -16_384])), Ok(vec![0.25, -0.5]));
    }

    #[test]
    fn other_files_are_refused_by_name() {
        assert_eq!(read(b"OggS and so on"), Err(WavWrong::NotWav));
        let form = |rate_hz, channels| Err(WavWrong::Form { form: 1, bits: 16, rate_hz, channels });
        assert_eq!(read(&wav(1, 44_100, &[1])), form(44_100, 1));
        assert_eq!(read(&wav(6, 48_000, &[1; 6])), form(48_000, 6));
        assert_eq!(read(&wav(1, 48_000, &[])), Err(WavWrong::Length));
        let whole = wav(1, 48_000, &[1, 2, 3]);
        for len in 0..whole.len() {
            // A cut file is refused, or gives the samples that are there.
            assert!(
                read(&whole[..len]).is_ok_and(|samples| samples.len() < 3) || read(&whole[..len]).is_err()
            );
        }
    }
}
