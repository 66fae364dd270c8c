//! The program as it is cut meanwhile, and where in it somebody begins.

use std::sync::Arc;

use tribune_core::egress::{Cursor, Step, Window};
use tribune_core::mix::Kind;
use tribune_core::program::{DEFAULT, Edition, PART_MS, Part, PartNo, Renditions, synthetic};
use tribune_core::time::{MediaTime, RATE_HZ, WallTime};

/// Parts that a page's player is given when it begins.
const JOIN_PARTS: u64 = 3;

/// The program of one evening.
#[derive(Debug)]
pub(super) struct Program {
    window: Window,
    pattern: Part,
    begins_ms: u32,
    next: PartNo,
}

impl Program {
    /// One whose first part is cut at this time.
    pub fn new(begins_ms: u32) -> Self {
        let renditions = Arc::new(Renditions::new(&DEFAULT[..1]).expect("the rooms' own"));
        let mut pattern = synthetic::part(PartNo(0), Kind::Conversation, 0);
        pattern.tracks.truncate(1);
        Self { window: Window::new(renditions, Edition(WallTime(0))), pattern, begins_ms, next: PartNo(0) }
    }

    /// Cuts whatever is due by now.
    pub fn cuts(&mut self, now_ms: u32) {
        while u64::from(now_ms) >= u64::from(self.begins_ms) + (self.next.0 + 1) * PART_MS {
            // What nobody could have any more is not cut.
            let part = Part { no: self.next, ..self.pattern.clone() };
            self.window = self.window.append(Arc::new(part));
            self.next = self.next.next();
        }
    }

    /// Where somebody begins who comes now; `None` when there is nothing yet.
    pub fn begins(&self) -> Option<PartNo> {
        self.first_of(Cursor::join_with(&self.window, JOIN_PARTS))
    }

    /// Where somebody goes on who has heard it up to this time; the newest part when that is gone.
    pub fn goes_on(&self, heard_until_ms: u32) -> Option<PartNo> {
        let heard_ms = u64::from(heard_until_ms.saturating_sub(self.begins_ms));
        let at = MediaTime(heard_ms * u64::from(RATE_HZ) / 1_000);
        self.first_of(Cursor::resume(&self.window, at).unwrap_or_else(|| Cursor::join(&self.window)))
    }

    fn first_of(&self, mut cursor: Cursor) -> Option<PartNo> {
        match cursor.step(&self.window) {
            Step::Part(part) => Some(part.no),
            Step::Wait | Step::Skipped { .. } | Step::Paused | Step::Ended => None,
        }
    }

    /// When the next part is there, from now.
    pub fn next_in_ms(&self, now_ms: u32) -> u32 {
        let at_ms = u64::from(self.begins_ms) + (self.next.0 + 1) * PART_MS;
        u32::try_from(at_ms.saturating_sub(now_ms.into())).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_begins_near_its_end_and_who_comes_again_where_they_were() {
        let mut program = Program::new(1_000);
        program.cuts(1_300);
        assert_eq!((program.begins(), program.next_in_ms(1_300)), (None, 20));
        program.cuts(20_200);
        assert_eq!(program.begins(), Some(PartNo(57)), "the newest three of 0 to 59");
        assert_eq!(program.goes_on(10_600), Some(PartNo(30)), "the part that was under way after 9.6 s");
        program.cuts(200_000);
        assert_eq!(program.goes_on(10_600), program.next.0.checked_sub(1).map(PartNo), "that is gone");
    }
}
