//! What is known of a room: all that is kept of it, and all that a restart needs.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::door::capacity::Wish;
use crate::room::Name;
use crate::time::WallTime;

/// Where a room is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Announced; its start is more than a minute away.
    Scheduled,
    /// Open: people come in and hear the hold sound.
    Boarding,
    /// The program is the conversation.
    Live,
    /// Over.
    Ended,
}

impl State {
    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::Boarding => "boarding",
            Self::Live => "live",
            Self::Ended => "ended",
        }
    }
}

/// Whether the conversation can be heard again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Replay {
    /// The room is not over, or its chain is still being closed.
    NotYet,
    /// It can be fetched.
    Ready,
    /// There is none: nothing was recorded, or it was deleted.
    Absent,
}

/// Something everybody is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// When it was said.
    pub at: WallTime,
    /// What was said; plain text.
    pub text: String,
}

/// All that is kept of a room, and all that a restart needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Its name.
    pub name: Name,
    /// What it is called.
    pub title: String,
    /// Where it is in its life.
    pub state: State,
    /// When it is announced to start; a room without a schedule is open at once.
    pub starts_at: Option<WallTime>,
    /// When it went live.
    pub started_at: Option<WallTime>,
    /// When it ended.
    pub ended_at: Option<WallTime>,
    /// Most seats its host wants taken; without one the node's own limit holds.
    pub cap: Option<u32>,
    /// Whether that cap holds though it is above what the node was measured to carry.
    pub cap_overrides: bool,
    /// Its share of the node's seats, relative to the other rooms'.
    pub share: u32,
    /// The last `NOTICES_MAX`, oldest first.
    pub notices: VecDeque<Notice>,
    /// Whether it can be heard again.
    pub replay: Replay,
}

impl Facts {
    /// What its host wants of the seats.
    pub fn wish(&self) -> Wish {
        match self.cap.map(u64::from) {
            Some(seats) if self.cap_overrides => Wish::Override(seats),
            Some(seats) => Wish::AtMost(seats),
            None => Wish::None,
        }
    }

    /// A room that nobody has been in yet.
    pub fn new(name: Name, title: String) -> Self {
        Self {
            name,
            title,
            state: State::Scheduled,
            starts_at: None,
            started_at: None,
            ended_at: None,
            cap: None,
            cap_overrides: false,
            share: 1,
            notices: VecDeque::new(),
            replay: Replay::NotYet,
        }
    }
}
