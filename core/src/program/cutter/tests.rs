use super::*;
use crate::program::{DEFAULT, Spec};

/// A voice-like sound that fits itself at one place only: a sweep whose loudness moves.
fn sound(n: usize) -> f32 {
    let t = n as f32 / 48_000.0;
    let sweep = (std::f32::consts::TAU * (180.0 * t + 90.0 * t * t)).sin();
    0.4 * sweep * (0.6 + 0.4 * (7.0 * t).sin())
}

fn frame(at: usize, kind: Kind) -> Frame {
    Frame { kind, samples: std::array::from_fn(|n| sound(at * FRAME_SAMPLES + n)) }
}

fn cutter(specs: &[Spec], first: u64) -> Cutter {
    let renditions = Arc::new(Renditions::new(specs).expect("legal renditions"));
    Cutter::new(renditions, PartNo(first)).expect("encoders open")
}

fn cut(cutter: &mut Cutter, parts: usize) -> Vec<Part> {
    let mut cut = Vec::new();
    for at in 0..parts * FRAMES_PER_PART {
        let frame = frame(at, Kind::Conversation);
        let wall = WallTime(1_000_000 + at as i64 * 20);
        cutter.handle_input(Input::Frame { frame: &frame, wall }).expect("encodes");
        cut.extend(cutter.poll_output());
    }
    cut
}

fn power(samples: impl Iterator<Item = f32>) -> f32 {
    let (sum, count) = samples.fold((0.0, 0), |(sum, count), s| (sum + s * s, count + 1));
    sum / count as f32
}

fn decode(codec: Codec, config: &[u8], units: impl Iterator<Item = Vec<u8>>) -> Vec<f32> {
    let mut heard = Vec::new();
    match codec {
        Codec::Opus => {
            let mut decoder = opus::Decoder::new().expect("memory");
            for unit in units {
                decoder.decode(&unit, &mut heard).expect("our own packet");
            }
        }
        Codec::AacLc => {
            let mut decoder = aac::Decoder::raw(config).expect("our own configuration");
            for unit in units {
                decoder.decode(&unit).expect("our own unit").mono_into(&mut heard);
            }
        }
    }
    heard
}

#[test]
fn a_part_is_16_frames_in_every_rendition() {
    let mut cutter = cutter(&DEFAULT, 12);
    let parts = cut(&mut cutter, 3);
    let renditions = Arc::clone(cutter.renditions());
    assert_eq!(parts.iter().map(|part| part.no.0).collect::<Vec<_>>(), [12, 13, 14]);
    assert_eq!(parts[0].joint, Joint::AfterGap);
    for (at, part) in parts.iter().enumerate() {
        assert_eq!(part.began_at, WallTime(1_000_000 + at as i64 * 320));
        assert!(at == 0 || part.joint == Joint::Continues);
        for (track, rendition) in part.tracks.iter().zip(renditions.iter()) {
            assert_eq!(track.units.sizes().len(), rendition.codec.units_per_part());
            assert!(track.units.sizes().iter().all(|&size| size > 0));
            assert!(track.chunk.ends_with(track.units.bytes()));
        }
    }
}

#[test]
fn a_part_is_conversation_when_any_frame_is() {
    for (said_at, first_part) in [(16, Kind::Hold), (0, Kind::Conversation), (15, Kind::Conversation)] {
        let mut cutter = cutter(&DEFAULT[2..3], 0);
        for at in 0..FRAMES_PER_PART {
            let kind = if at == said_at { Kind::Conversation } else { Kind::Hold };
            let frame = frame(at, kind);
            cutter.handle_input(Input::Frame { frame: &frame, wall: WallTime(0) }).expect("encodes");
            match (at, cutter.poll_output()) {
                (15, Some(part)) => assert_eq!(part.kind, first_part),
                (_, cut) => assert!(cut.is_none()),
            }
        }
    }
}

#[test]
fn after_a_gap_numbers_go_on_at_a_segment() {
    for (restart_at, goes_on_at) in [(0, 6), (5, 6), (6, 6), (7, 12), (1_000, 1_002)] {
        let mut cutter = cutter(&DEFAULT[..1], 0);
        assert_eq!(cut(&mut cutter, 2)[1].no, PartNo(1));
        cutter.restart(PartNo(restart_at)).expect("encoders open");
        let parts = cut(&mut cutter, 2);
        assert_eq!((parts[0].no, parts[0].joint), (PartNo(goes_on_at), Joint::AfterGap), "{restart_at}");
        assert_eq!((parts[1].no, parts[1].joint), (PartNo(goes_on_at + 1), Joint::Continues));
    }
}

/// Goal: a sample of the program is found in every rendition where its priming says, so that all are
/// presented together.
/// Method: decode each, and look for the shift at which it fits the input best.
#[test]
fn every_rendition_holds_the_sound_where_its_priming_says() {
    let mut cutter = cutter(&DEFAULT, 0);
    let parts = cut(&mut cutter, 12);
    let renditions = Arc::clone(cutter.renditions());
    for (index, rendition) in renditions.iter().enumerate() {
        let config = &renditions.track(index).expect("listed").config;
        let units = parts.iter().flat_map(|part| part.tracks[index].units.iter().map(<[u8]>::to_vec));
        let heard = decode(rendition.codec, config, units);
        assert_eq!(heard.len(), 12 * PART_SAMPLES as usize);
        let priming = rendition.priming_samples as usize;
        let misfit = |lag: usize| power((96_000..120_000).map(|n| heard[n + lag] - sound(n)));
        let best =
            (priming - 40..priming + 40).min_by(|&a, &b| misfit(a).total_cmp(&misfit(b))).expect("not empty");
        assert!(best.abs_diff(priming) <= 4, "{}: {best} for {priming}", rendition.name());
    }
}

/// Goal: a listener may be given another bit rate at any part.
/// Method: at each part boundary, change from every Opus rendition to every other within one decoder, and
/// compare the step from sample to sample around the boundary with the largest that the sound itself makes.
#[test]
fn changing_rendition_between_parts_makes_no_click() {
    const PARTS: usize = 8;
    /// Steps of the decoded sound may be this much larger at a change than anywhere without one.
    const CLICK_MAX: f32 = 2.0;
    let mut cutter = cutter(&DEFAULT[..3], 0);
    let parts = cut(&mut cutter, PARTS);
    let packets = |index: usize, from: usize, to: usize| {
        parts[from..to].iter().flat_map(move |part| part.tracks[index].units.iter().map(<[u8]>::to_vec))
    };
    let step_max = |heard: &[f32]| heard.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
    let usual = (0..3).map(|index| step_max(&decode(Codec::Opus, &[], packets(index, 0, PARTS))[2_000..]));
    let usual = usual.fold(0.0, f32::max);
    for at in 1..PARTS {
        for (from, to) in [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)] {
            let heard = decode(Codec::Opus, &[], packets(from, 0, at).chain(packets(to, at, PARTS)));
            let change = at * PART_SAMPLES as usize;
            let step = step_max(&heard[change - 480..change + 4_800]);
            assert!(step < CLICK_MAX * usual, "{from} to {to} at part {at}: {step} for {usual}");
            let apart = power((change + 4_800..change + 9_600).map(|n| heard[n] - sound(n - 312)));
            assert!(apart < 0.02, "{from} to {to} at part {at}: {apart}");
        }
    }
}

/// Goal: who joins at any part hears the program, in every rendition, after at most 80 ms (RFC 7845, 4.6).
#[test]
fn a_listener_can_join_at_every_part() {
    let mut cutter = cutter(&DEFAULT, 0);
    let parts = cut(&mut cutter, 8);
    let renditions = Arc::clone(cutter.renditions());
    for (index, rendition) in renditions.iter().enumerate() {
        let config = &renditions.track(index).expect("listed").config;
        for at in 1..7 {
            let units =
                parts[at..at + 2].iter().flat_map(|part| part.tracks[index].units.iter().map(<[u8]>::to_vec));
            let heard = decode(rendition.codec, config, units);
            let (start, priming) = (at * PART_SAMPLES as usize, rendition.priming_samples as usize);
            let apart = power((3_840..15_360).map(|n| heard[n] - sound(start + n - priming)));
            assert!(apart < 0.01, "{} at part {at}: {apart}", rendition.name());
        }
    }
}

#[test]
fn impossible_lists_of_renditions_are_named() {
    let opus = |bit_rate| Spec { codec: Codec::Opus, bit_rate };
    for (specs, error) in [
        (vec![], Error::Count(0)),
        (vec![opus(64_000); 9], Error::Count(9)),
        (vec![opus(64_000), opus(64_500)], Error::Twice("opus64".into())),
        (vec![opus(1)], Error::Opus(opus::Error::BitRate(1))),
        (vec![Spec { codec: Codec::AacLc, bit_rate: 1 }], Error::Aac(aac::Error::BitRate(1))),
    ] {
        assert_eq!(Renditions::new(&specs), Err(error));
    }
}
