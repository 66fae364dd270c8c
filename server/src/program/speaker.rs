//! A speaker's hold on the mix: packets go in as they come, and nothing waits for anybody.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};

use tribune_core::ingest::speaker::Packet;
use tribune_core::mix::{InletId, Muted};

use super::inlet::Gauge;
use super::minus::ProgramId;
use super::{Command, Named, Replaced};

/// One open input of a room's mix that takes packets; dropping it closes the input and gives the
/// name back.
pub struct Speaker {
    pub(super) named: Named,
    pub(super) replaced: Replaced,
    pub(super) program: ProgramId,
    pub(super) commands: SyncSender<Command>,
    pub(super) gauge: Arc<Gauge>,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// The clock will see it.
    Yes,
    /// The clock has too many commands to obey; it is lost, as it could have been on its way.
    Full,
    /// The program is over.
    Over,
}

impl Speaker {
    /// Its number in the mix.
    pub fn inlet(&self) -> InletId {
        self.named.inlet()
    }

    /// The program it speaks in.
    pub const fn program(&self) -> ProgramId {
        self.program
    }

    /// Whether nothing more is heard of it: the program is over, or another speaker has taken its name.
    pub fn is_over(&mut self) -> bool {
        self.gauge.is_over() || self.replaced.try_recv().is_ok()
    }

    /// What mutes it.
    pub fn knob(&self) -> Knob {
        Knob { inlet: self.named.inlet(), program: self.program, commands: self.commands.clone() }
    }

    /// Gives one packet to the clock. Never waits.
    pub fn packet(&self, packet: Packet) -> Given {
        match self.commands.try_send(Command::Packet { inlet: self.named.inlet(), packet }) {
            Ok(()) => Given::Yes,
            Err(TrySendError::Full(_)) => Given::Full,
            Err(TrySendError::Disconnected(_)) => Given::Over,
        }
    }
}

/// Mutes one speaker's input, or no more; in the hand of whoever rules the stage.
#[derive(Clone, Debug)]
pub struct Knob {
    inlet: InletId,
    program: ProgramId,
    commands: SyncSender<Command>,
}

impl Knob {
    /// Its number in the mix, and in which program.
    pub const fn place(&self) -> (ProgramId, InletId) {
        (self.program, self.inlet)
    }

    /// Says it to the clock, which obeys before the next frame. Never waits.
    pub fn turn(&self, muted: Muted) -> Given {
        match self.commands.try_send(Command::Mute { inlet: self.inlet, muted }) {
            Ok(()) => Given::Yes,
            Err(TrySendError::Full(_)) => Given::Full,
            Err(TrySendError::Disconnected(_)) => Given::Over,
        }
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        self.gauge.leave();
    }
}
