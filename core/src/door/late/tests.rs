use super::*;

const EACH: Takes = Takes { bytes_s: 8_000.0, segment_bytes: 48_000.0 };

fn at(ms: u64) -> Time {
    Time::from_millis(ms)
}

fn room(listeners: f64) -> Room {
    Room { listeners, binds: Some(Resource::Egress) }
}

/// A budget that has had room for so many for a minute.
fn budget(listeners: f64) -> Budget {
    let mut budget = Budget::new(at(0), EACH);
    for second in 0..60 {
        budget.look(at(second * 1_000), room(listeners));
    }
    budget
}

#[test]
fn who_begins_is_refused_before_who_has_begun() {
    let mut budget = budget(100.0);
    let begin = |budget: &mut Budget| (0..1_000).take_while(|_| budget.begin(at(60_000)).is_ok()).count();
    let begun = begin(&mut budget);
    assert!((20..30).contains(&begun), "{begun}: four seconds of a hundred, three segments each");
    assert_eq!(budget.begin(at(60_000)), Err(Refusal::LateFull));
    // Each of them gets what a player takes when it begins.
    for _ in 0..begun * 3 - 3 {
        assert_eq!(budget.take(at(60_000), 48_000), Ok(()));
    }
    assert!(!budget.has_room(at(60_000)) && budget.has_room(at(70_000)));
}

#[test]
fn as_many_bytes_go_out_as_there_is_room_for() {
    let mut budget = budget(50.0);
    let mut sent = 0;
    for ms in (60_000..160_000).step_by(10) {
        let _ = budget.begin(at(ms));
        if ms % 1_000 == 0 {
            sent += budget.look(at(ms), room(50.0));
        }
        while budget.take(at(ms), 48_000).is_ok() {}
    }
    let allowed = 50.0 * 8_000.0 * 100.0;
    assert!((0.9 * allowed..1.1 * allowed).contains(&(sent as f64)), "{sent} of {allowed}");
}

#[test]
fn a_hundred_who_hear_it_are_never_refused_where_there_is_room_for_a_hundred() {
    let mut budget = budget(100.0);
    for second in 60..300 {
        budget.look(at(second * 1_000), room(100.0));
        // They fetch by sixes, one sixth each second, and one of them all at once every minute.
        for _ in 0..if second % 60 == 0 { 33 } else { 16 } {
            assert_eq!(budget.take(at(second * 1_000), 48_000), Ok(()), "second {second}");
        }
    }
}

#[test]
fn live_listeners_come_first_and_it_comes_back_slowly() {
    let mut budget = budget(100.0);
    assert_eq!(budget.begin(at(60_000)), Ok(()));
    budget.look(at(60_000), room(0.0));
    assert_eq!(budget.take(at(60_000), 48_000), Err(Refusal::LateFull), "at once");
    assert_eq!(budget.begin(at(60_000)), Err(Refusal::LateFull));
    budget.look(at(75_000), room(100.0));
    assert!((budget.bytes_s() - 80_000.0).abs() < 1.0, "a tenth of it after a second");
    let mut less_than_one = self::budget(0.9);
    assert_eq!(less_than_one.begin(at(60_000)), Err(Refusal::LateFull));
    assert_eq!(self::budget(1.0).begin(at(60_000)), Ok(()));
}
