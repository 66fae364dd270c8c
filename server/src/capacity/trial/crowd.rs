//! The crowd of the self-test: sockets that take what they are sent, and count it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, StreamOwned};
use rustls_pki_types::ServerName;

use super::tls::NAME;

/// Bytes read at a time: more than a segment of the best bit rate.
const READ_BYTES: usize = 32 * 1_024;
const REQUEST: &[u8] = b"GET /self-test/live.opus HTTP/1.1\r\nHost: self-test\r\n\r\n";
/// Bytes of an answer's head at most.
const HEAD_BYTES_MAX: usize = 4_096;

/// Everybody who listens.
pub(super) struct Crowd {
    at: SocketAddr,
    wait: Duration,
    by_tls: Option<Arc<ClientConfig>>,
    listeners: Vec<Listener>,
    buffer: Vec<u8>,
    due: u64,
}

struct Listener {
    socket: Socket,
    body: Body,
    taken: u64,
}

/// In the clear, or by TLS.
pub(super) enum Socket {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Crowd {
    /// Nobody yet; a socket waits no longer than `wait` for its bytes.
    pub fn at(at: SocketAddr, by_tls: Option<Arc<ClientConfig>>, wait: Duration) -> Self {
        Self { at, wait, by_tls, listeners: Vec::new(), buffer: vec![0; READ_BYTES], due: 0 }
    }

    /// So many more come, one by one, each asks for the program, and takes what one is given on joining.
    pub fn join(&mut self, count: u64, first_bytes: u64) -> io::Result<()> {
        let come = |_| {
            let mut socket = Socket::open(self.at, self.by_tls.as_ref(), self.wait)?;
            socket.write_all(REQUEST)?;
            Ok(Listener { socket, body: Body::Head { seen: 0, bytes: 0 }, taken: 0 })
        };
        let mut listeners = (0..count).map(come).collect::<io::Result<Vec<_>>>()?;
        for listener in &mut listeners {
            listener.take_to(first_bytes, &mut self.buffer)?;
            listener.taken += self.due;
            listener.taken -= first_bytes;
        }
        self.listeners.append(&mut listeners);
        Ok(())
    }

    /// All but so many leave.
    pub fn keep(&mut self, count: u64) {
        self.listeners.truncate(count as usize);
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.listeners.len()
    }

    /// Everybody takes so many more bytes of sound.
    pub fn take(&mut self, bytes: u64) -> io::Result<()> {
        self.due += bytes;
        let Self { listeners, buffer, due, .. } = self;
        listeners.iter_mut().try_for_each(|listener| listener.take_to(*due, buffer))
    }
}

impl Listener {
    fn take_to(&mut self, due: u64, buffer: &mut [u8]) -> io::Result<()> {
        while self.taken < due {
            let read = self.socket.read(buffer)?;
            if read == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a listener was sent away"));
            }
            self.taken += self.body.sound_in(&buffer[..read])?;
        }
        Ok(())
    }
}

impl Socket {
    /// Connects; a handshake happens with the first bytes.
    pub fn open(at: SocketAddr, by_tls: Option<&Arc<ClientConfig>>, wait: Duration) -> io::Result<Self> {
        let socket = TcpStream::connect(at)?;
        socket.set_read_timeout(Some(wait))?;
        let Some(config) = by_tls else { return Ok(Self::Plain(socket)) };
        let name = ServerName::try_from(NAME).map_err(io::Error::other)?;
        let connection = ClientConnection::new(config.clone(), name).map_err(io::Error::other)?;
        Ok(Self::Tls(Box::new(StreamOwned::new(connection, socket))))
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(socket) => socket.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(socket) => socket.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(socket) => socket.flush(),
        }
    }
}

/// How far an answer has come, in HTTP/1.1's chunked coding (RFC 9112, section 7.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Body {
    /// The head, up to an empty line: so many bytes of that were seen, so many in all.
    Head { seen: usize, bytes: usize },
    /// The digits of a chunk's length, and the end of their line.
    Length(u64),
    /// So many bytes are left of a chunk, and of the line's end behind it.
    Chunk { left: u64, end: u8 },
}

impl Body {
    /// Bytes of sound among these.
    fn sound_in(&mut self, mut bytes: &[u8]) -> io::Result<u64> {
        let mut sound = 0;
        while let [first, rest @ ..] = bytes {
            if let Self::Chunk { left, end } = self
                && *left > 0
            {
                let taken = (bytes.len() as u64).min(*left);
                sound += taken;
                *self = Self::Chunk { left: *left - taken, end: *end };
                bytes = &bytes[taken as usize..];
                continue;
            }
            *self = self.after(*first)?;
            bytes = rest;
        }
        Ok(sound)
    }

    fn after(self, byte: u8) -> io::Result<Self> {
        const END: &[u8] = b"\r\n\r\n";
        let odd = || io::Error::new(io::ErrorKind::InvalidData, "an answer of the self-test is odd");
        Ok(match self {
            Self::Head { bytes: HEAD_BYTES_MAX, .. } => return Err(odd()),
            Self::Head { seen, bytes } => {
                let seen = if byte == END[seen] { seen + 1 } else { usize::from(byte == END[0]) };
                if seen == END.len() { Self::Length(0) } else { Self::Head { seen, bytes: bytes + 1 } }
            }
            Self::Length(length) => match (byte, char::from(byte).to_digit(16)) {
                (b'\r', _) => Self::Length(length),
                (b'\n', _) => Self::Chunk { left: length, end: 2 },
                (_, Some(digit)) => Self::Length(length.checked_mul(16).ok_or_else(odd)? + u64::from(digit)),
                (_, None) => return Err(odd()),
            },
            Self::Chunk { end: 1, .. } => Self::Length(0),
            Self::Chunk { left, end } => Self::Chunk { left, end: end - 1 },
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_the_sound_is_counted_however_it_is_cut() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-type: audio/ogg\r\n\r\n\
                       3\r\nabc\r\n1a\r\nabcdefghijklmnopqrstuvwxyz\r\n";
        for step in 1..answer.len() {
            let mut body = Body::Head { seen: 0, bytes: 0 };
            let sound: u64 = answer.chunks(step).map(|piece| body.sound_in(piece).unwrap()).sum();
            assert_eq!((sound, body), (29, Body::Length(0)), "{step}");
        }
    }

    #[test]
    fn an_odd_answer_is_an_error() {
        for answer in [&b"\r\n\r\nzz\r\n"[..], b"\r\n\r\nffffffffffffffffff", &[b'x'; HEAD_BYTES_MAX + 2]] {
            assert!(Body::Head { seen: 0, bytes: 0 }.sound_in(answer).is_err());
        }
    }
}
