//! A ticket: somebody's place in a room's line, kept by them and by nobody else.
//!
//! It is 47 bytes, base64url without padding, fields big-endian: version 1, room [8], node u16, serial u32,
//! second u32, holder [12], seal [16]. The seal is HMAC-SHA-256 over all before it, cut to 16 bytes. The
//! holder is a hash of a secret which only the visitor has, so a ticket that was seen, logged or printed is
//! useless.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::mac::{KeyRing, MAC_BYTES, Sealed};
use crate::reason::Refusal;

#[cfg(test)]
mod tests;

/// Bytes of a ticket.
pub const TICKET_BYTES: usize = SEALED_BYTES + MAC_BYTES;
/// Characters of a ticket.
pub const TICKET_CHARS: usize = 63;
/// Characters of a secret.
pub const SECRET_CHARS: usize = 22;

const VERSION: u8 = 1;
const SEALED_BYTES: usize = 31;

/// Which room a ticket or a pass is for: a room made anew under an old name is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomTag(pub [u8; 8]);

impl RoomTag {
    /// The first 8 bytes of SHA-256 over the room's name, a zero byte and its epoch (u32, big-endian), which
    /// grows each time a room of this name is made.
    pub fn of(name: &str, epoch: u32) -> Self {
        let hash =
            Sha256::new_with_prefix(name).chain_update([0]).chain_update(epoch.to_be_bytes()).finalize();
        Self(std::array::from_fn(|place| hash[place]))
    }
}

/// What a visitor proves a ticket theirs with: 16 random bytes. Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret([u8; 16]);

impl Secret {
    /// From 128 random bits.
    pub const fn new(entropy: [u8; 16]) -> Self {
        Self(entropy)
    }

    /// Reads 22 characters of base64url; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != SECRET_CHARS {
            return None;
        }
        Some(Self(URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?))
    }

    /// The text, to be shown once to whom it belongs.
    pub fn reveal(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What a ticket shows of it: the first 12 bytes of its SHA-256.
    pub fn holder(&self) -> Holder {
        let hash = Sha256::digest(self.0);
        Holder(std::array::from_fn(|place| hash[place]))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// A hash of the secret that belongs to a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Holder(pub [u8; 12]);

/// A place in a room's line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The room.
    pub room: RoomTag,
    /// The node that issued it.
    pub node: u16,
    /// Its number among the room's tickets, from 0 without gaps.
    pub serial: u32,
    /// The second in which it was counted, from when the room's door opened.
    pub second: u32,
    /// Whose it is.
    pub holder: Holder,
}

/// Why a ticket is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum TicketWrong {
    /// Not 63 characters of base64url, or of another version.
    #[error("this is no ticket")]
    Malformed,
    /// It is for another room, or for an earlier one of this name.
    #[error("this ticket is for another room")]
    OtherRoom,
    /// No key of this node sealed it: it was altered or made up.
    #[error("this ticket was not issued here")]
    Forged,
    /// A key sealed it that counts no longer.
    #[error("this ticket's key has expired")]
    KeyExpired,
    /// The secret is not the one that belongs to it.
    #[error("the secret does not belong to this ticket")]
    SecretWrong,
    /// Its seal is right, but no such serial was issued in that second.
    #[error("this ticket is not on the entry list")]
    NotListed,
}

impl TicketWrong {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Malformed,
        Self::OtherRoom,
        Self::Forged,
        Self::KeyExpired,
        Self::SecretWrong,
        Self::NotListed,
    ];

    /// Its row.
    pub const fn refusal(self) -> Refusal {
        match self {
            Self::Malformed => Refusal::TicketMalformed,
            Self::OtherRoom => Refusal::TicketOtherRoom,
            Self::Forged => Refusal::TicketForged,
            Self::KeyExpired => Refusal::TicketExpired,
            Self::SecretWrong => Refusal::SecretWrong,
            Self::NotListed => Refusal::TicketNotListed,
        }
    }
}

impl Ticket {
    /// The 63 characters that a visitor keeps.
    pub fn seal(&self, keys: &KeyRing) -> String {
        let mut bytes = [0; TICKET_BYTES];
        bytes[..SEALED_BYTES].copy_from_slice(&self.body());
        bytes[SEALED_BYTES..].copy_from_slice(&keys.seal(&self.body()));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a ticket for `room`. It may be shown by anybody; who claims needs the secret too.
    ///
    /// # Errors
    /// Says what is wrong with it, the cheapest check first.
    pub fn open(text: &str, room: RoomTag, keys: &KeyRing) -> Result<Self, TicketWrong> {
        let (ticket, bytes) = Self::read(text).ok_or(TicketWrong::Malformed)?;
        if ticket.room != room {
            return Err(TicketWrong::OtherRoom);
        }
        match keys.check(&bytes[..SEALED_BYTES], &bytes[SEALED_BYTES..]) {
            Sealed::Ours => Ok(ticket),
            Sealed::Expired => Err(TicketWrong::KeyExpired),
            Sealed::Forged => Err(TicketWrong::Forged),
        }
    }

    /// Whether `secret` belongs to it, in a time that tells nothing.
    ///
    /// # Errors
    /// `SecretWrong`.
    pub fn check_secret(&self, secret: &Secret) -> Result<(), TicketWrong> {
        let same: bool = self.holder.0.ct_eq(&secret.holder().0).into();
        if same { Ok(()) } else { Err(TicketWrong::SecretWrong) }
    }

    /// `0.8..1.2`, another for each ticket: what retries are multiplied by, so that they come in no waves.
    pub fn jitter(&self) -> f64 {
        let [high, low, ..] = self.holder.0;
        0.8 + 0.4 * f64::from(u16::from_be_bytes([high, low])) / f64::from(u16::MAX)
    }

    fn body(&self) -> [u8; SEALED_BYTES] {
        let mut bytes = [0; SEALED_BYTES];
        bytes[0] = VERSION;
        bytes[1..9].copy_from_slice(&self.room.0);
        bytes[9..11].copy_from_slice(&self.node.to_be_bytes());
        bytes[11..15].copy_from_slice(&self.serial.to_be_bytes());
        bytes[15..19].copy_from_slice(&self.second.to_be_bytes());
        bytes[19..].copy_from_slice(&self.holder.0);
        bytes
    }

    fn read(text: &str) -> Option<(Self, [u8; TICKET_BYTES])> {
        if text.len() != TICKET_CHARS {
            return None;
        }
        let bytes: [u8; TICKET_BYTES] = URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()?;
        let number = |at: usize| u32::from_be_bytes(std::array::from_fn(|place| bytes[at + place]));
        let ticket = Self {
            room: RoomTag(std::array::from_fn(|place| bytes[1 + place])),
            node: u16::from_be_bytes([bytes[9], bytes[10]]),
            serial: number(11),
            second: number(15),
            holder: Holder(std::array::from_fn(|place| bytes[19 + place])),
        };
        (bytes[0] == VERSION).then_some((ticket, bytes))
    }
}
