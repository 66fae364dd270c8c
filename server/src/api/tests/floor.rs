//! What hosts do to people, and what is left of it when those come back.

use tribune_core::room::floor::{By, Coming, Command, Lasting, Reach};
use tribune_core::room::{Caller, PersonId, PersonName, Role};

use super::sign_in::{Browser, refused};
use super::*;
use crate::rooms::floor::Attendance;

/// Has somebody who is signed in come on the stage; they leave it when the answer is dropped.
pub async fn comes(node: &Node, signed_in: &Value) -> Attendance {
    let text = |field: &str| signed_in[field].as_str().unwrap().to_owned();
    let coming = Coming {
        id: PersonId::parse(&text("person")).unwrap(),
        name: PersonName::parse(&text("name")).unwrap(),
        role: Role::from_word(&text("role")).unwrap(),
        lasting: Lasting::Yes,
    };
    let attendance = node.rooms.get("debate").unwrap().floor().come(coming).await.unwrap();
    attendance.reach(Reach::Connected);
    attendance
}

async fn invite(node: &Node, host: &str, role: &str) -> (String, String) {
    let body = json!({"role": role, "label": "Dr Dee"});
    let (status, made) = node.ask(("POST", "/debate/invitations"), host, body).await;
    assert_eq!(status, 201, "{made}");
    ["id", "key"].map(|field| made[field].as_str().unwrap().to_owned()).into()
}

/// The newest lines of the audit: by whom, what, to whom, what came of it.
async fn audit(node: &Node, most: usize) -> Vec<[Value; 4]> {
    let (_, lines) = node.ask(("GET", "/debate/audit"), OPERATOR, Value::Null).await;
    let lines = lines["audit"].as_array().unwrap().iter().take(most);
    lines.map(|line| ["name", "act", "whom_name", "outcome"].map(|field| line[field].clone())).collect()
}

#[tokio::test]
async fn whoever_a_host_made_less_stays_so_by_whatever_link_but_the_hosts() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::on(data.path()).await;
    let [host, ..] = node.room("debate").await;
    let (_, key) = invite(&node, &host, "cohost").await;
    let mut cohost = Browser::new(&node);
    let came = cohost.sign_in("debate", &key, Some("Cy")).await;
    let _here = comes(&node, &came.body).await;
    let notice = json!({"text": "x"});
    assert_eq!(cohost.code("POST", "/rooms/debate/notice", notice.clone()).await.0, 200);
    let less = json!({"person": came.body["person"], "role": "speaker"});
    assert_eq!(node.ask(("POST", "/debate/role"), &host, less).await.0, 200);
    for _ in 0..2 {
        let refusal = cohost.code("POST", "/rooms/debate/notice", notice.clone()).await;
        assert_eq!(refusal, refused(403, "role_too_low"));
        let again = cohost.sign_in("debate", &key, None).await;
        assert_eq!((again.status, &again.body["role"]), (201, &json!("speaker")));
        let session = cohost.ask("GET", "/session", Value::Null).await;
        assert_eq!(session.body["rooms"][0]["role"], "speaker");
    }
    cohost.sign_in("debate", &host, None).await;
    assert_eq!(cohost.code("POST", "/rooms/debate/notice", notice).await.0, 200);
}

#[tokio::test]
async fn whoever_is_sent_away_loses_the_link_that_was_theirs_alone() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::on(data.path()).await;
    let [host, _, speaker] = node.room("debate").await;
    let (own, own_key) = invite(&node, &host, "speaker").await;
    let (shared, shared_key) = invite(&node, &host, "speaker").await;
    let mut other = Browser::new(&node);
    other.sign_in("debate", &shared_key, Some("Bo")).await;
    for (key, still_opens, id, opens_as) in [
        (&own_key, Value::Null, Value::Null, Value::Null),
        (&shared_key, json!("invitation"), json!(shared), Value::Null),
        (&speaker, json!("key"), Value::Null, json!("speaker")),
    ] {
        let mut browser = Browser::new(&node);
        let came = browser.sign_in("debate", key, Some("Eve")).await.body;
        let _here = comes(&node, &came).await;
        let (status, view) =
            node.ask(("POST", "/debate/remove"), &host, json!({"person": came["person"]})).await;
        assert_eq!(status, 200, "{view}");
        assert_eq!([&view["still_opens"], &view["id"], &view["opens_as"]], [&still_opens, &id, &opens_as]);
        assert_eq!(browser.code("GET", "/rooms/debate/stage", Value::Null).await, refused(401, "signed_out"));
        let again = browser.sign_in("debate", key, None).await.status;
        assert_eq!(again, if still_opens.is_null() { 401 } else { 201 }, "{still_opens}");
    }
    assert_eq!(other.code("GET", "/rooms/debate/stage", Value::Null).await.0, 200, "nobody else is out");
    let (_, left) = node.ask(("GET", "/debate/invitations"), &host, Value::Null).await;
    let left: Vec<_> = left.as_array().unwrap().iter().map(|made| made["id"].as_str().unwrap()).collect();
    assert_eq!(left, [shared.as_str()]);
    assert_ne!(own, shared);
    node.rooms.shut_down().await;
    let again = Node::on(data.path()).await;
    assert_eq!(
        again.ask(("GET", "/debate/keys"), &own_key, Value::Null).await.0,
        401,
        "also after a restart"
    );
}

/// Goal: from the moment a host has sent somebody away they do nothing more, whatever the disk does.
/// Method: the floor is asked alone, so that their sign-in is there as it is while the disk is waited for.
#[tokio::test]
async fn whoever_is_sent_away_does_nothing_from_then_on() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::on(data.path()).await;
    let [_, cohost, _] = node.room("debate").await;
    let mut browser = Browser::new(&node);
    let came = browser.sign_in("debate", &cohost, Some("Cy")).await.body;
    let _here = comes(&node, &came).await;
    let id = PersonId::parse(came["person"].as_str().unwrap()).unwrap();
    let by = By { caller: Caller::Operator, person: None };
    node.rooms.get("debate").unwrap().floor().command(by, Command::Remove(id)).await.unwrap();
    for (method, path, body) in [
        ("POST", "/rooms/debate/notice", json!({"text": "x"})),
        ("POST", "/rooms/debate/live", Value::Null),
        ("GET", "/rooms/debate/stage", Value::Null),
    ] {
        assert_eq!(browser.code(method, path, body).await, refused(403, "sent_away"), "{path}");
    }
}

#[tokio::test]
async fn the_last_event_says_why_there_are_no_more() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::on(data.path()).await;
    let [host, _, speaker] = node.room("debate").await;
    for (act, why) in [("/debate/remove", "removed"), ("/debate/keys", "signed_out")] {
        let mut browser = Browser::new(&node);
        let came = browser.sign_in("debate", &speaker, Some("Eve")).await.body;
        let _here = comes(&node, &came).await;
        let request = browser.request("GET", "/rooms/debate/events").body(Body::empty()).unwrap();
        let stream = node.send(request).await.into_body().into_data_stream();
        let body = match act {
            "/debate/remove" => json!({"person": came["person"]}),
            _ => json!({"roles": ["speaker"]}),
        };
        assert_eq!(node.ask(("POST", act), &host, body).await.0, 200);
        let told: Vec<_> = stream.map(|bytes| bytes.unwrap()).collect().await;
        let told = String::from_utf8(told.concat()).unwrap();
        let last = format!("event: gone\ndata: {{\"why\":\"{why}\"}}\n\n");
        assert!(told.ends_with(&last), "{told}");
    }
}

#[tokio::test]
async fn one_sign_in_listens_on_so_many_connections_and_leaves_the_rest() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::on(data.path()).await;
    let [host, _, speaker] = node.room("debate").await;
    let listen = async |key: &str| {
        let request =
            Request::get("/api/v1/rooms/debate/events").header("authorization", format!("Bearer {key}"));
        node.send(request.body(Body::empty()).unwrap()).await
    };
    let mut open = Vec::new();
    for _ in 0..events::SHARE_MAX {
        open.push(listen(&speaker).await);
    }
    assert!(open.iter().all(|answer| answer.status() == StatusCode::OK));
    assert_eq!(read(listen(&speaker).await).await.1["code"], "busy");
    assert_eq!(listen(&host).await.status(), StatusCode::OK);
    open.pop();
    assert_eq!(listen(&speaker).await.status(), StatusCode::OK, "one that ended makes room");
}

#[tokio::test]
async fn the_audit_says_to_whom_and_what_a_refusal_means() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::on(data.path()).await;
    let [host, _, speaker] = node.room("debate").await;
    let (mut ana, mut eve) = (Browser::new(&node), Browser::new(&node));
    ana.sign_in("debate", &host, Some("Ana")).await;
    let came = eve.sign_in("debate", &speaker, Some("Eve")).await.body;
    let here = comes(&node, &came).await;
    let words = |found: Vec<[Value; 4]>| found.into_iter().map(|line| line[1].clone()).collect::<Vec<_>>();
    while !words(audit(&node, 200).await).contains(&json!("come")) {}
    let person = json!({"person": came["person"]});
    let muted = json!({"person": came["person"], "muted": true});
    let invited =
        ana.ask("POST", "/rooms/debate/invitations", json!({"role": "speaker", "label": "Dr Dee"})).await;
    let back = format!("/rooms/debate/invitations/{}", invited.body["id"].as_str().unwrap());
    let sessions = ana.ask("GET", "/rooms/debate/sessions", Value::Null).await.body;
    let seat = sessions.as_array().unwrap().iter().find(|one| one["name"] == "Eve").unwrap();
    let seat = format!("/rooms/debate/sessions/{}", seat["id"].as_str().unwrap());
    let own = json!({"muted": true});
    assert_eq!(eve.code("POST", "/rooms/debate/mute", own).await.0, 200, "is written nowhere");
    assert_eq!(eve.code("POST", "/rooms/debate/remove", person.clone()).await, refused(403, "role_too_low"));
    for (method, path, body, status) in [
        ("DELETE", back.as_str(), Value::Null, 204),
        ("POST", "/rooms/debate/mute", muted, 200),
        ("PATCH", "/rooms/debate", json!({"title": "T", "starts_at": null}), 200),
        ("DELETE", seat.as_str(), Value::Null, 204),
        ("DELETE", "/session", Value::Null, 204),
    ] {
        assert_eq!(ana.code(method, path, body).await.0, status, "{path}");
    }
    let found = audit(&node, 8).await;
    let said: Vec<[&str; 4]> =
        found.iter().map(|line| [0, 1, 2, 3].map(|at| line[at].as_str().unwrap_or("-"))).collect();
    assert_eq!(
        said,
        [
            ["Ana", "sign_out", "-", "done"],
            ["Ana", "sessions", "Eve", "done"],
            ["Ana", "reschedule", "-", "done"],
            ["Ana", "title", "-", "done"],
            ["Ana", "mute", "Eve", "done"],
            ["Ana", "uninvite_speaker", "Dr Dee", "done"],
            ["Eve", "remove", "Eve", "role_too_low"],
            ["Ana", "invite_speaker", "Dr Dee", "done"],
        ]
    );
    let (_, lines) = node.ask(("GET", "/debate/audit"), OPERATOR, Value::Null).await;
    assert_eq!(lines["audit"][6]["whom"], came["person"]);
    let says = tribune_core::reason::Refusal::RoleTooLow.row().says;
    assert_eq!((&lines["audit"][6]["message"], &lines["audit"][0]["message"]), (&json!(says), &Value::Null));
    drop(here);
    node.ask(("POST", "/debate/remove"), &host, person).await;
    while !words(audit(&node, 200).await).contains(&json!("leave")) {}
}

#[tokio::test]
async fn one_sign_in_asks_for_so_many_changes_and_may_always_mute_itself() {
    let data = tempfile::tempdir().unwrap();
    let node = Node::on(data.path()).await;
    let [host, _, speaker] = node.room("debate").await;
    let mute = async |key: &str, muted: bool| {
        let (status, answer) = node.ask(("POST", "/debate/mute"), key, json!({"muted": muted})).await;
        (status, answer["code"].as_str().unwrap_or_default().to_owned())
    };
    for n in 0..guesses::ACTS_MAX {
        assert_eq!(mute(&speaker, false).await, refused(409, "nobody_named"), "{n}");
    }
    assert_eq!(mute(&speaker, false).await, refused(429, "too_often"));
    let (status, _) = node.ask(("POST", "/debate/notice"), &speaker, json!({"text": "x"})).await;
    assert_eq!(status, 429, "whatever they ask for");
    assert_eq!(mute(&speaker, true).await, refused(409, "nobody_named"), "nobody is kept from muting");
    assert_eq!(mute(&host, false).await, refused(409, "nobody_named"), "nobody else is counted");
}
