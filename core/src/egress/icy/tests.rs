use proptest::prelude::*;

use super::*;

/// What a player makes of it: the sound, and the titles in the order in which they came.
fn play(stream: &[u8]) -> (Vec<u8>, Vec<String>) {
    let (mut sound, mut titles, mut rest) = (Vec::new(), Vec::new(), stream);
    while rest.len() > METAINT_BYTES {
        sound.extend_from_slice(&rest[..METAINT_BYTES]);
        let bytes = usize::from(rest[METAINT_BYTES]) * 16;
        let block = &rest[METAINT_BYTES + 1..METAINT_BYTES + 1 + bytes];
        if bytes > 0 {
            let text = std::str::from_utf8(block).expect("UTF-8").trim_end_matches('\0');
            titles.push(
                text.strip_prefix("StreamTitle='")
                    .and_then(|t| t.strip_suffix("';"))
                    .expect("a title")
                    .into(),
            );
        }
        rest = &rest[METAINT_BYTES + 1 + bytes..];
    }
    sound.extend_from_slice(rest);
    (sound, titles)
}

#[test]
fn a_title_is_shown_once_and_again_when_it_changes() {
    let mut icy = Icy::new("First");
    let mut sent = Vec::new();
    let sound = Bytes::from(vec![7; METAINT_BYTES]);
    for title in ["First", "First", "It's; new", "It's; new", "", "Line\r\nbreak"] {
        icy.retitle(title);
        icy.interleave(sound.clone(), &mut sent);
    }
    let (heard, titles) = play(&[sent.concat(), vec![7]].concat());
    assert_eq!(heard.len(), 6 * METAINT_BYTES + 1);
    assert_eq!(titles, ["First", "It’s; new", "", "Linebreak"]);
}

#[test]
fn a_long_title_is_cut_between_characters() {
    let mut icy = Icy::new(&"ü".repeat(5_000));
    let mut sent = Vec::new();
    icy.interleave(Bytes::from(vec![7; METAINT_BYTES + 1]), &mut sent);
    assert_eq!(sent[1].len(), 1 + BLOCK_BYTES_MAX);
    assert_eq!(play(&sent.concat()).1[0].chars().count(), (BLOCK_BYTES_MAX - 15) / 2);
}

proptest! {
    #[test]
    fn the_sound_comes_through_however_it_is_cut(
        sizes in proptest::collection::vec(0..40_000_usize, 0..12),
        title in ".{0,40}",
    ) {
        let mut icy = Icy::new(&title);
        let (mut sent, mut sound) = (Vec::new(), Vec::new());
        for (at, size) in sizes.into_iter().enumerate() {
            let piece: Vec<u8> = (0..size).map(|n| (n * 31 + at) as u8).collect();
            sound.extend_from_slice(&piece);
            icy.interleave(piece.into(), &mut sent);
        }
        let (heard, titles) = play(&[sent.concat(), vec![0]].concat());
        sound.push(0);
        prop_assert!(titles.len() <= 1);
        // A stream that ends on a boundary ends in a block, and the byte that closes this test's stream
        // follows it.
        prop_assert_eq!(heard, sound);
    }
}
