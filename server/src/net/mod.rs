//! The node's listeners: sockets in, HTTP/1.1 and HTTP/2 (and sources in Icecast's manner) out, everything
//! bounded.
//!
//! A connection goes through the same listed steps, each with its own deadline and its own reason to end:
//! accept → PROXY header (from trusted proxies only) → TLS → the first bytes (HTTP/1, HTTP/2 or a source) →
//! requests. What fails before the first request is *shed*: it costs one counter and, at most, one line a
//! second.

/// Certificates that are fetched and renewed by themselves.
pub mod acme;
mod bind;
pub(crate) mod brief;
mod connection;
/// What of the program arrived.
pub mod delivery;
mod elsewhere;
mod filter;
mod flight;
mod gate;
mod handed;
mod lease;
/// What one listener takes at most.
pub mod limits;
pub(crate) mod ready;
/// Port 80: leads to 443, and answers the certificate authority.
pub mod redirect;
mod requests;
mod socket;
/// Live sources as Icecast clients send them.
pub mod source;
mod stream;
/// The certificate and its key.
pub mod tls;
mod unread;
mod watched;

use std::io::{self, Read, Write};
use std::net::{self, IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use ipnet::IpNet;
use socket2::SockRef;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::task::TaskTracker;
use tribune_core::door::address::canonical;
use tribune_core::guard::live::{self as guard, Happened};
use tribune_core::reason::Shed;

pub(crate) use bind::advice;
pub use bind::{BindError, Bound};
pub use handed::{Again, Handed, HandedError};
pub(crate) use handed::{ignore_begin_again, runs};
pub(crate) use lease::Lease;
pub use limits::Limits;
pub use ready::{Ready, ReadyHead, ReadyOf};
pub use requests::{ClientAddr, Reached};
use socket::Socket;
pub(crate) use socket::unacknowledged;
pub use source::{SourceRequest, TakeSource};
pub use stream::Stream;
pub(crate) use stream::{Keys, Patience, Unwatched};

use crate::fanout::Fanout;
use crate::guard::{Knocking, Watch};
use crate::ops::logs::Repeats;
use crate::ops::metrics::{ListenerMetrics, Metrics};
use crate::shutdown::Shutdown;
use crate::world::World;

/// How long accepting rests when the system has no descriptor or memory left for another connection.
const ACCEPT_REST: Duration = Duration::from_millis(50);
/// Bytes of a request that are looked at before it is refused.
const ASKED_BYTES: usize = 2_048;
/// Sent, without waiting, to whoever comes to a full listener in the clear and has not asked yet.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nRefresh: 5\r\n\
    Content-Type: text/plain\r\nConnection: close\r\nContent-Length: 74\r\n\r\n\
    We are very busy. You keep your place; please come back in a few seconds.\n";

static ACCEPT_FAILED: Repeats = Repeats::new();
static CONNECTIONS_FULL: Repeats = Repeats::new();

/// Networks whose word about visitors is believed.
#[derive(Clone, Debug, Default)]
pub struct Trusted(Arc<[IpNet]>);

impl Trusted {
    /// These networks, and no other.
    pub fn new(networks: impl IntoIterator<Item = IpNet>) -> Self {
        Self(networks.into_iter().collect())
    }

    /// Whether `addr` is in one of them.
    pub fn holds(&self, addr: IpAddr) -> bool {
        let addr = canonical(addr);
        self.0.iter().any(|network| network.contains(&addr))
    }
}

/// One listener: what it is called, whom it believes, what it takes at most, who takes its sources.
#[derive(Clone)]
pub struct ListenerSpec {
    /// `public`, `stage`, `ops`: the label in metrics and logs.
    pub name: &'static str,
    /// With certificates it speaks TLS only.
    pub tls: Option<Arc<tls::Certificates>>,
    /// Proxies that are believed.
    pub trusted: Trusted,
    /// What it takes at most.
    pub limits: Limits,
    /// Who takes sources that come in Icecast's manner; `None`: they are ordinary requests.
    pub take_source: Option<TakeSource>,
    /// Whether the least urgent are put off when more come than can be answered.
    pub gated: Gated,
    /// Who sends the program to its listeners; `None`: the HTTP library does.
    pub fanout: Option<Fanout>,
    /// Who gives what is asked for most, from bytes that are ready; `None`: the router answers all.
    pub ready: Option<ReadyOf>,
    /// Who is told of everything that happens on it; `None` where no crowd comes.
    pub watch: Option<Watch>,
    /// Where it counts.
    pub metrics: Arc<Metrics>,
    /// The clock.
    pub world: World,
}

/// Whether a listener puts anybody off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gated {
    /// A crowd may come.
    Yes,
    /// Who comes is few, and needed.
    No,
}

/// What the connections of one listener share.
struct Shared {
    spec: ListenerSpec,
    app: Router,
    counts: ListenerMetrics,
    gate: Option<gate::Gate>,
    connections: TaskTracker,
    shutdown: Shutdown,
}

impl Shared {
    /// Something happened, for the guard.
    fn tell(&self, from: IpAddr, happened: Happened) {
        if let Some(watch) = &self.spec.watch {
            watch.tell(canonical(from), happened);
        }
    }

    /// A request, for the guard. A trusted proxy that says of nobody whom it asks for may ask for anybody.
    fn tell_request(&self, from: IpAddr, asked: guard::Asked) {
        if let Some(watch) = &self.spec.watch {
            let is_proxys = self.spec.trusted.holds(from);
            let of_proxy = Happened::OfProxy(guard::Unit::Requests);
            watch.tell(from, if is_proxys { of_proxy } else { Happened::Asked(asked) });
        }
    }

    /// What is to be done when a connection broke the rules.
    fn broke_rules(&self, near: requests::Near) -> impl Fn() + Send + 'static {
        let watch = self.spec.watch.clone();
        let is_proxys = self.spec.trusted.holds(near.addr);
        let happened =
            if is_proxys { Happened::OfProxy(guard::Unit::Requests) } else { Happened::BrokeRules };
        move || {
            if let Some(watch) = &watch {
                watch.tell(near.addr, happened);
            }
        }
    }
}

/// Serves `app` on every socket of `bound`, on the runtime this is called from. The task ends when the
/// shutdown has begun and every connection has ended, or when nobody waits any longer.
pub fn serve(bound: Bound, spec: ListenerSpec, app: Router, shutdown: Shutdown) -> JoinHandle<()> {
    let counts = spec.metrics.listener(spec.name);
    counts.connections_max.set(i64::from(spec.limits.connections_max));
    let room = Arc::new(Semaphore::new(spec.limits.connections_max as usize));
    let app = requests::counted(app, counts.clone());
    let gate = (spec.gated == Gated::Yes).then(|| gate::Gate::new(spec.world, spec.watch.clone()));
    let connections = TaskTracker::new();
    let shared = Arc::new(Shared { spec, app, counts, gate, connections: connections.clone(), shutdown });
    if let Some(fanout) = shared.spec.fanout.clone() {
        let (shutdown, world) = (shared.shutdown.clone(), shared.spec.world);
        tokio::spawn(async move {
            shutdown.leaving().await;
            if !shutdown.is_draining() {
                let (wait, over) = shutdown.moving();
                fanout.moves(world.now() + wait, over);
            }
            shutdown.at_once().await;
            fanout.end();
        });
    }
    tokio::spawn(async move {
        for listener in bound.into_listeners() {
            connections.spawn(accept(shared.clone(), listener, room.clone()));
        }
        connections.close();
        connections.wait().await;
    })
}

async fn accept(shared: Arc<Shared>, listener: TcpListener, room: Arc<Semaphore>) {
    // SAFETY: the standard library's listener owns one descriptor, always the same, until it is dropped.
    let watched = unsafe { AsyncFd::register_with_interest(listener, Interest::READABLE) };
    let listener = match watched {
        Ok(listener) => listener,
        Err(error) => return tracing::error!(listener = shared.spec.name, %error, "accept_impossible"),
    };
    let mut knocking = shared.spec.watch.as_ref().map(Watch::knocking);
    let mut is_filtered = false;
    loop {
        let accepted = tokio::select! {
            accepted = listener.async_io(Interest::READABLE, one) => accepted,
            homes = changed(&mut knocking) => {
                let homes: Vec<_> =
                    homes.iter().filter(|home| !shared.spec.trusted.holds(**home)).copied().collect();
                filter::show(listener.get_ref(), &homes);
                is_filtered |= !homes.is_empty();
                continue;
            }
            () = shared.shutdown.draining() => return,
        };
        match accepted {
            Ok((socket, peer)) => {
                if is_filtered {
                    // What is accepted has the filter as well, and needs none.
                    let _ = SockRef::from(&socket).detach_filter();
                }
                begin(&shared, (socket, peer), &room);
            }
            Err(error) => rest(&shared, &error).await,
        }
    }
}

/// Those who knock on though refused, whenever they are others.
async fn changed(knocking: &mut Option<Knocking>) -> Arc<[IpAddr]> {
    if let Some(knocking) = knocking
        && knocking.changed().await.is_ok()
    {
        return knocking.borrow_and_update().clone();
    }
    std::future::pending().await
}

/// A connection that waits, as a socket that does not block.
fn one(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (socket, peer) = SockRef::from(listener).accept4(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC)?;
    let peer = peer.as_socket().ok_or(io::ErrorKind::ConnectionAborted)?;
    Ok((socket.into(), peer))
}

/// A failed accept is either the visitor's (they were gone before we looked) or ours (no descriptors, no
/// memory).
async fn rest(shared: &Shared, error: &io::Error) {
    let theirs = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::Interrupted
    );
    if theirs {
        return;
    }
    if let Some(repeated) = ACCEPT_FAILED.pass(shared.spec.world.now()) {
        tracing::warn!(listener = shared.spec.name, %error, repeated, "accept_failed");
    }
    tokio::time::sleep(ACCEPT_REST).await;
}

fn begin(shared: &Arc<Shared>, (socket, peer): (TcpStream, SocketAddr), room: &Arc<Semaphore>) {
    shared.counts.accepted.inc();
    let from = canonical(peer.ip());
    let is_refused = shared.spec.watch.as_ref().is_some_and(|watch| watch.refuses(from));
    // A proxy speaks for others, whoever its neighbours are.
    if is_refused && !shared.spec.trusted.holds(from) {
        // The descriptor goes back at once; nothing is said to who broke the rules again and again. A reset
        // is one packet, and nothing is kept of the connection; an orderly end is four, and some is kept.
        let _ = SockRef::from(&socket).set_linger(Some(Duration::ZERO));
        return shared.tell(peer.ip(), Happened::TurnedAway);
    }
    let Ok(permit) = room.clone().try_acquire_owned() else {
        return refuse(shared, socket, peer);
    };
    let (shared, accepted) = (shared.clone(), shared.spec.world.now());
    let held = lease::Held::new(permit, shared.counts.open.clone());
    shared.connections.clone().spawn(async move {
        if let Some(gate) = &shared.gate {
            gate.first_turn(accepted);
        }
        connection::run(&shared, (Socket::new(socket), peer), held).await;
    });
}

/// Being refused costs less than asking did: no task, no buffer, no wait.
fn refuse(shared: &Shared, mut socket: TcpStream, peer: SocketAddr) {
    shared.counts.refused.inc();
    shared.tell(peer.ip(), Happened::TurnedAway);
    shared.spec.metrics.ledger.shed(Shed::ConnectionsFull);
    if shared.spec.tls.is_none() {
        // What was asked is taken off the socket: one that closes over bytes which nobody read is reset, and
        // the answer may be lost with it. A socket that cannot take these few bytes at once belongs to
        // somebody who does not read.
        let mut asked = [0; ASKED_BYTES];
        let read = socket.read(&mut asked).unwrap_or_default();
        let told =
            shared.gate.as_ref().and_then(|gate| gate.turns_away(&asked[..read], canonical(peer.ip())));
        let _ = socket.write(told.as_deref().unwrap_or(FULL));
        let _ = socket.shutdown(net::Shutdown::Write);
    }
    if let Some(repeated) = CONNECTIONS_FULL.pass(shared.spec.world.now()) {
        let connections_max = shared.spec.limits.connections_max;
        tracing::warn!(listener = shared.spec.name, connections_max, repeated, "connections_full");
    }
}

#[cfg(test)]
mod tests;
