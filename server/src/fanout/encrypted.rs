//! What is encrypted on its way, and read of what comes so.
//!
//! By TLS 1.3 the records are sealed here, into room that a thread's listeners share. The library goes on
//! with whoever speaks TLS 1.2, or is in the middle of a record.

use std::cell::RefCell;
use std::io::{self, ErrorKind, Read, Write};

use bytes::{Buf, Bytes};
use rustls::ServerConnection;

use super::wire::some;
use crate::net::Keys;
use crate::net::tls::records::{PLAIN_BYTES_MAX, Records};

/// Bytes read at a time, of what nobody needs.
const READ_BYTES: usize = 4_096;

thread_local! {
    /// Where a record is sealed before it goes.
    static SEALED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// One listener's.
pub(super) enum Encrypted {
    Sealed(Box<Sealed>),
    Library(Box<ServerConnection>),
}

/// The keys, and what the socket did not take.
pub(super) struct Sealed {
    records: Records,
    held: Bytes,
}

impl Encrypted {
    /// # Errors
    /// The keys are for a cipher that is not known here.
    pub(super) fn new(keys: Keys) -> io::Result<Self> {
        Ok(match keys {
            Keys::Library(library) => Self::Library(library),
            Keys::Taken(secrets) => {
                let records = Records::new(*secrets).ok_or(ErrorKind::Unsupported)?;
                Self::Sealed(Box::new(Sealed { records, held: Bytes::new() }))
            }
        })
    }

    /// Encrypts and hands over as much as goes, with what is held before; 0 when nothing does.
    pub(super) fn write(&mut self, bytes: &[u8], socket: &mut impl Write) -> io::Result<usize> {
        match self {
            Self::Sealed(sealed) => sealed.write(bytes, socket),
            Self::Library(tls) => {
                // One piece's worth is held at most.
                if !flush(tls, socket)? {
                    return Ok(0);
                }
                let taken = tls.writer().write(bytes)?;
                flush(tls, socket)?;
                Ok(taken)
            }
        }
    }

    /// Hands over what is held; whether nothing is any more.
    pub(super) fn flush(&mut self, socket: &mut impl Write) -> io::Result<bool> {
        match self {
            Self::Sealed(sealed) => sealed.flush(socket),
            Self::Library(tls) => flush(tls, socket),
        }
    }

    /// Reads a little of what comes; 0 when it is the end.
    pub(super) fn read_away(&mut self, socket: &mut impl Read) -> io::Result<usize> {
        let mut bytes = [0; READ_BYTES];
        match self {
            Self::Sealed(sealed) => {
                let read = socket.read(&mut bytes)?;
                let goes_on = sealed.records.open(&bytes[..read]).map_err(io::Error::other)?;
                Ok(if goes_on { read } else { 0 })
            }
            Self::Library(tls) => read_away(tls, socket, &mut bytes),
        }
    }

    /// Whether something is held here that was handed over.
    pub(super) fn holds(&self) -> bool {
        match self {
            Self::Sealed(sealed) => !sealed.held.is_empty(),
            Self::Library(tls) => tls.wants_write(),
        }
    }

    /// Says that nothing more comes, as far as it goes.
    pub(super) fn end(&mut self, socket: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Sealed(sealed) => sealed.end(socket),
            Self::Library(tls) => {
                tls.send_close_notify();
                flush(tls, socket).map(drop)
            }
        }
    }
}

impl Sealed {
    fn write(&mut self, bytes: &[u8], socket: &mut impl Write) -> io::Result<usize> {
        let mut taken = 0;
        while taken < bytes.len() && self.flush(socket)? {
            let plain = &bytes[taken..bytes.len().min(taken + PLAIN_BYTES_MAX)];
            SEALED.with_borrow_mut(|sealed| {
                sealed.clear();
                self.records.seal(plain, sealed).map_err(io::Error::other)?;
                let wrote = some(socket.write(sealed))?;
                self.held = Bytes::copy_from_slice(&sealed[wrote..]);
                io::Result::Ok(())
            })?;
            taken += plain.len();
        }
        Ok(taken)
    }

    fn flush(&mut self, socket: &mut impl Write) -> io::Result<bool> {
        while !self.held.is_empty() {
            let wrote = some(socket.write(&self.held))?;
            if wrote == 0 {
                return Ok(false);
            }
            self.held.advance(wrote);
        }
        // Room is not kept for one whose socket takes what there is.
        self.held = Bytes::new();
        Ok(true)
    }

    fn end(&mut self, socket: &mut impl Write) -> io::Result<()> {
        let mut last = self.held.to_vec();
        self.records.seal_end(&mut last).map_err(io::Error::other)?;
        self.held = last.into();
        self.flush(socket).map(drop)
    }
}

/// Whether everything went.
fn flush(tls: &mut ServerConnection, socket: &mut impl Write) -> io::Result<bool> {
    while tls.wants_write() {
        match tls.write_tls(socket) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

/// Reads a little of what comes encrypted: a change of keys, an end. 0 when it is the end.
fn read_away(tls: &mut ServerConnection, socket: &mut impl Read, bytes: &mut [u8]) -> io::Result<usize> {
    let read = tls.read_tls(socket)?;
    let state = tls.process_new_packets().map_err(io::Error::other)?;
    let mut left = state.plaintext_bytes_to_read();
    while left > 0 {
        let told = tls.reader().read(bytes)?;
        left = left.saturating_sub(told);
        if told == 0 {
            break;
        }
    }
    Ok(if state.peer_has_closed() { 0 } else { read })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::tls::records::tests::{SUITES, hears, shook};

    /// A socket that takes a few bytes, and every other time none.
    #[derive(Default)]
    struct Narrow {
        took: Vec<u8>,
        is_full: bool,
    }

    impl Write for Narrow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.is_full = !self.is_full;
            if self.is_full {
                return Err(ErrorKind::WouldBlock.into());
            }
            let some = &bytes[..bytes.len().min(1_000)];
            self.took.extend_from_slice(some);
            Ok(some.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_socket_that_takes_little_is_given_everything_once() {
        let (records, mut client) = shook(SUITES[0]);
        let mut encrypted = Encrypted::Sealed(Box::new(Sealed { records, held: Bytes::new() }));
        let sound: Vec<u8> = (0..50_000_u32).map(|n| (n % 251) as u8).collect();
        let (mut socket, mut given) = (Narrow::default(), 0);
        while given < sound.len() {
            given += encrypted.write(&sound[given..], &mut socket).expect("it is open");
        }
        assert!(encrypted.holds(), "the last of it did not fit");
        encrypted.end(&mut socket).expect("it is open");
        while !encrypted.flush(&mut socket).expect("it is open") {}
        assert!(!encrypted.holds());
        assert_eq!(hears(&mut client, &socket.took), Ok((sound, true)));
    }
}
