//! A room's stage: who is on it, who is heard, who asks to be. It has a task of its own beside the room's,
//! because muting waits for nothing, and the room's task waits for the disk.
//!
//! The stage's people and the audience each have a queue to it; the audience can only ever fill its own.

mod connection;
mod keeper;
mod shown;
mod task;
mod turns;

use std::collections::BTreeSet;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use tribune_core::reason::Refusal;
use tribune_core::room::floor::{By, Coming, Command};
use tribune_core::room::{KeyHash, PersonId, PersonName, Refused};

use crate::program::Knob;

pub use connection::Attendance;
pub use shown::{Asked, Guest, Shown, StageView};
pub(super) use task::{Begin, Task};
pub use turns::Turn;

/// Requests of the stage's people that may wait.
const ASKS_MAX: usize = 64;
/// Requests of the audience's that may wait.
const AUDIENCE_ASKS_MAX: usize = 8;

/// A room's stage, for everybody but its task. Copies are the same.
#[derive(Clone)]
pub struct Floor {
    asks: mpsc::Sender<Ask>,
    audience: mpsc::Sender<Ask>,
    shown: watch::Receiver<Arc<Shown>>,
    speaking: watch::Receiver<Arc<BTreeSet<PersonId>>>,
}

/// To a stage's task.
enum Ask {
    Command { by: By, command: Command, answer: oneshot::Sender<Result<(), Refused>> },
    Come { coming: Coming, answer: oneshot::Sender<Result<Attendance, Refused>> },
    Opened { attendance: tribune_core::room::floor::Visit, knob: Knob },
}

impl Floor {
    /// What it shows now.
    pub fn shown(&self) -> Arc<Shown> {
        Arc::clone(&self.shown.borrow())
    }

    /// A receiver that wakes whenever anything on the stage has changed.
    pub fn watch(&self) -> watch::Receiver<Arc<Shown>> {
        self.shown.clone()
    }

    /// A receiver that wakes when somebody begins or ends to speak: who speaks.
    pub fn watch_speaking(&self) -> watch::Receiver<Arc<BTreeSet<PersonId>>> {
        self.speaking.clone()
    }

    /// Somebody of the stage asks for something. It has happened everywhere when this returns, and is kept.
    ///
    /// # Errors
    /// Why it was refused.
    pub async fn command(&self, by: By, command: Command) -> Result<(), Refused> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(Ask::Command { by, command, answer }).await.map_err(|_| GONE)?;
        answered.await.map_err(|_| GONE)?
    }

    /// A listener asks for the floor, or gives it back.
    ///
    /// # Errors
    /// Why it was refused; `Busy` when as many listeners ask as are answered.
    pub async fn audience(&self, by: By, command: Command) -> Result<(), Refused> {
        let (answer, answered) = oneshot::channel();
        self.audience.try_send(Ask::Command { by, command, answer }).map_err(|_| BUSY)?;
        answered.await.map_err(|_| GONE)?
    }

    /// Somebody comes on the stage; what is returned stands for their connection.
    ///
    /// # Errors
    /// Why they may not.
    pub async fn come(&self, coming: Coming) -> Result<Attendance, Refused> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(Ask::Come { coming, answer }).await.map_err(|_| GONE)?;
        answered.await.map_err(|_| GONE)?
    }

    /// Their input of the mix is open; from now on the stage says whether it is heard.
    ///
    /// # Errors
    /// The room is being removed.
    pub async fn opened(&self, attendance: &Attendance, knob: Knob) -> Result<(), Refused> {
        let ask = Ask::Opened { attendance: attendance.visit(), knob };
        self.asks.send(ask).await.map_err(|_| GONE)
    }
}

/// A listener's request, as the door makes it.
pub struct NewGuest {
    /// Who they will be.
    pub id: PersonId,
    /// What others read.
    pub name: PersonName,
    /// The hash of the key that opens the stage to them.
    pub grant: KeyHash,
}

const GONE: Refused =
    Refused { reason: Refusal::GoingDown, detail: "the room is being removed or the node stops" };
const BUSY: Refused = Refused { reason: Refusal::Busy, detail: "many listeners ask to speak just now" };
