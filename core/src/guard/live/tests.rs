use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::guard::Kind;

mod edges;

const AUDIT: Audit = Audit::new([7; 32]);

/// A node in virtual time, and who comes to it.
struct Evening {
    guard: Guard,
    now_ms: u64,
    facts: Vec<Fact>,
    said: Vec<Said>,
}

fn address(number: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from_bits(0x7f10_0000 + number))
}

const fn asked(what: What, target: u32) -> Asked {
    Asked { what, outcome: Outcome::Served, target, agent: 1, forwarded: None, on_air: OnAir::Yes }
}

const PAGE: Asked = asked(What::Page, 1);
const TICKET: Asked = asked(What::Ticket, 4);

impl Evening {
    fn new() -> Self {
        Self { guard: Guard::default(), now_ms: 0, facts: Vec::new(), said: Vec::new() }
    }

    fn at(&mut self, at_ms: u64, from: IpAddr, happened: Happened) {
        self.facts.push(Fact { at_ms, from, happened });
    }

    fn asks(&mut self, at_ms: u64, from: IpAddr, asked: Asked) {
        self.at(at_ms, from, Happened::Asked(asked));
    }

    /// Who comes at that moment, loads the page and hears segments of two seconds until `end_ms`.
    fn listener(&mut self, (from, agent): (IpAddr, u32), came_ms: u64, end_ms: u64) {
        let by = |asked: Asked| Asked { agent, ..asked };
        self.at(came_ms, from, Happened::Opened);
        for (asked, after_ms) in
            [(PAGE, 1), (asked(What::Asset, 2), 2), (asked(What::Asset, 3), 3), (TICKET, 4)]
        {
            self.asks(came_ms + after_ms, from, by(asked));
        }
        for at_ms in (came_ms + 10..end_ms).step_by(2_000) {
            self.asks(at_ms, from, by(asked(What::List, 5)));
            self.asks(at_ms + 1, from, by(asked(What::Sound, 1_000 + (at_ms / 2_000) as u32)));
            self.at(at_ms + 2, from, Happened::Arrived);
        }
        self.at(end_ms, from, Happened::Closed);
    }

    /// Plays everything until `end_s`, and checks that every second's sums are what happened in it.
    fn play(&mut self, end_s: u64) {
        self.facts.sort_by_key(|fact| fact.at_ms);
        let mut facts = std::mem::take(&mut self.facts).into_iter().peekable();
        let mut open = 0_i64;
        for second in 1..=end_s {
            let end_ms = self.now_ms + second * 1_000;
            let (mut connections, mut requests) = (0, 0);
            while let Some(fact) = facts.next_if(|fact| fact.at_ms < end_ms) {
                match fact.happened {
                    Happened::Opened => {
                        open += 1;
                        connections += 1;
                    }
                    Happened::TurnedAway => connections += 1,
                    Happened::Closed => open -= 1,
                    Happened::Asked(_) | Happened::BrokeRules => requests += 1,
                    _ => {}
                }
                self.guard.take(&fact);
            }
            let said = self.guard.second(end_ms, WallTime(end_ms as i64), &AUDIT);
            assert_eq!(said.sums.total(Unit::Connections), connections, "second {second}");
            assert_eq!(said.sums.total(Unit::Requests), requests, "second {second}");
            assert_eq!(said.sums.total(Unit::ConnectionSeconds) as i64, open, "second {second}");
            self.said.push(said);
        }
        self.now_ms += end_s * 1_000;
    }

    fn kinds(&self) -> Vec<Kind> {
        self.said.iter().map(|said| said.verdict.kind).collect()
    }

    /// The second at whose end this was the verdict for the first time.
    fn first(&self, is: impl Fn(Kind) -> bool) -> Option<usize> {
        self.kinds().into_iter().position(is).map(|at| at + 1)
    }

    /// Sixty listeners come within the first fifteen seconds.
    fn small_audience() -> Self {
        let mut evening = Self::new();
        for number in 0..60 {
            evening.listener((address(number), number), 500 + 240 * u64::from(number), 70_000);
        }
        evening
    }
}

#[test]
fn a_small_audience_is_calm_and_all_of_it_is_explained() {
    let mut evening = Evening::small_audience();
    evening.play(60);
    assert!(evening.kinds().iter().all(|kind| *kind == Kind::Calm), "{:?}", evening.kinds());
    let said = evening.said.last().expect("a minute passed");
    assert_eq!(said.ever.blamed(Unit::Requests), 0);
    assert_eq!((said.people, said.verdict.self_inflicted), (60, false));
}

#[test]
fn a_crowd_is_a_crowd_whatever_addresses_it_comes_from() {
    // From as many addresses as people, and from three, by programs of twenty names or of one.
    for (addresses, agents, name) in
        [(u32::MAX, 20, "each their own"), (3, 20, "three"), (3, 1, "three, and one program")]
    {
        let mut evening = Evening::small_audience();
        for number in 0..400 {
            let from = address(1_000 + number % addresses);
            evening.listener((from, number % agents), 20_000 + 20 * u64::from(number), 60_000);
        }
        evening.play(60);
        let crowd = evening.first(|kind| kind == Kind::Crowd).expect("it is told");
        assert!((21..=32).contains(&crowd), "{name}: {crowd}");
        assert!(!evening.kinds().iter().any(|kind| kind.is_attack()), "{name}: {:?}", evening.kinds());
        let blamed = evening.said.last().map(|said| said.ever.blamed(Unit::Requests));
        assert_eq!(blamed, Some(0), "{name}");
    }
}

#[test]
fn floods_are_told_within_seconds_from_one_address_or_from_thousands() {
    for (addresses, each, name) in [(1_u32, 16_000_u64, "one"), (4_000, 10, "thousands"), (20, 800, "few")] {
        let mut evening = Evening::small_audience();
        for number in 0..addresses {
            let from = address(10_000 + number);
            let begun_ms = 20_000 + 8_000 * u64::from(number) / u64::from(addresses);
            for time in 0..each {
                evening.asks(begun_ms + time * 8_000 / each / u64::from(addresses.min(8)), from, PAGE);
            }
        }
        evening.play(60);
        let told = evening.first(Kind::is_attack).expect("it is told");
        assert!((21..=27).contains(&told), "{name}: {told}");
        assert_eq!(evening.kinds()[told - 1], Kind::Attack, "{name}: nobody else came");
        assert_eq!(evening.kinds().last(), Some(&Kind::Calm), "{name}: it is over");
        let share = evening.said[26].verdict.attack_share.requests;
        assert!(share.low > 0.4 && share.high > 0.9, "{name}: {share:?}");
    }
}

#[test]
fn slow_bots_are_told_by_what_becomes_of_them() {
    let mut evening = Evening::small_audience();
    for number in 0..600 {
        let from = address(10_000 + number);
        for at_ms in (20_000 + 5 * u64::from(number)..55_000).step_by(4_000) {
            evening.asks(at_ms, from, TICKET);
        }
    }
    evening.play(55);
    let told = evening.first(Kind::is_attack).expect("it is told");
    assert!((30..=38).contains(&told), "{told}");
    let share = evening.said[told].verdict.attack_share.newcomers;
    assert!(share.low > 0.8, "{share:?}");
}

#[test]
fn connections_held_half_open_are_an_attack_though_nothing_is_asked() {
    let mut evening = Evening::small_audience();
    for number in 0..300 {
        let from = address(10_000 + number % 50);
        evening.at(20_000 + 10 * u64::from(number), from, Happened::Opened);
        evening.at(25_000 + 10 * u64::from(number), from, Happened::HalfOpen);
    }
    evening.play(60);
    let told = evening.first(|kind| kind == Kind::Attack).expect("it is told");
    assert!((26..=32).contains(&told), "{told}");
    assert!(evening.said[40].verdict.because[0].contains("held open") || told > 40);
}

#[test]
fn who_comes_again_because_of_our_errors_is_no_attack() {
    let mut evening = Evening::small_audience();
    for number in 0..300_u32 {
        let (from, came_ms) = (address(1_000 + number), 20_000 + 20 * u64::from(number));
        evening.asks(came_ms, from, PAGE);
        for again_ms in (came_ms + 5..42_000).step_by(300 + number as usize * 5) {
            evening.asks(again_ms, from, Asked { outcome: Outcome::OurError, ..TICKET });
        }
        evening.listener((from, number), 42_000 + 10 * u64::from(number), 70_000);
    }
    evening.play(60);
    assert!(!evening.kinds().iter().any(|kind| kind.is_attack()), "{:?}", evening.kinds());
    assert!(evening.said[30].verdict.self_inflicted);
    assert!(!evening.said[59].verdict.self_inflicted, "it is over");
    let onset = evening.said[35].onset;
    assert!(onset.error_ms.is_some() && onset.unexplained_ms.is_none(), "{onset:?}");
}

#[test]
fn behind_a_proxy_that_nobody_trusts_nobody_can_tell() {
    let mut evening = Evening::small_audience();
    let proxy = address(9_999);
    for number in 0..40_000 {
        let asked = Asked { forwarded: Some(number % 500), agent: number % 20, ..PAGE };
        evening.asks(20_000 + u64::from(number), proxy, asked);
    }
    evening.play(60);
    let told = evening.first(|kind| kind == Kind::Unknown).expect("it is told");
    assert!((21..=26).contains(&told), "{told}");
    assert!(!evening.kinds().iter().any(|kind| kind.is_attack()), "{:?}", evening.kinds());
    let because = &evening.said[40].verdict.because;
    assert!(because.iter().any(|says| says.contains("--trusted-proxy")), "{because:?}");
}

#[test]
fn who_breaks_the_rules_again_and_again_is_refused_but_never_where_somebody_hears() {
    let mut evening = Evening::small_audience();
    let (alone, with_a_listener) = (address(9_000), address(7));
    for from in [alone, with_a_listener] {
        for number in 0..400 {
            evening.at(20_000 + 10 * number, from, Happened::Opened);
            evening.at(25_000 + 10 * number, from, Happened::HalfOpen);
        }
    }
    evening.play(40);
    let said = evening.said.last().expect("it was played");
    assert!(said.verdict.kind.is_attack());
    assert_eq!(evening.guard.refused(40_000).map(|(from, _)| from).collect::<Vec<_>>(), [alone]);
    assert_eq!(said.acts.len(), 1);
    assert!(evening.guard.undo(said.acts[0].number));
    assert_eq!(evening.guard.refused(40_000).count(), 0);
}

#[test]
fn while_our_own_errors_are_at_fault_nobody_is_refused() {
    let mut evening = Evening::small_audience();
    for number in 0..4_000 {
        let asked = Asked { outcome: Outcome::OurError, ..TICKET };
        evening.asks(18_000 + 5 * u64::from(number), address(1_000 + number % 300), asked);
    }
    for number in 0..400 {
        evening.at(20_000 + 10 * number, address(9_000), Happened::BrokeRules);
    }
    evening.play(40);
    assert_eq!(evening.said.last().map(|said| said.acts.len()), Some(0));
}

#[test]
fn a_screen_that_asks_for_the_status_twice_a_second_is_nobodys_attack() {
    let mut evening = Evening::small_audience();
    for number in 0..120 {
        evening.asks(500 * number, address(5_000), asked(What::Told, 9));
    }
    evening.play(60);
    assert_eq!(evening.said.last().map(|said| said.ever.blamed(Unit::Requests)), Some(0));
}

#[test]
fn who_was_somebody_before_is_a_flood_all_the_same() {
    let mut evening = Evening::small_audience();
    let from = address(9_000);
    for (asked, agent) in [(PAGE, 1), (asked(What::Asset, 2), 1), (asked(What::Told, 9), 2)] {
        evening.asks(1_000, from, Asked { agent, ..asked });
    }
    for number in 0..16_000 {
        evening.asks(20_000 + number / 2, from, Asked { agent: 3, ..TICKET });
    }
    evening.play(40);
    let told = evening.first(Kind::is_attack).expect("it is told");
    assert!((21..=24).contains(&told), "{told}");
}

#[test]
fn what_was_sent_and_never_arrived_is_not_hearing() {
    // Forty ask for the program piece after piece and acknowledge nothing; sixty hear.
    let mut evening = Evening::small_audience();
    for number in 0..40 {
        let from = address(1_000 + number);
        evening.listener((from, number), 20_000 + 200 * u64::from(number), 60_000);
        evening.facts.retain(|fact| fact.from != from || !matches!(fact.happened, Happened::Arrived));
    }
    evening.play(60);
    let said = evening.said.last().expect("a minute passed");
    assert_eq!(said.people, 60);
    assert!(evening.said.iter().any(|said| said.newcomers.0 + 20 <= said.newcomers.1), "they became nothing");
    let proofs = evening.said.iter().map(|said| said.proofs.acknowledged).sum::<u64>();
    let expected =
        evening.said.iter().map(|said| said.sums.get(Unit::Requests, Account::Listener)).sum::<u64>();
    assert!(proofs > 1_200 && expected > 1_200, "{proofs} pieces arrived, {expected} requests of listeners");
}

#[test]
fn a_receipt_proves_a_listener_whose_connection_proves_nothing() {
    let mut evening = Evening::small_audience();
    for number in 0..40 {
        let from = address(1_000 + number);
        evening.at(20_000, from, Happened::Opened);
        evening.asks(20_001, from, PAGE);
        evening.asks(20_002, from, asked(What::Begin, 9));
        evening.at(20_003, from, Happened::StreamBegan);
        for at_ms in (22_000..60_000).step_by(5_000) {
            evening.asks(at_ms, from, asked(What::Told, 7));
            evening.at(at_ms, from, Happened::Proved);
        }
        evening.at(60_000, from, Happened::Closed);
    }
    evening.at(59_000, address(2_000), Happened::ProvedFalsely);
    evening.play(60);
    let (said, false_receipts) = (evening.said.last().expect("a minute passed"), 1);
    assert_eq!(said.people, 100);
    assert_eq!(said.proofs.false_receipts, false_receipts);
    assert_eq!(evening.said.iter().map(|said| said.proofs.receipts).sum::<u64>(), 40 * 8);
    assert!(evening.said.iter().all(|said| said.newcomers.0 == said.newcomers.1), "all became listeners");
}

#[test]
fn who_has_the_page_open_and_does_not_press_yet_is_no_attack() {
    let mut evening = Evening::small_audience();
    for number in 0..300 {
        let (from, came_ms) = (address(1_000 + number), 20_000 + 40 * u64::from(number));
        evening.asks(came_ms, from, PAGE);
        evening.asks(came_ms + 1, from, asked(What::Asset, 2));
        for at_ms in (came_ms + 3_000..60_000).step_by(5_000) {
            evening.asks(at_ms, from, asked(What::Told, 7));
        }
    }
    evening.play(60);
    assert!(evening.kinds().iter().all(|kind| !kind.is_attack()), "{:?}", evening.kinds());
}

#[test]
fn who_waits_for_another_room_is_no_attack() {
    let mut evening = Evening::small_audience();
    for number in 0..300 {
        let (from, came_ms) = (address(1_000 + number), 20_000 + 40 * u64::from(number));
        for (what, target) in [(What::Page, 81), (What::Asset, 82), (What::Told, 83)] {
            evening.asks(
                came_ms + u64::from(target),
                from,
                Asked { on_air: OnAir::No, ..asked(what, target) },
            );
        }
    }
    evening.play(60);
    assert!(evening.kinds().iter().all(|kind| !kind.is_attack()), "{:?}", evening.kinds());
}

#[test]
fn a_program_of_four_names_that_takes_one_piece_over_and_over_is_no_crowd() {
    let mut evening = Evening::small_audience();
    for number in 0..6_000_u32 {
        let (at_ms, from) = (25_000 + u64::from(number) * 5, address(9_000));
        evening.asks(at_ms, from, Asked { agent: number % 4, ..asked(What::Sound, 77) });
        evening.at(at_ms + 1, from, Happened::Arrived);
    }
    evening.play(55);
    assert_eq!(
        evening.said.last().map(|said| said.verdict.kind),
        Some(Kind::Attack),
        "{:?}",
        evening.kinds()
    );
    assert!(!evening.kinds().contains(&Kind::Crowd), "{:?}", evening.kinds());
}

#[test]
fn handshakes_that_fail_are_an_attack_and_requests_of_who_is_refused_are_not_our_errors() {
    let mut evening = Evening::small_audience();
    for number in 0..4_000_u32 {
        evening.at(25_000 + u64::from(number) * 6, address(5_000 + number % 20), Happened::HandshakeFailed);
        let asked = Asked { outcome: Outcome::Refused, ..PAGE };
        evening.asks(25_000 + u64::from(number) * 6, address(8_000), asked);
    }
    evening.play(49);
    let verdict = evening.said.last().expect("seconds passed").verdict.clone();
    assert!(verdict.kind == Kind::Attack && !verdict.self_inflicted, "{verdict:?}");
    assert!(verdict.because.iter().any(|says| says.contains("handshakes failed")), "{verdict:?}");
}

#[test]
fn what_a_trusted_proxy_does_itself_is_nobodys_and_never_refused() {
    let mut evening = Evening::small_audience();
    for number in 0..4_000_u32 {
        evening.asks(25_000 + u64::from(number) * 6, address(5_000 + number % 20), PAGE);
        evening.at(25_000 + u64::from(number) * 6, address(7_000), Happened::OfProxy(Unit::Requests));
    }
    for number in 0..200 {
        evening.at(30_000 + number, address(7_000), Happened::OfProxy(Unit::Handshakes));
    }
    evening.facts.sort_by_key(|fact| fact.at_ms);
    for fact in std::mem::take(&mut evening.facts) {
        evening.guard.take(&fact);
    }
    let said = evening.guard.second(49_000, WallTime(49_000), &AUDIT);
    assert_eq!(said.sums.get(Unit::Requests, Account::Unseen), 4_000);
    assert_eq!(said.sums.get(Unit::Handshakes, Account::Unseen), 200);
    assert!(evening.guard.table.get(address(7_000)).is_none(), "it is not remembered");
}

#[test]
fn while_people_are_put_off_the_sample_says_what_newcomers_are() {
    // 4,000 come within twenty seconds, nine of ten of them machines that ask for the page three times and
    // go. Of all but the sample the machines are put off at once, so that only honest ones are left to be
    // asked.
    let mut evening = Evening::small_audience();
    for number in 0..4_000_u32 {
        let (from, came_ms) = (address(10_000 + number), 30_000 + 5 * u64::from(number));
        if number % 10 == 0 {
            evening.listener((from, number), came_ms, 70_000);
            continue;
        }
        let is_audited = AUDIT.samples(from, came_ms as i64);
        let outcome = if is_audited { Outcome::Served } else { Outcome::PutOff };
        for time in 0..3 {
            evening.asks(came_ms + 2_000 * time, from, Asked { outcome, ..PAGE });
        }
    }
    evening.play(60);
    let told: Vec<_> = evening.said.iter().map(|said| said.verdict.attack_share.newcomers).collect();
    assert!(told.iter().any(|share| share.low > 0.5), "{told:?}");
    // Two of a hundred of a second's 200, for ten seconds.
    let is_sample = |(became, came): (u64, u64)| (20..100).contains(&came) && 5 * became < 2 * came;
    assert!(evening.said.iter().any(|said| is_sample(said.newcomers)), "it is the sample that is asked");
}
