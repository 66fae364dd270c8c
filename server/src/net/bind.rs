//! Sockets that listen.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};

use super::handed::Handed;

/// Connections that wait to be accepted; the kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 65_535;

/// Sockets that listen already: their ports are known, and connections may wait, but nobody accepts yet.
#[derive(Debug)]
pub struct Bound(Vec<(TcpListener, SocketAddr)>);

/// Why an address cannot be listened on.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// No address was given.
    #[error("no address to listen on was given")]
    Nowhere,
    /// The operating system refuses.
    #[error("cannot listen on {addr}: {why}")]
    Refused {
        /// Where.
        addr: SocketAddr,
        /// What the system says, and what to do about it where we know.
        why: String,
    },
}

impl Bound {
    /// Listens on every address. `[::]` takes IPv4 as well unless an IPv4 address with the same port is in
    /// the list; any other IPv6 address takes only its own.
    ///
    /// # Errors
    /// The list is empty, or one address cannot be had; then none is.
    pub fn open(addrs: &[SocketAddr]) -> Result<Self, BindError> {
        Self::open_with(&mut Handed::default(), addrs)
    }

    /// The same, where sockets listen already that were handed to us.
    ///
    /// # Errors
    /// As above.
    pub fn open_with(handed: &mut Handed, addrs: &[SocketAddr]) -> Result<Self, BindError> {
        if addrs.is_empty() {
            return Err(BindError::Nowhere);
        }
        let mut open = |addr: &SocketAddr| {
            let only_v6 = !addr.ip().is_unspecified() || has_v4_twin(addrs, addr.port());
            let listener = match handed.claim(*addr) {
                Some(listener) => listener,
                None => listen(*addr, if only_v6 { Stack::OnlyOwn } else { Stack::Dual })
                    .map_err(|error| BindError::Refused { addr: *addr, why: advice(&error) })?,
            };
            let at = listener.local_addr().unwrap_or(*addr);
            Ok((listener, at))
        };
        Ok(Self(addrs.iter().map(&mut open).collect::<Result<_, _>>()?))
    }

    /// Where it listens, with the ports the system chose for port 0.
    pub fn addrs(&self) -> Vec<SocketAddr> {
        self.0.iter().map(|(_, addr)| *addr).collect()
    }

    /// The same sockets once more: they listen for as long as one of both is there.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn again(&self) -> io::Result<Vec<TcpListener>> {
        self.0.iter().map(|(listener, _)| listener.try_clone()).collect()
    }

    pub(super) fn into_listeners(self) -> impl Iterator<Item = TcpListener> {
        self.0.into_iter().map(|(listener, _)| listener)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stack {
    OnlyOwn,
    Dual,
}

fn has_v4_twin(addrs: &[SocketAddr], port: u16) -> bool {
    addrs.iter().any(|other| other.is_ipv4() && other.port() == port && port != 0)
}

fn listen(addr: SocketAddr, stack: Stack) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM.cloexec(), Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(stack == Stack::OnlyOwn)?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    prepare(&socket)?;
    Ok(socket.into())
}

/// What a socket needs that is bound.
pub(super) fn prepare(socket: &Socket) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    // Every connection has it from here (tcp(7)). A part is sent the moment it is cut; waiting to fill a
    // packet would add to everybody's delay.
    socket.set_tcp_nodelay(true)?;
    socket.listen(BACKLOG)
}

pub(crate) fn advice(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program listens there; stop it or choose another port".to_owned()
        }
        io::ErrorKind::PermissionDenied => {
            "it is not allowed to; ports below 1024 need CAP_NET_BIND_SERVICE (the systemd unit gives it)"
                .to_owned()
        }
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    fn addr(text: &str) -> SocketAddr {
        text.parse().expect("a test's address")
    }

    #[tokio::test]
    async fn the_unspecified_ipv6_address_takes_ipv4_too() {
        let bound = Bound::open(&[addr("[::]:0")]).expect("a free port");
        let port = bound.addrs()[0].port();
        for host in ["127.0.0.1", "::1"] {
            TcpStream::connect((host, port)).await.expect("both families come in");
        }
    }

    #[tokio::test]
    async fn ipv4_and_ipv6_on_one_port_do_not_fight() {
        let first = Bound::open(&[addr("127.0.0.1:0")]).expect("a free port");
        let port = first.addrs()[0].port();
        drop(first);
        let both =
            [SocketAddr::new(addr("0.0.0.0:0").ip(), port), SocketAddr::new(addr("[::]:0").ip(), port)];
        Bound::open(&both).expect("each takes its own family");
    }

    #[tokio::test]
    async fn an_address_that_cannot_be_had_is_named() {
        let taken = Bound::open(&[addr("127.0.0.1:0")]).expect("a free port").addrs()[0];
        let holder = Bound::open(&[taken]).expect("free again");
        let wrong = Bound::open(&[taken]).expect_err("it is taken").to_string();
        assert!(wrong.contains(&taken.to_string()) && wrong.contains("another program"), "{wrong}");
        drop(holder);
        let wrong = Bound::open(&[addr("203.0.113.1:0")]).expect_err("not ours").to_string();
        assert!(wrong.contains("no such address"), "{wrong}");
        assert!(matches!(Bound::open(&[]), Err(BindError::Nowhere)));
    }
}
