use proptest::prelude::*;

use super::*;

fn tone(at: usize) -> [f32; UNIT_SAMPLES] {
    std::array::from_fn(|n| chirp(at * UNIT_SAMPLES + n))
}

/// A tone that sweeps, so that it fits itself at one place only.
fn chirp(n: usize) -> f32 {
    let t = n as f32 / 48_000.0;
    0.5 * (std::f32::consts::TAU * (300.0 * t + 400.0 * t * t)).sin()
}

fn power(samples: &[f32]) -> f32 {
    samples.iter().map(|s| s * s).sum::<f32>() / samples.len() as f32
}

fn adts(unit: &[u8]) -> Vec<u8> {
    let len = unit.len() + 7;
    let mut frame = vec![
        0xFF,
        0xF1,
        0x4C,
        0x40 | (len >> 11) as u8,
        (len >> 3) as u8,
        ((len & 7) << 5) as u8 | 0x1F,
        0xFC,
    ];
    frame.extend(unit);
    frame
}

#[test]
fn every_call_makes_one_unit_and_a_tone_comes_back_at_its_place() {
    for bit_rate in [32_000, 64_000, 96_000] {
        let mut encoder = Encoder::new(bit_rate).expect("a legal rate");
        let mut decoder = Decoder::raw(&encoder.audio_specific_config()).expect("our own configuration");
        let (mut heard, mut said) = (Vec::new(), Vec::new());
        for at in 0..60 {
            let mut unit = Vec::new();
            let frame = tone(at);
            let bytes = encoder.encode(&frame, &mut unit).expect("encodes");
            assert!(bytes > 0 && bytes == unit.len(), "{bit_rate} {at}");
            let sound = decoder.decode(&unit).expect("decodes");
            assert_eq!((sound.rate_hz, sound.channels, sound.samples.len()), (48_000, 1, UNIT_SAMPLES));
            sound.mono_into(&mut heard);
            said.extend(frame);
        }
        let lag = encoder.delay_samples() as usize;
        let noise: Vec<f32> = (10_000..50_000).map(|n| heard[n + lag] - said[n]).collect();
        assert!(power(&noise) < 0.001 * power(&said), "{bit_rate} lag {lag}: {}", power(&noise));
    }
}

#[test]
fn adts_is_decoded_however_it_is_cut() {
    let mut encoder = Encoder::new(64_000).expect("a legal rate");
    let mut stream = vec![0x55; 100];
    for at in 0..20 {
        let mut unit = Vec::new();
        encoder.encode(&tone(at), &mut unit).expect("encodes");
        stream.extend(adts(&unit));
    }
    for cut in [1, 7, 100, 5_000] {
        let mut decoder = Decoder::adts().expect("memory");
        let mut heard = Vec::new();
        for piece in stream.chunks(cut) {
            let mut rest = piece;
            while !rest.is_empty() {
                rest = &rest[decoder.fill(rest).expect("takes bytes")..];
                loop {
                    match decoder.poll() {
                        Ok(Some(sound)) => sound.mono_into(&mut heard),
                        Ok(None) => break,
                        Err(Error::Frame) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
            }
        }
        assert!(heard.len() >= 18 * UNIT_SAMPLES, "{cut}: {}", heard.len());
        assert!(power(&heard[8_192..]) > 0.05, "{cut}");
    }
}

#[test]
fn a_silent_unit_has_its_length_and_is_silent_after_sound() {
    let mut encoder = Encoder::new(64_000).expect("a legal rate");
    let config = encoder.audio_specific_config();
    let mut loud = Vec::new();
    for at in 0..4 {
        loud.clear();
        encoder.encode(&tone(at), &mut loud).expect("encodes");
    }
    let mut decoder = Decoder::raw(&config).expect("our own configuration");
    for len in 4..=UNIT_BYTES_MAX {
        let unit = silent_unit(len).expect("long enough");
        assert_eq!(unit.len(), len);
        decoder.decode(&loud).expect("decodes");
        // The first silent unit still holds the second half of the sound before it.
        decoder.decode(&unit).expect("decodes");
        assert_eq!(power(decoder.decode(&unit).expect("decodes").samples), 0.0, "{len}");
    }
    for len in 0..4 {
        assert_eq!(silent_unit(len), None);
    }
}

#[test]
fn wrong_rates_and_configurations_are_named() {
    for wrong in [0, 15_999, 256_001, u32::MAX] {
        assert_eq!(Encoder::new(wrong).map(|_| ()), Err(Error::BitRate(wrong)));
    }
    for wrong in [b"".as_slice(), &[0xFF; 65], &[0, 0]] {
        assert_eq!(Decoder::raw(wrong).map(|_| ()), Err(Error::Config));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn hostile_bytes_never_panic_and_always_end(
        noise in proptest::collection::vec(any::<u8>(), 0..4_000),
        flips in proptest::collection::vec((0..3_000_usize, any::<u8>()), 0..20),
    ) {
        let mut encoder = Encoder::new(64_000).expect("a legal rate");
        let mut stream = Vec::new();
        for at in 0..12 {
            let mut unit = Vec::new();
            encoder.encode(&tone(at), &mut unit).expect("encodes");
            stream.extend(adts(&unit));
        }
        for (at, to) in flips {
            if let Some(byte) = stream.get_mut(at) {
                *byte = to;
            }
        }
        stream.extend(noise);
        let mut decoder = Decoder::adts().expect("memory");
        let mut polls = 0;
        for piece in stream.chunks(777) {
            let mut rest = piece;
            while !rest.is_empty() {
                let took = decoder.fill(rest).expect("takes bytes");
                rest = &rest[took..];
                while !matches!(decoder.poll(), Ok(None)) {
                    polls += 1;
                    prop_assert!(polls < 20_000);
                }
            }
        }
    }
}
