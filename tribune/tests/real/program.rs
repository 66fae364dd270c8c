//! The program goes on whatever its sources do: pages follow each other without a hole.

use std::io::Read;

use crate::node::{Node, until};
use crate::pause::pauses;
use crate::players;
use crate::sources::{OPUS, Sender};
use crate::tone;

const MP3: &[&str] = &["-c:a", "libmp3lame", "-b:a", "128k", "-content_type", "audio/mpeg", "-f", "mp3"];
/// Samples of a part.
const PART: u64 = 15_360;

/// One Ogg page as a listener gets it.
pub struct Page {
    pub granule: u64,
    pub sequence: u32,
    pub flags: u8,
    pub body: Vec<u8>,
}

/// The pages of an Ogg stream, one by one, as they come.
pub struct Pages<R>(pub R);

impl<R: Read> Iterator for Pages<R> {
    type Item = Page;

    fn next(&mut self) -> Option<Page> {
        let mut head = [0; 27];
        self.0.read_exact(&mut head).ok()?;
        assert_eq!(&head[..4], b"OggS", "a page begins where the last one ended");
        let mut lacing = vec![0; usize::from(head[26])];
        self.0.read_exact(&mut lacing).ok()?;
        let mut body = vec![0; lacing.iter().map(|&size| usize::from(size)).sum()];
        self.0.read_exact(&mut body).ok()?;
        Some(Page {
            granule: u64::from_le_bytes(head[6..14].try_into().expect("eight bytes")),
            sequence: u32::from_le_bytes(head[18..22].try_into().expect("four bytes")),
            flags: head[5],
            body,
        })
    }
}

#[test]
fn sources_come_and_go_and_change_codec_without_a_hole() {
    let node = Node::start();
    let room = node.live_room("comings");
    let mut pages = Pages(node.open("/comings/live.opus")).skip(2);
    let mut last = pages.next().expect("a page comes at once");
    let mut cuts = 0;
    let mut follow = |parts: usize| {
        for page in pages.by_ref().take(parts) {
            let passed = page.sequence - last.sequence;
            assert_eq!(page.granule, last.granule + u64::from(passed) * PART, "media time grows by parts");
            cuts += usize::from(passed != 1);
            last = page;
        }
    };
    let opus = Sender::tone(&node, &room, "", 440, OPUS);
    follow(9);
    drop(opus);
    follow(9);
    let returned = Sender::tone(&node, &room, "", 440, OPUS);
    follow(9);
    // The same name in another codec, while the first still sends: the newer takes its place.
    let _replacement = Sender::tone(&node, &room, "", 990, MP3);
    follow(9);
    until("the replacement is heard alone", || {
        let sound = players::ffmpeg(&format!("{}/comings/live.opus", node.public), 1);
        tone::share(&sound, 48_000.0, 990.0) > 0.8
    });
    returned.wait();
    assert!(cuts <= pauses(), "{cuts} cuts, and the machine itself stood still {} times", pauses());
}

#[test]
fn a_listener_hears_a_part_at_once_and_the_end_as_an_end() {
    let node = Node::start();
    let room = node.live_room("ending");
    let _sender = Sender::tone(&node, &room, "", 440, OPUS);
    let pages = Pages(node.open("/ending/live.opus")).skip(2);
    let ending = std::thread::spawn({
        let stage = node.stage.clone();
        move || pages.map(|page| page.flags & 4 != 0).collect::<Vec<_>>().pop().map(|last| (stage, last))
    });
    until("something was sealed", || {
        node.status(&room)["program"]["parts"].as_u64().is_some_and(|parts| parts > 6)
    });
    node.end(&room);
    let (_, last_page_ends_the_stream) = ending.join().expect("the listener ends").expect("pages came");
    assert!(last_page_ends_the_stream, "the last page has the end-of-stream flag");
    for path in ["/ending/replay.opus", "/ending/replay.m4a", "/ending/replay.m3u8", "/ending/seal"] {
        assert_eq!(node.get(path).0, 200, "{path} is there the moment the room has ended");
    }
    assert_eq!(node.get("/ending/live.opus").0, 410);
    assert_eq!(node.status(&room)["state"], "ended");
}

#[test]
fn a_backup_takes_over_when_the_first_dies() {
    let node = Node::start();
    let room = node.live_room("backup");
    let main = Sender::tone(&node, &room, "main", 500, OPUS);
    let spare = node.source_url(&room, "spare") + "?backup-for=main";
    let args = [
        "-nostdin",
        "-loglevel",
        "error",
        "-re",
        "-f",
        "lavfi",
        "-i",
        "sine=frequency=1500:sample_rate=48000",
    ];
    let args: Vec<&str> = args.into_iter().chain(OPUS.iter().copied()).chain([spare.as_str()]).collect();
    let _spare = Sender::start("ffmpeg", &args);
    let hears = |hz: f32| {
        let sound = players::ffmpeg(&format!("{}/backup/live.opus", node.public), 1);
        tone::share(&sound, 48_000.0, hz) > 0.8
    };
    until("the first is heard alone", || hears(500.0));
    drop(main);
    until("the backup is heard", || hears(1_500.0));
}
