//! What strangers write into requests.

use std::net::IpAddr;

use std::sync::{Arc, LazyLock};

use tribune_core::door::address::{self, Headers, PROXY_BYTES_MAX, ProxyHeader};
use tribune_core::egress::range::{Asked, Serve, Version};
use tribune_core::egress::{Cursor, Icy, METAINT_BYTES, Step, Window};
use tribune_core::ingest::head::{self, HEAD_BYTES_MAX, HEAD_LINES_MAX, Start};
use tribune_core::ingest::whip::{
    CANDIDATES_MAX, Credentials, FRAGMENT_BYTES_MAX, Fragment, Offer, Patch, answer_for_speech, read_patch,
};
use tribune_core::ingest::{TITLE_BYTES_MAX, Title};
use tribune_core::mix::Kind;
use tribune_core::program::playlist::{Published, Query};
use tribune_core::program::{DEFAULT, Edition, PartNo, Renditions, synthetic};
use tribune_core::room::{Key, Name};
use tribune_core::time::{MediaTime, WallTime};

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

/// `Range`, `If-Range`, `If-None-Match` and `If-Modified-Since`, one a line, for a file as long as the first
/// four bytes say.
pub fn range(data: &[u8]) {
    let Some((len, header)) = data.split_first_chunk::<4>() else { return };
    let len = u64::from(u32::from_le_bytes(*len));
    let text = String::from_utf8_lossy(header);
    let mut lines = text.split('\n').map(|line| (!line.is_empty()).then_some(line));
    let mut next = || lines.next().flatten();
    let asked = Asked { range: next(), if_range: next(), if_none_match: next(), if_modified_since: next() };
    let last_modified = "Tue, 03 Nov 2026 20:00:00 GMT".to_owned();
    match asked.of(&Version { len, etag: "\"7\"".to_owned(), last_modified }) {
        Serve::Part(part) => assert!(asked.range.is_some() && part.start < part.end && part.end <= len),
        Serve::NotModified => assert!(asked.if_none_match.or(asked.if_modified_since).is_some()),
        Serve::Whole | Serve::Outside => {}
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

/// Numbers of eight bytes in the place of a part, a segment and a moment of the program.
pub fn window_place(data: &[u8]) {
    static WINDOW: LazyLock<Window> = LazyLock::new(|| {
        let window =
            Window::new(Arc::new(Renditions::new(&DEFAULT[..1]).expect("the default")), Edition(WallTime(0)));
        let part = |no| Arc::new(synthetic::part(PartNo(no), Kind::Conversation, 1));
        (6..18).fold(window, |window, no| window.append(part(no)))
    });
    for number in data.chunks_exact(8).map(|bytes| u64::from_le_bytes(bytes.try_into().expect("eight"))) {
        assert_eq!(WINDOW.get(PartNo(number)).is_some(), (6..18).contains(&number));
        assert_eq!(WINDOW.segment(number).is_some(), (1..3).contains(&number));
        if let Some(mut cursor) = Cursor::resume(&WINDOW, MediaTime(number)) {
            assert!(matches!(cursor.step(&WINDOW), Step::Part(_) | Step::Wait));
        }
    }
}

/// A title on its way to players: after a line with the artist.
pub fn titles(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (artist, title) = text.split_once('\n').unwrap_or(("", &text));
    let line = Title::new(artist, title).line();
    assert!(line.chars().all(|c| !c.is_control()) && line.len() <= 2 * TITLE_BYTES_MAX + 3);
    for shown in [&line[..], &text] {
        let (mut icy, mut sent) = (Icy::new(shown), Vec::new());
        icy.interleave(vec![0; METAINT_BYTES].into(), &mut sent);
        let block = &sent[1];
        assert_eq!(block.len(), 1 + 16 * usize::from(block[0]));
        let said = std::str::from_utf8(&block[1..]).expect("UTF-8").trim_end_matches('\0');
        assert!(said.starts_with("StreamTitle='") && said.ends_with("';"));
        assert_eq!(said.matches('\'').count(), 2, "{said}");
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

/// An offer to send sound: what is read of it can be written and read again.
pub fn whip_offer(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let _ = answer_for_speech(&text);
    let Ok(offer) = Offer::read(&text) else { return };
    let fresh = Credentials { ufrag: "fresh".to_owned(), pwd: "0123456789012345678901".to_owned() };
    let again = offer.restarted(&fresh);
    assert!(again.fragment().candidates.is_empty());
    if let Ok(read) = Offer::read(&again.text) {
        assert_eq!((read.credentials, read.wants, read.nack), (fresh, offer.wants, offer.nack));
    }
}

/// A fragment of ICE, and what a PATCH with it means.
pub fn whip_fragment(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (header, body) = text.split_once('\n').unwrap_or((&text, ""));
    let Ok(fragment) = Fragment::read(body) else { return };
    assert!(fragment.candidates.len() <= CANDIDATES_MAX);
    let known = Credentials { ufrag: "known".to_owned(), pwd: "0123456789012345678901".to_owned() };
    match read_patch(Some(header), "\"tag\"", &known, fragment.clone()) {
        Ok(Patch::Trickle(same)) => assert_eq!(same, fragment),
        Ok(Patch::Restart(fresh, same)) => {
            assert_eq!(
                (Some(&fresh), same.candidates),
                (fragment.credentials.as_ref(), fragment.candidates.clone())
            );
            let ours = Fragment::write(&fresh, "0", &fragment.candidates);
            // Ours has lines of its own beside the addresses.
            if ours.len() <= FRAGMENT_BYTES_MAX {
                assert_eq!(Fragment::read(&ours), Ok(fragment));
            }
        }
        Err(_) => {}
    }
}
