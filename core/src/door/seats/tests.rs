#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn at(seconds: u64) -> Time {
    Time::from_millis(seconds * 1_000)
}

fn drained(seats: &mut Seats) -> Vec<Output> {
    std::iter::from_fn(|| seats.poll_output()).collect()
}

#[test]
fn a_seat_lapses_after_its_time() {
    let lapsed = |why| Output::Lapsed { serial: 7, connection: None, why };
    let mut seats = Seats::new(1);
    seats.claim(at(0), 0, 7).unwrap();
    seats.pass_to(at(29));
    assert_eq!(drained(&mut seats), []);
    seats.pass_to(at(30));
    assert_eq!((drained(&mut seats), seats.free()), (vec![lapsed(Lapse::Unheard)], 1));

    let pass = seats.claim(at(40), 40, 7).unwrap();
    seats.join(7, pass, Connection(1)).unwrap();
    seats.heard(at(50), 7, pass).unwrap();
    seats.heard(at(100), 7, pass).unwrap();
    seats.hang_up(7, Connection(1));
    seats.pass_to(at(159));
    assert_eq!((seats.check(7, pass), drained(&mut seats)), (Ok(()), vec![]));
    seats.join(7, pass, Connection(2)).unwrap();
    seats.hang_up(7, Connection(2));
    assert_eq!(seats.poll_timeout(), Some(at(160)));
    seats.pass_to(at(160));
    assert_eq!(drained(&mut seats), [lapsed(Lapse::Silent)]);
    assert_eq!((seats.check(7, pass), seats.poll_timeout()), (Err(PassWrong::Lapsed), None));
}

#[test]
fn the_last_device_wins() {
    let mut seats = Seats::new(1);
    let first = seats.claim(at(0), 5, 7).unwrap();
    seats.join(7, first, Connection(1)).unwrap();
    let second = seats.claim(at(0), 5, 7).unwrap();
    assert!(second > first);
    assert_eq!(drained(&mut seats), [Output::Displaced(Connection(1))]);
    assert_eq!(seats.join(7, first, Connection(1)), Err(PassWrong::Displaced));
    assert_eq!(seats.heard(at(1), 7, first), Err(PassWrong::Displaced));
    seats.join(7, second, Connection(2)).unwrap();
    seats.join(7, second, Connection(2)).unwrap();
    assert_eq!((drained(&mut seats), seats.taken()), (vec![], 1));
    seats.join(7, second, Connection(3)).unwrap();
    assert_eq!(drained(&mut seats), [Output::Displaced(Connection(2))]);
    seats.hang_up(7, Connection(2));
    seats.pass_to(at(30));
    let closed = Output::Lapsed { serial: 7, connection: Some(Connection(3)), why: Lapse::Unheard };
    assert_eq!(drained(&mut seats), [closed]);
    assert!(seats.claim(at(31), 36, 7).unwrap() > second, "an old pass never becomes good again");
}

#[test]
fn a_lowered_cap_sends_nobody_out() {
    let mut seats = Seats::new(3);
    for serial in 0..2 {
        seats.claim(at(0), 0, serial).unwrap();
    }
    seats.take(Connection(9)).unwrap();
    seats.set_cap(1);
    assert_eq!((seats.taken(), seats.free()), (3, 0));
    assert_eq!((seats.claim(at(0), 0, 5), seats.take(Connection(8))), (Err(Full), Err(Full)));
    assert!(seats.claim(at(0), 0, 1).is_ok(), "who is inside may change the device");
    assert!(seats.release(Connection(9)) && !seats.release(Connection(9)));
    assert_eq!(seats.claim(at(0), 0, 5), Err(Full));
}

#[derive(Clone, Debug)]
enum Act {
    Claim(u32),
    Resume(u32, u32),
    Take(u64),
    Release(u64),
    Join(u32, u32, u64),
    Heard(u32, u32),
    HangUp(u32, u64),
    Cap(u64),
    Wait(u64),
}

fn act() -> impl Strategy<Value = Act> {
    let (serial, generation, connection) = (0..8_u32, 0..40_u32, 0..6_u64);
    prop_oneof![
        4 => serial.clone().prop_map(Act::Claim),
        1 => (serial.clone(), generation.clone()).prop_map(|(s, g)| Act::Resume(s, g)),
        2 => connection.clone().prop_map(Act::Take),
        1 => connection.clone().prop_map(Act::Release),
        2 => (serial.clone(), generation.clone(), connection.clone())
            .prop_map(|(s, g, c)| Act::Join(s, g, c)),
        2 => (serial.clone(), generation).prop_map(|(s, g)| Act::Heard(s, g)),
        1 => (serial, connection).prop_map(|(s, c)| Act::HangUp(s, c)),
        1 => (0..6_u64).prop_map(Act::Cap),
        2 => (0..40_u64).prop_map(Act::Wait),
    ]
}

proptest! {
    /// Whatever happens in whatever order: seats grow only below the cap, and every seat has one deadline.
    #[test]
    fn never_above_the_cap(acts in prop::collection::vec(act(), 0..120)) {
        let (mut seats, mut now) = (Seats::new(3), 0_u64);
        for act in acts {
            let before = seats.taken();
            match act {
                Act::Claim(serial) => drop(seats.claim(at(now), now as u32, serial)),
                Act::Resume(serial, generation) => drop(seats.resume(at(now), serial, generation)),
                Act::Take(connection) => drop(seats.take(Connection(connection))),
                Act::Release(connection) => drop(seats.release(Connection(connection))),
                Act::Join(serial, generation, it) => drop(seats.join(serial, generation, Connection(it))),
                Act::Heard(serial, generation) => drop(seats.heard(at(now), serial, generation)),
                Act::HangUp(serial, connection) => seats.hang_up(serial, Connection(connection)),
                Act::Cap(cap) => seats.set_cap(cap),
                Act::Wait(seconds) => now += seconds,
            }
            seats.pass_to(at(now));
            prop_assert!(seats.taken() <= before || seats.taken() <= seats.cap());
            prop_assert_eq!(seats.deadlines.len(), seats.claimed.len());
            prop_assert!(seats.poll_timeout().is_none_or(|next| next > at(now)));
        }
    }
}
