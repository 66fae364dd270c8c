use super::*;
use crate::mix::Kind;
use crate::program::{DEFAULT, synthetic};

fn delay() -> Delay {
    let renditions = Renditions::new(&[DEFAULT[0], DEFAULT[3]]).expect("legal");
    Delay::new(&renditions, Edition(WallTime(0x0191_488b_2000)))
}

/// Takes these parts; what is served after the last change.
fn take(delay: &mut Delay, parts: std::ops::Range<u64>) -> Late {
    let part = |no| synthetic::part(PartNo(no), Kind::Conversation, 1);
    parts.filter_map(|no| delay.append(&part(no))).last().unwrap_or_default()
}

fn text(late: &Late) -> String {
    let bytes = late.playlist.as_ref().expect("there is a playlist");
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// The numbers that a playlist names.
fn named(late: &Late) -> Vec<u64> {
    let text = text(late);
    let number = |line: &str| line.strip_suffix(".mp4")?.rsplit('/').next()?.parse().ok();
    text.lines().filter(|line| !line.starts_with('#')).filter_map(number).collect()
}

#[test]
fn the_playlist_is_plain_and_names_segments_of_eighteen_parts() {
    let mut delay = delay();
    // A program that begins within a block of eighteen begins with what is left of it.
    let late = take(&mut delay, 12..5 * 18);
    assert_eq!(
        text(&late),
        r#"#EXTM3U
#EXT-X-VERSION:7
#EXT-X-TARGETDURATION:6
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA-SEQUENCE:0
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-MAP:URI="aac64/191488b2000/init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2024-08-13T00:00:03.807Z
#EXTINF:1.92000,
aac64/191488b2000/0.mp4
#EXT-X-PROGRAM-DATE-TIME:2024-08-13T00:00:05.727Z
#EXTINF:5.76000,
aac64/191488b2000/1.mp4
#EXT-X-PROGRAM-DATE-TIME:2024-08-13T00:00:11.487Z
#EXTINF:5.76000,
aac64/191488b2000/2.mp4
"#
    );
    let chunks = |parts: std::ops::Range<u64>| {
        let chunk = |no| synthetic::part(PartNo(no), Kind::Conversation, 1).tracks[1].chunk.clone();
        parts.map(chunk).collect::<Vec<Bytes>>().concat()
    };
    for (number, parts) in [(0, 12..18), (2, 36..54)] {
        assert_eq!(late.segment(number).map(|it| &it.bytes[..]), Some(&chunks(parts)[..]), "{number}");
    }
    assert!(late.segment(3).is_none(), "what no playlist names is not there");
}

#[test]
fn half_a_minute_lies_between_live_and_late() {
    let mut delay = delay();
    assert!(take(&mut delay, 0..5 * 18 - 1).playlist.is_none(), "too early: {BEHIND_S:?} s are not there");
    for newest in 5 * 18 - 1..500 {
        let Some(late) = delay.append(&synthetic::part(PartNo(newest), Kind::Conversation, 1)) else {
            continue;
        };
        let named = named(&late);
        assert!((BEGIN_BEFORE..=LISTED_MAX).contains(&named.len()), "{named:?}");
        let begins_at = named[named.len() - BEGIN_BEFORE] * LATE_SEGMENT_MS;
        let live_ms = (newest + 1) * PART_MS;
        assert_eq!((live_ms - begins_at) / 1_000, BEHIND_S[0]);
    }
}

#[test]
fn a_segment_is_there_for_its_own_length_and_the_playlists_after_it_left() {
    let mut delay = delay();
    let (mut left_at, mut before) = (std::collections::BTreeMap::new(), Vec::new());
    for newest in 0..40 * 18 {
        let part = synthetic::part(PartNo(newest), Kind::Conversation, 1);
        let Some(late) = delay.append(&part).filter(|late| late.playlist.is_some()) else { continue };
        let names = named(&late);
        for gone in before.iter().filter(|number| !names.contains(number)) {
            left_at.insert(*gone, newest);
        }
        let due = (LISTED_MAX as u64 + 1) * LATE_PARTS;
        for (number, _) in left_at.iter().filter(|(_, left)| newest - *left < due) {
            assert!(late.segment(*number).is_some(), "{number} at {newest}");
        }
        assert!(late.segments.len() <= KEPT_MAX - HELD_BACK);
        before = names;
    }
    assert!(left_at.len() > 20);
}

#[test]
fn at_the_end_everything_is_told_and_nothing_is_lost() {
    let mut delay = delay();
    let before = named(&take(&mut delay, 0..10 * 18));
    assert_eq!(before, [3, 4, 5, 6, 7]);
    take(&mut delay, 180..185);
    let late = delay.end();
    assert_eq!(named(&late), [3, 4, 5, 6, 7, 8, 9, 10]);
    assert!(text(&late).ends_with("#EXTINF:1.60000,\naac64/191488b2000/10.mp4\n#EXT-X-ENDLIST\n"));
    let short = |parts: u64| {
        let mut delay = self::delay();
        take(&mut delay, 0..parts);
        delay.end().playlist.is_some()
    };
    assert!(short(3) && !short(0), "a program that ended early was one all the same");
}

#[test]
fn a_gap_begins_anew() {
    let mut delay = delay();
    take(&mut delay, 0..100);
    assert!(take(&mut delay, 126..126 + 89).playlist.is_none(), "what lies before a gap is gone");
    let late = take(&mut delay, 215..216);
    assert_eq!(named(&late), [7, 8, 9]);
    assert!(text(&late).contains("#EXT-X-DISCONTINUITY-SEQUENCE:7\n"));
}

#[test]
fn what_a_listener_takes_is_what_segments_are_made_of() {
    let late = take(&mut delay(), 0..6 * 18);
    let bytes = late.newest().expect("there is one").bytes.len() as f64;
    assert!((bytes / segment_bytes() - 1.0).abs() < 0.1, "{bytes}, not {}", segment_bytes());
}
