//! A file that no `mod` names is compiled by nobody and read by everybody.

use std::collections::BTreeSet;

use crate::code::mask;
use crate::{Finding, Source};

/// Every `.rs` file is a crate's root or is reached from one.
pub fn files(files: &[Source]) -> Vec<Finding> {
    let paths: BTreeSet<_> = files.iter().map(|file| file.path.as_str()).collect();
    let mut reached = BTreeSet::new();
    let mut todo: Vec<&Source> = files.iter().filter(|file| file.is("rs") && is_root(&file.path)).collect();
    while let Some(file) = todo.pop() {
        if !reached.insert(file.path.as_str()) {
            continue;
        }
        for name in modules(&file.text) {
            let inside = folder_of_modules(&file.path);
            for path in [format!("{inside}/{name}.rs"), format!("{inside}/{name}/mod.rs")] {
                if paths.contains(path.as_str()) {
                    todo.extend(files.iter().find(|file| file.path == path));
                }
            }
        }
    }
    files
        .iter()
        .filter(|file| file.is("rs") && !reached.contains(file.path.as_str()))
        .map(|file| Finding::new(file, 0, "no `mod` reaches this file: name it in its parent, or delete it."))
        .collect()
}

fn is_root(path: &str) -> bool {
    let pieces: Vec<_> = path.split('/').collect();
    matches!(
        pieces[..],
        [_, "build.rs"]
            | [_, "src", "lib.rs" | "main.rs"]
            | [_, "src", "bin", _]
            | [_, "tests" | "benches" | "examples" | "fuzz_targets", _]
            | [_, "tests", _, "main.rs"]
    )
}

/// Where the modules a file names are looked for: beside a root or a `mod.rs`, else in the folder of the
/// file's name.
fn folder_of_modules(path: &str) -> String {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    if is_root(path) || name == "mod.rs" {
        return folder.to_owned();
    }
    format!("{folder}/{}", name.trim_end_matches(".rs"))
}

fn modules(text: &str) -> Vec<String> {
    mask(text)
        .lines()
        .filter_map(|line| {
            let (before, name) = line.split_once("mod ")?;
            let visible = before.trim().is_empty() || before.trim_start().starts_with("pub");
            visible.then(|| name.trim().strip_suffix(';').map(str::to_owned))?
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_nobody_names_is_found() {
        let tree = [
            Source::new("core/src/lib.rs", "pub mod mix;\nmod time;\n// mod ghost;\n"),
            Source::new("core/src/mix/mod.rs", "mod frame;\n#[cfg(test)]\nmod tests;\n"),
            Source::new("core/src/mix/frame.rs", ""),
            Source::new("core/src/mix/tests.rs", ""),
            Source::new("core/src/time.rs", "pub(crate) mod zone;"),
            Source::new("core/src/time/zone.rs", ""),
            Source::new("core/src/ghost.rs", ""),
            Source::new("tribune/tests/players.rs", "mod node;"),
            Source::new("tribune/tests/node/mod.rs", ""),
        ];
        let found = files(&tree);
        assert_eq!(found.iter().map(|f| f.path.as_str()).collect::<Vec<_>>(), ["core/src/ghost.rs"]);
    }
}
