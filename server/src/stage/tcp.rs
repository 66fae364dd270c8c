//! Speakers whose network lets no UDP through: the same datagrams over TCP, each after its length (RFC 4571).

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio::time::timeout;

/// Connections at a time. When there are so many, whoever came first without a word of a speaker's goes for
/// whoever comes now: a speaker says who they are at once, so that silent ones cannot keep them out.
const CONNECTIONS_MAX: usize = 1_024;
/// Bytes of one datagram; more than one packet on any network.
pub(super) const DATAGRAM_BYTES_MAX: usize = 2_000;
/// Datagrams of all connections that may wait for the media thread.
const CAME_MAX: usize = 512;
/// Datagrams that may wait for one slow connection; more are lost, as they would be over UDP.
const TO_SEND_MAX: usize = 64;
/// How long a connection may take to say something, first and later: a speaker's ICE asks every few seconds.
const SILENCE_MAX: Duration = Duration::from_secs(15);

/// What came over TCP.
pub(super) enum Came {
    /// A datagram.
    Datagram { from: SocketAddr, bytes: Vec<u8> },
    /// The connection is over.
    Gone { from: SocketAddr },
}

/// All connections.
pub(super) struct Connections {
    open: BTreeMap<SocketAddr, mpsc::Sender<Vec<u8>>>,
    /// Those who have not said who they are, in the order in which they came.
    strangers: VecDeque<SocketAddr>,
    came: mpsc::Sender<Came>,
}

/// Whether there was room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    Yes,
    /// A stranger had to go for it.
    Made,
    No,
}

impl Connections {
    pub(super) fn new() -> (Self, mpsc::Receiver<Came>) {
        let (came, coming) = mpsc::channel(CAME_MAX);
        (Self { open: BTreeMap::new(), strangers: VecDeque::new(), came }, coming)
    }

    /// Serves a connection on the present runtime.
    pub(super) fn accept(&mut self, stream: TcpStream, from: SocketAddr) -> Room {
        let mut room = Room::Yes;
        if self.open.len() >= CONNECTIONS_MAX {
            let Some(first) = self.strangers.pop_front() else { return Room::No };
            self.open.remove(&first);
            room = Room::Made;
        }
        // Speech must not wait for more speech; a socket that refuses still works.
        let _ = stream.set_nodelay(true);
        let (send, sending) = mpsc::channel(TO_SEND_MAX);
        self.open.insert(from, send);
        self.strangers.push_back(from);
        let came = self.came.clone();
        tokio::spawn(async move {
            let (read, write) = stream.into_split();
            tokio::select! {
                () = read_all(read, from, &came) => {}
                () = write_all(write, sending) => {}
            }
            // When the media thread is gone, nobody is left to be told.
            let _ = came.send(Came::Gone { from }).await;
        });
        room
    }

    /// Somebody has said who they are.
    pub(super) fn know(&mut self, who: SocketAddr) {
        self.strangers.retain(|stranger| *stranger != who);
    }

    /// Sends a datagram, or loses it when too many wait.
    pub(super) fn send(&self, to: SocketAddr, bytes: &[u8]) -> Room {
        let Some(connection) = self.open.get(&to) else { return Room::No };
        match connection.try_send(bytes.to_vec()) {
            Ok(()) => Room::Yes,
            Err(_) => Room::No,
        }
    }

    /// Ends a connection.
    pub(super) fn close(&mut self, with: SocketAddr) {
        self.open.remove(&with);
        self.strangers.retain(|stranger| *stranger != with);
    }
}

async fn read_all(mut stream: OwnedReadHalf, from: SocketAddr, came: &mpsc::Sender<Came>) {
    let mut bytes = [0; DATAGRAM_BYTES_MAX];
    while let Ok(Ok(read)) = timeout(SILENCE_MAX, read_one(&mut stream, &mut bytes)).await {
        let datagram = Came::Datagram { from, bytes: bytes[..read].to_vec() };
        if came.send(datagram).await.is_err() {
            return;
        }
    }
}

async fn read_one(stream: &mut OwnedReadHalf, bytes: &mut [u8]) -> std::io::Result<usize> {
    let len = usize::from(stream.read_u16().await?);
    let place = bytes.get_mut(..len).ok_or(std::io::ErrorKind::InvalidData)?;
    stream.read_exact(place).await
}

async fn write_all(mut stream: OwnedWriteHalf, mut sending: mpsc::Receiver<Vec<u8>>) {
    while let Some(datagram) = sending.recv().await {
        let Ok(len) = u16::try_from(datagram.len()) else { continue };
        let framed = [&len.to_be_bytes()[..], &datagram].concat();
        let sent = timeout(SILENCE_MAX, stream.write_all(&framed)).await;
        if !matches!(sent, Ok(Ok(()))) {
            return;
        }
    }
}
