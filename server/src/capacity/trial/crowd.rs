//! The crowd of the self-test: sockets that take what they are sent, and count it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Bytes read at a time: more than a segment of the best bit rate.
const READ_BYTES: usize = 32 * 1_024;
const REQUEST: &[u8] = b"GET /self-test/live.opus HTTP/1.1\r\nHost: self-test\r\n\r\n";
/// Bytes of an answer's head at most.
const HEAD_BYTES_MAX: usize = 4_096;

/// Everybody who listens.
pub(super) struct Crowd {
    listeners: Vec<Listener>,
    buffer: Vec<u8>,
    due: u64,
}

struct Listener {
    socket: TcpStream,
    body: Body,
    taken: u64,
}

impl Crowd {
    /// They come one by one, and each asks for the program.
    pub fn gather(at: SocketAddr, listeners: u64, wait: Duration) -> io::Result<Self> {
        let come = |_| {
            let mut socket = TcpStream::connect(at)?;
            socket.set_read_timeout(Some(wait))?;
            socket.write_all(REQUEST)?;
            Ok(Listener { socket, body: Body::Head { seen: 0, bytes: 0 }, taken: 0 })
        };
        let listeners = (0..listeners).map(come).collect::<io::Result<_>>()?;
        Ok(Self { listeners, buffer: vec![0; READ_BYTES], due: 0 })
    }

    /// How many they are.
    pub fn len(&self) -> usize {
        self.listeners.len()
    }

    /// Everybody takes so many more bytes of sound.
    pub fn take(&mut self, bytes: u64) -> io::Result<()> {
        self.due += bytes;
        for listener in &mut self.listeners {
            while listener.taken < self.due {
                let read = listener.socket.read(&mut self.buffer)?;
                if read == 0 {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "a listener was sent away"));
                }
                listener.taken += listener.body.sound_in(&self.buffer[..read])?;
            }
        }
        Ok(())
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
