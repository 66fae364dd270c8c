#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{IpAddr, TcpListener};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::body::Body;
use ed25519_dalek::SigningKey;
use futures_util::StreamExt;
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tower::ServiceExt;
use tribune_core::mix::HoldSound;
use tribune_core::room::Key;

use super::*;
use crate::config::Config;
use crate::keys;
use crate::net::ClientAddr;
use crate::ops::Metrics;
use crate::program::{Env, spoken};
use crate::rooms::Setup;
use crate::store::Store;
use crate::webhook::Webhooks;
use crate::world::World;

mod floor;
mod passkeys;
mod sign_in;

const OPERATOR: &str = "operator-operator-operator";
const NOBODY: &str = "nobody-nobody-nobody-nobody";

/// A node's API over a folder, without a socket.
struct Node {
    app: Router,
    rooms: Rooms,
    door: StageDoor,
    /// Each request has an address of its own, so that the limit on wrong keys stays out of the way.
    visitors: AtomicU32,
}

impl Node {
    async fn on(data: &Path) -> Self {
        Self::reached_at(data, None).await
    }

    /// The stage has this address in links.
    async fn reached_at(data: &Path, stage_url: Option<&str>) -> Self {
        let config = Config {
            data: data.to_owned(),
            webhook_private: true,
            rooms_max: 5,
            stage_url: stage_url.map(str::to_owned),
            ..Config::default()
        };
        let (config, world) = (Arc::new(config), World::begin());
        let key = Arc::new(keys::node_key(data, world).unwrap());
        let (store, webhooks) = (Store::open(data).unwrap(), Webhooks::start(&config));
        let rooms = Rooms::open(Setup {
            programs: programs(&config, world, &key),
            config,
            store,
            key,
            ticket_keys: keys::ticket_keys(data, &keys::node_key(data, world).unwrap()).unwrap(),
            webhooks,
            scribe: crate::door::Scribe::start(world).unwrap(),
            capacity: crate::capacity::Capacity::plenty(),
            watch: crate::guard::Watch::new(world),
            reports: crate::guard::Published::new(data),
            world,
        })
        .await
        .unwrap();
        let shelf = Shelf::new(data.join("rooms"));
        let operator = Key::parse(OPERATOR).unwrap().hash();
        let door = StageDoor::open(rooms.clone(), operator).await.unwrap();
        let app = router(Api::new(rooms.clone(), shelf, door.clone()));
        Self { app, rooms, door, visitors: AtomicU32::new(0x0a00_0000) }
    }

    async fn speak(&self, room: &str) {
        let program = self.rooms.get(room).unwrap().demand(tribune_core::room::Demand::Send).await.unwrap();
        spoken::something(&program).await;
    }

    async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.app.clone().oneshot(request).await.unwrap()
    }

    /// Asks as the holder of `key`; the status and the JSON of the answer.
    async fn ask(&self, (method, path): (&str, &str), key: &str, body: Value) -> (u16, Value) {
        let body = if body.is_null() { Body::empty() } else { body.to_string().into() };
        let path = if path.starts_with("/api") { path.to_owned() } else { format!("/api/v1/rooms{path}") };
        let mut request =
            Request::builder().method(method).uri(path).header("content-type", "application/json");
        let visitor = self.visitors.fetch_add(1, Ordering::Relaxed);
        request = request.extension(ClientAddr(IpAddr::V4(visitor.into())));
        if !key.is_empty() {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        read(self.send(request.body(body).unwrap()).await).await
    }

    /// A room named `name`; its keys of host, co-host and speaker.
    async fn room(&self, name: &str) -> [String; 3] {
        let body = json!({"title": "A debate", "room": name});
        let (status, made) = self.ask(("POST", ""), OPERATOR, body).await;
        assert_eq!(status, 201, "{made}");
        ["host", "cohost", "speaker"].map(|role| made["keys"][role].as_str().unwrap().to_owned())
    }
}

async fn read(answer: Response<Body>) -> (u16, Value) {
    let status = answer.status().as_u16();
    let bytes = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

#[tokio::test]
async fn an_evening_by_its_keys() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::on(data.path()).await;
    let body =
        json!({"title": "Débat", "room": "debate", "starts_at": "2999-01-01T20:00:00+01:00", "cap": 40});
    let (status, made) = node.ask(("POST", ""), OPERATOR, body).await;
    assert_eq!((status, &made["room"]), (201, &json!("debate")));
    assert_eq!(made["links"]["source"], "http://127.0.0.1:8081/debate/source");
    assert_eq!(made["links"]["status"], "http://127.0.0.1:8080/debate/status");
    let host = made["keys"]["host"].as_str().unwrap();
    let (_, status) = node.ask(("GET", "/debate"), "", Value::Null).await;
    assert_eq!(
        (&status["state"], &status["starts_at"]),
        (&json!("scheduled"), &json!("2999-01-01T19:00:00.000Z"))
    );
    assert_eq!(status["seats"]["cap"], 40);
    for (method, path, body, field, value) in [
        ("PATCH", "/debate", json!({"title": "New", "starts_at": null}), "/state", json!("boarding")),
        ("POST", "/debate/notice", json!({"text": "Soon"}), "/notices/0/text", json!("Soon")),
        ("POST", "/debate/cap", json!({"cap": 7}), "/seats/cap", json!(7)),
        ("PUT", "/debate/cap", json!({"cap": null}), "/seats/cap", json!(1_000)),
        ("POST", "/debate/live", Value::Null, "/state", json!("live")),
        ("POST", "/debate/live", Value::Null, "/state", json!("live")),
        ("POST", "/debate/end", Value::Null, "/replay/seal", json!("http://127.0.0.1:8080/debate/seal")),
        ("POST", "/debate/end", Value::Null, "/state", json!("ended")),
    ] {
        let (code, status) = node.ask((method, path), host, body).await;
        assert_eq!((code, status.pointer(field)), (200, Some(&value)), "{method} {path}: {status}");
        if path == "/debate/live" {
            node.speak("debate").await;
        }
    }
    let (code, refused) = node.ask(("POST", "/debate/live"), host, Value::Null).await;
    assert_eq!((code, &refused["code"]), (410, &json!("room_ended")));
    let (_, rooms) = node.ask(("GET", ""), OPERATOR, Value::Null).await;
    assert_eq!(rooms["rooms"][0]["state"], "ended");
    let (_, lines) = node.ask(("GET", "/debate/audit"), OPERATOR, Value::Null).await;
    let last = &lines["audit"][0];
    assert_eq!(
        (&last["by"], &last["act"], &last["outcome"]),
        (&json!("host"), &json!("live"), &json!("room_ended"))
    );
    assert_eq!(node.ask(("DELETE", "/debate"), OPERATOR, Value::Null).await.0, 204);
    assert_eq!(node.ask(("GET", "/debate"), "", Value::Null).await.0, 404);
    assert_eq!(
        node.ask(("GET", "/debate/audit"), OPERATOR, Value::Null).await.1["audit"][0]["act"],
        "delete"
    );
}

#[tokio::test]
async fn every_key_may_what_its_role_may() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::on(data.path()).await;
    let [host, cohost, speaker] = node.room("debate").await;
    let [other, ..] = node.room("other").await;
    let who = ["", NOBODY, &other, &speaker, &cohost, &host, OPERATOR];
    let title = json!({"title": "New"});
    for (method, path, body, codes) in [
        ("GET", "/debate", Value::Null, [200, 401, 401, 200, 200, 200, 200]),
        ("GET", "/debate/links", Value::Null, [200, 401, 401, 200, 200, 200, 200]),
        ("POST", "/debate/notice", json!({"text": "x"}), [401, 401, 401, 403, 200, 200, 200]),
        ("PATCH", "/debate", title.clone(), [401, 401, 401, 403, 200, 200, 200]),
        ("PATCH", "/debate", json!({"starts_at": null}), [401, 401, 401, 403, 403, 200, 200]),
        ("DELETE", "/debate/hold", Value::Null, [401, 401, 401, 403, 204, 204, 204]),
        // Who may is told what is wrong with the body.
        ("PUT", "/debate/hold", Value::Null, [401, 401, 401, 403, 400, 400, 400]),
        ("POST", "/debate/cap", json!({"cap": 1}), [401, 401, 401, 403, 403, 200, 200]),
        ("GET", "/debate/webhooks", Value::Null, [401, 401, 401, 403, 403, 200, 200]),
        ("GET", "/debate/keys", Value::Null, [401, 401, 401, 200, 200, 200, 200]),
        ("GET", "", Value::Null, [401, 401, 401, 401, 401, 401, 200]),
        ("POST", "", title, [401, 401, 401, 401, 401, 401, 201]),
        ("POST", "/debate/live", Value::Null, [401, 401, 401, 403, 200, 200, 200]),
        ("GET", "/debate/stage", Value::Null, [401, 401, 401, 200, 200, 200, 200]),
        // A room's key alone is nobody on the stage, who could ask for the floor.
        ("POST", "/debate/floor/request", json!({}), [401, 401, 401, 409, 409, 409, 403]),
        ("POST", "/debate/floor/grant", json!({"person": "x"}), [401, 401, 401, 403, 404, 404, 404]),
        ("POST", "/debate/floor/decline", json!({"person": "x"}), [401, 401, 401, 403, 404, 404, 404]),
        ("POST", "/debate/floor/revoke", json!({"person": "x"}), [401, 401, 401, 403, 404, 404, 404]),
        ("POST", "/debate/mute", json!({"person": "x", "muted": true}), [401, 401, 401, 403, 404, 404, 404]),
        ("POST", "/debate/remove", json!({"person": "x"}), [401, 401, 401, 403, 404, 404, 404]),
        (
            "POST",
            "/debate/role",
            json!({"person": "x", "role": "cohost"}),
            [401, 401, 401, 403, 403, 404, 404],
        ),
        ("DELETE", "/debate", Value::Null, [401, 401, 401, 403, 403, 403, 409]),
        ("POST", "/debate/end", Value::Null, [401, 401, 401, 403, 403, 200, 200]),
    ] {
        for (key, expected) in who.into_iter().zip(codes) {
            let (code, answer) = node.ask((method, path), key, body.clone()).await;
            assert_eq!(code, expected, "{method} {path} {key:?}: {answer}");
        }
    }
}

/// The text of a refusal to a request with this body.
async fn refused(node: &Node, path: &str, kind: &str, body: impl Into<Body>) -> (u16, Value) {
    let request = Request::post(format!("/api/v1/rooms{path}"))
        .header("content-type", kind)
        .header("authorization", format!("Bearer {OPERATOR}"));
    read(node.send(request.body(body.into()).unwrap()).await).await
}

#[tokio::test]
async fn what_is_wrong_with_a_body_is_named() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::on(data.path()).await;
    node.room("debate").await;
    let deep = "[".repeat(10_000);
    let long = format!("{{\"title\": \"{}\"}}", "x".repeat(17_000));
    let wide = format!("{{\"title\": \"{}\"}}", "x".repeat(201));
    for (path, body, code, names) in [
        ("", "", 400, "EOF"),
        ("", "{", 400, "line 1 column 1"),
        ("", "[]", 400, "invalid length"),
        ("", "{\"title\": 7}", 400, "expected a string"),
        ("", "{\"room\": \"x\"}", 400, "missing field `title`"),
        ("", "{\"title\": \"x\", \"titel\": 1}", 400, "unknown field `titel`"),
        ("", "{\"title\": \"x\", \"title\": \"y\"}", 400, "duplicate field `title`"),
        ("", "{\"title\": \"\"}", 400, "title has 1 to 200 characters"),
        ("", wide.as_str(), 400, "title has 1 to 200 characters"),
        ("", "{\"title\": \"x\", \"room\": \"A\"}", 400, "room: a room's name is made of"),
        ("", "{\"title\": \"x\", \"room\": \"api\"}", 400, "taken by the server itself"),
        ("", "{\"title\": \"x\", \"cap\": -1}", 400, "invalid value: integer `-1`"),
        ("", "{\"title\": \"x\", \"cap\": 10000001}", 400, "cap is at most 10,000,000"),
        ("", "{\"title\": \"x\", \"starts_at\": \"soon\"}", 400, "starts_at must be a time in RFC 3339"),
        ("", "{\"title\": \"x\", \"room\": \"debate\"}", 409, "choose another name"),
        ("", "{\"title\": \"\u{0}\"}", 400, "control character"),
        ("", deep.as_str(), 400, "the body"),
        ("", long.as_str(), 413, "at most 16384 bytes"),
        ("/debate/cap", "{}", 400, "missing field `cap`"),
        ("/debate/notice", "{\"text\": \" \"}", 400, "a notice has 1 to 500 characters"),
        ("/debate/keys", "{\"roles\": [\"listener\"]}", 400, "only host, cohost and speaker have keys"),
        ("/debate/keys", "{\"roles\": []}", 400, "name one to three"),
        ("/debate/webhooks", "{\"url\": \"file:///etc/passwd\"}", 400, "url must begin with http"),
        ("/nowhere/live", "", 404, "no room of this name"),
    ] {
        let (status, answer) = refused(&node, path, "application/json; charset=utf-8", body.to_owned()).await;
        assert_eq!(status, code, "{path} {body:.60}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(names), "{path} {body:.60}: {answer}");
        for field in ["code", "message", "retry_after_s", "request_id"] {
            assert!(!answer[field].is_null(), "{field}");
        }
    }
    let (status, answer) = refused(&node, "", "text/plain", "{\"title\": \"x\"}").await;
    assert_eq!((status, answer["message"].as_str().unwrap().contains("Content-Type")), (400, true));
    let (status, _) = refused(&node, "", "application/json", vec![0xff, 0xfe]).await;
    assert_eq!((status, node.rooms.list().len()), (400, 1), "nothing was made by any of them");
}

#[tokio::test]
async fn wrong_keys_become_slow_and_right_ones_do_not() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::on(data.path()).await;
    node.room("debate").await;
    let ask = |key: &'static str| {
        let request = Request::post("/api/v1/rooms/debate/live")
            .header("authorization", format!("Bearer {key}"))
            .extension(ClientAddr("192.0.2.7".parse().unwrap()));
        node.send(request.body(Body::empty()).unwrap())
    };
    for _ in 0..guesses::WRONG_KEYS_MAX {
        let answer = ask(NOBODY).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(answer.headers()["www-authenticate"], "Bearer");
    }
    let answer = ask(NOBODY).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.headers()["retry-after"], "60");
    assert_eq!(read(answer).await.1["code"], "keys_guessed");
    assert_eq!(ask("short").await.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(ask(OPERATOR).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_rotated_key_is_worth_nothing() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::on(data.path()).await;
    let [host, cohost, speaker] = node.room("debate").await;
    let roles = json!({"roles": ["host", "speaker"]});
    let (_, fresh) = node.ask(("POST", "/debate/keys"), &host, roles).await;
    let new_host = fresh["keys"]["host"].as_str().unwrap();
    let role = async |node: &Node, key: &str| node.ask(("GET", "/debate/keys"), key, Value::Null).await;
    assert_eq!(role(&node, &host).await.0, 401);
    assert_eq!(role(&node, &speaker).await.0, 401);
    assert_eq!(role(&node, &cohost).await.1["role"], "cohost");
    assert_eq!(role(&node, new_host).await.1["role"], "host");
    node.rooms.shut_down().await;
    let again = Node::on(data.path()).await;
    assert_eq!(role(&again, &host).await.0, 401);
    assert_eq!(role(&again, new_host).await.1["role"], "host");
}

#[tokio::test]
async fn events_tell_every_status_and_the_state() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::on(data.path()).await;
    let [host, ..] = node.room("debate").await;
    let request = Request::get("/api/v1/rooms/debate/events").body(Body::empty()).unwrap();
    let answer = node.send(request).await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut events = answer.into_body().into_data_stream();
    let mut heard = String::new();
    while !heard.contains("event: status") {
        heard.push_str(std::str::from_utf8(&events.next().await.unwrap().unwrap()).unwrap());
    }
    assert!(heard.starts_with("event: state\ndata: boarding\n\n"), "{heard}");
    node.ask(("POST", "/debate/live"), &host, Value::Null).await;
    while !heard.contains("event: state\ndata: live\n\n") {
        heard.push_str(std::str::from_utf8(&events.next().await.unwrap().unwrap()).unwrap());
    }
}

#[tokio::test]
async fn a_receiver_is_told_and_can_check_who_told_it() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::on(data.path()).await;
    let [host, ..] = node.room("debate").await;
    let receiver = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", receiver.local_addr().unwrap());
    let (code, made) = node.ask(("POST", "/debate/webhooks"), &host, json!({"url": url})).await;
    assert_eq!((code, made["secret"].as_str().unwrap().len()), (201, 32));
    let heard =
        tokio::task::spawn_blocking(move || ["live", "ended", "replay_ready"].map(|_| hear(&receiver)));
    node.ask(("POST", "/debate/live"), &host, Value::Null).await;
    node.speak("debate").await;
    node.ask(("POST", "/debate/end"), &host, Value::Null).await;
    let mut events: Vec<_> = heard.await.unwrap().iter().map(|body| body["event"].clone()).collect();
    events.sort_by_key(Value::to_string);
    assert_eq!(events, ["ended", "live", "replay_ready"]);
    let path = format!("/debate/webhooks/{}", made["id"]);
    assert_eq!(node.ask(("DELETE", &path), &host, Value::Null).await.0, 204);
    assert_eq!(node.ask(("DELETE", &path), &host, Value::Null).await.0, 404);
    for n in 0..=webhooks::WEBHOOKS_MAX {
        let (code, _) = node.ask(("POST", "/debate/webhooks"), &host, json!({"url": url})).await;
        assert_eq!(code, if n < webhooks::WEBHOOKS_MAX { 201 } else { 409 });
    }
}

/// A WAV file of so many samples of silence.
fn wav(rate_hz: u32, samples: usize) -> Vec<u8> {
    let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0".to_vec();
    file.extend([rate_hz.to_le_bytes(), (2 * rate_hz).to_le_bytes()].concat());
    file.extend(b"\x02\0\x10\0data");
    file.extend((2 * samples as u32).to_le_bytes());
    file.resize(file.len() + 2 * samples, 0);
    file
}

async fn put_hold(node: &Node, key: &str, kind: &str, body: Vec<u8>) -> (u16, Value) {
    let request = Request::put("/api/v1/rooms/debate/hold")
        .header("content-type", kind)
        .header("authorization", format!("Bearer {key}"));
    read(node.send(request.body(body.into()).unwrap()).await).await
}

#[tokio::test]
async fn a_hold_sound_is_kept_with_its_room_or_refused_by_name() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::on(data.path()).await;
    let [host, cohost, _] = node.room("debate").await;
    let folder = data.path().join("rooms/debate");
    let good = wav(48_000, 4_800);
    for (kind, body, code, names) in [
        ("application/json", good.clone(), 400, "`Content-Type: audio/wav`"),
        ("audio/wav", b"OggS".to_vec(), 400, "this is not a WAV file"),
        ("audio/wav", wav(44_100, 9), 400, "this has 16 bits at 44100 Hz in 1 channels"),
        ("audio/wav", wav(48_000, 0), 400, "there must be some sound in it, and at most 300 s"),
        ("audio/wav", wav(48_000, 300 * 48_000 + 1), 400, "at most 300 s"),
        ("audio/wav", vec![0; crate::program::HOLD_BYTES_MAX + 1], 413, "at most 30000000 bytes"),
    ] {
        let (status, answer) = put_hold(&node, &host, kind, body).await;
        assert_eq!(status, code, "{names}: {answer}");
        assert!(answer["message"].as_str().unwrap().contains(names), "{answer}");
        assert!(!folder.exists(), "{names}: nothing is kept of it");
    }
    assert_eq!(put_hold(&node, &cohost, "audio/wav", good.clone()).await.0, 204);
    assert_eq!(std::fs::read(folder.join("hold.wav")).unwrap(), good);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing unfinished is left");
    let (_, lines) = node.ask(("GET", "/debate/audit"), OPERATOR, Value::Null).await;
    let told = ["by", "act", "outcome"].map(|field| lines["audit"][0][field].clone());
    assert_eq!(told, ["cohost", "hold", "done"]);
    assert_eq!(node.ask(("DELETE", "/debate/hold"), &host, Value::Null).await.0, 204);
    assert!(!folder.join("hold.wav").exists());
    assert_eq!(node.ask(("DELETE", "/debate/hold"), &host, Value::Null).await.0, 204, "it is as asked");
    assert_eq!(put_hold(&node, OPERATOR, "audio/x-wav", good.clone()).await.0, 204);
    node.ask(("DELETE", "/debate"), OPERATOR, Value::Null).await;
    assert!(!folder.exists(), "it went with its room");
}

#[tokio::test]
async fn a_room_that_is_over_takes_no_hold_sound() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::on(data.path()).await;
    let [host, ..] = node.room("debate").await;
    node.ask(("POST", "/debate/live"), &host, Value::Null).await;
    node.ask(("POST", "/debate/end"), &host, Value::Null).await;
    let (status, answer) = put_hold(&node, &host, "audio/wav", wav(48_000, 9)).await;
    assert_eq!((status, &answer["code"]), (410, &json!("room_ended")));
}

/// Takes one webhook; its body.
fn hear(receiver: &TcpListener) -> Value {
    let (mut stream, _) = receiver.accept().unwrap();
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    assert!(head.contains("tribune-signature: sha256="), "{head}");
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    let mut body = vec![0; length.parse().unwrap()];
    stream.read_exact(&mut body).unwrap();
    stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").unwrap();
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test]
async fn every_route_is_documented_and_every_documented_path_is_served() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::on(data.path()).await;
    let (_, document) = node.ask(("GET", "/api/v1/openapi.json"), "", Value::Null).await;
    let mut documented = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys().filter(|word| *word != "parameters") {
            documented.insert((method.to_ascii_uppercase(), path.clone()));
        }
    }
    let served: BTreeSet<_> =
        ROUTES.iter().map(|route| (route.method.to_string(), route.path.to_owned())).collect();
    assert_eq!(documented, served);
    for (method, path) in &served {
        let path = path.replace("{room}", "nowhere").replace("{id}", "1");
        let (_, answer) = node.ask((method, &path), "", Value::Null).await;
        assert!(
            answer["code"] != "no_such_page" && answer["code"] != "method_wrong",
            "{method} {path}: {answer}"
        );
    }
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
    for (method, path, code) in
        [("GET", "/api/v1/nothing", "no_such_page"), ("DELETE", "/api/v1/rooms", "method_wrong")]
    {
        assert_eq!(node.ask((method, path), "", Value::Null).await.1["code"], code);
    }
}

fn programs(config: &Config, world: World, key: &Arc<SigningKey>) -> Env {
    let metrics = Metrics::new(&config.data);
    Env {
        world,
        metrics,
        audience: tokio::runtime::Handle::current(),
        key: Arc::clone(key),
        hold: HoldSound::built_in(),
        to_stage: crate::program::to_stage().0,
    }
}

/// Whatever stands in a body, the answer is a refusal by its row or what was asked; never a fault of ours.
#[tokio::test]
async fn damaged_bodies_are_taken_or_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::on(folder.path()).await;
    node.room("damaged").await;
    let bodies = [
        ("POST", "", r#"{"title":"A debate","room":"other","starts_at":"2030-11-03T20:00:00Z","cap":5}"#),
        ("PATCH", "/damaged", r#"{"title":"Another","starts_at":"2030-11-03T20:00:00+01:00"}"#),
        ("POST", "/damaged/cap", r#"{"cap":17}"#),
        ("POST", "/damaged/notice", r#"{"text":"The second half begins at nine."}"#),
        ("POST", "/damaged/keys", r#"{"roles":["speaker","cohost"]}"#),
        ("POST", "/damaged/webhooks", r#"{"url":"http://127.0.0.1:9/x"}"#),
        ("POST", "/damaged/invitations", r#"{"role":"speaker","label":"Dr Dee"}"#),
        ("POST", "/damaged/name", r#"{"name":"Dr Dee"}"#),
        ("POST", "/api/v1/session", r#"{"operator":"operator-operator-operator"}"#),
        ("POST", "/api/v1/session", r#"{"room":"damaged","key":"nobody-nobody-nobody-nobody","name":"x"}"#),
    ];
    let mut refused = 0;
    for seed in 1..600 {
        let (method, path, body) = bodies[seed as usize % bodies.len()];
        let request = Request::builder()
            .method(method)
            .uri(if path.starts_with("/api") { path.to_owned() } else { format!("/api/v1/rooms{path}") })
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {OPERATOR}"))
            .body(Body::from(crate::damage(body.as_bytes(), seed)));
        let (status, answer) = read(node.send(request.unwrap()).await).await;
        assert!(status < 500 || status == 503, "{seed}: {status} {answer}");
        if status >= 400 {
            refused += 1;
            assert!(answer["code"].is_string() && answer["message"].is_string(), "{seed}: {answer}");
        }
    }
    assert!(refused > 200, "only {refused} of the damaged bodies were refused");
}
