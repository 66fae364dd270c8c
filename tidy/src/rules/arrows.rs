//! The direction of dependency: rules never know the shell, an earlier stage never a later one.

use crate::code::mask;
use crate::{Finding, Source};

/// Each crate and the crates of this workspace it may use.
const MAY_USE: [(&str, &[&str]); 8] = [
    ("core", &[]),
    ("server", &["tribune-core"]),
    ("rehearsal", &["tribune-core"]),
    ("tribune", &["tribune-core", "tribune-server", "tribune-rehearsal", "tribune-sim"]),
    ("sim", &["tribune-core"]),
    ("bench", &["tribune-core", "tribune-server", "tribune-rehearsal"]),
    ("fuzz", &["tribune-core", "tribune-server"]),
    ("tidy", &["tribune-core"]),
];

/// A crate uses only those below it.
pub fn crates(files: &[Source]) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with("/Cargo.toml")) {
        let Some(folder) = file.path.strip_suffix("/Cargo.toml") else { continue };
        let Some((_, may_use)) = MAY_USE.iter().find(|(name, _)| *name == folder) else {
            let says = "this crate has no arrows: say in tidy/src/rules/arrows.rs what it may use.";
            found.push(Finding::new(file, 0, says));
            continue;
        };
        for (at, line) in file.text.lines().enumerate() {
            let name = line.split(['.', ' ', '=']).next().unwrap_or_default();
            let ours = name == "tribune" || name.starts_with("tribune-");
            if ours && !may_use.contains(&name) {
                let says = format!("{folder} may not use {name}: move the shared rule down into core.");
                found.push(Finding::new(file, at + 1, says));
            }
        }
    }
    found
}

/// In core a module uses itself and the modules listed above it in `lib.rs`, never one below.
pub fn stages(files: &[Source]) -> Vec<Finding> {
    let Some(table) = files.iter().find(|file| file.path == "core/src/lib.rs") else { return Vec::new() };
    let masked_table = mask(&table.text);
    let stages: Vec<_> =
        masked_table.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let place = |name: &str| stages.iter().position(|stage| *stage == name);
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is("rs")) {
        let Some(inside) = file.path.strip_prefix("core/src/") else { continue };
        let own = inside.split(['/', '.']).next().unwrap_or_default();
        let Some(own_place) = place(own) else { continue };
        for (line, used) in crate_paths(&mask(&file.text)) {
            if place(&used).is_some_and(|used_place| used_place > own_place) {
                let says = format!(
                    "stage `{own}` uses `{used}`, which comes after it in lib.rs: pass the value in, or move \
                     the type up."
                );
                found.push(Finding::new(file, line, says));
            }
        }
    }
    found
}

/// The first piece of every `crate::…` path with its line (from 1), groups in braces included.
fn crate_paths(masked: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, _) in masked.match_indices("crate::") {
        let line = masked[..at].matches('\n').count() + 1;
        let rest = &masked[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(first_pieces(group).into_iter().map(|piece| (line, piece))),
            None => found.push((line, first_word(rest))),
        }
    }
    found
}

fn first_pieces(group: &str) -> Vec<String> {
    let mut depth = 0_usize;
    let mut pieces = vec![String::new()];
    for letter in group.chars() {
        match (letter, depth) {
            ('}', 0) => break,
            ('{', _) => depth += 1,
            ('}', _) => depth -= 1,
            (',', 0) => pieces.push(String::new()),
            (_, 0) => pieces.last_mut().expect("one piece from the beginning").push(letter),
            (_, _) => {}
        }
    }
    pieces.iter().map(|piece| first_word(piece.trim())).filter(|piece| !piece.is_empty()).collect()
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_that_looks_up_is_found() {
        let wrong = Source::new(
            "core/Cargo.toml",
            "[dependencies]\nbytes = \"1\"\ntribune-server.workspace = true\n",
        );
        assert_eq!(crates(std::slice::from_ref(&wrong))[0].line, 3);
        let right = Source::new(
            "server/Cargo.toml",
            "[package]\nname = \"tribune-server\"\n[dependencies]\ntribune-core = {}\n",
        );
        assert_eq!(crates(&[right]), []);
        assert_eq!(crates(&[Source::new("extra/Cargo.toml", "")]).len(), 1);
    }

    #[test]
    fn a_stage_that_looks_ahead_is_found() {
        let table = Source::new("core/src/lib.rs", "pub mod time;\n/// b\npub mod mix;\npub mod program;\n");
        for (path, text, count) in [
            ("core/src/mix/a.rs", "use crate::time::Time;\nuse crate::mix::Frame;", 0),
            ("core/src/mix/a.rs", "use crate::program::Part;", 1),
            ("core/src/mix.rs", "use crate::{time::{Time, Wall}, program::{Part, mix}};", 1),
            ("core/src/mix/a.rs", "fn f() { crate::program::go() } // crate::program::x", 1),
            ("core/src/mix/a.rs", "/// [`crate::program`]\nfn f() { g(\"crate::program\") }", 0),
            ("core/src/program/a.rs", "use crate::{mix, time};", 0),
            ("server/src/a.rs", "use crate::program::Part;", 0),
        ] {
            assert_eq!(stages(&[table.clone(), Source::new(path, text)]).len(), count, "{path}: {text}");
        }
    }
}
