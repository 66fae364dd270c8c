//! Frames become parts: every 16th frame of the mix completes one part in every rendition, at the same
//! sample.

use std::sync::Arc;

use super::part::{Codec, Joint, PART_SAMPLES, Part, PartNo, TrackPart, Units};
use super::renditions::{Error, Renditions};
use super::{adts, mp4, ogg};
use crate::codec::opus::Prediction;
use crate::codec::{aac, opus};
use crate::mix::{Frame, Kind};
use crate::time::{FRAME_SAMPLES, WallTime};

/// Frames of the mix in one part.
pub const FRAMES_PER_PART: usize = PART_SAMPLES as usize / FRAME_SAMPLES;

/// Cuts one program into parts.
#[derive(Debug)]
pub struct Cutter {
    renditions: Arc<Renditions>,
    coders: Vec<Coder>,
    next: PartNo,
    joint: Joint,
    frames: usize,
    kind: Kind,
    began_at: WallTime,
    cut: Option<Part>,
}

/// What reaches the cutter.
#[derive(Clone, Copy, Debug)]
pub enum Input<'f> {
    /// The next frame of the mix.
    Frame {
        /// 20 ms of sound.
        frame: &'f Frame,
        /// What the wall clock says at its first sample.
        wall: WallTime,
    },
}

impl Cutter {
    /// A cutter whose first part is `first`, or the next number that begins a segment.
    pub fn new(renditions: Arc<Renditions>, first: PartNo) -> Result<Self, Error> {
        Ok(Self {
            coders: Coder::all(&renditions)?,
            renditions,
            next: first.segment_start_from(),
            joint: Joint::AfterGap,
            frames: 0,
            kind: Kind::Hold,
            began_at: WallTime::default(),
            cut: None,
        })
    }

    /// What the program is coded as.
    pub fn renditions(&self) -> &Arc<Renditions> {
        &self.renditions
    }

    /// The number of the part now being filled.
    pub fn next_part(&self) -> PartNo {
        self.next
    }

    /// Takes one frame. After an error the part in work is of no use: `restart`.
    pub fn handle_input(&mut self, input: Input<'_>) -> Result<(), Error> {
        let Input::Frame { frame, wall } = input;
        let prediction = match self.frames {
            0 => Prediction::Fresh,
            _ => Prediction::Carry,
        };
        if self.frames == 0 {
            self.began_at = wall;
            self.kind = Kind::Hold;
        }
        for coder in &mut self.coders {
            coder.encode(&frame.samples, prediction)?;
        }
        match frame.kind {
            Kind::Conversation => self.kind = Kind::Conversation,
            Kind::Hold => {}
        }
        self.frames += 1;
        if self.frames == FRAMES_PER_PART {
            self.finish_part();
        }
        Ok(())
    }

    /// The part that the last frame completed, once. A part not taken before the next is complete is lost.
    pub fn poll_output(&mut self) -> Option<Part> {
        self.cut.take()
    }

    /// Goes on after a gap: drops the part in work, and begins with fresh encoders at `first` or the next
    /// number that begins a segment, never before a number already used.
    pub fn restart(&mut self, first: PartNo) -> Result<(), Error> {
        self.coders = Coder::all(&self.renditions)?;
        self.next = first.max(self.next).segment_start_from();
        self.joint = Joint::AfterGap;
        self.frames = 0;
        Ok(())
    }

    fn finish_part(&mut self) {
        let no = self.next;
        let tracks = self.renditions.iter().zip(&mut self.coders).map(|(rendition, coder)| {
            let units = coder.take_units();
            TrackPart {
                stream: match rendition.codec {
                    Codec::Opus => ogg::part_page(no, &units),
                    Codec::AacLc => adts::part_frames(&units),
                },
                chunk: mp4::chunk(no, rendition, &units),
                units,
            }
        });
        let tracks = tracks.collect();
        self.cut = Some(Part { no, kind: self.kind, joint: self.joint, began_at: self.began_at, tracks });
        self.next = no.next();
        self.joint = Joint::Continues;
        self.frames = 0;
    }
}

/// One rendition's encoder with the units of the part in work.
#[derive(Debug)]
struct Coder {
    encoder: Encoder,
    bytes: Vec<u8>,
    sizes: Vec<u32>,
}

#[derive(Debug)]
enum Encoder {
    Opus(opus::Encoder),
    /// With the samples that wait for a whole AAC frame.
    Aac(aac::Encoder, Box<[f32; aac::UNIT_SAMPLES]>, usize),
}

impl Coder {
    fn all(renditions: &Renditions) -> Result<Vec<Self>, Error> {
        let coders = renditions.iter().map(|rendition| {
            let encoder = match rendition.codec {
                Codec::Opus => Encoder::Opus(opus::Encoder::new(rendition.bit_rate)?),
                Codec::AacLc => {
                    let encoder = aac::Encoder::new(rendition.bit_rate)?;
                    Encoder::Aac(encoder, Box::new([0.0; aac::UNIT_SAMPLES]), 0)
                }
            };
            Ok(Self { encoder, bytes: Vec::new(), sizes: Vec::new() })
        });
        coders.collect()
    }

    fn encode(&mut self, samples: &[f32; FRAME_SAMPLES], prediction: Prediction) -> Result<(), Error> {
        match &mut self.encoder {
            Encoder::Opus(encoder) => {
                let bytes = encoder.encode(samples, prediction, &mut self.bytes)?;
                self.sizes.push(bytes as u32);
            }
            Encoder::Aac(encoder, waiting, filled) => {
                let (now, later) = samples.split_at((aac::UNIT_SAMPLES - *filled).min(FRAME_SAMPLES));
                waiting[*filled..*filled + now.len()].copy_from_slice(now);
                *filled += now.len();
                if *filled == aac::UNIT_SAMPLES {
                    let bytes = encoder.encode(waiting, &mut self.bytes)?;
                    self.sizes.push(bytes as u32);
                    waiting[..later.len()].copy_from_slice(later);
                    *filled = later.len();
                }
            }
        }
        Ok(())
    }

    /// The units so far; the next part's buffers begin as large as these were.
    fn take_units(&mut self) -> Units {
        let bytes = std::mem::take(&mut self.bytes);
        let sizes = std::mem::take(&mut self.sizes);
        self.bytes.reserve(bytes.len() + bytes.len() / 4);
        self.sizes.reserve(sizes.len());
        Units::new(bytes, sizes)
    }
}

#[cfg(test)]
mod tests;
