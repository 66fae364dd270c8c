//! The media thread: every datagram finds its speaker, every frame its listeners.
//!
//! A datagram of STUN names its speaker and is signed with their password; everything else is known by where
//! it comes from, once such a datagram came from there. What is neither is counted and dropped, so that a
//! stranger costs one look-up.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::Input;
use str0m::ice::StunMessage;
use str0m::net::{Protocol, Receive, Transmit};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tribune_core::reason::Refusal;
use tribune_core::room::KeyHash;

use super::answering::Answering;
use super::peer::{Keep, Now, Peer};
use super::succession::Fates;
use super::tcp::{Came, Connections, DATAGRAM_BYTES_MAX, Room};
use super::{Ask, PEERS_MAX, PeerId, Sockets};
use crate::answer::Failure;
use crate::ops::logs::Repeats;
use crate::ops::metrics::{Dropped, MediaMetrics};
use crate::program::{FromRooms, Minus};
use crate::shutdown::Shutdown;
use crate::world::World;

/// Datagrams read before anything else gets its turn.
const BATCH_MAX: usize = 64;
/// Addresses from which one speaker's datagrams are known; the oldest is forgotten.
const PLACES_PER_PEER_MAX: usize = 8;
/// How often connections that ended without a word are looked for.
const SWEEP_EVERY: Duration = Duration::from_millis(500);
/// STUN begins with two zero bits (RFC 7983, section 7).
const STUN_FIRST_BYTE_MAX: u8 = 3;

static PEER_BROKE: Repeats = Repeats::new();

/// What the thread works with.
pub(super) struct With {
    pub(super) answering: Arc<Answering>,
    pub(super) metrics: MediaMetrics,
    pub(super) world: World,
    pub(super) shutdown: Shutdown,
}

/// What reaches the thread besides datagrams.
pub(super) struct Inbox {
    pub(super) asked: mpsc::Receiver<Ask>,
    pub(super) heard: FromRooms,
}

/// A way to somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Udp(SocketAddr),
    Tcp(SocketAddr),
}

struct Media {
    with: With,
    udp: UdpSocket,
    is_v6: bool,
    tcp: Connections,
    peers: BTreeMap<PeerId, Peer>,
    by_name: BTreeMap<String, PeerId>,
    by_place: BTreeMap<Place, PeerId>,
    fates: Fates,
    /// Whom the library works for now: who is to go, should it break.
    busy: Option<PeerId>,
    out: Vec<Transmit>,
}

/// Serves until the shutdown has begun and every speaker was told.
pub(super) async fn serve(sockets: Sockets, with: With, mut inbox: Inbox) {
    let Sockets { at, udp, tcp } = sockets;
    let (udp, tcp) = match (UdpSocket::from_std(udp), TcpListener::from_std(tcp)) {
        (Ok(udp), Ok(tcp)) => (udp, tcp),
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(%error, "media_not_served");
            return;
        }
    };
    let (connections, mut came) = Connections::new();
    let shutdown = with.shutdown.clone();
    let mut media = Media {
        with,
        udp,
        is_v6: at.is_ipv6(),
        tcp: connections,
        peers: BTreeMap::new(),
        by_name: BTreeMap::new(),
        by_place: BTreeMap::new(),
        fates: Fates::default(),
        busy: None,
        out: Vec::new(),
    };
    let mut sweep = tokio::time::interval(SWEEP_EVERY);
    loop {
        let due = media.due();
        tokio::select! {
            Some(minus) = inbox.heard.frames.recv() => media.guarded(|media| media.hear(&minus)),
            _ = media.udp.readable() => media.read_udp(),
            Some(came) = came.recv() => media.guarded(|media| media.came(came)),
            Ok((stream, from)) = tcp.accept() => media.accept(stream, from),
            Some(ask) = inbox.asked.recv() => media.guarded(|media| media.obey(ask)),
            () = until(due) => media.wake(),
            () = inbox.heard.look.notified() => media.sweep(),
            _ = sweep.tick() => media.sweep(),
            () = shutdown.draining() => break,
        }
    }
    media.leave_all();
}

async fn until(due: Option<Instant>) {
    match due {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

/// IPv4 by its own name, also where it comes in over a socket of IPv6: speakers hear where they come from.
fn plain(from: SocketAddr) -> SocketAddr {
    SocketAddr::new(from.ip().to_canonical(), from.port())
}

impl Media {
    fn now(&self) -> Now {
        let time = self.with.world.now();
        let instant = self.with.world.instant(time).expect("the present can be said");
        Now { time, instant }
    }

    fn due(&self) -> Option<Instant> {
        self.peers.values().map(|peer| peer.due).min()
    }

    /// Runs `act`; should the library break in it, only the speaker it worked for is lost.
    fn guarded(&mut self, act: impl FnOnce(&mut Self)) {
        let went = catch_unwind(AssertUnwindSafe(|| act(&mut *self)));
        if went.is_err() {
            self.out.clear();
            if let Some(id) = self.busy.take() {
                self.forget(&id);
            }
            self.with.metrics.broken.inc();
            if let Some(repeated) = PEER_BROKE.pass(self.with.world.now()) {
                tracing::error!(repeated, "speaker_broke_the_library");
            }
        }
        self.send_all();
    }

    /// Has the library work for one speaker.
    fn for_peer<T>(
        &mut self,
        id: &PeerId,
        act: impl FnOnce(&mut Peer, &mut Vec<Transmit>) -> T,
    ) -> Option<T> {
        let peer = self.peers.get_mut(id)?;
        self.busy = Some(id.clone());
        let did = act(peer, &mut self.out);
        self.busy = None;
        Some(did)
    }

    fn read_udp(&mut self) {
        let mut bytes = [0; DATAGRAM_BYTES_MAX];
        for _ in 0..BATCH_MAX {
            let Ok((len, from)) = self.udp.try_recv_from(&mut bytes) else { return };
            let place = Place::Udp(plain(from));
            self.guarded(|media| media.datagram(place, &bytes[..len]));
        }
    }

    fn accept(&mut self, stream: TcpStream, from: SocketAddr) {
        match self.tcp.accept(stream, plain(from)) {
            Room::Yes => {}
            Room::Made | Room::No => self.with.metrics.drop(Dropped::ConnectionsFull),
        }
    }

    fn came(&mut self, came: Came) {
        match came {
            Came::Datagram { from, bytes } => {
                let place = Place::Tcp(from);
                let was_known = self.by_place.contains_key(&place);
                self.datagram(place, &bytes);
                let is_known = self.by_place.contains_key(&place);
                if is_known && !was_known {
                    self.tcp.know(from);
                }
                if !is_known {
                    // Whoever has a reason to be here says so first.
                    self.tcp.close(from);
                }
            }
            Came::Gone { from } => {
                self.tcp.close(from);
                self.by_place.remove(&Place::Tcp(from));
            }
        }
    }

    fn datagram(&mut self, place: Place, bytes: &[u8]) {
        self.with.metrics.received.inc();
        let taken = match bytes.first() {
            Some(first) if *first <= STUN_FIRST_BYTE_MAX => self.stun(place, bytes),
            Some(_) => self.protected(place, bytes),
            None => Err(Dropped::Malformed),
        };
        if let Err(why) = taken {
            self.with.metrics.drop(why);
        }
    }

    /// STUN: the name in it says whose it is, the password proves it.
    fn stun(&mut self, place: Place, bytes: &[u8]) -> Result<(), Dropped> {
        let message = StunMessage::parse(bytes).map_err(|_| Dropped::Malformed)?;
        let (own, _) = message.split_username().ok_or(Dropped::Unknown)?;
        let id = self.by_name.get(own).cloned().ok_or(Dropped::Unknown)?;
        let now = self.now();
        let received = self.received(place, bytes)?;
        let input = Input::Receive(now.instant, received);
        let taken = self.for_peer(&id, |peer, out| {
            if !peer.accepts(&input) {
                return Err(Dropped::Unknown);
            }
            peer.take(now, input, out);
            Ok(())
        });
        taken.ok_or(Dropped::Unknown)??;
        self.know(place, id);
        Ok(())
    }

    /// DTLS, RTP and RTCP: known by where they come from.
    fn protected(&mut self, place: Place, bytes: &[u8]) -> Result<(), Dropped> {
        let id = self.by_place.get(&place).cloned().ok_or(Dropped::Unknown)?;
        let now = self.now();
        let received = self.received(place, bytes)?;
        self.for_peer(&id, |peer, out| peer.take(now, Input::Receive(now.instant, received), out));
        Ok(())
    }

    fn received<'b>(&self, place: Place, bytes: &'b [u8]) -> Result<Receive<'b>, Dropped> {
        let (proto, source) = match place {
            Place::Udp(from) => (Protocol::Udp, from),
            Place::Tcp(from) => (Protocol::Tcp, from),
        };
        let own = self.with.answering.own_addr(source);
        Receive::new(proto, source, own, bytes).map_err(|_| Dropped::Malformed)
    }

    fn know(&mut self, place: Place, id: PeerId) {
        let known = self.by_place.insert(place, id.clone());
        if known.as_ref() == Some(&id) {
            return;
        }
        let places: Vec<_> =
            self.by_place.iter().filter(|(_, whose)| **whose == id).map(|(place, _)| *place).collect();
        if places.len() > PLACES_PER_PEER_MAX
            && let Some(other) = places.into_iter().find(|other| *other != place)
        {
            self.by_place.remove(&other);
        }
    }

    fn hear(&mut self, minus: &Minus) {
        let now = self.now();
        for (id, peer) in &mut self.peers {
            self.busy = Some(id.clone());
            peer.hear(now, minus, &mut self.out);
        }
        self.busy = None;
    }

    fn obey(&mut self, ask: Ask) {
        match ask {
            Ask::Join { peer, again, reply } => {
                let joined = self.join(*peer, again);
                // Whoever offered may have left; then the connection ends by itself.
                let _ = reply.send(joined);
            }
            Ask::Patch { id, by, if_match, fragment, reply } => {
                let patched = self.patch(&id, by, (if_match.as_deref(), fragment));
                let _ = reply.send(patched);
            }
            Ask::Follow { id, by, reply } => {
                let may = self.not_taken_over(&id);
                if let Some(peer) = self.peers.get_mut(&id).filter(|peer| may.is_ok() && peer.key.is(&by)) {
                    peer.expect_heir();
                }
                let _ = reply.send(may);
            }
            Ask::Whose { id, by, reply } => {
                let whose = self.owned(&id, by).and_then(|()| {
                    self.peers.get(&id).map(Peer::person).ok_or(Refusal::SessionUnknown.into())
                });
                let _ = reply.send(whose);
            }
            Ask::Leave { id, by, reply } => {
                let left = self.owned(&id, by).map(|()| self.leave(&id));
                let _ = reply.send(left);
            }
        }
    }

    fn join(&mut self, mut peer: Peer, again: Option<PeerId>) -> Result<(), Failure> {
        if let Some(before) = again {
            if self.owned(&before, peer.key).is_ok() {
                self.leave(&before);
            }
            if !self.peers.contains_key(&before) {
                self.fates.followed(before, peer.id.clone());
            }
        }
        if self.peers.len() >= PEERS_MAX {
            return Err(Refusal::StageFull.into());
        }
        let id = peer.id.clone();
        self.by_name.insert(peer.own_name(), id.clone());
        self.peers.insert(id.clone(), peer);
        let now = self.now();
        self.for_peer(&id, |peer, out| peer.take(now, Input::Timeout(now.instant), out));
        self.count();
        Ok(())
    }

    fn patch(
        &mut self,
        id: &PeerId,
        by: KeyHash,
        asked: (Option<&str>, tribune_core::ingest::whip::Fragment),
    ) -> Result<super::Patched, Failure> {
        self.not_taken_over(id)?;
        self.owned(id, by)?;
        let now = self.now();
        let tag = super::whip::new_tag(self.with.world);
        let answering = self.with.answering.clone();
        let before = self.for_peer(id, |peer, _| peer.own_name());
        let patched = self.for_peer(id, |peer, out| {
            let patched = peer.patch(&answering, asked, tag);
            peer.take(now, Input::Timeout(now.instant), out);
            (patched, peer.own_name())
        });
        let (patched, own_name) = patched.ok_or(Refusal::SessionUnknown)?;
        if before.as_ref() != Some(&own_name) {
            before.map(|before| self.by_name.remove(&before));
            self.by_name.insert(own_name, id.clone());
        }
        patched
    }

    /// Only the key that began a connection may change or end it.
    fn owned(&self, id: &PeerId, by: KeyHash) -> Result<(), Failure> {
        match self.peers.get(id) {
            Some(peer) if peer.key.0 == by.0 => Ok(()),
            Some(_) | None => Err(Refusal::SessionUnknown.into()),
        }
    }

    /// Whoever has come from elsewhere since is not sent away by an older window that tries again by itself.
    fn not_taken_over(&self, id: &PeerId) -> Result<(), Failure> {
        match self.fates.is_taken_over(id, |id| self.peers.get(id).map(Peer::is_taken_over)) {
            true => Err(Refusal::TakenOver.into()),
            false => Ok(()),
        }
    }

    fn leave(&mut self, id: &PeerId) {
        let now = self.now();
        self.for_peer(id, |peer, out| peer.close(now, out));
        self.send_all();
        self.forget(id);
    }

    fn leave_all(&mut self) {
        let ids: Vec<_> = self.peers.keys().cloned().collect();
        for id in ids {
            self.guarded(|media| media.leave(&id));
        }
    }

    fn wake(&mut self) {
        let now = self.now();
        let due = self.peers.values().filter(|peer| peer.due <= now.instant).map(|peer| peer.id.clone());
        for id in due.collect::<Vec<_>>() {
            self.guarded(|media| {
                media.for_peer(&id, |peer, out| peer.take(now, Input::Timeout(now.instant), out));
            });
        }
    }

    /// Takes leave of those who are gone, and of those whose room is over.
    fn sweep(&mut self) {
        let now = self.now().time;
        let peers = self.peers.iter_mut();
        let over = peers.filter_map(|(id, peer)| (peer.standing(now) == Keep::No).then(|| id.clone()));
        for id in over.collect::<Vec<_>>() {
            self.guarded(|media| media.leave(&id));
        }
        self.count();
    }

    fn forget(&mut self, id: &PeerId) {
        if self.peers.remove(id).is_some_and(|peer| peer.is_taken_over()) {
            self.fates.taken_over(id.clone());
        }
        self.by_name.retain(|_, whose| whose != id);
        let places = self.by_place.iter().filter(|(_, whose)| *whose == id).map(|(place, _)| *place);
        for place in places.collect::<Vec<_>>() {
            self.by_place.remove(&place);
            if let Place::Tcp(with) = place {
                self.tcp.close(with);
            }
        }
        self.count();
    }

    fn count(&self) {
        let here = self.peers.values().filter(|peer| peer.is_here()).count();
        self.with.metrics.connected.set(here as i64);
        self.with.metrics.answered.set(self.peers.len() as i64);
    }

    /// A socket of IPv6 that takes IPv4 too wants to hear of it in its own words.
    fn on_our_socket(&self, to: SocketAddr) -> SocketAddr {
        match to.ip() {
            IpAddr::V4(ip) if self.is_v6 => SocketAddr::new(ip.to_ipv6_mapped().into(), to.port()),
            IpAddr::V4(_) | IpAddr::V6(_) => to,
        }
    }

    fn send_all(&mut self) {
        for datagram in std::mem::take(&mut self.out) {
            let sent = match datagram.proto {
                Protocol::Udp => {
                    self.udp.try_send_to(&datagram.contents, self.on_our_socket(datagram.destination)).is_ok()
                }
                Protocol::Tcp | Protocol::SslTcp | Protocol::Tls => {
                    self.tcp.send(datagram.destination, &datagram.contents) == Room::Yes
                }
            };
            if sent {
                self.with.metrics.sent.inc();
            } else {
                self.with.metrics.drop(Dropped::NotSent);
            }
        }
    }
}
