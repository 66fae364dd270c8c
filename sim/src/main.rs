//! `tribune-sim room 0xSEED`: tells an evening and lives it again.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to its terminal")]

use std::process::ExitCode;

use tribune_sim::Planted;
use tribune_sim::oracle::judge;
use tribune_sim::story::Story;
use tribune_sim::world::{World, digest};

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["room", seed] => match tribune_sim::parse_seed(seed) {
            Some(seed) => replay(seed),
            None => usage(),
        },
        _ => usage(),
    }
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
    eprintln!("say which evening: tribune-sim room 0xSEED");
    ExitCode::from(2)
}
