#![allow(clippy::unwrap_used)]

use tribune_core::door::KeyRing;
use tribune_core::door::capacity::Wish;
use tribune_core::reason::Refusal;
use tribune_core::room::{Facts, Name};

use super::*;
use crate::door::{Begin, Desk, Scribe, Sitting};

const OPEN: Asked = Asked { wish: Wish::None, share: 1, open: Open::Yes };
const GOOD: Seen = Seen { send_late_p99_ms: 5.0, late_parts_share: 0.0, processor_ms: 0.0 };
const BAD: Seen = Seen { send_late_p99_ms: 900.0, late_parts_share: 0.2, processor_ms: 0.0 };

/// What a listener might cost.
pub fn some_costs() -> Costs {
    Costs {
        by: Channel::Clear,
        listeners: 500,
        processor_ms: [0.02; 3],
        process_bytes: 1.0,
        kernel_bytes: 1.0,
        egress_bytes: [1.0; 3],
        packets: [1.0; 3],
        late_processor_ms: 0.02,
        late_egress_bytes: 1.0,
    }
}

fn at(seconds: u64) -> Time {
    Time::from_millis(seconds * 1_000)
}

/// A node that carries so many in full, twice as many by a lower bit rate; segments help nobody.
fn carries(seats: u64) -> Arc<Capacity> {
    let capacity = Capacity::plenty();
    let most = seats as f64 / 0.85;
    let egress =
        Measured { resource: Resource::Egress, capacity: most, idle: 0.0, each: [1.0, 0.5, 1.0], late: 1.0 };
    capacity.measured(&[egress]);
    capacity
}

fn room(folder: &std::path::Path, name: &str) -> Arc<Quota> {
    let world = World::begin();
    Quota::new(Desk::open(Begin {
        world,
        facts: &Facts::new(Name::parse(name).unwrap(), name.to_owned()),
        folder: &folder.join(name),
        scribe: Scribe::start(world).unwrap(),
        keys: KeyRing::new(&[7; 32]),
        now_serving: 0,
        cap: 0,
    }))
}

fn sit(room: &Arc<Quota>, people: usize) -> Vec<Result<Sitting, Refusal>> {
    (0..people).map(|_| room.desk().sit(None)).collect()
}

fn seated(room: &Arc<Quota>, people: usize) -> usize {
    sit(room, people).iter().filter(|sitting| sitting.is_ok()).count()
}

#[test]
fn rooms_share_the_seats_and_lend_what_is_idle() {
    let folder = tempfile::tempdir().unwrap();
    let capacity = carries(12);
    let (one, two) = (room(folder.path(), "one"), room(folder.path(), "two"));
    capacity.ask(&one, OPEN);
    assert_eq!(one.said().seats, 12);
    capacity.ask(&two, Asked { share: 3, ..OPEN });
    assert_eq!((one.said().seats, two.said().seats), (3, 9));
    assert!(
        one.said().why.ends_with("One other room has its share of the node's 12 seats."),
        "{:?}",
        one.said()
    );
    let inside = sit(&one, 5);
    assert_eq!(inside.iter().filter(|sitting| sitting.is_ok()).count(), 3, "no more than its own");
    capacity.look(at(1), GOOD);
    assert_eq!(one.said().seats + two.said().seats, 12);
    capacity.close(&two);
    assert_eq!((one.said().seats, two.desk().sit(None).err()), (12, Some(Refusal::FullForNow)));
    assert_eq!(capacity.people(), 3);
}

#[test]
fn players_of_hls_fill_the_seats_of_their_room() {
    let folder = tempfile::tempdir().unwrap();
    let (capacity, one) = (carries(4), room(folder.path(), "one"));
    capacity.ask(&one, OPEN);
    one.set_hls(3);
    assert_eq!((seated(&one, 3), one.said().seats), (1, 4));
    capacity.look(at(1), GOOD);
    assert_eq!((seated(&one, 3), one.said().seats), (1, 4));
}

#[test]
fn the_host_lowers_freely_and_raises_by_override_only() {
    let folder = tempfile::tempdir().unwrap();
    let (capacity, one) = (carries(10), room(folder.path(), "one"));
    capacity.ask(&one, OPEN);
    for (wish, seats, why) in [
        (Wish::None, 10, "Network: "),
        (Wish::AtMost(4), 4, "Set by the host."),
        (Wish::AtMost(40), 10, "Network: "),
        (Wish::Override(40), 40, "Set by the host, above the 10 that were measured. Network: "),
        (Wish::Override(4), 4, "Set by the host."),
        (Wish::None, 10, "Network: "),
    ] {
        capacity.ask(&one, Asked { wish, ..OPEN });
        for _ in 0..2 {
            let said = one.said();
            assert_eq!((said.seats, said.measured), (seats, Some(10)), "{wish:?}");
            assert!(said.why.starts_with(why), "{wish:?}: {}", said.why);
            assert_eq!(seated(&one, 50), seats as usize);
            capacity.look(at(1), GOOD);
        }
    }
}

#[test]
fn a_cap_below_those_inside_sends_nobody_out_and_lets_nobody_in() {
    let folder = tempfile::tempdir().unwrap();
    let (capacity, one) = (carries(10), room(folder.path(), "one"));
    capacity.ask(&one, OPEN);
    let mut inside = sit(&one, 10);
    capacity.ask(&one, Asked { wish: Wish::AtMost(3), ..OPEN });
    assert_eq!((capacity.people(), one.said().seats), (10, 3));
    inside.truncate(8);
    assert_eq!(seated(&one, 5), 0, "8 are inside, 3 may be");
    inside.truncate(2);
    assert_eq!(seated(&one, 5), 1);
}

#[test]
fn before_the_self_test_it_says_that_nothing_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let one = room(folder.path(), "one");
    let capacity = Capacity::new(at(0), Limits::default(), Descriptors { most: 700, connections_max: 64 });
    capacity.ask(&one, OPEN);
    let said = one.said();
    assert_eq!((said.seats, said.measured), (58, None));
    assert_eq!(said.why, "File descriptors: 1 for each listener; 700 less 642 kept for the rest.");
    let capacity = Capacity::plenty();
    capacity.ask(&one, OPEN);
    assert!(one.said().why.starts_with("The self-test has not measured"), "{:?}", one.said());
    let capacity = Capacity::new(
        at(0),
        Limits { seats_max: Some(5), ..Limits::default() },
        Descriptors { most: 700, connections_max: 64 },
    );
    capacity.ask(&one, OPEN);
    assert_eq!((one.said().seats, one.said().why.as_str()), (5, "The limit configured for this node."));
}

#[tokio::test]
async fn the_ladder_serves_newcomers_otherwise_before_anybody_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (capacity, one) = (carries(10), room(folder.path(), "one"));
    capacity.ask(&one, OPEN);
    let served: Vec<_> = (0..8).map(|_| capacity.serving().serve(capacity.serving().next())).collect();
    let inside = sit(&one, 8);
    for _ in 0..5 {
        one.desk().ticket(None).await.unwrap();
    }
    (0..5).for_each(|second| {
        capacity.look(at(second), GOOD);
    });
    assert_eq!((capacity.ladder().step, capacity.serving().next()), (0, Tier::Full), "not at once");
    let told = capacity.look(at(6), GOOD);
    assert_eq!((told.step, capacity.serving().next()), (1, Tier::LowBitRate));
    assert!(capacity.ladder().why.starts_with("Everybody hears a lower bit rate"), "{:?}", capacity.ladder());
    assert_eq!(one.said().seats, 12, "eight as they were, and four for half the price");
    drop((served, inside));
    assert_eq!(capacity.people(), 0);
}

#[test]
fn a_service_that_is_late_lowers_the_cap_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (capacity, one) = (carries(100), room(folder.path(), "one"));
    capacity.ask(&one, OPEN);
    let inside = sit(&one, 100);
    let told = capacity.look(at(60), BAD);
    assert_eq!((told.seats, told.measured, one.said().measured), (90, Some(100), Some(100)));
    assert!(one.said().why.starts_with("Lowered from 100 by how punctually parts are sent."));
    assert_eq!((capacity.people(), seated(&one, 3)), (100, 0));
    drop(inside);
    assert_eq!(capacity.look(at(120), GOOD).seats, 100);
}

#[test]
fn a_room_of_another_day_holds_no_seats() {
    let folder = tempfile::tempdir().unwrap();
    let capacity = carries(10);
    let (one, two) = (room(folder.path(), "one"), room(folder.path(), "two"));
    capacity.ask(&one, OPEN);
    capacity.ask(&two, Asked { open: Open::NotYet, wish: Wish::AtMost(4), ..OPEN });
    assert_eq!((one.said().seats, two.said().seats), (10, 4), "what there would be is said");
    assert_eq!((seated(&one, 20), seated(&two, 20)), (10, 0));
    capacity.ask(&two, Asked { wish: Wish::AtMost(4), ..OPEN });
    assert_eq!((seated(&one, 20), seated(&two, 20)), (6, 4));
}

#[test]
fn the_delayed_tier_has_what_live_listeners_leave() {
    let capacity = carries(100);
    let looks = |seconds: std::ops::Range<u64>, seen| {
        seconds.fold(0, |_, second| capacity.look(at(second), seen).late_bytes_s)
    };
    let listeners = |bytes_s: u64| (bytes_s as f64 / late::listener_bytes_s()).round();
    assert_eq!(listeners(looks(0..60, GOOD)), 112.0, "95 % of what is there");
    let served: Vec<_> = (0..100).map(|_| capacity.serving().serve(Tier::Full)).collect();
    assert_eq!(listeners(looks(60..61, GOOD)), 12.0, "a full house leaves the reserve, at once");
    assert_eq!(capacity.late().take(at(61), 1_000), Ok(()));
    assert!(served.len() == 100 && capacity.late().begin(at(61)).is_ok());
    let folder = tempfile::tempdir().unwrap();
    let one = room(folder.path(), "one");
    capacity.ask(&one, OPEN);
    let _inside = sit(&one, 100);
    assert_eq!(looks(61..67, BAD), 0, "who hears it live is served too late");
    assert_eq!(capacity.late().take(at(67), 1_000), Err(Refusal::LateFull));
    assert!(looks(67..80, GOOD) > 0);
    let limits = Limits { seats_max: Some(10), ..Limits::default() };
    let capacity = Capacity::new(at(0), limits, Descriptors { most: 1_048_576, connections_max: 1_000_000 });
    let bytes_s = (0..60).fold(0, |_, second| capacity.look(at(second), GOOD).late_bytes_s);
    assert_eq!(listeners(bytes_s), 11.0, "the operator's limit binds it too");
}
