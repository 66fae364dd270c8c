//! `tribune-sim room 0xSEED`: tells an evening of one room and lives it again. `tribune-sim door 0xSEED
//! [PEOPLE [GHOSTS]]`: an evening at the door, with so many tickets (100,000) of which so many of a hundred
//! are ghosts (30). `tribune-sim ranges PEOPLE`: how often ranges hold, by ghosts.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to its terminal")]

use std::process::ExitCode;

use tribune_sim::door::oracle::Held;
use tribune_sim::door::{self, Outcome};
use tribune_sim::oracle::judge;
use tribune_sim::story::Story;
use tribune_sim::world::{World, digest};
use tribune_sim::{Planted, parse_seed};

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["room", seed] => match parse_seed(seed) {
            Some(seed) => replay(seed),
            None => usage(),
        },
        ["door", seed] => door(seed, "100000", "30"),
        ["door", seed, people] => door(seed, people, "30"),
        ["door", seed, people, ghosts] => door(seed, people, ghosts),
        ["ranges", people] => ranges(people),
        _ => usage(),
    }
}

fn door(seed: &str, people: &str, ghosts: &str) -> ExitCode {
    let (Some(seed), Ok(people), Ok(ghosts)) = (parse_seed(seed), people.parse(), ghosts.parse()) else {
        return usage();
    };
    let story = door::Story::draw(seed, people, ghosts);
    println!("{story:#?}");
    let outcome = door::live(story, door::Planted::Nothing);
    print_outcome(&outcome);
    if outcome.broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn print_outcome(outcome: &Outcome) {
    let Outcome { tickets, seated, taken_max, turned, messages, digest, .. } = outcome;
    println!("{tickets} tickets, {seated} seated, at most {taken_max} at once, digest {digest}");
    println!(
        "{messages} messages, {turned} claims found no seat; {:.2} % of seats used",
        outcome.used_percent()
    );
    print_held("first range", &outcome.first);
    print_held("any range", &outcome.any);
    print_held("sleepers' first", &outcome.sleepers);
    outcome.broken.iter().for_each(|wrong| println!("wrong: {wrong}"));
}

fn print_held(what: &str, held: &Held) {
    let told = held.told.max(1);
    let (width_s, waited_s) = (held.width_s / told, held.waited_s / told);
    let early = held.early as f64 * 100.0 / told as f64;
    println!(
        "{what}: {:.1} % of {} held, {early:.1} % came earlier; {width_s} s wide for {waited_s} s of waiting",
        held.percent(),
        held.told
    );
}

/// Sixteen evenings for each share of ghosts, undisturbed and as they come.
fn ranges(people: &str) -> ExitCode {
    let Ok(people) = people.parse() else { return usage() };
    for ghosts in [0, 30, 60, 90] {
        let (mut calm, mut any) = (Outcome::default(), Outcome::default());
        for seed in 1_000..1_016 {
            let story = door::Story::draw(seed, people, ghosts);
            for (total, story) in [(&mut calm, story.clone().undisturbed()), (&mut any, story)] {
                let lived = door::live(story, door::Planted::Nothing);
                total.first.add(&lived.first);
                total.any.add(&lived.any);
                total.sleepers.add(&lived.sleepers);
                total.seat_seconds += lived.seat_seconds;
                total.used_seconds += lived.used_seconds;
                total
                    .broken
                    .extend(lived.broken.into_iter().map(|wrong| format!("{seed:#x} {ghosts} %: {wrong}")));
            }
        }
        println!("\n{ghosts} % ghosts, undisturbed");
        print_outcome(&calm);
        println!("{ghosts} % ghosts, as they come");
        print_outcome(&any);
    }
    ExitCode::SUCCESS
}

fn replay(seed: u64) -> ExitCode {
    let story = Story::draw(seed);
    println!("{:#?}\n{:#?}", story.swarm, story.sources);
    for (at, act) in &story.acts {
        println!("{:>8.3} s  {act:?}", at.nanos() as f64 / 1e9);
    }
    let history = World::new(story, Planted::Nothing).run();
    let (parts, kept) = (history.parts().count(), history.kept.len());
    println!("{} lives, {parts} parts, {kept} links kept, digest {}", history.lives.len(), digest(&history));
    let broken = judge(&history);
    for wrong in &broken {
        println!("wrong: {wrong}");
    }
    if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn usage() -> ExitCode {
    eprintln!("say which evening: tribune-sim room 0xSEED, door 0xSEED [PEOPLE [GHOSTS]], or ranges PEOPLE");
    ExitCode::from(2)
}
