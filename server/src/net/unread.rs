//! Answers to requests that the HTTP library could not read.
//!
//! It refuses them itself, with a head and nothing in it, before any service of ours is asked, and has no
//! place where such an answer could be made. So the answer is exchanged where it is written: a head that
//! stands alone, with one of the library's three statuses, no body and no request's number, is its own.

use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::{Buf, Bytes};
use http::StatusCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use tribune_core::reason::Refusal;

use super::Stream;
use crate::answer::Failure;
use crate::world::World;

/// How long, and how far, a sender is read on after its refusal: closing a socket with unread bytes in it
/// resets the connection and takes the answer with it (RFC 9112, section 9.6).
const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: usize = 1_048_576;

/// What a TLS handshake begins with: a handshake record of some version 3 (RFC 8446, section 5.1).
pub(super) const TLS_RECORD: [u8; 2] = [0x16, 0x03];

/// A connection on which the library's own refusals become ours.
pub(super) struct Answering<F> {
    stream: Stream,
    /// Somebody is told whenever one is exchanged.
    told: F,
    world: World,
    /// What is still to be written instead of the library's answer.
    instead: Bytes,
    linger: Option<Linger>,
}

struct Linger {
    until: Pin<Box<Sleep>>,
    left_bytes: usize,
}

impl<F: Fn()> Answering<F> {
    pub(super) fn new(stream: Stream, world: World, told: F) -> Self {
        Self { stream, told, world, instead: Bytes::new(), linger: None }
    }

    fn poll_exchange(&mut self, cx: &mut Context<'_>, length: usize) -> Poll<io::Result<usize>> {
        while !self.instead.is_empty() {
            let wrote = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.instead))?;
            if wrote == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.instead.advance(wrote);
        }
        Poll::Ready(Ok(length))
    }

    /// Whether `bytes` are a refusal of the library's; then ours is what will be written.
    fn is_exchanged(&mut self, bytes: &[u8]) -> bool {
        if !self.instead.is_empty() {
            return true;
        }
        let Some(unread) = unread(bytes) else { return false };
        (self.told)();
        self.instead = unread.answer(self.world);
        let until = Box::pin(tokio::time::sleep(LINGER));
        self.linger = Some(Linger { until, left_bytes: LINGER_BYTES_MAX });
        true
    }

    /// Throws away what still comes.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(linger) = &mut self.linger else { return Poll::Ready(()) };
        let mut bytes = [0; 4_096];
        while linger.left_bytes > 0 && linger.until.as_mut().poll(cx).is_pending() {
            let mut read = ReadBuf::new(&mut bytes);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read)) {
                Ok(()) if !read.filled().is_empty() => {
                    linger.left_bytes = linger.left_bytes.saturating_sub(read.filled().len());
                }
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(())
    }
}

impl<F: Fn() + Unpin> AsyncRead for Answering<F> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, into)
    }
}

impl<F: Fn() + Unpin> AsyncWrite for Answering<F> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_exchanged(bytes) {
            return self.poll_exchange(cx, bytes.len());
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match slices {
            [head] if self.is_exchanged(head) => self.poll_exchange(cx, head.len()),
            _ => Pin::new(&mut self.stream).poll_write_vectored(cx, slices),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        self.poll_linger(cx).map(Ok)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

/// What could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// No HTTP, or HTTP with something wrong in its head.
    Head,
    /// More head than is kept.
    HeadTooLarge,
    /// A longer address than is read.
    AddressTooLong,
    /// TLS where HTTP is spoken.
    Tls,
}

/// Which refusal of the library's `bytes` are, if they are one.
fn unread(bytes: &[u8]) -> Option<Unread> {
    let unread = match bytes.strip_prefix(b"HTTP/1.1 ")?.get(..4)? {
        b"400 " => Unread::Head,
        b"414 " => Unread::AddressTooLong,
        b"431 " => Unread::HeadTooLarge,
        _ => return None,
    };
    let head = std::str::from_utf8(bytes).ok()?;
    let alone = head.find("\r\n\r\n") == Some(head.len() - 4);
    let has = |name: &str| head.contains(&format!("\r\n{name}"));
    (alone && has("content-length: 0\r\n") && !has("x-request-id:")).then_some(unread)
}

impl Unread {
    /// A whole answer, with a number of its own.
    pub(super) fn answer(self, world: World) -> Bytes {
        let (reason, detail) = match self {
            Self::Head => (Refusal::Malformed, "its head is not that of an HTTP/1.0 or HTTP/1.1 request"),
            Self::HeadTooLarge => (Refusal::HeadTooLarge, "its head has more than 16 KiB or 64 lines"),
            Self::AddressTooLong => (Refusal::AddressTooLong, "its first line is too long"),
            Self::Tls => (Refusal::Malformed, "it begins like TLS, and here HTTP is spoken: use http://"),
        };
        let status = reason.row().status;
        let word = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
        let number = URL_SAFE_NO_PAD.encode(world.entropy::<9>());
        let body = Failure::new(reason, detail).document(&number).to_string();
        Bytes::from(format!(
            "HTTP/1.1 {status} {}\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n\
             X-Request-Id: {number}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            word.unwrap_or_default(),
            body.len()
        ))
    }
}
