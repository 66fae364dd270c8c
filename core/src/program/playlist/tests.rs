use std::sync::Arc;

use super::*;
use crate::mix::Kind;
use crate::program::{DEFAULT, Edition, Joint, Part, PartNo};

/// Parts without contents, which playlists never look at; `gaps` are numbers of parts that begin a run.
fn parts(numbers: std::ops::Range<u64>, gaps: &[u64]) -> Vec<Arc<Part>> {
    let part = |no: u64| Part {
        no: PartNo(no),
        kind: Kind::Conversation,
        joint: if gaps.contains(&no) { Joint::AfterGap } else { Joint::Continues },
        began_at: WallTime(1_723_507_200_000 + no as i64 * 320),
        tracks: Vec::new(),
    };
    numbers.map(|no| Arc::new(part(no))).collect()
}

fn renditions() -> Renditions {
    Renditions::new(&[DEFAULT[0], DEFAULT[3]]).expect("legal")
}

fn live<'w>(renditions: &'w Renditions, parts: &'w [Arc<Part>]) -> Live<'w> {
    let edition = Edition(WallTime(0x0191_488b_2000));
    Live { renditions, edition, parts, discontinuities: 0, ended: false }
}

#[test]
fn the_multivariant_playlist_names_every_rendition_opus_first() {
    assert_eq!(
        multivariant(&renditions()),
        r#"#EXTM3U
#EXT-X-VERSION:9
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-STREAM-INF:BANDWIDTH=84200,AVERAGE-BANDWIDTH=68200,CODECS="opus"
hls/opus64.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=84100,AVERAGE-BANDWIDTH=68100,CODECS="mp4a.40.2"
hls/aac64.m3u8
"#
    );
}

#[test]
fn a_live_playlist_lists_segments_and_the_newest_parts() {
    let (renditions, parts) = (renditions(), parts(12..20, &[]));
    assert_eq!(
        live(&renditions, &parts).render(1, Form::Full),
        r#"#EXTM3U
#EXT-X-VERSION:9
#EXT-X-TARGETDURATION:2
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,CAN-SKIP-UNTIL=12.00000,HOLD-BACK=6.00000,PART-HOLD-BACK=1.00000
#EXT-X-PART-INF:PART-TARGET=0.32000
#EXT-X-INDEPENDENT-SEGMENTS
#EXT-X-MEDIA-SEQUENCE:2
#EXT-X-DISCONTINUITY-SEQUENCE:0
#EXT-X-MAP:URI="aac64/191488b2000/init.mp4"
#EXT-X-PROGRAM-DATE-TIME:2024-08-13T00:00:03.807Z
#EXT-X-PART:DURATION=0.32000,URI="aac64/191488b2000/12.part.mp4",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.32000,URI="aac64/191488b2000/13.part.mp4",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.32000,URI="aac64/191488b2000/14.part.mp4",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.32000,URI="aac64/191488b2000/15.part.mp4",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.32000,URI="aac64/191488b2000/16.part.mp4",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.32000,URI="aac64/191488b2000/17.part.mp4",INDEPENDENT=YES
#EXTINF:1.92000,
aac64/191488b2000/2.mp4
#EXT-X-PROGRAM-DATE-TIME:2024-08-13T00:00:05.727Z
#EXT-X-PART:DURATION=0.32000,URI="aac64/191488b2000/18.part.mp4",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.32000,URI="aac64/191488b2000/19.part.mp4",INDEPENDENT=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="aac64/191488b2000/20.part.mp4"
#EXT-X-RENDITION-REPORT:URI="opus64.m3u8",LAST-MSN=3,LAST-PART=1
"#
    );
}

#[test]
fn an_ended_playlist_lists_its_last_short_segment_and_ends() {
    let (renditions, parts) = (renditions(), parts(0..8, &[]));
    let text = Live { ended: true, ..live(&renditions, &parts) }.render(0, Form::Full);
    assert!(text.ends_with("#EXTINF:0.64000,\nopus64/191488b2000/1.mp4\n#EXT-X-ENDLIST\n"), "{text}");
    assert!(!text.contains("PRELOAD-HINT") && !text.contains("RENDITION-REPORT"));
}

#[test]
fn a_gap_is_a_discontinuity_except_at_the_beginning() {
    let (renditions, parts) = (renditions(), parts(0..18, &[0, 12]));
    let text = Live { discontinuities: 7, ..live(&renditions, &parts) }.render(0, Form::Full);
    assert!(text.contains("#EXT-X-DISCONTINUITY-SEQUENCE:7\n"));
    assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 1);
    assert!(
        text.contains("opus64/191488b2000/1.mp4\n#EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:"),
        "{text}"
    );
}

/// Goal: a full playlist and the delta update of the same moment tell a player the same.
/// Method: for windows of every length, put the skipped lines of the full playlist back in place of the skip.
#[test]
fn a_delta_update_leaves_out_only_old_segments() {
    let renditions = renditions();
    for count in 0..=192 {
        let parts = parts(6..6 + count, &[]);
        let live = live(&renditions, &parts);
        let (full, delta) = (live.render(0, Form::Full), live.render(0, Form::Delta));
        let whole = count as usize / 6;
        let Some((before, after)) = delta.split_once("#EXT-X-SKIP:SKIPPED-SEGMENTS=") else {
            assert_eq!(full, delta);
            assert!(whole <= SKIP_SEGMENTS_MIN, "{count}");
            continue;
        };
        let (skipped, rest) = after.split_once('\n').expect("a line ends");
        assert_eq!(skipped.parse::<usize>(), Ok(whole - SKIP_SEGMENTS_MIN));
        assert!(full.starts_with(before) && full.ends_with(rest), "{count}");
        let left_out = &full[before.len()..full.len() - rest.len()];
        assert_eq!(left_out.matches("#EXTINF").count(), whole - SKIP_SEGMENTS_MIN);
        assert!(!left_out.contains("EXT-X-PART:"), "old segments are listed without their parts");
    }
}

#[test]
fn a_playlist_is_reloaded_when_it_holds_what_was_asked_for() {
    let at = |last: u64| Published { last: Some(PartNo(last)), ended: false };
    let (nothing, ended) = (Published { last: None, ended: false }, Published { ended: true, ..at(19) });
    let ask = |segment, part| Ask { segment, part };
    // The last part is 19: segment 3 has parts 0 and 1, and segment 2 is the last whole one.
    for (asked, now, answer) in [
        (ask(None, None), at(19), Reload::Ready),
        (ask(None, None), nothing, Reload::Wait),
        (ask(None, Some(0)), at(19), Reload::PartWithoutSegment),
        (ask(None, Some(0)), ended, Reload::PartWithoutSegment),
        (ask(Some(0), None), at(19), Reload::Ready),
        (ask(Some(2), None), at(19), Reload::Ready),
        (ask(Some(3), None), at(19), Reload::Wait),
        (ask(Some(4), None), at(19), Reload::Wait),
        (ask(Some(5), None), at(19), Reload::TooFarAhead),
        (ask(Some(3), Some(1)), at(19), Reload::Ready),
        (ask(Some(3), Some(2)), at(19), Reload::Wait),
        (ask(Some(2), Some(5)), at(19), Reload::Ready),
        (ask(Some(2), Some(6)), at(19), Reload::Ready),
        (ask(Some(2), Some(u64::MAX)), at(19), Reload::Ready),
        (ask(Some(3), Some(6)), at(19), Reload::Wait),
        (ask(Some(4), Some(5)), at(19), Reload::Wait),
        (ask(Some(4), Some(6)), at(19), Reload::TooFarAhead),
        (ask(Some(5), Some(0)), at(19), Reload::TooFarAhead),
        (ask(Some(3), None), at(23), Reload::Ready),
        (ask(Some(u64::MAX), Some(0)), at(19), Reload::TooFarAhead),
        (ask(Some(9), Some(9)), ended, Reload::Ready),
        (ask(Some(9), None), nothing, Reload::Wait),
    ] {
        assert_eq!(asked.answer(now), answer, "{asked:?} {now:?}");
    }
}
