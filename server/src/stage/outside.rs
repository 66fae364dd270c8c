//! A speaker's connection that nobody but a fuzz target speaks to: the library under us with offers and
//! datagrams of strangers.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use str0m::net::{Protocol, Receive};
use str0m::{Input, Output, Rtc};
use tribune_core::ingest::whip::Offer;

use super::Answering;
use crate::world::World;

/// Where such a node listens, and where the stranger is.
const HERE: ([u8; 4], u16) = ([127, 0, 0, 1], 8_082);
const THERE: ([u8; 4], u16) = ([127, 0, 0, 2], 40_000);
/// Between one datagram and the next.
const PAUSE: Duration = Duration::from_millis(20);

/// A connection that was answered.
pub struct Strange {
    rtc: Rtc,
    now: Instant,
}

impl Strange {
    /// Answers an offer; `None` where it is refused.
    pub fn answer(answering: &Answering, offer: &str) -> Option<Self> {
        let world = World::begin();
        let now = world.instant(world.now())?;
        let offer = Offer::read(offer).ok()?;
        let (rtc, _) = answering.answer(now, &offer).ok()?;
        Some(Self { rtc, now })
    }

    /// Takes a datagram as if it had come from an address that is known, and the time after it; says how many
    /// bytes went out for it.
    pub fn take(&mut self, datagram: &[u8]) -> usize {
        let (from, to) = (SocketAddr::from(THERE), SocketAddr::from(HERE));
        if let Ok(receive) = Receive::new(Protocol::Udp, from, to, datagram) {
            // What is refused is what the target is there for.
            let _ = self.rtc.handle_input(Input::Receive(self.now, receive));
        }
        self.now += PAUSE;
        let _ = self.rtc.handle_input(Input::Timeout(self.now));
        let mut bytes = 0;
        while self.rtc.is_alive() {
            match self.rtc.poll_output() {
                Ok(Output::Transmit(sent)) => bytes += sent.contents.len(),
                Ok(Output::Event(_)) => {}
                Ok(Output::Timeout(_)) | Err(_) => return bytes,
            }
        }
        bytes
    }

    /// Whether it took the stranger for the speaker.
    pub fn is_connected(&self) -> bool {
        self.rtc.is_connected()
    }
}
