#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use tribune_core::room::{Caller, Facts, Key, Name, Notice, Replay, Role, State};
use tribune_core::time::WallTime;

use super::*;

fn facts(name: &str) -> Facts {
    Facts::new(Name::parse(name).unwrap(), "A debate".into())
}

fn keys() -> RoomKeys {
    RoomKeys(Role::KEYED.map(|role| (role, Key::generate([role as u8; 24]).hash())).to_vec())
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
        kept.replay = Replay::Ready;
        kept.notices.extend((0..3).map(|n| Notice { at: WallTime(n), text: format!("notice {n}") }));
        store.put_facts(kept.clone()).await.unwrap();
        store.put_status(kept.name.clone(), Bytes::from_static(b"one")).await.unwrap();
        store.put_status(kept.name.clone(), Bytes::from_static(b"two")).await.unwrap();
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
    assert_eq!(room.status.as_deref(), Some(b"two".as_slice()));
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
        let line = Audit { at: WallTime(3), caller, act: "end", outcome };
        store.audit(name.clone(), line).await.unwrap();
    }
    let words = |caller: &str, outcome: &str| [caller.to_owned(), "end".to_owned(), outcome.to_owned()];
    let lines = store.audit_lines(name, 10).await.unwrap();
    assert_eq!(lines, [(3, words("operator", "room_ended")), (3, words("host", "done"))]);
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
