#![allow(clippy::unwrap_used)]

use tribune_core::door::KeyRing;
use tribune_core::mix::{Hears, Levelling, OPEN_INLETS_MAX};
use tribune_core::room::Facts;

use super::*;
use crate::door::{self, Desk};

fn program(dir: &Path) -> Program {
    let world = World::begin();
    let env = Env {
        world,
        metrics: Metrics::new(dir),
        audience: Handle::current(),
        key: Arc::new(crate::keys::node_key(dir, world).unwrap()),
        hold: mix::HoldSound::built_in(),
        to_stage: to_stage().0,
    };
    let room = Name::parse("debate").unwrap();
    let (title, dir) = ("A debate".to_owned(), dir.join("debate"));
    let desk = Desk::open(door::Begin {
        world,
        facts: &Facts::new(room.clone(), title.clone()),
        folder: &dir,
        scribe: door::Scribe::start(world).unwrap(),
        keys: KeyRing::new(&[0; 32]),
        now_serving: 0,
        cap: 0,
    });
    let ears = Ears::default();
    let quota = Quota::new(desk);
    quota.give(1);
    Program::open(&env, Spec { room, title, dir, on_air: OnAir::Hold, quota, ears }).unwrap()
}

fn named(name: &str) -> mix::Spec {
    mix::Spec { name: name.to_owned(), levelling: Levelling::On, backup_for: None }
}

#[tokio::test]
async fn a_sender_that_comes_back_is_heard_though_all_inputs_are_taken() {
    let data = tempfile::tempdir().unwrap();
    let program = program(data.path());
    let mut open = Vec::new();
    for n in 0..OPEN_INLETS_MAX {
        open.push(program.inlet(named(&format!("voice-{n}"))).await.unwrap());
    }
    let other = program.inlet(named("other")).await.map(|_| ());
    assert_eq!(other, Err(Refusal::InputsFull));
    let (again, mut replaced) = program.inlet(named("voice-3")).await.unwrap();
    assert_eq!(open[3].1.try_recv(), Ok(()), "the older is told to go");
    drop(open.remove(3));
    assert!(replaced.try_recv().is_err());
    assert_eq!(program.sources().names(Sort::Source).len(), OPEN_INLETS_MAX, "the name stays the newer's");
    drop(again);
    assert!(!program.sources().names(Sort::Source).contains(&"voice-3".to_owned()));
    program.halt(Halt::Paused).await;
}

#[tokio::test]
async fn the_last_input_is_kept_for_whoever_hosts() {
    let data = tempfile::tempdir().unwrap();
    let program = program(data.path());
    let named_as = |name: String| SpeakerSpec { name, hears: Hears::Nothing };
    let _source = program.inlet(named("main")).await.unwrap();
    let mut open = Vec::new();
    for n in 0..OPEN_INLETS_MAX - 2 {
        open.push(program.speaker(named_as(format!("s{n}")), Role::Speaker).await.unwrap());
    }
    for (name, role, taken) in
        [("one-more", Role::Speaker, false), ("s3", Role::Speaker, true), ("host", Role::Host, true)]
    {
        let answer = program.speaker(named_as(name.to_owned()), role).await;
        assert_eq!(answer.as_ref().err(), (!taken).then_some(&Refusal::InputsFull), "{name}");
        open.extend(answer);
    }
    program.halt(Halt::Paused).await;
}

#[tokio::test]
async fn a_speaker_takes_the_place_of_a_speaker_and_of_no_source() {
    let data = tempfile::tempdir().unwrap();
    let program = program(data.path());
    let anna = || SpeakerSpec { name: "anna".to_owned(), hears: Hears::MixMinus };
    let (_source, mut source_replaced) = program.inlet(named("anna")).await.unwrap();
    let mut older = program.speaker(anna(), Role::Speaker).await.unwrap();
    assert!(!older.is_over());
    let mut newer = program.speaker(anna(), Role::Speaker).await.unwrap();
    assert!(older.is_over(), "the older is told to go");
    assert!(!newer.is_over() && source_replaced.try_recv().is_err());
    program.clone().halt(Halt::Paused).await;
    assert!(newer.is_over(), "with the program");
}
