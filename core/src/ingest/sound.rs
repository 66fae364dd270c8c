//! Frames of MP3 or AAC into sound.

use super::frames::{Found, Frames, Kind};
use super::outcome::{Codec, Error, Format, Lost, rate_taken};
use super::track::Outputs;
use crate::codec::{aac, mp3};

/// Polls of the AAC decoder for one frame: four raw blocks, and as many errors.
const POLLS_MAX: usize = 8;

/// Reads a source of frames.
#[derive(Debug)]
pub struct Track {
    frames: Frames,
    decoder: Decoder,
}

#[derive(Debug)]
enum Decoder {
    Mp3(Box<mp3::Decoder>),
    Aac { decoder: Box<aac::Decoder>, frame_samples: usize },
}

impl Track {
    /// For frames of one kind.
    pub fn new(kind: Kind) -> Result<Self, Error> {
        let ours = |why: String| Error::Decoder(why);
        let decoder = match kind {
            Kind::Mp3 => Decoder::Mp3(Box::new(mp3::Decoder::new().map_err(|why| ours(why.to_string()))?)),
            Kind::Adts => Decoder::Aac {
                decoder: Box::new(aac::Decoder::adts().map_err(|why| ours(why.to_string()))?),
                frame_samples: 0,
            },
        };
        Ok(Self { frames: Frames::new(kind), decoder })
    }

    /// Takes more bytes; `step` looks at them.
    pub fn push(&mut self, bytes: &[u8]) {
        self.frames.push(bytes);
    }

    /// One frame further; `false` when more bytes are needed.
    pub fn step(&mut self, out: &mut Outputs) -> Result<bool, Error> {
        match self.frames.poll() {
            None => Ok(false),
            Some(Found::Gone(bytes)) => Err(Error::Lost { container: self.decoder.name(), bytes }),
            Some(Found::Lost(lost)) => {
                out.lost(lost);
                Ok(true)
            }
            Some(Found::Frame(frame)) => match &mut self.decoder {
                Decoder::Mp3(decoder) => decode_mp3(decoder, &frame, out),
                Decoder::Aac { decoder, frame_samples } => decode_aac(decoder, frame_samples, &frame, out),
            }
            .map(|()| true),
        }
    }
}

impl Decoder {
    const fn name(&self) -> &'static str {
        match self {
            Self::Mp3(_) => "MP3",
            Self::Aac { .. } => "AAC",
        }
    }
}

/// A frame that cannot be decoded is as long a silence, so that what follows keeps its place.
fn decode_mp3(decoder: &mut mp3::Decoder, frame: &[u8], out: &mut Outputs) -> Result<(), Error> {
    let Some(header) = mp3::Header::parse(frame) else {
        return Ok(());
    };
    if header.is_tag(frame) {
        return Ok(());
    }
    let rate_hz = rate_taken(header.rate_hz)?;
    out.format(Format { codec: Codec::Mp3, rate_hz, channels: header.channels });
    let mut sound = Vec::with_capacity(header.samples());
    if decoder.decode(frame, &mut sound).is_err() {
        out.lost(Lost::PacketBad);
        sound.clear();
        sound.resize(header.samples(), 0.0);
    }
    out.sound(sound);
    Ok(())
}

fn decode_aac(
    decoder: &mut aac::Decoder,
    frame_samples: &mut usize,
    frame: &[u8],
    out: &mut Outputs,
) -> Result<(), Error> {
    if decoder.fill(frame) != Ok(frame.len()) {
        out.lost(Lost::PacketBad);
        return Ok(());
    }
    for _ in 0..POLLS_MAX {
        match decoder.poll() {
            Ok(None) => break,
            Ok(Some(sound)) => {
                let mut mono = Vec::new();
                sound.mono_into(&mut mono);
                *frame_samples = mono.len();
                let rate_hz = rate_taken(sound.rate_hz)?;
                out.format(Format { codec: Codec::Aac, rate_hz, channels: sound.channels as u8 });
                out.sound(mono);
            }
            Err(_) => {
                out.lost(Lost::PacketBad);
                out.sound(vec![0.0; *frame_samples]);
            }
        }
    }
    Ok(())
}
