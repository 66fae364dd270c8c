//! One connection of somebody who looks in from beside: it asks, waits, and reads.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, bail};
use socket2::{Domain, Protocol, Socket, Type};

use super::answers::{Answer, Body, Reader};
use super::own;
use super::requests::Request;

/// Who does not answer within this does not answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// A visitor with an address and a connection of their own.
#[derive(Debug)]
pub struct Visitor {
    from: Ipv4Addr,
    node: SocketAddr,
    host: String,
    stream: Option<TcpStream>,
}

impl Visitor {
    /// Nobody is connected yet.
    ///
    /// # Errors
    /// The node is not on this machine.
    pub fn new(from: Ipv4Addr, node: SocketAddr) -> anyhow::Result<Self> {
        let node = own(node)?;
        Ok(Self { from, node, host: node.to_string(), stream: None })
    }

    /// Asks for one path, over the connection of the time before if it still stands.
    ///
    /// # Errors
    /// There is no answer within 3 s, or the connection breaks; then the next one is new.
    pub fn get(&mut self, path: &str) -> anyhow::Result<Answer> {
        let request = Request { path, host: &self.host, agent: "replay", ..Request::EMPTY }.whole();
        let (mut stream, is_new) = match self.stream.take() {
            Some(stream) => (stream, false),
            None => (self.connect()?, true),
        };
        let mut asked = exchange(&mut stream, &request);
        if asked.is_err() && !is_new {
            // A connection that rested may have been closed meanwhile (RFC 9112, section 9.3.1).
            stream = self.connect()?;
            asked = exchange(&mut stream, &request);
        }
        let answer = asked.with_context(|| format!("{path} is not answered"))?;
        self.stream = Some(stream).filter(|_| !answer.is_last);
        Ok(answer)
    }

    fn connect(&self) -> anyhow::Result<TcpStream> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP))?;
        socket.bind(&SocketAddr::from((self.from, 0)).into())?;
        socket
            .connect_timeout(&self.node.into(), PATIENCE)
            .with_context(|| format!("nobody listens at {}", self.node))?;
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

fn exchange(stream: &mut TcpStream, request: &[u8]) -> anyhow::Result<Answer> {
    stream.write_all(request)?;
    let (mut reader, mut found, mut buffer) = (Reader::default(), None, [0; 16_384]);
    reader.asked(Body::Kept);
    while found.is_none() {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            found = Some(reader.end().context("the connection ended")?);
        } else if reader.take(&buffer[..read], |answer| found = Some(answer)).is_err() {
            bail!("the answer is no HTTP/1");
        }
    }
    found.context("there is an answer")
}
