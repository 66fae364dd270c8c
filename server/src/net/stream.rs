//! One connection's bytes: counted when sent, ended when the other side takes nothing for too long, and able
//! to give back what was read too early.

use std::future::Future;
use std::io::{self, Write};
use std::net::TcpStream;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use rustls::{ExtractedSecrets, ProtocolVersion, ServerConnection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use tokio_rustls::server::TlsStream;
use tribune_core::time::Time;

use super::delivery::Delivery;
use super::socket::Socket;
use super::tls::records::Ends;
use crate::guard::Watch;
use crate::ops::metrics::Count;
use crate::world::World;

/// Who is waited for takes at least so many bytes a second on average: an eighth of the smallest program.
const LEAST_BYTES_PER_S: u32 = 512;
/// The end of a connection is waited for so long, for those of whom it is to be known what arrived.
const LINGER: Duration = Duration::from_secs(2);

/// A connection after its handshake, in the clear or not.
pub struct Stream {
    /// Read before it was known for whom.
    pub(super) first: Bytes,
    io: Io,
}

/// A connection that no runtime watches.
pub(crate) struct Unwatched {
    /// It does not block.
    pub(crate) socket: TcpStream,
    /// What encrypts for it, if anything does.
    pub(crate) tls: Option<Keys>,
}

/// What encrypts for a connection.
pub(crate) enum Keys {
    /// Keys of TLS 1.3, of a connection between two records.
    Taken(Box<ExtractedSecrets>),
    /// The library.
    Library(Box<ServerConnection>),
}

impl Keys {
    /// Of a connection whose handshake is done; `is_between`: whether what was read of it ended with a
    /// record.
    ///
    /// # Errors
    /// The library does not give them.
    pub(super) fn of(mut tls: ServerConnection, is_between: bool) -> io::Result<Self> {
        // Who asked for other keys is told so with the next bytes that are written, however few: only then
        // is it known that there is something left to send.
        let _nothing = tls.writer().write(&[])?;
        let is_at_rest = is_between && !tls.wants_write();
        if is_at_rest && tls.protocol_version() == Some(ProtocolVersion::TLSv1_3) {
            return Ok(Self::Taken(Box::new(tls.dangerous_extract_secrets().map_err(io::Error::other)?)));
        }
        Ok(Self::Library(Box::new(tls)))
    }
}

enum Io {
    Plain(Guarded),
    Tls(Box<TlsStream<Guarded>>),
}

impl Stream {
    pub(super) fn plain(io: Guarded) -> Self {
        Self { first: Bytes::new(), io: Io::Plain(io) }
    }

    pub(super) fn tls(io: TlsStream<Guarded>) -> Self {
        Self { first: Bytes::new(), io: Io::Tls(Box::new(io)) }
    }

    /// What of the program arrives over it is told to `watch` from now on.
    pub(super) fn is_watched(&mut self, watch: Watch) -> Delivery {
        let delivery = Delivery::new(watch);
        self.guarded().delivery = Some(delivery.clone());
        delivery
    }

    /// Whether the other side has not taken all that it was told.
    pub(super) fn is_unread(&mut self) -> bool {
        self.guarded().socket.unacknowledged() > 0
    }

    /// The socket and what encrypts for it, which nobody waits for any more.
    ///
    /// # Errors
    /// The runtime does not let go of it.
    pub(super) fn into_unwatched(self) -> io::Result<Unwatched> {
        let (guarded, tls) = match self.io {
            Io::Plain(io) => (io, None),
            Io::Tls(io) => {
                let (guarded, tls) = io.into_inner();
                let is_between = guarded.ends.as_ref().is_some_and(Ends::is_between);
                let keys = Keys::of(tls, is_between)?;
                (guarded, Some(keys))
            }
        };
        Ok(Unwatched { socket: guarded.socket.into_unwatched()?, tls })
    }

    fn guarded(&mut self) -> &mut Guarded {
        match &mut self.io {
            Io::Plain(io) => io,
            Io::Tls(io) => io.get_mut().0,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if give_back(&mut self.first, into) {
            return Poll::Ready(Ok(()));
        }
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_read(cx, into),
            Io::Tls(io) => Pin::new(io).poll_read(cx, into),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_write(cx, bytes),
            Io::Tls(io) => Pin::new(io).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_flush(cx),
            Io::Tls(io) => Pin::new(io).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Io::Tls(io) => Pin::new(io).poll_shutdown(cx),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_write_vectored(cx, slices),
            Io::Tls(io) => Pin::new(io).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.io {
            Io::Plain(io) => io.is_write_vectored(),
            Io::Tls(io) => io.is_write_vectored(),
        }
    }
}

/// The socket itself, with what a PROXY header's reader read too much.
pub(super) struct Guarded {
    pub(super) first: Bytes,
    socket: Socket,
    sent_bytes: Count,
    world: World,
    patience: Patience,
    stalled: Option<Pin<Box<Sleep>>>,
    delivery: Option<Delivery>,
    /// Where in a record is what was read, where TLS is spoken.
    ends: Option<Ends>,
    /// Once it was shut down on our side, until when it is waited for that the other side took all of it.
    lingers: Option<Pin<Box<Sleep>>>,
}

/// How long the other side may keep us waiting: each byte that it takes is worth some.
pub(crate) struct Patience {
    max: Duration,
    /// How long it was waited in all, less what the bytes since were worth.
    waited: Duration,
    /// Since when it is waited.
    since: Option<Time>,
}

impl Patience {
    /// It was not waited yet, and will be for so long at most.
    pub(crate) const fn new(max: Duration) -> Self {
        Self { max, waited: Duration::ZERO, since: None }
    }

    /// It is to be waited; says for how long at most.
    pub(crate) fn begins(&mut self, now: Time) -> Duration {
        self.since.get_or_insert(now);
        self.max.saturating_sub(self.waited)
    }

    /// So many bytes went.
    pub(crate) fn took(&mut self, bytes: usize, now: impl FnOnce() -> Time) {
        if let Some(since) = self.since.take() {
            self.waited += now().since(since);
        }
        if !self.waited.is_zero() {
            let worth = Duration::from_secs(bytes as u64) / LEAST_BYTES_PER_S;
            self.waited = self.waited.saturating_sub(worth);
        }
    }

    /// Whether it is waited, and was for too long.
    pub(crate) fn is_over(&self, now: Time) -> bool {
        self.since.is_some_and(|since| self.waited + now.since(since) >= self.max)
    }
}

impl Guarded {
    pub(super) fn new(socket: Socket, sent_bytes: Count, (world, stall_max): (World, Duration)) -> Self {
        Self {
            first: Bytes::new(),
            socket,
            sent_bytes,
            world,
            patience: Patience::new(stall_max),
            stalled: None,
            delivery: None,
            ends: None,
            lingers: None,
        }
    }

    /// What comes from here on are records of TLS.
    pub(super) fn is_encrypted(&mut self) {
        self.ends = Some(Ends::default());
    }

    /// What a write came to: counted if it went, an error if nothing has gone for too long. The timer exists
    /// only while the socket is full, so that a listener who keeps up costs none.
    fn guard(&mut self, cx: &mut Context<'_>, wrote: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match wrote {
            Poll::Ready(result) => {
                self.stalled = None;
                let bytes = *result.as_ref().unwrap_or(&0);
                self.patience.took(bytes, || self.world.now());
                self.sent_bytes.inc_by(bytes as u64);
                if let Some(delivery) = &self.delivery {
                    delivery.wrote(bytes);
                    self.look();
                }
                Poll::Ready(result)
            }
            Poll::Pending => {
                let (patience, now) = (&mut self.patience, self.world.now());
                let timer = self.stalled.get_or_insert_with(|| {
                    Box::pin(tokio::time::sleep(patience.begins(now))) //
                });
                ready!(timer.as_mut().poll(cx));
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the other side takes too little")))
            }
        }
    }

    /// Asks the kernel what arrived, while somebody wants to know.
    fn look(&self) {
        if let Some(delivery) = self.delivery.as_ref().filter(|delivery| delivery.is_awaited()) {
            delivery.looked(self.socket.unacknowledged());
        }
    }

    /// After our side's end: what the other side still takes counts until it ends too, or for [`LINGER`].
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut bytes = [0; 64];
        loop {
            self.look();
            if !self.delivery.as_ref().is_some_and(Delivery::is_awaited) {
                return Poll::Ready(Ok(()));
            }
            let timer = self.lingers.get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
            if timer.as_mut().poll(cx).is_ready() {
                return Poll::Ready(Ok(()));
            }
            let mut read = ReadBuf::new(&mut bytes);
            match ready!(Pin::new(&mut self.socket).poll_read(cx, &mut read)) {
                Ok(()) if !read.filled().is_empty() => {}
                Ok(()) | Err(_) => {
                    self.look();
                    return Poll::Ready(Ok(()));
                }
            }
        }
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        let is_given_back = give_back(&mut self.first, into);
        if !is_given_back {
            ready!(Pin::new(&mut self.socket).poll_read(cx, into))?;
        }
        let read = &into.filled()[before..];
        if let Some(ends) = &mut self.ends {
            ends.saw(read);
        }
        if let Some(delivery) = self.delivery.as_ref().filter(|_| !is_given_back) {
            if !read.is_empty() {
                delivery.read();
            }
            // Who asks for the next piece has the one before.
            self.look();
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.guard(cx, wrote)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.lingers.is_none() {
            ready!(Pin::new(&mut self.socket).poll_shutdown(cx))?;
        }
        self.poll_linger(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let wrote = Pin::new(&mut self.socket).poll_write_vectored(cx, slices);
        self.guard(cx, wrote)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}

/// Whether something that was read too early was given back.
fn give_back(first: &mut Bytes, into: &mut ReadBuf<'_>) -> bool {
    if first.is_empty() {
        return false;
    }
    let length = first.len().min(into.remaining());
    into.put_slice(&first[..length]);
    first.advance(length);
    if first.is_empty() {
        *first = Bytes::new();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who takes so many bytes after each of so many waits, in s: how long the next may be.
    fn patience_after(waits_s: u64, bytes: usize, times: usize) -> Duration {
        let (mut patience, mut now) = (Patience::new(Duration::from_secs(60)), Time::ZERO);
        for _ in 0..times {
            patience.begins(now);
            now = now + Duration::from_secs(waits_s);
            patience.took(bytes, || now);
        }
        patience.begins(now)
    }

    #[test]
    fn who_takes_as_much_as_the_smallest_program_is_waited_for_forever() {
        let whole = Duration::from_secs(60);
        assert_eq!(patience_after(1, 4_096, 1_000), whole);
        assert_eq!(patience_after(50, 50 * 512, 1_000), whole, "a tunnel, and all that was missed in it");
        assert_eq!(patience_after(30, 512, 1), Duration::from_secs(31));
        assert_eq!(patience_after(1, 10, 100), Duration::ZERO, "a few bytes now and then");
    }
}
