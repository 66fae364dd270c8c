//! The door over HTTP: tickets, places, claims, seats, and what a restart leaves of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::node::{Node, Room, agent, until};

/// An answer: its status, its cookies as a browser sends them back, its body.
struct Answer {
    status: u16,
    cookies: Vec<String>,
    body: Value,
}

fn post(node: &Node, path: &str, (body, cookie): (&Value, &str)) -> Answer {
    let mut request = agent().post(format!("{}{path}", node.public));
    if !cookie.is_empty() {
        request = request.header("cookie", cookie);
    }
    let mut answer = request.send_json(body).expect("the node answers");
    let cookies = answer.headers().get_all("set-cookie").iter();
    let cookies =
        cookies.filter_map(|line| Some(line.to_str().ok()?.split(';').next()?.to_owned())).collect();
    let text = answer.body_mut().read_to_string().unwrap_or_default();
    Answer {
        status: answer.status().as_u16(),
        cookies,
        body: serde_json::from_str(&text).unwrap_or_default(),
    }
}

pub fn draw(node: &Node, room: &Room) -> Value {
    let drawn = post(node, &format!("/{}/ticket", room.name), (&json!({}), ""));
    assert_eq!(drawn.status, 201, "{}", drawn.body);
    drawn.body
}

fn claim(node: &Node, room: &Room, ticket: &Value) -> Answer {
    post(node, &format!("/{}/claim", room.name), (ticket, ""))
}

pub fn place(node: &Node, room: &Room, ticket: &Value) -> Value {
    let ticket = ticket["ticket"].as_str().expect("a ticket");
    let (status, body) = node.get(&format!("/{}/place?ticket={ticket}", room.name));
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    serde_json::from_slice(&body).expect("a place is JSON")
}

/// The pass, once the ticket is called.
pub fn pass(node: &Node, room: &Room, ticket: &Value) -> String {
    let mut pass = None;
    until("the ticket is called", || {
        let claimed = claim(node, room, ticket);
        assert!(matches!(claimed.status, 200 | 202), "{} {}", claimed.status, claimed.body);
        pass = claimed.body["pass"].as_str().map(str::to_owned);
        pass.is_some()
    });
    pass.expect("it was waited for")
}

fn status_of(node: &Node, path: &str) -> u16 {
    agent().get(format!("{}{path}", node.public)).call().expect("the node answers").status().as_u16()
}

#[test]
fn a_visitor_has_one_ticket_and_its_holder_one_seat() {
    let node = Node::start();
    let room = node.live_room("debate");
    let first = post(&node, "/debate/ticket", (&json!({}), ""));
    assert_eq!((first.status, first.cookies.len()), (201, 1));
    let again = post(&node, "/debate/ticket", (&json!({}), &first.cookies[0]));
    assert_eq!((again.status, &again.body), (200, &first.body), "the same visitor, the same ticket");
    let other = draw(&node, &room);
    assert_ne!(other, first.body);

    let pass = pass(&node, &room, &first.body);
    let mut heard = [0; 4];
    let path = format!("/debate/live.opus?pass={pass}");
    node.open(&path).read_exact(&mut heard).expect("the program comes");
    assert_eq!(&heard, b"OggS");
    assert_eq!(node.metric("tribune_arrived_total"), 2.0);

    // Another device claims: the first is out, and told why.
    let newer = claim(&node, &room, &first.body).body["pass"].as_str().expect("called").to_owned();
    assert_ne!(newer, pass);
    let (code, body) = node.get(&path);
    assert_eq!(
        (code, serde_json::from_slice::<Value>(&body).expect("JSON")["code"].as_str()),
        (409, Some("pass_displaced"))
    );
}

#[test]
fn of_two_for_one_seat_one_is_in_and_the_other_keeps_the_place() {
    let node = Node::start();
    let room = node.live_room("debate");
    node.api("POST", "/api/v1/rooms/debate/cap", &json!({"cap": 1}));
    let (one, two) = (draw(&node, &room), draw(&node, &room));
    until("both have a rank", || {
        [&one, &two].iter().all(|ticket| place(&node, &room, ticket)["rank"].is_u64())
    });
    let is_first = place(&node, &room, &one)["rank"] == 0;
    let (first, second) = if is_first { (one, two) } else { (two, one) };
    let pass = pass(&node, &room, &first);
    let mut listening = node.open(&format!("/debate/live.opus?pass={pass}"));
    listening.read_exact(&mut [0; 4]).expect("the program comes");
    assert_eq!(claim(&node, &room, &second).status, 202, "one seat, one person");
    assert_eq!(status_of(&node, "/debate/live.opus"), 503, "nobody passes those who wait");
    until("the status says it", || {
        let said = node.status(&room);
        (&said["tickets"], &said["seats"]["cap"]) == (&json!(2), &json!(1))
    });
    node.api("POST", "/api/v1/rooms/debate/cap", &json!({"cap": 2}));
    self::pass(&node, &room, &second);
    until("the status says it", || node.status(&room)["waiting"] == 0);
}

#[test]
fn wrong_tickets_are_refused_each_by_its_reason() {
    let node = Node::start();
    let (room, other) = (node.live_room("debate"), node.live_room("other"));
    let ticket = draw(&node, &room);
    let with = |name: &str, value: &str| {
        let mut changed = ticket.clone();
        changed[name] = value.into();
        changed
    };
    let text = ticket["ticket"].as_str().expect("a ticket").to_owned();
    let altered = |at: usize| {
        let other = if &text[at..=at] == "A" { "B" } else { "A" };
        format!("{}{other}{}", &text[..at], &text[at + 1..])
    };
    for (wrong, status, code) in [
        (with("ticket", &altered(60)), 403, "ticket_forged"),
        (with("ticket", &altered(30)), 403, "ticket_forged"),
        (with("ticket", "nonsense"), 400, "ticket_malformed"),
        (with("secret", "AAAAAAAAAAAAAAAAAAAAAA"), 403, "secret_wrong"),
        (with("secret", ""), 403, "secret_wrong"),
        (draw(&node, &other), 403, "ticket_other_room"),
        (json!({"ticket": text}), 400, "malformed"),
        (json!([1, 2]), 400, "malformed"),
    ] {
        let answer = claim(&node, &room, &wrong);
        assert_eq!((answer.status, answer.body["code"].as_str()), (status, Some(code)), "{wrong}");
        assert!(answer.body["message"].is_string() && answer.body["request_id"].is_string());
    }
    pass(&node, &room, &ticket);
}

#[test]
fn tickets_of_a_key_put_aside_have_expired_and_new_ones_count() {
    let node = Node::start();
    let room = node.live_room("debate");
    let ticket = draw(&node, &room);
    let data = node.kill().expect("its folder");
    let (key, old) = (data.path().join("node.key"), data.path().join("node.key.old"));
    std::fs::rename(&key, &old).expect("our own folder");
    let node = Node::start_in(data.path());
    let answer = claim(&node, &room, &ticket);
    assert_eq!((answer.status, answer.body["code"].as_str()), (403, Some("ticket_expired")));
    assert_eq!(node.status(&room)["tickets"], 1, "whoever came is still counted");
    let anew = draw(&node, &room);
    pass(&node, &room, &anew);
    // Without the old key nobody knows that it ever was.
    node.kill();
    std::fs::remove_file(&old).expect("our own folder");
    let node = Node::start_in(data.path());
    let answer = claim(&node, &room, &ticket);
    assert_eq!((answer.status, answer.body["code"].as_str()), (403, Some("ticket_forged")));
    pass(&node, &room, &anew);
}

#[test]
fn tickets_outlive_a_crash_in_their_order() {
    let node = Node::start();
    let room = node.live_room("debate");
    node.api("POST", "/api/v1/rooms/debate/cap", &json!({"cap": 1}));
    let tickets: Vec<Value> = (0..20).map(|_| draw(&node, &room)).collect();
    let ranks = |node: &Node| -> Vec<Value> {
        tickets.iter().map(|ticket| place(node, &room, ticket)["rank"].clone()).collect()
    };
    until("every second is over", || ranks(&node).iter().all(Value::is_u64));
    let before = ranks(&node);
    let distinct: BTreeSet<u64> = before.iter().filter_map(Value::as_u64).collect();
    assert_eq!(distinct.into_iter().collect::<Vec<_>>(), (0..20).collect::<Vec<_>>());
    let first = tickets.iter().position(|ticket| place(&node, &room, ticket)["rank"] == 0).expect("a first");
    let pass = pass(&node, &room, &tickets[first]);
    let data = node.kill().expect("its folder");
    let node = Node::start_in(data.path());
    until("the door is open again", || ranks(&node).iter().all(Value::is_u64));
    assert_eq!(ranks(&node), before, "a crash changes no place");
    assert_eq!(node.status(&room)["tickets"], 20);
    let mut heard = [0; 4];
    let mut listening = node.open(&format!("/debate/live.opus?pass={pass}"));
    listening.read_exact(&mut heard).expect("who was inside is inside again");
}

#[test]
fn arrivals_are_what_was_drawn() {
    let node = Node::start();
    let room = node.live_room("debate");
    (0..7).for_each(|_| drop(draw(&node, &room)));
    let (status, body) = node.get("/debate/arrivals/0");
    let minute: Value = serde_json::from_slice(&body).expect("JSON");
    assert_eq!((status, minute["room"].as_str(), minute["first"].as_u64()), (200, Some("debate"), Some(0)));
    let counts = minute["counts"].as_array().expect("counts");
    assert_eq!((counts.len(), counts.iter().filter_map(Value::as_u64).sum::<u64>()), (60, 7));
    assert_eq!(node.get("/debate/arrivals/4294967295").0, 404);
    assert_eq!(node.get("/debate/arrivals/x").0, 404);
}

/// Somebody who claims until they hear, each on a thread of their own; `None` once nobody waits for them.
fn comes_in(node: &Node, room: &Room, (ticket, over): (&Value, &AtomicBool)) -> Option<Box<dyn Read + Send>> {
    let mut came = None;
    until("a seat is theirs, or nobody waits for them", || {
        let claimed = claim(node, room, ticket);
        assert!(matches!(claimed.status, 200 | 202 | 503), "{} {}", claimed.status, claimed.body);
        if let Some(pass) = claimed.body["pass"].as_str() {
            let mut listening = node.open(&format!("/{}/live.opus?pass={pass}", room.name));
            listening.read_exact(&mut [0; 4]).expect("the program comes");
            came = Some(Box::new(listening) as Box<dyn Read + Send>);
        }
        came.is_some() || over.load(Ordering::Relaxed)
    });
    came
}

/// All tickets at once; ends when so many are in. Who is, by their place in `tickets`.
fn race(node: &Node, room: &Room, tickets: &[Value], seats: usize) -> BTreeMap<usize, Box<dyn Read + Send>> {
    let (over, inside) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        let all: Vec<_> = tickets
            .iter()
            .map(|ticket| {
                let (over, inside) = (&over, &inside);
                scope.spawn(move || {
                    let came = comes_in(node, room, (ticket, over))?;
                    if inside.fetch_add(1, Ordering::Relaxed) + 1 == seats {
                        over.store(true, Ordering::Relaxed);
                    }
                    Some(came)
                })
            })
            .collect();
        let came = all.into_iter().map(|one| one.join().expect("nobody is refused for another reason"));
        came.enumerate().filter_map(|(place, came)| Some((place, came?))).collect()
    })
}

#[test]
fn ten_for_nine_seats_race_and_a_lowered_cap_sends_nobody_out() {
    let node = Node::start();
    let room = node.live_room("debate");
    let cap = |cap: u64| node.api("POST", "/api/v1/rooms/debate/cap", &json!({"cap": cap}));
    let taken = || node.status(&room)["seats"]["taken"].as_u64().expect("a number");
    cap(9);
    let tickets: Vec<Value> = (0..10).map(|_| draw(&node, &room)).collect();
    let mut inside = race(&node, &room, &tickets, 9);
    assert_eq!(inside.len(), 9, "nine seats");
    until("the status says it", || taken() == 9);
    let late = (0..10).find(|place| !inside.contains_key(place)).expect("one of ten");

    cap(3);
    until("the status says it", || node.status(&room)["seats"]["cap"] == 3);
    for listening in inside.values_mut() {
        listening.read_exact(&mut [0; 20_000]).expect("who is inside hears on");
    }
    assert_eq!(taken(), 9);
    assert_ne!(claim(&node, &room, &tickets[late]).status, 200);

    cap(27);
    inside.extend(race(&node, &room, &tickets[late..=late], 1));
    until("the status says it", || taken() == 10);
}

#[test]
fn a_cap_that_flaps_is_never_passed() {
    let node = Node::start();
    let room = node.live_room("debate");
    let cap = |cap: u64| node.api("POST", "/api/v1/rooms/debate/cap", &json!({"cap": cap}));
    cap(4);
    let tickets: Vec<Value> = (0..16).map(|_| draw(&node, &room)).collect();
    let over = AtomicBool::new(false);
    let inside = std::thread::scope(|scope| {
        let flapping = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                for now in [4, 12, 2] {
                    cap(now);
                    let seats = node.status(&room)["seats"].clone();
                    assert!(seats["taken"].as_u64() <= Some(12), "{seats}");
                }
            }
        });
        let inside = race(&node, &room, &tickets, 12);
        over.store(true, Ordering::Relaxed);
        flapping.join().expect("never more than there were seats");
        inside
    });
    assert_eq!(inside.len(), 12, "the most there ever were");
    until("the status says it", || node.status(&room)["seats"]["taken"] == 12);
}
