//! AAC from anywhere back into sound: ADTS as it comes off a socket, or raw access units with their
//! configuration.

use std::ptr::NonNull;

use fdk_aac_sys as ffi;

use super::Error;

/// What the decoder's input holds at most, in bytes; more than the longest ADTS frame (8,191).
pub const FILL_BYTES_MAX: usize = 8_192;
/// Room for the longest frame there is: 4,096 samples (extended HE-AAC) of 8 channels.
const SOUND_SAMPLES_MAX: usize = 4_096 * 8;
/// Concealment that needs no frame after the lost one.
const CONCEAL_BY_NOISE: i32 = 1;

/// One decoded frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sound<'d> {
    /// Samples a second of each channel, in Hz (with HE-AAC: of what comes out).
    pub rate_hz: u32,
    /// Channels, interleaved in `samples`; 1 or 2, more are mixed down to 2.
    pub channels: usize,
    /// Full scale is ±1.0.
    pub samples: &'d [f32],
}

impl Sound<'_> {
    /// Appends the mean of the channels to `out`.
    pub fn mono_into(&self, out: &mut Vec<f32>) {
        let share = 1.0 / self.channels as f32;
        out.extend(self.samples.chunks_exact(self.channels).map(|both| both.iter().sum::<f32>() * share));
    }
}

/// A decoder of AAC-LC, HE-AAC and HE-AAC v2.
#[derive(Debug)]
pub struct Decoder {
    state: NonNull<ffi::AAC_DECODER_INSTANCE>,
    pcm: Box<[i16]>,
    samples: Vec<f32>,
}

// SAFETY: the library keeps all of a decoder's state behind its handle; `&mut self` makes calls exclusive.
unsafe impl Send for Decoder {}

impl Decoder {
    /// For a stream of ADTS frames, however its bytes are cut.
    pub fn adts() -> Result<Self, Error> {
        Self::open(ffi::TRANSPORT_TYPE_TT_MP4_ADTS)
    }

    /// For raw access units; `config` is their AudioSpecificConfig, at most 64 bytes.
    pub fn raw(config: &[u8]) -> Result<Self, Error> {
        if config.is_empty() || config.len() > 64 {
            return Err(Error::Config);
        }
        let decoder = Self::open(ffi::TRANSPORT_TYPE_TT_MP4_RAW)?;
        let mut config = config.to_vec();
        let mut start = config.as_mut_ptr();
        let bytes = config.len() as u32;
        // SAFETY: the handle is live; `start` points to `bytes` bytes, which outlive the call and are only
        // read.
        match unsafe { ffi::aacDecoder_ConfigRaw(decoder.state.as_ptr(), &raw mut start, &raw const bytes) } {
            ffi::AAC_DECODER_ERROR_AAC_DEC_OK => Ok(decoder),
            _ => Err(Error::Config),
        }
    }

    /// Takes as much of `bytes` as fits and answers how much that was; then `poll` until `None`.
    ///
    /// Raw access units are given one at a time: whole, at most [`FILL_BYTES_MAX`] long.
    pub fn fill(&mut self, bytes: &[u8]) -> Result<usize, Error> {
        let given = u32::try_from(bytes.len().min(FILL_BYTES_MAX)).expect("8,192 fits");
        let mut left = given;
        let mut start = bytes.as_ptr().cast_mut();
        // SAFETY: the handle is live; `start` points to at least `given` bytes, which are only read and
        // copied.
        let status = unsafe {
            ffi::aacDecoder_Fill(self.state.as_ptr(), &raw mut start, &raw const given, &raw mut left)
        };
        match status {
            ffi::AAC_DECODER_ERROR_AAC_DEC_OK => Ok(given.saturating_sub(left) as usize),
            status => Err(Error::Library(status)),
        }
    }

    /// The next frame of what was filled in; `None` when it takes more bytes. After [`Error::Frame`] go on
    /// polling.
    pub fn poll(&mut self) -> Result<Option<Sound<'_>>, Error> {
        // SAFETY: the handle is live; `pcm` has room for as many samples as is said.
        let status = unsafe {
            ffi::aacDecoder_DecodeFrame(self.state.as_ptr(), self.pcm.as_mut_ptr(), self.pcm.len() as i32, 0)
        };
        match status {
            ffi::AAC_DECODER_ERROR_AAC_DEC_OK => self.sound().map(Some),
            ffi::AAC_DECODER_ERROR_AAC_DEC_NOT_ENOUGH_BITS => Ok(None),
            ffi::AAC_DECODER_ERROR_AAC_DEC_OUT_OF_MEMORY => Err(Error::Library(status)),
            _ => Err(Error::Frame),
        }
    }

    /// One raw access unit: `fill` and `poll` at once.
    pub fn decode(&mut self, unit: &[u8]) -> Result<Sound<'_>, Error> {
        if unit.is_empty() {
            return Err(Error::Frame);
        }
        if self.fill(unit)? < unit.len() {
            return Err(Error::TooLong(unit.len()));
        }
        self.poll()?.ok_or(Error::Frame)
    }

    fn open(transport: ffi::TRANSPORT_TYPE) -> Result<Self, Error> {
        // SAFETY: takes plain values; null means that there was no memory.
        let state = unsafe { ffi::aacDecoder_Open(transport, 1) };
        let state = NonNull::new(state).ok_or(Error::Library(0))?;
        let decoder = Self { state, pcm: vec![0; SOUND_SAMPLES_MAX].into(), samples: Vec::new() };
        // The limiter and the library's own choice of concealment would delay the sound; the program has a
        // limiter of its own.
        for (param, value) in [
            (ffi::AACDEC_PARAM_AAC_PCM_LIMITER_ENABLE, 0),
            (ffi::AACDEC_PARAM_AAC_PCM_MAX_OUTPUT_CHANNELS, 2),
            (ffi::AACDEC_PARAM_AAC_CONCEAL_METHOD, CONCEAL_BY_NOISE),
        ] {
            // SAFETY: the handle is live; unknown values are answered with a status.
            match unsafe { ffi::aacDecoder_SetParam(decoder.state.as_ptr(), param, value) } {
                ffi::AAC_DECODER_ERROR_AAC_DEC_OK => {}
                status => return Err(Error::Library(status)),
            }
        }
        Ok(decoder)
    }

    fn sound(&mut self) -> Result<Sound<'_>, Error> {
        // SAFETY: the handle is live; the answer is null or points into the decoder's state, and is read
        // before the next call.
        let info = unsafe { ffi::aacDecoder_GetStreamInfo(self.state.as_ptr()).as_ref() };
        let info = info.ok_or(Error::Library(0))?;
        let rate_hz = u32::try_from(info.sampleRate).map_err(|_| Error::Frame)?;
        let channels = usize::try_from(info.numChannels).map_err(|_| Error::Frame)?;
        let frames = usize::try_from(info.frameSize).map_err(|_| Error::Frame)?;
        let pcm = self.pcm.get(..frames.saturating_mul(channels)).ok_or(Error::Frame)?;
        if rate_hz == 0 || channels == 0 || pcm.is_empty() {
            return Err(Error::Frame);
        }
        self.samples.clear();
        self.samples.extend(pcm.iter().map(|&sample| f32::from(sample) / 32_768.0));
        Ok(Sound { rate_hz, channels, samples: &self.samples })
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: the handle came from aacDecoder_Open and is freed once.
        unsafe { ffi::aacDecoder_Close(self.state.as_ptr()) };
    }
}
