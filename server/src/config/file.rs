//! `tribune.toml`: which line says what, and what is wrong with it.

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Range;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::options::{self, Kind, LATER, OPTIONS, Opt};
use super::{Config, ConfigError, FILE_BYTES_MAX};

/// Where each option stood, for complaints that come later.
#[derive(Debug, Default)]
pub struct Lines {
    file: String,
    by_name: BTreeMap<String, usize>,
}

impl Lines {
    /// A complaint about the options `names`, at the line of the first that the file has.
    pub fn wrong(&self, names: &[&str], what: String) -> ConfigError {
        let line = names.iter().find_map(|name| self.by_name.get(*name).copied());
        let at = if line.is_some() { self.file.clone() } else { "configuration".into() };
        ConfigError { at, line, what }
    }
}

impl Config {
    /// Lays a file over what is set so far.
    pub(super) fn read_file(&mut self, path: &Path) -> Result<Lines, ConfigError> {
        let at = path.display().to_string();
        let text = read(path).map_err(|what| super::wrong(&at, what))?;
        self.read_text(at, &text)
    }

    /// The same of a text; `at` is the file it came from.
    pub(super) fn read_text(&mut self, at: String, text: &str) -> Result<Lines, ConfigError> {
        let here = |span: Range<usize>, what| ConfigError {
            at: at.clone(),
            line: Some(line_of(text, span.start)),
            what,
        };
        let table = DeTable::parse(text).map_err(|error| {
            let what = format!("this is not TOML: {}", error.message().trim_end());
            here(error.span().unwrap_or(0..0), what)
        })?;
        let mut lines = Lines { file: at.clone(), by_name: BTreeMap::new() };
        let mut entries: Vec<_> = table.get_ref().iter().collect();
        entries.sort_by_key(|(name, _)| name.span().start);
        for (name, value) in entries {
            let word = name.get_ref().as_ref();
            let opt = options::find(word).ok_or_else(|| here(name.span(), unknown(word)))?;
            let values = read_value(opt, value.get_ref()).map_err(|what| here(value.span(), what))?;
            (opt.set)(self, &values).map_err(|what| here(value.span(), what))?;
            lines.by_name.insert(word.to_owned(), line_of(text, name.span().start));
        }
        Ok(lines)
    }
}

fn read(path: &Path) -> Result<String, String> {
    let file = std::fs::File::open(path).map_err(|error| format!("cannot be opened: {error}"))?;
    let mut bytes = Vec::new();
    file.take(FILE_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("is larger than {FILE_BYTES_MAX} bytes"));
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8 text".to_owned())
}

fn line_of(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

fn unknown(word: &str) -> String {
    if LATER.contains(&word) {
        return options::later(word);
    }
    match OPTIONS.iter().min_by_key(|opt| distance(opt.name, word)) {
        Some(near) if distance(near.name, word) <= 2 => {
            format!("{word:?} is not an option; did you mean {:?}?", near.name)
        }
        Some(_) | None => format!("{word:?} is not an option; tribune.example.toml lists them all"),
    }
}

/// The value as the texts that `Opt::set` reads, when it is of the option's kind.
fn read_value(opt: &Opt, value: &DeValue<'_>) -> Result<Vec<String>, String> {
    match (opt.kind, value) {
        (Kind::Text, DeValue::String(text)) => Ok(vec![text.to_string()]),
        (Kind::Number, DeValue::Integer(number)) if number.radix() == 10 => {
            Ok(vec![number.as_str().to_owned()])
        }
        (Kind::Flag, DeValue::Boolean(flag)) => Ok(vec![flag.to_string()]),
        (Kind::List, DeValue::Array(items)) => items
            .iter()
            .map(|item| item.get_ref().as_str().map(str::to_owned).ok_or_else(|| must_be(opt)))
            .collect(),
        (Kind::Text | Kind::Number | Kind::Flag | Kind::List, _) => Err(must_be(opt)),
    }
}

fn must_be(opt: &Opt) -> String {
    let what = match opt.kind {
        Kind::Text => "a text in quotes",
        Kind::Number => "a whole number without quotes",
        Kind::Flag => "true or false",
        Kind::List => "a list of texts: [\"…\", \"…\"]",
    };
    format!("{} must be {what}", opt.name)
}

/// Single-character edits between two short words (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (n, a) in one.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = n + 1;
        for (m, b) in other.bytes().enumerate() {
            let replaced = diagonal + usize::from(a != b);
            diagonal = row[m + 1];
            row[m + 1] = replaced.min(row[m] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}
