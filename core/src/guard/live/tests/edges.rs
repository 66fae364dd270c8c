//! At the edges: of the table, of what is known, of what is asked for.

use super::*;

#[test]
fn a_flood_that_is_put_off_in_part_is_no_crowd() {
    let mut evening = Evening::small_audience();
    for number in 0..4_000 {
        for time in 0..10 {
            let outcome = if (number + time) % 7 == 0 { Outcome::PutOff } else { Outcome::Served };
            let at_ms = 20_000 + u64::from(time) * 120;
            evening.asks(at_ms, address(10_000 + number), Asked { outcome, ..PAGE });
        }
    }
    evening.play(60);
    let told = evening.first(Kind::is_attack).expect("it is told");
    assert!((21..=27).contains(&told), "{told}");
    assert!(!evening.kinds().contains(&Kind::Both), "{:?}", evening.kinds());
}

#[test]
fn beyond_the_table_networks_are_told_apart() {
    let mut evening = Evening { guard: Guard::new(60), ..Evening::small_audience() };
    for number in 0..40_000_u32 {
        // A hundred networks of a provider, each request from another home.
        let network = 0x2001_0db8_u128 << 96 | u128::from(number % 100) << 80 | u128::from(number) << 64;
        evening.asks(20_000 + u64::from(number), IpAddr::V6(network.into()), PAGE);
    }
    evening.play(60);
    let told = evening.first(Kind::is_attack).expect("it is told");
    assert!((31..=40).contains(&told), "{told}");
    let mut evening = Evening { guard: Guard::new(60), ..Evening::small_audience() };
    for number in 0..2_000 {
        evening.listener((address(10_000 + number), number % 20), 20_000 + 10 * u64::from(number), 60_000);
    }
    evening.play(60);
    assert!(!evening.kinds().iter().any(|kind| kind.is_attack()), "{:?}", evening.kinds());
}

#[test]
fn who_looks_and_leaves_and_who_keeps_the_page_open_are_no_attack() {
    let mut evening = Evening::small_audience();
    for number in 0..800 {
        let (from, at_ms) = (address(10_000 + 256 * number), 20_000 + 10 * u64::from(number));
        let stays = number % 4 == 0;
        evening.at(at_ms, from, Happened::Opened);
        evening.asks(at_ms + 5, from, PAGE);
        evening.asks(at_ms + 90, from, asked(What::Asset, 2));
        for told_ms in (at_ms + 5_000..if stays { 58_000 } else { 0 }).step_by(5_000) {
            evening.asks(told_ms, from, asked(What::Told, 6));
        }
        evening.at(if stays { 59_000 } else { at_ms + 16_000 }, from, Happened::Closed);
    }
    evening.play(60);
    assert!(!evening.kinds().iter().any(|kind| kind.is_attack()), "{:?}", evening.kinds());
}

#[test]
fn there_is_no_end_of_sources_and_memory_is_bounded() {
    let mut evening = Evening { guard: Guard::new(1_000), ..Evening::new() };
    for number in 0..50_000 {
        let from = address(number);
        evening.at(u64::from(number), from, Happened::Opened);
        evening.asks(u64::from(number), from, PAGE);
        evening.at(u64::from(number) + 30_000, from, Happened::Closed);
    }
    evening.play(90);
    let said = evening.said.last().expect("it was played");
    assert_eq!(said.sources, 1_000);
    assert!(said.ever.get(Unit::Requests, Account::Unseen) > 10_000);
    assert_eq!(said.ever.total(Unit::Requests), 50_000);
}

#[test]
fn a_machine_that_is_a_thousand_homes_a_second_does_not_look_and_leave() {
    let mut evening = Evening::small_audience();
    for number in 0..30_000_u32 {
        let home = 0x2001_0db8_0001_u128 << 80 | u128::from(number) << 64;
        let (from, at_ms) = (IpAddr::V6(home.into()), 20_000 + u64::from(number));
        evening.asks(at_ms, from, PAGE);
        evening.asks(at_ms + 20, from, asked(What::Asset, 2));
    }
    evening.play(60);
    let told = evening.first(Kind::is_attack).expect("it is told");
    assert!((32..=40).contains(&told), "{told}");
}
