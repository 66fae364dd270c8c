//! Connections of a crowd: none waits for another, each comes from an address of its own.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::bail;
use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};

/// Networks of 256 addresses that a crowd comes from, one after another.
const NETWORKS: u32 = 4_096;

/// Refuses whatever is not this machine, and not IPv4: there are 16 million addresses to come from.
pub(crate) fn own(node: SocketAddr) -> anyhow::Result<SocketAddr> {
    match node.ip() {
        IpAddr::V4(ip) if ip.is_loopback() => Ok(node),
        ip => bail!("A crowd goes only to a node of this machine, at 127.0.0.0/8; {ip} is none."),
    }
}

/// Where the person of this number comes from: a million different addresses below 127.`wing`.0.0/12, the
/// next person from another network.
pub(crate) fn source(wing: u8, number: u32) -> Ipv4Addr {
    let (network, host) = (number % NETWORKS, number / NETWORKS % 256);
    let [_, _, high, low] = network.to_be_bytes();
    Ipv4Addr::new(127, wing.saturating_add(high), low, host as u8)
}

/// Begins to connect.
pub(crate) fn connect(from: Ipv4Addr, node: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    match socket.connect(&node.into()) {
        Ok(()) => {}
        Err(error) if is_on_its_way(&error) => {}
        Err(error) => return Err(error),
    }
    Ok(TcpStream::from_std(socket.into()))
}

/// Descriptors that the process may still open.
pub(crate) fn free_descriptors() -> io::Result<usize> {
    let open = std::fs::read_dir("/proc/self/fd")?.count();
    let limits = std::fs::read_to_string("/proc/self/limits")?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let most = line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(usize::MAX);
    Ok(most.saturating_sub(open))
}

fn is_on_its_way(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(libc::EINPROGRESS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_an_address_of_their_own() {
        let sources: std::collections::BTreeSet<_> = (0..200_000).map(|number| source(16, number)).collect();
        assert_eq!(sources.len(), 200_000);
        assert!(sources.iter().all(Ipv4Addr::is_loopback));
    }

    #[test]
    fn only_this_machine_is_visited() {
        for (node, goes) in [("127.0.0.1:80", true), ("192.0.2.1:80", false), ("[::1]:80", false)] {
            assert_eq!(own(node.parse().expect("an address")).is_ok(), goes, "{node}");
        }
    }
}
