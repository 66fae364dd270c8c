//! Vorbis packets into mono sound (Vorbis I specification), by `symphonia-codec-vorbis`.

mod setup;

use symphonia_codec_vorbis::VorbisDecoder;
use symphonia_core::audio::{Audio as _, GenericAudioBufferRef};
use symphonia_core::codecs::audio::well_known::CODEC_ID_VORBIS;
use symphonia_core::codecs::audio::{AudioCodecParameters, AudioDecoder as _, AudioDecoderOptions};
use symphonia_core::packet::PacketRef;
use symphonia_core::units::{Duration, Timestamp};
use thiserror::Error;

/// Bytes of an identification header, all of them fixed.
const IDENT_BYTES: usize = 30;
/// Channels whose places are defined (section 4.3.9).
const CHANNELS_MAX: u8 = 8;
/// A channel beside or behind the listener counts less, as in ITU-R BS.775.
const SIDE: f32 = std::f32::consts::FRAC_1_SQRT_2;

/// Why a stream or a packet cannot be decoded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Error {
    /// A header breaks the specification, or asks for more than any encoder does.
    #[error("{0}")]
    Header(String),
    /// A packet of sound breaks the specification; decoding can go on with the next.
    #[error("this is not a valid Vorbis packet")]
    Packet,
}

/// Decodes one logical stream; all channels are mixed to one.
pub struct Decoder {
    inner: VorbisDecoder,
    rate_hz: u32,
    weights: &'static [f32],
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decoder").field("rate_hz", &self.rate_hz).finish_non_exhaustive()
    }
}

impl Decoder {
    /// From the first and the third header packet.
    pub fn new(ident: &[u8], setup: &[u8]) -> Result<Self, Error> {
        let wrong = |why: &str| Error::Header(why.to_owned());
        if ident.len() != IDENT_BYTES || !ident.starts_with(b"\x01vorbis") {
            return Err(wrong("it is not an identification header"));
        }
        let channels = ident[11];
        if channels == 0 || channels > CHANNELS_MAX {
            return Err(Error::Header(format!(
                "it announces {channels} channels; 1 to {CHANNELS_MAX} are taken"
            )));
        }
        let setup = setup::checked(setup, channels).map_err(wrong)?;
        let mut params = AudioCodecParameters::new();
        params.for_codec(CODEC_ID_VORBIS).with_extra_data([ident, &setup].concat().into());
        let made = super::caught(|| VorbisDecoder::try_new(&params, &AudioDecoderOptions::default()));
        let inner = made
            .ok_or_else(|| wrong("the decoder broke on it"))?
            .map_err(|why| Error::Header(why.to_string()))?;
        let rate_hz = u32::from_le_bytes([ident[12], ident[13], ident[14], ident[15]]);
        Ok(Self { inner, rate_hz, weights: weights(channels) })
    }

    /// Samples a second, in Hz, as the header says.
    pub const fn rate_hz(&self) -> u32 {
        self.rate_hz
    }

    /// Channels before they are mixed.
    pub const fn channels(&self) -> u8 {
        self.weights.len() as u8
    }

    /// Appends the packet's mono sound to `out` and answers with the number of samples: none for the first
    /// packet after a start or a `reset`, which only fills the overlap.
    pub fn decode(&mut self, packet: &[u8], out: &mut Vec<f32>) -> Result<usize, Error> {
        let packet = PacketRef::new(0, Timestamp::ZERO, Duration::ZERO, packet);
        let decoded = super::caught(|| self.inner.decode_ref(&packet)).ok_or(Error::Packet)?;
        let GenericAudioBufferRef::F32(sound) = decoded.map_err(|_| Error::Packet)? else {
            return Err(Error::Packet);
        };
        let before = out.len();
        out.resize(before + sound.frames(), 0.0);
        for (plane, &weight) in sound.iter_planes().zip(self.weights) {
            for (mixed, sample) in out[before..].iter_mut().zip(plane) {
                *mixed += weight * sample;
            }
        }
        Ok(sound.frames())
    }

    /// Forgets the overlap, after packets were lost.
    pub fn reset(&mut self) {
        self.inner.reset();
    }
}

/// What each channel gives to the mono mix, in the decoder's order (front left, front right, centre, low
/// effects, the rest); together 1, so that nothing that fitted is clipped.
const fn weights(channels: u8) -> &'static [f32] {
    const fn over<const N: usize>(shares: [f32; N]) -> [f32; N] {
        let (mut sum, mut nth) = (0.0, 0);
        while nth < N {
            sum += shares[nth];
            nth += 1;
        }
        let mut shares = shares;
        nth = 0;
        while nth < N {
            shares[nth] /= sum;
            nth += 1;
        }
        shares
    }
    match channels {
        0 | 1 => &[1.0],
        2 => &[0.5, 0.5],
        3 => const { &over([1.0, 1.0, 1.0]) },
        4 => const { &over([1.0, 1.0, SIDE, SIDE]) },
        5 => const { &over([1.0, 1.0, 1.0, SIDE, SIDE]) },
        6 => const { &over([1.0, 1.0, 1.0, 0.0, SIDE, SIDE]) },
        7 => const { &over([1.0, 1.0, 1.0, 0.0, SIDE, SIDE, SIDE]) },
        8.. => const { &over([1.0, 1.0, 1.0, 0.0, SIDE, SIDE, SIDE, SIDE]) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mono_mix_never_exceeds_full_scale() {
        for channels in 1..=CHANNELS_MAX {
            let weights = weights(channels);
            assert_eq!(weights.len(), usize::from(channels));
            assert!((weights.iter().sum::<f32>() - 1.0).abs() < 1e-6, "{weights:?}");
        }
    }

    #[test]
    fn a_header_that_asks_for_gigabytes_is_refused() {
        // One codebook after another, each of 131,072 entries in 32 dimensions by ordered lengths: a few
        // bytes apiece.
        let mut bits = Writer::default();
        bits.put(255, 8);
        for _ in 0..2 {
            bits.put(0x56_4342, 24);
            bits.put(32, 16);
            bits.put(131_072, 24);
            bits.put(1, 1);
            bits.put(16, 5);
            bits.put(131_072, 18);
            bits.put(1, 4);
            bits.put(0, 64);
            bits.put(0, 4);
            bits.put(0, 1);
            bits.put(0, 1);
        }
        let mut header = b"\x05vorbis".to_vec();
        header.extend(bits.bytes);
        assert_eq!(setup::checked(&header, 2), Err("its lookup tables are too large"));
    }

    #[derive(Default)]
    struct Writer {
        bytes: Vec<u8>,
        bits: usize,
    }

    impl Writer {
        fn put(&mut self, value: u64, bits: usize) {
            for nth in 0..bits {
                if self.bits.is_multiple_of(8) {
                    self.bytes.push(0);
                }
                *self.bytes.last_mut().expect("pushed above") |=
                    ((value >> nth & 1) as u8) << (self.bits % 8);
                self.bits += 1;
            }
        }
    }
}
