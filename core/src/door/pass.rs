//! A pass: the right to the seat that a claim has taken.
//!
//! 33 bytes, base64url without padding, fields big-endian: version 0x81, room [8], serial u32, generation
//! u32, seal [16]. Each claim of the same ticket raises the generation, so the last device to claim has the
//! seat and an earlier pass says only that it was displaced. The version byte is none of a ticket's, so
//! neither can stand for the other though the same keys seal both.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::mac::{KeyRing, MAC_BYTES, Sealed};
use super::ticket::RoomTag;
use crate::reason::Refusal;

/// Bytes of a pass.
pub const PASS_BYTES: usize = SEALED_BYTES + MAC_BYTES;
/// Characters of a pass.
pub const PASS_CHARS: usize = 44;

const VERSION: u8 = 0x81;
const SEALED_BYTES: usize = 17;

/// The right to a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pass {
    /// The room.
    pub room: RoomTag,
    /// The ticket's serial.
    pub serial: u32,
    /// Which claim of that ticket it came from; the highest has the seat.
    pub generation: u32,
}

/// Why a pass is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum PassWrong {
    /// Not 44 characters of base64url, of another version or room, or not sealed by a key of ours.
    #[error("this is no pass of this room")]
    Unknown,
    /// The same ticket was claimed again since.
    #[error("the ticket of this pass was claimed again since")]
    Displaced,
    /// Its seat lapsed.
    #[error("the seat of this pass has lapsed")]
    Lapsed,
}

impl PassWrong {
    /// Its row.
    pub const fn refusal(self) -> Refusal {
        match self {
            Self::Unknown => Refusal::PassWrong,
            Self::Displaced => Refusal::PassDisplaced,
            Self::Lapsed => Refusal::SeatLapsed,
        }
    }
}

impl Pass {
    /// The 44 characters that a player shows.
    pub fn seal(&self, keys: &KeyRing) -> String {
        let mut bytes = [0; PASS_BYTES];
        bytes[..SEALED_BYTES].copy_from_slice(&self.body());
        bytes[SEALED_BYTES..].copy_from_slice(&keys.seal(&self.body()));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a pass for `room`. Whether it still has its seat, the seats know.
    ///
    /// # Errors
    /// `PassWrong::Unknown`.
    pub fn open(text: &str, room: RoomTag, keys: &KeyRing) -> Result<Self, PassWrong> {
        let (pass, bytes) = Self::read(text).ok_or(PassWrong::Unknown)?;
        let sealed = keys.check(&bytes[..SEALED_BYTES], &bytes[SEALED_BYTES..]);
        if sealed == Sealed::Ours && pass.room == room { Ok(pass) } else { Err(PassWrong::Unknown) }
    }

    fn body(&self) -> [u8; SEALED_BYTES] {
        let mut bytes = [0; SEALED_BYTES];
        bytes[0] = VERSION;
        bytes[1..9].copy_from_slice(&self.room.0);
        bytes[9..13].copy_from_slice(&self.serial.to_be_bytes());
        bytes[13..].copy_from_slice(&self.generation.to_be_bytes());
        bytes
    }

    fn read(text: &str) -> Option<(Self, [u8; PASS_BYTES])> {
        if text.len() != PASS_CHARS {
            return None;
        }
        let bytes: [u8; PASS_BYTES] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let number = |at: usize| u32::from_be_bytes(std::array::from_fn(|place| bytes[at + place]));
        let room = RoomTag(std::array::from_fn(|place| bytes[1 + place]));
        let pass = Self { room, serial: number(9), generation: number(13) };
        (bytes[0] == VERSION).then_some((pass, bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use proptest::prelude::*;

    fn keys() -> KeyRing {
        KeyRing::new(&[3; 32])
    }

    fn room() -> RoomTag {
        RoomTag::of("debate", 0)
    }

    #[test]
    fn a_pass_of_another_room_or_key_is_none() {
        let pass = Pass { room: room(), serial: 4, generation: 2 };
        let text = pass.seal(&keys());
        assert_eq!((text.len(), Pass::open(&text, room(), &keys())), (PASS_CHARS, Ok(pass)));
        for (room, keys) in [(RoomTag::of("debate", 1), keys()), (room(), KeyRing::new(&[4; 32]))] {
            assert_eq!(Pass::open(&text, room, &keys), Err(PassWrong::Unknown));
        }
    }

    proptest! {
        #[test]
        fn no_altered_byte_is_accepted(place in 0..PASS_BYTES, flip in 1..=255_u8, serial: u32) {
            let pass = Pass { room: room(), serial, generation: 2 };
            let mut bytes = URL_SAFE_NO_PAD.decode(pass.seal(&keys())).expect("a pass");
            bytes[place] ^= flip;
            prop_assert!(Pass::open(&URL_SAFE_NO_PAD.encode(bytes), room(), &keys()).is_err());
        }

        #[test]
        fn no_text_panics(text in ".{0,60}") {
            prop_assert_eq!(Pass::open(&text, room(), &keys()), Err(PassWrong::Unknown));
        }
    }
}
