//! From where a visitor comes when proxies stand in between: what a proxy says is believed only from proxies
//! we were told to trust, and a list of hops is believed from its near end as far as trust reaches.
//!
//! Sources: `Forwarded` is RFC 7239; `X-Forwarded-For`, `-Proto`, `-Host` are custom; the PROXY protocol is
//! version 2 of HAProxy's `proxy-protocol.txt` (section 2.2).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Hops of `Forwarded` or `X-Forwarded-For` that are looked at, from the near end; more are not believed.
pub const HOPS_MAX: usize = 16;
/// Bytes of all lines of one forwarding header that are looked at.
pub const HEADER_BYTES_MAX: usize = 4_096;
/// Bytes of a PROXY header, its fixed part included. The specification allows 65,551; a header with addresses
/// and the usual extensions needs less than 256.
pub const PROXY_BYTES_MAX: usize = 1_024;
/// The twelve bytes a PROXY version 2 header begins with.
pub const PROXY_SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

const PROXY_FIXED_BYTES: usize = 16;
const HOST_BYTES_MAX: usize = 255;

/// How the visitor's own connection was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// As it stands in an address.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// The forwarding headers of one request; several lines of one name are joined by commas, as RFC 9110
/// (section 5.3) allows.
#[derive(Clone, Copy, Debug, Default)]
pub struct Headers<'a> {
    /// `Forwarded`.
    pub forwarded: Option<&'a str>,
    /// `X-Forwarded-For`.
    pub x_forwarded_for: Option<&'a str>,
    /// `X-Forwarded-Proto`.
    pub x_forwarded_proto: Option<&'a str>,
    /// `X-Forwarded-Host`.
    pub x_forwarded_host: Option<&'a str>,
}

/// What is believed about a visitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Their address, or that of the last hop we have no reason to believe.
    pub addr: IpAddr,
    /// What a trusted proxy said about their connection.
    pub scheme: Option<Scheme>,
    /// What a trusted proxy said about the host they asked for.
    pub host: Option<String>,
}

/// Who the visitor is. `near` is where the connection (or its PROXY header) says it comes from; headers count
/// only if that is a trusted proxy. `Forwarded` wins over the `X-` headers, but where both say for whom and
/// do not agree, one of them is the visitor's own writing: then nobody knows whose the request is, and it
/// stays the proxy's. An unreadable hop ends the walk at the hop that reported it.
pub fn visitor(near: IpAddr, headers: &Headers<'_>, trusted: impl Fn(IpAddr) -> bool) -> Seen {
    let near = canonical(near);
    if !trusted(near) {
        return Seen { addr: near, scheme: None, host: None };
    }
    let hop = |hop| Hop { addr: hop_address(hop), scheme: None, host: None };
    match headers.forwarded {
        Some(value) => {
            let seen = walk(near, forwarded_hops(value), &trusted);
            let other = headers.x_forwarded_for.map(|list| walk(near, comma_list(list).map(hop), &trusted));
            let is_agreed = other.is_none_or(|other| other.addr == seen.addr);
            if is_agreed { seen } else { Seen { addr: near, ..seen } }
        }
        None => {
            let hops = comma_list(headers.x_forwarded_for.unwrap_or_default()).map(hop);
            let seen = walk(near, hops, trusted);
            Seen {
                scheme: headers.x_forwarded_proto.and_then(last_item).and_then(scheme_of),
                host: headers.x_forwarded_host.and_then(last_item).and_then(host_of),
                ..seen
            }
        }
    }
}

/// IPv4 inside IPv6 (`::ffff:192.0.2.1`) as IPv4, so that a dual-stack socket and an IPv4 network agree.
pub fn canonical(addr: IpAddr) -> IpAddr {
    addr.to_canonical()
}

/// What the bytes at the start of a connection are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyHeader {
    /// Not a PROXY header: the bytes belong to what follows.
    None,
    /// It may be one; more bytes are needed, `bytes` of them in all before it makes sense to ask again.
    Needs {
        /// How many bytes there must be, from the start of the connection.
        bytes: usize,
    },
    /// A whole header of `bytes` bytes.
    Whole {
        /// Its length; what follows belongs to the visitor.
        bytes: usize,
        /// The visitor, or `None` when the proxy speaks for itself (a health check) or for a socket without
        /// an IP address.
        source: Option<SocketAddr>,
    },
}

/// What is wrong with a PROXY header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// Version or command unknown.
    #[error(
        "the PROXY header's version and command byte is {0:#04x}; only version 2 LOCAL (0x20) and \
         PROXY (0x21) exist"
    )]
    Command(u8),
    /// Longer than we keep.
    #[error("the PROXY header says it has {0} bytes; at most {PROXY_BYTES_MAX} are taken")]
    TooLong(usize),
    /// Too short for its own address family.
    #[error("the PROXY header is too short for the address family it names")]
    Short,
}

/// Reads the start of a connection from a trusted proxy; never looks further than [`PROXY_BYTES_MAX`].
///
/// # Errors
/// The bytes begin with the signature, but what follows is not a version 2 header we take.
pub fn proxy_header(bytes: &[u8]) -> Result<ProxyHeader, ProxyError> {
    let shared = bytes.len().min(PROXY_SIGNATURE.len());
    if bytes[..shared] != PROXY_SIGNATURE[..shared] {
        return Ok(ProxyHeader::None);
    }
    if bytes.len() < PROXY_FIXED_BYTES {
        return Ok(ProxyHeader::Needs { bytes: PROXY_FIXED_BYTES });
    }
    let whole = PROXY_FIXED_BYTES + usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
    if whole > PROXY_BYTES_MAX {
        return Err(ProxyError::TooLong(whole));
    }
    if bytes.len() < whole {
        return Ok(ProxyHeader::Needs { bytes: whole });
    }
    let source = match bytes[12] {
        0x20 => None,
        0x21 => proxy_source(bytes[13], &bytes[PROXY_FIXED_BYTES..whole])?,
        command => return Err(ProxyError::Command(command)),
    };
    Ok(ProxyHeader::Whole { bytes: whole, source })
}

/// The family byte's upper half names the family, its lower half the transport, which must be a stream for
/// our use.
fn proxy_source(family: u8, block: &[u8]) -> Result<Option<SocketAddr>, ProxyError> {
    match family {
        0x11 => {
            let block: &[u8; 12] = block.first_chunk().ok_or(ProxyError::Short)?;
            let addr = Ipv4Addr::new(block[0], block[1], block[2], block[3]);
            Ok(Some(SocketAddr::new(addr.into(), u16::from_be_bytes([block[8], block[9]]))))
        }
        0x21 => {
            let block: &[u8; 36] = block.first_chunk().ok_or(ProxyError::Short)?;
            let addr: [u8; 16] = *block.first_chunk().expect("36 bytes hold 16");
            let addr = canonical(Ipv6Addr::from(addr).into());
            Ok(Some(SocketAddr::new(addr, u16::from_be_bytes([block[32], block[33]]))))
        }
        _ => Ok(None),
    }
}

struct Hop {
    addr: Option<IpAddr>,
    scheme: Option<Scheme>,
    host: Option<String>,
}

/// From the near end outwards: as long as the hop at hand is trusted, what it reported about the next one is
/// believed.
fn walk(near: IpAddr, hops: impl DoubleEndedIterator<Item = Hop>, trusted: impl Fn(IpAddr) -> bool) -> Seen {
    let mut seen = Seen { addr: near, scheme: None, host: None };
    for hop in hops.rev().take(HOPS_MAX) {
        let Some(addr) = hop.addr else { break };
        seen = Seen { addr, scheme: hop.scheme.or(seen.scheme), host: hop.host.or(seen.host) };
        if !trusted(addr) {
            break;
        }
    }
    seen
}

fn forwarded_hops(value: &str) -> impl DoubleEndedIterator<Item = Hop> {
    comma_list(value).map(|element| {
        let mut hop = Hop { addr: None, scheme: None, host: None };
        for pair in element.split(';').take(HOPS_MAX) {
            let Some((name, value)) = pair.split_once('=') else { continue };
            let value = value.trim().trim_matches('"');
            match name.trim().to_ascii_lowercase().as_str() {
                "for" => hop.addr = hop_address(value),
                "proto" => hop.scheme = scheme_of(value),
                "host" => hop.host = host_of(value),
                _ => {}
            }
        }
        hop
    })
}

/// The near end of the header: the far end is what a visitor could have made up, so that is what is cut off.
fn comma_list(value: &str) -> impl DoubleEndedIterator<Item = &str> {
    let mut from = value.len().saturating_sub(HEADER_BYTES_MAX);
    while !value.is_char_boundary(from) {
        from += 1;
    }
    value[from..].split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn last_item(value: &str) -> Option<&str> {
    comma_list(value).next_back()
}

/// `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]`, `[2001:db8::1]:4711`; obfuscated names are
/// nobody.
fn hop_address(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse::<IpAddr>()
        .or_else(|_| text.parse::<SocketAddr>().map(|with_port| with_port.ip()))
        .ok()
        .map(canonical)
}

fn scheme_of(text: &str) -> Option<Scheme> {
    match text.to_ascii_lowercase().as_str() {
        "http" => Some(Scheme::Http),
        "https" => Some(Scheme::Https),
        _ => None,
    }
}

/// A host with an optional port, of at most 255 bytes; anything that could end a link or a header early is
/// refused.
pub fn host_of(text: &str) -> Option<String> {
    let fits = (1..=HOST_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_:[]".contains(&b));
    fits.then(|| text.to_owned())
}

#[cfg(test)]
mod tests;
