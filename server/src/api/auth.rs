//! What a request shows of who asks: a key in `Authorization: Bearer`, or a cookie and the page that asks;
//! and from where it came.

use std::net::{IpAddr, Ipv4Addr};

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE, ORIGIN, USER_AGENT};
use http::request::Parts;
use tribune_core::door::address::Scheme;
use tribune_core::reason::Refusal;
use tribune_core::room::{AGE_MAX, Asks, Cookie, Key, Told, asks};

use super::{Api, Failure};
use crate::net::{ClientAddr, Reached};

/// The cookie over TLS: a browser takes it from this very host only, and only over TLS (RFC 6265bis, section
/// 4.1.3.2).
const COOKIE_SECURE: &str = "__Host-tribune";
/// The cookie in the clear, as on one's own machine.
const COOKIE_PLAIN: &str = "tribune";
const FETCH_SITE: &str = "sec-fetch-site";
/// Lines of cookies, and cookies in each, that are looked at.
const COOKIES_MAX: usize = 64;

/// The key or the cookie that came, if one did, by what way and from where.
pub struct Shown {
    pub(super) key: Option<Key>,
    pub(super) cookie: Option<Cookie>,
    pub(super) asks: Asks,
    pub(super) method: Method,
    pub(super) way: Way,
    pub(super) agent: String,
    /// The host that was asked for.
    pub(super) host: Option<String>,
    pub(super) from: IpAddr,
}

/// Whether a request may change anything (RFC 9110, section 9.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// It only reads.
    Reads,
    /// It may change something.
    Changes,
}

/// How the browser reached us, as it sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By TLS, here or at a proxy before us.
    Tls,
    /// In the clear.
    Clear,
}

impl FromRequestParts<Api> for Shown {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Failure> {
        std::future::ready(api.door.shown(parts)).await
    }
}

/// Reads the head of a request to the stage, which has the address `base` in links.
pub fn shown(parts: &Parts, base: &str) -> Result<Shown, Failure> {
    let reached = parts.extensions.get::<Reached>();
    let tls = base.starts_with("https:") || reached.is_some_and(|reached| reached.scheme == Scheme::Https);
    let way = if tls { Way::Tls } else { Way::Clear };
    let asked = reached.filter(|reached| reached.host.is_some()).map(|reached| reached.link(""));
    let own = [base, asked.as_deref().unwrap_or(base)];
    let word = |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    Ok(Shown {
        key: bearer(&parts.headers)?,
        cookie: way.cookie(&parts.headers),
        asks: asks(Told { origin: word(ORIGIN.as_str()), fetch_site: word(FETCH_SITE) }, &own),
        method: if parts.method.is_safe() { Method::Reads } else { Method::Changes },
        way,
        agent: word(USER_AGENT.as_str()).unwrap_or_default().to_owned(),
        host: reached.and_then(|reached| reached.host.clone()),
        from: visitor(parts),
    })
}

impl Shown {
    /// Nobody else's page may do this in the name of whoever looks at it; a program is no page.
    pub(super) fn by_no_other_page(&self) -> Result<(), Failure> {
        match self.asks {
            Asks::OurPage | Asks::Unsaid => Ok(()),
            Asks::OtherPage => Err(Failure::of(Refusal::OriginWrong)),
        }
    }
}

impl Way {
    const fn cookie_name(self) -> &'static str {
        match self {
            Self::Tls => COOKIE_SECURE,
            Self::Clear => COOKIE_PLAIN,
        }
    }

    /// Only the cookie of its own way is read: what came in the clear, anybody on the way can have set.
    fn cookie(self, headers: &HeaderMap) -> Option<Cookie> {
        let lines = headers.get_all(COOKIE).iter().take(COOKIES_MAX).filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';').take(COOKIES_MAX));
        let mut pairs = pairs.filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| *name == self.cookie_name()).and_then(|(_, value)| Cookie::parse(value))
    }

    /// `Set-Cookie` with this cookie.
    pub fn set(self, cookie: &Cookie) -> String {
        self.line(cookie.reveal(), AGE_MAX.as_secs())
    }

    /// `Set-Cookie` that takes it away.
    pub fn unset(self) -> String {
        self.line("", 0)
    }

    fn line(self, value: &str, age_s: u64) -> String {
        let (name, secure) = match self {
            Self::Tls => (COOKIE_SECURE, "; Secure"),
            Self::Clear => (COOKIE_PLAIN, ""),
        };
        format!("{name}={value}; Path=/; Max-Age={age_s}; HttpOnly; SameSite=Strict{secure}")
    }
}

/// From where a request came.
pub(crate) fn visitor(parts: &Parts) -> IpAddr {
    parts.extensions.get().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ClientAddr(ip)| *ip)
}

/// A text that cannot be a key is a wrong key of its own kind: it is no guess, so it is said what is wrong
/// with it.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<Option<Key>, Failure> {
    let Some(value) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let (scheme, key) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Failure::new(Refusal::KeyWrong, "send the header `Authorization: Bearer KEY`"));
    }
    Key::parse(key.trim()).map(Some).map_err(|error| Failure::new(Refusal::KeyWrong, error.to_string()))
}
