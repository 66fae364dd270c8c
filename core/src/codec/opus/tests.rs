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
    for len in (1..=600).chain([763, 764, 765, 1_019, 1_020, 1_275, 1_276]) {
        let packet = silent_packet(len).expect("not empty");
        assert_eq!(packet.len(), len);
        let mut encoder = Encoder::new(32_000).expect("a legal rate");
        let mut decoder = Decoder::new().expect("memory");
        let mut heard = Vec::new();
        let mut loud = Vec::new();
        encoder.encode(&tone(0), Prediction::Fresh, &mut loud).expect("encodes");
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
