//! Signing in with a browser that keeps its cookie.

use http::HeaderMap;
use http::header::{COOKIE, ORIGIN, SET_COOKIE};
use tribune_core::door::address::Scheme;

use super::*;
use crate::net::Reached;

/// Where the stage is, as the browser sees it.
pub const HERE: &str = "http://127.0.0.1:8081";

/// How a stream ends for whoever is signed out.
const GONE: &[u8] = b"event: gone\ndata: {\"why\":\"signed_out\"}\n\n";

/// A browser that looks at a page of the stage.
pub struct Browser<'a> {
    pub node: &'a Node,
    pub scheme: Scheme,
    pub host: &'static str,
    pub cookie: String,
    pub head: Vec<(&'static str, &'static str)>,
}

/// What came back.
pub struct Came {
    pub status: u16,
    pub head: HeaderMap,
    pub body: Value,
}

impl<'a> Browser<'a> {
    pub fn new(node: &'a Node) -> Self {
        let head = vec![(ORIGIN.as_str(), HERE)];
        Self { node, scheme: Scheme::Http, host: "127.0.0.1:8081", cookie: String::new(), head }
    }

    pub fn request(&self, method: &str, path: &str) -> http::request::Builder {
        let path = if path.starts_with("/api") { path.to_owned() } else { format!("/api/v1{path}") };
        let reached = Reached { scheme: self.scheme, host: Some(self.host.to_owned()) };
        let visitor = self.node.visitors.fetch_add(1, Ordering::Relaxed);
        let mut request = Request::builder().method(method).uri(path).extension(reached);
        request = request.extension(ClientAddr(IpAddr::V4(visitor.into()))).header("user-agent", "Firefox");
        for (name, value) in &self.head {
            request = request.header(*name, *value);
        }
        if self.cookie.is_empty() { request } else { request.header(COOKIE, &self.cookie) }
    }

    pub async fn ask(&mut self, method: &str, path: &str, body: Value) -> Came {
        let body = if body.is_null() { Body::empty() } else { body.to_string().into() };
        let request = self.request(method, path).header("content-type", "application/json");
        let answer = self.node.send(request.body(body).unwrap()).await;
        if let Some(line) = answer.headers().get(SET_COOKIE) {
            self.cookie = line.to_str().unwrap().split(';').next().unwrap().to_owned();
        }
        let head = answer.headers().clone();
        let (status, body) = read(answer).await;
        Came { status, head, body }
    }

    pub async fn sign_in(&mut self, room: &str, key: &str, name: Option<&str>) -> Came {
        let body = match name {
            Some(name) => json!({"room": room, "key": key, "name": name}),
            None => json!({"room": room, "key": key}),
        };
        self.ask("POST", "/session", body).await
    }

    /// The status and the code, if it is a refusal.
    pub async fn code(&mut self, method: &str, path: &str, body: Value) -> (u16, String) {
        let came = self.ask(method, path, body).await;
        (came.status, came.body["code"].as_str().unwrap_or_default().to_owned())
    }
}

pub fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

#[tokio::test]
async fn a_key_is_exchanged_for_a_cookie_that_does_what_the_key_does() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::on(data.path()).await;
    let [host, _, speaker] = node.room("debate").await;
    let mut browser = Browser::new(&node);
    let came = browser.ask("GET", "/session", Value::Null).await;
    assert_eq!((came.status, came.body), (200, json!({"operator": false, "rooms": [], "passkeys": false})));
    assert_eq!(browser.code("POST", "/rooms/debate/notice", json!({"text": "x"})).await.0, 401);
    let came = browser.sign_in("debate", &speaker, Some("Ana")).await;
    let person = came.body["person"].as_str().unwrap().to_owned();
    let expected = json!({"room": "debate", "role": "speaker", "person": person, "name": "Ana"});
    assert_eq!((came.status, &came.body), (201, &expected));
    let line = came.head[SET_COOKIE].to_str().unwrap();
    let (pair, flags) = line.split_once("; ").unwrap();
    assert_eq!(pair.len(), "tribune=".len() + 48, "{line}");
    assert_eq!(flags, "Path=/; Max-Age=2592000; HttpOnly; SameSite=Strict");
    assert_eq!(came.head["cache-control"], "no-store");
    let notice = json!({"text": "Soon"});
    assert_eq!(
        browser.code("POST", "/rooms/debate/notice", notice.clone()).await,
        refused(403, "role_too_low")
    );
    assert_eq!(browser.code("GET", "/rooms/other/keys", Value::Null).await.0, 404);
    // By the host's link they become host, and stay who they are.
    let before = browser.cookie.clone();
    assert_eq!(browser.sign_in("debate", &host, None).await.body["person"], person.as_str());
    assert_ne!(browser.cookie, before);
    assert_eq!(browser.code("POST", "/rooms/debate/notice", notice).await.0, 200);
    let came = browser.ask("POST", "/rooms/debate/name", json!({"name": " Ana María "})).await;
    assert_eq!((came.status, &came.body["name"]), (200, &json!("Ana María")));
    let came = browser.ask("GET", "/session", Value::Null).await;
    assert_eq!(came.body["rooms"][0]["role"], "host");
    assert_eq!(came.body["rooms"][0]["name"], "Ana María");
    let (_, lines) = node.ask(("GET", "/debate/audit"), OPERATOR, Value::Null).await;
    let told = ["by", "act", "outcome", "name", "person"].map(|field| lines["audit"][1][field].clone());
    assert_eq!(told, ["host", "notice", "done", "Ana", &person]);
    // The old secret is worth nothing, and no guess.
    let mut old = Browser { cookie: before, ..Browser::new(&node) };
    for _ in 0..20 {
        assert_eq!(old.code("GET", "/rooms/debate/keys", Value::Null).await, refused(401, "signed_out"));
    }
    assert_eq!(old.code("GET", "/rooms/debate", Value::Null).await.0, 200, "what all may see, they may too");
    let came = browser.ask("DELETE", "/session", Value::Null).await;
    assert_eq!((came.status, browser.cookie.as_str()), (204, "tribune="));
    assert!(came.head[SET_COOKIE].to_str().unwrap().contains("Max-Age=0"));
}

#[tokio::test]
async fn only_a_page_of_ours_changes_anything_by_a_cookie() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::on(data.path()).await;
    let [host, ..] = node.room("debate").await;
    let mut browser = Browser::new(&node);
    browser.sign_in("debate", &host, None).await;
    let notice = json!({"text": "x"});
    let other_port = ("origin", "http://127.0.0.1:8080");
    let fetch = |site| ("sec-fetch-site", site);
    for (head, status) in [
        (vec![("origin", HERE)], 200),
        (vec![fetch("same-origin")], 200),
        (vec![], 403),
        (vec![other_port], 403),
        (vec![("origin", "https://127.0.0.1:8081")], 403),
        (vec![("origin", "null")], 403),
        (vec![("origin", HERE), fetch("same-site")], 403),
        (vec![fetch("none")], 403),
    ] {
        let mut page = Browser { cookie: browser.cookie.clone(), head: head.clone(), ..Browser::new(&node) };
        let (found, code) = page.code("POST", "/rooms/debate/notice", notice.clone()).await;
        assert_eq!(found, status, "{head:?}");
        assert_eq!(code, if status == 200 { "" } else { "origin_wrong" });
        assert_eq!(page.code("GET", "/rooms/debate/keys", Value::Null).await.0, 200, "{head:?}: it reads");
        // A key in the head is no browser's doing.
        page.cookie.clear();
        let request =
            page.request("POST", "/rooms/debate/notice").header("authorization", format!("Bearer {host}"));
        let request =
            request.header("content-type", "application/json").body(notice.to_string().into()).unwrap();
        assert_eq!(node.send(request).await.status(), StatusCode::OK, "{head:?}");
    }
    // Nobody's page signs a visitor in as somebody else, or out; a program may.
    for (head, status) in [(vec![other_port], 403), (vec![fetch("cross-site")], 403), (vec![], 201)] {
        let mut page = Browser { head, ..Browser::new(&node) };
        assert_eq!(page.sign_in("debate", &host, None).await.status, status);
        assert_eq!(
            page.code("DELETE", "/session", Value::Null).await.0,
            if status == 201 { 204 } else { 403 }
        );
    }
}

#[tokio::test]
async fn over_tls_the_cookie_is_for_this_host_and_for_tls_only() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::on(data.path()).await;
    let [host, ..] = node.room("debate").await;
    let secure = || Browser {
        scheme: Scheme::Https,
        head: vec![("origin", "https://127.0.0.1:8081")],
        ..Browser::new(&node)
    };
    let mut browser = secure();
    let came = browser.sign_in("debate", &host, None).await;
    let line = came.head[SET_COOKIE].to_str().unwrap();
    assert!(line.starts_with("__Host-tribune="), "{line}");
    assert!(line.ends_with("; Path=/; Max-Age=2592000; HttpOnly; SameSite=Strict; Secure"), "{line}");
    assert_eq!(browser.code("POST", "/rooms/debate/notice", json!({"text": "x"})).await.0, 200);
    // What came in the clear, anybody on the way can have set.
    let planted = browser.cookie.replace("__Host-", "");
    let mut other = Browser { cookie: planted, ..secure() };
    assert_eq!(other.code("GET", "/rooms/debate/keys", Value::Null).await.0, 401);
    let crumbs = format!("a=b; tribune=x;__Host-tribune ; {}; c", browser.cookie);
    let mut other = Browser { cookie: crumbs, ..secure() };
    assert_eq!(other.code("GET", "/rooms/debate/keys", Value::Null).await.0, 200);
}

#[tokio::test]
async fn wrong_keys_do_not_sign_in_and_shut_no_right_one_out() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::on(data.path()).await;
    let [host, ..] = node.room("debate").await;
    let [other, ..] = node.room("other").await;
    let mut browser = Browser::new(&node);
    for (body, status, code) in [
        (json!({"room": "debate", "key": NOBODY}), 401, "key_wrong"),
        (json!({"room": "debate", "key": other}), 401, "key_wrong"),
        (json!({"room": "debate", "key": "short"}), 401, "key_wrong"),
        (json!({"room": "debate", "key": OPERATOR}), 403, "role_too_low"),
        (json!({"room": "nowhere", "key": host}), 404, "room_unknown"),
        (json!({"operator": host}), 401, "key_wrong"),
        (json!({"room": "debate"}), 400, "malformed"),
        (json!({"room": "debate", "key": host, "operator": OPERATOR}), 400, "malformed"),
        (json!({"room": "debate", "key": host, "name": "\u{202e}"}), 400, "malformed"),
        (json!({}), 400, "malformed"),
    ] {
        assert_eq!(browser.code("POST", "/session", body.clone()).await, refused(status, code), "{body}");
        assert!(browser.cookie.is_empty());
    }
    let from = |key: &str| {
        let body = json!({"room": "debate", "key": key}).to_string();
        let request = Request::post("/api/v1/session").header("content-type", "application/json");
        node.send(request.extension(ClientAddr("192.0.2.9".parse().unwrap())).body(body.into()).unwrap())
    };
    for n in 0..30 {
        let expected = if n < guesses::WRONG_KEYS_MAX { 401 } else { 429 };
        assert_eq!(from(NOBODY).await.status(), expected, "{n}");
    }
    assert_eq!(from(&host).await.status(), 201);
    // One key can flood its own door only.
    let mut last = 201;
    for _ in 0..guesses::SIGN_INS_MAX {
        last = from(&host).await.status().as_u16();
    }
    assert_eq!((last, from(&other).await.status().as_u16()), (429, 429));
    assert_eq!(browser.sign_in("other", &other, None).await.status, 201);
}

#[tokio::test]
async fn an_operator_signs_in_too_and_can_be_host_beside_it() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::on(data.path()).await;
    let [host, ..] = node.room("debate").await;
    let mut browser = Browser::new(&node);
    let came = browser.ask("POST", "/session", json!({"operator": OPERATOR})).await;
    assert_eq!((came.status, came.body), (201, json!({"operator": true})));
    assert_eq!(browser.ask("GET", "/rooms", Value::Null).await.body["rooms"][0]["room"], "debate");
    assert_eq!(browser.ask("GET", "/rooms/debate/keys", Value::Null).await.body["role"], "operator");
    let nameless = browser.code("POST", "/rooms/debate/name", json!({"name": "A"})).await;
    assert_eq!(nameless, refused(403, "role_too_low"));
    browser.sign_in("debate", &host, None).await;
    let came = browser.ask("GET", "/session", Value::Null).await;
    assert_eq!((&came.body["operator"], &came.body["rooms"][0]["name"]), (&json!(true), &json!("Host")));
    assert_eq!(browser.ask("GET", "/rooms/debate/keys", Value::Null).await.body["role"], "host");
    assert_eq!(browser.code("DELETE", "/rooms/debate", Value::Null).await.0, 204, "as operator");
    let came = browser.ask("GET", "/session", Value::Null).await;
    assert_eq!(came.body, json!({"operator": true, "rooms": [], "passkeys": false}));
}

#[tokio::test]
async fn a_rotated_key_signs_out_whoever_came_by_it_but_who_rotates() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::on(data.path()).await;
    let [host, cohost, _] = node.room("debate").await;
    let (mut first, mut second, mut third) = (Browser::new(&node), Browser::new(&node), Browser::new(&node));
    first.sign_in("debate", &host, Some("Ana")).await;
    second.sign_in("debate", &host, Some("Bo")).await;
    third.sign_in("debate", &cohost, Some("Cy")).await;
    let mut streams = Vec::new();
    for request in [
        second.request("GET", "/rooms/debate/events"),
        second.request("GET", "/rooms/debate/events").header("authorization", format!("Bearer {host}")),
    ] {
        streams.push(node.send(request.body(Body::empty()).unwrap()).await.into_body().into_data_stream());
    }
    let came = first.ask("POST", "/rooms/debate/keys", json!({"roles": ["host"]})).await;
    let fresh = came.body["keys"]["host"].as_str().unwrap().to_owned();
    assert_eq!(came.body["enter"]["host"], format!("{HERE}/debate/stage#key={fresh}"));
    for stream in streams {
        let told: Vec<_> = stream.map(|bytes| bytes.unwrap()).collect().await;
        assert!(told.concat().ends_with(GONE), "an open stream ends with it");
    }
    assert_eq!(second.code("GET", "/rooms/debate/keys", Value::Null).await, refused(401, "signed_out"));
    assert_eq!(first.code("GET", "/rooms/debate/keys", Value::Null).await.0, 200);
    assert_eq!(third.code("GET", "/rooms/debate/keys", Value::Null).await.0, 200);
    // By a key, nobody in particular rotates: all are out.
    assert_eq!(node.ask(("POST", "/debate/keys"), &fresh, json!({"roles": ["host"]})).await.0, 200);
    assert_eq!(first.code("GET", "/rooms/debate/keys", Value::Null).await.0, 401);
}

#[tokio::test]
async fn an_invitation_lets_one_guest_in_until_it_is_taken_back() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::on(data.path()).await;
    let [host, cohost, speaker] = node.room("debate").await;
    let path = "/debate/invitations";
    let guest = |role: &str| json!({"role": role, "label": "Dr Dee"});
    for (key, role, status) in [
        (&speaker, "speaker", 403),
        (&cohost, "cohost", 403),
        (&cohost, "host", 400),
        (&host, "listener", 400),
        (&cohost, "speaker", 201),
        (&host, "cohost", 201),
    ] {
        assert_eq!(node.ask(("POST", path), key, guest(role)).await.0, status, "{role}");
    }
    let (_, made) = node.ask(("POST", path), &host, guest("speaker")).await;
    let (id, key) = (made["id"].as_str().unwrap(), made["key"].as_str().unwrap());
    assert_eq!(made["link"], format!("{HERE}/debate/stage#key={key}"));
    let (_, all) = node.ask(("GET", path), &host, Value::Null).await;
    assert_eq!(all.as_array().unwrap().len(), 3);
    assert!(!all.to_string().contains(key), "a link is shown once");
    let (_, theirs) = node.ask(("GET", path), &cohost, Value::Null).await;
    assert_eq!(theirs.as_array().unwrap().len(), 2, "a co-host sees what a co-host may make");
    let mut browser = Browser::new(&node);
    let came = browser.sign_in("debate", key, None).await;
    assert_eq!((&came.body["role"], &came.body["name"]), (&json!("speaker"), &json!("Dr Dee")));
    assert_eq!(node.ask(("GET", "/debate/keys"), key, Value::Null).await.1["role"], "speaker");
    let cohosts = all.as_array().unwrap().iter().find(|made| made["role"] == "cohost").unwrap();
    let cohosts = format!("{path}/{}", cohosts["id"].as_str().unwrap());
    assert_eq!(node.ask(("DELETE", &cohosts), &cohost, Value::Null).await.0, 403);
    assert_eq!(node.ask(("DELETE", &format!("{path}/{id}")), &cohost, Value::Null).await.0, 204);
    assert_eq!(browser.code("GET", "/rooms/debate/keys", Value::Null).await, refused(401, "signed_out"));
    assert_eq!(node.ask(("GET", "/debate/keys"), key, Value::Null).await.0, 401);
    assert_eq!(node.ask(("DELETE", &format!("{path}/{id}")), &host, Value::Null).await.0, 404);
    for n in 2..=invitations::INVITATIONS_MAX {
        let (status, _) = node.ask(("POST", path), &host, json!({"role": "speaker"})).await;
        assert_eq!(status, if n < invitations::INVITATIONS_MAX { 201 } else { 409 }, "{n}");
    }
}

#[tokio::test]
async fn a_host_sees_who_is_signed_in_and_signs_them_out() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::on(data.path()).await;
    let [host, _, speaker] = node.room("debate").await;
    let (mut first, mut second) = (Browser::new(&node), Browser::new(&node));
    first.sign_in("debate", &host, Some("Ana")).await;
    second.sign_in("debate", &speaker, Some("Bo")).await;
    let path = "/rooms/debate/sessions";
    assert_eq!(second.code("GET", path, Value::Null).await, refused(403, "role_too_low"));
    let all = first.ask("GET", path, Value::Null).await.body;
    let all = all.as_array().unwrap();
    let names: BTreeSet<_> =
        all.iter().map(|one| (one["name"].as_str().unwrap(), one["you"] == true)).collect();
    assert_eq!(names, BTreeSet::from([("Ana", true), ("Bo", false)]));
    let bo = all.iter().find(|one| one["name"] == "Bo").unwrap();
    for (field, value) in [("role", "speaker"), ("agent", "Firefox")] {
        assert_eq!(bo[field], value);
    }
    for field in ["since", "seen"] {
        assert!(tribune_core::time::WallTime::parse(bo[field].as_str().unwrap()).is_some());
    }
    let one = format!("{path}/{}", bo["id"].as_str().unwrap());
    let request = second.request("GET", "/rooms/debate/events").body(Body::empty()).unwrap();
    let stream = node.send(request).await.into_body().into_data_stream();
    assert_eq!(first.code("DELETE", &one, Value::Null).await.0, 204);
    assert!(stream.map(|bytes| bytes.unwrap()).collect::<Vec<_>>().await.concat().ends_with(GONE));
    assert_eq!(second.code("GET", "/rooms/debate/keys", Value::Null).await, refused(401, "signed_out"));
    assert_eq!(first.code("DELETE", &one, Value::Null).await, refused(404, "no_such_page"));
}

#[tokio::test]
async fn a_restart_keeps_who_is_signed_in_and_nobody_who_was_signed_out() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::on(data.path()).await;
    let [host, _, speaker] = node.room("debate").await;
    let (_, made) = node.ask(("POST", "/debate/invitations"), &host, json!({"role": "speaker"})).await;
    let mut cookies = Vec::new();
    for key in [&host, &speaker, made["key"].as_str().unwrap()] {
        let mut browser = Browser::new(&node);
        browser.sign_in("debate", key, Some("Ana")).await;
        cookies.push(browser.cookie.clone());
    }
    let mut gone = Browser { cookie: cookies[1].clone(), ..Browser::new(&node) };
    gone.ask("DELETE", "/session", Value::Null).await;
    node.rooms.shut_down().await;
    let again = Node::on(data.path()).await;
    let mut roles = Vec::new();
    for cookie in cookies {
        let mut browser = Browser { cookie, ..Browser::new(&again) };
        roles.push(browser.ask("GET", "/session", Value::Null).await.body["rooms"][0]["role"].clone());
    }
    assert_eq!(roles, [json!("host"), Value::Null, json!("speaker")]);
    assert_eq!(again.ask(("GET", "/debate/keys"), made["key"].as_str().unwrap(), Value::Null).await.0, 200);
}
