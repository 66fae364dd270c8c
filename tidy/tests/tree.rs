//! Goal: the tree keeps the rules of the house. Method: every rule over every file that git does not ignore.

use std::fs;

use tribune_tidy::rules::{self, refusals};
use tribune_tidy::{Finding, tree};

fn report(rule: &str, found: &[Finding]) -> String {
    let lines: Vec<_> = found.iter().map(|finding| format!("  {finding}")).collect();
    format!("{rule}: {} to put right\n{}\n", found.len(), lines.join("\n"))
}

#[test]
fn every_rule_holds() {
    let files = tree::files();
    assert!(files.iter().any(|file| file.path == "core/src/lib.rs"), "this is not the whole tree");
    let broken: String = rules::ALL
        .iter()
        .map(|(name, rule)| (name, rule(&files)))
        .filter(|(_, found)| !found.is_empty())
        .map(|(name, found)| report(name, &found))
        .collect();
    assert!(broken.is_empty(), "\n{broken}");
}

/// `TRIBUNE_WRITE=1` writes the page (`make docs`); without it the page is compared.
#[test]
fn refusals_page_is_the_table() {
    if std::env::var_os("TRIBUNE_WRITE").is_some() {
        fs::write(tree::root().join(refusals::PATH), refusals::written()).expect("docs/ can be written");
    }
    assert_eq!(refusals::page(&tree::files()), []);
}
