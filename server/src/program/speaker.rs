//! A speaker's hold on the mix: packets go in as they come, and nothing waits for anybody.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};

use tribune_core::ingest::speaker::Packet;
use tribune_core::mix::InletId;

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

    /// Gives one packet to the clock. Never waits.
    pub fn packet(&self, packet: Packet) -> Given {
        match self.commands.try_send(Command::Packet { inlet: self.named.inlet(), packet }) {
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
