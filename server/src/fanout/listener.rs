//! One listener's connection: what is on its way, and whether it takes enough.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tribune_core::egress::Window;
use tribune_core::program::{Part, Renditions};
use tribune_core::time::Time;

use super::chunk;
use super::pieces::{Key, Pieces};
use super::wire::{Said, Wire};
use crate::egress::place::{Next, Place};
use crate::net::{Lease, Patience};

/// About as much is put together for one listener alone, when they come, in bytes.
const FIRST_BYTES_MAX: usize = 16_384;
/// Nobody has anything to say while they hear; who says more than this, in bytes, is no player.
const SAID_BYTES_MAX: usize = 65_536;

/// How it goes on with a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// They have all that there is.
    Waits,
    /// Their socket is full.
    Blocked,
    /// Their answer is at its end.
    Over,
}

pub(super) struct Listener {
    pub(super) wire: Wire,
    /// Which of the thread's channels they hear, and their number there.
    pub(super) channel: usize,
    pub(super) number: usize,
    /// Whether the kernel says when their socket has room, and nothing is tried before.
    pub(super) is_blocked: bool,
    place: Place,
    /// What of a piece is still to be handed over.
    rest: Bytes,
    /// Whether the answer ends when that is.
    ends: bool,
    /// Bytes handed over.
    written: u64,
    /// The guard is to be told of so many parts when so many bytes have arrived.
    awaited: Option<(u64, u16)>,
    /// And of so many when it is known behind which bytes they end.
    to_await: u16,
    /// Bytes that the other side said in the middle of the answer.
    said_bytes: usize,
    /// Whether they are to be sent elsewhere when the node is to stop.
    pub(super) comes_again: bool,
    patience: Option<Box<Patience>>,
    lease: Lease,
}

impl Listener {
    /// Somebody whose answer has this head, and who is handed what there is already along with it.
    pub(super) fn new(
        wire: Wire,
        (place, window): (Place, &Window),
        (head, lease): (&Bytes, Lease),
        now: Time,
    ) -> Self {
        let mut listener = Self {
            wire,
            channel: 0,
            number: 0,
            is_blocked: false,
            place,
            rest: Bytes::new(),
            ends: false,
            written: 0,
            awaited: None,
            to_await: 0,
            said_bytes: 0,
            comes_again: false,
            patience: None,
            lease,
        };
        listener.begins(window, head, now);
        listener
    }

    fn begins(&mut self, window: &Window, head: &Bytes, now: Time) {
        let mut first = BytesMut::from(&head[..]);
        // Whoever is to be given a minute of it gets the rest as everybody does: from the one copy.
        while first.len() < FIRST_BYTES_MAX && !self.ends {
            match self.place.next(window) {
                Next::Head(bytes) => chunk::put(&mut first, [bytes].iter()),
                Next::Part(part) => {
                    self.hands_out(part, now);
                    chunk::put(&mut first, self.place.titled(part).iter());
                }
                Next::Wait => break,
                Next::End(bytes) => self.is_told_the_end(&mut first, bytes),
                Next::Over => self.is_told_the_end(&mut first, None),
                Next::BreakOff => self.ends = true,
            }
        }
        self.rest = first.freeze();
        self.awaits();
    }

    /// The answer is whole.
    fn is_told_the_end(&mut self, into: &mut BytesMut, last: Option<Bytes>) {
        chunk::put(into, last.iter());
        into.extend_from_slice(chunk::LAST);
        self.ends = true;
    }

    /// Hands over what there is, as far as it goes.
    ///
    /// # Errors
    /// The connection is no more.
    pub(super) fn turn(&mut self, window: &Window, pieces: &mut Pieces, now: Time) -> io::Result<Turn> {
        self.looks();
        loop {
            if !self.flushes(pieces, now)? {
                return Ok(Turn::Blocked);
            }
            if self.ends {
                self.wire.ends();
                return Ok(Turn::Over);
            }
            if !self.goes_on(window, pieces, now)? {
                return Ok(Turn::Waits);
            }
        }
    }

    /// Hands over the rest of a piece; whether nothing is left.
    fn flushes(&mut self, pieces: &mut Pieces, now: Time) -> io::Result<bool> {
        while !self.rest.is_empty() {
            let wrote = self.wire.write(&self.rest)?;
            if wrote == 0 {
                return Ok(self.waits_for_room(now));
            }
            self.took(pieces, wrote, now);
            self.rest.advance(wrote);
            if self.rest.is_empty() {
                // The bytes are not kept for one who has them.
                self.rest = Bytes::new();
            }
        }
        Ok(self.wire.flush()? || self.waits_for_room(now))
    }

    /// It is to be waited, which is to have an end.
    fn waits_for_room(&mut self, now: Time) -> bool {
        let stall_max = self.lease.stall_max();
        self.patience.get_or_insert_with(|| Box::new(Patience::new(stall_max))).begins(now);
        false
    }

    fn took(&mut self, pieces: &mut Pieces, bytes: usize, now: Time) {
        self.written += bytes as u64;
        pieces.sent_bytes += bytes as u64;
        if let Some(patience) = &mut self.patience {
            patience.took(bytes, || now);
        }
    }

    /// Hands over the next piece, as far as it goes; whether there was one.
    fn goes_on(&mut self, window: &Window, pieces: &mut Pieces, now: Time) -> io::Result<bool> {
        match self.place.next(window) {
            // One more piece than the first ones, for who came before the first part.
            Next::Head(head) => self.rest = chunk::chunk([head].iter()),
            Next::Part(part) if self.place.is_titled() => {
                self.hands_out(part, now);
                self.rest = chunk::chunk(self.place.titled(part).iter());
            }
            Next::Part(part) => {
                self.hands_out(part, now);
                let (parts, piece) = pieces.from(window, part);
                for _ in 1..parts {
                    if let Next::Part(part) = self.place.next(window) {
                        self.hands_out(part, now);
                    }
                }
                let wrote = self.wire.write(&piece)?;
                if wrote < piece.len() {
                    self.rest = piece.slice(wrote..);
                }
                self.took(pieces, wrote, now);
            }
            Next::Wait => return Ok(false),
            Next::End(bytes) => self.ends_with(bytes),
            // Their seat is another device's.
            Next::Over => self.ends_with(None),
            Next::BreakOff => self.ends = true,
        }
        self.awaits();
        Ok(true)
    }

    fn ends_with(&mut self, bytes: Option<Bytes>) {
        let mut last = BytesMut::new();
        self.is_told_the_end(&mut last, bytes);
        self.rest = last.freeze();
    }

    fn hands_out(&mut self, part: &Part, now: Time) {
        self.to_await += self.place.hands_out(part, now).unwrap_or_default();
    }

    /// The guard is told of what was handed out when all of it has arrived.
    fn awaits(&mut self) {
        let parts = std::mem::take(&mut self.to_await);
        if parts > 0 {
            let before = self.awaited.map_or(0, |(_, parts)| parts);
            self.awaited = Some((self.written + self.rest.len() as u64, before.saturating_add(parts)));
        }
    }

    /// Asks the kernel what arrived, while the guard is to be told.
    fn looks(&mut self) {
        if let Some((at_bytes, parts)) = self.awaited
            && !self.wire.holds()
            && self.written.saturating_sub(self.wire.unacknowledged()) >= at_bytes
        {
            self.awaited = None;
            self.place.arrived(parts);
        }
    }

    /// Goes over to how everybody is served now, once they have what they were handed; whether that is
    /// another channel.
    pub(super) fn follows(&mut self, renditions: &Renditions) -> bool {
        self.rest.is_empty() && !self.ends && self.place.follows(renditions)
    }

    /// What they have in common with all who hear the same.
    pub(super) fn key(&self) -> Key {
        Key::of(&self.place)
    }

    /// Reads away what they say in the middle of the answer; whether they are still there, and within reason.
    pub(super) fn is_there(&mut self) -> bool {
        match self.wire.read_away(SAID_BYTES_MAX.saturating_sub(self.said_bytes)) {
            Ok(Said::Bytes(bytes)) => self.said_bytes += bytes,
            Ok(Said::Goodbye) | Err(_) => return false,
        }
        if self.said_bytes > SAID_BYTES_MAX {
            self.lease.breaks_rules();
            return false;
        }
        true
    }

    /// Their answer breaks off behind what they have begun to be handed: they come again, somewhere.
    pub(super) fn breaks_off(&mut self) {
        self.place.breaks_off();
        self.ends = true;
    }

    /// Whether they have taken too little for too long, which breaks the rules.
    pub(super) fn takes_too_little(&mut self, now: Time) -> bool {
        let is_over = self.patience.as_mut().is_some_and(|patience| patience.is_over(now));
        if is_over {
            self.lease.breaks_rules();
        }
        is_over
    }
}
