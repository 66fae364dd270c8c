//! Packets nobody honest sends.

use super::super::*;
use super::road::{CLEAN, Random, packets, play, travel, voice};
use bytes::Bytes;

fn speaker() -> Speaker {
    Speaker::new().expect("a decoder needs nothing but memory")
}

fn packet(at_ms: u64, seq: u64, timestamp: u64, payload: Vec<u8>) -> Packet {
    Packet { arrived: Time::from_millis(at_ms), seq, timestamp, payload: Bytes::from(payload) }
}

#[test]
fn what_is_no_packet_is_refused() {
    let mut speaker = speaker();
    for payload in [vec![], vec![0xfc; 1_000_000], vec![0xfc; PAYLOAD_BYTES_MAX + 1], vec![3, 0], vec![3]] {
        let length = payload.len();
        assert_eq!(speaker.push(packet(0, 0, 0, payload)), Taken::Refused, "{length} bytes");
    }
    assert_eq!(speaker.push(packet(0, 0, 0, vec![0xfc, 0xff, 0xfe])), Taken::Waits);
    assert_eq!(speaker.counts().refused, 5);
}

#[test]
fn garbage_is_bounded_and_never_louder_than_a_decoder_makes_it() {
    let mut random = Random::new(11);
    let mut byte = |most: f64| (random.unit() * most) as u64;
    let mut speaker = speaker();
    let mut out = [0.0; FRAME_SAMPLES];
    for tick in 0..5_000 {
        for _ in 0..byte(4.0) {
            let payload: Vec<u8> = (0..byte(90.0)).map(|_| byte(256.0) as u8).collect();
            let seq = match byte(12.0) {
                0 => u64::MAX - byte(3.0),
                1 => byte(1e9),
                _ => tick + byte(9.0),
            };
            let timestamp = match byte(12.0) {
                0 => u64::MAX - byte(3_000.0),
                1 => byte(1e12),
                _ => tick * 960 + byte(9_000.0),
            };
            speaker.push(packet(tick * 20, seq, timestamp, payload));
        }
        speaker.tick(Time::from_millis(tick * 20), &mut out);
        assert!(out.iter().all(|x| x.is_finite()));
    }
}

/// Goal: another stream (another device) takes over after its second packet; a stray one changes nothing.
#[test]
fn a_leap_is_believed_when_it_is_followed() {
    let sent = packets(&voice(9, 10.0), false);
    let mut came = travel(&sent, CLEAN);
    for packet in &mut came[200..] {
        (packet.seq, packet.timestamp) = (packet.seq + 1_000_000, packet.timestamp.wrapping_sub(4_900_000));
    }
    came[100].timestamp += 480_000;
    came[120].seq += 700;
    let journey = play(&came, 9.0, 9.0);
    let counts = journey.speaker.counts();
    assert_eq!((counts.restarts, counts.lost), (1, 2), "{counts:?}");
    let missing = journey.between(1.0, 9.0).iter().filter(|heard| **heard != Heard::Sound).count();
    assert!(missing < 8, "{missing} ticks: {counts:?}");
}

/// Goal: a sender far ahead of its time fills no memory.
#[test]
fn packets_sent_ahead_are_bounded() {
    let mut speaker = speaker();
    for seq in 0..400 {
        speaker.push(packet(1, seq, seq * 960, vec![0xfc, 0xff, 0xfe]));
    }
    assert!(speaker.queue.len() <= WAITING_PACKETS_MAX);
    let mut out = [0.0; FRAME_SAMPLES];
    for tick in 0..500 {
        speaker.tick(Time::from_millis(tick * 20), &mut out);
    }
    assert_eq!(speaker.queue.len(), 0);
}
