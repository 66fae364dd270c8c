//! Webhooks: a room's events as signed JSON, posted to whoever asked, without the room ever waiting.
//!
//! One task holds a bounded queue and tries again with growing waits. Names are resolved here, and an address
//! that is not public is refused at the moment of connecting, so that a name cannot be moved to the inside
//! between check and use. Redirects are not followed. The queue lives in memory: what was not delivered when
//! the node stops is lost, and the room's status says the rest.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use tokio::sync::{Semaphore, mpsc};
use tribune_core::hmac::Hmac;
use tribune_core::room::{Event, Facts};
use tribune_core::status::ReplayLinks;
use tribune_core::time::WallTime;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

use crate::config::Config;
use crate::store::Webhook;

/// Deliveries that wait or are under way; more are dropped with a warning.
const DELIVERIES_MAX: usize = 256;
/// Deliveries posted at once.
const POSTS_MAX: usize = 8;
/// The wait before the second try; it doubles each time, up to `WAIT_MAX`.
const WAIT_FIRST: Duration = Duration::from_secs(1);
/// The longest wait between two tries.
const WAIT_MAX: Duration = Duration::from_secs(300);
/// The header with the signature: `sha256=` and hex.
pub const SIGNATURE_HEADER: &str = "tribune-signature";
/// The header with the event's word.
pub const EVENT_HEADER: &str = "tribune-event";

/// Where deliveries are handed in; copies share the queue.
#[derive(Clone)]
pub struct Webhooks {
    queue: mpsc::Sender<Delivery>,
}

/// One event to one receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Where it goes.
    pub url: String,
    /// The event's word.
    pub event: &'static str,
    /// `sha256=` and the HMAC of `body` in hex.
    pub signature: String,
    /// JSON.
    pub body: Bytes,
}

impl Delivery {
    /// The event of a room, signed for one receiver.
    pub fn new(event: Event, facts: &Facts, replay: Option<&ReplayLinks>, to: &Webhook) -> Self {
        let at = |time: Option<WallTime>| time.map(WallTime::rfc3339);
        let document = json!({
            "event": event.word(),
            "room": facts.name,
            "title": facts.title,
            "state": facts.state,
            "started_at": at(facts.started_at),
            "ended_at": at(facts.ended_at),
            "replay": replay,
        });
        let body = Bytes::from(document.to_string());
        let signature = signature(to.secret.as_bytes(), &body);
        Self { url: to.url.clone(), event: event.word(), signature, body }
    }
}

impl Webhooks {
    /// Starts the task on the present runtime.
    pub fn start(config: &Config) -> Self {
        let (queue, waiting) = mpsc::channel(DELIVERIES_MAX);
        let timeout = Duration::from_millis(u64::from(config.webhook_timeout_ms));
        let reach = if config.webhook_private { Reach::Anywhere } else { Reach::Public };
        tokio::spawn(run(
            waiting,
            Post { agent: agent(timeout, reach), tries_max: config.webhook_tries_max },
        ));
        Self { queue }
    }

    /// Hands a delivery in; never waits.
    pub fn send(&self, delivery: Delivery) {
        if let Err(error) = self.queue.try_send(delivery) {
            tracing::warn!(%error, "webhook_dropped");
        }
    }
}

/// Where webhooks may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    Public,
    Anywhere,
}

#[derive(Clone)]
struct Post {
    agent: ureq::Agent,
    tries_max: u32,
}

async fn run(mut waiting: mpsc::Receiver<Delivery>, post: Post) {
    let places = Arc::new(Semaphore::new(DELIVERIES_MAX));
    let posts = Arc::new(Semaphore::new(POSTS_MAX));
    while let Some(delivery) = waiting.recv().await {
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            tracing::warn!(event = delivery.event, "webhook_dropped");
            continue;
        };
        let (post, posts) = (post.clone(), Arc::clone(&posts));
        tokio::spawn(async move {
            deliver(&post, &posts, &delivery).await;
            drop(place);
        });
    }
}

async fn deliver(post: &Post, posts: &Semaphore, delivery: &Delivery) {
    for tried in 1..=post.tries_max {
        let Ok(_turn) = posts.acquire().await else { return };
        let (agent, copy) = (post.agent.clone(), delivery.clone());
        let answer = tokio::task::spawn_blocking(move || once(&agent, &copy)).await;
        match answer {
            Ok(Ok(())) => return,
            Ok(Err(why)) => tracing::warn!(event = delivery.event, tried, %why, "webhook_failed"),
            Err(error) => tracing::error!(event = delivery.event, %error, "webhook_failed"),
        }
        drop(_turn);
        if tried < post.tries_max {
            tokio::time::sleep(wait_after(tried)).await;
        }
    }
    tracing::warn!(event = delivery.event, "webhook_given_up");
}

fn wait_after(tried: u32) -> Duration {
    WAIT_FIRST.saturating_mul(1 << (tried - 1).min(16)).min(WAIT_MAX)
}

fn once(agent: &ureq::Agent, delivery: &Delivery) -> Result<(), String> {
    let answer = agent
        .post(&delivery.url)
        .header("content-type", "application/json")
        .header(EVENT_HEADER, delivery.event)
        .header(SIGNATURE_HEADER, &delivery.signature)
        .send(&delivery.body[..])
        .map_err(|error| error.to_string())?;
    let status = answer.status();
    if status.is_success() { Ok(()) } else { Err(format!("the receiver answered {status}")) }
}

fn agent(timeout: Duration, reach: Reach) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(timeout))
        .max_redirects(0)
        .http_status_as_error(false)
        .proxy(None)
        .user_agent("tribune")
        .build();
    ureq::Agent::with_parts(
        config,
        DefaultConnector::default(),
        Guarded { reach, inner: DefaultResolver::default() },
    )
}

/// A resolver that forgets addresses a webhook must not reach.
struct Guarded {
    reach: Reach,
    inner: DefaultResolver,
}

impl fmt::Debug for Guarded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guarded").field("reach", &self.reach).finish_non_exhaustive()
    }
}

impl Resolver for Guarded {
    fn resolve(
        &self,
        uri: &http::Uri,
        config: &ureq::config::Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.inner.resolve(uri, config, timeout)?;
        let mut kept = self.empty();
        for addr in found.iter() {
            if self.reach == Reach::Anywhere || is_public(addr.ip()) {
                kept.push(*addr);
            }
        }
        if kept.is_empty() {
            return Err(ureq::Error::Io(std::io::Error::other(
                "the address is private; webhook_private = true would allow it",
            )));
        }
        Ok(kept)
    }
}

/// Whether an address belongs to the public internet (the special-purpose registries of RFC 6890).
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let protocol = a == 192 && b == 0 && c == 0;
            let benchmark = a == 198 && (18..20).contains(&b);
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_documentation()
                || ip.is_multicast()
                || a == 0
                || a >= 240
                || shared
                || protocol
                || benchmark)
        }
        IpAddr::V6(ip) => {
            let [first, second, ..] = ip.segments();
            let embedded = match ip.segments() {
                [0, 0, 0, 0, 0, 0xffff, _, _] | [0x64, 0xff9b, 0, 0, 0, 0, _, _] => {
                    Some(embedded_v4(ip.octets()))
                }
                [0x2002, high, low, ..] => Some(v4(high, low)),
                _ => None,
            };
            match embedded {
                Some(ip) => is_public(ip),
                // Only 2000::/3 is given out; documentation lies in it.
                None => first & 0xe000 == 0x2000 && !(first == 0x2001 && (second == 0xdb8 || second < 0x200)),
            }
        }
    }
}

fn embedded_v4([.., a, b, c, d]: [u8; 16]) -> IpAddr {
    IpAddr::from([a, b, c, d])
}

fn v4(high: u16, low: u16) -> IpAddr {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    IpAddr::from([a, b, c, d])
}

/// What a webhook can be sent to: http or https, a host, no user.
pub fn is_url(text: &str) -> bool {
    text.len() <= 2_048
        && text.parse::<http::Uri>().is_ok_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
        })
}

fn signature(secret: &[u8], body: &[u8]) -> String {
    let hex: String = Hmac::new(secret).of(body).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for (ip, public) in [
            ("93.184.216.34", true),
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("172.16.0.1", false),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("0.0.0.0", false),
            ("255.255.255.255", false),
            ("224.0.0.1", false),
            ("2606:2800:220:1::1", true),
            ("::1", false),
            ("::", false),
            ("fe80::1", false),
            ("fd00::1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:8.8.8.8", true),
            ("64:ff9b::a00:1", false),
            ("2002:7f00:1::", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_public(ip.parse().unwrap()), public, "{ip}");
        }
    }

    #[test]
    fn waits_grow_and_are_bounded() {
        let waits: Vec<u64> = [1, 2, 3, 9, 10, 20, 400].map(|tried| wait_after(tried).as_secs()).to_vec();
        assert_eq!(waits, [1, 2, 4, 256, 300, 300, 300]);
    }

    #[test]
    fn urls_are_http_without_a_user() {
        for (url, good) in [
            ("https://example.org/hook?x=1", true),
            ("http://example.org", true),
            ("ftp://example.org", false),
            ("https://user:pw@example.org", false),
            ("/hook", false),
            ("", false),
        ] {
            assert_eq!(is_url(url), good, "{url}");
        }
    }

    fn delivery(port: u16) -> Delivery {
        let url = format!("http://127.0.0.1:{port}/hook");
        Delivery { url, event: "live", signature: "sha256=00".into(), body: Bytes::from_static(b"{}") }
    }

    #[test]
    fn a_private_receiver_is_refused_unless_allowed() {
        let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
        let delivery = delivery(receiver.local_addr().unwrap().port());
        let why = once(&agent(Duration::from_secs(5), Reach::Public), &delivery).unwrap_err();
        assert!(why.contains("the address is private"), "{why}");
        let answering = std::thread::spawn(move || {
            let (mut stream, _) = receiver.accept().unwrap();
            let mut seen = Vec::new();
            let mut byte = [0; 1];
            while !seen.ends_with(b"{}") {
                stream.read_exact(&mut byte).unwrap();
                seen.extend(byte);
            }
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
            String::from_utf8(seen).unwrap()
        });
        assert_eq!(once(&agent(Duration::from_secs(5), Reach::Anywhere), &delivery), Ok(()));
        let seen = answering.join().unwrap();
        assert!(
            seen.contains("tribune-signature: sha256=00") && seen.contains("tribune-event: live"),
            "{seen}"
        );
    }
}
