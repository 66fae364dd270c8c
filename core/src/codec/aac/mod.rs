//! AAC (ISO/IEC 14496-3) by the FDK library: 1,024 mono samples at 48 kHz into one AAC-LC access unit, and
//! AAC or HE-AAC from anywhere back into sound.

mod decode;
mod silence;

pub use decode::{Decoder, FILL_BYTES_MAX, Sound};
pub use silence::silent_unit;

use std::ffi::{c_int, c_void};
use std::ptr::NonNull;

use fdk_aac_sys as ffi;

use crate::time::RATE_HZ;

/// Samples in one AAC-LC frame.
pub const UNIT_SAMPLES: usize = 1_024;
/// The largest access unit of one channel, in bytes: 6,144 bits (ISO/IEC 14496-3, 4.5.3).
pub const UNIT_BYTES_MAX: usize = 768;

/// Why the library did not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A bit rate that AAC-LC mono at 48 kHz cannot have.
    #[error("AAC-LC mono takes 16,000 to 256,000 bits a second, not {0}")]
    BitRate(u32),
    /// An AudioSpecificConfig that is none, or of a kind that is not decoded.
    #[error("this is not a configuration of AAC that can be decoded")]
    Config,
    /// A frame that breaks the rules of its syntax; decoding can go on with the next.
    #[error("this is not a valid AAC frame")]
    Frame,
    /// More than the decoder's input holds at once.
    #[error("an AAC frame of {0} bytes is longer than any encoder makes")]
    TooLong(usize),
    /// The library failed in a way that input does not explain.
    #[error("the AAC library failed with status {0:#x}")]
    Library(u32),
}

/// One rendition's encoder: AAC-LC, mono, 48 kHz, constant bit rate with a bit reservoir.
#[derive(Debug)]
pub struct Encoder {
    state: NonNull<ffi::AACENCODER>,
    delay_samples: u32,
    config: Vec<u8>,
    sound: Box<[i16; UNIT_SAMPLES]>,
}

// SAFETY: the library keeps all of an encoder's state behind its handle; `&mut self` makes calls exclusive.
unsafe impl Send for Encoder {}

impl Encoder {
    /// An encoder of `bit_rate` bits a second.
    pub fn new(bit_rate: u32) -> Result<Self, Error> {
        if !(16_000..=256_000).contains(&bit_rate) {
            return Err(Error::BitRate(bit_rate));
        }
        let mut handle: ffi::HANDLE_AACENCODER = std::ptr::null_mut();
        // SAFETY: `handle` outlives the call; module 1 is the AAC core without SBR or parametric stereo, for
        // one channel.
        check(unsafe { ffi::aacEncOpen(&raw mut handle, 0x01, 1) })?;
        let state = NonNull::new(handle).ok_or(Error::Library(0))?;
        let mut encoder =
            Self { state, delay_samples: 0, config: Vec::new(), sound: Box::new([0; UNIT_SAMPLES]) };
        encoder.configure(bit_rate)?;
        Ok(encoder)
    }

    /// Samples a decoder gives before the first one that was encoded.
    pub fn delay_samples(&self) -> u32 {
        self.delay_samples
    }

    /// The AudioSpecificConfig of every unit this encoder makes (ISO/IEC 14496-3, 1.6.2.1).
    pub fn audio_specific_config(&self) -> Vec<u8> {
        self.config.clone()
    }

    /// Codes 1,024 samples and appends exactly one raw access unit to `out`; answers with its length in
    /// bytes.
    pub fn encode(&mut self, frame: &[f32; UNIT_SAMPLES], out: &mut Vec<u8>) -> Result<usize, Error> {
        for (to, from) in self.sound.iter_mut().zip(frame) {
            // The cast saturates, and takes what is not a number as 0.
            *to = (from * 32_768.0).round() as i16;
        }
        let mut unit = [0_u8; UNIT_BYTES_MAX];
        let bytes = self.run(&mut unit)?;
        if bytes == 0 {
            return Err(Error::Library(0));
        }
        out.extend_from_slice(&unit[..bytes]);
        Ok(bytes)
    }

    fn configure(&mut self, bit_rate: u32) -> Result<(), Error> {
        for (param, value) in [
            (ffi::AACENC_PARAM_AACENC_AOT, 2), // AAC-LC
            (ffi::AACENC_PARAM_AACENC_SAMPLERATE, RATE_HZ),
            (ffi::AACENC_PARAM_AACENC_CHANNELMODE, ffi::CHANNEL_MODE_MODE_1 as u32),
            (ffi::AACENC_PARAM_AACENC_BITRATE, bit_rate),
            (ffi::AACENC_PARAM_AACENC_GRANULE_LENGTH, UNIT_SAMPLES as u32),
            (ffi::AACENC_PARAM_AACENC_TRANSMUX, ffi::TRANSPORT_TYPE_TT_MP4_RAW as u32),
            (ffi::AACENC_PARAM_AACENC_AFTERBURNER, 1),
        ] {
            // SAFETY: the handle is live; unknown parameters and values are answered with a status.
            check(unsafe { ffi::aacEncoder_SetParam(self.state.as_ptr(), param, value) })?;
        }
        // SAFETY: with null descriptors the call only applies the parameters.
        check(unsafe {
            ffi::aacEncEncode(
                self.state.as_ptr(),
                std::ptr::null(),
                std::ptr::null(),
                std::ptr::null(),
                std::ptr::null_mut(),
            )
        })?;
        let mut info = ffi::AACENC_InfoStruct {
            maxOutBufBytes: 0,
            maxAncBytes: 0,
            inBufFillLevel: 0,
            inputChannels: 0,
            frameLength: 0,
            nDelay: 0,
            nDelayCore: 0,
            confBuf: [0; 64],
            confSize: 0,
        };
        // SAFETY: the handle is live and `info` is of the type that is filled in.
        check(unsafe { ffi::aacEncInfo(self.state.as_ptr(), &raw mut info) })?;
        if info.frameLength as usize != UNIT_SAMPLES {
            return Err(Error::Library(0));
        }
        self.delay_samples = info.nDelay;
        self.config = info.confBuf.get(..info.confSize as usize).ok_or(Error::Library(0))?.to_vec();
        Ok(())
    }

    fn run(&mut self, unit: &mut [u8; UNIT_BYTES_MAX]) -> Result<usize, Error> {
        let mut source: *mut c_void = self.sound.as_mut_ptr().cast();
        let mut source_id = ffi::AACENC_BufferIdentifier_IN_AUDIO_DATA as c_int;
        let mut source_bytes = (UNIT_SAMPLES * 2) as c_int;
        let mut source_element_bytes = 2;
        let source = ffi::AACENC_BufDesc {
            numBufs: 1,
            bufs: &raw mut source,
            bufferIdentifiers: &raw mut source_id,
            bufSizes: &raw mut source_bytes,
            bufElSizes: &raw mut source_element_bytes,
        };
        let mut sink: *mut c_void = unit.as_mut_ptr().cast();
        let mut sink_id = ffi::AACENC_BufferIdentifier_OUT_BITSTREAM_DATA as c_int;
        let mut sink_bytes = UNIT_BYTES_MAX as c_int;
        let mut sink_element_bytes = 1;
        let sink = ffi::AACENC_BufDesc {
            numBufs: 1,
            bufs: &raw mut sink,
            bufferIdentifiers: &raw mut sink_id,
            bufSizes: &raw mut sink_bytes,
            bufElSizes: &raw mut sink_element_bytes,
        };
        let given = ffi::AACENC_InArgs { numInSamples: UNIT_SAMPLES as c_int, numAncBytes: 0 };
        let mut taken =
            ffi::AACENC_OutArgs { numOutBytes: 0, numInSamples: 0, numAncBytes: 0, bitResState: 0 };
        // SAFETY: the handle is live; both descriptors name one buffer each with its true size, and all of
        // them outlive the call.
        check(unsafe {
            ffi::aacEncEncode(
                self.state.as_ptr(),
                &raw const source,
                &raw const sink,
                &raw const given,
                &raw mut taken,
            )
        })?;
        if taken.numInSamples != given.numInSamples {
            return Err(Error::Library(0));
        }
        usize::try_from(taken.numOutBytes).ok().filter(|&n| n <= unit.len()).ok_or(Error::Library(0))
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        let mut handle = self.state.as_ptr();
        // SAFETY: the handle came from aacEncOpen and is freed once.
        unsafe { ffi::aacEncClose(&raw mut handle) };
    }
}

fn check(status: ffi::AACENC_ERROR) -> Result<(), Error> {
    match status {
        0 => Ok(()),
        status => Err(Error::Library(status)),
    }
}

#[cfg(test)]
mod tests;
