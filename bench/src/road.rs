//! A voice in packets and the road they take, without a socket: lost singly and in bursts, late, sent again.

use tribune_core::codec::opus::{Decoder, Encoder, Prediction};
use tribune_core::ingest::speaker::Packet;
use tribune_core::time::{FRAME_SAMPLES, Time};
use tribune_rehearsal::loss::{Draws, Losses};

pub use tribune_rehearsal::loss::Loss;

/// What the road does.
#[derive(Clone, Copy, Debug)]
pub struct Road {
    /// How packets get lost.
    pub loss: Loss,
    /// Each is held up by up to so much, evenly drawn, in milliseconds.
    pub jitter_ms: f64,
    /// One that was lost comes again so much after the next one would have told of it, in milliseconds.
    pub again_ms: Option<f64>,
    /// What is drawn.
    pub seed: u64,
}

/// What a speaker sends.
#[derive(Clone, Debug)]
pub struct Sent {
    packets: Vec<Vec<u8>>,
}

impl Sent {
    /// `samples` in packets of 20 ms.
    ///
    /// # Errors
    /// The encoder's.
    pub fn coded(samples: &[f32], mut encoder: Encoder) -> anyhow::Result<Self> {
        let frames = samples.chunks_exact(FRAME_SAMPLES).map(|frame| {
            let mut packet = Vec::new();
            encoder.encode(frame.try_into()?, Prediction::Carry, &mut packet)?;
            Ok(packet)
        });
        Ok(Self { packets: frames.collect::<anyhow::Result<_>>()? })
    }

    /// What arrives when nothing is lost.
    ///
    /// # Errors
    /// The decoder's.
    pub fn decoded(&self) -> anyhow::Result<Vec<f32>> {
        let (mut decoder, mut out) = (Decoder::new()?, Vec::new());
        for packet in &self.packets {
            decoder.decode(packet, &mut out)?;
        }
        Ok(out)
    }

    /// The packets that arrive, in the order in which they do.
    pub fn travel(&self, road: Road) -> Vec<Packet> {
        let (mut losses, mut random) =
            (Losses::new(road.loss, road.seed), Draws::new(road.seed ^ 0x5DEE_CE66));
        let mut came = Vec::new();
        for (at, payload) in self.packets.iter().enumerate() {
            let lost = losses.next();
            let again_ms = match (lost, road.again_ms) {
                (false, _) => 0.0,
                (true, Some(again_ms)) => 20.0 + again_ms,
                (true, None) => continue,
            };
            let at_ms = (at + 1) as f64 * 20.0 + again_ms + random.unit() * road.jitter_ms;
            came.push(Packet {
                arrived: Time::from_nanos((at_ms * 1e6) as u64),
                seq: at as u64,
                timestamp: (at * FRAME_SAMPLES) as u64,
                payload: payload.clone().into(),
            });
        }
        came.sort_by_key(|packet| packet.arrived);
        came
    }
}

/// Something that rises and falls as a voice does, `seconds` long.
pub fn voice(seed: u64, seconds: usize) -> Vec<f32> {
    let mut random = Draws::new(seed);
    let samples = seconds * 48_000;
    let (mut sound, mut phase) = (Vec::with_capacity(samples), 0.0_f64);
    while sound.len() < samples {
        let length = 4_000 + (random.unit() * 12_000.0) as usize;
        let (hz, peak) = (90.0 + 120.0 * random.unit(), 0.3 * random.unit());
        for n in 0..length {
            phase += hz / 48_000.0;
            let shape = peak * (n as f64 / length as f64 * std::f64::consts::PI).sin().powi(2);
            let tone = |k: f64| (phase * k * std::f64::consts::TAU).sin() / k;
            let breath = 0.1 * (random.unit() - 0.5);
            sound.push((shape * (tone(1.0) + tone(3.0) + tone(8.0) + breath)) as f32);
        }
    }
    sound.truncate(samples);
    sound
}
