//! Strangers who shake hands, ask once and go. None was here before: no session is taken up again.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use rustls::client::Resumption;
use rustls::{ClientConfig, ClientConnection, Stream};
use rustls_pki_types::ServerName;
use socket2::{Domain, Protocol, Socket, Type};

use crate::fanout::secure::{Files, NAME};

/// How many there are at a time, and from how many addresses they come.
const AT_ONCE: usize = 32;
const ADDRESSES: u32 = 4_096;
/// Nobody waits longer for an answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// So many were answered well, and so many otherwise, within `lasting`.
///
/// # Errors
/// The server is not on this machine, or its certificate cannot be read.
pub fn shake((at, path): (SocketAddr, &str), files: &Files, lasting: Duration) -> anyhow::Result<(u64, u64)> {
    ensure!(at.ip().is_loopback(), "only a server of this machine is loaded");
    let mut config = Arc::unwrap_or_clone(files.client()?);
    config.resumption = Resumption::disabled();
    let config = Arc::new(config);
    let request = format!("GET {path} HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n");
    let (well, otherwise, number) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU32::new(0));
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while began.elapsed() < lasting {
                    let from = number.fetch_add(1, Ordering::Relaxed);
                    let came = one((from, at), config.clone(), &request);
                    let count = if came.is_ok_and(|is_well| is_well) { &well } else { &otherwise };
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    Ok((well.into_inner(), otherwise.into_inner()))
}

fn one((from, at): (u32, SocketAddr), config: Arc<ClientConfig>, request: &str) -> anyhow::Result<bool> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
    let from = Ipv4Addr::from_bits(0x7f02_0001 + from % ADDRESSES * 16);
    socket.bind(&SocketAddr::from((from, 0)).into())?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect(&at.into())?;
    let mut socket = TcpStream::from(socket);
    let mut tls = ClientConnection::new(config, ServerName::try_from(NAME)?)?;
    let mut stream = Stream::new(&mut tls, &mut socket);
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        // nginx closes without a word (RFC 8446, section 6.1).
        Err(error) if error.kind() != ErrorKind::UnexpectedEof => return Err(error.into()),
        Ok(_) | Err(_) => {}
    }
    Ok(answer.starts_with(b"HTTP/1.1 200"))
}
