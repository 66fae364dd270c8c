//! Runs every fuzz target over its committed corpus, so that what a fuzzer once found stays found.

#[path = "../../fuzz/src/lib.rs"]
mod targets;

use std::path::Path;

#[test]
fn the_corpus_is_survived() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    for (name, target) in targets::TARGETS {
        let folder = corpus.join(name);
        let mut files: Vec<_> =
            folder.read_dir().expect(name).map(|entry| entry.expect("readable").path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{name} has no corpus");
        for file in files {
            target(&std::fs::read(&file).expect("readable"));
        }
    }
}
