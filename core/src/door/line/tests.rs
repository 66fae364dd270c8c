use proptest::prelude::*;

use super::*;

fn at(seconds: u64) -> Time {
    Time::from_millis(seconds * 1_000)
}

fn seen(ranked: u64, cap: u64, taken: u64) -> Seen {
    Seen { ranked: Some(ranked), cap, taken }
}

fn tick(line: &mut Line, second: u64, seen: Seen) -> u64 {
    line.handle_input(at(second), Input::Tick(seen));
    line.now_serving()
}

#[test]
fn an_empty_house_calls_whoever_comes() {
    let mut line = Line::new(1_000);
    assert_eq!(
        tick(&mut line, 0, Seen { ranked: None, cap: 10, taken: 0 }),
        0,
        "nobody is called before the draw"
    );
    assert_eq!(tick(&mut line, 1, seen(0, 10, 0)), 10);
    assert_eq!(line.poll_output(), Some(Output::NowServing(10)));
    assert_eq!(line.poll_output(), None);
    assert_eq!(tick(&mut line, 2, seen(4, 10, 0)), 10, "four are expected, six seats are left");
    assert_eq!(line.owed(), 4);
    line.handle_input(at(3), Input::Claimed { rank: Rank(2) });
    assert_eq!(line.owed(), 3);
    assert_eq!(tick(&mut line, 3, seen(12, 10, 1)), 10, "every seat is taken or called for");
    assert_eq!(line.poll_timeout(), Some(at(4)));
}

#[test]
fn ghosts_are_made_up_for() {
    let mut line = Line::new(1_000);
    assert_eq!(tick(&mut line, 0, seen(1_000, 10, 0)), 10);
    assert_eq!(line.claim_ratio(), None);
    line.handle_input(at(1), Input::Claimed { rank: Rank(0) });
    assert_eq!(tick(&mut line, 14, seen(1_000, 10, 1)), 10, "they may still come");
    // Of ten one came, and two were taken for granted: (1 + 2) / 12, and nine seats.
    let called = tick(&mut line, 15, seen(1_000, 10, 1));
    assert!((44..=46).contains(&called), "{called}");
    assert!(line.claim_ratio().is_some_and(|ratio| ratio < 0.3));
}

#[test]
fn late_comers_come_before_new_ranks() {
    let mut line = Line::new(1_000);
    tick(&mut line, 0, seen(100, 4, 0));
    (0..4).for_each(|rank| line.handle_input(at(1), Input::Claimed { rank: Rank(rank) }));
    assert_eq!(tick(&mut line, 20, seen(100, 4, 4)), 4);
    line.handle_input(at(20), Input::Turned { rank: Rank(3) });
    line.handle_input(at(21), Input::Turned { rank: Rank(3) });
    assert_eq!((line.at_door(), tick(&mut line, 21, seen(100, 4, 3))), (1, 4), "the free seat is theirs");
    line.handle_input(at(22), Input::Claimed { rank: Rank(3) });
    assert_eq!((line.at_door(), tick(&mut line, 22, seen(100, 4, 4))), (0, 4));
    line.handle_input(at(23), Input::Turned { rank: Rank(2) });
    assert_eq!(tick(&mut line, 43, seen(100, 4, 3)), 5, "who does not ask again has gone");
}

#[test]
fn whoever_finds_no_seat_has_come_all_the_same() {
    let mut line = Line::new(1_000);
    tick(&mut line, 0, seen(1_000, 100, 0));
    for rank in 0..50 {
        line.handle_input(at(1), Input::Claimed { rank: Rank(rank) });
        line.handle_input(at(1), Input::Turned { rank: Rank(50 + rank) });
        line.handle_input(at(2), Input::Turned { rank: Rank(50 + rank) });
        line.handle_input(at(3), Input::Claimed { rank: Rank(50 + rank) });
    }
    tick(&mut line, 15, seen(1_000, 100, 100));
    assert!(line.claim_ratio().is_some_and(|ratio| (ratio - 1.0).abs() < 1e-9));
}

#[test]
fn boarding_is_spread_over_the_last_minute() {
    let mut line = Line::new(100_000);
    line.handle_input(at(0), Input::Start(Some(at(100))));
    let mut called = Vec::new();
    for second in 40..=100 {
        let taken = line.now_serving();
        called.push(tick(&mut line, second, seen(100_000, 1_000, taken)));
        (taken..line.now_serving())
            .for_each(|rank| line.handle_input(at(second), Input::Claimed { rank: Rank(rank) }));
    }
    assert_eq!((called[5], called[15], called[55], called[60]), (0, 200, 1_000, 1_000), "{called:?}");
}

#[test]
fn a_burst_is_no_larger_than_the_node_can_connect() {
    let mut line = Line::new(50);
    assert_eq!(tick(&mut line, 0, seen(9_000, 1_000, 0)), 50);
    assert_eq!(tick(&mut line, 1, seen(9_000, 1_000, 50)), 100);
}

#[test]
fn a_restart_waits_for_those_who_were_inside() {
    let mut line = Line::restored(at(0), 1_000, 40);
    assert_eq!(tick(&mut line, 1, seen(100, 10, 0)), 40);
    assert_eq!(tick(&mut line, RESUME_S, seen(100, 10, 7)), 43);
}

proptest! {
    /// Whatever is told to it, the number never goes back, and never runs ahead of the tickets by more than
    /// the free seats.
    #[test]
    fn it_never_goes_back(
        steps in prop::collection::vec((0..4_u8, 0..400_u64, 0..60_u64, 0..80_u64, 0..30_u64), 1..200),
        limit in 1..500_u32,
    ) {
        let (mut line, mut second, mut ranked) = (Line::new(limit), 0, 0);
        for (what, number, cap, taken, wait) in steps {
            let before = line.now_serving();
            second += wait;
            ranked += number / 10;
            match what {
                0 => line.handle_input(at(second), Input::Claimed { rank: Rank(number) }),
                1 => line.handle_input(at(second), Input::Turned { rank: Rank(number) }),
                2 => line.handle_input(at(second), Input::Start((number > 200).then(|| at(number)))),
                _ => line.handle_input(at(second), Input::Tick(seen(ranked, cap, taken))),
            }
            let now = line.now_serving();
            prop_assert!(now >= before);
            let free = cap.saturating_sub(taken);
            prop_assert!(now == before || now <= ranked + free, "{now} of {ranked}, {free} free");
            let said: Vec<_> = std::iter::from_fn(|| line.poll_output()).collect();
            prop_assert_eq!(said.len(), usize::from(now > before));
        }
    }
}
