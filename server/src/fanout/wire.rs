//! One connection's bytes, in the clear or encrypted, never waited for.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::AsFd;

use mio::event::Source;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use socket2::SockRef;

use super::encrypted::Encrypted;
use crate::net::{Unwatched, unacknowledged};

/// Bytes read at a time, of what nobody needs.
const READ_BYTES: usize = 4_096;

/// Bytes of a connection that the kernel keeps before they have gone out once: some seconds of sound. What
/// comes after is in the window, once for all; the kernel would take ten times as much for each who is gone
/// without a word (`TCP_NOTSENT_LOWAT`, tcp(7)).
const UNSENT_BYTES_MAX: u32 = 32_768;

/// What the other side said, of which nothing is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// So many bytes, and nothing more for now.
    Bytes(usize),
    /// That it is gone.
    Goodbye,
}

pub(super) struct Wire {
    socket: TcpStream,
    encrypted: Option<Encrypted>,
}

impl Wire {
    /// # Errors
    /// The connection's keys cannot be used.
    pub(super) fn new(Unwatched { socket, tls }: Unwatched) -> io::Result<Self> {
        // Without it all is as it was, and takes more memory.
        let _ = SockRef::from(&socket).set_tcp_notsent_lowat(UNSENT_BYTES_MAX);
        let encrypted = tls.map(Encrypted::new).transpose()?;
        Ok(Self { socket: TcpStream::from_std(socket), encrypted })
    }

    /// Has the kernel say when something comes.
    pub(super) fn watch(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.socket.register(registry, token, Interest::READABLE)
    }

    /// And, while the socket is full, when something more goes.
    pub(super) fn watch_room(&mut self, registry: &Registry, token: Token, full: bool) -> io::Result<()> {
        let interest = if full { Interest::READABLE | Interest::WRITABLE } else { Interest::READABLE };
        self.socket.reregister(registry, token, interest)
    }

    /// Hands over as much as goes; 0 when nothing does. What is encrypted counts as gone, and may be held
    /// here.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.encrypted {
            None => some(self.socket.write(bytes)),
            Some(encrypted) => encrypted.write(bytes, &mut self.socket),
        }
    }

    /// Hands over what is held here; whether nothing is any more.
    pub(super) fn flush(&mut self) -> io::Result<bool> {
        match &mut self.encrypted {
            None => Ok(true),
            Some(encrypted) => encrypted.flush(&mut self.socket),
        }
    }

    /// Reads what comes, of which nothing is needed, up to about so many bytes.
    pub(super) fn read_away(&mut self, most: usize) -> io::Result<Said> {
        let (mut bytes, mut said) = ([0; READ_BYTES], 0);
        while said <= most {
            let read = match &mut self.encrypted {
                None => self.socket.read(&mut bytes),
                Some(encrypted) => encrypted.read_away(&mut self.socket),
            };
            match read {
                Ok(0) => return Ok(Said::Goodbye),
                Ok(read) => said += read,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Said::Bytes(said))
    }

    /// Whether something is held here that was handed over.
    pub(super) fn holds(&self) -> bool {
        self.encrypted.as_ref().is_some_and(Encrypted::holds)
    }

    /// Bytes that the other side's kernel has not acknowledged.
    pub(super) fn unacknowledged(&self) -> u64 {
        unacknowledged(self.socket.as_fd())
    }

    /// Says that nothing more comes.
    pub(super) fn ends(&mut self) {
        if let Some(encrypted) = &mut self.encrypted {
            // They may be gone already.
            let _ = encrypted.end(&mut self.socket);
        }
        let _ = self.socket.shutdown(Shutdown::Write);
    }
}

/// 0 when the socket is full.
pub(super) fn some(wrote: io::Result<usize>) -> io::Result<usize> {
    match wrote {
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(0),
        wrote => wrote,
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use socket2::SockFilter;

    use super::*;

    /// As much as 320 ms at 64 kbit/s.
    const PART: [u8; 2_640] = [7; 2_640];
    /// With what went out once, of which loopback and its congestion control take much at a time.
    const TAKEN_BYTES_MAX: usize = 4 * UNSENT_BYTES_MAX as usize;

    #[test]
    fn who_vanished_takes_seconds_of_sound_and_no_more() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let theirs = TcpStream::connect(listener.local_addr().expect("it has one")).expect("it listens");
        let (ours, _) = listener.accept().expect("somebody came");
        ours.set_nonblocking(true).expect("a socket");
        ours.set_nodelay(true).expect("a socket");
        let mut wire = Wire::new(Unwatched { socket: ours, tls: None }).expect("nothing is encrypted");
        assert_eq!(wire.write(&PART).expect("it is open"), PART.len());
        // From here on nothing reaches them, and nothing is acknowledged.
        let nothing = [SockFilter::new(0x06, 0, 0, 0)];
        SockRef::from(&theirs).attach_filter(&nothing).expect("a filter");
        let mut taken = 0;
        loop {
            match wire.write(&PART).expect("nobody said that it is over") {
                0 => break,
                wrote => taken += wrote,
            }
        }
        assert!((PART.len()..=TAKEN_BYTES_MAX).contains(&taken), "{taken} bytes");
    }
}
