//! The sockets of `--media`, and the addresses that speakers are told.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

use crate::net::{BindError, advice};

/// Bytes of datagrams that may wait in the kernel: what 500 speakers send in half a second.
const RECEIVE_BYTES: usize = 4 << 20;
/// TCP connections that wait to be accepted.
const BACKLOG: i32 = 128;
/// Tries to find a port that is free for both, when any will do.
const PORT_TRIES_MAX: usize = 16;

/// UDP and TCP on one port; nothing is read yet.
#[derive(Debug)]
pub struct Sockets {
    /// Where both are.
    pub at: SocketAddr,
    pub(super) udp: std::net::UdpSocket,
    pub(super) tcp: std::net::TcpListener,
}

impl Sockets {
    /// Opens both at `addr`. Port 0 is any that is free for both; `[::]` takes IPv4 as well.
    ///
    /// # Errors
    /// The address cannot be had.
    pub fn open(addr: SocketAddr) -> Result<Self, BindError> {
        let tries = if addr.port() == 0 { PORT_TRIES_MAX } else { 1 };
        let mut opened = Self::open_once(addr);
        for _ in 1..tries {
            if opened.is_ok() {
                break;
            }
            opened = Self::open_once(addr);
        }
        opened.map_err(|error| BindError::Refused { addr, why: advice(&error) })
    }

    fn open_once(addr: SocketAddr) -> std::io::Result<Self> {
        let udp = bound(addr, Type::DGRAM, Protocol::UDP)?;
        // The kernel gives as much of it as it lets us have.
        let _ = udp.set_recv_buffer_size(RECEIVE_BYTES);
        let udp = std::net::UdpSocket::from(udp);
        let at = udp.local_addr()?;
        let tcp = bound(at, Type::STREAM, Protocol::TCP)?;
        tcp.listen(BACKLOG)?;
        Ok(Self { at, udp, tcp: tcp.into() })
    }
}

fn bound(addr: SocketAddr, kind: Type, protocol: Protocol) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), kind.cloexec(), Some(protocol))?;
    if addr.is_ipv6() {
        socket.set_only_v6(!addr.ip().is_unspecified())?;
    }
    if protocol == Protocol::TCP {
        socket.set_reuse_address(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&addr.into())?;
    Ok(socket)
}

/// The addresses speakers are told: those the operator announces; else the one that is listened on; else,
/// when that is every address, the ones this machine speaks to the world from.
pub fn announced(at: SocketAddr, public: &[IpAddr]) -> Vec<SocketAddr> {
    let with_port = |ip: &IpAddr| SocketAddr::new(*ip, at.port());
    if !public.is_empty() {
        return public.iter().map(with_port).collect();
    }
    if !at.ip().is_unspecified() {
        return vec![at];
    }
    let mut own: Vec<_> =
        [outward_v4(), at.is_ipv6().then(outward_v6).flatten()].into_iter().flatten().collect();
    if own.is_empty() {
        own.push(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    own.iter().map(with_port).collect()
}

/// A route to an address of RFC 5737 tells which of our addresses leads outward; nothing is sent.
fn outward_v4() -> Option<IpAddr> {
    outward((Ipv4Addr::UNSPECIFIED, 0).into(), (Ipv4Addr::new(192, 0, 2, 1), 9).into())
}

/// The same by RFC 3849.
fn outward_v6() -> Option<IpAddr> {
    outward((Ipv6Addr::UNSPECIFIED, 0).into(), (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), 9).into())
}

fn outward(from: SocketAddr, to: SocketAddr) -> Option<IpAddr> {
    let socket = std::net::UdpSocket::bind(from).ok()?;
    socket.connect(to).ok()?;
    socket.local_addr().ok().map(|addr| addr.ip())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn udp_and_tcp_share_a_port() {
        let sockets = Sockets::open("127.0.0.1:0".parse().unwrap()).unwrap();
        assert_ne!(sockets.at.port(), 0);
        assert_eq!(sockets.tcp.local_addr().unwrap(), sockets.at);
        let taken = Sockets::open(sockets.at).unwrap_err().to_string();
        assert!(taken.contains("another program"), "{taken}");
    }

    #[test]
    fn what_the_operator_announces_is_told_and_nothing_else() {
        let at = "0.0.0.0:8082".parse().unwrap();
        let public = ["203.0.113.7".parse().unwrap(), "2001:db8::7".parse().unwrap()];
        let told: Vec<_> = announced(at, &public).iter().map(ToString::to_string).collect();
        assert_eq!(told, ["203.0.113.7:8082", "[2001:db8::7]:8082"]);
        let at = "127.0.0.1:8082".parse().unwrap();
        assert_eq!(announced(at, &[]), [at]);
        let own = announced("[::]:8082".parse().unwrap(), &[]);
        assert!(!own.is_empty() && own.iter().all(|addr| !addr.ip().is_unspecified() && addr.port() == 8082));
    }
}
