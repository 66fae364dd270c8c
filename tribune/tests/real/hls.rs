//! HLS as a player meets it: at the door of a full room, while the node restarts, at the end.

use std::io::Read;

use serde_json::{Value, json};

use crate::node::{Node, agent, until};

/// Every address at which somebody begins to hear.
const OUTPUTS: [&str; 4] = ["live.opus", "live.aac", "live.mp4", "live.m3u8"];

#[test]
fn a_full_room_refuses_every_kind_of_player_and_names_its_page() {
    let node = Node::start();
    let room = node.live_room("full");
    until("the program has begun", || node.get("/full/hls/aac64.m3u8").0 == 200);
    node.api("POST", "/api/v1/rooms/full/cap", &json!({"cap": 1}));
    until("the cap is shown", || node.status(&room)["seats"]["cap"] == 1);
    let listener = node.open("/full/live.opus");
    for output in OUTPUTS {
        let url = format!("{}/full/{output}", node.public);
        for mut answer in
            [agent().get(&url).call(), agent().head(&url).call()].map(|asked| asked.expect(output))
        {
            let text =
                |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
            assert_eq!((answer.status().as_u16(), text("retry-after")), (503, "5"), "{output}");
            let page = format!("<{}/full>; rel=\"alternate\"; type=\"text/html\"", node.public);
            assert_eq!((text("link"), text("cache-control")), (page.as_str(), "no-store"), "{output}");
            let body = answer.body_mut().read_to_string().expect("text");
            if body.is_empty() {
                continue; // The answer to HEAD.
            }
            let says: Value = serde_json::from_str(&body).expect("JSON");
            assert_eq!(
                (&says["code"], &says["retry_after_s"]),
                (&json!("full_for_now"), &json!(5)),
                "{says}"
            );
            assert_eq!(says["page"], format!("{}/full", node.public), "{says}");
        }
    }
    assert_eq!(node.get("/full/hls/aac64.m3u8").0, 200, "what is behind the first playlist is for all");
    until("who was refused is counted", || node.status(&room)["turned_away"] == OUTPUTS.len());
    drop(listener);
    until("the seat is free again", || node.get("/full/live.m3u8").0 == 200);
    // Who just began counts, and no longer when nothing was taken.
    assert_eq!(node.get("/full/live.opus").0, 503);
    until("the player is shown", || node.status(&room)["seats"]["hls_estimate"] == 1);
    until("it is known to be gone", || node.status(&room)["seats"]["hls_estimate"] == 0);
    assert!(node.metric("tribune_arrived_total") > 0.0 && node.metric("tribune_seated") == 0.0);
}

/// The newest part that the playlist names.
pub fn part_of(node: &Node, playlist: &str) -> String {
    let text = String::from_utf8(node.get(playlist).1).expect("a playlist is text");
    let line = text.lines().rfind(|line| line.starts_with("#EXT-X-PART:")).expect("a part is listed");
    line.split('"').nth(1).expect("it has an address").to_owned()
}

/// Follows a playlist by blocking reloads until there is no next one: the last that came, and how the next
/// one was refused; `None` when a connection was not taken any more.
fn follow_to_the_end(url: &str, told: &std::sync::mpsc::Sender<()>) -> (String, Option<u16>) {
    let agent = agent();
    let mut last = String::new();
    let mut query = String::new();
    loop {
        let Ok(mut answer) = agent.get(format!("{url}{query}")).call() else { return (last, None) };
        let text = answer.body_mut().read_to_string().unwrap_or_default();
        if answer.status() != 200 {
            return (last, Some(answer.status().as_u16()));
        }
        let ended = text.contains("#EXT-X-ENDLIST");
        last = text;
        if ended {
            return (last, Some(200));
        }
        let _ = told.send(());
        let part = last.lines().rfind(|line| line.starts_with("#EXT-X-PRELOAD-HINT")).expect("a hint");
        let no = part.rsplit('/').next().and_then(|file| file.split('.').next()?.parse::<u64>().ok());
        let no = no.expect("the hint names a part");
        query = format!("?_HLS_msn={}&_HLS_part={}", no / 6, no % 6);
    }
}

#[test]
fn a_node_that_stops_ends_no_playlist_and_the_program_goes_on_after_it() {
    let keep = tempfile::tempdir().expect("a folder");
    let node = Node::start_in(keep.path());
    let room = node.live_room("paused");
    until("the program has begun", || node.get("/paused/hls/aac64.m3u8").0 == 200);
    let (told, came) = std::sync::mpsc::channel();
    let url = format!("{}/paused/hls/aac64.m3u8", node.public);
    let player = std::thread::spawn(move || follow_to_the_end(&url, &told));
    let mut listener = node.open("/paused/live.aac");
    let mut began = [0; 512];
    listener.read_exact(&mut began).expect("it is heard");
    came.iter().take(3).for_each(drop);
    let before = part_of(&node, "/paused/hls/aac64.m3u8");
    assert!(node.terminate().success());
    let (last, refused) = player.join().expect("the player ends");
    assert!(last.contains("#EXT-X-PRELOAD-HINT") && !last.contains("#EXT-X-ENDLIST"), "{last}");
    assert!(matches!(refused, None | Some(503)), "{refused:?}");
    listener.read_to_end(&mut Vec::new()).expect_err("the answer is not whole");
    // The same program goes on: same folder, later numbers, and at last an end that is told.
    let node = Node::start_in(keep.path());
    until("the program goes on", || node.get("/paused/hls/aac64.m3u8").0 == 200);
    let after = part_of(&node, "/paused/hls/aac64.m3u8");
    let split = |part: &str| {
        let (folder, file) = part.rsplit_once('/').expect("a folder and a file");
        (folder.to_owned(), file.split('.').next().and_then(|no| no.parse::<u64>().ok()).expect("a number"))
    };
    let ((folder_before, no_before), (folder, no)) = (split(&before), split(&after));
    assert!(folder == folder_before && no > no_before, "{before}, then {after}");
    let (told, came) = std::sync::mpsc::channel();
    let url = format!("{}/paused/hls/aac64.m3u8", node.public);
    let player = std::thread::spawn(move || follow_to_the_end(&url, &told));
    let mut listener = node.open("/paused/live.aac");
    came.iter().take(3).for_each(drop);
    node.end(&room);
    let (last, status) = player.join().expect("the player ends");
    assert!(last.ends_with("#EXT-X-ENDLIST\n") && status == Some(200), "{last}");
    listener.read_to_end(&mut Vec::new()).expect("the answer is whole");
}

#[test]
fn a_room_made_again_has_addresses_of_its_own() {
    let node = Node::start();
    let addresses = |made: u64| {
        let room = node.live_room("again");
        until("the program has begun", || node.get("/again/hls/opus64.m3u8").0 == 200);
        let part = part_of(&node, "/again/hls/opus64.m3u8");
        assert_eq!(node.get(&format!("/again/hls/{part}")).0, 200, "made {made} times");
        node.end(&room);
        assert_eq!(node.try_api("DELETE", "/api/v1/rooms/again", "").0, 204);
        part
    };
    let parts: Vec<String> = (1..=3).map(addresses).collect();
    let folder = |part: &String| part.rsplit_once('/').map(|(folder, _)| folder.to_owned());
    assert!(folder(&parts[0]) != folder(&parts[1]) && folder(&parts[1]) != folder(&parts[2]), "{parts:?}");
    let _again = node.live_room("again");
    until("the program has begun", || node.get("/again/hls/opus64.m3u8").0 == 200);
    for part in parts {
        assert_eq!(node.get(&format!("/again/hls/{part}")).0, 404, "an old address has no new bytes");
    }
}
