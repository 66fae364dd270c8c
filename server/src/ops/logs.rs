//! What is written to the log, and how: text for a person at a terminal, JSON lines for everything else, on
//! standard error.
//!
//! An event's name is constant and is its message; what varies is in fields. No address, name or ticket above
//! DEBUG. What may happen a thousand times a second passes through [`Repeats`] and becomes one line a second
//! with a count; what differs from line to line, through a [`Budget`].

use std::io::IsTerminal;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tribune_core::time::Time;

use super::lines::Lines;

/// Where this process' lines go, once logging has begun.
static LINES: OnceLock<Lines> = OnceLock::new();
/// One line of this kind a second.
const LINE_NS: u64 = 1_000_000_000;

/// Whose lines can be chosen: ours, and those of the libraries below them.
const CRATES: [&str; 14] = [
    "tribune",
    "tribune_server",
    "tribune_core",
    "tribune_rehearsal",
    "axum",
    "h2",
    "hyper",
    "hyper_util",
    "instant_acme",
    "rustls",
    "tokio",
    "tokio_rustls",
    "tower",
    "ureq",
];
/// Of TLS: a warning for each handshake in which somebody names an address as the host.
const STRANGERS_MAY_WRITE: &str = "rustls=error";
const LEVELS: [&str; 6] = ["error", "warn", "info", "debug", "trace", "off"];

/// How lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Text at a terminal, JSON otherwise.
    #[default]
    Auto,
    /// Text for a person.
    Text,
    /// One JSON object a line.
    Json,
}

/// Why logging could not begin.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// The level cannot be read.
    #[error("log level {level:?}: {why}; write for example info, or info,tribune_server::net=debug")]
    Level {
        /// What was given.
        level: String,
        /// What is wrong with it.
        why: String,
    },
    /// The thread that writes cannot be started.
    #[error("cannot start the thread that writes the log: {0}")]
    Thread(#[from] std::io::Error),
    /// It has begun already.
    #[error("logging has been set up already in this process")]
    Twice,
}

/// Whether `filter` says what its writer meant. The library that reads it takes a word it does not know for
/// the name of a module, and then writes nothing else.
///
/// # Errors
/// A sentence that names the word.
pub fn check(filter: &str) -> Result<(), String> {
    for directive in filter.split(',') {
        // What stands in brackets chooses spans; the library checks that itself.
        let (target, level) = match directive.rsplit_once('=') {
            Some((target, level)) => (Some(target.split('[').next().unwrap_or_default()), level),
            None => (None, directive),
        };
        if !LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level)) {
            return Err(format!(
                "{level:?} is no level: give error, warn, info, debug or trace, or off, alone or as \
                 module=level"
            ));
        }
        let root = target.map(|target| target.split("::").next().unwrap_or_default());
        if let Some(root) = root.filter(|root| !root.is_empty() && !CRATES.contains(root)) {
            return Err(format!(
                "{root:?} is no module that writes lines; write for example tribune_server::net=debug"
            ));
        }
    }
    EnvFilter::builder().parse(filter).map(drop).map_err(|wrong| wrong.to_string())
}

/// What a level lets through. A library that writes a line for whatever a stranger sends is heard only of
/// what it is asked for by name: a flood would fill the disk.
fn filter_of(level: &str) -> Result<EnvFilter, LogsError> {
    EnvFilter::builder()
        .parse(format!("{STRANGERS_MAY_WRITE},{level}"))
        .map_err(|wrong| LogsError::Level { level: level.to_owned(), why: wrong.to_string() })
}

/// Begins logging to standard error. `level` is a level, or a list of `module=level`.
///
/// # Errors
/// The level cannot be read, or logging was set up before.
pub fn begin(level: &str, format: Format) -> Result<(), LogsError> {
    let filter = filter_of(level)?;
    let registry = tracing_subscriber::registry().with(filter);
    // A log that cannot be written, on the disk that is full, is nothing to panic about.
    let to = Lines::to(std::io::stderr())?;
    let lines = tracing_subscriber::fmt::layer().with_writer(to.clone()).log_internal_errors(false);
    let json = match format {
        Format::Auto => !std::io::stderr().is_terminal(),
        Format::Text => false,
        Format::Json => true,
    };
    let begun = match json {
        true => registry.with(lines.json().flatten_event(true)).try_init(),
        false => registry.with(lines.with_ansi(std::io::stderr().is_terminal())).try_init(),
    };
    begun.map_err(|_| LogsError::Twice)?;
    LINES.set(to).map_err(|_| LogsError::Twice)
}

/// Lines of this process' log that nobody will read: dropped because the reader was too slow, or not taken.
pub fn dropped() -> u64 {
    LINES.get().map_or(0, Lines::dropped)
}

/// Before the process ends: waits a moment for the last lines.
pub fn flush() {
    if let Some(lines) = LINES.get() {
        lines.flush();
    }
}

/// Lets one event of a kind through a second and counts the others.
///
/// ```
/// # use tribune_server::ops::logs::Repeats;
/// # use tribune_core::time::Time;
/// static ACCEPT_FAILED: Repeats = Repeats::new();
/// if let Some(repeated) = ACCEPT_FAILED.pass(Time::from_millis(5)) {
///     tracing::warn!(repeated, "accept_failed");
/// }
/// ```
#[derive(Debug)]
pub struct Repeats {
    next_ns: AtomicU64,
    held: AtomicU64,
}

impl Repeats {
    /// Lets the first one through.
    pub const fn new() -> Self {
        Self { next_ns: AtomicU64::new(0), held: AtomicU64::new(0) }
    }

    /// `Some(how many were held back since the last line)` when a line may be written now.
    pub fn pass(&self, now: Time) -> Option<u64> {
        let next = self.next_ns.load(Ordering::Relaxed);
        let due = now.nanos() >= next;
        let mine = due
            && self
                .next_ns
                .compare_exchange(next, now.nanos() + LINE_NS, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if mine {
            return Some(self.held.swap(0, Ordering::Relaxed));
        }
        self.held.fetch_add(1, Ordering::Relaxed);
        None
    }
}

impl Default for Repeats {
    fn default() -> Self {
        Self::new()
    }
}

/// Lines of many kinds from one place: `BUDGET_LINES` at once, then one a second; the others are counted. One
/// owner, no lock.
#[derive(Debug)]
pub struct Budget {
    left: u32,
    refilled_at: Time,
    held: u64,
}

/// Lines that may be written at once.
pub const BUDGET_LINES: u32 = 20;

impl Budget {
    /// A full budget.
    pub const fn new(now: Time) -> Self {
        Self { left: BUDGET_LINES, refilled_at: now, held: 0 }
    }

    /// `Some(how many were held back since the last line)` when a line may be written now.
    pub fn pass(&mut self, now: Time) -> Option<u64> {
        let passed_s = now.since(self.refilled_at).as_secs();
        if passed_s > 0 {
            self.left =
                BUDGET_LINES.min(self.left.saturating_add(u32::try_from(passed_s).unwrap_or(u32::MAX)));
            self.refilled_at = self.refilled_at + std::time::Duration::from_secs(passed_s);
        }
        if self.left == 0 {
            self.held += 1;
            return None;
        }
        self.left -= 1;
        Some(std::mem::take(&mut self.held))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_spent_at_once_and_comes_back_a_line_a_second() {
        let mut budget = Budget::new(Time::ZERO);
        for _ in 0..BUDGET_LINES {
            assert_eq!(budget.pass(Time::from_millis(5)), Some(0));
        }
        for (ms, passes) in [
            (999, None),
            (1_000, Some(1)),
            (1_999, None),
            (2_000, Some(1)),
            (9_000, Some(0)),
            (9_001, Some(0)),
        ] {
            assert_eq!(budget.pass(Time::from_millis(ms)), passes, "at {ms} ms");
        }
        let late = Time::from_millis(3_600_000);
        let at_once = std::iter::from_fn(|| budget.pass(late)).take(1_000).count();
        assert_eq!(at_once as u32, BUDGET_LINES, "an hour saves no more than that");
    }

    #[test]
    fn one_line_a_second_with_a_count() {
        let repeats = Repeats::new();
        for (ms, passes) in
            [(0, Some(0)), (1, None), (999, None), (1_000, Some(2)), (1_500, None), (9_000, Some(1))]
        {
            assert_eq!(repeats.pass(Time::from_millis(ms)), passes, "at {ms} ms");
        }
    }

    /// What is written of a warning of rustls and of one of ours.
    fn written(level: &str) -> usize {
        #[derive(Clone, Default)]
        struct Kept(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);
        impl std::io::Write for Kept {
            fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
                self.0.lock().expect("nobody died").extend_from_slice(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let (kept, filter) = (Kept::default(), filter_of(level).expect("it is one"));
        let to = kept.clone();
        let lines = tracing_subscriber::fmt::layer().with_writer(move || to.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(filter).with(lines), || {
            tracing::warn!(target: "rustls::msgs::handshake", "an address as a host's name");
            tracing::warn!("one of ours");
        });
        let kept = kept.0.lock().expect("nobody died");
        kept.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count()
    }

    #[test]
    fn a_stranger_writes_no_lines_unless_they_are_asked_for() {
        for (level, lines) in [("info", 1), ("debug", 1), ("error", 0), ("info,rustls=warn", 2)] {
            assert_eq!(written(level), lines, "{level}");
        }
    }

    #[test]
    fn a_filter_says_what_was_meant_or_is_refused() {
        for good in [
            "info",
            "WARN",
            "off",
            "info,tribune_server::net=debug",
            "warn,hyper=trace,tribune=info",
            "info,tribune_server[source]=debug",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for (wrong, word) in [
            ("warning", "\"warning\" is no level: give error, warn, info, debug or trace"),
            ("loud", "\"loud\" is no level"),
            ("info, hyper=trace", "\" hyper\" is no module"),
            ("", "\"\" is no level"),
            ("tribune", "\"tribune\" is no level"),
            ("tribune=inof", "\"inof\" is no level"),
            ("info,tribnue=debug", "\"tribnue\" is no module"),
            ("info,tribune_server[source=debug", "nvalid"),
        ] {
            let said = check(wrong).expect_err(wrong);
            assert!(said.contains(word), "{wrong}: {said}");
        }
    }

    #[test]
    fn a_level_that_cannot_be_read_is_named() {
        let wrong = begin("tribune=loud", Format::Text).expect_err("loud is no level");
        assert!(wrong.to_string().contains("tribune=loud"), "{wrong}");
    }
}
