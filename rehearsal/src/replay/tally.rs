//! What is counted while a case is played.

use std::collections::BTreeMap;
use std::time::Duration;

/// Counts are kept for windows of this length.
pub const WINDOW: Duration = Duration::from_secs(5);

/// One window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Requests that were due in it.
    pub due: u64,
    /// Whole requests that were sent in it.
    pub sent: u64,
    /// Answers that came whole in it.
    pub answered: u64,
    /// Requests whose head or body never ends that were begun in it.
    pub begun: u64,
    /// Of those, how many the node, or who sent them, gave up in it.
    pub given_up: u64,
    /// Requests and answers that were held up on purpose and under way at some time in it.
    pub held_open: u64,
}

/// The requests of one side.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Side {
    /// From the beginning of the case on, without gaps.
    pub windows: Vec<Window>,
    /// Whole answers by HTTP status.
    pub answered: BTreeMap<u16, u64>,
    /// Requests whose connection ended before their answer.
    pub broken: u64,
    /// Connections that could not be made.
    pub refused: u64,
    /// Requests that were not answered until their sender gave up.
    pub unanswered: u64,
    /// Requests that were not sent because they would have been too late.
    pub not_sent: u64,
    /// How much later than due the last byte of a request was sent at worst.
    pub late_max: Duration,
}

impl Side {
    /// The window of a time since the case began.
    pub(super) fn at(&mut self, at: Duration) -> &mut Window {
        let number = (at.as_millis() / WINDOW.as_millis()) as usize;
        if self.windows.len() <= number {
            self.windows.resize(number + 1, Window::default());
        }
        &mut self.windows[number]
    }

    pub(super) fn sent(&mut self, (due, now): (Duration, Duration)) {
        self.at(now).sent += 1;
        self.late_max = self.late_max.max(now.saturating_sub(due));
    }

    pub(super) fn answered(&mut self, now: Duration, status: u16) {
        self.at(now).answered += 1;
        *self.answered.entry(status).or_default() += 1;
    }

    /// Something was held up from one time to another.
    pub(super) fn held(&mut self, (from, to): (Duration, Duration)) {
        let number = |at: Duration| (at.as_millis() / WINDOW.as_millis()) as usize;
        self.at(to);
        for window in &mut self.windows[number(from)..=number(to)] {
            window.held_open += 1;
        }
    }

    /// Whole requests that were sent.
    pub fn total(&self) -> u64 {
        self.windows.iter().map(|window| window.sent).sum()
    }

    /// Answers of a hundred of statuses, such as 5 for all that begin with 5.
    pub fn hundred(&self, first: u16) -> u64 {
        self.answered.iter().filter(|(status, _)| **status / 100 == first).map(|(_, count)| count).sum()
    }
}

/// What became of one who came to listen. Times are since the case began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// When they had two segments, for the first time.
    pub in_at: Option<Duration>,
    /// Whole segments.
    pub segments: u64,
    /// Times a segment came later than the one before had ended.
    pub stalls: u64,
    /// How long nothing was heard in all of them.
    pub stalled: Duration,
    /// Connections that ended with a request unanswered.
    pub resets: u64,
    /// Of those, and of requests nobody answered, those after they were in.
    pub interrupted: u64,
    /// Times they were told to come again.
    pub turned_away: u64,
    /// Tickets that they asked for.
    pub tickets_asked: u64,
}
