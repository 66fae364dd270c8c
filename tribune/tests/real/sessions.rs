//! Signing in, as a browser does it: cookies, whose page asks, and being signed out in the middle.

use std::io::{BufRead, BufReader};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::node::{Node, agent};
use crate::secure::certify;

/// A browser that looks at a page of the stage.
struct Browser<'a> {
    node: &'a Node,
    cookie: String,
    origin: String,
}

/// What came back: status, `Set-Cookie`, body.
struct Came {
    status: u16,
    set_cookie: String,
    body: Value,
}

impl<'a> Browser<'a> {
    fn new(node: &'a Node) -> Self {
        Self { node, cookie: String::new(), origin: node.stage.clone() }
    }

    fn request(&self, method: &str, path: &str) -> ureq::http::request::Builder {
        let url = format!("{}/api/v1{path}", self.node.stage);
        let request = ureq::http::Request::builder().method(method).uri(url).header("origin", &self.origin);
        if self.cookie.is_empty() { request } else { request.header("cookie", &self.cookie) }
    }

    fn ask(&mut self, method: &str, path: &str, body: &Value) -> Came {
        let request = self.request(method, path).header("content-type", "application/json");
        let request = request.body(body.to_string()).expect("a request");
        let mut answer = agent().run(request).expect("the stage answers");
        let set_cookie = answer.headers().get("set-cookie").and_then(|line| line.to_str().ok());
        let set_cookie = set_cookie.unwrap_or_default().to_owned();
        if let Some((cookie, _)) = set_cookie.split_once(';') {
            self.cookie = cookie.to_owned();
        }
        let text = answer.body_mut().read_to_string().unwrap_or_default();
        Came {
            status: answer.status().as_u16(),
            set_cookie,
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
        }
    }

    fn sign_in(&mut self, room: &str, key: &str, name: &str) -> Came {
        self.ask("POST", "/session", &json!({"room": room, "key": key, "name": name}))
    }

    fn code(&mut self, method: &str, path: &str, body: &Value) -> (u16, String) {
        let came = self.ask(method, path, body);
        (came.status, came.body["code"].as_str().unwrap_or_default().to_owned())
    }
}

/// A room's keys of host and speaker.
fn room(node: &Node, name: &str) -> [String; 2] {
    let made = node.api("POST", "/api/v1/rooms", &json!({"room": name, "title": "A debate"}));
    ["host", "speaker"].map(|role| made["keys"][role].as_str().expect("a new room has keys").to_owned())
}

#[test]
fn a_key_becomes_a_cookie_and_only_our_own_page_acts_by_it() {
    let node = Node::start();
    let [host, _] = room(&node, "debate");
    let mut browser = Browser::new(&node);
    let came = browser.sign_in("debate", &host, "Ana");
    assert_eq!((came.status, &came.body["role"], &came.body["name"]), (201, &json!("host"), &json!("Ana")));
    let flags = "; Path=/; Max-Age=2592000; HttpOnly; SameSite=Strict";
    assert!(
        came.set_cookie.starts_with("tribune=") && came.set_cookie.ends_with(flags),
        "{}",
        came.set_cookie
    );
    let notice = json!({"text": "Soon"});
    assert_eq!(browser.ask("POST", "/rooms/debate/notice", &notice).status, 200);
    // The audience's listener is on the same host: cookies do not tell ports apart, the check does.
    for origin in [node.public.as_str(), "https://evil.example", "null"] {
        let mut page =
            Browser { cookie: browser.cookie.clone(), origin: origin.to_owned(), ..Browser::new(&node) };
        let refused = (403, "origin_wrong".to_owned());
        assert_eq!(page.code("POST", "/rooms/debate/notice", &notice), refused, "{origin}");
        assert_eq!(
            page.code("POST", "/session", &json!({"room": "debate", "key": host})),
            refused,
            "{origin}"
        );
    }
    let came = browser.ask("DELETE", "/session", &Value::Null);
    assert!(came.status == 204 && came.set_cookie.contains("Max-Age=0"), "{}", came.set_cookie);
    assert_eq!(browser.ask("POST", "/rooms/debate/notice", &notice).status, 401);
}

#[test]
fn over_tls_the_cookie_is_for_this_host_and_for_tls_only() {
    let folder = tempfile::tempdir().expect("a folder");
    let (cert, key) = certify(folder.path());
    let node = Node::start_with(folder.path(), &["--tls-cert", &cert, "--tls-key", &key]);
    let [host, _] = room(&node, "debate");
    let mut browser = Browser::new(&node);
    let came = browser.sign_in("debate", &host, "Ana");
    let flags = "; Path=/; Max-Age=2592000; HttpOnly; SameSite=Strict; Secure";
    let line = came.set_cookie;
    assert!(line.starts_with("__Host-tribune=") && line.ends_with(flags), "{line}");
    assert_eq!(browser.ask("GET", "/session", &Value::Null).body["rooms"][0]["role"], "host");
    assert_eq!(browser.ask("POST", "/rooms/debate/notice", &json!({"text": "x"})).status, 200);
}

#[test]
fn whoever_is_signed_out_hears_no_more_at_once() {
    let node = Node::start();
    let [host, speaker] = room(&node, "debate");
    let (mut first, mut second) = (Browser::new(&node), Browser::new(&node));
    first.sign_in("debate", &host, "Ana");
    second.sign_in("debate", &speaker, "Bo");
    let request = second.request("GET", "/rooms/debate/events").body(()).expect("a request");
    let stream = agent().run(request).expect("the stage answers").into_body().into_reader();
    let (heard, hearing) = mpsc::channel();
    let listening = std::thread::spawn(move || {
        let mut last = String::new();
        for line in BufReader::new(stream).lines().map_while(Result::ok).filter(|line| !line.is_empty()) {
            let _ = heard.send(());
            last = line;
        }
        (last, Instant::now())
    });
    hearing.recv().expect("the stream begins with the state");
    let all = first.ask("GET", "/rooms/debate/sessions", &Value::Null).body;
    let bo = all.as_array().and_then(|all| all.iter().find(|one| one["name"] == "Bo")).expect("Bo is there");
    let path = format!("/rooms/debate/sessions/{}", bo["id"].as_str().expect("an id"));
    let asked = Instant::now();
    assert_eq!(first.ask("DELETE", &path, &Value::Null).status, 204);
    let (last, ended) = listening.join().expect("the stream ends");
    let took = ended.duration_since(asked);
    assert_eq!(last, r#"data: {"why":"signed_out"}"#, "the last it hears is that it is signed out");
    // At once; what is beyond the fifth of a second that people are promised is the machine under test.
    assert!(took < Duration::from_secs(2), "the stream went on for {took:?}");
    assert_eq!(second.code("GET", "/rooms/debate/keys", &Value::Null), (401, "signed_out".to_owned()));
}

#[test]
fn a_restart_keeps_who_is_signed_in() {
    let data = tempfile::tempdir().expect("a folder");
    let node = Node::start_in(data.path());
    let [host, speaker] = room(&node, "debate");
    let (mut first, mut second) = (Browser::new(&node), Browser::new(&node));
    first.sign_in("debate", &host, "Ana");
    second.sign_in("debate", &speaker, "Bo");
    second.ask("DELETE", "/session", &Value::Null);
    let cookie = first.cookie.clone();
    // As a power switch does it: what was answered is on the disk.
    drop(node.kill());
    let again = Node::start_in(data.path());
    let mut first = Browser { cookie, ..Browser::new(&again) };
    assert_eq!(first.ask("GET", "/session", &Value::Null).body["rooms"][0]["name"], "Ana");
    let all = first.ask("GET", "/rooms/debate/sessions", &Value::Null).body;
    assert_eq!(all.as_array().map(Vec::len), Some(1), "{all}");
}

#[test]
fn a_flood_of_wrong_keys_is_refused_and_the_right_one_works() {
    let node = Node::start();
    let [host, _] = room(&node, "debate");
    let mut codes = Vec::new();
    for n in 0..200 {
        let mut guess = Browser::new(&node);
        codes.push(guess.sign_in("debate", &format!("a-guess-of-somebody-{n:04}"), "x").status);
    }
    assert_eq!((codes[0], codes[199]), (401, 429));
    assert!(codes.iter().all(|code| matches!(code, 401 | 429)), "{codes:?}");
    let mut browser = Browser::new(&node);
    assert_eq!(browser.sign_in("debate", &host, "Ana").status, 201);
    assert_eq!(browser.ask("POST", "/rooms/debate/notice", &json!({"text": "x"})).status, 200);
}
