//! How an offer is answered: ICE-lite, one certificate for all, Opus and nothing else.

use std::net::{IpAddr, SocketAddr};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use str0m::change::SdpOffer;
use str0m::config::{CryptoProvider, DtlsCert};
use str0m::crypto::from_feature_flags;
use str0m::format::{Codec, CodecConfig, CodecSpec, FormatParams, PayloadParams};
use str0m::media::Frequency;
use str0m::net::TcpType;
use str0m::rtp::Extension;
use str0m::{Candidate, Rtc, RtcConfig};
use tribune_core::ingest::whip::{Nack, Offer, answer_for_speech};
use tribune_core::reason::Refusal;

use super::sockets::announced;
use crate::answer::Failure;

/// Sender and receiver reports: often enough that a speaker's page can show the last second.
const REPORT_EVERY: Duration = Duration::from_secs(1);
/// The payload type Chromium gives Opus, used where the offer leaves us free.
const OPUS_PAYLOAD_TYPE: u8 = 111;
/// Packets shorter than this are not asked for, in milliseconds.
const PACKET_MS_MIN: u8 = 10;

/// What every answer is made with.
pub struct Answering {
    crypto: Arc<CryptoProvider>,
    certificate: DtlsCert,
    addrs: Vec<SocketAddr>,
}

impl Answering {
    /// Makes a certificate for this run of the node. Speakers are told `public`, or the address that is
    /// listened on.
    ///
    /// # Errors
    /// The certificate cannot be made.
    pub fn new(at: SocketAddr, public: &[IpAddr]) -> anyhow::Result<Self> {
        let crypto = from_feature_flags();
        let made = crypto.dtls_provider.generate_certificate();
        let certificate = made.ok_or_else(|| anyhow::anyhow!("cannot make a certificate for speakers"))?;
        Ok(Self { crypto: Arc::new(crypto), certificate, addrs: announced(at, public) })
    }

    /// The address by which a speaker at `from` knows us.
    pub(super) fn own_addr(&self, from: SocketAddr) -> SocketAddr {
        let same = self.addrs.iter().find(|addr| addr.is_ipv4() == from.ip().to_canonical().is_ipv4());
        same.or(self.addrs.first()).copied().unwrap_or(from)
    }

    /// Our addresses as an SDP has them, each after `a=`.
    pub(super) fn candidate_lines(&self) -> Vec<String> {
        self.candidates().iter().map(Candidate::to_sdp_string).collect()
    }

    /// Answers an offer.
    ///
    /// # Errors
    /// `Malformed` when the library cannot follow the offer, `OurFault` when it breaks over it.
    pub(super) fn answer(&self, now: Instant, offer: &Offer) -> Result<(Rtc, String), Failure> {
        let mut rtc = self.connection(now, offer.nack);
        let answer = accept(&mut rtc, offer)?;
        Ok((rtc, answer))
    }

    fn connection(&self, now: Instant, nack: Nack) -> Rtc {
        let mut config = RtcConfig::new()
            .set_crypto_provider(self.crypto.clone())
            .set_dtls_cert(self.certificate.clone())
            .set_ice_lite(true)
            .set_rtp_mode(true)
            .clear_extension_map()
            .set_extension(4, Extension::RtpMid)
            .set_rtcp_report_interval_audio(REPORT_EVERY);
        *config.codec_config() = CodecConfig::new_from_payload_params(vec![opus(nack)]);
        let mut rtc = config.build(now);
        for candidate in self.candidates() {
            rtc.add_local_candidate(candidate);
        }
        rtc
    }

    fn candidates(&self) -> Vec<Candidate> {
        let udp = self.addrs.iter().map(|addr| Candidate::builder().udp().host(*addr).build());
        let tcp = self
            .addrs
            .iter()
            .map(|addr| Candidate::builder().tcp().host(*addr).tcptype(TcpType::Passive).build());
        udp.chain(tcp).filter_map(Result::ok).collect()
    }
}

/// Lets the library follow an offer. It should break over none; should it, that is one answer and not the
/// thread.
pub(super) fn accept(rtc: &mut Rtc, offer: &Offer) -> Result<String, Failure> {
    let followed = catch_unwind(AssertUnwindSafe(|| {
        let sdp = SdpOffer::from_sdp_string(&offer.text).map_err(|error| error.to_string())?;
        let answer = rtc.sdp_api().accept_offer(sdp).map_err(|error| error.to_string())?;
        Ok::<_, String>(answer_for_speech(&answer.to_sdp_string()))
    }));
    match followed {
        Ok(answer) => answer.map_err(Failure::malformed),
        Err(_) => {
            tracing::error!("offer_broke_the_library");
            Err(Failure::of(Refusal::OurFault))
        }
    }
}

/// Opus as RFC 7587 has it, with redundancy, and pauses instead of silence. No congestion control: speech is
/// a steady 50 packets a second. Lost packets are asked for if the sender takes such requests.
fn opus(nack: Nack) -> PayloadParams {
    let format = FormatParams {
        min_p_time: Some(PACKET_MS_MIN),
        use_inband_fec: Some(true),
        use_dtx: Some(true),
        ..FormatParams::default()
    };
    let spec =
        CodecSpec { codec: Codec::Opus, clock_rate: Frequency::FORTY_EIGHT_KHZ, channels: Some(2), format };
    let mut params = PayloadParams::new(OPUS_PAYLOAD_TYPE.into(), None, spec);
    params.set_fb_transport_cc(false);
    params.set_fb_nack(nack == Nack::Taken);
    params
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::world::World;

    const OBS: &str = include_str!("../../../core/tests/sdp/obs-30.sdp");
    const CHROMIUM: &str = include_str!("../../../core/tests/sdp/chromium-sendrecv.sdp");

    fn answered(text: &str) -> String {
        let world = World::begin();
        let answering = Answering::new("127.0.0.1:8082".parse().unwrap(), &[]).unwrap();
        let now = world.instant(world.now()).unwrap();
        answering.answer(now, &Offer::read(text).unwrap()).unwrap().1
    }

    #[test]
    fn a_browser_that_wants_to_hear_is_answered_both_ways() {
        let answer = answered(CHROMIUM);
        for line in [
            "a=ice-lite",
            "a=setup:passive",
            "a=sendrecv",
            "a=mid:0",
            "a=rtcp-mux",
            "a=rtpmap:111 opus/48000/2",
            "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
        ] {
            assert!(answer.lines().any(|said| said == line), "{line} is missing from:\n{answer}");
        }
        let fmtp = answer.lines().find(|line| line.starts_with("a=fmtp:111 ")).unwrap();
        for asked in ["useinbandfec=1", "usedtx=1", "maxaveragebitrate=48000"] {
            assert!(fmtp.contains(asked), "{fmtp}");
        }
        let candidates = |kind: &str| answer.lines().filter(|line| line.contains(kind)).count();
        assert_eq!((candidates(" udp "), candidates(" tcp ")), (1, 1), "{answer}");
        assert!(answer.contains("tcptype passive"), "{answer}");
        assert!(!answer.contains("transport-cc") && !answer.contains("red/48000"), "{answer}");
    }

    #[test]
    fn lost_packets_are_asked_for_where_the_sender_sends_them_again() {
        const NACK: &str = "a=rtcp-fb:111 nack\r\n";
        assert!(!answered(CHROMIUM).contains(NACK));
        let munged = CHROMIUM.replace("a=rtcp-fb:111 transport-cc\r\n", NACK);
        assert!(answered(&munged).contains(NACK), "{}", answered(&munged));
    }

    #[test]
    fn of_obs_the_sound_is_taken_and_the_picture_is_not() {
        let answer = answered(OBS);
        let (audio, video) = answer.split_once("m=video").unwrap();
        assert!(audio.contains("a=recvonly"), "{answer}");
        assert!(video.starts_with(" 0 "), "{answer}");
        assert!(answer.contains("a=group:BUNDLE 0\r\n"), "{answer}");
        // libdatachannel, which OBS speaks through, finds a track by its mid, also one that is refused.
        assert!(video.contains("a=mid:1\r\n"), "{answer}");
    }

    #[test]
    fn damaged_offers_never_break_anything() {
        let world = World::begin();
        let answering = Answering::new("127.0.0.1:8082".parse().unwrap(), &[]).unwrap();
        let now = world.instant(world.now()).unwrap();
        for seed in 0..400 {
            for text in [OBS, CHROMIUM] {
                let damaged = String::from_utf8_lossy(&crate::damage(text.as_bytes(), seed)).into_owned();
                let Ok(offer) = Offer::read(&damaged) else { continue };
                if let Err(failure) = answering.answer(now, &offer) {
                    assert_eq!(failure.reason(), Refusal::Malformed, "seed {seed}: {damaged}");
                }
            }
        }
    }
}
