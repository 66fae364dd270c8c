//! What speakers hear of each other: the mix without themselves, coded once for each who is in the mix and
//! once for all others.
//!
//! It goes out at the tick in which it is mixed: the limiter's look-ahead is left to the program, and
//! the rare peak above full scale is bent instead. Who comes into the mix changes from the shared
//! packets to their own and back. Both encoders then make a packet that leans on none before it, and an
//! encoder that was idle is first given the frame before, so that nothing is heard of the change.

use super::echo;
use super::mixer::Output;
use super::speaker::Hears;
use super::voice::Voice;
use crate::codec::opus::{Encoder, Prediction};
use crate::time::FRAME_SAMPLES;

/// Bits a second of what a speaker hears.
pub const MINUS_BITS_PER_S: u32 = 64_000;

/// Up to here nothing is touched; what is louder is bent so that it stays below full scale.
const STRAIGHT_MAX: f32 = 0.7;

/// An encoder that may have been idle.
#[derive(Debug)]
pub(crate) struct Coder {
    encoder: Encoder,
    /// It made the packet of the tick before.
    warm: bool,
}

impl Coder {
    /// An idle one.
    pub fn new() -> Self {
        let encoder = Encoder::talk(MINUS_BITS_PER_S);
        Self { encoder: encoder.expect("these settings are valid, and memory is there"), warm: false }
    }

    /// The packet of `frame`, before which whoever listens heard `before`.
    fn packet(&mut self, before: &[f32; FRAME_SAMPLES], frame: &[f32; FRAME_SAMPLES]) -> Option<Vec<u8>> {
        let mut packet = Vec::with_capacity(256);
        if self.warm {
            self.encoder.encode(frame, Prediction::Carry, &mut packet).ok()?;
        } else {
            self.warm = true;
            self.encoder.encode(before, Prediction::Fresh, &mut packet).ok()?;
            packet.clear();
            self.encoder.encode(frame, Prediction::Fresh, &mut packet).ok()?;
        }
        Some(packet)
    }

    fn rest(&mut self) {
        self.warm = false;
    }
}

/// The shared half: for everybody who is not in the mix.
#[derive(Debug, Default)]
pub(crate) struct Minus {
    shared: Option<Coder>,
    /// The last mix, as it was coded.
    before: Option<Box<[f32; FRAME_SAMPLES]>>,
}

impl Minus {
    /// The packets of this tick, for the mix `sum` of what `voices` added to it.
    pub fn send(&mut self, sum: &[f32; FRAME_SAMPLES], voices: &mut [Voice], mut out: impl FnMut(Output)) {
        if voices.iter().all(|voice| !listens(voice)) {
            (self.shared, self.before) = (None, None);
            return;
        }
        let before = self.before.take().unwrap_or_else(|| Box::new([0.0; FRAME_SAMPLES]));
        let mut shared_by = 0;
        let mut came = false;
        for voice in voices.iter_mut().filter(|voice| listens(voice)) {
            if voice.was_added() {
                own(voice, sum, &before, &mut out);
            } else {
                shared_by += 1;
                came |= voice.stage_mut().is_some_and(|stage| std::mem::take(&mut stage.coder.warm));
            }
        }
        let mut mix = before.clone();
        bend(sum, None, &mut mix);
        if shared_by > 0 {
            let coder = self.shared.get_or_insert_with(Coder::new);
            if came {
                coder.rest();
            }
            if let Some(packet) = coder.packet(&before, &mix) {
                out(Output::Minus { whose: None, packet: packet.into() });
            }
            let course = echo::course(&mix);
            voices.iter_mut().filter(|voice| listens(voice) && !voice.was_added()).for_each(|voice| {
                if let Some(stage) = voice.stage_mut() {
                    stage.echo.sent(course);
                }
            });
        } else if let Some(coder) = &mut self.shared {
            coder.rest();
        }
        self.before = Some(mix);
    }
}

fn own(
    voice: &mut Voice,
    sum: &[f32; FRAME_SAMPLES],
    before: &[f32; FRAME_SAMPLES],
    out: &mut impl FnMut(Output),
) {
    let mut minus = [0.0; FRAME_SAMPLES];
    bend(sum, Some(voice.frame()), &mut minus);
    let whose = Some(voice.id);
    let Some(stage) = voice.stage_mut() else { return };
    stage.echo.sent(echo::course(&minus));
    if let Some(packet) = stage.coder.packet(before, &minus) {
        out(Output::Minus { whose, packet: packet.into() });
    }
}

/// Whether somebody wants to hear what is coded for this voice.
fn listens(voice: &Voice) -> bool {
    !voice.closed && voice.stage().is_some_and(|stage| stage.hears == Hears::MixMinus)
}

/// `sum` without `own`, below full scale.
fn bend(sum: &[f32; FRAME_SAMPLES], own: Option<&[f32; FRAME_SAMPLES]>, out: &mut [f32; FRAME_SAMPLES]) {
    for (at, sample) in out.iter_mut().enumerate() {
        *sample = bent(sum[at] - own.map_or(0.0, |own| own[at]));
    }
}

fn bent(sample: f32) -> f32 {
    let over = sample.abs() - STRAIGHT_MAX;
    if over <= 0.0 {
        return sample;
    }
    let room = 1.0 - STRAIGHT_MAX;
    (STRAIGHT_MAX + room * (over / room).tanh()).copysign(sample)
}
