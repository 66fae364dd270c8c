#![allow(clippy::unwrap_used)]

use super::*;
use crate::door::capacity::Wish;
use crate::room::{Name, Role};

const HOST: Caller = Caller::Of(Role::Host);
const TEN_MINUTES: Duration = Duration::from_secs(600);
/// The start, on the wall: two hours after the tests begin.
const T0: WallTime = WallTime(1_723_507_200_000);

/// `s` seconds before the start by both clocks; the tests begin two hours before it.
fn before(s: i64) -> Moment {
    let time = Time::from_millis((7_200 - s).unsigned_abs() * 1_000);
    Moment { time, wall: WallTime(T0.0 - s * 1_000) }
}

fn facts(starts_at: Option<WallTime>) -> Facts {
    let mut facts = Facts::new(Name::parse("debate").unwrap(), "A debate".into());
    facts.starts_at = starts_at;
    facts
}

fn room(starts_at: Option<WallTime>) -> Room {
    let mut room = Room::new(before(7_200), facts(starts_at), TEN_MINUTES);
    drain(&mut room);
    room
}

fn drain(room: &mut Room) -> Vec<Output> {
    std::iter::from_fn(|| room.poll_output()).collect()
}

fn ask(room: &mut Room, now: Moment, command: Command) -> Vec<Output> {
    room.handle_input(now, Input::Command { by: HOST, command });
    drain(room)
}

fn done() -> Output {
    Output::Answer(Ok(Answer::Done))
}

fn already() -> Output {
    Output::Answer(Ok(Answer::AlreadySo))
}

/// The reason of the one refusal among the outputs.
fn why_refused(outputs: &[Output]) -> Refusal {
    match outputs {
        [Output::Answer(Err(refused))] => refused.reason,
        other => panic!("not one refusal: {other:?}"),
    }
}

#[test]
fn a_schedule_is_walked_through() {
    let mut room = room(Some(T0));
    assert_eq!(room.facts().state, State::Scheduled);
    let mut now = before(7_200);
    while let Some((at, why)) = room.poll_timeout() {
        if why == Why::Idle {
            break;
        }
        let waited = at.since(now.time).as_millis();
        now = Moment { time: at, wall: WallTime(now.wall.0 + i64::try_from(waited).unwrap()) };
        room.handle_input(now, Input::Timeout);
        assert!(now.wall.0 <= T0.0, "still waiting after the start");
    }
    assert_eq!(room.facts().state, State::Boarding);
    assert_eq!(drain(&mut room), [Output::OpenProgram, Output::Persist]);
}

#[test]
fn the_program_opens_ten_minutes_before_and_the_doors_one() {
    let mut room = room(Some(T0));
    for (s, outputs, state) in [
        (601, vec![], State::Scheduled),
        (600, vec![Output::OpenProgram], State::Scheduled),
        (61, vec![], State::Scheduled),
        (60, vec![Output::Persist], State::Boarding),
        (0, vec![], State::Boarding),
        (-119, vec![], State::Boarding),
        (-3_600, vec![Output::PauseProgram], State::Boarding),
        (-3_610, vec![], State::Boarding),
    ] {
        room.handle_input(before(s), Input::Timeout);
        assert_eq!((drain(&mut room), room.facts().state), (outputs, state), "{s} s before");
    }
}

#[test]
fn deadlines_say_why() {
    let mut room = room(Some(T0));
    for (s, expected) in [
        (7_200, Some((10, Why::ClockCheck))),
        (605, Some((5, Why::OpenProgram))),
        (65, Some((5, Why::Boarding))),
        (30, Some((30, Why::Idle))),
        (0, Some((120, Why::Idle))),
        (-120, None),
    ] {
        room.handle_input(before(s), Input::Timeout);
        let expected = expected.map(|(wait, why)| (before(s).time + Duration::from_secs(wait), why));
        assert_eq!(room.poll_timeout(), expected, "{s} s before");
    }
}

#[test]
fn a_clock_that_jumps_is_noticed() {
    let mut room = room(Some(T0));
    let jumped = Moment { time: before(7_190).time, wall: before(30).wall };
    room.handle_input(jumped, Input::Timeout);
    assert_eq!(room.facts().state, State::Boarding);
    assert_eq!(drain(&mut room), [Output::Persist, Output::OpenProgram]);
    room.handle_input(before(7_000), Input::Timeout);
    assert_eq!(room.facts().state, State::Boarding, "a clock set back closes nothing");
}

#[test]
fn a_room_without_a_schedule_is_open_at_once_and_plays_when_asked() {
    let mut room = room(None);
    assert_eq!((room.facts().state, room.poll_timeout()), (State::Boarding, None));
    assert_eq!(room.hearing(), Hearing::Open);
    room.handle_input(before(10), Input::Demand(Demand::Hear));
    assert_eq!(drain(&mut room), [Output::OpenProgram]);
    room.handle_input(before(9), Input::Demand(Demand::Hear));
    assert_eq!(drain(&mut room), []);
}

/// Goal: nobody without a key makes a room of next year take a core; who has a key may try it at any time.
/// Method: both ask ever nearer to the start, each of a room that nobody has asked before.
#[test]
fn hearing_opens_the_program_only_when_it_is_time() {
    for (s, hears) in [(7_200, vec![]), (601, vec![]), (600, vec![Output::OpenProgram])] {
        for (demand, outputs) in [(Demand::Hear, hears), (Demand::Send, vec![Output::OpenProgram])] {
            let mut room = Room::new(before(7_200), facts(Some(T0)), TEN_MINUTES);
            assert_eq!(room.hearing(), Hearing::Closed);
            room.handle_input(before(s), Input::Demand(demand));
            assert_eq!(drain(&mut room), outputs, "{demand:?} {s} s before");
            let open = if outputs.is_empty() { Hearing::Closed } else { Hearing::Open };
            assert_eq!(room.hearing(), open, "{demand:?} {s} s before");
        }
    }
}

#[test]
fn a_program_without_anybody_closes_and_opens_again() {
    let mut room = room(None);
    room.handle_input(before(1_000), Input::Demand(Demand::Hear));
    room.handle_input(before(950), Input::Attended);
    drain(&mut room);
    let idle_at = before(950).time + Duration::from_secs(IDLE_S_MAX);
    assert_eq!(room.poll_timeout(), Some((idle_at, Why::Idle)));
    for (s, outputs) in [(831, vec![]), (830, vec![Output::PauseProgram]), (829, vec![])] {
        room.handle_input(before(s), Input::Timeout);
        assert_eq!(drain(&mut room), outputs, "{s} s before");
    }
    assert_eq!(room.poll_timeout(), None);
    room.handle_input(before(800), Input::Demand(Demand::Hear));
    assert_eq!(drain(&mut room), [Output::OpenProgram]);
    ask(&mut room, before(790), Command::GoLive);
    room.handle_input(before(0), Input::Timeout);
    assert_eq!((drain(&mut room), room.poll_timeout()), (vec![], None), "what is live stays open");
}

#[test]
fn a_room_found_long_after_its_start_waits_to_be_asked() {
    let mut kept = facts(Some(T0));
    kept.state = State::Boarding;
    let mut room = Room::new(before(-3_600), kept, TEN_MINUTES);
    assert_eq!((drain(&mut room), room.poll_timeout()), (vec![], None));
    room.handle_input(before(-3_700), Input::Demand(Demand::Hear));
    assert_eq!(drain(&mut room), [Output::OpenProgram]);
}

#[test]
fn going_live_and_ending_happen_once() {
    let mut room = room(Some(T0));
    room.handle_input(before(5), Input::Demand(Demand::Hear));
    drain(&mut room);
    assert_eq!(
        ask(&mut room, before(0), Command::GoLive),
        [Output::OnAir, Output::Event(Event::Live), Output::Persist, done()]
    );
    assert_eq!(ask(&mut room, before(-1), Command::GoLive), [already()]);
    assert_eq!(room.facts().started_at, Some(T0));
    assert_eq!(
        ask(&mut room, before(-9), Command::End),
        [Output::CloseProgram, Output::Event(Event::Ended), Output::Persist, done()]
    );
    assert_eq!(ask(&mut room, before(-10), Command::End), [already()]);
    assert_eq!(room.facts().replay, Replay::NotYet);
    room.handle_input(before(-11), Input::ProgramClosed(Replay::Ready));
    assert_eq!(drain(&mut room), [Output::Persist, Output::Event(Event::ReplayReady)]);
    assert_eq!(why_refused(&ask(&mut room, before(-12), Command::GoLive)), Refusal::RoomEnded);
    room.handle_input(before(-13), Input::Demand(Demand::Hear));
    assert_eq!(drain(&mut room), [], "a demand does not wake the dead");
}

#[test]
fn live_at_once_opens_the_program_as_the_conversation() {
    let mut room = room(Some(T0));
    let outputs = ask(&mut room, before(7_000), Command::GoLive);
    assert_eq!(outputs, [Output::OpenProgram, Output::Event(Event::Live), Output::Persist, done()]);
    assert_eq!(room.facts().state, State::Live);
}

#[test]
fn a_room_that_never_ran_ends_without_a_replay() {
    let mut room = room(Some(T0));
    let outputs = ask(&mut room, before(7_000), Command::End);
    assert_eq!(outputs, [Output::Event(Event::Ended), Output::Persist, done()]);
    assert_eq!((room.facts().replay, room.facts().started_at), (Replay::Absent, None));
}

#[test]
fn a_restart_finds_the_room_as_it_was() {
    for (state, replay, outputs) in [
        (State::Scheduled, Replay::NotYet, vec![]),
        (State::Boarding, Replay::NotYet, vec![]),
        (State::Live, Replay::NotYet, vec![Output::OpenProgram]),
        (State::Ended, Replay::NotYet, vec![Output::CloseProgram]),
        (State::Ended, Replay::Ready, vec![]),
        (State::Ended, Replay::Absent, vec![]),
    ] {
        let mut kept = facts(Some(T0));
        (kept.state, kept.replay) = (state, replay);
        let mut room = Room::new(before(3_600), kept, TEN_MINUTES);
        assert_eq!((drain(&mut room), room.facts().state), (outputs, state));
    }
}

#[test]
fn a_new_schedule_moves_a_room_back_or_forth_until_it_is_live() {
    let mut room = room(Some(T0));
    let to = |at| Command::Change(Change { title: None, starts_at: Some(at) });
    let later = WallTime(T0.0 + 3_600_000);
    room.handle_input(before(30), Input::Timeout);
    drain(&mut room);
    for (command, outputs, state) in [
        (to(Some(later)), vec![Output::Persist, done()], State::Scheduled),
        (to(Some(later)), vec![already()], State::Scheduled),
        (to(None), vec![Output::Persist, done()], State::Boarding),
    ] {
        assert_eq!((ask(&mut room, before(20), command), room.facts().state), (outputs, state));
    }
    ask(&mut room, before(10), Command::GoLive);
    assert_eq!(why_refused(&ask(&mut room, before(0), to(Some(later)))), Refusal::WrongState);
    ask(&mut room, before(0), Command::End);
    assert_eq!(why_refused(&ask(&mut room, before(0), to(Some(later)))), Refusal::RoomEnded);
}

#[test]
fn a_change_is_whole_or_nothing() {
    let mut room = room(Some(T0));
    ask(&mut room, before(10), Command::GoLive);
    let both = Change { title: Some("New".into()), starts_at: Some(None) };
    assert_eq!(why_refused(&ask(&mut room, before(0), Command::Change(both))), Refusal::WrongState);
    assert_eq!(room.facts().title, "A debate");
    let title = Change { title: Some("New".into()), starts_at: None };
    assert_eq!(ask(&mut room, before(0), Command::Change(title)), [Output::Persist, done()]);
    assert_eq!(room.facts().title, "New");
}

fn cap(seats: u64) -> Command {
    Command::SetCap { wish: Wish::AtMost(seats), measured: None }
}

#[test]
fn more_than_was_measured_takes_an_override() {
    let mut room = room(None);
    let mut set = |wish, measured| ask(&mut room, before(9), Command::SetCap { wish, measured });
    assert_eq!(why_refused(&set(Wish::AtMost(101), Some(100))), Refusal::CapOverMeasured);
    for (wish, measured) in [
        (Wish::AtMost(100), Some(100)),
        (Wish::AtMost(101), None),
        (Wish::Override(101), Some(100)),
        (Wish::AtMost(0), Some(100)),
        (Wish::None, Some(100)),
    ] {
        assert!(set(wish, measured).contains(&done()), "{wish:?}");
    }
    assert!(set(Wish::Override(7), Some(100)).contains(&done()));
    assert_eq!((room.facts().cap, room.facts().wish()), (Some(7), Wish::Override(7)));
}

#[test]
fn every_command_asks_the_table() {
    let both = Change { title: Some("New".into()), starts_at: Some(None) };
    for (command, lowest) in [
        (Command::GoLive, Role::CoHost),
        (Command::Notice("Soon".into()), Role::CoHost),
        (Command::Change(Change { title: Some("New".into()), starts_at: None }), Role::CoHost),
        (Command::Change(both), Role::Host),
        (cap(5), Role::Host),
        (Command::End, Role::Host),
    ] {
        for role in [Role::Listener, Role::Speaker, Role::CoHost, Role::Host] {
            let mut room = room(Some(T0));
            let kept = room.facts().clone();
            room.handle_input(before(100), Input::Command { by: Caller::Of(role), command: command.clone() });
            let outputs = drain(&mut room);
            if role >= lowest {
                assert!(outputs.contains(&done()), "{role:?} {command:?} {outputs:?}");
            } else {
                assert_eq!(room.facts(), &kept);
                assert!(
                    outputs.iter().any(
                        |output| matches!(output, Output::Answer(Err(no)) if no.reason == Refusal::RoleTooLow)
                    ),
                    "{role:?} {command:?}"
                );
            }
        }
    }
}

#[test]
fn words_have_bounds() {
    let mut room = room(None);
    let long = "é".repeat(NOTICE_CHARS_MAX);
    assert!(ask(&mut room, before(9), Command::Notice(long.clone())).contains(&done()));
    for bad in [String::new(), "  ".into(), "a\nb".into(), "\u{7}".into(), long + "x"] {
        assert_eq!(why_refused(&ask(&mut room, before(8), Command::Notice(bad.clone()))), Refusal::Malformed);
        let title = Change { title: Some(bad), starts_at: None };
        assert_eq!(why_refused(&ask(&mut room, before(8), Command::Change(title))), Refusal::Malformed);
    }
    let over = cap(u64::from(CAP_MAX) + 1);
    assert_eq!(why_refused(&ask(&mut room, before(7), over)), Refusal::Malformed);
}

#[test]
fn the_oldest_notice_makes_room() {
    let mut room = room(None);
    for n in 0..NOTICES_MAX + 3 {
        ask(&mut room, before(9), Command::Notice(format!("notice {n}")));
    }
    assert_eq!(room.facts().notices.len(), NOTICES_MAX);
    assert_eq!(room.facts().notices[0].text, "notice 3");
}

#[test]
fn a_deleted_recording_stays_deleted() {
    let mut kept = facts(None);
    (kept.state, kept.replay) = (State::Ended, Replay::Ready);
    let mut room = Room::new(before(0), kept, TEN_MINUTES);
    room.handle_input(before(0), Input::RecordingDeleted);
    assert_eq!((drain(&mut room), room.facts().replay), (vec![Output::Persist], Replay::Absent));
    room.handle_input(before(0), Input::ProgramClosed(Replay::Ready));
    assert_eq!((drain(&mut room), room.facts().replay), (vec![], Replay::Absent));
}
