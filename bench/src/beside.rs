//! What benches share that stand servers side by side: all of them on the first processor, one after another.

use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::ensure;
use serde_json::Value;

/// How long a server may take to be where it is wanted.
const WAIT: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(100);

/// A command that runs a program on the first processor.
pub fn on_first(program: &Path) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(program);
    command
}

/// Waits until something is so.
///
/// # Errors
/// It is not within a minute, or cannot be asked.
pub fn until(what: &str, mut is_so: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let began = Instant::now();
    while !is_so()? {
        ensure!(began.elapsed() < WAIT, "waited {WAIT:?} in vain until {what}");
        std::thread::sleep(LOOK);
    }
    Ok(())
}

/// Prints one line of figures.
///
/// # Errors
/// Nobody reads them.
pub fn tell(figures: &Value) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout(), "{figures}")?)
}

/// The value below which this share of ascending ones lies.
pub fn at_share(sorted: &[f64], share: f64) -> Option<f64> {
    sorted.get(((sorted.len() as f64 * share) as usize).min(sorted.len().saturating_sub(1))).copied()
}
