//! The rules of this house's source, as functions over text: a rule nobody checks is a wish.
//!
//! Each rule takes files and gives findings, so that it can be shown to fail on a few lines of text;
//! `tests/tree.rs` runs all of them over what is tracked.

/// Rust text with comments and strings blanked out, line for line.
pub mod code;
/// The rules themselves.
pub mod rules;
/// The files of the work tree.
pub mod tree;

use std::fmt;

/// One file: its path from the root with `/` between, and its text.
#[derive(Clone, Debug)]
pub struct Source {
    /// Path from the root of the work tree.
    pub path: String,
    /// All of it.
    pub text: String,
}

impl Source {
    /// For tests and for the tree.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into() }
    }

    /// The path's last piece.
    pub fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    /// Whether the path ends in `.ending`.
    pub fn is(&self, ending: &str) -> bool {
        self.path.strip_suffix(ending).is_some_and(|rest| rest.ends_with('.'))
    }

    /// Whether all of it is tests: `tests.rs`, or anything in a `tests` folder.
    pub fn is_test(&self) -> bool {
        self.name() == "tests.rs" || self.path.split('/').rev().skip(1).any(|folder| folder == "tests")
    }
}

/// Something to put right: where, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Path from the root.
    pub path: String,
    /// From 1; 0 speaks of the whole file.
    pub line: usize,
    /// What is wrong and what to do.
    pub says: String,
}

impl Finding {
    /// A finding at `line` (from 1) of `source`.
    pub fn new(source: &Source, line: usize, says: impl Into<String>) -> Self {
        Self { path: source.path.clone(), line, says: says.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.path, self.line, self.says)
    }
}
