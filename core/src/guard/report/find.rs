//! Which lines are of a room's evening: from the first second in which it was open to the last.

use super::chain::hash;
use super::evening::Evening;
use super::line::{Broken, Line};
use super::step::Second;

/// Lines of an evening, at most: more than a day. Of one that is longer its end is taken.
pub const EVENING_LINES_MAX: usize = 100_000;
/// A room that was closed for so long begins another evening.
const EVENING_GAP_MS: i64 = 6 * 3_600_000;

/// A line as it was read.
struct Taken {
    second: Result<Second, Broken>,
    prev: Option<String>,
    hash: String,
    bytes: Vec<u8>,
}

/// Takes the lines of a ledger, the oldest first, and keeps those of a room's last evening; and the one right
/// after them, where it tells the audit's key.
pub struct Finder {
    room: String,
    lines: Vec<Taken>,
    /// Lines up to the last with the room, and when that was.
    last: Option<(usize, i64)>,
    /// Lines right after that one which tell the audit's key: one, or none.
    after: usize,
    is_over: bool,
}

impl Finder {
    /// Of the evening of this room.
    pub fn new(room: &str) -> Self {
        Self { room: room.to_owned(), lines: Vec::new(), last: None, after: 0, is_over: false }
    }

    /// The next line, without its end. One that is none says so only if it lies within the evening.
    pub fn take(&mut self, bytes: &[u8]) {
        let line = Line::read(bytes);
        let at_ms = line.as_ref().map(Line::at_ms).ok();
        let has_room = line.as_ref().is_ok_and(|line| line.rooms.contains_key(&self.room));
        // What is told of the key when a node begins again after a night is told of the evening before.
        let tells_key = line.as_ref().is_ok_and(|line| line.revealed.is_some());
        let is_next = self.last.is_some_and(|(lines, _)| lines == self.lines.len());
        let is_after = tells_key && !has_room && is_next;
        if let Some((lines, last_ms)) = self.last
            && !is_after
            && at_ms.is_some_and(|at_ms| at_ms.saturating_sub(last_ms) > EVENING_GAP_MS)
        {
            self.lines.truncate(lines + self.after);
            self.is_over = true;
        }
        if has_room && self.is_over {
            *self = Self::new(&self.room);
        }
        if self.is_over || (self.last.is_none() && !has_room) {
            return;
        }
        if self.lines.len() >= 2 * EVENING_LINES_MAX {
            self.forget();
        }
        let prev = line.as_ref().ok().and_then(|line| line.prev.clone());
        let second = line.map(|line| Second::of(&line, &self.room));
        self.lines.push(Taken { second, prev, hash: hash(bytes), bytes: bytes.to_vec() });
        if let (true, Some(at_ms)) = (has_room, at_ms) {
            self.last = Some((self.lines.len(), at_ms));
            self.after = 0;
        } else if is_after {
            self.after = 1;
        }
    }

    /// The oldest lines of what is too long.
    fn forget(&mut self) {
        let spare = self.lines.len().saturating_sub(EVENING_LINES_MAX);
        self.lines.drain(..spare);
        self.last = self.last.map(|(lines, at_ms)| (lines.saturating_sub(spare), at_ms));
    }

    /// The evening.
    ///
    /// # Errors
    /// There is none, or its lines are none or do not follow each other.
    pub fn finish(mut self) -> Result<Evening, Broken> {
        let (lines, _) = self.last.ok_or(Broken::NoRoom)?;
        self.lines.truncate(lines + self.after);
        self.forget();
        let (mut seconds, mut bytes) = (Vec::with_capacity(self.lines.len()), Vec::new());
        let prev = self.lines.first().and_then(|line| line.prev.clone());
        let mut before: Option<(u64, String)> = None;
        for line in self.lines {
            let second = line.second?;
            if let Some((seq, hash)) = before
                && (second.seq != seq + 1 || line.prev != Some(hash))
            {
                return Err(Broken::Chain { seq: second.seq });
            }
            before = Some((second.seq, line.hash));
            bytes.extend_from_slice(&line.bytes);
            bytes.push(b'\n');
            seconds.push(second);
        }
        let (last_seq, head) = before.ok_or(Broken::NoRoom)?;
        let after = seconds.pop_if(|_| self.after > 0);
        Ok(Evening { room: self.room, seconds, after, bytes, prev, last_seq, head })
    }
}
