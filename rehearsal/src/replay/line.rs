//! One request of a case, as the case's server noted it.

use std::net::Ipv4Addr;
use std::time::Duration;

/// The version of HTTP that a request came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// A connection for each request.
    Http10,
    /// One request after the other.
    Http11,
    /// Several at once.
    Http2,
}

impl Version {
    /// As logs write it, `HTTP/1.0`; what they do not say is HTTP/1.1.
    pub fn of(text: &str) -> Self {
        match text {
            "HTTP/1.0" => Self::Http10,
            "HTTP/2.0" | "HTTP/2" => Self::Http2,
            _ => Self::Http11,
        }
    }
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// When it began, since the case did.
    pub at: Duration,
    /// From its first byte to the last one of its answer.
    pub took: Duration,
    /// Where from; played from the same address.
    pub from: Ipv4Addr,
    /// The connection's number in the case.
    pub connection: u64,
    /// The version of HTTP.
    pub version: Version,
    /// `GET`.
    pub method: String,
    /// Path and query at the case's server.
    pub target: String,
    /// What was answered there.
    pub status: u16,
    /// The page it came from; empty without one.
    pub referer: String,
    /// The program that asked; empty when it did not say.
    pub agent: String,
    /// Whether it is labelled an attack.
    pub is_attack: bool,
}
