//! The requests of one connection that are in flight: when there are none, and when the other side does not
//! take what it asked for.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use tokio::sync::watch;
use tribune_core::time::Time;

use crate::world::World;

/// Of an answer in HTTP/2 so many bytes are given at a time, and what follows only when they were taken: so
/// much of each answer lies here untaken, and taking it in the time that a stalled connection has is 273
/// bytes a second. The library takes the first of them before it knows of any room, and asks for what
/// follows before they are sent; so the last byte of what there is goes alone, and waits for all before it.
const PIECE_BYTES: usize = 16_384;

/// How many requests of one connection are in flight.
#[derive(Clone, Debug)]
pub(super) struct InFlight(Arc<Flights>);

#[derive(Debug)]
struct Flights {
    flying: watch::Sender<u32>,
    pieces: Option<Pieces>,
}

/// Answers that are given in pieces.
#[derive(Debug)]
struct Pieces {
    world: World,
    waiting: Mutex<Waiting>,
}

/// Those of which the last piece waits to be taken, and since when.
#[derive(Debug, Default)]
struct Waiting {
    since: BTreeMap<u64, Time>,
    next: u64,
    /// When the last of all pieces was given.
    last: Option<Time>,
}

/// What else goes on where a piece is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beside {
    /// Other answers are taken: somebody who has paused one, or many who share the connection.
    Others,
    /// Nothing.
    Nothing,
}

/// One request in flight, until its answer's body is dropped.
#[derive(Debug)]
pub(super) struct Flying(InFlight);

impl InFlight {
    /// Of HTTP/1, where a socket that stays full tells who takes nothing.
    pub(super) fn in_order() -> Self {
        Self(Arc::new(Flights { flying: watch::Sender::new(0), pieces: None }))
    }

    /// Of HTTP/2, where each answer has a window of its own.
    pub(super) fn by_pieces(world: World) -> Self {
        let pieces = Some(Pieces { world, waiting: Mutex::default() });
        Self(Arc::new(Flights { flying: watch::Sender::new(0), pieces }))
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

    /// Ready when a piece of an answer has not been taken for `stall`, or half as long again. A window that
    /// stays empty holds an answer as a socket does that stays full (RFC 9113, section 10.5), whatever else
    /// goes on beside it.
    pub(super) async fn stalled_for(&self, stall: Duration) -> Beside {
        let Some(pieces) = &self.0.pieces else { return std::future::pending().await };
        let mut flying = self.0.flying.subscribe();
        loop {
            let _ = flying.wait_for(|flying| *flying > 0).await;
            tokio::time::sleep(stall / 2).await;
            if let Some(beside) = pieces.is_stalled(stall) {
                return beside;
            }
        }
    }
}

impl Pieces {
    /// Whether a piece has waited for so long.
    fn is_stalled(&self, stall: Duration) -> Option<Beside> {
        let (now, waiting) = (self.world.now(), self.lock());
        let is_long = |since: Time| now.since(since) >= stall;
        waiting.since.values().min().filter(|since| is_long(**since))?;
        Some(if waiting.last.is_some_and(is_long) { Beside::Nothing } else { Beside::Others })
    }

    /// A piece is waited for from now on: its number.
    fn begin(&self) -> u64 {
        let now = self.world.now();
        let mut waiting = self.lock();
        let number = waiting.next;
        waiting.next += 1;
        waiting.last = Some(now);
        waiting.since.insert(number, now);
        number
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
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
    /// What of the last bytes was not given yet.
    rest: Bytes,
    /// The number of the piece that waits to be taken.
    piece: Option<u64>,
    has_given: bool,
}

impl Tracked {
    pub(super) fn new(body: Body, flying: Flying) -> Self {
        // Where there is no room for any, not even the first is asked for.
        let piece = flying.0.0.pieces.as_ref().filter(|_| !body.is_end_stream()).map(Pieces::begin);
        Self { body, flying, rest: Bytes::new(), piece, has_given: false }
    }

    /// The last piece was taken, or nobody waits for it any more.
    fn is_taken(&mut self) {
        if let (Some(pieces), Some(number)) = (&self.flying.0.0.pieces, self.piece.take()) {
            pieces.lock().since.remove(&number);
        }
    }

    /// The next piece of what there is.
    fn give(&mut self, pieces: &Pieces) -> Frame<Bytes> {
        (self.piece, self.has_given) = (Some(pieces.begin()), true);
        let bytes = self.rest.len().saturating_sub(1).clamp(1, PIECE_BYTES);
        Frame::data(self.rest.split_to(bytes.min(self.rest.len())))
    }
}

impl Drop for Tracked {
    fn drop(&mut self) {
        self.is_taken();
    }
}

impl http_body::Body for Tracked {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let flights = self.flying.0.0.clone();
        let Some(pieces) = &flights.pieces else { return Pin::new(&mut self.body).poll_frame(cx) };
        self.is_taken();
        if self.rest.is_empty() {
            match std::task::ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
                },
                ended => return Poll::Ready(ended),
            }
        }
        Poll::Ready(Some(Ok(self.give(pieces))))
    }

    fn is_end_stream(&self) -> bool {
        // An answer that was given in pieces is over when it is asked for one more: then the last was taken.
        !self.has_given && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let (hint, rest) = (self.body.size_hint(), self.rest.len() as u64);
        let mut whole = SizeHint::new();
        whole.set_lower(hint.lower() + rest);
        if let Some(upper) = hint.upper() {
            whole.set_upper(upper + rest);
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn poll(answer: &mut Tracked) -> Option<usize> {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        match Pin::new(answer).poll_frame(&mut cx) {
            Poll::Ready(Some(Ok(frame))) => frame.into_data().ok().map(|data| data.len()),
            Poll::Ready(_) | Poll::Pending => None,
        }
    }

    fn waiting(flights: &InFlight) -> usize {
        flights.0.pieces.as_ref().map_or(0, |pieces| pieces.lock().since.len())
    }

    #[test]
    fn an_answer_is_given_in_pieces_of_which_each_is_waited_for() {
        let flights = InFlight::by_pieces(World::begin());
        let sound = vec![7; 2 * PIECE_BYTES + 5];
        let mut answer = Tracked::new(Body::from(sound), flights.fly());
        assert_eq!((waiting(&flights), answer.size_hint().exact()), (1, Some(2 * PIECE_BYTES as u64 + 5)));
        for (bytes, left) in [(PIECE_BYTES, PIECE_BYTES + 5), (PIECE_BYTES, 5), (4, 1), (1, 0)] {
            assert_eq!(poll(&mut answer), Some(bytes));
            assert_eq!((waiting(&flights), answer.size_hint().exact()), (1, Some(left as u64)));
            assert!(!answer.is_end_stream(), "the last is to be taken as well");
        }
        assert_eq!((poll(&mut answer), waiting(&flights)), (None, 0));
        let mut other = Tracked::new(Body::from("sound"), flights.fly());
        assert_eq!((poll(&mut other), waiting(&flights)), (Some(4), 1));
        drop(other);
        assert_eq!(waiting(&flights), 0, "who left takes nothing, and is not waited for");
    }

    #[test]
    fn an_answer_that_waits_for_us_or_has_nothing_in_it_is_not_waited_for() {
        let flights = InFlight::by_pieces(World::begin());
        let pieces = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        let mut answer = Tracked::new(Body::from_stream(pieces), flights.fly());
        assert_eq!((poll(&mut answer), waiting(&flights)), (None, 0));
        assert!(Tracked::new(Body::empty(), flights.fly()).is_end_stream());
        let in_order = InFlight::in_order();
        let mut answer = Tracked::new(Body::from("sound"), in_order.fly());
        assert_eq!((poll(&mut answer), answer.is_end_stream()), (Some(5), true));
    }
}
