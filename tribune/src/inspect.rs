//! `tribune inspect`: crowd or attack? over any web server's access log.

use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::hash::RandomState;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context;
use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};
use tribune_core::guard::Kind;
use tribune_core::guard::inspect::{Findings, Inspection};
use tribune_core::guard::log::{self, LINE_BYTES_MAX, Skipped};
use tribune_core::guard::page;

/// Bytes read at a time.
const BUFFER_BYTES: usize = 1 << 18;
/// RFC 1952, section 2.3.1.
const GZIP: [u8; 2] = [0x1f, 0x8b];
/// Progress is told so often.
const TOLD: Duration = Duration::from_millis(500);
/// Lines between two looks at the clock.
const LINES_UNTOLD: u64 = 1 << 14;
/// Sources that are named to people; `--json` names all.
const NAMED_MAX: usize = 10;

/// Says from an access log whether a crowd came, an attack, or both, and who would be shed.
///
/// Reads Common and Combined lines, as Apache and nginx write them, and JSON lines; plain or gzip. Exit 0
/// whatever the verdict, 2 when the log cannot be read.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tribune inspect /var/log/nginx/access.log
  zcat $(ls -tr /var/log/nginx/access.log.*.gz) | tribune inspect --json -     # the oldest first
  tribune inspect --html evening.html access.log     # the same as a page with plots

A JSON line has time (seconds or RFC 3339), remote, method, uri, status, bytes and request_time, and if it
can complete, referer and user_agent. With request_time, slow connections are seen as well.")]
pub struct Args {
    /// The log; `-` for standard input.
    log: PathBuf,
    /// One JSON document on standard output.
    #[arg(long)]
    json: bool,
    /// One HTML file that needs nothing beside it: the verdict, the reasons, plots, how to check it. One that
    /// is there is written over.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

/// What a log says, and what was read of it.
struct Inspected {
    findings: Findings,
    /// Why it was not read to its end, if it was not.
    cut_off: Option<io::Error>,
    bytes: u64,
    sha256: [u8; 32],
}

pub fn run(args: &Args) -> ExitCode {
    match inspect_and_tell(args) {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(why)) => {
            let _ =
                writeln!(io::stderr(), "The log ends in the middle ({why}); what came before is counted.");
            ExitCode::SUCCESS
        }
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error:#}");
            ExitCode::from(2)
        }
    }
}

/// Why the log was not read to its end, if it was not.
fn inspect_and_tell(args: &Args) -> anyhow::Result<Option<io::Error>> {
    // A long log is not read for a page that has no place.
    args.html.as_deref().map_or(Ok(()), |html| has_place(html, &args.log))?;
    let inspected = inspect(&args.log)?;
    let findings = &inspected.findings;
    // Each is written though the other cannot be.
    let page = args.html.as_ref().map_or(Ok(()), |html| {
        write_page(html, &args.log, &inspected)
            .with_context(|| format!("The page cannot be written to {}", html.display()))
    });
    let text = if args.json { findings.document().to_string() } else { told(findings) };
    writeln!(io::stdout(), "{text}").context("The findings cannot be written to standard output.")?;
    page?;
    Ok(inspected.cut_off)
}

/// Whether a page may be put there: in a folder that is there, and not where the log is.
fn has_place(html: &Path, log: &Path) -> anyhow::Result<()> {
    let name = html.display();
    anyhow::ensure!(
        html.file_name().is_some_and(|name| name != "-") && !html.is_dir(),
        "The page cannot be written to {name}: name a file."
    );
    let folder = folder_of(html);
    anyhow::ensure!(
        folder.is_dir(),
        "The page cannot be written to {name}: there is no folder {}.",
        folder.display()
    );
    let is_log = fs::canonicalize(html).is_ok_and(|html| fs::canonicalize(log).is_ok_and(|log| log == html));
    anyhow::ensure!(!is_log, "The page cannot be written to {name}: that is the log.");
    Ok(())
}

fn folder_of(html: &Path) -> &Path {
    match html.parent() {
        Some(folder) if folder != Path::new("") => folder,
        Some(_) | None => Path::new("."),
    }
}

/// Whoever opens the page while it is written sees the one before or this one, never half of one.
fn write_page(html: &Path, log: &Path, inspected: &Inspected) -> io::Result<()> {
    let name = log.file_name().filter(|_| log != Path::new("-")).map(|name| name.to_string_lossy());
    let why = inspected.cut_off.as_ref().map(ToString::to_string);
    let read = page::Read {
        name: name.as_deref(),
        bytes: inspected.bytes,
        sha256: inspected.sha256,
        cut_off: why.as_deref(),
        version: env!("CARGO_PKG_VERSION"),
    };
    let page = page::inspection(&inspected.findings, &read);
    let mut fresh = html.as_os_str().to_owned();
    fresh.push(".new");
    let written = File::create(&fresh).and_then(|mut file| {
        file.write_all(page.as_bytes())?;
        file.sync_data()?;
        fs::rename(&fresh, html)
    });
    if written.is_err() {
        let _ = fs::remove_file(&fresh);
    }
    written
}

/// What a log says.
fn inspect(path: &Path) -> anyhow::Result<Inspected> {
    let name = path.display();
    let (raw, bytes): (Box<dyn Read>, u64) = if path == Path::new("-") {
        (Box::new(io::stdin().lock()), 0)
    } else {
        let file = File::open(path).with_context(|| format!("{name} cannot be opened"))?;
        let bytes = file.metadata().map_or(0, |about| about.len());
        (Box::new(file), bytes)
    };
    let read = Rc::new(Told::default());
    let mut raw = BufReader::with_capacity(BUFFER_BYTES, Counted { from: raw, read: read.clone() });
    let is_gzip = raw.fill_buf().with_context(|| format!("{name} cannot be read"))?.starts_with(&GZIP);
    let mut lines: Box<dyn BufRead> = match is_gzip {
        true => Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(raw))),
        false => Box::new(raw),
    };
    let mut inspection = Inspection::new(RandomState::new());
    let mut progress = Progress { read: read.clone(), bytes, lines: 0, told: Instant::now() };
    let cut_off = each_line(&mut *lines, |line| {
        match line.map(log::read) {
            Some(Ok(entry)) => inspection.take(&entry),
            Some(Err(Skipped::Empty)) => {}
            Some(Err(why)) => inspection.skip(why),
            None => inspection.skip(Skipped::TooLong),
        }
        progress.line();
    })
    .err();
    progress.end();
    drop(lines);
    let findings = inspection.finish();
    if findings.requests == 0 {
        let skipped: u64 = findings.skipped.values().sum();
        anyhow::bail!(
            "No line of {name} could be read as an access log's ({skipped} could not). Common, Combined and \
             JSON lines are; see `tribune inspect --help`."
        );
    }
    let sha256 = read.sum.take().finalize().into();
    Ok(Inspected { findings, cut_off, bytes: read.bytes.get(), sha256 })
}

/// Every line without its end; `None` for one that is too long, whose bytes are passed over.
fn each_line(from: &mut dyn BufRead, mut take: impl FnMut(Option<&[u8]>)) -> io::Result<()> {
    let mut begun = Vec::new();
    loop {
        let bytes = match from.fill_buf() {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                // What was begun is half a line.
                return Err(error);
            }
        };
        if bytes.is_empty() {
            if !begun.is_empty() {
                take(whole(&begun));
            }
            return Ok(());
        }
        let used = match memchr(bytes) {
            Some(end) if begun.is_empty() => {
                take(whole(&bytes[..end]));
                end + 1
            }
            Some(end) => {
                grow(&mut begun, &bytes[..end]);
                take(whole(&begun));
                begun.clear();
                end + 1
            }
            None => {
                grow(&mut begun, bytes);
                bytes.len()
            }
        };
        from.consume(used);
    }
}

fn memchr(bytes: &[u8]) -> Option<usize> {
    bytes.iter().position(|byte| *byte == b'\n')
}

/// One byte more than a line may have says that it has too many.
fn grow(begun: &mut Vec<u8>, bytes: &[u8]) {
    let room = (LINE_BYTES_MAX + 1).saturating_sub(begun.len());
    begun.extend_from_slice(&bytes[..bytes.len().min(room)]);
}

fn whole(line: &[u8]) -> Option<&[u8]> {
    (line.len() <= LINE_BYTES_MAX).then_some(line)
}

/// What was read of the file itself, compressed or not.
#[derive(Default)]
struct Told {
    bytes: Cell<u64>,
    sum: RefCell<Sha256>,
}

/// Counts and sums what is read of the file itself.
struct Counted {
    from: Box<dyn Read>,
    read: Rc<Told>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(into)?;
        self.read.bytes.set(self.read.bytes.get() + read as u64);
        self.read.sum.borrow_mut().update(&into[..read]);
        Ok(read)
    }
}

/// How far it is, told to whoever watches a terminal.
struct Progress {
    read: Rc<Told>,
    bytes: u64,
    lines: u64,
    told: Instant,
}

impl Progress {
    fn line(&mut self) {
        self.lines += 1;
        if self.lines.is_multiple_of(LINES_UNTOLD)
            && self.told.elapsed() >= TOLD
            && io::stderr().is_terminal()
        {
            self.told = Instant::now();
            let _ = match self.bytes {
                0 => write!(io::stderr(), "\r{} lines", self.lines),
                bytes => {
                    let percent = 100 * self.read.bytes.get() / bytes;
                    write!(io::stderr(), "\r{percent} %, {} lines", self.lines)
                }
            };
        }
    }

    fn end(&self) {
        if io::stderr().is_terminal() {
            let _ = write!(io::stderr(), "\r{:40}\r", "");
        }
    }
}

/// The findings in sentences.
fn told(findings: &Findings) -> String {
    let verdict = &findings.verdict;
    let mut lines = vec![
        match verdict.kind {
            Kind::Calm => "Calm: nothing out of the ordinary.",
            Kind::Crowd => "A crowd: more people than usual, and they behave as people do.",
            Kind::Attack => "An attack: requests that nobody who listens explains.",
            Kind::Both => "Both: a crowd, and an attack at the same time.",
            Kind::Unknown => "It cannot be told.",
        }
        .to_owned(),
    ];
    if verdict.self_inflicted {
        lines.push("And our own errors were at fault for some of it.".to_owned());
    }
    lines.extend(verdict.because.iter().map(|says| format!("  {says}")));
    if verdict.kind.is_attack() {
        let percent = |share: f64| format!("{:.0}", 100.0 * share);
        let shares = verdict.attack_share;
        for (of, share) in [
            ("requests", shares.requests),
            ("newcomers", shares.newcomers),
            ("time of answering", shares.connection_seconds),
        ] {
            let (low, high) = (percent(share.low), percent(share.high));
            lines.push(format!("  Attack's share of {of}: {low} to {high} %"));
        }
        lines.push(format!("  Since {}", verdict.since));
    }
    lines.push(format!(
        "{} requests from {} sources; {} would be shed, {} cannot be told.",
        findings.requests,
        findings.sources,
        findings.red.len(),
        findings.yellow
    ));
    for red in findings.red.iter().take(NAMED_MAX) {
        lines.push(format!("  {}: {} requests; it {}", red.source, red.requests, red.because));
    }
    if findings.red.len() > NAMED_MAX {
        lines.push(format!("  and {} more: `--json` names them all.", findings.red.len() - NAMED_MAX));
    }
    for (why, count) in &findings.skipped {
        lines.push(format!("{count} lines were not counted: {why}."));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8], at_a_time: usize) -> Vec<Option<usize>> {
        let mut from = BufReader::with_capacity(at_a_time, text);
        let mut seen = Vec::new();
        each_line(&mut from, |line| seen.push(line.map(<[u8]>::len))).expect("memory can be read");
        seen
    }

    #[test]
    fn lines_are_found_however_they_are_read() {
        for at_a_time in [1, 2, 3, 7, 100] {
            assert_eq!(lines(b"ab\n\nabc", at_a_time), [Some(2), Some(0), Some(3)], "{at_a_time}");
            assert_eq!(lines(b"", at_a_time), []);
        }
        let mut long = vec![b'x'; LINE_BYTES_MAX];
        assert_eq!(lines(&long, 1_000), [Some(LINE_BYTES_MAX)]);
        long.extend_from_slice(b"x\nab\n");
        assert_eq!(lines(&long, 1_000), [None, Some(2)]);
    }
}
