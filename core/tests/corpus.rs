//! Runs every fuzz target of core over its committed corpus.

#[path = "../../fuzz/src/lib.rs"]
mod targets;

mod replay;

#[test]
fn the_corpus_is_survived() {
    replay::whole(&targets::TARGETS);
}

#[test]
fn a_damaged_corpus_is_survived() {
    replay::damaged(&targets::TARGETS);
}
