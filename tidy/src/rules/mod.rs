//! One file per kind of rule; each gives what it found, and has a test that makes it find something.

/// Who may use whom: between crates, and between the stages of core.
pub mod arrows;
/// Rust files that no `mod` reaches.
pub mod dead;
/// Documents: links, decision records, the reasons for dependencies.
pub mod papers;
/// `docs/refusals.md`, written from the table in core.
pub mod refusals;
/// How long a line, a function, a file may be.
pub mod sizes;
/// Words that name nothing, words of other systems, and calls that do not belong.
pub mod words;

use crate::{Finding, Source};

/// A rule's name and the rule.
pub type Rule = (&'static str, fn(&[Source]) -> Vec<Finding>);

/// Every rule over the whole tree.
pub const ALL: [Rule; 14] = [
    ("lines are short", sizes::lines),
    ("functions fit on a screen", sizes::functions),
    ("files fit in a head", sizes::files),
    ("crates depend one way", arrows::crates),
    ("stages of core depend one way", arrows::stages),
    ("names say what a thing is", words::names),
    ("nothing is left to do, skipped or slept through", words::unfinished),
    ("only the commands print", words::printing),
    ("no path of somebody's machine", words::machines),
    ("every dependency has its reason", papers::dependencies),
    ("links lead somewhere", papers::links),
    ("decisions are numbered once and short", papers::decisions),
    ("every source file is reached", dead::files),
    ("docs/refusals.md is the table", refusals::page),
];
