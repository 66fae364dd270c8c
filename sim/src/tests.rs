//! Goal: whatever sources, listeners, clocks and the process do, the program and its recording stay whole.
//! Method: every seed that ever failed, some fixed ones, and one made from the commit; planted faults must be
//! found.

use std::process::Command;

use crate::oracle::judge;
use crate::story::{Story, Swarm};
use crate::world::{World, digest};
use crate::{Planted, parse_seed};

/// Evenings lived each time; `TRIBUNE_EVENINGS` asks for more.
const EVENINGS: u64 = 8;
/// A planted fault is found within so many seeds.
const HUNT_SEEDS: std::ops::Range<u64> = 0..64;

fn failed_seeds() -> impl Iterator<Item = u64> {
    let lines = include_str!("../seeds.txt").lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_whitespace().next().map(|seed| parse_seed(seed).expect("a seed")))
}

fn evenings() -> u64 {
    let asked = std::env::var("TRIBUNE_EVENINGS").ok();
    asked.map_or(EVENINGS, |asked| asked.parse().expect("TRIBUNE_EVENINGS is a number of evenings"))
}

/// The first digits of the commit, when there is a repository: an evening nobody has seen.
pub(crate) fn commit_seed() -> Option<u64> {
    let said = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output().ok()?;
    u64::from_str_radix(String::from_utf8(said.stdout).ok()?.trim(), 16).ok()
}

fn live(seed: u64, planted: Planted) -> Vec<String> {
    judge(&World::new(Story::draw(seed), planted).run())
}

#[test]
fn every_evening_stays_whole() {
    for seed in failed_seeds().chain(0..evenings()).chain(commit_seed()) {
        let broken = live(seed, Planted::Nothing);
        assert!(broken.is_empty(), "cargo run -p tribune-sim -- room {seed:#x}\n{}", broken.join("\n"));
    }
}

/// Whether an evening of this kind can show the fault at all; living one that cannot costs as much.
fn can_show(planted: Planted, swarm: &Swarm) -> bool {
    match planted {
        Planted::FrameTwice
        | Planted::PartLost
        | Planted::HoldAsConversation
        | Planted::OldPage
        | Planted::Nothing => !swarm.is_long(),
        Planted::NumbersReused => swarm.crashes && !swarm.is_long(),
        Planted::Deaf => (swarm.deaths || swarm.replacements) && !swarm.is_long(),
        // A listener is skipped only when it sleeps for longer than the window.
        Planted::SkipUntold => swarm.sleepers && swarm.is_long(),
    }
}

#[test]
fn a_planted_fault_is_found() {
    for planted in [
        Planted::FrameTwice,
        Planted::PartLost,
        Planted::HoldAsConversation,
        Planted::SkipUntold,
        Planted::OldPage,
        Planted::NumbersReused,
        Planted::Deaf,
    ] {
        let mut evenings = HUNT_SEEDS.filter(|&seed| can_show(planted, &Story::draw(seed).swarm));
        let found = evenings.find(|&seed| !live(seed, planted).is_empty());
        assert!(found.is_some(), "no oracle saw {planted:?}");
    }
}

#[test]
fn a_seed_is_one_evening() {
    let lived = |seed| digest(&World::new(Story::draw(seed), Planted::Nothing).run());
    assert_eq!(lived(5), lived(5));
    assert_ne!(lived(5), lived(6));
}

#[test]
fn seeds_are_read_both_ways() {
    for (text, seed) in [("0x1f", Some(31)), ("31", Some(31)), ("0x", None), ("x", None)] {
        assert_eq!(parse_seed(text), seed, "{text}");
    }
}
