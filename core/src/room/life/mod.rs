//! The life of a room: scheduled, boarding, live, ended. One mutation, then drain.
//!
//! A schedule is made of wall time, so this is the one rule that looks at the clock on the wall; it looks
//! again every `CLOCK_CHECK_S`, because that clock jumps. What has begun never goes back on its own: only a
//! host's new schedule makes a boarding room scheduled again.

mod facts;
mod said;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

pub use facts::{Facts, Notice, Replay, State};
pub use said::{Answer, Change, Command, Demand, Event, Hearing, Input, Output, Refused, Why};

use said::refused;

use super::role::{Caller, may};
use crate::door::capacity::Wish;
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
/// Largest share of the node's seats, relative to the other rooms'.
pub const SHARE_MAX: u32 = 1_000;
/// A program that is not live and that nobody sends to or hears is closed after this, in seconds.
pub const IDLE_S_MAX: u64 = 120;
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

/// One room's machine.
#[derive(Debug)]
pub struct Room {
    facts: Facts,
    open_before: Duration,
    program_open: bool,
    /// When somebody last wanted the program, heard it or sent to it, or the schedule did.
    attended_at: Time,
    last: Moment,
    outputs: VecDeque<Output>,
}

impl Room {
    /// A room as it was kept, or as `Facts::new` made it. The program opens `open_before` its start; that of
    /// a room which was live goes on at once, and a chain that was not closed is closed now.
    pub fn new(now: Moment, facts: Facts, open_before: Duration) -> Self {
        let mut room = Self {
            facts,
            open_before,
            program_open: false,
            attended_at: now.time,
            last: now,
            outputs: VecDeque::new(),
        };
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
        if self.is_due(self.last) {
            self.attended_at = now.time;
        }
        self.last = now;
        match input {
            Input::Command { by, command } => {
                let answer = self.command(now, by, command);
                self.outputs.push_back(Output::Answer(answer));
            }
            Input::Demand(demand) => self.demand(now, demand),
            Input::Attended => self.attended_at = now.time,
            Input::ProgramClosed(replay) => self.closed(replay),
            Input::RecordingDeleted => self.recording_deleted(),
            Input::Timeout => {}
        }
        self.follow_schedule(now);
        self.close_when_idle(now);
    }

    /// Whether it opens now for somebody who only wants to hear.
    pub fn hearing(&self) -> Hearing {
        self.hearing_at(self.last)
    }

    /// What to do next; `None` when there is nothing.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When to come back with `Input::Timeout`, and why.
    pub fn poll_timeout(&self) -> Option<(Time, Why)> {
        let scheduled = self.facts.state == State::Scheduled;
        let check = scheduled.then(|| (self.last.time + Duration::from_secs(CLOCK_CHECK_S), Why::ClockCheck));
        let boarding = scheduled.then(|| (self.time_before_start(BOARDING), Why::Boarding));
        let deadlines = [check, boarding, self.opening(), self.idling()];
        deadlines.into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    fn opening(&self) -> Option<(Time, Why)> {
        let waits = self.is_before_live() && !self.program_open && self.facts.starts_at.is_some();
        let to_come = self.until_start(self.last) > millis(self.open_before);
        (waits && to_come).then(|| (self.time_before_start(self.open_before), Why::OpenProgram))
    }

    fn idling(&self) -> Option<(Time, Why)> {
        let idle_at = if self.is_due(self.last) {
            self.time_before_start(Duration::ZERO)
        } else {
            self.attended_at + IDLE_MAX
        };
        (self.is_before_live() && self.program_open).then_some((idle_at, Why::Idle))
    }

    fn is_before_live(&self) -> bool {
        matches!(self.facts.state, State::Scheduled | State::Boarding)
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
        if self.is_due(now) {
            self.open_program();
        }
    }

    /// Whether the schedule itself wants the program to run: until the start, whoever is there.
    fn is_due(&self, now: Moment) -> bool {
        let until = self.until_start(now);
        self.is_before_live() && until > 0 && until <= millis(self.open_before)
    }

    fn close_when_idle(&mut self, now: Moment) {
        let idle = self.is_before_live() && now.time.since(self.attended_at) >= IDLE_MAX;
        if self.program_open && idle && !self.is_due(now) {
            self.program_open = false;
            self.outputs.push_back(Output::PauseProgram);
        }
    }

    fn hearing_at(&self, now: Moment) -> Hearing {
        let early = self.until_start(now) > millis(self.open_before);
        match self.facts.state {
            State::Scheduled if early && !self.program_open => Hearing::Closed,
            State::Scheduled | State::Boarding | State::Live => Hearing::Open,
            State::Ended => Hearing::Closed,
        }
    }

    fn open_program(&mut self) {
        if !self.program_open {
            self.program_open = true;
            self.outputs.push_back(Output::OpenProgram);
        }
    }

    fn demand(&mut self, now: Moment, demand: Demand) {
        let opens = match (self.facts.state, demand) {
            (State::Scheduled | State::Boarding | State::Live, Demand::Send) => true,
            (State::Scheduled | State::Boarding | State::Live, Demand::Hear) => {
                self.hearing_at(now) == Hearing::Open
            }
            (State::Ended, Demand::Hear | Demand::Send) => false,
        };
        if opens {
            self.attended_at = now.time;
            self.open_program();
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
            Command::SetCap { wish, measured } => self.set_cap(wish, measured),
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

    fn set_cap(&mut self, wish: Wish, measured: Option<u64>) -> Result<Answer, Refused> {
        let cap = match wish {
            Wish::None => None,
            Wish::AtMost(seats) | Wish::Override(seats) => {
                let seats = u32::try_from(seats).ok().filter(|seats| *seats <= CAP_MAX);
                Some(seats.ok_or(refused(Refusal::Malformed, "a cap is at most 10,000,000 seats"))?)
            }
        };
        self.refuse_when_ended()?;
        if let (Wish::AtMost(seats), Some(measured)) = (wish, measured)
            && seats > measured
        {
            let detail =
                "the node was measured to carry fewer; `\"override\": true` sets this cap all the same";
            return Err(refused(Refusal::CapOverMeasured, detail));
        }
        if self.facts.wish() == wish {
            return Ok(Answer::AlreadySo);
        }
        self.facts.cap = cap;
        self.facts.cap_overrides = matches!(wish, Wish::Override(_));
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
const IDLE_MAX: Duration = Duration::from_secs(IDLE_S_MAX);

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
