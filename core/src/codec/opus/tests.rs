use proptest::prelude::*;

use super::*;

fn tone(at: usize) -> [f32; FRAME_SAMPLES] {
    std::array::from_fn(|n| 0.5 * (((at * FRAME_SAMPLES + n) as f32) * 0.0576).sin())
}

fn power(samples: &[f32]) -> f32 {
    samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32
}

#[test]
fn every_bit_rate_has_the_same_lookahead() {
    for bit_rate in [6_000, 16_000, 32_000, 64_000, 128_000, 510_000] {
        assert_eq!(Encoder::new(bit_rate).expect("a legal rate").lookahead_samples(), 312, "{bit_rate}");
    }
}

#[test]
fn a_tone_comes_back_at_its_place() {
    for bit_rate in [16_000, 32_000, 64_000] {
        let mut encoder = Encoder::new(bit_rate).expect("a legal rate");
        let mut decoder = Decoder::new().expect("memory");
        let (mut heard, mut said) = (Vec::new(), Vec::new());
        for at in 0..50 {
            let mut packet = Vec::new();
            let prediction = if at % 16 == 0 { Prediction::Fresh } else { Prediction::Carry };
            let frame = tone(at);
            let bytes = encoder.encode(&frame, prediction, &mut packet).expect("encodes");
            assert_eq!(bytes, packet.len());
            assert_eq!(decoder.decode(&packet, &mut heard), Ok(FRAME_SAMPLES));
            said.extend(frame);
        }
        let lag = encoder.lookahead_samples() as usize;
        let noise: Vec<f32> = (24_000..47_000).map(|n| heard[n + lag] - said[n]).collect();
        assert!(power(&noise) < 0.02 * power(&said), "{bit_rate}: {}", power(&noise));
    }
}

#[test]
fn a_silent_packet_has_its_length_and_is_silent_after_sound() {
    let mut loud = Vec::new();
    let mut encoder = Encoder::new(32_000).expect("a legal rate");
    encoder.encode(&tone(0), Prediction::Fresh, &mut loud).expect("encodes");
    for len in (1..=600).chain([763, 764, 765, 1_019, 1_020, 1_275, 1_276]) {
        let packet = silent_packet(len).expect("not empty");
        assert_eq!(packet.len(), len);
        let mut decoder = Decoder::new().expect("memory");
        let mut heard = Vec::new();
        decoder.decode(&loud, &mut heard).expect("decodes");
        if len < 3 {
            decoder.decode(&silent_packet(3).expect("3 bytes"), &mut heard).expect("decodes");
        }
        for _ in 0..2 {
            heard.clear();
            assert_eq!(decoder.decode(&packet, &mut heard), Ok(FRAME_SAMPLES), "{len}");
        }
        assert!(power(&heard) < 1e-8, "{len}: {}", power(&heard));
    }
    assert_eq!(silent_packet(0), None);
}

#[test]
fn concealment_is_bounded() {
    let mut decoder = Decoder::new().expect("memory");
    let mut heard = Vec::new();
    assert_eq!(decoder.conceal(960, &mut heard), Ok(960));
    assert_eq!(heard.len(), 960);
    for wrong in [0, 1, 121, 5_880, usize::MAX] {
        assert_eq!(decoder.conceal(wrong, &mut heard), Err(Error::Conceal(wrong)));
    }
    assert_eq!(heard.len(), 960);
}

#[test]
fn wrong_bit_rates_are_named() {
    for wrong in [0, 5_999, 510_001, u32::MAX] {
        assert_eq!(Encoder::new(wrong).map(|_| ()), Err(Error::BitRate(wrong)));
    }
}

proptest! {
    #[test]
    fn hostile_packets_never_panic(
        packets in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 1..8),
    ) {
        let mut decoder = Decoder::new().expect("memory");
        let mut heard = Vec::new();
        for packet in packets {
            let before = heard.len();
            match decoder.decode(&packet, &mut heard) {
                Ok(samples) => prop_assert_eq!(heard.len(), before + samples),
                Err(_) => prop_assert_eq!(heard.len(), before),
            }
        }
    }
}

/// Goal: a lost frame comes back from the packet after it, better than it can be made up.
/// Method: pulses at a wandering pitch; every tenth packet is lost, and compared with what was coded.
#[test]
fn what_was_lost_is_in_the_next_packet() {
    let mut phase = 0.0_f64;
    let voice: Vec<f32> = (0..96_000)
        .map(|n| {
            let t = f64::from(n) / 48_000.0;
            phase += (120.0 + 40.0 * (4.0 * t).sin()) / 48_000.0;
            let swell = 0.3 * (3.0 * std::f64::consts::PI * t).sin().abs();
            (swell
                * (1..20)
                    .map(|k| (phase * f64::from(k) * std::f64::consts::TAU).sin() / f64::from(k))
                    .sum::<f64>()) as f32
        })
        .collect();
    let mut encoder = Encoder::talk(48_000).expect("libopus takes it");
    let packets: Vec<Vec<u8>> = voice
        .chunks_exact(FRAME_SAMPLES)
        .map(|frame| {
            let mut packet = Vec::new();
            encoder
                .encode(frame.try_into().expect("libopus takes it"), Prediction::Carry, &mut packet)
                .expect("libopus takes it");
            packet
        })
        .collect();
    assert!(packets.iter().filter(|packet| repeats_the_one_before(packet)).count() > 50);
    let error = |makes_up: fn(&mut Decoder, &[u8], &mut Vec<f32>)| -> f64 {
        let (mut whole, mut torn) =
            (Decoder::new().expect("libopus takes it"), Decoder::new().expect("libopus takes it"));
        let mut error = 0.0;
        for (at, packet) in packets.iter().enumerate().take(95) {
            let (mut right, mut made) = (Vec::new(), Vec::new());
            whole.decode(packet, &mut right).expect("libopus takes it");
            if at % 10 == 9 {
                makes_up(&mut torn, &packets[at + 1], &mut made);
                error += right.iter().zip(&made).map(|(x, y)| f64::from(x - y).powi(2)).sum::<f64>();
            } else {
                torn.decode(packet, &mut made).expect("libopus takes it");
            }
        }
        error
    };
    let repaired = error(|decoder, next, out| {
        assert_eq!(decoder.recover(next, FRAME_SAMPLES, out), Ok(FRAME_SAMPLES));
    });
    let concealed = error(|decoder, _, out| {
        assert_eq!(decoder.conceal(FRAME_SAMPLES, out), Ok(FRAME_SAMPLES));
    });
    assert!(repaired < 0.5 * concealed, "{repaired:.2} and {concealed:.2}");
}

/// Goal: speech that is lost is made up by the model, which must have been built in.
#[test]
fn lost_speech_is_made_up_by_a_model() {
    let mut encoder = Encoder::talk(48_000).expect("libopus takes it");
    let mut packets = vec![Vec::new(); 20];
    for (at, packet) in packets.iter_mut().enumerate() {
        encoder.encode(&tone(at), Prediction::Carry, packet).expect("libopus takes it");
    }
    let made_up = |decoder: Result<Decoder, Error>| {
        let (mut decoder, mut said, mut made) = (decoder.expect("memory"), Vec::new(), Vec::new());
        for packet in &packets {
            decoder.decode(packet, &mut said).expect("libopus takes it");
        }
        assert_eq!(decoder.conceal(FRAME_SAMPLES, &mut made), Ok(FRAME_SAMPLES));
        (said, made)
    };
    let (plain, by_model) = (made_up(Decoder::new()), made_up(Decoder::speech()));
    assert_eq!(plain.0, by_model.0, "what came is decoded the same");
    assert_ne!(plain.1, by_model.1, "what did not is not");
}

#[test]
fn nothing_is_recovered_from_what_is_no_packet() {
    let (mut decoder, mut out) = (Decoder::new().expect("libopus takes it"), Vec::new());
    assert_eq!(decoder.recover(&[], 960, &mut out), Err(Error::Packet));
    assert_eq!(decoder.recover(&[0xfc; 70_000], 960, &mut out), Err(Error::TooLong(70_000)));
    for samples in [0, 100, 5_880] {
        assert_eq!(decoder.recover(&[0xfc, 0xff, 0xfe], samples, &mut out), Err(Error::Conceal(samples)));
    }
    for (packet, repeats) in [(&[][..], false), (&[0xfc], false), (&[0x78], false), (&[3, 0], false)] {
        assert_eq!(repeats_the_one_before(packet), repeats, "{packet:?}");
    }
    assert!(out.is_empty());
}
