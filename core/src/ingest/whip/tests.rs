#![allow(clippy::unwrap_used)]

use super::*;

/// In the form in which OBS Studio 30 offers (by libdatachannel): sound and picture, ICE and DTLS told once
/// for both (`tests/sdp/README.md` says what is known of it).
const OBS: &str = include_str!("../../../tests/sdp/obs-30.sdp");
/// As Chromium 156 sends it for one microphone, `sendrecv`.
const CHROMIUM: &str = include_str!("../../../tests/sdp/chromium-sendrecv.sdp");

fn fresh() -> Credentials {
    Credentials { ufrag: "ysXw".to_owned(), pwd: "vw5LmwG4y/e6dPP/zAP9Gp5k".to_owned() }
}

#[test]
fn offers_of_real_senders_are_read() {
    let offer = Offer::read(OBS).unwrap();
    assert_eq!((offer.wants, offer.nack, offer.mid.as_str()), (Wants::ToSend, Nack::NotTaken, "0"));
    assert_eq!(offer.credentials.ufrag, "E2Fr");
    let offer = Offer::read(CHROMIUM).unwrap();
    assert_eq!((offer.wants, offer.mid.as_str()), (Wants::ToSendAndHear, "0"));
    assert!(!offer.fragment().candidates.is_empty());
}

#[test]
fn what_cannot_be_answered_is_named() {
    let with = |from: &str, to: &str| {
        assert!(OBS.contains(from), "{from:?} stands in the offer");
        Offer::read(&OBS.replacen(from, to, 1))
    };
    for (from, to, error) in [
        ("v=0", "v=1", Error::NotSdp),
        ("s=-", "hello", Error::Line(3)),
        ("s=-", "S=-", Error::Line(3)),
        ("m=audio 4557", "m=audio 0", Error::AudioLines(0)),
        ("m=audio", "m=video", Error::AudioLines(0)),
        ("m=video", "m=audio", Error::AudioLines(2)),
        ("opus/48000/2", "PCMU/8000", Error::NoOpus),
        ("a=sendonly", "a=recvonly", Error::SendsNothing),
        ("a=sendonly", "a=inactive", Error::SendsNothing),
        ("a=setup:actpass", "a=setup:passive", Error::Setup),
        ("a=ice-ufrag:E2Fr\r\n", "", Error::Credentials),
        ("a=ice-ufrag:E2Fr", "a=ice-ufrag:E2", Error::Credentials),
        ("a=ice-ufrag:E2Fr", "a=ice-ufrag:E2\u{e9}rr", Error::Credentials),
        ("a=ice-pwd:OpQzg1PAwUdeOB244chlgd", "a=ice-pwd:short", Error::Credentials),
        ("a=fingerprint:", "a=thumb:", Error::Fingerprint),
    ] {
        assert_eq!(with(from, to), Err(error), "{from} {to}");
    }
    assert_eq!(Offer::read(""), Err(Error::AudioLines(0)));
    assert_eq!(Offer::read(&"m=video 9 x 0\n".repeat(3)), Err(Error::NotSdp));
    assert_eq!(Offer::read(&format!("{OBS}{}", "m=video 9 x 0\n".repeat(9))), Err(Error::TooManyMedia));
    assert_eq!(Offer::read(&format!("{OBS}{}", "a=x\n".repeat(SDP_LINES_MAX))), Err(Error::TooManyLines));
    assert_eq!(Offer::read(&"v=0\n".repeat(OFFER_BYTES_MAX)), Err(Error::TooLong));
}

#[test]
fn an_offer_begun_anew_differs_in_its_name_alone() {
    for text in [OBS, CHROMIUM] {
        let offer = Offer::read(text).unwrap();
        let again = offer.restarted(&fresh());
        assert_eq!(Offer::read(&again.text).unwrap(), again);
        assert_eq!(again.credentials, fresh());
        assert!(again.fragment().candidates.is_empty());
        let rest = |text: &str| -> Vec<String> {
            text.lines()
                .filter(|line| !line.contains("ice-") && !line.contains("candidate"))
                .map(str::to_owned)
                .collect()
        };
        assert_eq!(rest(&offer.text), rest(&again.text));
    }
}

#[test]
fn a_patch_trickles_restarts_or_is_refused() {
    let known = Offer::read(OBS).unwrap().credentials;
    let trickle = "a=ice-ufrag:E2Fr\r\na=ice-pwd:OpQzg1PAwUdeOB244chlgd\r\nm=audio 9 RTP/AVP 0\r\na=mid:0\r\n\
        a=candidate:1 1 udp 2122260223 192.0.2.1 61764 typ host\r\na=end-of-candidates\r\n";
    let restart = "a=ice-ufrag:ysXw\r\na=ice-pwd:vw5LmwG4y/e6dPP/zAP9Gp5k\r\n";
    let read = |if_match, text| read_patch(if_match, "\"abc\"", &known, Fragment::read(text).unwrap());
    let fragment = |text| Fragment::read(text).unwrap();
    assert_eq!(read(Some("\"abc\""), trickle), Ok(Patch::Trickle(fragment(trickle))));
    assert_eq!(
        read(Some("\"x\", \"abc\""), "a=end-of-candidates\n"),
        Ok(Patch::Trickle(Fragment::default()))
    );
    assert_eq!(read(Some("*"), restart), Ok(Patch::Restart(fresh(), fragment(restart))));
    assert_eq!(read(Some("*"), trickle), Ok(Patch::Trickle(fragment(trickle))));
    assert_eq!(read(Some("*"), "a=mid:0\n"), Err(Error::Credentials));
    assert_eq!(read(Some("\"old\""), trickle), Err(Error::Moved));
    assert_eq!(read(Some("\"abc\""), restart), Err(Error::Moved));
    assert_eq!(read(None, trickle), Err(Error::NoMatch));
}

#[test]
fn fragments_are_bounded_and_ours_can_be_read() {
    let candidate = "a=candidate:1 1 udp 1 192.0.2.1 9 typ host\n";
    assert_eq!(Fragment::read(&candidate.repeat(CANDIDATES_MAX)).unwrap().candidates.len(), CANDIDATES_MAX);
    assert_eq!(Fragment::read(&candidate.repeat(CANDIDATES_MAX + 1)), Err(Error::Candidates));
    let long = format!("a=candidate:{}\n", "1".repeat(CANDIDATE_BYTES_MAX));
    assert_eq!(Fragment::read(&long), Err(Error::Candidates));
    assert_eq!(Fragment::read(&"a=x\n".repeat(FRAGMENT_BYTES_MAX)), Err(Error::TooLong));
    assert_eq!(Fragment::read("a=ice-ufrag:abcd\n"), Err(Error::Credentials));
    assert_eq!(Fragment::read("{\"candidate\": 1}"), Err(Error::Line(1)));
    let ours = Fragment::write(&fresh(), "0", &["candidate:1 1 udp 1 192.0.2.1 9 typ host".to_owned()]);
    let read = Fragment::read(&ours).unwrap();
    assert_eq!((read.credentials, read.candidates.len()), (Some(fresh()), 1));
}

#[test]
fn an_answer_asks_for_speech() {
    let asked = answer_for_speech("v=0\r\na=fmtp:111 minptime=10;useinbandfec=1\r\na=fmtp:96 apt=1\r\n");
    let fmtp = "a=fmtp:111 minptime=10;useinbandfec=1;maxaveragebitrate=48000\r\n";
    assert_eq!(asked, format!("v=0\r\n{fmtp}a=fmtp:96 apt=1\r\n"));
}
