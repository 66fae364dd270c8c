//! Documents age silently; what can be compared with the tree is.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Finding, Source};

/// One printed page.
const DECISION_LINES_MAX: usize = 60;

/// Every dependency in the root `Cargo.toml` is named in `ARCHITECTURE.md`, where its reason stands.
pub fn dependencies(files: &[Source]) -> Vec<Finding> {
    let at = |path: &str| files.iter().find(|file| file.path == path);
    let (Some(table), Some(reasons)) = (at("Cargo.toml"), at("ARCHITECTURE.md")) else { return Vec::new() };
    let mut in_table = false;
    let mut found = Vec::new();
    for (line, text) in table.text.lines().enumerate() {
        if text.starts_with('[') {
            in_table = text == "[workspace.dependencies]";
        }
        let name = text.split([' ', '=', '.']).next().unwrap_or_default();
        let names = in_table && name.starts_with(|first: char| first.is_ascii_alphabetic());
        if names && !name.starts_with("tribune-") && !reasons.text.contains(&format!("`{name}`")) {
            let says = format!("`{name}` has no reason: say in ARCHITECTURE.md why it is here, or drop it.");
            found.push(Finding::new(table, line + 1, says));
        }
    }
    found
}

/// A relative link in a document leads to a file or folder of the tree.
pub fn links(files: &[Source]) -> Vec<Finding> {
    let mut known: BTreeSet<String> = files.iter().map(|file| file.path.clone()).collect();
    for file in files {
        let folders = file.path.match_indices('/').map(|(at, _)| file.path[..at].to_owned());
        known.extend(folders);
    }
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is("md")) {
        for (line, target) in link_targets(&file.text) {
            let path = target.split(['#', '?']).next().unwrap_or_default();
            let outside = target.contains("://") || target.starts_with("mailto:") || path.is_empty();
            if !outside && !resolve(&file.path, path).is_some_and(|path| known.contains(&path)) {
                let says = format!("the link to `{target}` leads nowhere: mend it or take it out.");
                found.push(Finding::new(file, line, says));
            }
        }
    }
    found
}

/// Inline links and images outside code, with their line (from 1).
fn link_targets(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        let prose: String = line.split('`').step_by(2).collect::<Vec<_>>().join("``");
        for (place, _) in prose.match_indices("](") {
            let target: String = prose[place + 2..].chars().take_while(|c| !")\" ".contains(*c)).collect();
            found.push((at + 1, target));
        }
    }
    found
}

fn resolve(from: &str, link: &str) -> Option<String> {
    let mut pieces: Vec<&str> = from.split('/').collect();
    pieces.pop();
    for piece in link.trim_end_matches('/').split('/') {
        match piece {
            "." | "" => {}
            ".." => {
                pieces.pop()?;
            }
            name => pieces.push(name),
        }
    }
    Some(pieces.join("/"))
}

/// `docs/decisions/NNNN-title.md`: each number once, one page, a heading first.
pub fn decisions(files: &[Source]) -> Vec<Finding> {
    let mut numbers: BTreeMap<&str, &str> = BTreeMap::new();
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.path.starts_with("docs/decisions/")) {
        let (number, title) = file.name().split_once('-').unwrap_or((file.name(), ""));
        if number.len() != 4 || !number.bytes().all(|b| b.is_ascii_digit()) || !title.ends_with(".md") {
            found.push(Finding::new(file, 0, "name it NNNN-title.md."));
            continue;
        }
        if let Some(other) = numbers.insert(number, &file.path) {
            let says = format!("{other} has the same number: take the next free one.");
            found.push(Finding::new(file, 0, says));
        }
        if !file.text.starts_with("# ") {
            found.push(Finding::new(file, 1, "begin with a heading that states the decision."));
        }
        let lines = file.text.lines().count();
        if lines > DECISION_LINES_MAX {
            let says =
                format!("{lines} lines: one page is {DECISION_LINES_MAX}; keep the why, drop the how.");
            found.push(Finding::new(file, 0, says));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_without_a_reason_is_found() {
        let table =
            "[workspace.dependencies]\nbytes = \"1\"\nserde.workspace = true\n# x\n[profile.dev]\nopt = 1\n";
        let tree = [Source::new("Cargo.toml", table), Source::new("ARCHITECTURE.md", "| `bytes` | shared |")];
        assert_eq!(dependencies(&tree).iter().map(|finding| finding.line).collect::<Vec<_>>(), [3]);
    }

    #[test]
    fn a_dead_link_is_found() {
        let page = "[a](../README.md) [b](missing.md#x)\n```\n[c](none)\n```\n\
                    `[d](none)` [e](https://x.org) [f](#g)\n[h](decisions/)\n";
        let tree = [
            Source::new("docs/a.md", page),
            Source::new("README.md", "[up](../outside.md)"),
            Source::new("docs/decisions/0001-x.md", "# X"),
        ];
        let found = links(&tree);
        let places: Vec<_> = found.iter().map(|finding| (finding.path.as_str(), finding.line)).collect();
        assert_eq!(places, [("docs/a.md", 1), ("README.md", 1)]);
    }

    #[test]
    fn a_decision_out_of_order_is_found() {
        let long = "# Long\n".to_owned() + &"x\n".repeat(60);
        for (files, count) in [
            (vec![("docs/decisions/0001-a.md", "# A"), ("docs/decisions/0002-b.md", "# B")], 0),
            (vec![("docs/decisions/0001-a.md", "# A"), ("docs/decisions/0001-b.md", "# B")], 1),
            (vec![("docs/decisions/1-a.md", "# A")], 1),
            (vec![("docs/decisions/0001-a.md", "A")], 1),
            (vec![("docs/decisions/0001-a.md", long.as_str())], 1),
        ] {
            let tree: Vec<_> = files.into_iter().map(|(path, text)| Source::new(path, text)).collect();
            assert_eq!(decisions(&tree).len(), count, "{tree:?}");
        }
    }
}
