//! Records of TLS 1.3 of a connection whose handshake is done (RFC 8446, section 5), sealed and opened with
//! the keys that the TLS library made.
//!
//! The library keeps 4 kB for each connection to read into, and seals into buffers of its own. Who hears the
//! program says nothing, and is sent what lies there for all: two keys and two numbers are enough (decision
//! 0150).

use ring::aead::{
    AES_128_GCM, AES_256_GCM, Aad, Algorithm, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey,
};
use rustls::{ConnectionTrafficSecrets, ExtractedSecrets};

/// Bytes of sound in one record (section 5.1).
pub(crate) const PLAIN_BYTES_MAX: usize = 1 << 14;
/// Bytes of one after its head (section 5.2), and the fewest there can be: what it is, and the tag.
const SEALED_BYTES_MAX: usize = PLAIN_BYTES_MAX + 256;
const SEALED_BYTES_MIN: usize = 17;
const HEAD_BYTES: usize = 5;
/// In every head, whatever is in the record.
const VERSION: [u8; 2] = [0x03, 0x03];
/// Records sealed by one key: half of what the library allows for AES (section 5.5), a month of a program.
const RECORDS_MAX: u64 = 1 << 23;
/// That nothing more comes (section 6.1).
const CLOSE_NOTIFY: [u8; 2] = [1, 0];

/// What is in a record (section 5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Kind {
    Alert = 21,
    Data = 23,
}

/// Why it cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// No record of TLS 1.3 begins so, or is so long.
    #[error("what came is no record of TLS 1.3")]
    NoRecord,
    /// It was not sealed by who we shook hands with, or not in this order.
    #[error("a record was changed on its way")]
    Changed,
    /// New keys, or whatever else a handshake may bring later on: the keys to follow it are not here.
    #[error("the other side wants other keys in the middle of an answer")]
    OtherKeys,
    /// A key sealed as many records as one may.
    #[error("a key was used for as many records as one may be")]
    UsedUp,
}

/// Where one is in what comes: whether a record is whole.
#[derive(Debug, Default)]
pub(in crate::net) struct Ends {
    head_bytes: u8,
    length: u16,
    left: u16,
}

impl Ends {
    /// These came.
    pub(in crate::net) fn saw(&mut self, mut bytes: &[u8]) {
        while let [first, rest @ ..] = bytes {
            if self.left > 0 {
                let known = usize::from(self.left).min(bytes.len());
                self.left -= known as u16;
                bytes = &bytes[known..];
                continue;
            }
            // The last two bytes of a head are the length.
            self.length = self.length << 8 | u16::from(*first);
            self.head_bytes += 1;
            if usize::from(self.head_bytes) == HEAD_BYTES {
                (self.head_bytes, self.left) = (0, self.length);
            }
            bytes = rest;
        }
    }

    /// Whether no record is begun.
    pub(in crate::net) const fn is_between(&self) -> bool {
        self.head_bytes == 0 && self.left == 0
    }
}

/// Both directions of one connection.
pub struct Records {
    key: LessSafeKey,
    iv: [u8; NONCE_LEN],
    number: u64,
    /// A key is made of them when something comes, which is hardly ever.
    theirs: (u64, ConnectionTrafficSecrets),
    /// The beginning of a record.
    begun: Vec<u8>,
}

impl Records {
    /// With the keys of a connection between two records; `None` when they are for a cipher that is not known
    /// here.
    pub fn new(secrets: ExtractedSecrets) -> Option<Self> {
        let (number, ours) = secrets.tx;
        let (key, iv) = key_of(&ours)?;
        key_of(&secrets.rx.1)?;
        Some(Self { key, iv, number, theirs: secrets.rx, begun: Vec::new() })
    }

    /// Appends one record with at most [`PLAIN_BYTES_MAX`] bytes of an answer.
    ///
    /// # Errors
    /// [`Broken::UsedUp`], and [`Broken::NoRecord`] for more bytes than that.
    pub fn seal(&mut self, plain: &[u8], into: &mut Vec<u8>) -> Result<(), Broken> {
        self.put(Kind::Data, plain, into)
    }

    /// Appends the record that says that nothing more comes.
    ///
    /// # Errors
    /// [`Broken::UsedUp`].
    pub fn seal_end(&mut self, into: &mut Vec<u8>) -> Result<(), Broken> {
        self.put(Kind::Alert, &CLOSE_NOTIFY, into)
    }

    fn put(&mut self, kind: Kind, plain: &[u8], into: &mut Vec<u8>) -> Result<(), Broken> {
        if plain.len() > PLAIN_BYTES_MAX {
            return Err(Broken::NoRecord);
        }
        if self.number >= RECORDS_MAX {
            return Err(Broken::UsedUp);
        }
        let sealed_bytes = plain.len() + 1 + self.key.algorithm().tag_len();
        let [high, low] = (sealed_bytes as u16).to_be_bytes();
        let head = [Kind::Data as u8, VERSION[0], VERSION[1], high, low];
        into.reserve(HEAD_BYTES + sealed_bytes);
        into.extend_from_slice(&head);
        let begin = into.len();
        into.extend_from_slice(plain);
        into.push(kind as u8);
        let (nonce, body) = (nonce(self.iv, self.number), &mut into[begin..]);
        let tag = self.key.seal_in_place_separate_tag(nonce, Aad::from(head), body);
        into.extend_from_slice(tag.map_err(|_| Broken::NoRecord)?.as_ref());
        self.number += 1;
        Ok(())
    }

    /// Takes what came, of which nothing is needed but that the other side ends; whether it goes on.
    ///
    /// # Errors
    /// It is nothing the other side may say. What comes after it is not looked at.
    pub fn open(&mut self, bytes: &[u8]) -> Result<bool, Broken> {
        self.begun.extend_from_slice(bytes);
        let mut at = 0;
        let mut goes_on = true;
        while let Some(record_bytes) = whole(&self.begun[at..])? {
            let record = &mut self.begun[at..at + record_bytes];
            at += record_bytes;
            match opened(&mut self.theirs, record)? {
                Some(kind) if kind == Kind::Data as u8 => {}
                // Whatever is wrong over there: it is over.
                Some(kind) if kind == Kind::Alert as u8 => goes_on = false,
                Some(_) => return Err(Broken::OtherKeys),
                None => return Err(Broken::NoRecord),
            }
            if !goes_on {
                break;
            }
        }
        // Between two records nothing is kept, not even room.
        if at == self.begun.len() {
            self.begun = Vec::new();
        } else if at > 0 {
            self.begun.drain(..at);
        }
        Ok(goes_on)
    }
}

/// Bytes of the record in front, when it is whole.
fn whole(bytes: &[u8]) -> Result<Option<usize>, Broken> {
    let &[kind, _, _, high, low, ..] = bytes else { return Ok(None) };
    let sealed_bytes = usize::from(u16::from_be_bytes([high, low]));
    let may_be = (SEALED_BYTES_MIN..=SEALED_BYTES_MAX).contains(&sealed_bytes);
    if kind != Kind::Data as u8 || !may_be {
        return Err(Broken::NoRecord);
    }
    Ok((bytes.len() >= HEAD_BYTES + sealed_bytes).then_some(HEAD_BYTES + sealed_bytes))
}

/// What is in a record: the last byte that is not padding (section 5.4); `None` when all is.
fn opened(
    (number, secrets): &mut (u64, ConnectionTrafficSecrets),
    record: &mut [u8],
) -> Result<Option<u8>, Broken> {
    let (key, iv) = key_of(secrets).ok_or(Broken::OtherKeys)?;
    let (head, sealed) = record.split_at_mut(HEAD_BYTES);
    let plain =
        key.open_in_place(nonce(iv, *number), Aad::from(head), sealed).map_err(|_| Broken::Changed)?;
    *number += 1;
    Ok(plain.iter().rev().find(|byte| **byte != 0).copied())
}

fn key_of(secrets: &ConnectionTrafficSecrets) -> Option<(LessSafeKey, [u8; NONCE_LEN])> {
    let (algorithm, key, iv): (&'static Algorithm, _, _) = match secrets {
        ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
        ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
        ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv),
        _ => return None,
    };
    Some((LessSafeKey::new(UnboundKey::new(algorithm, key.as_ref()).ok()?), iv.as_ref().try_into().ok()?))
}

/// Section 5.3.
fn nonce(mut iv: [u8; NONCE_LEN], number: u64) -> Nonce {
    for (byte, of) in iv[NONCE_LEN - 8..].iter_mut().zip(number.to_be_bytes()) {
        *byte ^= of;
    }
    Nonce::assume_unique_for_key(iv)
}

#[cfg(test)]
pub(crate) mod tests;
