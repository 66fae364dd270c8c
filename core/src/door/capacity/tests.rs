use proptest::prelude::*;

use super::*;

fn cost(resource: Resource, capacity: f64, idle: f64, each: f64) -> Cost {
    Cost { resource, capacity, idle, each }
}

fn auto(seats: u64) -> Auto {
    Auto { seats, binds: Some(Resource::Processor), why: "Processor.".into() }
}

fn at(seconds: u64) -> Time {
    Time::from_millis(seconds * 1_000)
}

#[test]
fn the_scarcest_resource_binds_and_says_so() {
    let processor = cost(Resource::Processor, 2_000.0, 100.0, 0.02);
    let memory = cost(Resource::Memory, 4e9, 1e9, 20_000.0);
    let egress = cost(Resource::Egress, 125e6, 0.0, 10_000.0);
    let packets = cost(Resource::Packets, 400_000.0, 0.0, 6.0);
    let descriptors = cost(Resource::Descriptors, 20_000.0, 40.0, 1.0);
    for (costs, seats, why) in [
        (&[processor][..], 85_000, "Processor: 0.020 ms a second for each listener; 90 % of 2 cores."),
        (
            &[processor, memory, packets],
            56_666,
            "Packets: 6.0 a second for each listener; 85 % of 400000 a second.",
        ),
        (&[memory], 130_000, "Memory: 20.0 kB for each listener; 90 % of 4000 MB."),
        (&[egress, processor], 10_625, "Network: 80.0 kbit/s for each listener; 85 % of 1000 Mbit/s."),
        (
            &[descriptors, processor],
            19_448,
            "File descriptors: 1 for each listener; 20000 less 552 kept for the rest.",
        ),
        (&[], 0, "Nothing was measured."),
        (
            &[cost(Resource::Processor, 10.0, 50.0, 1.0)],
            0,
            "Processor: 1.000 ms a second for each listener; 90 % of 0.01 cores.",
        ),
    ] {
        let auto = from_costs(costs);
        assert_eq!((auto.seats, auto.why.as_str()), (seats, why));
    }
}

#[test]
fn only_an_override_goes_above_what_was_measured() {
    for (wish, seats, why) in [
        (Wish::None, 100, "Processor."),
        (Wish::AtMost(40), 40, "Set by the host."),
        (Wish::AtMost(400), 100, "Processor."),
        (Wish::Override(40), 40, "Set by the host."),
        (Wish::Override(400), 400, "Set by the host, above the 100 that were measured. Processor."),
    ] {
        let said = CapSaid { seats, why: why.into(), measured: Some(90) };
        assert_eq!(with_wish(&auto(100), wish, Some(90)), said);
    }
}

const WELL: Service = Service { send_late_p99_ms: 10.0, late_parts_share: 0.0, taken: 1_000, waiting: 5 };
const LATE: Service = Service { send_late_p99_ms: 350.0, ..WELL };

#[test]
fn the_cap_follows_quality() {
    let lost = Service { late_parts_share: 0.01, ..WELL };
    for (service, seats) in [
        (WELL, 1_020),
        (Service { waiting: 0, ..WELL }, 1_000),
        (Service { taken: 400, ..WELL }, 1_000),
        (LATE, 900),
        (lost, 900),
        (Service { taken: 800, ..LATE }, 720),
        (Service { taken: 3, ..LATE }, 100),
    ] {
        let mut live = Live::new(at(0));
        live.look(at(4), 1_000, service);
        assert_eq!(live.auto(&auto(1_000)), auto(1_000), "it is not time to look");
        live.look(at(5), 1_000, service);
        assert_eq!(live.auto(&auto(1_000)).seats, seats, "{service:?}");
    }
}

#[test]
fn the_operator_may_say_less() {
    let unmeasured = Auto::unmeasured();
    for (most, seats, why) in [
        (None, SEATS_UNMEASURED, unmeasured.why.as_str()),
        (Some(5_000), SEATS_UNMEASURED, unmeasured.why.as_str()),
        (Some(5), 5, "Said."),
    ] {
        let auto = unmeasured.clone().at_most(most, "Said.");
        assert_eq!((auto.seats, auto.why.as_str()), (seats, why));
    }
}

#[test]
fn the_cap_comes_back_by_itself() {
    let (mut live, measured) = (Live::new(at(0)), auto(1_000));
    let seats = |live: &Live| live.auto(&measured).seats;
    (1..200).for_each(|n| live.look(at(5 * n), 1_000, Service { taken: 2_000, ..WELL }));
    assert_eq!(seats(&live), 1_500, "beyond that a new measurement is needed");
    assert!(live.auto(&measured).why.starts_with("Raised from 1000"));
    let processor = self::measured(Resource::Processor, 2_000.0, [1.0; TIERS]);
    let memory = self::measured(Resource::Memory, 2_400.0, [1.0; TIERS]);
    for (costs, seats, word) in [
        (&[processor][..], 2_700, "Raised from 1800"),
        (&[processor, memory], 2_160, "Memory: "),
        (&[memory], 1_500, "Raised from 1000"),
        (&[], 1_500, "Raised from 1000"),
    ] {
        let cap = live.cap(costs, [0; TIERS], Tier::Full);
        assert_eq!(cap.seats, seats, "memory that is not there is not there");
        assert!(cap.why.starts_with(word), "{cap:?}");
    }
    (200..240).for_each(|n| live.look(at(5 * n), 1_000, Service { taken: seats(&live), ..LATE }));
    assert!(live.auto(&measured).why.starts_with("Lowered from 1000"));
    assert_eq!(seats(&live), 100, "however long it lasts");
    (240..300).for_each(|n| live.look(at(5 * n), 1_000, Service { taken: seats(&live), ..WELL }));
    assert!(seats(&live) >= 1_000, "it comes back by itself: {}", seats(&live));
    live.look(at(1_500), 1_000, LATE);
    live.look(at(1_505), 1_000, Service { taken: 0, ..WELL });
    assert!(seats(&live) >= 1_000, "an empty house begins anew");
}

fn measured(resource: Resource, capacity: f64, each: [f64; TIERS]) -> Measured {
    Measured { resource, capacity, idle: 0.0, each, late: each[0] / 2.0 }
}

#[test]
fn those_inside_are_served_as_they_were() {
    let egress = measured(Resource::Egress, 1_000.0, [1.0, 0.5, 1.0]);
    let processor = measured(Resource::Processor, 2_400.0, [1.0, 1.0, 0.25]);
    for (inside, tier, seats) in [
        ([0, 0, 0], Tier::Full, 850),
        ([850, 0, 0], Tier::Full, 850),
        ([850, 0, 0], Tier::LowBitRate, 850),
        ([600, 0, 0], Tier::LowBitRate, 1_100),
        ([0, 0, 0], Tier::LowBitRate, 1_700),
        ([500, 500, 0], Tier::Full, 1_100),
        ([0, 0, 0], Tier::Segments, 850),
        ([900, 0, 0], Tier::Full, 850),
        ([4_000, 0, 0], Tier::Full, 850),
        ([900, 0, 0], Tier::LowBitRate, 800),
    ] {
        let auto = cap_at(&[egress, processor], inside, tier);
        assert_eq!((auto.seats, auto.binds), (seats, Some(Resource::Egress)), "{inside:?} {tier:?}");
    }
    assert_eq!(cap_at(&[processor], [0; TIERS], Tier::Segments).seats, 8_640);
    assert_eq!(cap_at(&[], [0; TIERS], Tier::Full), from_costs(&[]));
}

#[test]
fn what_runs_without_listeners_is_told_from_what_they_cost() {
    let processor = measured(Resource::Processor, 1_000.0, [1.0, 1.0, 0.5]);
    let mut idle = Idle::default();
    assert_eq!(idle.of(&processor), 0.0);
    (0..60).for_each(|_| idle.look(&processor, 152.0, [80, 0, 40]));
    assert_eq!(idle.of(&processor), 50.0, "152 less 100, in steps of 10");
    (0..60).for_each(|_| idle.look(&processor, 900.0, [101, 0, 0]));
    assert_eq!(idle.of(&processor), 50.0, "too many are inside to tell");
    (0..60).for_each(|_| idle.look(&processor, 3.0, [80, 0, 0]));
    assert_eq!(idle.of(&processor), 0.0);
}

#[test]
fn the_delayed_tier_lives_on_the_reserve_and_goes_first() {
    let egress = measured(Resource::Egress, 1_000.0, [1.0, 0.5, 1.0]);
    let processor = measured(Resource::Processor, 4_000.0, [1.0; TIERS]);
    let free = Measured { late: 0.0, ..measured(Resource::Descriptors, 600.0, [1.0; TIERS]) };
    let mut live = Live::new(at(0));
    for (inside, listeners) in
        [([0, 0, 0], 1_900.0), ([850, 0, 0], 200.0), ([950, 0, 0], 0.0), ([999; 3], 0.0)]
    {
        let room = live.late(&[processor, egress, free], inside);
        assert_eq!(room, Room { listeners, binds: Some(Resource::Egress) }, "{inside:?}");
    }
    live.look(at(5), 1_000, LATE);
    assert_eq!(live.late(&[egress], [0; TIERS]).listeners, 0.0, "live listeners are served too late");
    live.look(at(10), 1_000, WELL);
    let listeners = live.late(&[egress], [0; TIERS]).listeners;
    assert!((listeners - 1_900.0 * 0.92).abs() < 1e-6, "by what the cap was lowered: {listeners}");
    assert_eq!([0, 750, 900].map(|inside| late_beside(750, inside).round()), [825.0, 75.0, 0.0]);
}

fn any_cost() -> impl Strategy<Value = Measured> {
    const RESOURCES: [Resource; 5] =
        [Resource::Processor, Resource::Memory, Resource::Egress, Resource::Packets, Resource::Descriptors];
    (0..RESOURCES.len(), 0.0..1e9_f64, 0.0..1e6_f64, 0.001..1e5_f64).prop_map(
        |(place, capacity, idle, each)| Measured {
            resource: RESOURCES[place],
            capacity,
            idle,
            each: [each, each / 2.0, each / 3.0],
            late: 0.0,
        },
    )
}

proptest! {
    #[test]
    fn the_sentence_names_what_binds(measured in prop::collection::vec(any_cost(), 1..8)) {
        for tier in Tier::ALL {
            let auto = cap_at(&measured, [0; TIERS], tier);
            let resource = auto.binds.expect("something was measured");
            prop_assert!(auto.why.starts_with(&format!("{}: ", resource.word())), "{}", auto.why);
            prop_assert!(auto.why.ends_with('.'));
            let binding: Vec<_> = measured.iter().filter(|one| one.resource == resource).copied().collect();
            prop_assert_eq!(&auto, &cap_at(&binding, [0; TIERS], tier), "without the others it is the same");
            for one in &measured {
                prop_assert!(auto.seats <= cap_at(&[*one], [0; TIERS], tier).seats);
            }
        }
    }
}
