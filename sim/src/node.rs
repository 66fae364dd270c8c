//! The real rules, wired as a node wires them: mixer → cutter → window.

use std::sync::Arc;

use tribune_core::egress::Window;
use tribune_core::mix::{Frame, Input, Kind, Mixer, Output};
use tribune_core::program::{self, Codec, Cutter, Edition, Part, PartNo, Renditions, Spec};
use tribune_core::time::{Time, WallTime};

use crate::history::{FrameSeen, Life, PartSeen};

/// One bit rate of each codec: the others are cut at the same samples, and cost the same again.
const SPECS: [Spec; 2] =
    [Spec { codec: Codec::Opus, bit_rate: 16_000 }, Spec { codec: Codec::AacLc, bit_rate: 32_000 }];

/// What the program is coded as.
pub fn renditions() -> Arc<Renditions> {
    Arc::new(Renditions::new(&SPECS).expect("two small renditions"))
}

/// A process: it forgets everything when it is killed.
pub struct Node {
    mixer: Mixer,
    cutter: Cutter,
    window: Window,
    conversation_frames: usize,
    /// What it did.
    pub life: Life,
}

impl Node {
    /// A process whose first part is `first` or the next number that begins a segment.
    pub fn start(now: Time, renditions: &Arc<Renditions>, first: PartNo) -> Self {
        Self {
            mixer: Mixer::new(),
            cutter: Cutter::new(Arc::clone(renditions), first).expect("encoders open"),
            window: Window::new(Arc::clone(renditions), Edition(WallTime(0))),
            conversation_frames: 0,
            life: Life { began: now, ended: now, frames: Vec::new(), parts: Vec::new() },
        }
    }

    /// The newest snapshot of the window.
    pub fn window(&self) -> &Window {
        &self.window
    }

    /// Tells the mixer something that is not a tick.
    pub fn tell(&mut self, now: Time, input: Input) {
        self.mixer.handle_input(now, input);
        while let Some(output) = self.mixer.poll_output() {
            match output {
                Output::Frame(_) | Output::Minus { .. } => unreachable!("only a tick makes sound"),
                Output::Event(_) => {}
            }
        }
    }

    /// 20 ms have passed; the part that this completed.
    pub fn tick(&mut self, now: Time, wall: WallTime, fed: bool) -> Option<Arc<Part>> {
        self.mixer.handle_input(now, Input::Tick);
        let mut cut = None;
        while let Some(output) = self.mixer.poll_output() {
            match output {
                Output::Frame(frame) => {
                    self.see(now, &frame, fed);
                    let input = program::Input::Frame { frame: &frame, wall };
                    self.cutter.handle_input(input).expect("encoders take every frame");
                    cut = self.cutter.poll_output().map(Arc::new);
                    self.mixer.give_back(frame);
                }
                Output::Minus { .. } | Output::Event(_) => {}
            }
        }
        let part = cut?;
        self.keep(now, &part);
        Some(part)
    }

    /// The room is over.
    pub fn end(&mut self) {
        self.window = self.window.end();
    }

    fn see(&mut self, now: Time, frame: &Frame, fed: bool) {
        let loudest =
            |peak: f32, sample: &f32| if sample.is_nan() { f32::NAN } else { peak.max(sample.abs()) };
        let peak = frame.samples.iter().fold(0.0, loudest);
        self.conversation_frames += usize::from(frame.kind == Kind::Conversation);
        self.life.frames.push(FrameSeen { at: now, kind: frame.kind, peak, fed });
    }

    fn keep(&mut self, now: Time, part: &Arc<Part>) {
        self.window = self.window.append(Arc::clone(part));
        self.life.parts.push(PartSeen {
            at: now,
            no: part.no,
            kind: part.kind,
            joint: part.joint,
            began_at: part.began_at,
            page: part.tracks[0].stream.clone(),
            conversation_frames: std::mem::take(&mut self.conversation_frames),
        });
    }
}
