//! Low-latency HLS: playlists and parts that are the same bytes for everybody, so that any cache may serve
//! them.
//!
//! Only the multivariant playlist is for one listener and never cached. A blocking reload (RFC 8216bis,
//! 6.2.5.2) waits on the window like every other listener.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Response, header};
use tribune_core::egress::{Edge, Window};
use tribune_core::program::playlist::{self, Ask, MEDIA_TYPE, Query, Reload};
use tribune_core::program::{PART_MS, PartNo};
use tribune_core::reason::Refusal;

use crate::answer::Failure;
use crate::door::HandedOut;
use crate::window::Live;

/// A reload or a hinted part is waited for this long: three target durations, as the draft allows, then the
/// client asks again.
const WAIT: Duration = Duration::from_secs(6);
/// A media playlist named by its newest part never changes in what matters; a cache may keep it as long as it
/// is asked for.
const BLOCKING_CACHE: &str = "public, max-age=6";
/// The plain playlist is at most one part old when a cache serves it for a second.
const PLAIN_CACHE: &str = "public, max-age=1";
/// Parts, segments and headers never change; a passage that is taken out of the recording must not stay in
/// caches for longer.
pub(super) const FIXED_CACHE: &str = "public, max-age=3600, immutable";

const MP4: &str = "audio/mp4";

/// An answer, and the sound in it.
pub struct Sound {
    /// Whole.
    pub answer: Response<Body>,
    /// For the count of players.
    pub handed: HandedOut,
}

/// The media playlist of one rendition, when it holds what was asked for.
///
/// # Errors
/// `Malformed` when the part asked for is too far ahead; `GoingDown` when it did not come in time, or will
/// not come before the node is back.
pub async fn playlist(live: &Live, rendition: usize, query: Query) -> Result<Response<Body>, Failure> {
    let window = wait(live, |window| match query.ask.answer(window.published()) {
        Reload::Ready => Some(Ok(())),
        Reload::Wait => None,
        Reload::TooFarAhead => Some(Err(Failure::malformed(
            "_HLS_msn and _HLS_part name what is too far ahead of the newest part",
        ))),
        Reload::PartWithoutSegment => {
            Some(Err(Failure::malformed("_HLS_part counts within a segment: it needs _HLS_msn beside it")))
        }
    })
    .await?;
    let bytes = window.playlist(rendition, query.form).ok_or(Refusal::NotOpenYet)?;
    let cache = if query.ask == Ask::default() { PLAIN_CACHE } else { BLOCKING_CACHE };
    Ok(answer(bytes.clone(), MEDIA_TYPE, cache))
}

/// One part; the one after the newest is waited for, because the playlist hinted at it.
///
/// # Errors
/// `PartGone` outside the window; `GoingDown` as for a playlist.
pub async fn part(live: &Live, rendition: usize, no: PartNo) -> Result<Sound, Refusal> {
    let window = wait(live, |window| {
        if window.get(no).is_some() {
            return Some(Ok(()));
        }
        let hinted = window.last().is_none_or(|newest| no == newest.no.next());
        if hinted && window.edge() != Edge::Ended { None } else { Some(Err(Refusal::PartGone)) }
    })
    .await?;
    let part = window.get(no).ok_or(Refusal::PartGone)?;
    Ok(sound(part.tracks[rendition].chunk.clone(), 1))
}

/// One segment: its parts, one after the other.
///
/// # Errors
/// `PartGone` when it is not whole in the window.
pub fn segment(live: &Live, rendition: usize, segment: u64) -> Result<Sound, Refusal> {
    let window = live.window.borrow().clone();
    let parts = window.segment(segment).ok_or(Refusal::PartGone)?;
    let mut bytes = BytesMut::new();
    for part in parts {
        bytes.extend_from_slice(&part.tracks[rendition].chunk);
    }
    Ok(sound(bytes.freeze(), parts.len() as u64))
}

/// The header of one rendition's parts.
///
/// # Errors
/// `NoSuchPage` when there is no such rendition.
pub fn init(live: &Live, rendition: usize) -> Result<Response<Body>, Refusal> {
    Ok(answer(live.renditions.init_segment(rendition).ok_or(Refusal::NoSuchPage)?, MP4, FIXED_CACHE))
}

/// The multivariant playlist: for one listener, and never cached.
pub fn multivariant(live: &Live) -> Response<Body> {
    answer(playlist::multivariant(&live.renditions).into(), MEDIA_TYPE, "no-store")
}

async fn wait<E: From<Refusal>>(
    live: &Live,
    ready: impl Fn(&Window) -> Option<Result<(), E>>,
) -> Result<std::sync::Arc<Window>, E> {
    let mut updates = live.window.clone();
    let waited = tokio::time::timeout(WAIT, async {
        loop {
            let window = updates.borrow_and_update().clone();
            if let Some(verdict) = ready(&window) {
                return verdict.map(|()| window);
            }
            if window.edge() == Edge::Paused {
                return Err(Refusal::GoingDown.into());
            }
            updates.changed().await.map_err(|_| Refusal::RoomEnded)?;
        }
    });
    waited.await.map_err(|_| Refusal::GoingDown)?
}

fn sound(bytes: Bytes, parts: u64) -> Sound {
    let handed = HandedOut { sound_ms: parts * PART_MS, bytes: bytes.len() as u64 };
    Sound { answer: answer(bytes, MP4, FIXED_CACHE), handed }
}

fn answer(bytes: Bytes, content_type: &'static str, cache: &'static str) -> Response<Body> {
    let mut answer = Response::new(Body::from(bytes));
    let head = answer.headers_mut();
    head.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    head.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    answer
}
