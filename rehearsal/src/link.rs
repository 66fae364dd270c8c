//! A way to the node's media port: datagrams over UDP, or over TCP each after its length (RFC 4571).

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use anyhow::Context;
use str0m::Candidate;
use str0m::net::{Protocol, TcpType};

use crate::speaker::Over;

/// Larger datagrams are none of WebRTC's.
const DATAGRAM_BYTES_MAX: usize = 2_000;

/// One open way.
pub struct Link {
    socket: Socket,
    /// Our end.
    pub local: SocketAddr,
    /// The node's.
    pub remote: SocketAddr,
}

enum Socket {
    Udp(UdpSocket),
    Tcp { stream: TcpStream, came: Vec<u8> },
}

impl Link {
    /// Opens a way to `remote`.
    pub fn open(over: Over, remote: SocketAddr) -> anyhow::Result<Self> {
        let any: IpAddr =
            if remote.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let socket = match over {
            Over::Udp => {
                let socket = UdpSocket::bind((any, 0)).context("no UDP port is free")?;
                socket.connect(remote)?;
                Socket::Udp(socket)
            }
            Over::Tcp => {
                let stream = TcpStream::connect(remote)
                    .with_context(|| format!("nothing listens at {remote} over TCP"))?;
                stream.set_nodelay(true)?;
                Socket::Tcp { stream, came: Vec::new() }
            }
        };
        let local = match &socket {
            Socket::Udp(socket) => socket.local_addr()?,
            Socket::Tcp { stream, .. } => stream.local_addr()?,
        };
        Ok(Self { socket, local, remote })
    }

    /// Both ends of a way over UDP.
    pub fn pair() -> anyhow::Result<(Self, Self)> {
        let (one, two) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
        let (at_one, at_two) = (one.local_addr()?, two.local_addr()?);
        one.connect(at_two)?;
        two.connect(at_one)?;
        Ok((
            Self { socket: Socket::Udp(one), local: at_one, remote: at_two },
            Self { socket: Socket::Udp(two), local: at_two, remote: at_one },
        ))
    }

    /// Our end as ICE names it.
    pub fn candidate(&self) -> anyhow::Result<Candidate> {
        let built = match self.socket {
            Socket::Udp(_) => Candidate::builder().udp().host(self.local).build(),
            Socket::Tcp { .. } => {
                Candidate::builder().tcp().host(self.local).tcptype(TcpType::Active).build()
            }
        };
        Ok(built?)
    }

    /// What it runs over.
    pub const fn protocol(&self) -> Protocol {
        match self.socket {
            Socket::Udp(_) => Protocol::Udp,
            Socket::Tcp { .. } => Protocol::Tcp,
        }
    }

    /// Sends a datagram. One that is lost is lost, as on any way.
    pub fn send(&mut self, datagram: &[u8]) {
        // A node that is gone shows by its silence.
        let _ = match &mut self.socket {
            Socket::Udp(socket) => socket.send(datagram).map(drop),
            Socket::Tcp { stream, .. } => match u16::try_from(datagram.len()) {
                Ok(len) => stream.write_all(&[&len.to_be_bytes()[..], datagram].concat()),
                Err(_) => Ok(()),
            },
        };
    }

    /// The next datagram, if one comes within `wait`.
    ///
    /// # Errors
    /// The node closed the connection.
    pub fn receive(&mut self, wait: Duration) -> anyhow::Result<Option<Vec<u8>>> {
        // A wait of zero would mean for ever.
        let wait = wait.max(Duration::from_micros(1));
        match &mut self.socket {
            Socket::Udp(socket) => {
                socket.set_read_timeout(Some(wait))?;
                let mut bytes = [0; DATAGRAM_BYTES_MAX];
                match socket.recv(&mut bytes) {
                    Ok(read) => Ok(Some(bytes[..read].to_vec())),
                    // ICMP tells of a port that nobody listens on; the next datagram may get through.
                    Err(error) if is_only_late(&error) || error.kind() == ErrorKind::ConnectionRefused => {
                        Ok(None)
                    }
                    Err(error) => Err(error.into()),
                }
            }
            Socket::Tcp { stream, came } => {
                if let Some(framed) = take_frame(came) {
                    return Ok(Some(framed));
                }
                stream.set_read_timeout(Some(wait))?;
                let mut bytes = [0; DATAGRAM_BYTES_MAX];
                match stream.read(&mut bytes) {
                    Ok(0) => anyhow::bail!("the node closed the TCP connection"),
                    Ok(read) => {
                        came.extend_from_slice(&bytes[..read]);
                        Ok(take_frame(came))
                    }
                    Err(error) if is_only_late(&error) => Ok(None),
                    Err(error) => Err(error.into()),
                }
            }
        }
    }
}

fn is_only_late(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

fn take_frame(came: &mut Vec<u8>) -> Option<Vec<u8>> {
    let len = usize::from(u16::from_be_bytes([*came.first()?, *came.get(1)?]));
    let framed = came.get(2..2 + len)?.to_vec();
    came.drain(..2 + len);
    Some(framed)
}
