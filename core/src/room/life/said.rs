//! What a room is told, and what it says.

use serde::{Deserialize, Serialize};

use super::facts::Replay;
use crate::door::capacity::Wish;
use crate::reason::Refusal;
use crate::room::{Act, Caller};
use crate::time::WallTime;

/// What changes together: all of it or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// A new title.
    pub title: Option<String>,
    /// A new start; `Some(None)` takes the schedule away and opens the room.
    pub starts_at: Option<Option<WallTime>>,
}

/// What can be asked of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Go live.
    GoLive,
    /// End, for good.
    End,
    /// Limit the seats, or take the limit away.
    SetCap {
        /// To how many.
        wish: Wish,
        /// What the node was measured to carry, once it was: above that only an override goes.
        measured: Option<u64>,
    },
    /// Tell everybody.
    Notice(String),
    /// Change title, start, or both.
    Change(Change),
}

impl Command {
    /// What one must be allowed to do to ask for it.
    pub fn acts(&self) -> impl Iterator<Item = Act> {
        let (first, second) = match self {
            Self::GoLive => (Some(Act::GoLive), None),
            Self::End => (Some(Act::End), None),
            Self::SetCap { .. } => (Some(Act::SetCap), None),
            Self::Notice(_) => (Some(Act::Notice), None),
            Self::Change(change) => {
                (change.title.as_ref().map(|_| Act::SetTitle), change.starts_at.map(|_| Act::Reschedule))
            }
        };
        first.into_iter().chain(second)
    }
}

/// What happens to a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Somebody asks for something; exactly one `Output::Answer` follows.
    Command {
        /// Who asks.
        by: Caller,
        /// For what.
        command: Command,
    },
    /// Somebody wants to hear or to send.
    Demand(Demand),
    /// Somebody hears the program or sends to it now.
    Attended,
    /// The program's chain is closed; whether there is anything to hear.
    ProgramClosed(Replay),
    /// The recording was deleted for good.
    RecordingDeleted,
    /// The deadline of `poll_timeout` has passed.
    Timeout,
}

/// What somebody wants of a room's program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// To hear it, without a key: the program opens for nobody before it is time.
    Hear,
    /// To send, with a key: it opens at any time before the end.
    Send,
}

/// Whether the program opens for somebody who wants to hear it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hearing {
    /// It runs, or opens when asked for.
    Open,
    /// It is not time yet, or the room is over.
    Closed,
}

/// What the node must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Start the program; it begins as the conversation when the room is live, else with the hold sound.
    OpenProgram,
    /// The running program becomes the conversation.
    OnAir,
    /// End the program, close its chain, and report `Input::ProgramClosed`.
    CloseProgram,
    /// Stop the program without ending it: nobody is there. It opens again when somebody is.
    PauseProgram,
    /// Keep the facts.
    Persist,
    /// Tell whoever asked to be told.
    Event(Event),
    /// To the command just given.
    Answer(Result<Answer, Refused>),
}

/// What webhooks tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The room went live.
    Live,
    /// The room ended.
    Ended,
    /// The replay can be fetched.
    ReplayReady,
}

impl Event {
    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Ended => "ended",
            Self::ReplayReady => "replay_ready",
        }
    }
}

/// A command that was not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It happened.
    Done,
    /// It had happened before.
    AlreadySo,
}

/// A command that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The row.
    pub reason: Refusal,
    /// What is wrong, in a sentence.
    pub detail: &'static str,
}

pub(super) const fn refused(reason: Refusal, detail: &'static str) -> Refused {
    Refused { reason, detail }
}

/// Why a deadline exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// People may come in.
    Boarding,
    /// The hold sound begins.
    OpenProgram,
    /// The wall clock may have jumped.
    ClockCheck,
    /// Nobody has been there for long enough to close the program.
    Idle,
}
