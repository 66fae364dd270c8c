//! MPEG audio layer III into mono sound (ISO/IEC 11172-3, 13818-3 and the 2.5 extension), by
//! `symphonia-bundle-mp3`.

use symphonia_bundle_mp3::MpaDecoder;
use symphonia_core::audio::{Audio as _, GenericAudioBufferRef};
use symphonia_core::codecs::audio::well_known::CODEC_ID_MP3;
use symphonia_core::codecs::audio::{AudioCodecParameters, AudioDecoder as _, AudioDecoderOptions};
use symphonia_core::packet::PacketRef;
use symphonia_core::units::{Duration, Timestamp};
use thiserror::Error;

/// Bytes of a frame's header.
pub const HEADER_BYTES: usize = 4;

/// Which MPEG the frame follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// MPEG-1: 32 to 48 kHz.
    One,
    /// MPEG-2: 16 to 24 kHz.
    Two,
    /// MPEG-2.5: 8 to 12 kHz.
    TwoAndAHalf,
}

/// What a frame's first four bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Which MPEG.
    pub version: Version,
    /// 1, 2 or 3; only 3 can be decoded.
    pub layer: u8,
    /// Samples a second, in Hz.
    pub rate_hz: u32,
    /// 1 or 2.
    pub channels: u8,
    /// The whole frame, header included; `None` for the free format, whose frames do not say it, and for
    /// other layers.
    pub bytes: Option<usize>,
    /// Whether a checksum of two bytes follows the header.
    crc_bytes: usize,
}

impl Header {
    /// Reads a header; `None` when these bytes are none.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let &[0xff, second, third, fourth] = bytes.first_chunk::<HEADER_BYTES>()? else {
            return None;
        };
        if second >> 5 != 0b111 {
            return None;
        }
        let version = match second >> 3 & 3 {
            0 => Version::TwoAndAHalf,
            2 => Version::Two,
            3 => Version::One,
            _ => return None,
        };
        let layer = 4 - (second >> 1 & 3);
        let (bit_rate, rate) = (usize::from(third >> 4), usize::from(third >> 2 & 3));
        if layer == 4 || bit_rate == 15 || rate == 3 || fourth & 3 == 2 {
            return None;
        }
        let (rates_kbps, divisor, slots) = match version {
            Version::One => (&KBPS_1, 1, 144_000),
            Version::Two => (&KBPS_2, 2, 72_000),
            Version::TwoAndAHalf => (&KBPS_2, 4, 72_000),
        };
        let rate_hz = [44_100, 48_000, 32_000][rate] / divisor;
        let bytes = (layer == 3 && bit_rate > 0)
            .then(|| (slots * rates_kbps[bit_rate] / rate_hz + u32::from(third >> 1 & 1)) as usize);
        let channels = if fourth >> 6 == 3 { 1 } else { 2 };
        Some(Self { version, layer, rate_hz, channels, bytes, crc_bytes: usize::from(1 - (second & 1)) * 2 })
    }

    /// Samples of each channel in one layer III frame.
    pub const fn samples(&self) -> usize {
        match self.version {
            Version::One => 1_152,
            Version::Two | Version::TwoAndAHalf => 576,
        }
    }

    /// Whether `frame`, which begins with this header, holds a Xing, Info or VBRI tag instead of sound.
    pub fn is_tag(&self, frame: &[u8]) -> bool {
        let side_bytes = match (self.version, self.channels) {
            (Version::One, 1) => 17,
            (Version::One, _) => 32,
            (Version::Two | Version::TwoAndAHalf, 1) => 9,
            (Version::Two | Version::TwoAndAHalf, _) => 17,
        };
        let tagged =
            |at: usize, words: &[&[u8]]| frame.get(at..at + 4).is_some_and(|found| words.contains(&found));
        let start = HEADER_BYTES + self.crc_bytes;
        tagged(start + side_bytes, &[b"Xing", b"Info"]) || tagged(HEADER_BYTES + 32, &[b"VBRI"])
    }
}

/// kbit/s by index, MPEG-1 layer III.
const KBPS_1: [u32; 15] = [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320];
/// kbit/s by index, MPEG-2 and 2.5 layer III.
const KBPS_2: [u32; 15] = [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160];

/// Why a frame cannot be decoded; decoding can go on with the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// It breaks the specification.
    #[error("this is not a valid MP3 frame")]
    Frame,
    /// The library would not start.
    #[error("the MP3 decoder could not be made")]
    Library,
}

/// Decodes whole frames; sampling rate and channels may change between any two.
pub struct Decoder {
    inner: MpaDecoder,
    shape: Option<(u32, u8)>,
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder").field("shape", &self.shape).finish_non_exhaustive()
    }
}

impl Decoder {
    /// A decoder that has heard nothing.
    pub fn new() -> Result<Self, Error> {
        Ok(Self { inner: fresh()?, shape: None })
    }

    /// Appends the frame's sound, the mean of its channels, to `out` and answers with the number of samples.
    pub fn decode(&mut self, frame: &[u8], out: &mut Vec<f32>) -> Result<usize, Error> {
        let header = Header::parse(frame).filter(|header| header.bytes == Some(frame.len()));
        let header = header.ok_or(Error::Frame)?;
        let shape = Some((header.rate_hz, header.channels));
        if self.shape != shape {
            self.inner = fresh()?;
            self.shape = shape;
        }
        let packet = PacketRef::new(0, Timestamp::ZERO, Duration::ZERO, frame);
        let Some(decoded) = super::caught(|| self.inner.decode_ref(&packet)) else {
            self.shape = None;
            return Err(Error::Frame);
        };
        let GenericAudioBufferRef::F32(sound) = decoded.map_err(|_| Error::Frame)? else {
            return Err(Error::Frame);
        };
        match (sound.plane(0), sound.plane(1)) {
            (Some(left), Some(right)) => out.extend(left.iter().zip(right).map(|(l, r)| 0.5 * (l + r))),
            (Some(only), None) => out.extend_from_slice(only),
            (None, _) => return Err(Error::Frame),
        }
        Ok(sound.frames())
    }
}

fn fresh() -> Result<MpaDecoder, Error> {
    let mut params = AudioCodecParameters::new();
    params.for_codec(CODEC_ID_MP3);
    MpaDecoder::try_new(&params, &AudioDecoderOptions::default()).map_err(|_| Error::Library)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_say_what_the_standard_says() {
        for (bytes, expected) in [
            ([0xff, 0xfb, 0x90, 0x00], Some((3, 44_100, 2, Some(417)))),
            ([0xff, 0xfb, 0x92, 0xc0], Some((3, 44_100, 1, Some(418)))),
            ([0xff, 0xfb, 0x94, 0x40], Some((3, 48_000, 2, Some(384)))),
            ([0xff, 0xf3, 0x40, 0xc0], Some((3, 22_050, 1, Some(104)))),
            ([0xff, 0xe3, 0x18, 0xc0], Some((3, 8_000, 1, Some(72)))),
            ([0xff, 0xfb, 0x00, 0x00], Some((3, 44_100, 2, None))),
            ([0xff, 0xfd, 0x90, 0x00], Some((2, 44_100, 2, None))),
            ([0xff, 0xf1, 0x50, 0x80], None),
            ([0xff, 0xeb, 0x90, 0x00], None),
            ([0xff, 0xfb, 0xf0, 0x00], None),
            ([0xff, 0xfb, 0x9c, 0x00], None),
            ([0xff, 0x1b, 0x90, 0x00], None),
        ] {
            let got = Header::parse(&bytes).map(|h| (h.layer, h.rate_hz, h.channels, h.bytes));
            assert_eq!(got, expected, "{bytes:02x?}");
        }
        assert_eq!(Header::parse(&[0xff, 0xfb, 0x90]), None);
    }

    #[test]
    fn a_frame_of_the_wrong_length_is_refused() {
        let mut decoder = Decoder::new().expect("memory");
        let mut out = Vec::new();
        for bytes in [0, 4, 416, 418, 4_000] {
            let mut frame = vec![0; bytes.max(4)];
            frame[..4].copy_from_slice(&[0xff, 0xfb, 0x90, 0]);
            frame.truncate(bytes);
            assert_eq!(decoder.decode(&frame, &mut out), Err(Error::Frame));
        }
        assert!(out.is_empty());
    }
}
