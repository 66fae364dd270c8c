//! A connection's socket, watched only once something has to be waited for.
//!
//! In a crowd most requests lie in their socket before its connection has its first turn, and most answers
//! fit into it at once. Having the kernel watch such a socket (`epoll_ctl`, its wakings, its end) costs a
//! twentieth of what the whole answer does (`docs/rehearsals/2026-11-22-door.md`), and nobody ever waits.

use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::{Shutdown, TcpStream as Unwatched};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Reads and writes before the socket is watched in any case: the runtime sees to it that whoever has always
/// more to read does not keep everybody else waiting, but only for sockets that it watches.
const TURNS: u8 = 8;

/// Bytes that were written to a socket and that the other side's kernel has not acknowledged (`SIOCOUTQ`,
/// tcp(7)).
pub(crate) fn unacknowledged(socket: BorrowedFd<'_>) -> u64 {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open while it is borrowed, and the kernel writes one int.
    let asked = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    // A socket that does not say it has nothing to say: nothing is counted as arrived.
    if asked == 0 { u64::try_from(bytes).unwrap_or_default() } else { u64::MAX }
}

/// Must live on a runtime with I/O.
pub(super) struct Socket(Watch);

enum Watch {
    /// Not yet; so many more reads and writes.
    No(Unwatched, u8),
    Yes(TcpStream),
    /// It could not be watched.
    Gone,
}

impl Socket {
    /// A socket that does not block.
    pub(super) fn new(socket: Unwatched) -> Self {
        Self(Watch::No(socket, TURNS))
    }

    /// Bytes that were written and that the other side's kernel has not acknowledged (`SIOCOUTQ`, tcp(7)).
    pub(super) fn unacknowledged(&self) -> u64 {
        let descriptor = match &self.0 {
            Watch::No(socket, _) => socket.as_fd(),
            Watch::Yes(socket) => socket.as_fd(),
            Watch::Gone => return u64::MAX,
        };
        unacknowledged(descriptor)
    }

    /// The socket, which nobody watches any more.
    ///
    /// # Errors
    /// The runtime does not let go of it.
    pub(super) fn into_unwatched(self) -> io::Result<Unwatched> {
        match self.0 {
            Watch::No(socket, _) => Ok(socket),
            Watch::Yes(socket) => socket.into_std(),
            Watch::Gone => Err(ErrorKind::NotConnected.into()),
        }
    }

    /// What can be done without waiting; `None` when it is to be watched.
    fn at_once<T>(&mut self, mut act: impl FnMut(&mut Unwatched) -> io::Result<T>) -> Option<io::Result<T>> {
        let Watch::No(socket, turns) = &mut self.0 else { return None };
        *turns = turns.checked_sub(1)?;
        loop {
            match act(socket) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                done => return Some(done),
            }
        }
    }

    fn watched(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        self.0 = match mem::replace(&mut self.0, Watch::Gone) {
            Watch::No(socket, _) => Watch::Yes(TcpStream::from_std(socket)?),
            watch => watch,
        };
        match &mut self.0 {
            Watch::Yes(socket) => Ok(Pin::new(socket)),
            _ => Err(ErrorKind::NotConnected.into()),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.at_once(|socket| socket.read(into.initialize_unfilled())) {
            Some(read) => {
                into.advance(read?);
                Poll::Ready(Ok(()))
            }
            None => self.watched()?.poll_read(cx, into),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.at_once(|socket| socket.write(bytes)) {
            Some(wrote) => Poll::Ready(wrote),
            None => self.watched()?.poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Nothing is held back here.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Watch::No(socket, _) => Poll::Ready(socket.shutdown(Shutdown::Write)),
            _ => self.watched()?.poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.at_once(|socket| socket.write_vectored(slices)) {
            Some(wrote) => Poll::Ready(wrote),
            None => self.watched()?.poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn pair() -> (Socket, Unwatched) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let other = Unwatched::connect(listener.local_addr().expect("it has one")).expect("it listens");
        let (socket, _) = listener.accept().expect("somebody came");
        socket.set_nonblocking(true).expect("a socket");
        (Socket::new(socket), other)
    }

    #[tokio::test]
    async fn what_is_there_is_taken_and_told_without_watching() {
        let (mut socket, mut other) = pair();
        other.write_all(b"asked").expect("it is open");
        let mut asked = [0; 5];
        socket.read_exact(&mut asked).await.expect("it is there");
        socket.write_all(b"told").await.expect("there is room");
        socket.shutdown().await.expect("it is open");
        assert!(matches!(socket.0, Watch::No(_, left) if left == TURNS - 2));
        let mut told = String::new();
        other.read_to_string(&mut told).expect("it ended");
        assert_eq!((&asked, told.as_str()), (b"asked", "told"));
    }

    #[tokio::test]
    async fn what_nobody_takes_is_not_acknowledged() {
        let (mut socket, mut other) = pair();
        assert_eq!(socket.unacknowledged(), 0);
        // More than both sides' buffers hold.
        let all = vec![3; 16 << 20];
        let (mut wrote, mut held) = (0, false);
        while !held {
            let write = std::future::poll_fn(|cx| {
                Poll::Ready(Pin::new(&mut socket).poll_write(cx, &all)) //
            });
            match write.await {
                Poll::Ready(bytes) => wrote += bytes.expect("it is open"),
                Poll::Pending => held = true,
            }
        }
        let waits = socket.unacknowledged();
        assert!(waits > 0 && waits < wrote as u64, "{waits} of {wrote}");
        socket.shutdown().await.expect("it is open");
        let mut got = Vec::new();
        other.read_to_end(&mut got).expect("it ended");
        assert_eq!((got.len(), socket.unacknowledged()), (wrote, 0));
    }

    #[tokio::test]
    async fn who_has_to_wait_or_goes_on_and_on_is_watched() {
        let (mut socket, mut other) = pair();
        let waits = tokio::spawn(async move {
            let mut asked = [0; 5];
            socket.read_exact(&mut asked).await.expect("it comes");
            (asked, matches!(socket.0, Watch::Yes(_)))
        });
        tokio::task::yield_now().await;
        other.write_all(b"asked").expect("it is open");
        assert_eq!(waits.await.expect("no panic"), (*b"asked", true));

        let (mut socket, mut other) = pair();
        other.write_all(&[7; 64]).expect("it is open");
        for byte in 0..64 {
            assert_eq!(socket.read_u8().await.expect("it is there"), 7);
            assert_eq!(matches!(socket.0, Watch::Yes(_)), byte >= TURNS, "{byte}");
        }
    }

    #[tokio::test]
    async fn more_than_fits_is_told_to_the_last_byte() {
        let (mut socket, mut other) = pair();
        let all = vec![3; 8 << 20];
        let told = all.clone();
        let reader = std::thread::spawn(move || {
            let mut got = Vec::new();
            other.read_to_end(&mut got).map(|_| got)
        });
        socket.write_all(&told).await.expect("they read");
        socket.shutdown().await.expect("it is open");
        drop(socket);
        assert_eq!(reader.join().expect("no panic").expect("it ended"), all);
    }
}
