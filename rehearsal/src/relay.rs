//! A road between a speaker and the node: a relay for one speaker's datagrams that loses, holds up, doubles
//! and replays them on purpose, and counts what it did. This kernel has no `netem`, and a road that is drawn
//! from a seed is the same every time.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::ErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::loss::{Draws, Loss, Losses};

/// How often the relay looks whether something is due.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// Packets that are kept to be replayed.
const OLD_PACKETS: usize = 256;
/// Larger datagrams are none of WebRTC's.
const DATAGRAM_BYTES_MAX: usize = 2_000;

/// What the road does to the speaker's RTP. Everything else only takes its time.
#[derive(Clone, Copy, Debug)]
pub struct Road {
    /// How packets get lost.
    pub loss: Loss,
    /// Each way takes so long.
    pub delay: Duration,
    /// A packet is held up by up to so much more, evenly drawn; so they overtake each other.
    pub jitter: Duration,
    /// The share that comes twice.
    pub twice: f64,
    /// The share after which one of the last 256 packets comes once more.
    pub replayed: f64,
    /// The share of datagrams, of any kind, after which one comes that is the same but for a few bits.
    pub damaged: f64,
    /// What is drawn.
    pub seed: u64,
}

impl Road {
    /// A road that does nothing.
    pub const PLAIN: Self = Self {
        loss: Loss::No,
        delay: Duration::ZERO,
        jitter: Duration::ZERO,
        twice: 0.0,
        replayed: 0.0,
        damaged: 0.0,
        seed: 1,
    };
}

/// What came over the road, in packets of RTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sent by the speaker, those that were sent again included.
    pub sent: u64,
    /// Lost on the road.
    pub lost: u64,
    /// Sent again by the speaker after they were lost.
    pub again: u64,
    /// Doubled.
    pub twice: u64,
    /// Old ones that came once more.
    pub replayed: u64,
    /// Datagrams of any kind that came damaged too.
    pub damaged: u64,
}

/// A relay at work.
pub struct Relay {
    at: SocketAddr,
    counts: Arc<Mutex<Counts>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Relay {
    /// Begins to pass datagrams between whoever sends some to it and `node`.
    ///
    /// # Errors
    /// No port is free.
    pub fn start(node: SocketAddr, road: Road) -> anyhow::Result<Self> {
        let (front, back) = (UdpSocket::bind("127.0.0.1:0")?, UdpSocket::bind("127.0.0.1:0")?);
        front.set_read_timeout(Some(LOOK_EVERY))?;
        back.connect(node)?;
        back.set_nonblocking(true)?;
        let (at, counts, over) = (front.local_addr()?, Arc::default(), Arc::new(AtomicBool::new(false)));
        let mut traffic = Traffic::new(road, (front, back), Arc::clone(&counts));
        let told = over.clone();
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                traffic.step();
            }
        });
        Ok(Self { at, counts, over, thread: Some(thread) })
    }

    /// Where speakers send to.
    pub const fn at(&self) -> SocketAddr {
        self.at
    }

    /// What it did until now.
    pub fn counts(&self) -> Counts {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        // A relay that broke has shown itself by its silence.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Towards {
    Node,
    Speaker,
}

struct Traffic {
    road: Road,
    front: UdpSocket,
    back: UdpSocket,
    speaker: Option<SocketAddr>,
    counts: Arc<Mutex<Counts>>,
    losses: Losses,
    draws: Draws,
    /// What waits, by when it is due; the number keeps those of one moment apart.
    waiting: BTreeMap<(Instant, u64), (Towards, Vec<u8>)>,
    number: u64,
    old: VecDeque<Vec<u8>>,
    lost: BTreeSet<[u8; 2]>,
}

impl Traffic {
    fn new(road: Road, (front, back): (UdpSocket, UdpSocket), counts: Arc<Mutex<Counts>>) -> Self {
        Self {
            losses: Losses::new(road.loss, road.seed),
            draws: Draws::new(road.seed ^ 0x5DEE_CE66),
            road,
            front,
            back,
            speaker: None,
            counts,
            waiting: BTreeMap::new(),
            number: 0,
            old: VecDeque::new(),
            lost: BTreeSet::new(),
        }
    }

    fn step(&mut self) {
        let mut bytes = [0; DATAGRAM_BYTES_MAX];
        match self.front.recv_from(&mut bytes) {
            Ok((len, from)) => {
                self.speaker = Some(from);
                self.take(&bytes[..len]);
            }
            // Nothing came, or nobody listened a moment ago.
            Err(error) => debug_assert_ne!(error.kind(), ErrorKind::InvalidInput),
        }
        while let Ok(len) = self.back.recv(&mut bytes) {
            self.send_later(Towards::Speaker, self.road.delay, bytes[..len].to_vec());
        }
        let now = Instant::now();
        while let Some(entry) = self.waiting.first_entry().filter(|entry| entry.key().0 <= now) {
            let (towards, datagram) = entry.remove();
            // What the kernel does not take is lost, as on any road.
            let _ = match (towards, self.speaker) {
                (Towards::Node, _) => self.back.send(&datagram),
                (Towards::Speaker, Some(speaker)) => self.front.send_to(&datagram, speaker),
                (Towards::Speaker, None) => Ok(0),
            };
        }
    }

    fn take(&mut self, datagram: &[u8]) {
        if self.draws.unit() < self.road.damaged {
            self.count(|counts| counts.damaged += 1);
            let damaged = self.damage(datagram);
            self.send_held_up(damaged);
        }
        if !is_rtp(datagram) {
            return self.send_later(Towards::Node, self.road.delay, datagram.to_vec());
        }
        let seq = [datagram[2], datagram[3]];
        let again = self.lost.remove(&seq);
        let lost = self.losses.next();
        self.count(|counts| {
            counts.sent += 1;
            counts.again += u64::from(again);
            counts.lost += u64::from(lost);
        });
        if lost {
            self.lost.insert(seq);
            return;
        }
        self.send_held_up(datagram.to_vec());
        if self.draws.unit() < self.road.twice {
            self.count(|counts| counts.twice += 1);
            self.send_held_up(datagram.to_vec());
        }
        if self.draws.unit() < self.road.replayed && !self.old.is_empty() {
            self.count(|counts| counts.replayed += 1);
            let at = (self.draws.unit() * self.old.len() as f64) as usize;
            self.send_held_up(self.old[at].clone());
        }
        self.old.push_back(datagram.to_vec());
        if self.old.len() > OLD_PACKETS {
            self.old.pop_front();
        }
    }

    /// Up to four bits turned over, or the end cut off.
    fn damage(&mut self, datagram: &[u8]) -> Vec<u8> {
        let mut bytes = datagram.to_vec();
        let mut place = |below: usize| (self.draws.unit() * below as f64) as usize;
        if place(4) == 0 {
            bytes.truncate(place(bytes.len()));
        }
        for _ in 0..=place(4) {
            let at = place(bytes.len());
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << place(8);
            }
        }
        bytes
    }

    fn send_held_up(&mut self, datagram: Vec<u8>) {
        let held_up = self.road.jitter.mul_f64(self.draws.unit());
        self.send_later(Towards::Node, self.road.delay + held_up, datagram);
    }

    fn send_later(&mut self, towards: Towards, wait: Duration, datagram: Vec<u8>) {
        self.number += 1;
        self.waiting.insert((Instant::now() + wait, self.number), (towards, datagram));
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// RTP and not RTCP (RFC 5761, section 4), STUN or DTLS (RFC 7983, section 7).
fn is_rtp(datagram: &[u8]) -> bool {
    match datagram {
        [128..=191, second, _, _, ..] => !(64..=95).contains(&(second & 0x7f)),
        _ => false,
    }
}
