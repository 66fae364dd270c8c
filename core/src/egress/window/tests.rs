use proptest::prelude::*;

use super::*;
use crate::mix::Kind;
use crate::program::{DEFAULT, Edition, TrackPart, Units};
use crate::time::WallTime;

fn part(no: u64, joint: Joint) -> Arc<Part> {
    let track = TrackPart { units: Units::join([]), stream: Bytes::new(), chunk: Bytes::new() };
    let tracks = vec![track];
    Arc::new(Part { no: PartNo(no), kind: Kind::Conversation, joint, began_at: WallTime(0), tracks })
}

fn empty() -> Window {
    Window::new(Arc::new(Renditions::new(&DEFAULT[..1]).expect("legal")), Edition(WallTime(0)))
}

fn filled(numbers: std::ops::Range<u64>) -> Window {
    numbers.fold(empty(), |window, no| window.append(part(no, Joint::Continues)))
}

fn numbers(window: &Window) -> (u64, u64) {
    (window.first().expect("not empty").no.0, window.last().expect("not empty").no.0)
}

#[test]
fn it_keeps_whole_segments_up_to_its_limit() {
    assert_eq!(numbers(&filled(0..192)), (0, 191));
    assert_eq!(numbers(&filled(0..193)), (6, 192));
    let window = filled(0..1_000);
    let (first, last) = numbers(&window);
    assert_eq!((first % 6, last), (0, 999));
    assert!((187..=192).contains(&(last + 1 - first)));
}

#[test]
fn listeners_join_near_the_edge_or_go_on_where_they_were() {
    let window = filled(6..46);
    for (window, parts, next) in
        [(&window, 1, Some(45)), (&window, 3, Some(43)), (&window, 1_000, Some(6)), (&empty(), 3, None)]
    {
        assert_eq!(Cursor::join_with(window, parts).next(), next.map(PartNo), "{parts}");
    }
    for (samples, next) in [
        (5 * PART_SAMPLES, None),
        (6 * PART_SAMPLES, Some(6)),
        (7 * PART_SAMPLES - RESUME_SLACK_SAMPLES - 1, Some(6)),
        (7 * PART_SAMPLES - 312, Some(7)),
        (46 * PART_SAMPLES, Some(46)),
        (47 * PART_SAMPLES, None),
        (u64::MAX, None),
    ] {
        let resumed = Cursor::resume(&window, MediaTime(samples));
        assert_eq!(resumed.and_then(Cursor::next), next.map(PartNo), "{samples}");
    }
    assert_eq!(Cursor::resume(&empty(), MediaTime(0)), None);
}

#[test]
fn an_older_snapshot_stays_as_it_was() {
    let before = filled(0..7);
    let after = before.append(part(7, Joint::Continues));
    assert_eq!((numbers(&before), numbers(&after)), ((0, 6), (0, 7)));
    assert!(Arc::ptr_eq(before.first().expect("not empty"), after.first().expect("not empty")));
    assert_ne!(before.playlist(0, Form::Full), after.playlist(0, Form::Full));
    assert_eq!(before.end().append(part(7, Joint::Continues)).edge(), Edge::Live);
}

#[test]
fn a_jump_begins_the_window_anew_and_discontinuities_only_grow() {
    let mut window = filled(6..16);
    let sequence = |window: &Window| window.inner.discontinuities;
    assert_eq!(sequence(&window), 1);
    window = window.append(part(24, Joint::AfterGap));
    assert_eq!((numbers(&window), sequence(&window)), ((24, 24), 4));
    // Runs that follow without a jump stay in the window, and count when they leave it.
    for no in 25..400 {
        let joint = if no % 60 == 0 { Joint::AfterGap } else { Joint::Continues };
        let last = sequence(&window);
        window = window.append(part(no, joint));
        assert!(sequence(&window) >= last);
    }
    let (first, _) = numbers(&window);
    let gone = (25..=first).filter(|no| no % 60 == 0).count() as u64;
    assert_eq!(sequence(&window), 4 + gone);
}

#[test]
fn a_segment_is_there_when_it_is_whole_or_the_last() {
    let window = filled(6..20);
    for (segment, parts) in [(0, None), (1, Some(6)), (2, Some(6)), (3, None), (4, None), (u64::MAX, None)] {
        assert_eq!(window.segment(segment).map(<[_]>::len), parts, "{segment}");
    }
    assert_eq!(window.end().segment(3).map(<[_]>::len), Some(2));
    assert_eq!(window.end().segment(4).map(<[_]>::len), None);
}

#[test]
fn a_playlist_is_there_from_the_first_part_on() {
    assert!(empty().playlist(0, Form::Full).is_none());
    let window = filled(0..1);
    assert!(window.playlist(0, Form::Delta).is_some() && window.playlist(1, Form::Full).is_none());
    assert!(window.end().playlist(0, Form::Full).expect("written").ends_with(b"#EXT-X-ENDLIST\n"));
    assert_eq!(window.published(), Published { last: Some(PartNo(0)), ended: false });
}

#[test]
fn a_pause_is_no_end() {
    let window = filled(6..20);
    let paused = window.pause();
    assert_eq!((window.edge(), paused.edge()), (Edge::Live, Edge::Paused));
    for form in [Form::Full, Form::Delta] {
        assert_eq!(paused.playlist(0, form), window.playlist(0, form), "nobody is told of an end");
    }
    assert!(!paused.published().ended && paused.segment(3).is_none());
    let mut cursor = Cursor::join(&window);
    assert!(
        matches!(cursor.step(&paused), Step::Part(part) if part.no == PartNo(19)),
        "what is there is sent"
    );
    assert!(matches!(cursor.step(&paused), Step::Paused));
    assert!(matches!(Cursor::join(&empty()).step(&empty().pause()), Step::Paused));
}

#[test]
fn a_listener_hears_what_is_there_then_waits_then_ends() {
    let mut window = empty();
    let mut early = Cursor::join(&window);
    assert!(matches!(early.step(&window), Step::Wait));
    assert!(matches!(early.clone().step(&window.end()), Step::Ended));
    window = filled(60..65);
    assert!(matches!(early.step(&window), Step::Part(part) if part.no == PartNo(60)));
    let mut late = Cursor::join(&window);
    assert!(matches!(late.step(&window), Step::Part(part) if part.no == PartNo(64)));
    assert!(matches!(late.step(&window), Step::Wait));
    assert!(matches!(late.step(&window.end()), Step::Ended));
    let jumped = window.append(part(72, Joint::AfterGap));
    assert!(matches!(late.step(&jumped), Step::Skipped { parts: 7 }));
    assert!(matches!(late.step(&jumped), Step::Part(part) if part.no == PartNo(72)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    /// Goal: whatever the pace, what a listener got and what it was told it missed add up to the program, in
    /// order.
    #[test]
    fn parts_heard_and_skipped_add_up(pace in proptest::collection::vec(0..250_usize, 1..12)) {
        let mut window = filled(0..1);
        let mut cursor = Cursor::join(&window);
        let (mut made, mut expected) = (1_u64, 0_u64);
        for parts in pace {
            for _ in 0..parts {
                window = window.append(part(made, Joint::Continues));
                made += 1;
            }
            loop {
                match cursor.step(&window) {
                    Step::Part(part) => {
                        prop_assert_eq!(part.no.0, expected);
                        expected += 1;
                    }
                    Step::Skipped { parts } => expected += parts,
                    Step::Wait => break,
                    Step::Paused | Step::Ended => prop_assert!(false, "nobody ended it"),
                }
            }
            prop_assert_eq!(expected, made);
        }
    }
}
