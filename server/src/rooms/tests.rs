#![allow(clippy::unwrap_used)]

use tribune_core::mix::{self, Levelling};
use tribune_core::room::{Answer, Caller, Command, Replay};

use super::*;
use crate::keys;
use crate::ops::Metrics;
use crate::program::{Env, spoken};

async fn rooms(data: &std::path::Path) -> Rooms {
    let config = Arc::new(Config { data: data.to_owned(), rooms_open_max: 1, ..Config::default() });
    let world = World::begin();
    let key = Arc::new(keys::node_key(data, world).unwrap());
    let (store, webhooks) = (Store::open(data).unwrap(), Webhooks::start(&config));
    Rooms::open(Setup { programs: programs(&config, world, &key), config, store, key, webhooks, world })
        .await
        .unwrap()
}

fn new(name: &str) -> New {
    New { name: Some(Name::parse(name).unwrap()), title: "A debate".into(), ..New::default() }
}

fn status(room: &Handle) -> serde_json::Value {
    serde_json::from_slice(&room.view().status.bytes).unwrap()
}

#[tokio::test]
async fn an_evening_survives_restarts() {
    let data = tempfile::tempdir().unwrap();
    let (first, key) = {
        let rooms = rooms(data.path()).await;
        let made = rooms.create(new("debate")).await.unwrap();
        assert_eq!(made.room.command(Caller::Operator, Command::GoLive).await, Ok(Answer::Done));
        let seen = made.room.view();
        rooms.shut_down().await;
        (seen, made.keys[0].1.clone())
    };
    assert_eq!(first.facts.state, State::Live);
    let second = {
        let rooms = rooms(data.path()).await;
        let room = rooms.get("debate").unwrap();
        let seen = room.view();
        assert_eq!(seen.facts, first.facts);
        assert!(seen.program.is_some(), "the program of a live room goes on by itself");
        assert_eq!(room.role_of(&key), Some(Role::Host));
        assert!(status(&room)["seq"].as_u64() > Some(first.status.seq));
        spoken::something(seen.program.as_ref().unwrap()).await;
        assert_eq!(room.command(Caller::Of(Role::Host), Command::End).await, Ok(Answer::Done));
        assert_eq!(room.settled().await, Replay::Ready);
        let seen = room.view();
        assert_eq!(status(&room)["replay"]["opus"], "http://127.0.0.1:8080/debate/replay.opus");
        rooms.shut_down().await;
        seen
    };
    let rooms = rooms(data.path()).await;
    assert_eq!(rooms.get("debate").unwrap().view().facts, second.facts);
}

#[tokio::test]
async fn statuses_are_a_chain_that_can_be_had_by_number() {
    let data = tempfile::tempdir().unwrap();
    let rooms = rooms(data.path()).await;
    let room = rooms.create(new("debate")).await.unwrap().room;
    for n in 0..200 {
        room.command(Caller::Operator, Command::Notice(format!("notice {n}"))).await.unwrap();
    }
    let last = room.view();
    assert_eq!(last.earlier.len(), handle::STATUSES_KEPT);
    assert_eq!(room.status_at(last.status.seq), Some(last.status.bytes.clone()));
    assert!(room.status_at(last.status.seq - 128).is_some());
    assert!(room.status_at(last.status.seq - 129).is_none() && room.status_at(last.status.seq + 1).is_none());
}

#[tokio::test]
async fn going_live_never_waits_for_rooms_on_hold() {
    let data = tempfile::tempdir().unwrap();
    let rooms = rooms(data.path()).await;
    let one = rooms.create(new("one")).await.unwrap().room;
    let two = rooms.create(new("two")).await.unwrap().room;
    assert!(one.demand().await.is_some());
    assert!(two.demand().await.is_none(), "only one room may play the hold sound here");
    two.command(Caller::Operator, Command::GoLive).await.unwrap();
    assert!(two.view().program.is_some());
    one.command(Caller::Operator, Command::End).await.unwrap();
    assert!(one.demand().await.is_none());
}

#[tokio::test]
async fn ending_a_room_in_which_nothing_was_said_is_answered() {
    let data = tempfile::tempdir().unwrap();
    let rooms = rooms(data.path()).await;
    let room = rooms.create(new("debate")).await.unwrap().room;
    assert!(room.demand().await.is_some());
    room.command(Caller::Operator, Command::End).await.unwrap();
    assert_eq!(room.settled().await, Replay::Absent);
}

#[tokio::test]
async fn a_node_that_stops_waits_for_the_part_in_flight() {
    let data = tempfile::tempdir().unwrap();
    let rooms = rooms(data.path()).await;
    let room = rooms.create(new("debate")).await.unwrap().room;
    let program = room.demand().await.unwrap();
    rooms.shut_down().await;
    let spec = mix::Spec { name: "main".into(), levelling: Levelling::On, backup_for: None };
    assert_eq!(program.inlet(spec).await.map(|_| ()), Err(Refusal::RoomEnded), "its clock has stopped");
}

#[tokio::test]
async fn a_room_is_removed_only_when_it_is_not_live() {
    let data = tempfile::tempdir().unwrap();
    let rooms = rooms(data.path()).await;
    let room = rooms.create(new("debate")).await.unwrap().room;
    room.command(Caller::Operator, Command::GoLive).await.unwrap();
    assert_eq!(rooms.remove(&room).await.unwrap_err().reason, Refusal::WrongState);
    room.command(Caller::Operator, Command::End).await.unwrap();
    room.settled().await;
    assert!(rooms.folder(room.name()).exists());
    rooms.remove(&room).await.unwrap();
    assert!(!rooms.folder(room.name()).exists() && rooms.get("debate").is_none());
    rooms.create(new("debate")).await.unwrap();
}

#[tokio::test]
async fn a_name_is_drawn_when_none_is_asked_for() {
    let data = tempfile::tempdir().unwrap();
    let rooms = rooms(data.path()).await;
    let drawn = rooms.create(New { name: None, ..new("x") }).await.unwrap().room;
    assert!(rooms.get(drawn.name().as_str()).is_some());
    rooms.create(new("taken")).await.unwrap();
    assert_eq!(rooms.create(new("taken")).await.map(|_| ()).unwrap_err().reason, Refusal::NameTaken);
    let untitled = New { title: "\n".into(), ..new("x") };
    assert_eq!(rooms.create(untitled).await.map(|_| ()).unwrap_err().reason, Refusal::Malformed);
}

fn programs(config: &Config, world: World, key: &Arc<SigningKey>) -> Env {
    let metrics = Metrics::new(&config.data);
    Env { world, metrics, audience: tokio::runtime::Handle::current(), key: Arc::clone(key), hold: None }
}
