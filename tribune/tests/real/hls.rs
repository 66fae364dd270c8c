//! HLS as a player meets it: at the door of a full room, while the node restarts, at the end.

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
