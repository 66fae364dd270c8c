//! Who hears better on a connection of HTTP/1.1 is told so.
//!
//! The program goes to very many from a few threads that own whole connections (`fanout`), and a stream of
//! HTTP/2 is not one. Browsers speak HTTP/2 wherever it is offered, and have to be: HLS wants it. But a
//! stream that is reset with `HTTP_1_1_REQUIRED` (RFC 9113, section 7) is asked for again by HTTP/1.1, at
//! once and without a word to the page. Who is known to do that is asked to; everybody else hears where
//! they are.

use std::sync::atomic::{AtomicBool, Ordering};

use http::Request;
use http::header::USER_AGENT;
use tribune_core::door::address::Scheme;

use super::Shared;
use super::brief::is_for_program;
use super::requests::{FORWARDING, Near};

/// Programs that ask again, by what they call themselves: Chromium and what is made of it, and Firefox.
const ASK_AGAIN: [&str; 2] = ["Chrome/", "Firefox/"];

/// Whether this is to be asked again by HTTP/1.1. Once for each connection: who comes back to it all the same
/// hears where they are.
pub(super) fn is_better<B>(
    shared: &Shared,
    near: Near,
    (request, asked): (&Request<B>, &AtomicBool),
) -> bool {
    // In the clear browsers never speak HTTP/2, and what a proxy makes of the answer nobody knows.
    let is_better = shared.spec.fanout.is_some()
        && near.scheme == Scheme::Https
        && !shared.spec.trusted.holds(near.addr)
        && is_for_program(request.method(), request.uri().path())
        && !FORWARDING.iter().any(|name| request.headers().contains_key(*name))
        && asks_again(request)
        && !shared.spec.watch.as_ref().is_some_and(|watch| watch.refuses(near.addr));
    is_better && !asked.swap(true, Ordering::Relaxed)
}

fn asks_again<B>(request: &Request<B>) -> bool {
    let agent = request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    ASK_AGAIN.iter().any(|name| agent.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_is_known_to_ask_again_is_asked_to() {
        let asks = |agent: &str| {
            asks_again(&Request::get("/debate/live.mp4").header(USER_AGENT, agent).body(()).expect("legal"))
        };
        assert!(asks("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36"));
        assert!(asks("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"));
        assert!(!asks("Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 Version/18.4 Mobile Safari/604.1"));
        assert!(!asks("curl/8.5.0"));
    }
}
