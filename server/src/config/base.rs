//! What links begin with when no option says it.

use std::net::SocketAddr;
use std::sync::OnceLock;

use tribune_core::door::address::host_of;

/// Bytes of a host name that are read; POSIX lets it have 255.
const NAME_BYTES_MAX: usize = 256;
/// A host name nobody has: the machine itself.
const NOBODY: &str = "localhost";

/// What a link needs to know of a listener.
#[derive(Clone, Copy)]
pub(super) struct Base<'a> {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The name of the certificate, when it is known.
    pub domain: Option<&'a str>,
    /// Where the listener is.
    pub addr: SocketAddr,
    /// The name of this machine, for a listener on all addresses, which is on none that could be named.
    pub machine: &'a str,
}

impl Base<'_> {
    /// `scheme://host[:port]`, without the port that the scheme implies (RFC 3986, section 6.2.3).
    pub(super) fn written(self) -> String {
        let Self { scheme, domain, addr, machine } = self;
        let host = match (domain, addr) {
            (Some(domain), _) => domain.to_owned(),
            (None, addr) if addr.ip().is_unspecified() => machine.to_owned(),
            (None, SocketAddr::V4(addr)) => addr.ip().to_string(),
            (None, SocketAddr::V6(addr)) => format!("[{}]", addr.ip()),
        };
        match (scheme, addr.port()) {
            ("http", 80) | ("https", 443) => format!("{scheme}://{host}"),
            (_, port) => format!("{scheme}://{host}:{port}"),
        }
    }
}

/// Host, in lower case, and port of an `https` link; `None` for one that is not secure.
pub(super) fn secure_place(url: &str) -> Option<(String, u16)> {
    let url: http::Uri = url.parse().ok()?;
    let secure = url.scheme_str() == Some("https");
    secure.then(|| (url.host().unwrap_or_default().to_ascii_lowercase(), url.port_u16().unwrap_or(443)))
}

/// The name of this machine as it knows it, asked once; `localhost` when it has none that may stand in a
/// link.
pub(super) fn machine() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let mut bytes = [0_u8; NAME_BYTES_MAX];
        // SAFETY: the pointer is to as many writable bytes as the length says, and they outlive the call.
        let got = unsafe { libc::gethostname(bytes.as_mut_ptr().cast(), bytes.len()) };
        let name = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        let name = if got == 0 { std::str::from_utf8(name).ok().and_then(host_of) } else { None };
        name.unwrap_or_else(|| NOBODY.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_somewhere_whatever_is_listened_on() {
        for (scheme, domain, addr, link) in [
            ("http", None, "127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("http", None, "[::1]:8080", "http://[::1]:8080"),
            ("http", None, "[::]:8080", "http://radio:8080"),
            ("http", None, "0.0.0.0:80", "http://radio"),
            ("http", None, "192.0.2.1:443", "http://192.0.2.1:443"),
            ("https", None, "0.0.0.0:443", "https://radio"),
            ("https", None, "[2001:db8::1]:443", "https://[2001:db8::1]"),
            ("https", None, "192.0.2.1:80", "https://192.0.2.1:80"),
            ("https", Some("live.example.org"), "0.0.0.0:443", "https://live.example.org"),
            ("https", Some("live.example.org"), "10.0.0.5:8081", "https://live.example.org:8081"),
        ] {
            let addr: SocketAddr = addr.parse().expect("a test's address");
            let base = Base { scheme, domain, addr, machine: "radio" };
            assert_eq!(base.written(), link, "{addr}");
        }
    }

    #[test]
    fn the_machine_has_a_name_that_may_stand_in_a_link() {
        assert!(host_of(machine()).is_some(), "{:?}", machine());
    }
}
