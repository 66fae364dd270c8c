//! The life of a room: scheduled, boarding, live, ended. One mutation, then drain.
//!
//! A schedule is made of wall time, so this is the one rule that looks at the clock on the wall; it looks
//! again every `CLOCK_CHECK_S`, because that clock jumps. What has begun never goes back on its own: only a
//! host's new schedule makes a boarding room scheduled again.

mod facts;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use facts::{Facts, Notice, Replay, State};

use super::role::{Act, Caller, may};
use crate::reason::Refusal;
use crate::time::{Time, WallTime};

/// A scheduled room boards this long before its start, in seconds.
pub const BOARDING_BEFORE_S: u64 = 60;
/// Most notices kept; the oldest goes.
pub const NOTICES_MAX: usize = 20;
/// Longest notice, in characters.
pub const NOTICE_CHARS_MAX: usize = 500;
/// Longest title, in characters.
pub const TITLE_CHARS_MAX: usize = 200;
/// Largest cap that makes sense to ask for, in seats.
pub const CAP_MAX: u32 = 10_000_000;
/// How often a scheduled room looks at the wall clock again, in seconds.
const CLOCK_CHECK_S: u64 = 10;

/// Now, by both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The one that never jumps.
    pub time: Time,
    /// The one that people read.
    pub wall: WallTime,
}

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
    SetCap(Option<u32>),
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
            Self::SetCap(_) => (Some(Act::SetCap), None),
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
    /// Somebody wants to hear or to send: the program must run.
    Demand,
    /// The program's chain is closed; whether there is anything to hear.
    ProgramClosed(Replay),
    /// The recording was deleted for good.
    RecordingDeleted,
    /// The deadline of `poll_timeout` has passed.
    Timeout,
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

const fn refused(reason: Refusal, detail: &'static str) -> Refused {
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
}

/// One room's machine.
#[derive(Debug)]
pub struct Room {
    facts: Facts,
    open_before: Duration,
    program_open: bool,
    last: Moment,
    outputs: VecDeque<Output>,
}

impl Room {
    /// A room as it was kept, or as `Facts::new` made it. The program opens `open_before` its start; that of
    /// a room which was live goes on at once, and a chain that was not closed is closed now.
    pub fn new(now: Moment, facts: Facts, open_before: Duration) -> Self {
        let mut room = Self { facts, open_before, program_open: false, last: now, outputs: VecDeque::new() };
        match (room.facts.state, room.facts.replay) {
            (State::Live, _) => room.open_program(),
            (State::Ended, Replay::NotYet) => room.outputs.push_back(Output::CloseProgram),
            (State::Ended, Replay::Ready | Replay::Absent) | (State::Scheduled | State::Boarding, _) => {}
        }
        room.follow_schedule(now);
        room
    }

    /// What is known of it.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// When the hold sound can be heard first, by the schedule; `None` without one, or once the room is open.
    pub fn opens_at(&self) -> Option<WallTime> {
        let starts_at = self.facts.starts_at.filter(|_| self.facts.state == State::Scheduled)?;
        Some(WallTime(starts_at.0 - millis(self.open_before)))
    }

    /// One mutation; then drain `poll_output`.
    pub fn handle_input(&mut self, now: Moment, input: Input) {
        self.last = now;
        match input {
            Input::Command { by, command } => {
                let answer = self.command(now, by, command);
                self.outputs.push_back(Output::Answer(answer));
            }
            Input::Demand => self.demand(),
            Input::ProgramClosed(replay) => self.closed(replay),
            Input::RecordingDeleted => self.recording_deleted(),
            Input::Timeout => {}
        }
        self.follow_schedule(now);
    }

    /// What to do next; `None` when there is nothing.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to come back with `Input::Timeout`, and why.
    pub fn poll_timeout(&self) -> Option<(Time, Why)> {
        let State::Scheduled = self.facts.state else { return self.opening() };
        let check = (self.last.time + Duration::from_secs(CLOCK_CHECK_S), Why::ClockCheck);
        let boarding = (self.time_before_start(BOARDING), Why::Boarding);
        [Some(check), Some(boarding), self.opening()].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    fn opening(&self) -> Option<(Time, Why)> {
        let waits = matches!(self.facts.state, State::Scheduled | State::Boarding);
        let scheduled = waits && !self.program_open && self.facts.starts_at.is_some();
        scheduled.then(|| (self.time_before_start(self.open_before), Why::OpenProgram))
    }

    /// When `before` the start comes, as far as the wall clock can be believed.
    fn time_before_start(&self, before: Duration) -> Time {
        let wait = self.until_start(self.last).saturating_sub(millis(before)).max(0);
        self.last.time + Duration::from_millis(wait.unsigned_abs())
    }

    /// Milliseconds until the start; 0 without a schedule.
    fn until_start(&self, now: Moment) -> i64 {
        self.facts.starts_at.map_or(0, |at| at.millis_since(now.wall))
    }

    fn follow_schedule(&mut self, now: Moment) {
        match self.facts.state {
            State::Scheduled | State::Boarding => {}
            State::Live | State::Ended => return,
        }
        let until = self.until_start(now);
        if self.facts.state == State::Scheduled && until <= millis(BOARDING) {
            self.facts.state = State::Boarding;
            self.outputs.push_back(Output::Persist);
        }
        if self.facts.starts_at.is_some() && until <= millis(self.open_before) {
            self.open_program();
        }
    }

    fn open_program(&mut self) {
        if !self.program_open {
            self.program_open = true;
            self.outputs.push_back(Output::OpenProgram);
        }
    }

    fn demand(&mut self) {
        match self.facts.state {
            State::Scheduled | State::Boarding | State::Live => self.open_program(),
            State::Ended => {}
        }
    }

    fn closed(&mut self, replay: Replay) {
        let closing = self.facts.state == State::Ended && self.facts.replay == Replay::NotYet;
        if !closing {
            return;
        }
        self.facts.replay = replay;
        self.outputs.push_back(Output::Persist);
        if replay == Replay::Ready {
            self.outputs.push_back(Output::Event(Event::ReplayReady));
        }
    }

    fn recording_deleted(&mut self) {
        if self.facts.replay == Replay::Ready {
            self.facts.replay = Replay::Absent;
            self.outputs.push_back(Output::Persist);
        }
    }

    fn command(&mut self, now: Moment, by: Caller, command: Command) -> Result<Answer, Refused> {
        if !command.acts().all(|act| may(by, act)) {
            return Err(refused(Refusal::RoleTooLow, "the role of this key may not do this"));
        }
        let answer = match command {
            Command::GoLive => self.go_live(now),
            Command::End => self.end(now),
            Command::SetCap(cap) => self.set_cap(cap),
            Command::Notice(text) => self.notice(now, text),
            Command::Change(change) => self.change(now, change),
        }?;
        if answer == Answer::Done {
            self.outputs.push_back(Output::Persist);
        }
        Ok(answer)
    }

    fn go_live(&mut self, now: Moment) -> Result<Answer, Refused> {
        match self.facts.state {
            State::Live => return Ok(Answer::AlreadySo),
            State::Ended => {
                return Err(refused(
                    Refusal::RoomEnded,
                    "the room has ended; make a new one to go live again",
                ));
            }
            State::Scheduled | State::Boarding => {}
        }
        self.facts.state = State::Live;
        self.facts.started_at = Some(now.wall);
        if self.program_open {
            self.outputs.push_back(Output::OnAir);
        } else {
            self.open_program();
        }
        self.outputs.push_back(Output::Event(Event::Live));
        Ok(Answer::Done)
    }

    fn end(&mut self, now: Moment) -> Result<Answer, Refused> {
        if self.facts.state == State::Ended {
            return Ok(Answer::AlreadySo);
        }
        self.facts.state = State::Ended;
        self.facts.ended_at = Some(now.wall);
        if self.program_open {
            self.program_open = false;
            self.outputs.push_back(Output::CloseProgram);
        } else {
            self.facts.replay = Replay::Absent;
        }
        self.outputs.push_back(Output::Event(Event::Ended));
        Ok(Answer::Done)
    }

    fn set_cap(&mut self, cap: Option<u32>) -> Result<Answer, Refused> {
        if cap.is_some_and(|cap| cap > CAP_MAX) {
            return Err(refused(Refusal::Malformed, "a cap is at most 10,000,000 seats"));
        }
        self.refuse_when_ended()?;
        if self.facts.cap == cap {
            return Ok(Answer::AlreadySo);
        }
        self.facts.cap = cap;
        Ok(Answer::Done)
    }

    /// Allowed after the end too: "the recording is below" is a notice.
    fn notice(&mut self, now: Moment, text: String) -> Result<Answer, Refused> {
        if !is_line(&text, NOTICE_CHARS_MAX) {
            let detail = "a notice has 1 to 500 characters and no control characters";
            return Err(refused(Refusal::Malformed, detail));
        }
        if self.facts.notices.len() == NOTICES_MAX {
            self.facts.notices.pop_front();
        }
        self.facts.notices.push_back(Notice { at: now.wall, text });
        Ok(Answer::Done)
    }

    fn change(&mut self, now: Moment, change: Change) -> Result<Answer, Refused> {
        if change.title.as_ref().is_some_and(|title| !is_title(title)) {
            let detail = "a title has 1 to 200 characters and no control characters";
            return Err(refused(Refusal::Malformed, detail));
        }
        if change.starts_at.is_some() {
            self.refuse_when_begun()?;
        }
        let before = (self.facts.title.clone(), self.facts.starts_at);
        if let Some(title) = change.title {
            self.facts.title = title;
        }
        if let Some(starts_at) = change.starts_at {
            self.facts.starts_at = starts_at;
            let far = self.until_start(now) > millis(BOARDING);
            self.facts.state = if far { State::Scheduled } else { State::Boarding };
        }
        let same = before == (self.facts.title.clone(), self.facts.starts_at);
        Ok(if same { Answer::AlreadySo } else { Answer::Done })
    }

    fn refuse_when_begun(&self) -> Result<(), Refused> {
        match self.facts.state {
            State::Scheduled | State::Boarding => Ok(()),
            State::Live => Err(refused(Refusal::WrongState, "the room is live; its start cannot be moved")),
            State::Ended => Err(refused(Refusal::RoomEnded, "the room has ended; its start cannot be moved")),
        }
    }

    fn refuse_when_ended(&self) -> Result<(), Refused> {
        match self.facts.state {
            State::Scheduled | State::Boarding | State::Live => Ok(()),
            State::Ended => Err(refused(Refusal::RoomEnded, "the room has ended; nobody can come in")),
        }
    }
}

const BOARDING: Duration = Duration::from_secs(BOARDING_BEFORE_S);

/// Whether `title` may be a room's title: 1 to 200 characters, no control characters, not only spaces.
pub fn is_title(title: &str) -> bool {
    is_line(title, TITLE_CHARS_MAX)
}

fn is_line(text: &str, chars_max: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= chars_max && !text.chars().any(char::is_control)
}

fn millis(wait: Duration) -> i64 {
    i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)
}
