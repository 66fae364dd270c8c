//! A door that goes on after the process was killed: the entry list and the published number are kept, seats
//! are not. Those who were inside come back with their passes, before anybody new is called.

use std::time::Duration;

use super::{Doorkeeper, Opening};
use crate::books::Column;
use crate::door::entries::Entries;
use crate::door::line::{Input, Line};
use crate::door::ticket::Holder;
use crate::reason::Departure;
use crate::time::Time;

/// A pass from before a restart gets its seat back for so long, in seconds.
const RESUME_PASSES_S: u64 = 60;

/// What the disk kept of a door.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Each ticket's second and holder, in order of serial.
    pub tickets: Vec<(u32, Holder)>,
    /// The tickets that have left the line.
    pub spent: Vec<u32>,
    /// The number that was published last.
    pub now_serving: u64,
    /// The lot, when the draw was held.
    pub lot: Option<Vec<u8>>,
}

impl Doorkeeper {
    /// The door as it was kept; `second` by the clock on the wall.
    pub fn restored(now: Time, second: u32, opening: Opening, kept: Kept) -> Self {
        let mut door = Self::open(opening);
        door.entries = Entries::restored(opening.announced.closes_before, kept.tickets);
        door.entries.pass_to(second);
        door.line = Line::restored(now, opening.claims_per_s_max, kept.now_serving);
        door.line.handle_input(now, Input::Start(opening.start));
        door.resume_until = now + Duration::from_secs(RESUME_PASSES_S);
        for _ in 0..door.arrivals().issued() {
            door.books.arrive(Column::Waiting);
        }
        for serial in kept.spent.into_iter().filter(|serial| *serial < door.entries.arrivals().issued()) {
            if door.spent.set(serial) {
                door.books.seat();
                door.books.leave(Column::Seated, Departure::HungUp);
            }
        }
        if let Some(lot) = kept.lot {
            // Without a closed list there was no draw that anybody could have seen.
            door.hold_draw(&lot).ok();
        }
        door
    }

    /// A pass that had its seat before the restart has it again, if there is one.
    pub(super) fn take_back(&mut self, now: Time, serial: u32, generation: u32) {
        let may = now < self.resume_until && self.spent.has(serial) && !self.seats.has(serial);
        if may && !self.over && self.seats.resume(now, serial, generation).is_ok() {
            self.books.come_back(Departure::HungUp);
        }
    }
}
