//! A live source whose sound is known to the sample, sent at live pace by a clock of its own.

use std::time::{Duration, Instant};

use tribune_core::codec::opus::{Decoder, Encoder, Prediction};
use tribune_core::time::{FRAME_SAMPLES, RATE_HZ};
use tribune_rehearsal::source::{Framing, PAGE_PACKETS, Source, Target};

/// What a source says, coded once.
pub struct Speech {
    packets: Vec<Vec<u8>>,
    lookahead: u32,
}

impl Speech {
    /// Codes mono samples at 48 kHz with `bit_rate` bits a second.
    ///
    /// # Errors
    /// The encoder refuses.
    pub fn code(samples: &[f32], bit_rate: u32) -> anyhow::Result<Self> {
        let mut encoder = Encoder::new(bit_rate)?;
        let mut packets = Vec::new();
        for frame in samples.chunks_exact(FRAME_SAMPLES) {
            let mut packet = Vec::new();
            encoder.encode(frame.try_into()?, Prediction::Carry, &mut packet)?;
            packets.push(packet);
        }
        Ok(Self { packets, lookahead: encoder.lookahead_samples() })
    }

    /// What any decoder makes of it: the reference that the program is held against.
    ///
    /// # Errors
    /// The decoder refuses.
    pub fn decoded(&self) -> anyhow::Result<Vec<f32>> {
        let mut decoder = Decoder::new()?;
        let mut out = Vec::new();
        for packet in &self.packets {
            decoder.decode(packet, &mut out)?;
        }
        Ok(out.split_off(self.lookahead as usize))
    }
}

/// Where to send, and by which clock.
pub struct Sender<'a> {
    /// `http://127.0.0.1:port` of the stage.
    pub stage: &'a str,
    /// `/room/source/name`, with its query.
    pub path: &'a str,
    /// The speaker's key.
    pub key: &'a str,
    /// How the body is marked.
    pub framing: Framing,
    /// How much faster than the machine's the sender's clock runs, in parts per million.
    pub ppm: f64,
}

/// Sends `speech` at live pace; sample `n` is spoken at `began + n / 48 kHz` by the sender's clock.
///
/// # Errors
/// The connection fails or is refused.
pub fn send(sender: &Sender<'_>, speech: &Speech, began: Instant) -> anyhow::Result<()> {
    let mut source = connect(sender, speech)?;
    for (index, packets) in speech.packets.chunks(PAGE_PACKETS).enumerate() {
        let due = began + Duration::from_secs_f64(page_s(sender) * (index + 1) as f64);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        source.page(packets.iter().map(Vec::as_slice))?;
    }
    source.finish()
}

/// Sends `speech` again and again at live pace until it is over.
///
/// # Errors
/// The connection fails or is refused.
pub fn send_until(sender: &Sender<'_>, speech: &Speech, is_over: impl Fn() -> bool) -> anyhow::Result<()> {
    let began = Instant::now();
    let mut source = connect(sender, speech)?;
    let pages = speech.packets.chunks_exact(PAGE_PACKETS).cycle();
    for (index, packets) in pages.enumerate() {
        if is_over() {
            break;
        }
        let due = began + Duration::from_secs_f64(page_s(sender) * (index + 1) as f64);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        source.page(packets.iter().map(Vec::as_slice))?;
    }
    source.finish()
}

fn connect(sender: &Sender<'_>, speech: &Speech) -> anyhow::Result<Source> {
    Source::connect(&Target {
        stage: sender.stage,
        path: sender.path,
        key: sender.key,
        framing: sender.framing,
        pre_skip: speech.lookahead,
        title: "a measurement",
    })
}

/// How long a page lasts by the sender's clock, in seconds.
fn page_s(sender: &Sender<'_>) -> f64 {
    (PAGE_PACKETS * FRAME_SAMPLES) as f64 / f64::from(RATE_HZ) / (1.0 + sender.ppm / 1e6)
}
