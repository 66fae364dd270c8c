#![allow(clippy::unwrap_used)]

use std::time::Duration;

use tribune_core::mix::{self, Levelling};
use tribune_core::room::{Answer, Caller, Command, Demand, Hearing, IDLE_S_MAX, Replay};

use super::*;
use crate::door::Scribe;
use crate::keys;
use crate::ops::Metrics;
use crate::program::{Env, spoken};
use crate::recording;

async fn rooms(data: &std::path::Path) -> Rooms {
    let config = Arc::new(Config { data: data.to_owned(), rooms_open_max: 1, ..Config::default() });
    let world = World::begin();
    let key = Arc::new(keys::node_key(data, world).unwrap());
    let (store, webhooks) = (Store::open(data).unwrap(), Webhooks::start(&config));
    let reports = crate::guard::Published::new(data);
    let scribe = Scribe::start(world).unwrap();
    Rooms::open(Setup {
        programs: programs(&config, world, &key),
        config,
        store,
        key,
        ticket_keys: keys::ticket_keys(data, &keys::node_key(data, world).unwrap()).unwrap(),
        webhooks,
        scribe,
        capacity: crate::capacity::Capacity::plenty(),
        watch: crate::guard::Watch::new(world),
        reports,
        world,
    })
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
        assert_eq!(status(&room)["replay"]["redactions"], 0);
        rooms.shut_down().await;
        let (folder, key) = (rooms.folder(room.name()), &rooms.setup().key);
        let said = (seen.facts.ended_at.unwrap(), "a name".into());
        recording::redact(&folder, key, (0.0, 0.1), said).expect("taken out without a status that says so");
        seen
    };
    let rooms = rooms(data.path()).await;
    let room = rooms.get("debate").unwrap();
    assert_eq!(room.view().facts, second.facts);
    assert_eq!(status(&room)["replay"]["redactions"], 1, "what the recording says counts");
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
    for (seq, kept) in [(0, true), (last.status.seq - 129, true), (last.status.seq + 1_000, false)] {
        assert_eq!(rooms.status(&room, seq).await.is_ok(), kept, "{seq}");
    }
    let first = rooms.status(&room, 0).await.unwrap();
    let (name, seq) = (room.name().clone(), last.status.seq);
    rooms.shut_down().await;
    drop((room, rooms));

    let rooms = self::rooms(data.path()).await;
    let room = rooms.get(name.as_str()).unwrap();
    assert_eq!(rooms.status(&room, 0).await, Ok(first), "a restart forgets none");
    assert_eq!(rooms.status(&room, seq).await, Ok(last.status.bytes.clone()));
    assert!(rooms.status(&room, seq + 1).await.is_ok(), "and leaves no number out");
}

#[tokio::test]
async fn a_room_of_a_name_that_was_taken_before_repeats_no_number() {
    let data = tempfile::tempdir().unwrap();
    let rooms = rooms(data.path()).await;
    let first = rooms.create(new("debate")).await.unwrap().room;
    first.command(Caller::Operator, Command::Notice("soon".into())).await.unwrap();
    rooms.remove(&first).await.unwrap();
    // The draw of an empty list may have been told in between.
    let seq = first.view().status.seq;
    let second = rooms.create(new("debate")).await.unwrap().room;
    assert_eq!(second.view().status.seq, seq + 1);
    assert_eq!(rooms.status(&second, seq).await, Err(Refusal::StatusGone));
}

#[tokio::test]
async fn hearing_opens_no_room_of_next_year_and_looking_opens_none() {
    let data = tempfile::tempdir().unwrap();
    let rooms = rooms(data.path()).await;
    let later = New { starts_at: WallTime::parse("2999-01-01T20:00:00.000Z"), ..new("later") };
    let later = rooms.create(later).await.unwrap().room;
    assert_eq!(later.view().hearing, Hearing::Closed);
    assert!(later.demand(Demand::Hear).await.is_none() && later.running().is_none());
    let now = rooms.create(new("now")).await.unwrap().room;
    assert_eq!(now.view().hearing, Hearing::Open);
    assert!(now.running().is_none(), "looking opens nothing");
    assert!(now.view().program.is_none());
    assert!(later.demand(Demand::Send).await.is_some(), "a source with its key always may");
    assert!(later.demand(Demand::Hear).await.is_some(), "and then it is heard");
}

#[tokio::test]
async fn a_program_that_nobody_hears_is_closed_and_opens_again() {
    let data = tempfile::tempdir().unwrap();
    let rooms = rooms(data.path()).await;
    let last = Bytes::from_static(b"{\"seq\":41}");
    let kept = Kept {
        facts: facts_of(Name::parse("debate").unwrap(), &new("debate")),
        keys: RoomKeys::default(),
        chain: tribune_core::status::Kept { last: Some(last.clone()), used: Some(41) },
        webhooks: Vec::new(),
        floor: Vec::new(),
        invitations: Vec::new(),
    };
    let (handle, mut owner, _stage) = owner::make(&rooms.0.node, kept);
    assert_eq!(
        (handle.view().status.seq, &handle.view().status.bytes),
        (41, &last),
        "until there is a new one"
    );
    let (answer, answered) = tokio::sync::oneshot::channel();
    owner.message(handle::Message::Demand { demand: Demand::Hear, answer }).await;
    let program = answered.await.unwrap().unwrap();
    let seat = program.audience().take_seat(None, Metrics::new(data.path()).output("debate", "opus"));
    assert!(owner.is_attended(), "somebody sits there");
    drop(seat);
    assert!(!owner.is_attended());
    handle.demand(Demand::Hear).await;
    assert!(owner.is_attended() && !owner.is_attended(), "somebody has asked since");
    let later = Moment { time: owner.node.now().time + Duration::from_secs(IDLE_S_MAX), ..owner.node.now() };
    owner.room.handle_input(later, tribune_core::room::Input::Timeout);
    owner.drain().await;
    assert!(handle.running().is_none());
    let spec = mix::Spec { name: "main".into(), levelling: Levelling::On, backup_for: None };
    assert_eq!(program.inlet(spec).await.map(|_| ()), Err(Refusal::RoomEnded), "its clock has stopped");
    let (answer, answered) = tokio::sync::oneshot::channel();
    owner.message(handle::Message::Demand { demand: Demand::Hear, answer }).await;
    assert!(answered.await.unwrap().is_some(), "it opens again");
}

#[tokio::test]
async fn going_live_never_waits_for_rooms_on_hold() {
    let data = tempfile::tempdir().unwrap();
    let rooms = rooms(data.path()).await;
    let one = rooms.create(new("one")).await.unwrap().room;
    let two = rooms.create(new("two")).await.unwrap().room;
    assert!(one.demand(Demand::Hear).await.is_some());
    assert!(two.demand(Demand::Hear).await.is_none(), "only one room may play the hold sound here");
    two.command(Caller::Operator, Command::GoLive).await.unwrap();
    assert!(two.view().program.is_some());
    one.command(Caller::Operator, Command::End).await.unwrap();
    assert!(one.demand(Demand::Hear).await.is_none());
}

#[tokio::test]
async fn ending_a_room_in_which_nothing_was_said_is_answered() {
    let data = tempfile::tempdir().unwrap();
    let rooms = rooms(data.path()).await;
    let room = rooms.create(new("debate")).await.unwrap().room;
    assert!(room.demand(Demand::Hear).await.is_some());
    room.command(Caller::Operator, Command::End).await.unwrap();
    assert_eq!(room.settled().await, Replay::Absent);
}

#[tokio::test]
async fn a_node_that_stops_waits_for_the_part_in_flight() {
    let data = tempfile::tempdir().unwrap();
    let rooms = rooms(data.path()).await;
    let room = rooms.create(new("debate")).await.unwrap().room;
    let program = room.demand(Demand::Hear).await.unwrap();
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
    Env {
        world,
        metrics,
        audience: tokio::runtime::Handle::current(),
        key: Arc::clone(key),
        hold: tribune_core::mix::HoldSound::built_in(),
        to_stage: crate::program::to_stage().0,
    }
}
