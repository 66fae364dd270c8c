use super::*;

fn at(seconds: u64) -> Time {
    Time::from_millis(seconds * 1_000)
}

fn seen(now_serving: u64) -> Seen {
    Seen {
        now_serving,
        ranked: 1_000_000,
        claim_share: 0.5,
        room_left: 0.0,
        free: 0,
        cap: 1_000,
        boarded_at: None,
    }
}

fn steady(seconds: u64, per_s: u64) -> Eta {
    let mut eta = Eta::default();
    (0..=seconds).for_each(|second| eta.tick(at(second), seen(second * per_s)));
    eta
}

#[test]
fn nothing_is_said_before_anything_is_known() {
    let eta = steady(20, 10);
    assert_eq!((eta.range(at(20), Rank(5_000)), eta.rate(), eta.hit_rate()), (None, None, None));
    assert_eq!(Eta::default().range(at(0), Rank(0)), None);
}

#[test]
fn the_range_holds_the_time_it_takes() {
    let eta = steady(600, 10);
    for (ahead, takes_s) in [(9, 1), (600, 60), (6_000, 600), (30_000, 3_000)] {
        let range = eta.range(at(600), Rank(6_000 + ahead)).expect("the line moves");
        assert!((range.low_s..=range.high_s).contains(&takes_s), "{ahead}: {range:?}");
        assert!(range.high_s <= takes_s * 3 + 20, "{ahead}: {range:?} is no use to anybody");
    }
    assert_eq!(
        eta.range(at(600), Rank(60_000)),
        None,
        "an hour and a half is more than ten minutes can tell"
    );
    assert_eq!(eta.range(at(600), Rank(5_999)), Some(Range { low_s: 0, high_s: 12 }));
    let rate = eta.rate().expect("the line moves");
    assert!(rate.p20 < rate.p50 && rate.p50 < rate.p80, "{rate:?}");
    assert!((rate.p50 - 5.0).abs() < 0.1, "ten tickets a second are five people: {rate:?}");
    assert!(eta.hit_rate().is_some_and(|rate| rate > 0.9));
}

#[test]
fn free_seats_are_no_rate() {
    let mut eta = steady(300, 10);
    let before = eta.rate();
    for second in 301..330 {
        eta.tick(at(second), Seen { room_left: 500.0, free: 500, ..seen(3_000 + (second - 300) * 400) });
    }
    assert_eq!(eta.rate(), before);
    let now = Seen { room_left: 500.0, free: 500, ..seen(15_000) };
    eta.tick(at(330), now);
    let near = eta.range(at(330), Rank(15_400)).expect("a free seat waits for them");
    assert!(near.high_s <= 30, "{near:?}");
    let far = eta.range(at(330), Rank(22_000)).expect("the rate from before");
    assert!((far.low_s..=far.high_s).contains(&600), "{far:?}");
}

#[test]
fn who_boards_is_told_when() {
    let mut eta = Eta::default();
    eta.tick(at(0), Seen { room_left: 1_000.0, free: 1_000, boarded_at: Some(at(50)), ..seen(0) });
    let range = eta.range(at(0), Rank(1_000)).expect("a seat waits for them");
    assert!(range.low_s <= 25 && range.high_s >= 25 && range.high_s <= 60, "{range:?}");
    assert_eq!(eta.range(at(0), Rank(5_000)), None, "how long people stay is not known yet");
}

/// Goal: when the line behaves otherwise than the reckoning thinks, the ranges learn it.
/// Method: a line whose rate grows by a third every ten minutes, because more and more tickets are given up.
#[test]
fn ranges_learn_from_the_line() {
    let (mut eta, mut served) = (Eta::default(), 0.0);
    for second in 0..7_200 {
        served += 5.0 * (second as f64 / 2_000.0).exp();
        eta.tick(at(second), seen(served as u64));
    }
    assert!(eta.hit_rate().is_some_and(|rate| rate > 0.75), "{:?}", eta.hit_rate());
}
