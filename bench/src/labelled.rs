//! Labelled cases of HTTP traffic: `*.csv.gz` with columns `t, src, …, uri, status, bytes, …, req_time,
//! completion, referer, ua, label`, of which the last is `attack` or not.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use flate2::read::MultiGzDecoder;
use tribune_rehearsal::replay::{self, Version};

/// A window is attacked when so large a share of its requests are.
pub const ATTACKED_SHARE_MIN: f64 = 0.1;

const ENDING: &str = ".csv.gz";

/// One request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// When its answer was over, since the case began, in milliseconds.
    pub at_ms: i64,
    /// The address it came from.
    pub source: String,
    /// The connection's number at the server; 0 where the case does not say.
    pub connection: u64,
    /// `HTTP/1.1`.
    pub version: String,
    /// `GET`.
    pub method: String,
    /// Path and query.
    pub target: String,
    /// What was answered; 0 for nothing.
    pub status: u16,
    /// Bytes of the answer.
    pub bytes: u64,
    /// From the request's first byte to the answer's last, in milliseconds.
    pub took_ms: u32,
    /// Whether the whole answer was taken.
    pub is_whole: bool,
    /// The page it came from; `-` without one.
    pub referer: String,
    /// The program that asked; `-` when it did not say.
    pub agent: String,
    /// Whether it is labelled an attack.
    pub is_attack: bool,
}

/// The cases in a folder: their names and files, by name.
///
/// # Errors
/// The folder cannot be read.
pub fn cases(folder: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    let read = || fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>();
    let mut paths = read().with_context(|| format!("{} cannot be read", folder.display()))?;
    paths.sort();
    let name = |path: &PathBuf| Some(path.file_name()?.to_str()?.strip_suffix(ENDING)?.to_owned());
    Ok(paths.into_iter().filter_map(|path| Some((name(&path)?, path))).collect())
}

/// The lines of one case.
///
/// # Errors
/// It cannot be read, or is no such file.
pub fn read(path: &Path) -> anyhow::Result<Vec<Line>> {
    read_lines(path).with_context(|| format!("{} cannot be read", path.display()))
}

/// The lines as they are played again.
///
/// # Errors
/// A line's source is no IPv4 address.
pub fn replayed(lines: &[Line]) -> anyhow::Result<Vec<replay::Line>> {
    let said = |text: &str| if text == "-" { String::new() } else { text.to_owned() };
    let line = |line: &Line| {
        let from = line.source.parse().with_context(|| format!("{:?} is no IPv4 address", line.source))?;
        let (over, took) = (line.at_ms.max(0) as u64, u64::from(line.took_ms));
        Ok(replay::Line {
            // A server notes a request when it is over.
            at: Duration::from_millis(over.saturating_sub(took)),
            took: Duration::from_millis(took),
            from,
            connection: line.connection,
            version: Version::of(&line.version),
            method: line.method.clone(),
            target: line.target.clone(),
            status: line.status,
            referer: said(&line.referer),
            agent: said(&line.agent),
            is_attack: line.is_attack,
        })
    };
    lines.iter().map(line).collect()
}

fn read_lines(path: &Path) -> anyhow::Result<Vec<Line>> {
    let mut lines = BufReader::new(MultiGzDecoder::new(File::open(path)?)).lines();
    let head = lines.next().context("it is empty")??;
    let columns: BTreeMap<&str, usize> = head.split(',').zip(0..).collect();
    let at = |name: &str| columns.get(name).copied().with_context(|| format!("it has no column {name}"));
    let or_none = |name: &str| columns.get(name).copied().unwrap_or(usize::MAX);
    let (t, src, uri, status) = (at("t")?, at("src")?, at("uri")?, at("status")?);
    let (bytes, took, whole, agent) = (at("bytes")?, at("req_time")?, at("completion")?, at("ua")?);
    let label = at("label")?;
    let (connection, version) = (or_none("conn"), or_none("proto"));
    let (method, referer) = (or_none("method"), or_none("referer"));
    lines
        .map(|line| {
            let line = line?;
            let fields = fields(&line);
            let field = |at: usize| fields.get(at).map_or("", String::as_str);
            Ok(Line {
                at_ms: (field(t).parse::<f64>()? * 1_000.0) as i64,
                source: field(src).to_owned(),
                connection: field(connection).parse().unwrap_or(0),
                version: field(version).to_owned(),
                method: field(method).to_owned(),
                target: field(uri).to_owned(),
                status: field(status).parse().unwrap_or(0),
                bytes: field(bytes).parse().unwrap_or(0),
                took_ms: (field(took).parse::<f64>().unwrap_or(0.0) * 1_000.0) as u32,
                is_whole: field(whole) == "OK",
                referer: field(referer).to_owned(),
                agent: field(agent).to_owned(),
                is_attack: field(label) == "attack",
            })
        })
        .collect()
}

/// Fields of a line of CSV; those in quotation marks may have commas (RFC 4180).
fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut quoted) = (vec![String::new()], false);
    for part in line.chars() {
        match part {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            other => fields.last_mut().into_iter().for_each(|field| field.push(other)),
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_may_have_commas_in_quotation_marks() {
        assert_eq!(fields("1,\"a, b\",,c"), ["1", "a, b", "", "c"]);
    }

    #[test]
    fn a_line_is_played_from_when_it_began() {
        let slow = Line {
            at_ms: 35_008,
            took_ms: 20_000,
            source: "127.66.0.194".to_owned(),
            agent: "-".to_owned(),
            ..Line::default()
        };
        let lines = replayed(std::slice::from_ref(&slow)).expect("it has an address");
        assert_eq!((lines[0].at.as_millis(), lines[0].took.as_millis()), (15_008, 20_000));
        assert_eq!(lines[0].agent, "");
        assert!(replayed(&[Line { source: "pseudonym".to_owned(), ..slow }]).is_err());
    }
}
