//! A sender with a clock of its own: a tone in packets, on time, late, or all at once after a stall.

use std::f32::consts::TAU;
use std::time::Duration;

use tribune_core::ingest::Pcm;
use tribune_core::mix::InletId;
use tribune_core::time::Time;

use crate::dice::Dice;
use crate::story::SourcePlan;

const AMPLITUDE: f32 = 0.2;

/// One sender, connected or not.
#[derive(Debug)]
pub struct Source {
    plan: SourcePlan,
    inlet: Option<InletId>,
    /// When the packet now being filled is full, if its clock were all there is.
    full_at: Time,
    /// The last packet's arrival: a connection keeps the order.
    arrived_at: Time,
    stalled_until: Time,
    phase: f32,
}

impl Source {
    /// A sender that is not connected.
    pub fn new(plan: SourcePlan) -> Self {
        Self {
            plan,
            inlet: None,
            full_at: Time::ZERO,
            arrived_at: Time::ZERO,
            stalled_until: Time::ZERO,
            phase: 0.0,
        }
    }

    /// Its inlet while it is connected.
    pub fn inlet(&self) -> Option<InletId> {
        self.inlet
    }

    /// Connects it; it begins to talk at once.
    pub fn connect(&mut self, now: Time, inlet: InletId) {
        self.inlet = Some(inlet);
        self.full_at = now;
        self.arrived_at = now;
        self.stalled_until = now;
    }

    /// Its connection is gone; which inlet it had.
    pub fn disconnect(&mut self) -> Option<InletId> {
        self.inlet.take()
    }

    /// Another sender: another sampling rate.
    pub fn replace_sender(&mut self) {
        self.plan.rate_hz = if self.plan.rate_hz == 44_100 { 48_000 } else { 44_100 };
    }

    /// Nothing arrives before then.
    pub fn stall(&mut self, until: Time) {
        self.stalled_until = self.stalled_until.max(until);
    }

    /// Its line is good from now on.
    pub fn heal(&mut self) {
        self.plan.jitter_ms_max = 0;
    }

    /// When the next packet arrives.
    pub fn next_arrival(&mut self, dice: &mut Dice) -> Time {
        let micros = self.plan.packet_ms as i64 * 1_000;
        let micros = micros - micros * self.plan.drift_ppm / 1_000_000;
        self.full_at = self.full_at + Duration::from_micros(micros as u64);
        let late = Duration::from_millis(dice.between(0, self.plan.jitter_ms_max));
        self.arrived_at = (self.full_at + late).max(self.arrived_at).max(self.stalled_until);
        self.arrived_at
    }

    /// The sound of one packet.
    pub fn packet(&mut self) -> Pcm {
        let rate_hz = self.plan.rate_hz;
        let length = self.plan.packet_ms as usize * rate_hz as usize / 1_000;
        let step = TAU * self.plan.tone_hz / rate_hz as f32;
        let samples = (0..length).map(|_| {
            self.phase = (self.phase + step) % TAU;
            AMPLITUDE * self.phase.sin()
        });
        Pcm { rate_hz, samples: samples.collect() }
    }
}
