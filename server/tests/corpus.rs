//! Runs every fuzz target of the server's own parsers over its committed corpus.

#[path = "../../fuzz/fuzz_targets/node/mod.rs"]
mod targets;

#[path = "../../core/tests/replay/mod.rs"]
mod replay;

#[test]
fn the_corpus_is_survived() {
    replay::whole(&targets::TARGETS);
}

#[test]
fn a_damaged_corpus_is_survived() {
    replay::damaged(&targets::TARGETS);
}
