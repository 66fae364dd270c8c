#![allow(clippy::unwrap_used)]

use super::*;
use crate::door::snapshot::Snapshot;

fn at(seconds: u32) -> Time {
    Time::from_millis(u64::from(seconds) * 1_000)
}

fn opening(closes_before: u32, start: Option<u32>, cap: u64) -> Opening {
    let announced = Announced {
        at: WallTime(i64::from(closes_before) * 1_000),
        closes_before,
        source: Source::Operator,
        commitment: Some([1; 32]),
    };
    Opening { announced, start: start.map(at), cap, claims_per_s_max: 1_000 }
}

fn holder() -> Holder {
    Holder([4; 12])
}

/// A room without a schedule.
fn open(cap: u64) -> Doorkeeper {
    let mut door = Doorkeeper::open(opening(0, None, cap));
    door.hold_draw(b"lot").unwrap();
    door
}

fn tick(door: &mut Doorkeeper, second: u32) {
    door.tick(at(second), second);
    while door.poll_output().is_some() {}
    assert!(door.books().is_balanced());
}

#[test]
fn whoever_comes_to_an_empty_house_is_seated_within_a_second() {
    let mut door = open(2);
    tick(&mut door, 0);
    let ticket = door.issue(0, holder()).unwrap();
    assert_eq!(door.claim(at(0), ticket), Ok(Claim::NotYet(Place::Settling)));
    tick(&mut door, 1);
    let Ok(Claim::Seated { generation, first: First::Yes }) = door.claim(at(1), ticket) else {
        panic!("no seat")
    };
    door.join(at(1), (ticket.serial, generation), Connection(1)).unwrap();
    assert_eq!(door.books().count(Column::Seated), 1);
    let Ok(Claim::Seated { generation: newer, first: First::No }) = door.claim(at(1), ticket) else {
        panic!("no seat")
    };
    assert_eq!(door.poll_output(), Some(Output::Displaced(Connection(1))));
    assert_eq!(door.heard(at(2), (ticket.serial, generation)), Err(PassWrong::Displaced));
    assert_eq!(door.heard(at(2), (ticket.serial, newer)), Ok(()));
    assert_eq!((door.books().arrived(), door.seats().taken()), (1, 1));
}

/// Who was called and never came does not want in for the rest of the evening: seats and the ladder go by it.
#[test]
fn the_absent_want_no_seats() {
    let mut door = open(10);
    let tickets: Vec<_> = (0..40).map(|_| door.issue(0, holder()).unwrap()).collect();
    assert_eq!(door.wanting(), 40);
    for second in 1..60 {
        tick(&mut door, second);
        let _ = door.claim(at(second), tickets[0]);
    }
    assert!(door.now_serving() >= 40, "all were called: {}", door.now_serving());
    (60..600).for_each(|second| tick(&mut door, second));
    assert_eq!((door.wanting(), door.books().count(Column::Waiting)), (0, 40), "a seat never heard lapses");
}

#[test]
fn the_draw_is_held_when_its_list_is_closed() {
    let mut door = Doorkeeper::open(opening(40, Some(100), 2));
    let early: Vec<_> = (0..3).map(|second| door.issue(second, holder()).unwrap()).collect();
    assert_eq!(door.place(at(3), early[0]), Ok(Place::NotDrawn));
    assert_eq!((door.hold_draw(b"early"), door.to_draw()), (Err(NothingToDraw), None));
    assert_eq!(door.come_without_ticket(Connection(1)), Err(Refusal::TakeATicket));
    let late = door.issue(41, holder()).unwrap();
    assert_eq!(door.to_draw().map(|closed| closed.count), Some(3));
    assert_eq!(door.claim(at(41), early[0]), Ok(Claim::NotYet(Place::NotDrawn)));
    door.hold_draw(b"lot").unwrap();
    assert_eq!(door.hold_draw(b"again"), Err(NothingToDraw));
    tick(&mut door, 44);
    assert_eq!(door.now_serving(), 0, "boarding has not begun");
    let mut ranks: Vec<_> = early
        .iter()
        .chain([&late])
        .map(|ticket| match door.place(at(44), *ticket).unwrap() {
            Place::InLine { rank, .. } => rank.0,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ranks.pop(), Some(3), "who came after the draw follows it");
    ranks.sort_unstable();
    assert_eq!(ranks, [0, 1, 2]);
    let Snapshot { draw: Some(draw), tickets: 4, waiting: 4, .. } = door.snapshot() else {
        panic!("four wait")
    };
    assert_eq!(draw.held.map(|held| (held.count, held.lot)), Some((3, b"lot".to_vec())));
}

#[test]
fn a_ticket_that_is_not_on_the_list_takes_nothing() {
    let mut door = open(5);
    let ticket = door.issue(3, holder()).unwrap();
    tick(&mut door, 4);
    for wrong in [Issued { serial: 9, ..ticket }, Issued { second: 2, ..ticket }] {
        assert_eq!(door.claim(at(4), wrong), Err(TicketWrong::NotListed));
    }
    assert_eq!(door.seats().taken(), 0);
}

#[test]
fn one_seat_less_than_people_is_never_one_more() {
    let mut door = open(2);
    let tickets: Vec<_> = (0..3).map(|_| door.issue(0, holder()).unwrap()).collect();
    for second in 1..40 {
        tick(&mut door, second);
        let seated = tickets
            .iter()
            .filter(|ticket| matches!(door.claim(at(second), **ticket), Ok(Claim::Seated { .. })));
        assert!(seated.count() <= 2);
        assert_eq!(door.come_without_ticket(Connection(u64::from(second))), Err(Refusal::TakeATicket));
    }
    assert_eq!((door.seats().taken(), door.books().count(Column::Waiting)), (2, 1));
}

#[test]
fn a_seat_nobody_uses_goes_back_to_the_line() {
    let mut door = open(1);
    tick(&mut door, 0);
    let [first, second] = [door.issue(0, holder()).unwrap(), door.issue(1, holder()).unwrap()];
    tick(&mut door, 2);
    assert!(matches!(door.claim(at(2), first), Ok(Claim::Seated { .. })));
    assert!(matches!(door.claim(at(2), second), Ok(Claim::NotYet(_))));
    tick(&mut door, 32);
    assert_eq!((door.books().count(Column::Waiting), door.seats().free()), (2, 1));
    let Ok(Claim::Seated { generation, .. }) = door.claim(at(33), second) else { panic!("the seat is free") };
    assert_eq!(door.claim(at(33), first), Ok(Claim::Full), "they keep their place");
    door.heard(at(34), (second.serial, generation)).unwrap();
    tick(&mut door, 94);
    assert_eq!(door.books().left(Departure::HungUp), 1);
    assert!(matches!(door.claim(at(95), second), Ok(Claim::Seated { first: First::No, .. })));
    assert_eq!((door.books().left(Departure::HungUp), door.books().arrived()), (0, 2));
}

#[test]
fn without_a_ticket_one_comes_in_when_nobody_waits() {
    let mut door = open(2);
    tick(&mut door, 0);
    assert_eq!(door.come_without_ticket(Connection(1)), Ok(()));
    let ticket = door.issue(0, holder()).unwrap();
    assert_eq!(door.come_without_ticket(Connection(2)), Err(Refusal::TakeATicket));
    tick(&mut door, 1);
    assert_eq!(door.come_without_ticket(Connection(2)), Err(Refusal::TakeATicket), "it is called");
    door.claim(at(1), ticket).unwrap();
    assert_eq!(door.come_without_ticket(Connection(2)), Err(Refusal::FullForNow));
    door.go_without_ticket(Connection(1), Departure::HungUp);
    door.go_without_ticket(Connection(1), Departure::HungUp);
    assert_eq!(door.come_without_ticket(Connection(2)), Ok(()));
    assert_eq!((door.books().arrived(), door.books().left(Departure::HungUp)), (6, 1));
}

#[test]
fn the_end_leaves_nobody_in_between() {
    let mut door = open(2);
    let tickets: Vec<_> = (0..6).map(|_| door.issue(0, holder()).unwrap()).collect();
    (1..20).for_each(|second| tick(&mut door, second));
    let seated =
        tickets.iter().filter(|ticket| matches!(door.claim(at(20), **ticket), Ok(Claim::Seated { .. })));
    assert_eq!(seated.count(), 2);
    let called = door.now_serving().min(6);
    door.end();
    door.end();
    let left = |why| door.books().left(why);
    assert_eq!(left(Departure::RoomEnded), 2);
    assert_eq!(left(Departure::NeverClaimed) + left(Departure::TurnedAway), 4);
    assert!(left(Departure::TurnedAway) >= 6 - called);
    assert_eq!(door.claim(at(21), tickets[0]), Ok(Claim::Ended));
    assert_eq!(door.issue(21, holder()), Err(Refusal::RoomEnded));
    assert_eq!(door.come_without_ticket(Connection(1)), Err(Refusal::RoomEnded));
    assert_eq!(door.poll_timeout(), None);
}

#[test]
fn a_restart_keeps_order_tickets_and_seats() {
    let mut door = open(2);
    tick(&mut door, 0);
    let tickets: Vec<_> = (0..5).map(|second| door.issue(second, holder()).unwrap()).collect();
    tick(&mut door, 5);
    let Ok(Claim::Seated { generation, .. }) = door.claim(at(5), tickets[0]) else { panic!("no seat") };
    let kept = Kept {
        tickets: (0..5).map(|second| (second, holder())).collect(),
        spent: vec![tickets[0].serial, 99],
        now_serving: door.now_serving(),
        lot: Some(b"lot".to_vec()),
    };
    let mut again = Doorkeeper::restored(at(0), 7, opening(0, None, 2), kept);
    for ticket in &tickets {
        let rank = |door: &Doorkeeper| match door.place(at(7), *ticket).unwrap() {
            Place::Called { rank } | Place::InLine { rank, .. } => rank,
            other => panic!("{other:?}"),
        };
        assert_eq!(rank(&again), rank(&door));
    }
    assert_eq!(
        again.join(at(1), (tickets[1].serial, 3), Connection(8)),
        Err(PassWrong::Lapsed),
        "it had none"
    );
    assert_eq!(again.join(at(1), (tickets[0].serial, generation), Connection(7)), Ok(()));
    assert_eq!((again.seats().taken(), again.books().count(Column::Seated)), (1, 1));
    assert_eq!((again.books().arrived(), again.books().count(Column::Waiting)), (5, 4));
    assert!(again.issue(3, holder()).is_ok_and(|issued| issued.serial == 5 && issued.second == 7));
}

/// 1,000,000 people who wait take at most a megabyte, however they came.
#[test]
fn those_who_wait_take_a_bit_each() {
    let mut door = open(1);
    for n in 0..1_000_000_u32 {
        door.issue(n / 140, holder()).unwrap();
    }
    tick(&mut door, 7_200);
    assert!(door.waiting_bytes() < 400_000, "{} bytes", door.waiting_bytes());
}
