//! One connection's bytes: counted when sent, ended when the other side takes nothing for too long, and able
//! to give back what was read too early.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use tokio_rustls::server::TlsStream;

use super::socket::Socket;
use crate::ops::metrics::Count;

/// A connection after its handshake, in the clear or not.
pub struct Stream {
    /// Read before it was known for whom.
    pub(super) first: Bytes,
    io: Io,
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
    stall_max: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Guarded {
    pub(super) fn new(socket: Socket, sent_bytes: Count, stall_max: Duration) -> Self {
        Self { first: Bytes::new(), socket, sent_bytes, stall_max, stalled: None }
    }

    /// What a write came to: counted if it went, an error if nothing has gone for too long. The timer exists
    /// only while the socket is full, so that a listener who keeps up costs none.
    fn guard(&mut self, cx: &mut Context<'_>, wrote: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match wrote {
            Poll::Ready(result) => {
                self.stalled = None;
                self.sent_bytes.inc_by(*result.as_ref().unwrap_or(&0) as u64);
                Poll::Ready(result)
            }
            Poll::Pending => {
                let stall_max = self.stall_max;
                let timer = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(stall_max)));
                ready!(timer.as_mut().poll(cx));
                Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the other side takes nothing")))
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
        if give_back(&mut self.first, into) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.socket).poll_read(cx, into)
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
        Pin::new(&mut self.socket).poll_shutdown(cx)
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
