//! Titles: what a source says it plays is shown by players while they play.

use std::io::Read;
use std::process::{Command, Stdio};

use crate::node::{Node, Room, agent, until};
use crate::sources::{OPUS, Sender};

/// The titles in an ICY stream, as they come.
struct Titles<R> {
    stream: R,
    every_bytes: usize,
}

impl Titles<Box<dyn Read>> {
    fn of(node: &Node, room: &Room) -> Self {
        let asked = agent().get(format!("{}/{}/live.aac", node.public, room.name));
        let answer = asked.header("Icy-MetaData", "1").call().expect("the node answers");
        let every = answer.headers().get("icy-metaint").expect("it was asked for titles");
        let every_bytes = every.to_str().expect("a number").parse().expect("a number");
        Self { stream: Box::new(answer.into_body().into_reader()), every_bytes }
    }
}

impl<R: Read> Iterator for Titles<R> {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        loop {
            let mut sound = vec![0; self.every_bytes];
            self.stream.read_exact(&mut sound).ok()?;
            let mut units = [0];
            self.stream.read_exact(&mut units).ok()?;
            let mut block = vec![0; usize::from(units[0]) * 16];
            self.stream.read_exact(&mut block).ok()?;
            if !block.is_empty() {
                let text = String::from_utf8(block).expect("titles are UTF-8");
                let text = text.trim_end_matches('\0');
                let title = text.strip_prefix("StreamTitle='").and_then(|rest| rest.strip_suffix("';"));
                return Some(title.unwrap_or_else(|| panic!("a title block reads {text:?}")).to_owned());
            }
        }
    }
}

/// As source clients set a title from beside the sound.
fn set_title(node: &Node, room: &Room, title: &str) {
    let address = format!("{}/admin/metadata", node.stage);
    let done = Command::new("curl")
        .args(["--silent", "--show-error", "--fail", "--get", &address])
        .args(["--user", &format!("source:{}", room.speaker), "--data", "mode=updinfo"])
        .args(["--data-urlencode", &format!("mount=/{}/source", room.name)])
        .args(["--data-urlencode", &format!("song={title}")])
        .stdout(Stdio::null())
        .status()
        .unwrap_or_else(|error| panic!("curl: {error}; `make setup` installs it"));
    assert!(done.success(), "curl: {done}");
}

#[test]
fn a_title_changes_while_people_listen() {
    let node = Node::start();
    let room = node.live_room("titled");
    let mut titles = Titles::of(&node, &room);
    assert_eq!(titles.next().as_deref(), Some("Room titled"), "before a source names anything");
    let named = ["-metadata", "artist=Anna", "-metadata", "title=On tides"];
    let sender = Sender::tone(&node, &room, "", 440, &[OPUS, &named].concat());
    assert_eq!(titles.next().as_deref(), Some("Anna - On tides"), "what the Ogg stream says of itself");
    set_title(&node, &room, "It's “questions” & answers");
    assert_eq!(titles.next().as_deref(), Some("It’s “questions” & answers"), "/admin/metadata");
    drop(sender);
    assert_eq!(titles.next().as_deref(), Some("Room titled"), "nobody sends any more");
}

#[test]
fn mpv_shows_the_title() {
    let node = Node::start();
    let room = node.live_room("shown");
    let _sender = Sender::tone(&node, &room, "", 440, OPUS);
    until("the source is in the mix", || node.metric("tribune_inlets_open") >= 1.0);
    set_title(&node, &room, "Anna speaks");
    until("mpv names what is heard", || {
        let done = Command::new("mpv")
            .args(["--no-config", "--no-video", "--ao=null", "--length=5"])
            .arg(format!("{}/shown/live.aac", node.public))
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| panic!("mpv: {error}; `make setup` installs it"));
        String::from_utf8_lossy(&done.stdout).contains("icy-title: Anna speaks")
    });
}
