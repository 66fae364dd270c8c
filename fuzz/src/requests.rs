//! What strangers write into requests.

use std::net::IpAddr;

use tribune_core::door::address::{self, Headers, PROXY_BYTES_MAX, ProxyHeader};
use tribune_core::egress::range::{self, Serve};
use tribune_core::ingest::head::{self, HEAD_BYTES_MAX, HEAD_LINES_MAX, Start};
use tribune_core::program::PartNo;
use tribune_core::program::playlist::{Published, Query};
use tribune_core::room::{Key, Name};
use tribune_core::time::WallTime;

/// The first bytes of a connection that may bring a source; more of them never change a decision.
pub fn source_head(data: &[u8]) {
    match head::start(data) {
        Ok(Start::Source(found)) => {
            assert!(found.bytes <= data.len().min(HEAD_BYTES_MAX));
            assert!(found.headers.len() <= HEAD_LINES_MAX && found.target.starts_with('/'));
            let longer = [data, b"sound"].concat();
            assert_eq!(head::start(&longer), Ok(Start::Source(found)));
        }
        Ok(Start::Ordinary) => {
            assert_eq!(head::start(&[data, b"more"].concat()), Ok(Start::Ordinary));
        }
        Ok(Start::Needs) => assert!(data.len() < HEAD_BYTES_MAX),
        Err(_) => {}
    }
}

/// A `Range` header for a file as long as the first four bytes say.
pub fn range(data: &[u8]) {
    let Some((len, header)) = data.split_first_chunk::<4>() else { return };
    let len = u64::from(u32::from_le_bytes(*len));
    match range::select(&String::from_utf8_lossy(header), len) {
        Serve::Part(part) => assert!(part.start < part.end && part.end <= len),
        Serve::Whole | Serve::Outside => {}
        Serve::NotModified => unreachable!("a range alone is not a condition"),
    }
}

/// The first bytes from a proxy: whole or not, a shorter piece of them never says more.
pub fn proxy_header(data: &[u8]) {
    match address::proxy_header(data) {
        Ok(ProxyHeader::Whole { bytes, .. }) => {
            assert!(bytes <= data.len().min(PROXY_BYTES_MAX));
            assert!(matches!(address::proxy_header(&data[..bytes - 1]), Ok(ProxyHeader::Needs { .. })));
        }
        Ok(ProxyHeader::Needs { bytes }) => assert!(bytes > data.len() && bytes <= PROXY_BYTES_MAX),
        Ok(ProxyHeader::None) | Err(_) => {}
    }
}

/// Forwarding headers, one a line. Everybody from 10.0.0.0/8 is trusted.
pub fn visitor(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.split('\n').map(|line| (!line.is_empty()).then_some(line));
    let mut next = || lines.next().flatten();
    let headers = Headers {
        forwarded: next(),
        x_forwarded_for: next(),
        x_forwarded_proto: next(),
        x_forwarded_host: next(),
    };
    let is_ours = |addr: IpAddr| matches!(addr, IpAddr::V4(addr) if addr.octets()[0] == 10);
    let near = IpAddr::from([10, 0, 0, 1]);
    let seen = address::visitor(near, &headers, is_ours);
    assert_eq!(seen.addr, address::canonical(seen.addr));
    assert!(seen.host.iter().all(|host| !host.contains(['/', '"', '<', '\r', ' '])));
    let stranger = IpAddr::from([192, 0, 2, 1]);
    let seen = address::visitor(stranger, &headers, is_ours);
    assert_eq!((seen.addr, seen.scheme, seen.host), (stranger, None, None));
}

/// The query of a media playlist, and the answer to it.
pub fn hls_query(data: &[u8]) {
    if let Ok(query) = Query::parse(&String::from_utf8_lossy(data)) {
        for (last, ended) in [(None, false), (Some(PartNo(17)), false), (Some(PartNo(17)), true)] {
            query.ask.answer(Published { last, ended });
        }
    }
}

/// Names, keys and times as they stand in commands.
pub fn room_words(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(name) = Name::parse(&text) {
        assert_eq!(name.as_str(), text);
        assert!(name.as_str().bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
    }
    if let Ok(key) = Key::parse(&text) {
        assert!(key.hash().matches(&key));
    }
    if let Some(at) = WallTime::parse(&text) {
        assert_eq!(WallTime::parse(&at.rfc3339()), Some(at), "{text}");
    }
}
