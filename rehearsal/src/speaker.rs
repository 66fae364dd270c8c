//! A speaker as a browser is one: offers by WHIP, sends Opus by WebRTC, hears what comes back.
//!
//! Each speaker is driven by the thread that holds it and needs nothing but its socket, so that one process
//! carries a whole stage.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use str0m::change::{SdpAnswer, SdpOffer, SdpPendingOffer};
use str0m::crypto::from_feature_flags;
use str0m::media::{Direction, MediaKind, Mid, Pt};
use str0m::net::Receive;
use str0m::rtp::RtpWrite;
use str0m::{Candidate, Event, Input, Output, Rtc, RtcConfig};
use tribune_core::codec::opus::{Decoder, Encoder, Prediction};
use tribune_core::time::FRAME_SAMPLES;

use crate::link::Link;
use crate::whip;

/// What a browser spends on one voice, in bits per second.
const BIT_RATE: u32 = 32_000;
/// How long the way to the node may take to open.
const CONNECT_MAX: Duration = Duration::from_secs(20);
/// Sound that was heard is placed by its time stamp up to this far apart, in samples: an hour.
const HEARD_SAMPLES_MAX: u64 = 3_600 * 48_000;

/// What a speaker offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// `sendonly`.
    ToSend,
    /// `sendrecv`: to hear the others too.
    ToSendAndHear,
}

/// What its packets travel over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Datagrams.
    Udp,
    /// A connection, for networks that let nothing else through.
    Tcp,
}

/// Where to speak, and how.
#[derive(Clone, Copy, Debug)]
pub struct Target<'a> {
    /// `http://127.0.0.1:port` of the stage.
    pub stage: &'a str,
    /// The room.
    pub room: &'a str,
    /// A key that may send sound.
    pub key: &'a str,
    /// The speaker's name in the mix.
    pub name: Option<&'a str>,
    /// What is offered.
    pub wants: Wants,
    /// What the packets travel over.
    pub over: Over,
    /// A relay that stands between, in place of the address the node announces.
    pub via: Option<SocketAddr>,
}

/// One packet that came back.
#[derive(Clone, Debug)]
pub struct Heard {
    /// When.
    pub at: Instant,
    /// Its number, extended.
    pub seq: u64,
    /// Its place, in samples at 48 kHz, extended.
    pub timestamp: u64,
    /// Opus.
    pub payload: Arc<[u8]>,
}

/// One speaker, connected.
pub struct Speaker {
    rtc: Rtc,
    link: Link,
    over: Over,
    mid: Mid,
    encoder: Encoder,
    packets: u64,
    connected: bool,
    heard: Vec<Heard>,
    location: String,
    key: String,
    answer: String,
    via: Option<SocketAddr>,
}

impl Speaker {
    /// Offers, and returns when the way is open.
    ///
    /// # Errors
    /// The node refuses, or cannot be reached.
    pub fn join(target: &Target<'_>) -> anyhow::Result<Self> {
        let offering = Offering::of(target.wants)?;
        let made = whip::offer(target, &offering.text)?;
        let link = Link::open(target.over, addr_in(&made.answer, target.over, target.via)?)?;
        let mut speaker = Self {
            over: target.over,
            location: made.location,
            key: target.key.to_owned(),
            via: target.via,
            ..Self::new(offering.rtc, link, offering.mid)?
        };
        speaker.answer = made.answer;
        speaker.begin(offering.pending)?;
        speaker.connect()?;
        Ok(speaker)
    }

    /// Speaks to another server, over UDP: `answer` takes the offer there and comes back with its answer.
    ///
    /// # Errors
    /// The server refuses, or cannot be reached.
    pub fn join_elsewhere(answer: impl FnOnce(&str) -> anyhow::Result<String>) -> anyhow::Result<Self> {
        let offering = Offering::of(Wants::ToSendAndHear)?;
        let answer = answer(&offering.text)?;
        let link = Link::open(Over::Udp, addr_in(&answer, Over::Udp, None)?)?;
        let mut speaker = Self { answer, ..Self::new(offering.rtc, link, offering.mid)? };
        speaker.begin(offering.pending)?;
        speaker.connect()?;
        Ok(speaker)
    }

    /// Two speakers connected to each other with no server between them.
    ///
    /// # Errors
    /// No ports are free, or the way between them does not open.
    pub fn pair() -> anyhow::Result<(Self, Self)> {
        let (link, other_link) = Link::pair()?;
        let offering = Offering::of(Wants::ToSendAndHear)?;
        let mut rtc = config().set_ice_lite(true).build(Instant::now());
        rtc.add_local_candidate(other_link.candidate()?);
        let answer = rtc.sdp_api().accept_offer(SdpOffer::from_sdp_string(&offering.text)?)?;
        let mut other = Self::new(rtc, other_link, offering.mid)?;
        let mut speaker =
            Self { answer: answer.to_sdp_string(), ..Self::new(offering.rtc, link, offering.mid)? };
        speaker.begin(offering.pending)?;
        std::thread::scope(|scope| {
            let connecting = scope.spawn(|| other.connect());
            speaker.connect()?;
            connecting.join().map_err(|_| anyhow::anyhow!("a speaker died"))?
        })?;
        Ok((speaker, other))
    }

    fn new(rtc: Rtc, link: Link, mid: Mid) -> anyhow::Result<Self> {
        Ok(Self {
            rtc,
            link,
            over: Over::Udp,
            mid,
            encoder: Encoder::new(BIT_RATE)?,
            packets: 0,
            connected: false,
            heard: Vec::new(),
            location: String::new(),
            key: String::new(),
            answer: String::new(),
            via: None,
        })
    }

    /// Sends 20 ms of sound, now.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn say(&mut self, frame: &[f32; FRAME_SAMPLES]) -> anyhow::Result<()> {
        let mut packet = Vec::new();
        self.encoder.encode(frame, Prediction::Carry, &mut packet)?;
        self.send_packet(packet)
    }

    /// Sends a packet of 20 ms that was coded before.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn send_packet(&mut self, packet: Vec<u8>) -> anyhow::Result<()> {
        let now = Instant::now();
        let payload_type = self.payload_type().context("the node took no Opus")?;
        let mut api = self.rtc.direct_api();
        let stream = api.stream_tx_by_mid(self.mid, None).context("the node takes no sound")?;
        let timestamp = self.packets.wrapping_mul(FRAME_SAMPLES as u64) as u32;
        let write = RtpWrite::new(payload_type, self.packets.into(), timestamp, now, packet);
        stream.write_rtp(write.marker(self.packets == 0));
        self.packets += 1;
        self.drain()?;
        self.rtc.handle_input(Input::Timeout(now))?;
        self.drain().map(drop)
    }

    /// Leaves out 20 ms, as a sender does in a pause.
    pub const fn pause(&mut self) {
        self.packets += 1;
    }

    /// Takes what comes until `until`.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn attend(&mut self, until: Instant) -> anyhow::Result<()> {
        loop {
            let due = self.drain()?;
            let now = Instant::now();
            if now >= until {
                return Ok(());
            }
            if due <= now {
                self.rtc.handle_input(Input::Timeout(now))?;
                continue;
            }
            let wait = due.min(until).saturating_duration_since(now);
            let Some(datagram) = self.link.receive(wait)? else { continue };
            let (proto, remote) = (self.link.protocol(), self.link.remote);
            if let Ok(received) = Receive::new(proto, remote, self.link.local, &datagram) {
                self.rtc.handle_input(Input::Receive(Instant::now(), received))?;
            }
        }
    }

    /// Speaks `frames` of 20 ms, each at its time, and hears meanwhile.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn speak(
        &mut self,
        frames: usize,
        mut sound: impl FnMut(&mut [f32; FRAME_SAMPLES]),
    ) -> anyhow::Result<()> {
        let began = Instant::now();
        for number in 0..frames {
            let mut frame = [0.0; FRAME_SAMPLES];
            sound(&mut frame);
            self.attend(began + Duration::from_millis(20 * number as u64))?;
            self.say(&frame)?;
        }
        self.attend(began + Duration::from_millis(20 * frames as u64))
    }

    /// What came since this was asked last.
    pub fn take_heard(&mut self) -> Vec<Heard> {
        std::mem::take(&mut self.heard)
    }

    /// Comes from another port, as after a change of network: ICE begins anew by PATCH.
    ///
    /// # Errors
    /// The node refuses, or cannot be reached.
    pub fn change_network(&mut self) -> anyhow::Result<()> {
        self.link = Link::open(self.over, self.link.remote)?;
        let mut changes = self.rtc.sdp_api();
        let fresh = changes.ice_restart(false);
        let (_, pending) = changes.apply().context("ICE begun anew must be offered")?;
        let asked = format!("a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", fresh.ufrag, fresh.pass);
        let fragment = whip::restart(&self.location, &self.key, &asked)?;
        self.answer = with_ice_of(&fragment, &self.answer);
        self.connected = false;
        self.begin(pending)?;
        self.connect()
    }

    /// Ends the session.
    ///
    /// # Errors
    /// The node does not know it any more.
    pub fn leave(self) -> anyhow::Result<()> {
        whip::leave(&self.location, &self.key)
    }

    /// Where the session is changed and ended.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// The node's answer.
    pub fn answer(&self) -> &str {
        &self.answer
    }

    /// Our end of the way.
    pub const fn local(&self) -> SocketAddr {
        self.link.local
    }

    fn begin(&mut self, pending: SdpPendingOffer) -> anyhow::Result<()> {
        let answer = match self.via {
            Some(via) => by_way_of(via, &self.answer),
            None => self.answer.clone(),
        };
        self.rtc.sdp_api().accept_answer(pending, SdpAnswer::from_sdp_string(&answer)?)?;
        self.rtc.add_local_candidate(self.link.candidate()?);
        Ok(())
    }

    fn connect(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        while !self.connected {
            if began.elapsed() > CONNECT_MAX {
                bail!("no way to the node opened within {CONNECT_MAX:?}");
            }
            self.attend(Instant::now() + Duration::from_millis(5))?;
        }
        Ok(())
    }

    fn payload_type(&self) -> Option<Pt> {
        self.rtc.media(self.mid)?.remote_pts().first().copied()
    }

    /// Sends what is to be sent; answers with when the library wants to be called again.
    fn drain(&mut self) -> anyhow::Result<Instant> {
        loop {
            match self.rtc.poll_output()? {
                Output::Timeout(at) if self.rtc.is_alive() => return Ok(at),
                Output::Timeout(_) => bail!("the node ended the connection"),
                Output::Transmit(datagram) => self.link.send(&datagram.contents),
                Output::Event(Event::Connected) => self.connected = true,
                Output::Event(Event::IceConnectionStateChange(state)) => {
                    self.connected |= state.is_connected() && self.packets > 0;
                }
                Output::Event(Event::RtpPacket(packet)) => self.heard.push(Heard {
                    at: Instant::now(),
                    seq: *packet.seq_no,
                    timestamp: packet.time.numer(),
                    payload: packet.payload,
                }),
                Output::Event(_) => {}
            }
        }
    }
}

/// An offer that was made and has no answer yet.
struct Offering {
    rtc: Rtc,
    mid: Mid,
    text: String,
    pending: SdpPendingOffer,
}

impl Offering {
    fn of(wants: Wants) -> anyhow::Result<Self> {
        let mut rtc = config().build(Instant::now());
        let direction = match wants {
            Wants::ToSend => Direction::SendOnly,
            Wants::ToSendAndHear => Direction::SendRecv,
        };
        let mut changes = rtc.sdp_api();
        let mid = changes.add_media(MediaKind::Audio, direction, None, None, None);
        let (offer, pending) = changes.apply().context("a new track must be offered")?;
        Ok(Self { rtc, mid, text: offer.to_sdp_string(), pending })
    }
}

fn config() -> RtcConfig {
    let crypto = Arc::new(from_feature_flags());
    RtcConfig::new().set_crypto_provider(crypto).set_rtp_mode(true).clear_codecs().enable_opus(true, false)
}

/// An offer as the library makes it, for tests that send it otherwise.
///
/// # Errors
/// The library makes none.
pub fn an_offer(wants: Wants) -> anyhow::Result<String> {
    Ok(Offering::of(wants)?.text)
}

/// The sound of what was heard, each packet at its place; what is missing is silence.
///
/// # Errors
/// A packet is not Opus.
pub fn sound_of(heard: &[Heard]) -> anyhow::Result<Vec<f32>> {
    let mut packets: Vec<_> = heard.iter().collect();
    packets.sort_by_key(|packet| packet.seq);
    packets.dedup_by_key(|packet| packet.seq);
    let (mut decoder, mut sound) = (Decoder::new()?, Vec::new());
    let first = packets.first().map_or(0, |packet| packet.timestamp);
    for packet in packets {
        let at = packet.timestamp.saturating_sub(first).min(HEARD_SAMPLES_MAX) as usize;
        if sound.len() < at {
            sound.resize(at, 0.0);
        }
        decoder.decode(&packet.payload, &mut sound)?;
    }
    Ok(sound)
}

/// The server's address in its answer, or the relay's.
fn addr_in(answer: &str, over: Over, via: Option<SocketAddr>) -> anyhow::Result<SocketAddr> {
    let wanted = match over {
        Over::Udp => str0m::net::Protocol::Udp,
        Over::Tcp => str0m::net::Protocol::Tcp,
    };
    let candidates = answer.lines().filter_map(|line| line.strip_prefix("a=candidate:"));
    let told = candidates
        .filter_map(|line| Candidate::from_sdp_string(&format!("candidate:{line}")).ok())
        .find(|candidate| candidate.proto() == wanted);
    let addr = told.with_context(|| format!("the answer names no address over {wanted}"))?.addr();
    Ok(via.unwrap_or(addr))
}

/// The answer with the relay's address in its candidates.
fn by_way_of(via: SocketAddr, answer: &str) -> String {
    let mut text = String::with_capacity(answer.len());
    for line in answer.lines() {
        if line.starts_with("a=candidate:") {
            let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            if words.len() > 5 {
                (words[4], words[5]) = (via.ip().to_string(), via.port().to_string());
            }
            text.push_str(&words.join(" "));
        } else {
            text.push_str(line);
        }
        text.push_str("\r\n");
    }
    text
}

/// The answer with ICE's name, password and addresses out of a fragment.
fn with_ice_of(fragment: &str, answer: &str) -> String {
    const OF_ICE: [&str; 4] = ["a=ice-ufrag:", "a=ice-pwd:", "a=candidate:", "a=end-of-candidates"];
    let is_of_ice = |line: &&str| OF_ICE.iter().any(|start| line.starts_with(start));
    let rest = answer.lines().filter(|line| !is_of_ice(line));
    // Of one media line, so that what belongs to it may stand at the end.
    rest.chain(fragment.lines().filter(is_of_ice)).map(|line| format!("{line}\r\n")).collect()
}
