//! One speaker's connection: datagrams in, packets to the mix; the mix without them, datagrams out.

use std::time::{Duration, Instant};

use bytes::Bytes;
use str0m::change::SdpOffer;
use str0m::format::Codec;
use str0m::ice::IceCreds;
use str0m::media::{Mid, Pt};
use str0m::net::Transmit;
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, IceConnectionState, Input, Output, Rtc};
use tokio::sync::oneshot;
use tribune_core::ingest::speaker::Packet;
use tribune_core::ingest::whip::{Credentials, Fragment, Nack, Offer, Patch, read_patch};
use tribune_core::room::floor;
use tribune_core::room::{KeyHash, PersonId, PersonName};
use tribune_core::time::{FRAME_SAMPLES, Time};

use super::answering::{Answering, accept};
use super::{Patched, PeerId};
use crate::answer::Failure;
use crate::ops::RoomMetrics;
use crate::program::{Given, Minus, Speaker};
use crate::rooms::floor::Attendance;

/// From the answer to the first protected packet.
const CONNECT_MAX: Duration = Duration::from_secs(30);
/// A speaker whose network is gone keeps their place so long; ICE begun anew brings them back into it.
const LOST_MAX: Duration = Duration::from_secs(20);

/// A speaker who was answered.
pub(super) struct Peer {
    pub(super) id: PeerId,
    /// Whoever changes or ends the connection must have the key that began it.
    pub(super) key: KeyHash,
    /// When the library wants to be called.
    pub(super) due: Instant,
    rtc: Rtc,
    offer: Offer,
    tag: String,
    _leash: oneshot::Sender<()>,
    person: (PersonId, PersonName),
    attendance: Attendance,
    speaker: Speaker,
    metrics: RoomMetrics,
    downlink: Option<Downlink>,
    reach: Reach,
    told_nack: bool,
    heir: Heir,
}

/// Whether the speaker's own page is about to replace the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heir {
    Yes,
    No,
}

/// What a peer is made from.
pub(super) struct Made {
    pub(super) id: PeerId,
    pub(super) key: KeyHash,
    /// Dropped with the peer: whoever watches over its key hears that it is gone.
    pub(super) leash: oneshot::Sender<()>,
    pub(super) rtc: Rtc,
    pub(super) offer: Offer,
    pub(super) tag: String,
    pub(super) person: (PersonId, PersonName),
    pub(super) attendance: Attendance,
    pub(super) speaker: Speaker,
    pub(super) metrics: RoomMetrics,
}

/// Whether the speaker can be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Answered at this time, not connected yet.
    Pending(Time),
    /// Connected.
    Here,
    /// Lost since.
    Lost(Time),
    /// Gone for good.
    Gone,
}

/// Where the mix goes.
struct Downlink {
    mid: Mid,
    payload_type: Pt,
    packets: u64,
}

/// The time of a call, as rules and as the library have it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) time: Time,
    pub(super) instant: Instant,
}

/// Whether a peer is to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    Yes,
    No,
}

impl Peer {
    pub(super) fn new(now: Now, made: Made) -> Self {
        let Made { id, key, leash, rtc, offer, tag, person, attendance, speaker, metrics } = made;
        Self {
            id,
            key,
            due: now.instant,
            rtc,
            offer,
            tag,
            _leash: leash,
            person,
            attendance,
            speaker,
            metrics,
            downlink: None,
            reach: Reach::Pending(now.time),
            told_nack: false,
            heir: Heir::No,
        }
    }

    /// The name by which the speaker's ICE calls us.
    pub(super) fn own_name(&mut self) -> String {
        self.rtc.direct_api().local_ice_credentials().ufrag
    }

    /// Who it is.
    pub(super) fn person(&self) -> (PersonId, PersonName) {
        self.person.clone()
    }

    /// The speaker's own page is about to replace it.
    pub(super) const fn expect_heir(&mut self) {
        self.heir = Heir::Yes;
    }

    /// Whether the same person has come from elsewhere since.
    pub(super) fn is_taken_over(&self) -> bool {
        self.heir == Heir::No && self.attendance.is_replaced()
    }

    /// Whether the speaker is connected now.
    pub(super) const fn is_here(&self) -> bool {
        matches!(self.reach, Reach::Here)
    }

    /// Whether a datagram is this speaker's, which for STUN means that it is signed with the right password.
    pub(super) fn accepts(&self, input: &Input<'_>) -> bool {
        self.rtc.accepts(input)
    }

    /// Takes a datagram, or the time; what is to be sent is appended to `out`.
    pub(super) fn take(&mut self, now: Now, input: Input<'_>, out: &mut Vec<Transmit>) {
        if let Err(error) = self.rtc.handle_input(input) {
            // One damaged datagram is not the end: what the library cannot go on from, it ends itself.
            tracing::debug!(%error, "datagram_refused");
        }
        self.drain(now, out);
    }

    /// Sends the speaker 20 ms of the mix.
    pub(super) fn hear(&mut self, now: Now, minus: &Minus, out: &mut Vec<Transmit>) {
        let own = minus.own.iter().find(|(inlet, _)| *inlet == self.speaker.inlet());
        let Some(packet) = own.map(|(_, packet)| packet).or(minus.others.as_ref()) else { return };
        if minus.program != self.speaker.program() || !self.is_here() {
            return;
        }
        let Some(downlink) = &mut self.downlink else { return };
        let mut api = self.rtc.direct_api();
        let Some(stream) = api.stream_tx_by_mid(downlink.mid, None) else { return };
        // RTP's clock counts frames, so that a frame that was not sent is a pause and not a jump.
        let timestamp = minus.frame.wrapping_mul(FRAME_SAMPLES as u64) as u32;
        let seq = downlink.packets.into();
        let write = RtpWrite::new(downlink.payload_type, seq, timestamp, now.instant, packet.clone());
        stream.write_rtp(write.marker(downlink.packets == 0));
        downlink.packets += 1;
        self.drain(now, out);
        self.take(now, Input::Timeout(now.instant), out);
    }

    /// Follows a PATCH.
    pub(super) fn patch(
        &mut self,
        answering: &Answering,
        (if_match, fragment): (Option<&str>, Fragment),
        fresh_tag: String,
    ) -> Result<Patched, Failure> {
        let patch = read_patch(if_match, &self.tag, &self.offer.credentials, fragment)
            .map_err(|error| Failure::new(error.refusal(), error.to_string()))?;
        match patch {
            Patch::Trickle(fragment) => {
                self.learn(&fragment);
                Ok(Patched::Trickled)
            }
            Patch::Restart(fresh, fragment) => {
                self.restart(&fresh)?;
                self.learn(&fragment);
                self.tag = fresh_tag;
                let IceCreds { ufrag, pass } = self.rtc.direct_api().local_ice_credentials();
                let own = Credentials { ufrag, pwd: pass };
                let fragment = Fragment::write(&own, &self.offer.mid, &answering.candidate_lines());
                Ok(Patched::Restarted { tag: self.tag.clone(), fragment })
            }
        }
    }

    /// Says goodbye; what is to be sent for it comes with the next drain.
    pub(super) fn close(&mut self, now: Now, out: &mut Vec<Transmit>) {
        if let Err(error) = self.rtc.close() {
            tracing::debug!(%error, "goodbye_not_said");
        }
        self.drain(now, out);
        self.reach = Reach::Gone;
    }

    /// Whether it is to be kept.
    pub(super) fn standing(&mut self, now: Time) -> Keep {
        let over = match self.reach {
            Reach::Pending(since) => now.since(since) > CONNECT_MAX,
            Reach::Lost(since) => now.since(since) > LOST_MAX,
            Reach::Here => false,
            Reach::Gone => true,
        };
        let sent_away = self.attendance.is_over();
        if over || sent_away || self.speaker.is_over() || !self.rtc.is_alive() { Keep::No } else { Keep::Yes }
    }

    /// An address the library cannot read, such as a browser's `.local` name, is let go (RFC 9725, section
    /// 4.3.2): ICE-lite needs none of them.
    fn learn(&mut self, fragment: &Fragment) {
        for candidate in &fragment.candidates {
            if let Ok(candidate) = Candidate::from_sdp_string(candidate) {
                self.rtc.add_remote_candidate(candidate);
            }
        }
    }

    fn restart(&mut self, fresh: &Credentials) -> Result<(), Failure> {
        let again = self.offer.restarted(fresh);
        // Read apart first, so that nothing has changed when it cannot be.
        SdpOffer::from_sdp_string(&again.text).map_err(|error| Failure::malformed(error.to_string()))?;
        accept(&mut self.rtc, &again)?;
        self.offer = again;
        Ok(())
    }

    fn drain(&mut self, now: Now, out: &mut Vec<Transmit>) {
        loop {
            match self.rtc.poll_output() {
                Ok(Output::Timeout(at)) => {
                    self.due = at;
                    return;
                }
                Ok(Output::Transmit(datagram)) => out.push(datagram),
                Ok(Output::Event(event)) => self.note(now, event),
                Err(error) => {
                    tracing::debug!(%error, "connection_failed");
                    self.rtc.disconnect();
                    self.reach = Reach::Gone;
                    return;
                }
            }
        }
    }

    fn note(&mut self, now: Now, event: Event) {
        match event {
            Event::RtpPacket(packet) => {
                self.ask_for_lost();
                let packet = Packet {
                    arrived: now.time,
                    seq: *packet.seq_no,
                    timestamp: packet.time.numer(),
                    payload: Bytes::from_owner(packet.payload),
                };
                self.metrics.speaker_packets.inc();
                match self.speaker.packet(packet) {
                    Given::Yes => {}
                    Given::Full => {
                        self.metrics.speaker_packets_dropped.inc();
                    }
                    Given::Over => self.reach = Reach::Gone,
                }
            }
            Event::MediaAdded(added) if added.direction.is_sending() => {
                self.downlink = self.downlink_of(added.mid);
            }
            Event::Connected => {
                self.reach = Reach::Here;
                self.attendance.reach(floor::Reach::Connected);
                tracing::info!("speaker_connected");
            }
            Event::IceConnectionStateChange(state) => self.follow(now.time, state),
            Event::Closed => self.reach = Reach::Gone,
            // The library knows more than speech needs; what is not ours to act on is let go.
            _ => {}
        }
    }

    fn follow(&mut self, now: Time, state: IceConnectionState) {
        match (self.reach, state) {
            (Reach::Here, IceConnectionState::Disconnected) => {
                self.reach = Reach::Lost(now);
                self.attendance.reach(floor::Reach::Lost);
            }
            (Reach::Lost(_), IceConnectionState::Connected | IceConnectionState::Completed) => {
                self.reach = Reach::Here;
                self.attendance.reach(floor::Reach::Connected);
            }
            (Reach::Pending(_) | Reach::Here | Reach::Lost(_) | Reach::Gone, _) => {}
        }
    }

    fn downlink_of(&self, mid: Mid) -> Option<Downlink> {
        let media = self.rtc.media(mid)?;
        let config = self.rtc.codec_config();
        let is_opus = |pt: &&Pt| {
            config.params().iter().any(|params| params.pt() == **pt && params.spec().codec == Codec::Opus)
        };
        let payload_type = *media.remote_pts().iter().find(is_opus)?;
        Some(Downlink { mid, payload_type, packets: 0 })
    }

    /// The library asks for lost packets only where a second stream carries them. Opus has none, but whoever
    /// offers `nack` for it sends them again on the first.
    fn ask_for_lost(&mut self) {
        if self.told_nack || self.offer.nack == Nack::NotTaken {
            return;
        }
        let mid = Mid::from(self.offer.mid.as_str());
        if let Some(stream) = self.rtc.direct_api().stream_rx_by_mid(mid, None) {
            stream.suppress_nack(false);
            self.told_nack = true;
        }
    }
}
