//! The requests of one connection that are in flight: when there are none, and when the other side takes
//! nothing of their answers.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::Frame;
use tokio::sync::watch;

use super::stream::LEAST_BYTES_PER_S;

/// How many requests of one connection are in flight.
#[derive(Clone, Debug)]
pub(super) struct InFlight(Arc<Flights>);

#[derive(Debug)]
struct Flights {
    flying: watch::Sender<u32>,
    /// Answers of which the next piece waits for the other side, and not for us.
    theirs: AtomicU32,
    /// Pieces that were asked for.
    pieces: AtomicU64,
    /// Bytes that the connection took, of all its answers, and what HTTP/2 needs for itself.
    bytes: AtomicU64,
}

/// One request in flight, until its answer's body is dropped.
#[derive(Debug)]
pub(super) struct Flying(InFlight);

impl InFlight {
    pub(super) fn new() -> Self {
        let flying = watch::Sender::new(0);
        let (pieces, bytes) = (AtomicU64::new(0), AtomicU64::new(0));
        Self(Arc::new(Flights { flying, theirs: AtomicU32::new(0), pieces, bytes }))
    }

    pub(super) fn fly(&self) -> Flying {
        self.0.flying.send_modify(|flying| *flying += 1);
        Flying(self.clone())
    }

    /// Ready when nothing has been in flight for `idle`.
    pub(super) async fn idle_for(&self, idle: Duration) {
        let mut flying = self.0.flying.subscribe();
        loop {
            // The sender lives in `self`, so neither wait can fail.
            let _ = flying.wait_for(|flying| *flying == 0).await;
            if tokio::time::timeout(idle, flying.wait_for(|flying| *flying > 0)).await.is_err() {
                return;
            }
        }
    }

    /// The connection took so many bytes.
    pub(super) fn wrote(&self, bytes: u64) {
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Ready when answers have waited for the other side for `stall`, and it took no piece of any, nor as
    /// many bytes as who is waited for takes. In HTTP/2 a window that stays empty holds an answer as a
    /// socket does that stays full (RFC 9113, section 10.5).
    pub(super) async fn stalled_for(&self, stall: Duration) {
        let mut flying = self.0.flying.subscribe();
        loop {
            let _ = flying.wait_for(|flying| *flying > 0).await;
            let before = self.seen();
            tokio::time::sleep(stall).await;
            if self.seen().is_stalled_since(before, stall) {
                return;
            }
        }
    }

    fn seen(&self) -> Seen {
        let Flights { theirs, pieces, bytes, .. } = &*self.0;
        let [pieces, bytes] = [pieces, bytes].map(|count| count.load(Ordering::Relaxed));
        Seen { waits: theirs.load(Ordering::Relaxed) > 0, pieces, bytes }
    }
}

/// What a connection's answers came to by some time.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// Whether some wait for the other side.
    waits: bool,
    pieces: u64,
    bytes: u64,
}

impl Seen {
    fn is_stalled_since(self, before: Self, stall: Duration) -> bool {
        let least = stall.as_millis() as u64 * u64::from(LEAST_BYTES_PER_S) / 1_000;
        let is_little = self.bytes - before.bytes < least;
        before.waits && self.waits && before.pieces == self.pieces && is_little
    }
}

impl Drop for Flying {
    fn drop(&mut self) {
        self.0.0.flying.send_modify(|flying| *flying -= 1);
    }
}

/// An answer's body that knows when it is over, and for whom it waits.
pub(super) struct Tracked {
    body: Body,
    flying: Flying,
    is_theirs: bool,
}

impl Tracked {
    pub(super) fn new(body: Body, flying: Flying) -> Self {
        let is_theirs = !http_body::Body::is_end_stream(&body);
        let mut tracked = Self { body, flying, is_theirs: false };
        tracked.is_theirs(is_theirs);
        tracked
    }

    fn is_theirs(&mut self, is_theirs: bool) {
        let theirs = &self.flying.0.0.theirs;
        match (self.is_theirs, is_theirs) {
            (false, true) => theirs.fetch_add(1, Ordering::Relaxed),
            (true, false) => theirs.fetch_sub(1, Ordering::Relaxed),
            _ => return,
        };
        self.is_theirs = is_theirs;
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.is_theirs(false);
    }
}

impl http_body::Body for Tracked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.flying.0.0.pieces.fetch_add(1, Ordering::Relaxed);
        let piece = Pin::new(&mut self.body).poll_frame(cx);
        // What was given has still to be taken before the next is asked for.
        let is_theirs = matches!(piece, Poll::Ready(Some(Ok(_))));
        self.is_theirs(is_theirs);
        piece
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STALL: Duration = Duration::from_secs(60);

    fn is_stalled(flights: &InFlight, meanwhile: impl FnOnce()) -> bool {
        let before = flights.seen();
        meanwhile();
        flights.seen().is_stalled_since(before, STALL)
    }

    fn poll(answer: &mut Tracked) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        http_body::Body::poll_frame(Pin::new(answer), &mut Context::from_waker(std::task::Waker::noop()))
    }

    #[test]
    fn an_answer_of_which_nothing_is_taken_is_told() {
        let flights = InFlight::new();
        assert!(!is_stalled(&flights, || {}), "nobody asked for anything");
        let mut answer = Tracked::new(Body::from("sound"), flights.fly());
        assert!(is_stalled(&flights, || {}));
        assert!(is_stalled(&flights, || flights.wrote(60 * 511)), "a few bytes now and then");
        assert!(!is_stalled(&flights, || flights.wrote(60 * 512)), "a slow network is none");
        assert!(!is_stalled(&flights, || assert!(poll(&mut answer).is_ready())), "it takes a piece");
        assert!(is_stalled(&flights, || {}), "and no other");
        drop(answer);
        assert!(!is_stalled(&flights, || {}));
    }

    #[test]
    fn an_answer_that_waits_for_us_is_not() {
        let flights = InFlight::new();
        let pieces = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        let mut answer = Tracked::new(Body::from_stream(pieces), flights.fly());
        assert!(poll(&mut answer).is_pending() && !is_stalled(&flights, || {}));
        let empty = Tracked::new(Body::empty(), flights.fly());
        assert!(!is_stalled(&flights, || {}), "of nothing nothing is to be taken");
        drop(empty);
    }
}
