//! The people and attackers of the cases that are made here.

use std::net::Ipv4Addr;
use std::time::Duration;

use tribune_rehearsal::replay::{Ask, Attacker, Comer, Pace, Step, Version, arriving};

/// How long these cases last.
const LASTING: Duration = Duration::from_secs(60);
/// The crowd behind few addresses: how many, from when on, for how long they keep coming.
const NAT_PEOPLE: u32 = 400;
const NAT_EARLY: u32 = 20;
const NAT_FROM: Duration = Duration::from_secs(12);
const NAT_COMING: Duration = Duration::from_secs(15);
/// One of so many has an address of their own.
const NAT_OWN: u32 = 20;
const NAT_ADDRESSES: u32 = 3;
const QUIET_PEOPLE: u32 = 20;
/// The first of them come within this.
const EARLY: Duration = Duration::from_secs(8);
/// In a room that is attacked: two people a second come, and stay so long.
const COMING_EVERY: Duration = Duration::from_millis(500);
const COMING_UNTIL: Duration = Duration::from_secs(50);
const COMING_STAY: Duration = Duration::from_secs(20);
/// When an attack begins, and how long it lasts.
pub(super) const ATTACK_AT: Duration = Duration::from_secs(25);
pub(super) const ATTACK_LASTING: Duration = Duration::from_secs(20);
/// The flood from fresh addresses: how many, and how often each asks for the page.
const FRESH_ADDRESSES: u32 = 4_000;
const FRESH_ASKS: u32 = 10;
/// In so many networks of 256.
const FRESH_NETWORKS: u32 = 250;

/// Twenty who listen.
pub(super) fn quiet() -> Vec<Comer> {
    arriving((0..QUIET_PEOPLE).map(|number| {
        let at = EARLY * number / QUIET_PEOPLE;
        (Ipv4Addr::new(127, 10, number as u8, 7), at, LASTING - at)
    }))
}

/// A crowd nearly all of whom come from three addresses.
pub(super) fn behind_few_addresses() -> Vec<Comer> {
    arriving((0..NAT_PEOPLE).map(|number| {
        let at = match number.checked_sub(NAT_EARLY) {
            Some(later) => NAT_FROM + NAT_COMING * later / (NAT_PEOPLE - NAT_EARLY),
            None => EARLY * number / NAT_EARLY,
        };
        let from = match number % NAT_OWN {
            0 => Ipv4Addr::new(127, 10, (number / NAT_OWN) as u8, 9),
            _ => Ipv4Addr::new(127, 30, 0, 1 + (number % NAT_ADDRESSES) as u8),
        };
        (from, at, LASTING - at)
    }))
}

/// Twenty who listen from the beginning to the end, and two a second who come, all the time, and go again.
pub(super) fn coming_and_going() -> Vec<Comer> {
    let coming = (0..).map(|number| (number, COMING_EVERY * number)).take_while(|(_, at)| *at < COMING_UNTIL);
    let coming = coming.map(|(number, at)| {
        // Few networks have more than one of them, as in life.
        (Ipv4Addr::new(127, 11, number as u8, 7), at, COMING_STAY)
    });
    let mut people = quiet();
    people.extend(arriving(coming));
    people.sort_by_key(Comer::comes);
    people
}

/// Thousands of addresses, each of which asks for the page a few times, on a connection for each request, and
/// never listens.
pub(super) fn fresh_addresses() -> Vec<Attacker> {
    let attacker = |number: u32| {
        let step = |ask: u32| Step {
            // All of them are at it all the time, none at the same moment as another.
            at: ATTACK_AT
                + ATTACK_LASTING * (ask * FRESH_ADDRESSES + number) / (FRESH_ASKS * FRESH_ADDRESSES),
            ask: Ask::Page,
            method: "GET".to_owned(),
            version: Version::Http10,
            pace: Pace::Quick,
        };
        Attacker {
            from: Ipv4Addr::new(127, 60, (number % FRESH_NETWORKS) as u8, (number / FRESH_NETWORKS) as u8),
            agent: String::new(),
            referer: String::new(),
            steps: (0..FRESH_ASKS).map(step).collect(),
        }
    };
    (0..FRESH_ADDRESSES).map(attacker).collect()
}
