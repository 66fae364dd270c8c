use proptest::prelude::*;

use super::*;
use crate::codec::opus::{Encoder, Prediction};
use crate::ingest::ogg::{Found, Page, Pages, write_page};
use crate::ingest::outcome::{Codec, Format, Lost};
use crate::time::FRAME_SAMPLES;

const VORBIS: [&[u8]; 2] = [
    include_bytes!("../../../tests/sounds/tone-0.vorbis.ogg"),
    include_bytes!("../../../tests/sounds/tone-1.vorbis.ogg"),
];
const VORBIS_51: &[u8] = include_bytes!("../../../tests/sounds/tone-5.1.vorbis.ogg");
const VORBIS_NATIVE: &[u8] = include_bytes!("../../../tests/sounds/tone-native.vorbis.ogg");
const OPUS: &[u8] = include_bytes!("../../../tests/sounds/tone.opus");
const MPEG1: &[u8] = include_bytes!("../../../tests/sounds/tone-mpeg1.mp3");
const MPEG2: &[u8] = include_bytes!("../../../tests/sounds/tone-mpeg2.mp3");
const MPEG25: &[u8] = include_bytes!("../../../tests/sounds/tone-mpeg2.5.mp3");
const LC: &[u8] = include_bytes!("../../../tests/sounds/tone-lc.aac");
const HE: &[u8] = include_bytes!("../../../tests/sounds/tone-he.aac");
const HE_V2: &[u8] = include_bytes!("../../../tests/sounds/tone-he-v2.aac");

/// Everything that was told, and the sound joined.
#[derive(Debug, Default, PartialEq)]
struct Heard {
    formats: Vec<Format>,
    titles: Vec<String>,
    lost: Vec<Lost>,
    failed: Option<Error>,
    samples: Vec<f32>,
}

fn outputs(hint: Hint, bytes: &[u8], chunk: usize) -> Vec<Output> {
    let mut source = Source::new(hint);
    let mut told = Vec::new();
    for chunk in bytes.chunks(chunk) {
        source.handle_input(Time::ZERO, Input::Bytes(chunk));
        told.extend(std::iter::from_fn(|| source.poll_output()));
    }
    source.handle_input(Time::ZERO, Input::Ended);
    told.extend(std::iter::from_fn(|| source.poll_output()));
    told
}

fn hear(bytes: &[u8]) -> Heard {
    let mut heard = Heard::default();
    for output in outputs(Hint::Unknown, bytes, 1_000) {
        match output {
            Output::Format(format) => heard.formats.push(format),
            Output::Sound(pcm) => {
                assert_eq!(pcm.rate_hz, heard.formats.last().expect("a format comes first").rate_hz);
                heard.samples.extend(pcm.samples);
            }
            Output::Title(title) => heard.titles.push(title.line()),
            Output::Lost(lost) => heard.lost.push(lost),
            Output::Failed(error) => heard.failed = Some(error),
        }
    }
    heard
}

/// Amplitude of one frequency (Goertzel) and of everything else.
fn tone(samples: &[f32], rate_hz: u32, hz: f64) -> (f64, f64) {
    let (mut cos, mut sin, mut power) = (0.0, 0.0, 0.0);
    for (n, &sample) in samples.iter().enumerate() {
        let at = std::f64::consts::TAU * hz * n as f64 / f64::from(rate_hz);
        cos += f64::from(sample) * at.cos();
        sin += f64::from(sample) * at.sin();
        power += f64::from(sample).powi(2);
    }
    let count = samples.len() as f64;
    let amplitude = 2.0 * cos.hypot(sin) / count;
    (amplitude, (2.0 * (power / count - amplitude * amplitude / 2.0).max(0.0)).sqrt())
}

/// The middle of the sound is a tone of 440 Hz and this amplitude, and hardly anything else.
fn assert_tone(samples: &[f32], rate_hz: u32, amplitude: f64) {
    let period = f64::from(rate_hz) / 440.0;
    let start = samples.len() / 5;
    let count = ((samples.len() * 3 / 5) as f64 / (period * 11.0)).floor() * period * 11.0;
    let (got, rest) = tone(&samples[start..start + count.round() as usize], rate_hz, 440.0);
    assert!((got - amplitude).abs() < 0.06 * amplitude, "amplitude {got}, not {amplitude}");
    assert!(rest < 0.1 * amplitude, "{rest} is something else than the tone");
}

/// A tone of 440 Hz has no step larger than its own steepest; a click or a gap has.
fn assert_no_click(samples: &[f32], rate_hz: u32, amplitude: f32) {
    let steepest = amplitude * std::f32::consts::TAU * 440.0 / rate_hz as f32;
    let worst = samples.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
    assert!(worst < 1.5 * steepest, "a step of {worst}, where the tone's steepest is {steepest}");
}

/// The longest stretch, in samples, in which the sound is nearly nothing.
fn longest_silence(samples: &[f32]) -> usize {
    samples.split(|sample| sample.abs() > 0.02).map(<[f32]>::len).max().unwrap_or(0)
}

#[test]
fn every_kind_of_source_is_heard_as_it_was_sent() {
    for (name, bytes, codec, rate_hz, channels, samples, amplitude) in [
        ("opus", OPUS, Codec::Opus, 48_000, 2, 48_000..=48_000, 0.3),
        ("vorbis", VORBIS[0], Codec::Vorbis, 44_100, 2, 44_100..=44_100, 0.3),
        ("native vorbis", VORBIS_NATIVE, Codec::Vorbis, 44_100, 2, 22_050..=22_528, 0.3),
        ("vorbis 5.1", VORBIS_51, Codec::Vorbis, 48_000, 6, 24_000..=24_000, 0.5),
        ("mpeg-1", MPEG1, Codec::Mp3, 44_100, 2, 44_100..=47_616, 0.3),
        ("mpeg-2", MPEG2, Codec::Mp3, 22_050, 1, 22_050..=24_192, 0.3),
        ("mpeg-2.5", MPEG25, Codec::Mp3, 8_000, 1, 8_000..=9_800, 0.3),
        ("aac-lc", LC, Codec::Aac, 32_000, 2, 32_000..=35_000, 0.3),
        ("he-aac", HE, Codec::Aac, 44_100, 2, 44_100..=50_000, 0.3),
        ("he-aac v2", HE_V2, Codec::Aac, 44_100, 2, 44_100..=50_000, 0.3),
    ] {
        let heard = hear(bytes);
        assert_eq!((heard.failed, heard.lost), (None, vec![]), "{name}");
        assert_eq!(heard.formats, [Format { codec, rate_hz, channels }], "{name}");
        assert!(samples.contains(&heard.samples.len()), "{name}: {} samples", heard.samples.len());
        assert_tone(&heard.samples, rate_hz, amplitude);
    }
}

#[test]
fn how_the_bytes_are_cut_changes_nothing() {
    let noisy = [b"garbage", OPUS, VORBIS[0], &OPUS[..3_000], VORBIS[1]].concat();
    for bytes in [&noisy, OPUS, VORBIS_51, MPEG1, &MPEG2[7..], HE] {
        let whole = outputs(Hint::Unknown, bytes, bytes.len());
        for chunk in [1, 7, 1_021] {
            assert_eq!(outputs(Hint::Unknown, bytes, chunk), whole, "{chunk}");
        }
    }
}

#[test]
fn titles_come_from_the_comments() {
    assert_eq!(hear(OPUS).titles, ["Ben - Tone"]);
    assert_eq!(hear(&VORBIS.concat()).titles, ["Anna - Half 0", "Anna - Half 1"]);
    assert_eq!(hear(&[OPUS, VORBIS_51].concat()).titles, ["Ben - Tone", ""]);
}

#[test]
fn a_chain_of_vorbis_streams_is_one_sound() {
    let heard = hear(&VORBIS.concat());
    assert_eq!((heard.failed, heard.lost), (None, vec![]));
    assert_eq!(heard.formats.len(), 1);
    assert_eq!(heard.samples.len(), 88_200);
    assert_tone(&heard.samples[33_000..55_200], 44_100, 0.3);
    assert_no_click(&heard.samples[1_000..87_000], 44_100, 0.3);
}

/// A tone of 440 Hz at amplitude 0.5, coded as one Ogg Opus stream in pages of 5 packets, from one sample to
/// another of it.
fn opus_stream(serial: u32, from: usize, to: usize) -> Vec<Page> {
    let mut encoder = Encoder::new(64_000).expect("a legal rate");
    let pre_skip = encoder.lookahead_samples() as usize;
    let page = |sequence: u32, granule: usize, packets: &[Vec<u8>]| {
        let mut lacing = Vec::new();
        for packet in packets {
            lacing.extend(std::iter::repeat_n(255, packet.len() / 255));
            lacing.push((packet.len() % 255) as u8);
        }
        let granule = Some(granule as u64);
        Page { serial, sequence, granule, lacing, body: packets.concat(), ..Page::default() }
    };
    let mut head = b"OpusHead\x01\x01".to_vec();
    head.extend((pre_skip as u16).to_le_bytes());
    head.extend([0; 7]);
    let mut pages = vec![
        Page { begins: true, ..page(0, 0, &[head]) },
        page(1, 0, &[b"OpusTags\0\0\0\0\0\0\0\0".to_vec()]),
    ];
    let frames = (to - from + pre_skip).div_ceil(FRAME_SAMPLES);
    let mut packets = Vec::new();
    for nth in 0..frames {
        let frame = std::array::from_fn(|n| {
            let at = (from + nth * FRAME_SAMPLES + n) as f64;
            0.5 * (std::f64::consts::TAU * 440.0 * at / 48_000.0).sin() as f32
        });
        let mut packet = Vec::new();
        encoder.encode(&frame, Prediction::Carry, &mut packet).expect("encodes");
        packets.push(packet);
    }
    for (nth, some) in packets.chunks(5).enumerate() {
        let granule = (nth * 5 + some.len()) * FRAME_SAMPLES;
        pages.push(page(2 + nth as u32, granule.min(to - from + pre_skip), some));
    }
    pages.last_mut().expect("sound").ends = true;
    pages
}

fn bytes_of(pages: &[Page]) -> Vec<u8> {
    pages.iter().flat_map(write_page).collect()
}

#[test]
fn a_chain_of_opus_streams_is_one_sound() {
    let chain =
        [opus_stream(1, 0, 48_000), opus_stream(2, 48_000, 70_001), opus_stream(3, 70_001, 96_000)].concat();
    let heard = hear(&bytes_of(&chain));
    assert_eq!((heard.failed, heard.lost), (None, vec![]));
    assert_eq!(heard.samples.len(), 96_000);
    for (n, sample) in heard.samples.iter().enumerate().skip(2_000) {
        let sent = 0.5 * (std::f64::consts::TAU * 440.0 * n as f64 / 48_000.0).sin() as f32;
        assert!((sample - sent).abs() < 0.1, "sample {n}: {sample}, not {sent}");
    }
}

#[test]
fn a_lost_page_of_opus_is_made_up_and_what_follows_keeps_its_place() {
    let mut pages = opus_stream(1, 0, 48_000);
    pages.remove(6);
    let heard = hear(&bytes_of(&pages));
    assert_eq!(heard.lost, [Lost::PagesMissing { pages: 1 }]);
    assert_eq!(heard.samples.len(), 48_000);
    for (n, sample) in heard.samples.iter().enumerate().skip(40_000) {
        let sent = 0.5 * (std::f64::consts::TAU * 440.0 * n as f64 / 48_000.0).sin() as f32;
        assert!((sample - sent).abs() < 0.05, "sample {n}: {sample}, not {sent}");
    }
    assert!(longest_silence(&heard.samples) < 480);
}

#[test]
fn a_damaged_page_is_told_and_survived() {
    let pages = opus_stream(1, 0, 48_000);
    let mut bytes = bytes_of(&pages);
    let at = bytes_of(&pages[..6]).len() + 100;
    bytes[at] ^= 0x40;
    let heard = hear(&bytes);
    assert!(matches!(
        heard.lost[..],
        [Lost::PageDamaged, Lost::Garbage { .. }, Lost::PagesMissing { pages: 1 }]
    ));
    assert_eq!((heard.samples.len(), heard.failed), (48_000, None));
}

/// The pages of an Ogg file.
fn pages_of(bytes: &[u8]) -> Vec<Page> {
    let mut pages = Pages::default();
    pages.push(bytes);
    let page = |found| match found {
        Found::Page(page) => page,
        Found::Lost(lost) => panic!("{lost}"),
        Found::Gone(bytes) => panic!("lost after {bytes} bytes"),
    };
    std::iter::from_fn(|| pages.poll()).map(page).collect()
}

#[test]
fn a_lost_page_of_vorbis_is_as_long_a_silence() {
    let mut pages = pages_of(VORBIS[0]);
    pages.remove(4);
    let heard = hear(&bytes_of(&pages));
    assert_eq!((heard.lost, heard.failed), (vec![Lost::PagesMissing { pages: 1 }], None));
    assert_eq!(heard.samples.len(), 44_100);
    let silence = longest_silence(&heard.samples);
    assert!((3_000..9_000).contains(&silence), "{silence}");
    for (n, sample) in heard.samples.iter().enumerate().skip(35_000) {
        let sent = 0.3 * (std::f64::consts::TAU * 440.0 * n as f64 / 44_100.0).sin() as f32;
        assert!((sample - sent).abs() < 0.05, "sample {n}: {sample}, not {sent}");
    }
}

#[test]
fn streams_beside_the_one_that_is_heard_are_passed_over() {
    let mut other = opus_stream(9, 20_000, 68_000);
    let mut pages = Vec::new();
    for (mine, beside) in opus_stream(1, 0, 48_000).into_iter().zip(other.drain(..)) {
        pages.extend([mine, beside]);
    }
    let skeleton =
        Page { begins: true, serial: 77, lacing: vec![8], body: b"fishead\0".to_vec(), ..Page::default() };
    pages.insert(0, skeleton);
    let alone = hear(&bytes_of(&opus_stream(1, 0, 48_000)));
    assert_eq!(hear(&bytes_of(&pages)), alone);
}

#[test]
fn the_codec_may_change_where_a_stream_ends() {
    let heard = hear(&[VORBIS[0], OPUS, VORBIS_51].concat());
    let codecs: Vec<_> = heard.formats.iter().map(|format| (format.codec, format.rate_hz)).collect();
    assert_eq!(codecs, [(Codec::Vorbis, 44_100), (Codec::Opus, 48_000), (Codec::Vorbis, 48_000)]);
    assert_eq!(heard.samples.len(), 44_100 + 48_000 + 24_000);
}

#[test]
fn mp3_may_change_its_rate_and_channels() {
    let heard = hear(&[MPEG1, MPEG2, MPEG1, MPEG25].concat());
    let rates: Vec<_> = heard.formats.iter().map(|format| (format.rate_hz, format.channels)).collect();
    assert_eq!(rates, [(44_100, 2), (22_050, 1), (44_100, 2), (8_000, 1)]);
    assert_eq!(heard.failed, None);
}

#[test]
fn frames_are_found_again_after_garbage() {
    for (bytes, cut) in [(MPEG1, 3_000), (HE, 1_500), (LC, 2_000)] {
        let (front, back) = bytes.split_at(cut);
        let heard = hear(&[front, &[0x55; 700], back].concat());
        assert!(heard.lost.iter().any(|lost| matches!(lost, Lost::Garbage { .. })), "{:?}", heard.lost);
        assert_eq!(heard.failed, None);
        let whole = hear(bytes).samples.len();
        assert!(heard.samples.len() > whole * 8 / 10, "{} of {whole}", heard.samples.len());
    }
}

#[test]
fn the_gain_in_the_head_is_applied() {
    let mut pages = opus_stream(1, 0, 48_000);
    let halved = (-6.0206_f64 * 256.0) as i16;
    pages[0].body[16..18].copy_from_slice(&halved.to_le_bytes());
    assert_tone(&hear(&bytes_of(&pages)).samples, 48_000, 0.25);
}

#[test]
fn what_cannot_be_heard_is_named() {
    let flac = Page { begins: true, lacing: vec![5], body: b"\x7fFLAC".to_vec(), ..Page::default() };
    let after = Page { sequence: 1, lacing: vec![5], body: vec![0; 5], ..Page::default() };
    let mut surround = opus_stream(1, 0, 4_800);
    surround[0].body[9] = 6;
    surround[0].body[18] = 1;
    for (bytes, says) in [
        (bytes_of(&[flac, after]), "this is Ogg FLAC, which is not taken"),
        (b"fLaC\0\0\0\x22and more of it".to_vec(), "this is FLAC"),
        (b"RIFF\x24\0\0\0WAVEfmt ".to_vec(), "this is WAV"),
        (b"\0\0\0\x20ftypM4A more".to_vec(), "this is MP4"),
        (b"<html><body>hello".to_vec(), "this is a text with mark-up"),
        (b"\xff\xfd\x90\x00layer two frame".to_vec(), "MPEG audio layer II,"),
        (b"\xff\xfb\x00\x00free format frame".to_vec(), "free format"),
        (vec![0; 100_000], "nothing in the first 65536 bytes is"),
        (bytes_of(&surround), "the OpusHead header is wrong: 6 channels of mapping family 1 are not taken"),
        (Vec::new(), "the source ended before any sound came"),
        (b"Ogg".to_vec(), "the source ended before any sound came"),
        (OPUS[..60].to_vec(), "the source ended before any sound came"),
        ([OPUS, &vec![7; 300_000]].concat(), "the Ogg stream broke off"),
        ([MPEG1, &vec![7; 300_000]].concat(), "the MP3 broke off"),
    ] {
        let failed = hear(&bytes).failed.expect(says);
        assert!(failed.to_string().contains(says), "{failed}");
        assert!((400..500).contains(&failed.refusal().row().status), "{failed}");
    }
}

#[test]
fn an_idle_source_is_given_up_and_a_sending_one_is_not() {
    let mut source = Source::new(Hint::Ogg);
    assert_eq!(source.poll_timeout(), None);
    source.handle_input(Time::ZERO, Input::Timeout);
    for second in [3, 9, 18] {
        source.handle_input(Time::from_millis(second * 1_000), Input::Bytes(&OPUS[..1]));
        let (at, Why::Idle) = source.poll_timeout().expect("a deadline");
        assert_eq!(at, Time::from_millis((second + IDLE_S_MAX) * 1_000));
        source.handle_input(Time::from_millis(second * 1_000 + 9_999), Input::Timeout);
        assert_eq!(source.poll_output(), None);
    }
    source.handle_input(Time::from_millis(28_000), Input::Timeout);
    assert_eq!(source.poll_output(), Some(Output::Failed(Error::Idle { seconds: IDLE_S_MAX })));
    source.handle_input(Time::from_millis(29_000), Input::Bytes(OPUS));
    assert_eq!((source.poll_output(), source.poll_timeout()), (None, None));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn damaged_sources_never_panic_and_do_not_depend_on_how_they_are_cut(
        which in 0_usize..6,
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        cut in any::<prop::sample::Index>(),
        chunk in 1_usize..900,
    ) {
        let mut bytes = [OPUS, VORBIS[0], VORBIS_51, MPEG1, HE_V2, MPEG2][which].to_vec();
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(cut.index(bytes.len()) + 1);
        let whole = outputs(Hint::Unknown, &bytes, bytes.len());
        prop_assert_eq!(outputs(Hint::Unknown, &bytes, chunk), whole);
    }

    #[test]
    fn noise_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..4_000), hint in 0_usize..4) {
        let hint = [Hint::Ogg, Hint::Mpeg, Hint::Aac, Hint::Unknown][hint];
        outputs(hint, &bytes, 100);
    }
}
