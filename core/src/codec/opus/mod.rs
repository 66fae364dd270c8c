//! Opus (RFC 6716) by libopus: 20 ms of mono sound at 48 kHz into one packet, and any Opus packet back into
//! mono sound.
//!
//! Every rendition uses the same application mode, so that all of them have the same look-ahead and a
//! listener can change from one to another between two packets.

use std::ffi::c_int;
use std::ptr::NonNull;

use opusic_sys as ffi;

use crate::time::{FRAME_SAMPLES, RATE_HZ};

/// The largest packet the encoder is allowed to make, in bytes: the most one Opus frame may hold, and its TOC
/// byte (RFC 6716, 3.2.1).
pub const PACKET_BYTES_MAX: usize = 1_276;
/// Samples at 48 kHz in the longest packet there is, 120 ms (RFC 6716, 3.2.5).
pub const PACKET_SAMPLES_MAX: usize = 5_760;
/// How hard the encoder tries, 0 to 10; see decision 0030 for the measurement behind it.
pub const COMPLEXITY: u8 = 9;
/// The same for what speakers hear of each other, which is coded several times at every tick.
pub const TALK_COMPLEXITY: u8 = 6;
/// Loss that the sound for speakers is prepared for, in per cent. It is what makes packets repeat the one
/// before, in the frames where that helps.
const TALK_LOSS_PERCENT: c_int = 5;
/// From this complexity on a decoder makes up what is lost by a model of speech (libopus 1.5, FARGAN) instead
/// of repeating the last period.
const MODEL_COMPLEXITY: c_int = 5;

/// Why libopus did not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A bit rate no Opus encoder takes.
    #[error("Opus takes 6,000 to 510,000 bits a second, not {0}")]
    BitRate(u32),
    /// The packet breaks the rules of RFC 6716.
    #[error("this is not a valid Opus packet")]
    Packet,
    /// A packet longer than its limit.
    #[error("an Opus packet of {0} bytes is longer than any encoder makes")]
    TooLong(usize),
    /// Concealment is made in steps of 2.5 ms (120 samples), at most 120 ms at once.
    #[error("Opus cannot conceal {0} samples: a multiple of 120, at most 5,760")]
    Conceal(usize),
    /// The library failed in a way that input does not explain.
    #[error("libopus failed with status {0}")]
    Library(c_int),
}

/// Whether a packet may lean on the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prediction {
    /// It may: fewer bits.
    Carry,
    /// It stands alone, so that a decoder can start or change rendition here.
    Fresh,
}

/// One rendition's encoder: mono, 48 kHz, constrained variable bit rate.
#[derive(Debug)]
pub struct Encoder {
    state: NonNull<ffi::OpusEncoder>,
    prediction: Prediction,
}

// SAFETY: libopus keeps all of an encoder's state behind its pointer and none in threads; `&mut self` makes
// calls exclusive.
unsafe impl Send for Encoder {}

impl Encoder {
    /// An encoder of `bit_rate` bits a second, at [`COMPLEXITY`].
    pub fn new(bit_rate: u32) -> Result<Self, Error> {
        Self::with_complexity(bit_rate, COMPLEXITY)
    }

    /// An encoder of `bit_rate` bits a second that tries as hard as `complexity` says, 0 to 10.
    pub fn with_complexity(bit_rate: u32, complexity: u8) -> Result<Self, Error> {
        Self::made(ffi::OPUS_APPLICATION_AUDIO, bit_rate, complexity)
    }

    /// An encoder for what speakers hear of each other: speech, at [`TALK_COMPLEXITY`], each packet with what
    /// it takes to make up for the loss of the one before (RFC 6716, 2.1.7).
    pub fn talk(bit_rate: u32) -> Result<Self, Error> {
        let mut encoder = Self::made(ffi::OPUS_APPLICATION_VOIP, bit_rate, TALK_COMPLEXITY)?;
        encoder.set(ffi::OPUS_SET_INBAND_FEC_REQUEST, 1)?;
        encoder.set(ffi::OPUS_SET_PACKET_LOSS_PERC_REQUEST, TALK_LOSS_PERCENT)?;
        Ok(encoder)
    }

    fn made(application: c_int, bit_rate: u32, complexity: u8) -> Result<Self, Error> {
        if !(6_000..=510_000).contains(&bit_rate) {
            return Err(Error::BitRate(bit_rate));
        }
        let mut status = ffi::OPUS_OK;
        // SAFETY: `status` outlives the call; libopus returns null and sets it when it cannot.
        let state = unsafe { ffi::opus_encoder_create(RATE_HZ as i32, 1, application, &raw mut status) };
        let state = NonNull::new(state).ok_or(Error::Library(status))?;
        let mut encoder = Self { state, prediction: Prediction::Carry };
        encoder.set(ffi::OPUS_SET_BITRATE_REQUEST, bit_rate as c_int)?;
        encoder.set(ffi::OPUS_SET_VBR_REQUEST, 1)?;
        encoder.set(ffi::OPUS_SET_VBR_CONSTRAINT_REQUEST, 1)?;
        encoder.set(ffi::OPUS_SET_COMPLEXITY_REQUEST, c_int::from(complexity.min(10)))?;
        Ok(encoder)
    }

    /// Samples at 48 kHz a decoder gives before the first one that was encoded: the pre-skip of RFC 7845. The
    /// same for every bit rate.
    pub fn lookahead_samples(&self) -> u32 {
        let mut samples: i32 = 0;
        // SAFETY: the state is live, and this request takes a pointer to one opus_int32.
        let status = unsafe {
            ffi::opus_encoder_ctl(self.state.as_ptr(), ffi::OPUS_GET_LOOKAHEAD_REQUEST, &raw mut samples)
        };
        assert_eq!(status, ffi::OPUS_OK, "libopus always knows its look-ahead");
        u32::try_from(samples).expect("a look-ahead is not negative")
    }

    /// Codes 20 ms and appends the packet to `out`; answers with its length in bytes, 1 to
    /// [`PACKET_BYTES_MAX`].
    pub fn encode(
        &mut self,
        frame: &[f32; FRAME_SAMPLES],
        prediction: Prediction,
        out: &mut Vec<u8>,
    ) -> Result<usize, Error> {
        if self.prediction != prediction {
            let disabled = match prediction {
                Prediction::Carry => 0,
                Prediction::Fresh => 1,
            };
            self.set(ffi::OPUS_SET_PREDICTION_DISABLED_REQUEST, disabled)?;
            self.prediction = prediction;
        }
        let mut packet = [0_u8; PACKET_BYTES_MAX];
        // SAFETY: the state is live; `frame` holds FRAME_SAMPLES mono samples and `packet` PACKET_BYTES_MAX
        // bytes.
        let written = unsafe {
            ffi::opus_encode_float(
                self.state.as_ptr(),
                frame.as_ptr(),
                FRAME_SAMPLES as c_int,
                packet.as_mut_ptr(),
                PACKET_BYTES_MAX as i32,
            )
        };
        let bytes = usize::try_from(written).map_err(|_| Error::Library(written))?;
        out.extend_from_slice(packet.get(..bytes).ok_or(Error::Library(written))?);
        Ok(bytes)
    }

    fn set(&mut self, request: c_int, value: c_int) -> Result<(), Error> {
        // SAFETY: the state is live; every request this file makes through here takes one opus_int32 by
        // value.
        match unsafe { ffi::opus_encoder_ctl(self.state.as_ptr(), request, value) } {
            ffi::OPUS_OK => Ok(()),
            status => Err(Error::Library(status)),
        }
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        // SAFETY: the pointer came from opus_encoder_create and is freed once.
        unsafe { ffi::opus_encoder_destroy(self.state.as_ptr()) }
    }
}

/// 48 frames of 1,275 bytes and their lengths are below this; what is longer is padding nobody needs.
const BYTES_MAX: usize = 65_536;

/// Which sound is read from a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Itself,
    TheOneBefore,
}

/// Whether a packet repeats something of the one before it. Anything that is no packet does not.
pub fn repeats_the_one_before(packet: &[u8]) -> bool {
    if packet.is_empty() || packet.len() > BYTES_MAX {
        return false;
    }
    // SAFETY: the pointer holds `packet.len()` bytes, at least one; the call reads only them.
    unsafe { ffi::opus_packet_has_lbrr(packet.as_ptr(), packet.len() as i32) == 1 }
}

/// A decoder that gives mono sound at 48 kHz, whatever the packets hold.
#[derive(Debug)]
pub struct Decoder {
    state: NonNull<ffi::OpusDecoder>,
}

// SAFETY: as for the encoder.
unsafe impl Send for Decoder {}

impl Decoder {
    /// A decoder that has heard nothing.
    pub fn new() -> Result<Self, Error> {
        let mut status = ffi::OPUS_OK;
        // SAFETY: `status` outlives the call; libopus returns null and sets it when it cannot.
        let state = unsafe { ffi::opus_decoder_create(RATE_HZ as i32, 1, &raw mut status) };
        NonNull::new(state).map(|state| Self { state }).ok_or(Error::Library(status))
    }

    /// A decoder of speech that came over a path with losses: what is lost is made up by a model of speech.
    pub fn speech() -> Result<Self, Error> {
        let decoder = Self::new()?;
        // SAFETY: the state is live; this request takes one opus_int32 by value.
        let status = unsafe {
            ffi::opus_decoder_ctl(decoder.state.as_ptr(), ffi::OPUS_SET_COMPLEXITY_REQUEST, MODEL_COMPLEXITY)
        };
        match status {
            ffi::OPUS_OK => Ok(decoder),
            status => Err(Error::Library(status)),
        }
    }

    /// Decodes one packet from anywhere and appends its sound to `out`; answers with the number of samples.
    /// On an error nothing is appended.
    pub fn decode(&mut self, packet: &[u8], out: &mut Vec<f32>) -> Result<usize, Error> {
        if packet.is_empty() {
            return Err(Error::Packet);
        }
        if packet.len() > BYTES_MAX {
            return Err(Error::TooLong(packet.len()));
        }
        self.run(packet, Wanted::Itself, PACKET_SAMPLES_MAX, out)
    }

    /// Appends `samples` of the lost sound that ends where `next` begins: its last frame from what `next`
    /// repeats of it, if it does (RFC 6716, 2.1.7), the rest concealed.
    pub fn recover(&mut self, next: &[u8], samples: usize, out: &mut Vec<f32>) -> Result<usize, Error> {
        if next.is_empty() {
            return Err(Error::Packet);
        }
        if next.len() > BYTES_MAX {
            return Err(Error::TooLong(next.len()));
        }
        Self::concealable(samples)?;
        self.run(next, Wanted::TheOneBefore, samples, out)
    }

    /// Appends `samples` of what probably came next, for a packet that never arrived; fades to silence when
    /// repeated.
    pub fn conceal(&mut self, samples: usize, out: &mut Vec<f32>) -> Result<usize, Error> {
        Self::concealable(samples)?;
        self.run(&[], Wanted::Itself, samples, out)
    }

    fn concealable(samples: usize) -> Result<(), Error> {
        if samples == 0 || !samples.is_multiple_of(120) || samples > PACKET_SAMPLES_MAX {
            return Err(Error::Conceal(samples));
        }
        Ok(())
    }

    fn run(
        &mut self,
        packet: &[u8],
        wanted: Wanted,
        room: usize,
        out: &mut Vec<f32>,
    ) -> Result<usize, Error> {
        let repeated = match wanted {
            Wanted::Itself => 0,
            Wanted::TheOneBefore => 1,
        };
        let data = if packet.is_empty() { std::ptr::null() } else { packet.as_ptr() };
        let before = out.len();
        out.resize(before + room, 0.0);
        // SAFETY: the state is live; `data` is null or holds `packet.len()` bytes (at most 65,536); `out` has
        // `room` mono samples from `before` on, which is what `frame_size` says.
        let decoded = unsafe {
            ffi::opus_decode_float(
                self.state.as_ptr(),
                data,
                packet.len() as i32,
                out[before..].as_mut_ptr(),
                room as c_int,
                repeated,
            )
        };
        let samples = usize::try_from(decoded).unwrap_or(0).min(room);
        out.truncate(before + samples);
        match decoded {
            ffi::OPUS_INVALID_PACKET | ffi::OPUS_BAD_ARG | ffi::OPUS_BUFFER_TOO_SMALL => Err(Error::Packet),
            status if status < 0 => Err(Error::Library(status)),
            _ => Ok(samples),
        }
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: the pointer came from opus_decoder_create and is freed once.
        unsafe { ffi::opus_decoder_destroy(self.state.as_ptr()) }
    }
}

/// 20 ms of silence as one packet of exactly `len` bytes; `None` for 0, which no packet has.
///
/// From 3 bytes on it is a full-band CELT frame whose silence flag is set, padded by a code 3 packet (RFC
/// 6716, 3.2.5). A packet of 1 or 2 bytes has no room for that frame: it says "nothing was sent", which a
/// decoder conceals by fading what came before, so it is silent only after a packet that was.
pub fn silent_packet(len: usize) -> Option<Vec<u8>> {
    /// CELT only, full band, 20 ms, mono; the two low bits are the code.
    const TOC: u8 = 31 << 3;
    /// A frame in which the range decoder reads the silence flag as set.
    const SILENCE: [u8; 2] = [0xFF, 0xFE];
    /// Code 3: one frame, constant bit rate; the second bit says that padding follows.
    const ONE_FRAME: u8 = 1;
    const PADDED: u8 = 1 << 6;

    let mut packet = Vec::with_capacity(len);
    match len {
        0 => return None,
        1 => packet.push(TOC),
        2 => packet.extend([TOC, 0xFF]),
        3 => packet.extend([TOC, SILENCE[0], SILENCE[1]]),
        4 => packet.extend([TOC | 3, ONE_FRAME, SILENCE[0], SILENCE[1]]),
        _ => {
            // A length byte of 255 stands for 254 bytes of padding and another length byte, so that it takes
            // up 255 in all.
            let beyond_the_last_length_byte = len - 5;
            packet.extend([TOC | 3, ONE_FRAME | PADDED]);
            packet.extend(std::iter::repeat_n(255, beyond_the_last_length_byte / 255));
            packet.push((beyond_the_last_length_byte % 255) as u8);
            packet.extend(SILENCE);
            packet.resize(len, 0);
        }
    }
    Some(packet)
}

#[cfg(test)]
mod tests;
