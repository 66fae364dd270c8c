//! What is believed about a visitor, and from whom.

use proptest::prelude::*;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().expect("a test's address")
}

/// 10.0.0.0/8 and fd00::/8 are the trusted proxies.
fn trusted(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(v4) => v4.octets()[0] == 10,
        IpAddr::V6(v6) => v6.octets()[0] == 0xfd,
    }
}

#[test]
fn the_right_most_hop_without_trust_is_the_visitor() {
    for (near, x_forwarded_for, who) in [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("::ffff:203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("::ffff:10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "1.2.3.4, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "198.51.100.1, unknown, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1:4711", "198.51.100.1"),
        ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
        ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ("fd00::1", "\"[2001:db8::1]\"", "2001:db8::1"),
    ] {
        let headers = Headers { x_forwarded_for: Some(x_forwarded_for), ..Headers::default() };
        assert_eq!(visitor(ip(near), &headers, trusted).addr, ip(who), "{near} said {x_forwarded_for}");
    }
}

#[test]
fn forwarded_wins_and_tells_scheme_and_host() {
    let headers = Headers {
        forwarded: Some("for=1.2.3.4;proto=http, For=\"[2001:db8::1]:4711\";Proto=https;host=radio.example"),
        x_forwarded_for: Some("2001:db8::1"),
        x_forwarded_proto: Some("http"),
        x_forwarded_host: Some("evil.example"),
    };
    let seen = visitor(ip("10.0.0.1"), &headers, trusted);
    assert_eq!(seen.addr, ip("2001:db8::1"));
    assert_eq!(seen.scheme, Some(Scheme::Https));
    assert_eq!(seen.host.as_deref(), Some("radio.example"));
    let others = Headers { x_forwarded_for: Some("5.6.7.8"), ..headers };
    assert_eq!(visitor(ip("10.0.0.1"), &others, trusted).addr, ip("10.0.0.1"), "one of them is made up");
    let stranger = visitor(ip("203.0.113.9"), &headers, trusted);
    assert_eq!(stranger, Seen { addr: ip("203.0.113.9"), scheme: None, host: None });
}

#[test]
fn a_host_that_could_break_a_link_is_not_taken() {
    for (host, taken) in [
        ("radio.example", true),
        ("radio.example:8443", true),
        ("[2001:db8::1]:443", true),
        ("radio.example/evil", false),
        ("radio.example\r\nSet-Cookie: x", false),
        ("a\"b", false),
    ] {
        let headers = Headers { x_forwarded_host: Some(host), ..Headers::default() };
        assert_eq!(visitor(ip("10.0.0.1"), &headers, trusted).host.is_some(), taken, "{host}");
    }
}

fn proxy_bytes(command: u8, family: u8, block: &[u8]) -> Vec<u8> {
    let mut bytes = PROXY_SIGNATURE.to_vec();
    bytes.extend([command, family]);
    bytes.extend(u16::try_from(block.len()).expect("short").to_be_bytes());
    bytes.extend(block);
    bytes
}

#[test]
fn proxy_headers_of_each_kind() {
    let v4 = [192, 0, 2, 7, 10, 0, 0, 1, 0x12, 0x67, 0x1f, 0x90];
    let mut v6 = [0; 36];
    v6[..16].copy_from_slice(&"2001:db8::1".parse::<Ipv6Addr>().expect("an address").octets());
    v6[32..34].copy_from_slice(&4711_u16.to_be_bytes());
    let mut with_extension = v4.to_vec();
    with_extension.extend([0x04, 0, 3, 1, 2, 3]);
    for (bytes, source) in [
        (proxy_bytes(0x21, 0x11, &v4), Some("192.0.2.7:4711")),
        (proxy_bytes(0x21, 0x11, &with_extension), Some("192.0.2.7:4711")),
        (proxy_bytes(0x21, 0x21, &v6), Some("[2001:db8::1]:4711")),
        (proxy_bytes(0x20, 0x11, &v4), None),
        (proxy_bytes(0x20, 0x00, &[]), None),
        (proxy_bytes(0x21, 0x31, &[0; 216]), None),
    ] {
        let source = source.map(|text| text.parse().expect("an address"));
        assert_eq!(proxy_header(&bytes), Ok(ProxyHeader::Whole { bytes: bytes.len(), source }));
        for cut in 1..bytes.len() {
            let needs =
                matches!(proxy_header(&bytes[..cut]), Ok(ProxyHeader::Needs { bytes }) if bytes > cut);
            assert!(needs, "cut at {cut}");
        }
        let mut more = bytes.clone();
        more.extend(b"GET / HTTP/1.1\r\n");
        assert_eq!(proxy_header(&more), Ok(ProxyHeader::Whole { bytes: bytes.len(), source }));
    }
}

#[test]
fn what_is_not_a_proxy_header_is_said() {
    assert_eq!(proxy_header(b"GET / HTTP/1.1\r\n"), Ok(ProxyHeader::None));
    assert_eq!(proxy_header(b"\r\n\r\nGET"), Ok(ProxyHeader::None));
    assert_eq!(proxy_header(&proxy_bytes(0x11, 0x11, &[0; 12])), Err(ProxyError::Command(0x11)));
    assert_eq!(proxy_header(&proxy_bytes(0x21, 0x11, &[0; 11])), Err(ProxyError::Short));
    assert_eq!(proxy_header(&proxy_bytes(0x21, 0x21, &[0; 35])), Err(ProxyError::Short));
    assert_eq!(proxy_header(&proxy_bytes(0x21, 0x11, &[0; 1_009])), Err(ProxyError::TooLong(1_025)));
}

proptest! {
    #[test]
    fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..80), text in ".{0,200}") {
        let mut signed = PROXY_SIGNATURE.to_vec();
        signed.extend(&bytes);
        let _ = (proxy_header(&bytes), proxy_header(&signed));
        let both = Headers { forwarded: Some(&text), ..Headers::default() };
        let list = Headers { x_forwarded_for: Some(&text), x_forwarded_host: Some(&text), ..both };
        let list = Headers { forwarded: None, ..list };
        let _ = (visitor(ip("10.0.0.1"), &both, trusted), visitor(ip("10.0.0.1"), &list, trusted));
    }
}
