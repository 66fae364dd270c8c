//! The delayed tier: plain HLS about half a minute behind, without a seat and without a pass.
//!
//! Nothing is kept of who hears it: each fetch is a request that ends, the same bytes for everybody. Over
//! HTTP/1.1 the connection ends with a segment: idle until the next one it would take a descriptor that a
//! live listener may want.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderValue, Method, Version, header};
use tribune_core::egress::late::{Segment, rendition};
use tribune_core::program::playlist::{MEDIA_TYPE, late as list};
use tribune_core::program::{Rendition, Renditions};
use tribune_core::reason::Refusal;
use tribune_core::room::Replay;

use super::hls::FIXED_CACHE;
use super::{Answer, Asked, At, Heard, heard, room, with_page, would_open};
use crate::answer::Path;
use crate::node::Node;
use crate::window::Live;

/// A playlist is new every 5.76 s; a cache may be so much behind.
const PLAYLIST_CACHE: &str = "public, max-age=2";
const MP4: &str = "audio/mp4";
/// The word in metrics.
const OUTPUT: &str = "late";

/// The addresses of the delayed tier.
pub(super) fn router(node: Arc<Node>) -> Router {
    Router::new()
        .route("/{room}/late.m3u8", get(multivariant))
        .route("/{room}/late/{file}", get(media_playlist))
        .route("/{room}/late/{rendition}/{edition}/{file}", get(media))
        .with_state(node)
}

/// Where a player begins; after the end it is handed the replay.
async fn multivariant(State(node): At, Path(name): Path<String>, asked: Asked) -> Answer {
    let room = room(&node, &name)?;
    if let Some(head) = would_open(&room, &asked.method, MEDIA_TYPE) {
        return Ok(head);
    }
    let view = room.view();
    if view.program.is_none() && view.lingering.is_none() && view.facts.replay == Replay::Ready {
        let replay = format!("/{}/replay.m3u8", room.name());
        return Ok(Redirect::temporary(&replay).into_response());
    }
    let heard = heard(&node, &name, &asked.method).await?;
    let said = |refusal| with_page(&node, &room, refusal);
    playlist(&heard.live).map_err(said)?;
    if asked.method == Method::GET {
        let capacity = &node.rooms.setup().capacity;
        capacity.late().begin(node.world.now()).map_err(said)?;
    }
    let one = only(&heard.live.renditions).ok_or(Refusal::OurFault)?;
    Ok(answer(list(one).into(), (MEDIA_TYPE, PLAYLIST_CACHE)))
}

/// `/{room}/late/{rendition}.m3u8`.
async fn media_playlist(
    State(node): At,
    Path((name, file)): Path<(String, String)>,
    method: Method,
) -> Answer {
    let Heard { live, .. } = heard(&node, &name, &method).await?;
    let asked = file.strip_suffix(".m3u8");
    if asked != only(&live.renditions).map(Rendition::name).as_deref() {
        return Err(Refusal::NoSuchPage.into());
    }
    Ok(playlist(&live)?)
}

/// `/{room}/late/{rendition}/{edition}/init.mp4`, `{segment}.mp4`.
async fn media(
    State(node): At,
    Path((name, rendition, edition, file)): Path<(String, String, String, String)>,
    (method, version): (Method, Version),
) -> Answer {
    let Heard { live, .. } = heard(&node, &name, &method).await?;
    if only(&live.renditions).map(Rendition::name).as_ref() != Some(&rendition) {
        return Err(Refusal::NoSuchPage.into());
    }
    if edition != live.window.borrow().edition().to_string() {
        return Err(Refusal::PartGone.into());
    }
    if file == "init.mp4" {
        let init = live.renditions.init_segment(self::rendition(&live.renditions));
        return Ok(answer(init.ok_or(Refusal::NoSuchPage)?, (MP4, FIXED_CACHE)));
    }
    let number = file.strip_suffix(".mp4").and_then(|number| number.parse().ok());
    let segment = segment(&live, number.ok_or(Refusal::NoSuchPage)?)?;
    if method == Method::GET {
        let bytes = segment.bytes.len() as u64;
        node.rooms.setup().capacity.late().take(node.world.now(), bytes)?;
        node.metrics.output(&name, OUTPUT).sent_bytes.inc_by(bytes);
        node.metrics.capacity.late_segments.inc();
    }
    Ok(sound(segment, version))
}

/// The media playlist.
///
/// # Errors
/// `LateNotYet` while there is too little to begin with.
pub(crate) fn playlist(live: &Live) -> Result<Response, Refusal> {
    let playlist = live.late.borrow().playlist.clone().ok_or(Refusal::LateNotYet)?;
    Ok(answer(playlist, (MEDIA_TYPE, PLAYLIST_CACHE)))
}

/// A segment that a playlist names, or named lately.
///
/// # Errors
/// `PartGone` for any other.
pub(crate) fn segment(live: &Live, number: u64) -> Result<Segment, Refusal> {
    live.late.borrow().segment(number).cloned().ok_or(Refusal::PartGone)
}

/// The whole answer to who asks for a segment.
pub(crate) fn sound(segment: Segment, version: Version) -> Response {
    let mut answer = answer(segment.bytes, (MP4, FIXED_CACHE));
    if version <= Version::HTTP_11 {
        answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

fn only(renditions: &Renditions) -> Option<&Rendition> {
    renditions.get(rendition(renditions))
}

fn answer(bytes: Bytes, (content_type, cache): (&'static str, &'static str)) -> Response {
    let mut answer = Response::new(Body::from(bytes));
    let head = answer.headers_mut();
    head.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    head.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    answer
}
