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
        (&[processor][..], 70_000, "Processor: 0.020 ms a second for each listener; 75 % of 2 cores."),
        (
            &[processor, memory, packets],
            50_000,
            "Packets: 6.0 a second for each listener; 75 % of 400000 a second.",
        ),
        (&[memory], 100_000, "Memory: 20.0 kB for each listener; 75 % of 4000 MB."),
        (&[egress, processor], 9_375, "Network: 80.0 kbit/s for each listener; 75 % of 1000 Mbit/s."),
        (
            &[descriptors, processor],
            19_448,
            "File descriptors: 1 for each listener; 20000 less 512 kept for the rest.",
        ),
        (&[], 0, "Nothing was measured."),
        (
            &[cost(Resource::Processor, 10.0, 50.0, 1.0)],
            0,
            "Processor: 1.000 ms a second for each listener; 75 % of 0 cores.",
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
        assert_eq!(with_wish(&auto(100), wish), CapSaid { seats, why: why.into() });
    }
}

#[test]
fn the_cap_follows_quality() {
    let well = Service { send_late_p99_ms: 10.0, late_parts_share: 0.0, taken: 1_000, waiting: 5 };
    let late = Service { send_late_p99_ms: 150.0, ..well };
    let lost = Service { late_parts_share: 0.01, ..well };
    for (service, seats) in [
        (well, 1_020),
        (Service { waiting: 0, ..well }, 1_000),
        (Service { taken: 400, ..well }, 1_000),
        (late, 900),
        (lost, 900),
        (Service { taken: 800, ..late }, 720),
        (Service { taken: 0, ..late }, 0),
    ] {
        let mut live = Live::new(at(0), auto(1_000));
        live.look(at(4), service);
        assert_eq!(live.auto(), auto(1_000), "it is not time to look");
        live.look(at(5), service);
        assert_eq!(live.auto().seats, seats, "{service:?}");
    }
    let mut live = Live::new(at(0), auto(1_000));
    (1..200).for_each(|n| live.look(at(5 * n), Service { taken: 2_000, ..well }));
    assert_eq!(live.auto().seats, 1_500, "beyond that a new measurement is needed");
    assert!(live.auto().why.starts_with("Raised from 1000"));
    (200..240).for_each(|n| live.look(at(5 * n), Service { taken: live.auto().seats, ..late }));
    assert!(live.auto().why.starts_with("Lowered from 1000"));
    (240..400).for_each(|n| live.look(at(5 * n), Service { taken: live.auto().seats, ..well }));
    assert!(live.auto().seats > 400, "it comes back by itself: {:?}", live.auto());
}
