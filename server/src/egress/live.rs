//! The program as one long answer: Ogg Opus, ADTS AAC, fragmented MP4.
//!
//! A listener is a place in the window and nothing else: the bytes are the same `Bytes` for everybody.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderValue, Method, Response, header};
use tokio::sync::watch;
use tribune_core::door::capacity::Tier;
use tribune_core::egress::{Cursor, METAINT_BYTES, Window};
use tribune_core::program::{Codec, Renditions, SEGMENT_PARTS};
use tribune_core::reason::Refusal;
use tribune_core::time::{MediaTime, RATE_HZ};

use super::place::{Begin, Chosen, Next, Place, Titled};
use super::tier;
use crate::capacity::Serving;
use crate::door::Audience;
use crate::fanout::{Given, Taker};
use crate::guard::{Ear, Watch};
use crate::net::delivery::Delivery;
use crate::ops::OutputMetrics;
use crate::program::Titles;
use crate::window::Live;
use crate::world::World;

/// The longest `from_s` that is read, in characters; thirty years in microseconds have 16.
const FROM_CHARS_MAX: usize = 20;

/// The forms in which the program is one answer without end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `live.opus`: one unchained Ogg Opus stream, a page a part.
    Opus,
    /// `live.aac`: ADTS, with ICY metadata when asked for.
    Aac,
    /// `live.mp4`: fragmented MP4 with Opus, for Media Source.
    Mp4,
}

impl Form {
    pub(super) const fn codec(self) -> Codec {
        match self {
            Self::Opus | Self::Mp4 => Codec::Opus,
            Self::Aac => Codec::AacLc,
        }
    }

    /// The word in metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Opus => "opus",
            Self::Aac => "aac",
            Self::Mp4 => "mp4",
        }
    }

    /// Parts given at once on joining. A player of Media Source needs them to begin without waiting for
    /// more; other players hold what they are given in their own buffers, and would stay that much behind
    /// live.
    const fn join_parts(self) -> u64 {
        match self {
            Self::Opus | Self::Aac => 1,
            Self::Mp4 => 3,
        }
    }

    /// The answer's media type.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Opus => "audio/ogg; codecs=opus",
            Self::Aac => "audio/aac",
            Self::Mp4 => "audio/mp4; codecs=\"opus\"",
        }
    }
}

/// What a listener asked for.
pub struct Ask<'a> {
    /// The form, by the path.
    pub form: Form,
    /// `?rendition=opus32`; the form's best when absent.
    pub rendition: Option<&'a str>,
    /// `?from_s=12.8`, for `live.mp4`: what the listener has had the program up to, in seconds of its time.
    pub from_s: Option<&'a str>,
    /// What is heard now, for the players' displays.
    pub title: &'a str,
}

/// Who asks.
pub struct Listener<'a> {
    /// The open room's program, as the audience reads it.
    pub live: &'a Live,
    /// What it is called.
    pub titles: &'a Titles,
    /// Its seats.
    pub audience: &'a Arc<Audience>,
    /// How who comes now is served.
    pub serving: &'a Arc<Serving>,
    /// The guard, where they are, and by which it is known what arrives there.
    pub heard: Option<(&'a Watch, IpAddr, Option<&'a Delivery>)>,
    /// The right to a seat, when it was shown.
    pub pass: Option<&'a str>,
    /// `HEAD` is answered without taking a seat.
    pub method: &'a Method,
    /// For `Icy-MetaData`.
    pub headers: &'a HeaderMap,
    /// Who sends to this connection by itself, if somebody does.
    pub taker: Option<&'a Taker>,
    /// The clock.
    pub world: World,
    /// What is counted of this output.
    pub output: OutputMetrics,
}

/// The answer breaks off without its last chunk (RFC 9112, section 8): what was sent is not the whole of
/// it, so that players and pages come back when the node does.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the node stops in the middle of the program")]
struct BrokenOff;

/// Answers with the program from the live edge, or from where the listener was, until it ends, the node
/// stops or the listener leaves.
///
/// # Errors
/// `Malformed` for a rendition that this program or this form does not have, or a `from_s` that is no number
/// of seconds; `FullForNow` when every seat is taken, also for `HEAD`.
pub fn answer(listener: Listener<'_>, ask: &Ask<'_>) -> Result<Response<Body>, Refusal> {
    let live = listener.live;
    let tier = listener.serving.next();
    let rendition = find(&live.renditions, ask, tier)?;
    let from = ask.from_s.filter(|_| ask.form == Form::Mp4).map(moment).transpose()?;
    let icy = wants_icy(ask.form, listener.headers);
    let mut answer = Response::new(Body::empty());
    let head = answer.headers_mut();
    head.insert(header::CONTENT_TYPE, HeaderValue::from_static(ask.form.content_type()));
    head.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // As Icecast sends it: UTF-8 as it is.
    if let Ok(name) = HeaderValue::from_bytes(listener.titles.room().as_bytes()) {
        head.insert("icy-name", name);
    }
    if icy {
        head.insert("icy-metaint", HeaderValue::from(METAINT_BYTES));
    }
    if listener.method == Method::HEAD {
        return listener.audience.is_free().map(|()| answer);
    }
    let seat = listener.audience.take_seat(listener.pass, listener.output.clone())?;
    let served = listener.serving.serve(tier::paid(&live.renditions, (ask.form, rendition), tier));
    let join_parts = match tier {
        Tier::Full | Tier::LowBitRate => ask.form.join_parts(),
        // Fewer would be heard to their end before the next segment is whole.
        Tier::Segments => SEGMENT_PARTS,
    };
    let window = live.of(tier).borrow().clone();
    let begin = Begin {
        form: ask.form,
        rendition,
        chosen: if ask.rendition.is_some() { Chosen::ByName } else { Chosen::ByUs },
        wanted: tier,
        title: ask.title.into(),
        cursor: from
            .and_then(|at| Cursor::resume(&window, at))
            .unwrap_or_else(|| Cursor::join_with(&window, join_parts)),
        cut: live.cut.clone(),
        icy: icy.then(|| Titled::new(listener.titles.clone())),
        served,
        ear: listener.heard.map(|(watch, from, delivery)| Ear::opens(watch.clone(), from, delivery.cloned())),
        seat,
    };
    let (place, live) = (Place::new(begin), live.clone());
    if let Some(taker) = listener.taker {
        taker.give(Given { place, live, comes_again: is_script(listener.headers) });
        return Ok(answer);
    }
    let window = live.of(tier).clone();
    let listening = Listening { world: listener.world, live, window, place, ready: VecDeque::new() };
    *answer.body_mut() = Body::from_stream(stream::unfold(listening, |mut listening| async move {
        let bytes = listening.next().await?;
        Some((bytes, listening))
    }));
    Ok(answer)
}

/// Seconds as digits and a point, to samples of the program.
pub(crate) fn moment(text: &str) -> Result<MediaTime, Refusal> {
    let plain =
        text.len() <= FROM_CHARS_MAX && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let seconds: f64 =
        Some(text).filter(|_| plain).and_then(|text| text.parse().ok()).ok_or(Refusal::Malformed)?;
    Ok(MediaTime((seconds * f64::from(RATE_HZ)).round() as u64))
}

fn wants_icy(form: Form, headers: &HeaderMap) -> bool {
    form == Form::Aac && headers.get("icy-metadata").is_some_and(|value| value.as_bytes() == b"1")
}

/// Whether a script fetches it, and not an element or a program: it knows where it left off (Fetch Metadata
/// Request Headers, section 2.1: `empty` is the destination of `fetch()`).
fn is_script(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-dest").is_some_and(|value| value.as_bytes() == b"empty")
}

/// Who asks for a rendition by its name gets it, whatever the ladder says.
fn find(renditions: &Renditions, ask: &Ask<'_>, tier: Tier) -> Result<usize, Refusal> {
    let codec = ask.form.codec();
    let found = match ask.rendition {
        Some(name) => {
            renditions.position(name).filter(|&at| renditions.get(at).is_some_and(|one| one.codec == codec))
        }
        None => tier::rendition(renditions, ask.form, tier),
    };
    found.ok_or(Refusal::Malformed)
}

/// One listener whose connection the HTTP library serves.
struct Listening {
    world: World,
    live: Live,
    window: watch::Receiver<Arc<Window>>,
    place: Place,
    ready: VecDeque<Bytes>,
}

impl Listening {
    async fn next(&mut self) -> Option<Result<Bytes, BrokenOff>> {
        loop {
            if let Some(bytes) = self.ready.pop_front() {
                return Some(Ok(bytes));
            }
            if self.place.follows(&self.live.renditions) {
                self.window = self.live.of(self.place.tier()).clone();
            }
            let window = self.window.borrow_and_update().clone();
            match self.place.next(&window) {
                Next::Head(bytes) => self.ready.push_back(bytes),
                Next::Part(part) => {
                    self.place.hands_out(part, self.world.now());
                    self.ready.extend(self.place.titled(part));
                }
                Next::Wait => self.window.changed().await.ok()?,
                Next::BreakOff => {
                    // What was handed to the connection before is sent first: an error right behind it would
                    // take it along.
                    tokio::task::yield_now().await;
                    return Some(Err(BrokenOff));
                }
                Next::End(bytes) => self.ready.extend(bytes),
                Next::Over => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_digits_and_a_point() {
        for (text, samples) in [("0", 0), ("12.8", 614_400), (".32", 15_360), ("1.", 48_000)] {
            assert_eq!(moment(text), Ok(MediaTime(samples)), "{text}");
        }
        for text in ["", ".", "-1", "1e9", "inf", "nan", "1.2.3", "1,5", "0000000000000000000000"] {
            assert_eq!(moment(text), Err(Refusal::Malformed), "{text}");
        }
    }
}
