#![allow(clippy::unwrap_used)]

use tribune_core::room::{Caller, Facts, Key, Name, Notice, PersonId, PersonName, Replay, Role, State};
use tribune_core::status::{self, Status};
use tribune_core::time::WallTime;

use super::*;

fn facts(name: &str) -> Facts {
    Facts::new(Name::parse(name).unwrap(), "A debate".into())
}

fn keys() -> RoomKeys {
    RoomKeys(Role::KEYED.map(|role| (role, Key::generate([role as u8; 24]).hash())).to_vec())
}

fn statuses(room: &str, seqs: std::ops::Range<u64>) -> Statuses {
    let fresh = seqs.map(|seq| Status { seq, bytes: format!("status {seq}").into() }).collect();
    Statuses { room: Name::parse(room).unwrap(), fresh, used: 1_000 }
}

async fn found(store: &Store, room: &str, seq: u64) -> Found {
    store.status(Name::parse(room).unwrap(), seq).await.unwrap()
}

#[tokio::test]
async fn the_newest_statuses_are_kept_and_the_numbers_outlive_the_room() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path()).unwrap();
    let nothing = status::Kept::default();
    assert_eq!(store.create(facts("a"), keys(), 2).await.unwrap(), nothing);
    store.create(facts("b"), keys(), 2).await.unwrap();
    store.put_statuses(statuses("b", 0..3)).await.unwrap();
    store.put_statuses(statuses("a", 0..5)).await.unwrap();
    store.put_statuses(statuses("a", 5..STATUSES_KEPT_MAX + 2)).await.unwrap();
    for (room, seq, expected) in [
        ("a", 1, Found::TooOld),
        ("a", 2, Found::Status("status 2".into())),
        ("a", STATUSES_KEPT_MAX + 1, Found::Status(format!("status {}", STATUSES_KEPT_MAX + 1).into())),
        ("a", STATUSES_KEPT_MAX + 2, Found::Nothing),
        ("b", 0, Found::Status("status 0".into())),
        ("b", u64::MAX, Found::Nothing),
    ] {
        assert_eq!(found(&store, room, seq).await, expected, "{room} {seq}");
    }
    let again = Statuses { fresh: vec![Status { seq: 2, bytes: "other".into() }], ..statuses("b", 0..0) };
    store.put_statuses(again).await.unwrap();
    assert_eq!(found(&store, "b", 2).await, Found::Status("other".into()));
    store.put_used(Name::parse("b").unwrap(), 2).await.unwrap();
    store.remove(Name::parse("b").unwrap()).await.unwrap();
    assert_eq!(found(&store, "b", 0).await, Found::Nothing);
    let namesake = store.create(facts("b"), keys(), 2).await.unwrap();
    assert_eq!(namesake, status::Kept { last: None, used: Some(2) });
}

/// Goal: statuses that wait together are one transaction, and work that waits between them keeps its place.
/// Method: the store's thread is held up while jobs queue; SQLite refuses one status, and with it goes its
/// neighbour and nothing else.
#[tokio::test]
async fn statuses_that_wait_together_are_written_together() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path()).unwrap();
    store.create(facts("a"), keys(), 2).await.unwrap();
    let refuse_one = "CREATE TEMP TRIGGER no BEFORE INSERT ON status_kept WHEN NEW.seq = 1
                      BEGIN SELECT RAISE(ABORT, 'no'); END";
    store.run(move |connection| Ok(connection.execute_batch(refuse_one)?)).await.unwrap();
    let (go, held) = std::sync::mpsc::channel::<()>();
    let holding = store.run(move |_| {
        let _ = held.recv();
        Ok(())
    });
    let put = |seq| store.put_statuses(statuses("a", seq..seq + 1));
    let between = store.put_used(Name::parse("a").unwrap(), 7);
    let release = async { drop(go) };
    let (_, first, second, between, third, ()) =
        tokio::join!(holding, put(0), put(1), between, put(2), release);
    assert!(first.is_err() && second.is_err() && between.is_ok() && third.is_ok());
    let kept = store.run(|connection| statuses::kept(connection, "a")).await.unwrap();
    assert_eq!(kept, status::Kept { last: Some("status 2".into()), used: Some(1_000) });
    assert_eq!(found(&store, "a", 0).await, Found::TooOld);
}

#[tokio::test]
async fn the_last_status_of_an_older_file_is_found() {
    let data = tempfile::tempdir().unwrap();
    let connection = Connection::open(data.path().join(FILE)).unwrap();
    connection.execute_batch(schema::VERSIONS[0]).unwrap();
    connection
        .execute_batch(
            "INSERT INTO room VALUES ('a', 'A', 'boarding', NULL, NULL, NULL, NULL, 'not_yet');
             INSERT INTO status VALUES ('a', CAST('{\"seq\":41}' AS BLOB));
             PRAGMA user_version = 1;",
        )
        .unwrap();
    drop(connection);
    let rooms = Store::open(data.path()).unwrap().rooms().await.unwrap();
    assert_eq!(rooms[0].chain, status::Kept { last: Some("{\"seq\":41}".into()), used: Some(41) });
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let mut kept = facts("debate");
    kept.starts_at = Some(WallTime(-5));
    {
        let store = Store::open(data.path()).unwrap();
        store.create(kept.clone(), keys(), 10).await.unwrap();
        kept.state = State::Ended;
        kept.started_at = Some(WallTime(1));
        kept.ended_at = Some(WallTime(2));
        kept.cap = Some(7);
        (kept.cap_overrides, kept.share) = (true, 3);
        kept.replay = Replay::Ready;
        kept.notices.extend((0..3).map(|n| Notice { at: WallTime(n), text: format!("notice {n}") }));
        store.put_facts(kept.clone()).await.unwrap();
        store.put_statuses(statuses("debate", 0..2)).await.unwrap();
        let secret = "s".to_owned();
        let gone = store.add_webhook(kept.name.clone(), "http://a".into(), secret.clone()).await.unwrap();
        store.add_webhook(kept.name.clone(), "http://b".into(), secret).await.unwrap();
        store.remove_webhook(kept.name.clone(), gone).await.unwrap();
        let rotated = RoomKeys(vec![(Role::Host, Key::generate([99; 24]).hash())]);
        store.put_keys(kept.name.clone(), rotated).await.unwrap();
    }
    let rooms = Store::open(data.path()).unwrap().rooms().await.unwrap();
    let [room] = rooms.as_slice() else { panic!("{rooms:?}") };
    assert_eq!(room.facts, kept);
    assert_eq!(room.chain, status::Kept { last: Some("status 1".into()), used: Some(1_000) });
    assert_eq!(room.webhooks.iter().map(|hook| hook.url.as_str()).collect::<Vec<_>>(), ["http://b"]);
    let of = |role, seed| {
        let key = Key::generate([seed; 24]);
        room.keys.0.iter().any(|(kept, hash)| *kept == role && hash.matches(&key))
    };
    assert!(of(Role::Host, 99) && !of(Role::Host, Role::Host as u8));
    assert!(of(Role::Speaker, Role::Speaker as u8));
    assert_eq!(room.keys.0.len(), 3);
}

#[tokio::test]
async fn a_name_is_taken_once_and_rooms_have_a_limit() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path()).unwrap();
    store.create(facts("a"), keys(), 2).await.unwrap();
    assert!(matches!(store.create(facts("a"), keys(), 2).await, Err(StoreError::NameTaken)));
    store.create(facts("b"), keys(), 2).await.unwrap();
    assert!(matches!(store.create(facts("c"), keys(), 2).await, Err(StoreError::RoomsFull)));
    store.remove(Name::parse("a").unwrap()).await.unwrap();
    store.create(facts("c"), keys(), 2).await.unwrap();
    let names: Vec<_> = store.rooms().await.unwrap().into_iter().map(|kept| kept.facts.name).collect();
    assert_eq!(names.iter().map(Name::as_str).collect::<Vec<_>>(), ["b", "c"]);
}

#[tokio::test]
async fn the_audit_says_who_did_what_even_of_a_room_that_is_gone() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path()).unwrap();
    let name = Name::parse("a").unwrap();
    for (caller, outcome) in [(Caller::Of(Role::Host), "done"), (Caller::Operator, "room_ended")] {
        let person = Some((PersonId::generate([1; 12]), PersonName::parse("Ana").unwrap()));
        let whom = Some(Whom { id: "bo".into(), name: None });
        let line = Audit { at: WallTime(3), caller, person, act: "end", whom, outcome };
        store.audit(name.clone(), line).await.unwrap();
    }
    let lines = store.audit_lines(name, 10).await.unwrap();
    let said: Vec<_> =
        lines.iter().map(|line| [&line.caller, &line.act, &line.outcome].map(String::as_str)).collect();
    assert_eq!(said, [["operator", "end", "room_ended"], ["host", "end", "done"]]);
    assert_eq!((lines[0].at, lines[0].name.as_deref()), (WallTime(3), Some("Ana")));
    assert_eq!(lines[0].person.as_deref(), Some(PersonId::generate([1; 12]).as_str()));
    assert_eq!(lines[0].whom, Some(Whom { id: "bo".into(), name: None }));
}

/// Goal: whoever fills the audit as a guest pushes out no line of those who run the room.
/// Method: the host does one thing; then speakers do more than is kept of them.
#[tokio::test]
async fn guests_push_no_host_out_of_the_audit() {
    let data = tempfile::tempdir().unwrap();
    let store = Store::open(data.path()).unwrap();
    let name = Name::parse("a").unwrap();
    let line =
        |caller, act| Audit { at: WallTime(3), caller, person: None, act, whom: None, outcome: "done" };
    store.audit(name.clone(), line(Caller::Of(Role::Host), "remove")).await.unwrap();
    let many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
                INSERT INTO audit (at, room, caller, act, outcome)
                SELECT i, 'a', 'speaker', 'come', 'done' FROM n";
    store.run(move |connection| Ok(connection.execute_batch(many)?)).await.unwrap();
    for _ in 0..64 {
        store.audit(name.clone(), line(Caller::Of(Role::Listener), "request_floor")).await.unwrap();
    }
    let lines = store.audit_lines(name, 30_000).await.unwrap();
    assert!((5_000..5_070).contains(&lines.len()), "{}", lines.len());
    assert_eq!(lines.last().unwrap().act, "remove");
}

#[tokio::test]
async fn a_later_or_foreign_file_is_refused_by_name() {
    let data = tempfile::tempdir().unwrap();
    drop(Store::open(data.path()).unwrap());
    let connection = Connection::open(data.path().join(FILE)).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    assert!(matches!(Store::open(data.path()), Err(StoreError::TooNew { found: 99, .. })));
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join(FILE), "not a database, and long enough to be looked at".repeat(50))
        .unwrap();
    assert!(matches!(Store::open(other.path()), Err(StoreError::Sqlite(_))));
}
