//! The bytes of requests.

use std::fmt::Write;

/// Of a head or body that never ends, a line or a byte every so often.
pub(super) const DRIP: &str = "X-a: b\r\n";
/// What the body of a slow post says it is long.
const SLOW_BODY_BYTES: usize = 10_000;

/// One request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    pub method: &'a str,
    pub path: &'a str,
    /// The node's address, as the client says it.
    pub host: &'a str,
    /// `1.1`, or `1.0`.
    pub version: &'a str,
    /// Empty: the line is left out, as with the next ones.
    pub agent: &'a str,
    pub referer: &'a str,
    pub cookie: &'a str,
    /// What a browser takes of this kind.
    pub accept: &'a str,
    /// Codings that the client can undo.
    pub encodings: &'a str,
    /// JSON to post.
    pub body: &'a str,
}

impl Request<'_> {
    /// Nothing but method and path.
    pub const EMPTY: Self = Request {
        method: "GET",
        path: "/",
        host: "",
        version: "1.1",
        agent: "",
        referer: "",
        cookie: "",
        accept: "",
        encodings: "",
        body: "",
    };

    /// All of it.
    pub fn whole(&self) -> Vec<u8> {
        let mut text = self.head();
        if !self.body.is_empty() {
            text += "Content-Type: application/json\r\n";
        }
        if self.takes_body() {
            let _ = write!(text, "Content-Length: {}\r\n", self.body.len());
        }
        text += "\r\n";
        text += self.body;
        text.into_bytes()
    }

    /// A head without its end.
    pub fn unfinished_head(&self) -> Vec<u8> {
        self.head().into_bytes()
    }

    /// A head, and a body without its end.
    pub fn unfinished_body(&self) -> Vec<u8> {
        let kind = "Content-Type: application/x-www-form-urlencoded";
        format!("{}{kind}\r\nContent-Length: {SLOW_BODY_BYTES}\r\n\r\na=", self.head()).into_bytes()
    }

    fn takes_body(&self) -> bool {
        matches!(self.method, "POST" | "PUT" | "PATCH")
    }

    fn head(&self) -> String {
        let mut text =
            format!("{} {} HTTP/{}\r\nHost: {}\r\n", self.method, self.path, self.version, self.host);
        let lines = [
            ("User-Agent", self.agent),
            ("Referer", self.referer),
            ("Cookie", self.cookie),
            ("Accept", self.accept),
            ("Accept-Encoding", self.encodings),
        ];
        for (name, value) in lines.into_iter().filter(|(_, value)| !value.is_empty()) {
            let clean = value.chars().filter(|one| !one.is_control());
            let _ = write!(text, "{name}: {}\r\n", clean.collect::<String>());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_says_what_it_is_and_no_more() {
        let plain = Request { path: "/bench", host: "127.0.0.1:8080", ..Request::EMPTY };
        assert_eq!(plain.whole(), b"GET /bench HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n");
        let post = Request { method: "POST", path: "/bench/claim", host: "h", body: "{}", ..Request::EMPTY };
        let wanted = "POST /bench/claim HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n\
                      Content-Length: 2\r\n\r\n{}";
        assert_eq!(String::from_utf8(post.whole()).as_deref(), Ok(wanted));
        let agent = "a\r\nX: y";
        let clean = Request { agent, host: "h", ..Request::EMPTY }.unfinished_head();
        assert_eq!(clean, b"GET / HTTP/1.1\r\nHost: h\r\nUser-Agent: aX: y\r\n");
    }
}
