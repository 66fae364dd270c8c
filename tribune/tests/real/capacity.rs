//! What a node carries: measured, lowered, overridden, shared.

use serde_json::{Value, json};

use crate::node::{Node, Room, measure, until};

fn seats(node: &Node, room: &Room) -> Value {
    node.status(room)["seats"].clone()
}

fn code(text: &str) -> Value {
    serde_json::from_str::<Value>(text).unwrap_or_default()["code"].clone()
}

#[test]
fn a_node_with_few_descriptors_says_that_they_bind() {
    let data = tempfile::tempdir().expect("a folder for the node's data");
    measure();
    let node = Node::start_with_descriptors(data.path(), 700);
    let room = node.live_room("debate");
    until("the node is measured", || seats(&node, &room)["measured"].is_u64());
    let said = seats(&node, &room);
    let cap = said["cap"].as_u64().expect("a number");
    assert!(cap > 0 && cap <= 700 - 512, "{said}");
    let why = said["cap_why"].as_str().expect("a sentence");
    assert!(why.starts_with("File descriptors: ") && why.contains("700 less"), "{why}");
    assert!(node.metric("tribune_listener_cost") > 0.0, "what was measured is exported");
    assert_eq!(node.metric("tribune_seats_measured"), cap as f64);

    // The host may lower, and above it only say so.
    let over = json!({"cap": cap + 1});
    let (status, text) = node.try_api("POST", "/api/v1/rooms/debate/cap", &over.to_string());
    assert_eq!((status, code(&text)), (409, json!("cap_over_measured")), "{text}");
    assert_eq!(seats(&node, &room)["cap"], cap, "a refusal changes nothing");
    let said = node.api("POST", "/api/v1/rooms/debate/cap", &json!({"cap": 5}));
    assert_eq!((&said["seats"]["cap"], &said["seats"]["cap_why"]), (&json!(5), &json!("Set by the host.")));
    let over = json!({"cap": cap + 1, "override": true});
    let said = node.api("POST", "/api/v1/rooms/debate/cap", &over)["seats"].clone();
    assert_eq!((said["cap"].as_u64(), said["measured"].as_u64()), (Some(cap + 1), Some(cap)), "{said}");
    assert!(said["cap_why"].as_str().is_some_and(|why| why.starts_with("Set by the host, above the")));
    let acts = node.api("GET", "/api/v1/rooms/debate/audit", &Value::Null)["audit"].clone();
    let acts: Vec<_> =
        acts.as_array().expect("lines").iter().map(|line| (&line["act"], &line["outcome"])).collect();
    assert!(acts.contains(&(&json!("cap_override"), &json!("done"))), "{acts:?}");
    assert!(acts.contains(&(&json!("cap"), &json!("cap_over_measured"))), "{acts:?}");

    // A restart remembers both: the measurement, and the host's word.
    drop(node);
    let node = Node::start_with_descriptors(data.path(), 700);
    until("the room says it", || seats(&node, &room) == said);
}

#[test]
fn two_rooms_share_one_nodes_seats() {
    let data = tempfile::tempdir().expect("a folder for the node's data");
    let node = Node::start_with(data.path(), &[]);
    let one = node.live_room("one");
    let all = seats(&node, &one)["cap"].as_u64().expect("a number");
    let made = json!({"room": "two", "title": "Two", "share": 3});
    node.api("POST", "/api/v1/rooms", &made);
    let two = Room { name: "two".into(), host: String::new(), speaker: String::new() };
    until("both have their shares", || {
        let cap = |room: &Room| seats(&node, room)["cap"].as_u64().expect("a number");
        (cap(&one), cap(&two)) == (all / 4, all * 3 / 4)
    });
    node.end(&one);
    until("the other has them all", || seats(&node, &two)["cap"] == all);
    let (status, text) =
        node.try_api("POST", "/api/v1/rooms", &json!({"title": "T", "share": 0}).to_string());
    assert_eq!((status, code(&text)), (400, json!("malformed")));
}
